#!/usr/bin/env python3
"""Makes gguf/ here with the gguf package (PyPI, 0.19): blocks.gguf, a tensor of random blocks of each quantised type, and
blocks.safetensors, what gguf.quants.dequantize makes of them; split-0000N-of-00003.gguf, one model in three files.

usage: make_gguf.py        needs gguf, numpy and safetensors
"""
import os

import gguf
import numpy as np
from safetensors.numpy import save_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gguf")
# Where a block's halves lie; MXFP4 has a byte of exponent instead.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
          "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": []}


def blocks(random, kind, halves):
    """Any bytes, with scales of every size and sign that are numbers."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 256, (1, 1024 // elements * size), dtype=np.uint8)
    for block in data.reshape(-1, size):
        for at in halves:
            exponent = random.integers(0, 31)
            half = np.uint16(random.integers(0, 2) << 15 | exponent << 10 | random.integers(0, 1024))
            block[at:at + 2] = np.frombuffer(half.tobytes(), np.uint8)
    return data


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_blocks():
    random, expected = np.random.default_rng(5), {}
    writer = gguf.GGUFWriter(os.path.join(HERE, "blocks.gguf"), "llama")
    for name, halves in HALVES.items():
        kind = gguf.GGMLQuantizationType[name]
        data = blocks(random, kind, halves)
        if name == "MXFP4":
            data.reshape(-1, 17)[:4, 0] = [0, 1, 2, 254]
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = gguf.quants.dequantize(data, kind).astype(np.float32)
        assert not np.isnan(expected[name]).any() and expected[name].shape == (1, 1024), name
    finish(writer)
    save_file(expected, os.path.join(HERE, "blocks.safetensors"))


def make_split():
    writer = gguf.GGUFWriter(os.path.join(HERE, "split.gguf"), "qwen2", split_max_tensors=2)
    writer.add_block_count(1)
    for i, name in enumerate(["token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_q.bias", "output_norm.weight"]):
        writer.add_tensor(name, np.arange(8, dtype=np.float32).reshape((2, 4) if i % 2 == 0 else (8,)) + 10 * i)
    finish(writer)


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    make_blocks()
    make_split()
