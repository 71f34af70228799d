#!/usr/bin/env python3
"""Model folders, good ones and bad: a failure and one line that names the place.

usage: models.py [--bin build/cinseq] [--only WORD] [-v]        The last line is "N passed, N failed".
"""
import json
import os
import re
import shutil
import struct

from program import MODELS, NORM, bad, cut, drop_norm, edit_config, edit_tensors, fails, main, works, write


def test_info_describes_a_folder():
    info = json.loads(works("info", "-m", "stories260K", "--json").stdout)
    assert (info["architecture"], info["parameters"], info["vocabulary"]) == ("llama", 260032, 512), info
    assert info["decoder"]["layers"] == 5 and info["checkpoint"]["types"] == {"F32": 260032}, info
    assert b"MarianMTModel" in works("info", "-m", "zh-en-mini").stdout == works("info", "zh-en-mini").stdout
    eight = json.loads(works("info", "-m", "stories260K", "--json", "--model_kwargs", '{"load_in_8bit": true}').stdout)
    assert eight["quantization"] == {"method": "LLM.int8()", "modules": 35, "weights": 226560, "outlier_threshold": 6.0}, eight
    assert eight["dtype"] == "F16" and "dtype" not in info and "quantization" not in info, eight
    assert json.loads(works("info", "stories260K", "--json", "--model_kwargs", '{"dtype": "bfloat16"}').stdout)["dtype"] == "BF16"
    fails(2, '--model_kwargs: "load_in_4bit" is not supported: use "load_in_8bit"', "info", "stories260K", "--model_kwargs", '{"load_in_4bit": true}')
    fails(2, "expected one model", "info", "zh-en-mini", "stories260K")
    fails((1, 2), "nothing-there", "info", "-m", "nothing-there")


def test_missing_files():
    fails((1, 2), "no-such-model", "attribute", "-m", "no-such-model", "-i", "a")
    bad("config.json", lambda folder: os.remove(os.path.join(folder, "config.json")))
    bad("safetensors", lambda folder: os.remove(os.path.join(folder, "model.safetensors")))
    bad("token", lambda folder: os.remove(os.path.join(folder, "tokenizer.json")))
    bad("source.spm", lambda folder: os.remove(os.path.join(folder, "source.spm")), "marian")


def test_broken_files():
    bad("config.json", write("config.json", "{"))
    bad("model.safetensors", cut("model.safetensors", 5))
    bad("model.safetensors", cut("model.safetensors", 2000))
    bad("model.safetensors", cut("model.safetensors", 100000))
    bad("tokenizer.json", cut("tokenizer.json", 1000))
    bad("source.spm", cut("source.spm", 1000), "marian")
    bad("model.safetensors", lambda folder: write("model.safetensors", "\xff" * 64)(folder))


def test_wrong_tensors():
    bad(NORM, edit_tensors(drop_norm))
    bad(NORM, edit_tensors(lambda head, body: head[NORM].update(shape=[head[NORM]["shape"][0], 2])))
    bad(NORM, edit_tensors(lambda head, body: head[NORM].update(data_offsets=[0, 1 << 40])))
    bad("model.safetensors", edit_tensors(lambda head, body: head[NORM].update(data_offsets=[4, 4 + 4 * head[NORM]["shape"][0]])))
    bad(NORM, edit_tensors(lambda head, body: head[NORM].update(dtype="Q7")))


def test_missing_shard():
    def change(folder):
        shutil.rmtree(folder)
        shutil.copytree(os.path.join(MODELS, "..", "formats", "llama-sharded"), folder)
        shard = sorted(f for f in os.listdir(folder) if re.match(r"model-.*\.safetensors$", f))[-1]
        os.remove(os.path.join(folder, shard))
    bad(r"model-.*\.safetensors", change)


def test_unknown_architecture():
    bad("martian.*marian|marian.*martian", edit_config(model_type="martian"))


def test_wrong_config():
    bad("hidden_size|weight", edit_config(hidden_size=7))
    bad("num_attention_heads|hidden_size", edit_config(num_attention_heads=0))
    bad("num_hidden_layers|weight", edit_config(num_hidden_layers=1000000))


def test_nan_weights_name_the_node():
    def edit(head, body):
        low = head[NORM]["data_offsets"][0]
        body[low:low + 4] = struct.pack("<f", float("nan"))
    bad("norm|logits", edit_tensors(edit))


def test_text_longer_than_the_positions():
    bad("positions?", edit_config(max_position_embeddings=8), "llama", "He's going to learn a lot today. " * 3)


if __name__ == "__main__":
    main(globals())
