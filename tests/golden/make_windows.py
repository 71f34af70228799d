#!/usr/bin/env python3
"""Adds Inseq's occlusion with windows of three tokens, two apart, to reference cases that pack.py then packs.

usage: make_windows.py GOLDEN NAME ...
GOLDEN has models/NAME and cases/NAME with a case "occlusion". Needs inseq 0.7.1, transformers 4.57.6 and torch.
"""
import json
import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
import inseq
import torch

torch.set_num_threads(1)
for name in sys.argv[2:]:
    folder = os.path.join(sys.argv[1], "cases", name)
    with open(os.path.join(folder, "cases.json")) as file:
        cases = [c for c in json.load(file) if c["case"] != "occlusion_windows"]
    case = dict(next(c for c in cases if c["case"] == "occlusion"), case="occlusion_windows")
    model = inseq.load_model(os.path.join(sys.argv[1], "models", name), "occlusion")
    width = model.get_embedding_layer().embedding_dim
    windows = dict(sliding_window_shapes=(3, width), strides=(2, width))
    out = model.attribute(case["input_texts"], case["generated_texts"], show_progress=False, attribution_args=dict(windows))
    out.save(os.path.join(folder, "occlusion_windows.json"), overwrite=True)
    cases.append(dict(case, attribution_kwargs=windows))
    with open(os.path.join(folder, "cases.json"), "w") as file:
        json.dump(cases, file)
