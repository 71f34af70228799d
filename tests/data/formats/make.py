#!/usr/bin/env python3
"""Makes the folders here with PyTorch: CASE/pytorch_model.bin (or shards), and CASE/expected.safetensors with the same
tensors, contiguous. /opt/oracle/bin/python tests/data/formats/make.py"""
import collections
import json
import os

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))


def folder(case):
    path = os.path.join(HERE, case)
    os.makedirs(path, exist_ok=True)
    return path


def expect(case, tensors):
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, os.path.join(folder(case), "expected.safetensors"))


def write(case, tensors, extra=None, **options):
    state = collections.OrderedDict(tensors)
    state.update(extra or {})
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("layer", {"version": 2})])
    torch.save(state, os.path.join(folder(case), "pytorch_model.bin"), **options)
    expect(case, tensors)


def everything():
    torch.manual_seed(3)
    base = torch.randn(6, 5)
    small = torch.arange(-3, 9)
    return {
        "f32": base,
        "f16": torch.randn(3, 4).half(),
        "bf16": torch.randn(2, 3).bfloat16(),
        "f64": torch.randn(3).double(),
        "i64": small, "i32": small.int(), "i16": small.short(), "i8": small.char(), "u8": small.abs().byte(),
        "bool": small > 2,
        "scalar": torch.tensor(4.5),
        "empty": torch.zeros(0, 3),
        "shared": base,  # the same storage
        "rows": base[2:5],  # contiguous, behind the start
        "transposed": base.t(),
        "column": base[:, 3],
        "every_other": base[1::2, ::2],
        "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
        "ones_between": torch.arange(7).expand(1, -1).unsqueeze(1),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "h\u00e4ufig.\u5f88": torch.randn(1),
        "odd": torch.randint(0, 100, (3,)).byte(),  # what follows in a legacy file is not aligned
        "after_odd": torch.randn(9),
    }


EXTRA = {"epoch": 3, "loss": 0.5, "name": "text", "none": None, "done": False, "negative": -70000, "large": 1 << 40,
         "list": [1, [2, 3], "x"], "nested": {"inner": torch.ones(2), "tuple": (1, 2, 3, 4)}}

tensors = everything()
for case, zipped in (("zip", True), ("legacy", False)):
    write(case, tensors, EXTRA, _use_new_zipfile_serialization=zipped)
sharded = {k: tensors[k] for k in ("f32", "f16", "i64", "transposed")}
names = list(sharded)
shards = {"pytorch_model-00001-of-00002.bin": names[:2], "pytorch_model-00002-of-00002.bin": names[2:]}
for i, (file, keys) in enumerate(shards.items()):
    torch.save({k: sharded[k] for k in keys}, os.path.join(folder("sharded"), file), _use_new_zipfile_serialization=i == 0)
with open(os.path.join(folder("sharded"), "pytorch_model.bin.index.json"), "w") as f:
    json.dump({"metadata": {}, "weight_map": {k: file for file, keys in shards.items() for k in keys}}, f, indent=1)
expect("sharded", sharded)
