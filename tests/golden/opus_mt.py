#!/usr/bin/env python3
"""Generation as an old OPUS-MT repository asks for it: no generation_config.json; num_beams, max_length and bad_words_ids stand in config.json.

usage: opus_mt.py BINARY FOLDER
FOLDER gets the 290 MB model of bench/make_models.py (real configuration and tokenizer, made-up weights). The ids are those of transformers 4.57.6 on
the same files (tests/data/golden/opus-mt-en-mg.json).
"""
import json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
binary, folder = sys.argv[1:3]
subprocess.run([sys.executable, os.path.join(ROOT, "bench", "make_models.py"), folder, "opus-mt-en-mg"], check=True, stdout=subprocess.DEVNULL)
passed = failed = 0
for case in json.load(open(os.path.join(ROOT, "tests", "data", "golden", "opus-mt-en-mg.json"))):
    run = subprocess.run([binary, "generate", "-m", os.path.join(folder, "opus-mt-en-mg"), "-i", case["text"], "--generation_kwargs", json.dumps(case["kwargs"]), "--json"],
                         capture_output=True, text=True)
    got = json.loads(run.stdout) if run.returncode == 0 else {"error": run.stderr}
    if all(got.get(key) == case[key] for key in ("input_ids", "output_ids")):
        passed += 1
    else:
        failed += 1
        print("FAIL", case["text"], case["kwargs"], got, "reference", case["output_ids"])
os.remove(os.path.join(folder, "opus-mt-en-mg", "model.safetensors"))
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
