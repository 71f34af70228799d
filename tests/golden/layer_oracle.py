#!/usr/bin/env python3
"""What layer_integrated_gradients and layer_deeplift should say, by hooks in torch: Inseq 0.7.1 gives zeros, since its forward takes the
ids from elsewhere than where Captum puts the baseline's. Writes tests/data/golden/layers.json.

usage: layer_oracle.py GOLDEN      a folder with models/ARCH and cases/ARCH/saliency.json; needs torch, transformers, numpy

For each step, the module's output is taken for the text and for the baseline (unk at every position of what is attributed, but eos),
then replaced along the line between them (integrated gradients, Gauss-Legendre), or its multipliers are taken with a backward through
every torch.nn.ReLU that returns dy (y - y') / (x - x') (deeplift). Scores are kept as their sum and their length over the width.
"""
import json
import os
import sys

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "golden", "layers.json")
CASES = [("gpt2", "transformer.h[0]", "ig"), ("gpt2", "transformer.h[1].mlp", "ig"), ("gpt2", "transformer.h[1].attn", "deeplift"),
         ("llama", "model.layers[0].self_attn", "ig"), ("opt", "model.decoder.layers[0]", "deeplift"),
         ("opt", "model.decoder.layers[0].self_attn", "deeplift"), ("opt", "model.decoder.layers[1].fc1", "ig"),
         ("marian", "model.encoder.layers[0]", "ig"), ("marian", "model.decoder.layers[0]", "ig"),
         ("m2m_100", "model.encoder.layers[0]", "deeplift")]
STEPS = 12


def module_at(model, path):
    for name in path.replace("[", ".").replace("]", "").split("."):
        model = getattr(model, name) if not name.isdigit() else model[int(name)]
    return model


class Rescale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, base):
        ctx.save_for_backward(x, base)
        return torch.relu(x)

    @staticmethod
    def backward(ctx, dy):
        x, base = ctx.saved_tensors
        step = x - base
        slope = torch.where(step.abs() < 1e-10, (x > 0).to(x), (torch.relu(x) - torch.relu(base)) / step)
        return dy * slope, None


class Subject:
    def __init__(self, folder, layer):
        config = AutoConfig.from_pretrained(folder)
        self.both = config.is_encoder_decoder
        kind = AutoModelForSeq2SeqLM if self.both else AutoModelForCausalLM
        self.model = kind.from_pretrained(folder, attn_implementation="eager").eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self.eos = config.eos_token_id
        self.unk = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else config.pad_token_id
        self.layer = module_at(self.model, layer)
        self.relus = [m for m in self.model.modules() if type(m) is torch.nn.ReLU]

    def baseline(self, ids):
        return [i if i == self.eos else self.unk for i in ids]

    def logits(self, source, prefix):
        prefix = torch.tensor([prefix])
        if not self.both:
            return self.model(input_ids=prefix).logits[0, -1]
        return self.model(input_ids=torch.tensor([source]), decoder_input_ids=prefix).logits[0, -1]

    def probability(self, source, prefix, target, replace=None):
        """p(target), and the layer's value, which `replace` may change."""
        seen = []

        def hook(module, inputs, output):
            h = output[0] if isinstance(output, tuple) else output
            h = replace(h) if replace else h
            seen.append(h)
            return (h, *output[1:]) if isinstance(output, tuple) else h

        handle = self.layer.register_forward_hook(hook)
        p = torch.softmax(self.logits(source, prefix), -1)[target]
        handle.remove()
        assert len(seen) == 1
        return p, seen[0]

    def integrated(self, at, base, target):
        x, b = (self.probability(*ids, target)[1].detach() for ids in (at, base))
        nodes, weights = np.polynomial.legendre.leggauss(STEPS)
        total = torch.zeros_like(x)
        for node, weight in zip(nodes, weights):
            point = (b + (1 + node) / 2 * (x - b)).requires_grad_()
            p, _ = self.probability(*at, target, lambda h: point)
            total += weight / 2 * torch.autograd.grad(p, point)[0]
        return total * (x - b)

    def deeplift(self, at, base, target):
        inputs = {}
        handles = [m.register_forward_hook(lambda m, i, o: inputs.__setitem__(m, i[0].detach())) for m in self.relus]
        b = self.probability(*base, target)[1].detach()
        for h in handles:
            h.remove()
        handles = [m.register_forward_hook(lambda m, i, o: Rescale.apply(i[0], inputs[m])) for m in self.relus]
        p, x = self.probability(*at, target)
        for h in handles:
            h.remove()
        return torch.autograd.grad(p, x)[0] * (x.detach() - b)


def attribute(golden, arch, layer, rule):
    with open(os.path.join(golden, "cases", arch, "saliency.json")) as file:
        sequence = json.load(file)["attributes"]["sequence_attributions"][0]["attributes"]
    with open(os.path.join(golden, "cases", arch, "cases.json")) as file:
        call = next(c for c in json.load(file) if c["case"] == "saliency")
    ids = {k: [t["attributes"]["id"] for t in sequence[k]] for k in ("source", "target")}
    subject = Subject(os.path.join(golden, "models", arch), layer)
    columns, rows = [], 0
    for t in range(sequence["attr_pos_start"], sequence["attr_pos_end"]):
        prefix = ids["target"][:t]
        at = (ids["source"], prefix)
        base = (subject.baseline(ids["source"]), prefix) if subject.both else (None, subject.baseline(prefix))
        score = getattr(subject, "integrated" if rule == "ig" else "deeplift")(at, base, ids["target"][t])
        score = score.reshape(-1, score.shape[-1]).double()
        columns.append((score.sum(-1).tolist(), score.norm(dim=-1).tolist()))
        rows = max(rows, len(columns[-1][0]))
    tables = [[[float(f"{c[i][r]:.7g}") if r < len(c[i]) else None for c in columns] for r in range(rows)] for i in (0, 1)]
    case = {"method": "layer_integrated_gradients" if rule == "ig" else "layer_deeplift", "input_texts": call["input_texts"],
            "generated_texts": call["generated_texts"], "attribution_kwargs": {"target_layer": layer}}
    if rule == "ig":
        case["n_steps"] = STEPS
    return {"arch": arch, "case": case, "side": "source" if subject.both and ".encoder." in layer else "target", "sum": tables[0], "length": tables[1]}


def main():
    torch.set_num_threads(1)
    out = [attribute(sys.argv[1], *case) for case in CASES]
    with open(OUT, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(o, ensure_ascii=False) for o in out) + "\n]\n")
    for o in out:
        print(o["arch"], o["case"]["attribution_kwargs"], o["case"]["method"], max(abs(v) for r in o["sum"] for v in r if v is not None))


main()
