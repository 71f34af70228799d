#!/usr/bin/env python3
"""What value_zeroing should say, by hooks in torch, in float64. Writes tests/data/golden/zeroing.json.

usage: zeroing_oracle.py GOLDEN      a folder with models/ARCH, cases/ARCH/cases.json and cases/ARCH/value_zeroing.json

Inseq's own references are not enough: it takes 1 - cosine in float32, and its Marian had a decoder whose embeddings were not scaled
(tables.py). For each layer and token the value's row is zeroed in that layer alone, and the layer's output compared with the clean one.
With --inseq the same in float32 and, for Marian, with embed_scale 1: then Inseq's file must come out.
"""
import json
import os
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

import run

OUT = os.path.join(run.DATA, "zeroing.json")
LEAST = 1e-5  # scores below it are 0


def states(forward, module, columns, row):
    """Outputs of the blocks, with one row of a module's output zeroed in `columns`; module None: none."""
    def zero(_, inputs, output):
        output = output.clone()
        output[:, row, columns] = 0
        return output

    handle = module.register_forward_hook(zero) if module is not None else None
    with torch.no_grad():
        hidden = forward().hidden_states[1:]
    if handle:
        handle.remove()
    return hidden


def scores(forward, values, columns, tokens, causal):
    """[tokens, positions, layers]; values: the modules that give the values, by layer."""
    clean = states(forward, None, None, None)
    out = np.full((tokens, clean[0].shape[1], len(values)), np.nan)
    for layer, module in enumerate(values):
        for j in range(tokens):
            corrupted = states(forward, module, columns, j)[layer]
            distance = 1 - torch.nn.functional.cosine_similarity(clean[layer][0], corrupted[0], dim=-1)
            first = j if causal else 0
            out[j, first:, layer] = distance[first:].numpy()
    out[out < LEAST] = 0
    sums = np.nansum(out, 0, keepdims=True)
    return out / np.where(sums == 0, 1, sums)


def gpt2(folder, ids, as_inseq):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").to(torch.float32 if as_inseq else torch.float64).eval()
    x, width = torch.tensor([ids["target"][:-1]]), model.config.n_embd
    forward = lambda: model.transformer(x, output_hidden_states=True)
    return "target", scores(forward, [b.attn.c_attn for b in model.transformer.h], slice(2 * width, None), x.shape[1], True)


def marian(folder, ids, as_inseq):
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").to(torch.float32 if as_inseq else torch.float64).eval()
    if as_inseq:
        model.model.decoder.embed_scale = 1.0
    with torch.no_grad():
        encoded = model.model.encoder(torch.tensor([ids["source"]]))[0]
    x = torch.tensor([ids["target"][:-1]])
    forward = lambda: model.model.decoder(x, encoder_hidden_states=encoded, output_hidden_states=True, use_cache=False)
    return "source", scores(forward, [b.encoder_attn.v_proj for b in model.model.decoder.layers], slice(None), encoded.shape[1], False)


def main():
    torch.set_num_threads(1)
    golden, as_inseq, found = sys.argv[1], "--inseq" in sys.argv, []
    for arch, oracle in (("gpt2", gpt2), ("marian", marian)):
        folder = os.path.join(golden, "cases", arch)
        with open(os.path.join(folder, "value_zeroing.json")) as file:
            sequence = run.sequences(file.read())[0]
        with open(os.path.join(folder, "cases.json")) as file:
            case = next(c for c in json.load(file) if c["case"] == "value_zeroing")
        ids = {k: [i for i, _ in v] for k, v in sequence["tokens"].items()}
        side, values = oracle(os.path.join(golden, "models", arch), ids, as_inseq)
        values = values[:, sequence["positions"][0] - 1:]
        shape, theirs = sequence["arrays"][f"{side}_attributions"]
        theirs = np.array(theirs).reshape(shape)[:len(values)]
        print(arch, "largest difference from Inseq's file", np.nanmax(np.abs(values - theirs)))
        rows = [[[None if np.isnan(v) else float(f"{v:.7g}") for v in cell] for cell in row] for row in values]
        found.append({"arch": arch, "case": {k: case[k] for k in ("method", "input_texts", "generated_texts")}, "side": side, "scores": rows})
    if not as_inseq:
        with open(OUT, "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(f, ensure_ascii=False) for f in found) + "\n]\n")


main()
