#!/usr/bin/env python3
"""Passes with dropout against those of transformers' models in training: mean and mean square of the logarithm of each generated token's probability.

usage: dropout_oracle.py [--bin build/cinseq] [--passes 1000] [--only WORD] [--write] FOLDER...   models with config.json; needs torch, transformers
       FOLDER is ARCH/model as the build unpacks it to build/golden, or a folder of them

For each key of a configuration that training reads, this one is set to a high rate and all others to 0: so a missing site, one too many
or a wrong key shows. Both sides draw; a difference counts when it is more than 5.5 standard errors of it. --write: all keys
at once, at 0.2, and means and deviations of so many passes of each folder go into tests/data/golden/dropout.json.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

import run

IGNORED = ("classifier", "summary", "speech", "adaptor", "var_pred", "classif", "token_dropout")


def keys_of(config, prefix=""):
    found = {}
    for key, value in config.items():
        if isinstance(value, dict) and isinstance(key, str):
            found.update(keys_of(value, f"{prefix}{key}.") if key.endswith("_config") else {})
        elif isinstance(key, str) and ("drop" in key or key.endswith("pdrop")) and isinstance(value, (int, float)) and not any(w in key for w in IGNORED):
            found[prefix + key] = float(value)
    return found


def with_rates(config, rates):
    config = json.loads(json.dumps(config))
    for key, rate in rates.items():
        inside = config
        *path, last = key.split(".")
        for name in path:
            inside = inside.setdefault(name, {})
        inside[last] = rate
    return config


def moments(values):
    """Of each column: mean, mean square, and the variances of both."""
    v = torch.tensor(values, dtype=torch.float64)
    return [(float(x.mean()), float(x.var()) / len(v)) for x in (v.T)], [(float(x.mean()), float(x.var()) / len(v)) for x in (v.T ** 2)]


def of_torch(folder, config, ids, passes, together):
    both = getattr(config, "is_encoder_decoder", False)
    kind = AutoModelForSeq2SeqLM if both else AutoModelForCausalLM
    attention = "sdpa" if config.model_type == "falcon" and config.alibi else "eager"  # Falcon's eager one adds the biases twice
    model = kind.from_pretrained(folder, config=config, attn_implementation=attention).train()
    source, target, start = ids
    rows = []
    torch.manual_seed(1)
    with torch.no_grad():
        while len(rows) < passes:
            n = min(64, passes) if together else 1
            decoder = torch.tensor([target[:-1]] * n)
            if both:
                logits = model(input_ids=torch.tensor([source] * n), decoder_input_ids=decoder, use_cache=False).logits
            else:
                logits = model(input_ids=decoder, use_cache=False).logits
            p = torch.log_softmax(logits.double(), -1)
            for t in range(n):
                rows.append([float(p[t, i - 1, target[i]]) for i in range(start, len(target))])
    return rows


def of_program(program, folder, kwargs, ids, passes, path):
    source, target, tokenizer_kwargs = ids
    call = [program, "attribute", "-m", folder, "--attribution_method", "attention", "--hide", "-o", path, "--model_kwargs", json.dumps(kwargs), "--threads", "1",
            "--tokenizer_kwargs", json.dumps(tokenizer_kwargs), "--generated_ids", json.dumps([target]), "--step_scores", "mc_dropout_prob_avg"]
    call += ["-i", source]
    found = []
    for statistic in ("mean", "std"):
        extra = ["--attribution_kwargs", json.dumps({"statistic": statistic, "n_mcd_steps": passes, "seed": 3, "logprob": True})]
        done = subprocess.run(call + extra, capture_output=True, text=True)
        if done.returncode:
            raise run.Wrong(done.stderr.strip()[-300:])
        with open(path) as file:
            found.append(run.sequences(file.read())[0]["arrays"]["step_scores.mc_dropout_prob_avg"][1])
    return found


def read_case(folder):
    """(prompt text, source ids, target ids, start) of the saliency case beside the model."""
    base = os.path.dirname(folder.rstrip("/"))
    if not os.path.exists(os.path.join(base, "saliency.json")):
        base = os.path.join(base, "..", "cases", os.path.basename(folder.rstrip("/")))
    with open(os.path.join(base, "saliency.json")) as file:
        s = json.load(file)["attributes"]["sequence_attributions"][0]["attributes"]
    with open(os.path.join(base, "cases.json")) as file:
        cases = json.load(file)
    call = next(c for c in (cases["cases"] if isinstance(cases, dict) else cases) if c["case"] == "saliency")
    ids = {k: [t["attributes"]["id"] for t in s[k]] for k in ("source", "target")}
    text = call["input_texts"]
    return text if isinstance(text, str) else text[0], ids["source"], ids["target"], s["attr_pos_start"], call.get("tokenizer_kwargs", {})


def check(program, folder, rates, passes, path):
    with open(os.path.join(folder, "config.json")) as file:
        own = json.load(file)
    text, source, target, start, tokenizer_kwargs = read_case(folder)
    config = AutoConfig.from_pretrained(folder)
    set_to = with_rates({}, rates)
    for key, value in set_to.items():
        if isinstance(value, dict) and isinstance(key, str):
            inner = getattr(config, key)
            for k, v in value.items():
                setattr(inner, k, v)
            set_to[key] = {**(own.get(key) or {}), **value}
        else:
            setattr(config, key, value)
    layers = any("layerdrop" in k and v > 0 for k, v in rates.items())
    theirs = of_torch(folder, config, (source, target, start), passes, not layers)
    mean, square = moments(theirs)
    ours, std = of_program(program, folder, set_to, (text, target, tokenizer_kwargs), passes, path)
    worst, moved = 0.0, 0.0
    for i, (m, s) in enumerate(zip(ours, std)):
        moved = max(moved, s)
        for got, (want, variance) in ((m, mean[i]), (s * s * (passes - 1) / passes + m * m, square[i])):
            worst = max(worst, abs(got - want) / (math.sqrt(2 * variance) + 1e-5 * abs(want)))
    return worst, moved


def reference(folder, name, keys, passes):
    """What test_passes.c compares with: probabilities."""
    text, source, target, start, tokenizer_kwargs = read_case(folder)
    rates = {k: 0.2 for k in keys if "layerdrop" not in k}
    config = AutoConfig.from_pretrained(folder, **rates)
    rows = torch.tensor(of_torch(folder, config, (source, target, start), passes, True), dtype=torch.float64).exp()
    as_text = lambda values: [float(f"{v:.7g}") for v in values.tolist()]
    return {"arch": name, "rates": rates, "request": {"input_texts": [text], "generated_ids": [target]}, "passes": len(rows),
            "mean": as_text(rows.mean(0)), "std": as_text(rows.std(0))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--passes", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    total = failed = 0
    name_of = lambda folder: folder.rstrip("/").removesuffix("/model").split("/")[-1]
    if arguments.write:
        keys = lambda folder: keys_of(AutoConfig.from_pretrained(folder).to_dict())
        found = [reference(f, name_of(f), keys(f), arguments.passes) for f in arguments.folders]
        with open(os.path.join(run.DATA, "dropout.json"), "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in found) + "\n]\n")
        return
    with tempfile.TemporaryDirectory() as scratch:
        for folder in arguments.folders:
            name = name_of(folder)
            if arguments.only not in name:
                continue
            keys = keys_of(AutoConfig.from_pretrained(folder).to_dict())
            for key in keys or {}:
                rates = {k: (arguments.rate if k == key else 0.0) for k in keys}
                total += 1
                try:
                    worst, moved = check(arguments.bin, folder, rates, arguments.passes, os.path.join(scratch, "out.json"))
                    bad = worst > 5.5
                    print("FAIL" if bad else "ok  ", name, key, f"{worst:.2f} standard errors, passes deviate by {moved:.3f}", flush=True)
                except run.Wrong as error:
                    bad = "(only 0)" not in str(error)
                    print("FAIL" if bad else "none", name, key, error, flush=True)
                failed += bad
    print(f"{total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
