#!/usr/bin/env python3
"""Passes with dropout against those of transformers' models in training: mean and mean square of the logarithm of each generated token's probability.

usage: dropout_oracle.py [--bin build/cinseq] [--unpacked build/golden] [--passes 1000] [NAME...]     needs torch, transformers
       dropout_oracle.py --write --passes 4032 NAME...
       NAME is a model that the build unpacks to build/golden, or one of tests/data/golden/models; none: all, among which must be one of
       each architecture that cinseq knows

Of each model
  KEY        of its configuration's class that may be a rate or a noise: this one is set to a high rate and all others to 0, so a missing
             site, one too many or a wrong key shows. Where cinseq refuses it, training must do something by it
  defaults   config.json without any of these keys: the rates of the configuration's class
  elsewhere  its own keys are 0, those of all other models high: training and cinseq are then the plain text
Both sides draw; a difference counts when it is more than 5.5 standard errors of it. --write: all keys at once, at 0.2, and means and
deviations of so many passes of each model go into tests/data/golden/dropout.json.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import namedtuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

import run

ERRORS = 5.5
BATCH = 64
Case = namedtuple("Case", "name folder text source target start tokenizer_kwargs")


class Refused(Exception):
    """By cinseq, because a key is not 0."""


def is_rate(key, value):
    return bool(re.search("drop(?!ping)|jitter|noise", key)) and not isinstance(value, (bool, dict, str))


def keys_of(config, prefix=""):
    """What may be a rate: "key", or "object.key"."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict) and str(key).endswith("_config"):
            found += keys_of(value, f"{prefix}{key}.")
        elif is_rate(str(key), value):
            found.append(f"{prefix}{key}")
    return found


def without_rates(config):
    return {k: without_rates(v) if isinstance(v, dict) else v for k, v in config.items() if not is_rate(k, v)}


def all_cases(unpacked):
    """The saliency case of each model."""
    references = run.load_references(unpacked)
    groups = [(name, os.path.join(folder, "model"), group) for name, folder, group in run.read_unpacked(unpacked)]
    groups += [(name, run.model_path(name), group) for name, group in run.load("cases.json").items()]
    for name, folder, group in groups:
        call = next(c for c in group["cases"] if c["case"] == "saliency")
        saved = json.loads(references[f"{name}/saliency"])["attributes"]["sequence_attributions"][0]["attributes"]
        ids = {side: [t["attributes"]["id"] for t in saved[side]] for side in ("source", "target")}
        text = call["input_texts"]
        yield Case(name, folder, text if isinstance(text, str) else text[0], ids["source"], ids["target"], saved["attr_pos_start"],
                   call.get("tokenizer_kwargs", {}))


def set_rates(config, rates):
    """Of transformers' configuration."""
    for key, rate in rates.items():
        *path, last = key.split(".")
        setattr(getattr(config, path[0]) if path else config, last, rate)
    return config


def as_kwargs(folder, rates):
    """The same for cinseq, which replaces whole objects."""
    own, kwargs = read_config(folder), {}
    for key, rate in rates.items():
        *path, last = key.split(".")
        inside = kwargs.setdefault(path[0], dict(own.get(path[0]) or {})) if path else kwargs
        inside[last] = rate
    return kwargs


def read_config(folder):
    with open(os.path.join(folder, "config.json")) as file:
        return json.load(file)


def in_batches(config):
    """Layers are left out, and experts have room, for a whole batch."""
    return not hasattr(config, "expert_capacity") and not any(rate for key, rate in config.to_dict().items() if "layerdrop" in key)


def of_torch(case, config, passes):
    both = getattr(config, "is_encoder_decoder", False)
    kind = AutoModelForSeq2SeqLM if both else AutoModelForCausalLM
    attention = "sdpa" if config.model_type == "falcon" and config.alibi else "eager"  # Falcon's eager one adds the biases twice
    model = kind.from_pretrained(case.folder, config=config, attn_implementation=attention).train()
    rows, n = [], BATCH
    if not in_batches(config):
        n, passes = 1, passes // 4
    ids = {"decoder_input_ids" if both else "input_ids": torch.tensor([case.target[:-1]] * n)}
    if both:
        ids["input_ids"] = torch.tensor([case.source] * n)
    predicted = torch.arange(case.start, len(case.target))
    torch.manual_seed(1)
    with torch.no_grad():
        while len(rows) < passes:
            p = torch.log_softmax(model(**ids, use_cache=False).logits.double(), -1)
            rows += p[:, predicted - 1, torch.tensor(case.target)[predicted]].tolist()
    return torch.tensor(rows, dtype=torch.float64)


def of_program(program, case, folder, kwargs, passes):
    """Mean and deviation of each token."""
    found = []
    for statistic in ("mean", "std"):
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            done = subprocess.run(
                [program, "attribute", "-m", folder, "--attribution_method", "attention", "--hide", "-o", out.name, "--threads", "1",
                 "--model_kwargs", json.dumps(kwargs), "--tokenizer_kwargs", json.dumps(case.tokenizer_kwargs), "-i", case.text,
                 "--generated_ids", json.dumps([case.target]), "--step_scores", "mc_dropout_prob_avg", "--attribution_kwargs",
                 json.dumps({"statistic": statistic, "n_mcd_steps": passes, "seed": 3, "logprob": True})], capture_output=True, text=True)
            if done.returncode:
                message = done.stderr.strip()[-300:]
                raise Refused(message) if "(only 0)" in message else run.Wrong(message)
            with open(out.name) as file:
                found.append(run.sequences(file.read())[0]["arrays"]["step_scores.mc_dropout_prob_avg"][1])
    return found


def compare(theirs, ours, passes):
    """The largest difference in standard errors, and the largest deviation of a token."""
    worst = 0.0
    for values, mean, std in zip(theirs.T, *ours):
        for got, want in ((mean, values), (std * std * (passes - 1) / passes + mean * mean, values ** 2)):
            error = math.sqrt(float(want.var()) * (1 / len(want) + 1 / passes)) + 1e-5 * abs(float(want.mean()))
            worst = max(worst, abs(got - float(want.mean())) / error)
    return worst, max(ours[1])


def check(program, case, folder, rates, passes):
    """(whether it holds, in words)"""
    theirs = of_torch(case, set_rates(AutoConfig.from_pretrained(folder), rates), passes)
    try:
        worst, moved = compare(theirs, of_program(program, case, folder, as_kwargs(folder, rates), passes), passes)
        return worst <= ERRORS, f"{worst:.2f} standard errors, passes deviate by {moved:.3f}"
    except Refused as message:
        return float(theirs.std(0).max()) > 1e-4, f"refused: {message}"
    except run.Wrong as message:
        return False, str(message)


def checks(program, case, keys, others, passes, rate):
    """(name, whether it holds, in words)"""
    for key in keys:
        yield key, *check(program, case, case.folder, {k: rate if k == key else 0.0 for k in keys}, passes)
    with tempfile.TemporaryDirectory() as bare:
        for file in os.listdir(case.folder):
            if file != "config.json":
                os.symlink(os.path.abspath(os.path.join(case.folder, file)), os.path.join(bare, file))
        with open(os.path.join(bare, "config.json"), "w") as file:
            json.dump(without_rates(read_config(case.folder)), file)
        yield "defaults", *check(program, case, bare, {}, passes)
    yield "elsewhere", *check(program, case, case.folder, {k: 0.0 for k in keys} | {k: rate for k in others}, BATCH)


def reference(case, keys, passes):
    """What test_passes.c compares with: probabilities."""
    rates = {k: 0.2 for k in keys if "layerdrop" not in k}
    rows = of_torch(case, set_rates(AutoConfig.from_pretrained(case.folder), rates), passes).exp()
    as_text = lambda values: [float(f"{v:.7g}") for v in values.tolist()]
    return {"arch": case.name, "rates": rates, "request": {"input_texts": [case.text], "generated_ids": [case.target]}, "passes": len(rows),
            "mean": as_text(rows.mean(0)), "std": as_text(rows.std(0))}


def missing(program, cases):
    """Architectures of cinseq that no model is of."""
    known = subprocess.run([program, "list", "models"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in known.splitlines()} - {read_config(case.folder)["model_type"] for case in cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--unpacked", default="build/golden")
    parser.add_argument("--passes", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cases = list(all_cases(arguments.unpacked))
    keys = {case.name: keys_of(AutoConfig.from_pretrained(case.folder).to_dict()) for case in cases}
    every = {key for own in keys.values() for key in own if "." not in key}
    asked = [case for case in cases if not arguments.names or case.name in arguments.names]
    if arguments.write:
        found = [reference(case, keys[case.name], arguments.passes) for case in asked]
        with open(os.path.join(run.DATA, "dropout.json"), "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in found) + "\n]\n")
        return
    counts = {True: 0, False: 0}
    for lost in sorted(missing(arguments.bin, cases)):
        counts[False] += 1
        print("FAIL", lost, "no model of this architecture")
    for case in asked:
        others = sorted(every - set(keys[case.name]))
        for name, holds, words in checks(arguments.bin, case, keys[case.name], others, arguments.passes, arguments.rate):
            counts[holds] += 1
            print("ok  " if holds else "FAIL", case.name, name, words, flush=True)
    print(f"{sum(len(keys[case.name]) for case in asked)} keys of {len(asked)} models: {counts[True]} passed, {counts[False]} failed")
    sys.exit(counts[False] > 0)


main()
