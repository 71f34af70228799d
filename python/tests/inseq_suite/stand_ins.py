"""Small models with random weights under the names that Inseq's tests load, in a cache of the Hugging Face hub of their own.

Shapes are the real models' where tests ask for them (width 512, 6 layers of 8 heads), and tokenizers are real ones: GPT-2's own, and for the
opus-mt models that of opus-mt-en-mg, which cuts English as they do, but not Italian.
"""
import json
import os
import shutil
import struct
import tarfile

import numpy as np

COMMIT = "0" * 40


def write_safetensors(path, shapes, seed=0):
    """Normal numbers for weights, 1 and 0 for norms and biases, as float16."""
    numbers = np.random.default_rng(seed)
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            if name.endswith("bias"):
                values = np.zeros(shape)
            elif len(shape) == 1:
                values = np.ones(shape)
            else:
                values = numbers.standard_normal(shape, dtype=np.float32) * 0.1
            file.write(values.astype(np.float16).tobytes())


def both(name, *shape):
    """A linear layer or a norm."""
    return {name + ".weight": shape, name + ".bias": shape[:1]}


def gpt2_shapes(config):
    d = config["n_embd"]
    shapes = {"transformer.wte.weight": (config["vocab_size"], d), "transformer.wpe.weight": (config["n_positions"], d)}
    for i in range(config["n_layer"]):
        block = f"transformer.h.{i}."
        shapes |= both(block + "ln_1", d) | both(block + "ln_2", d)
        for name, rows, columns in (("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d), ("mlp.c_fc", d, 4 * d), ("mlp.c_proj", 4 * d, d)):
            shapes |= {f"{block}{name}.weight": (rows, columns), f"{block}{name}.bias": (columns,)}
    return shapes | both("transformer.ln_f", d)


def marian_shapes(config):
    d, shapes = config["d_model"], {"model.shared.weight": (config["vocab_size"], config["d_model"])}
    for side in ("encoder", "decoder"):
        for i in range(config[f"{side}_layers"]):
            block, ffn = f"model.{side}.layers.{i}.", config[f"{side}_ffn_dim"]
            for attention in ("self_attn", "encoder_attn")[:1 if side == "encoder" else 2]:
                for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    shapes |= both(f"{block}{attention}.{projection}", d, d)
                shapes |= both(f"{block}{attention}_layer_norm", d)
            shapes |= both(block + "fc1", ffn, d) | both(block + "fc2", d, ffn) | both(block + "final_layer_norm", d)
    return shapes | {"final_logits_bias": (1, config["vocab_size"])}


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file)


def gpt2(folder, tokenizers, layers, heads, width):
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50257, "n_positions": 512, "n_embd": width,
              "n_layer": layers, "n_head": heads, "bos_token_id": 50256, "eos_token_id": 50256}
    write_json(folder, "config.json", config)
    write_json(folder, "tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer"})
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(os.path.join(tokenizers, "gpt2", name), folder)
    write_safetensors(os.path.join(folder, "model.safetensors"), gpt2_shapes(config))


def opus_mt(folder, tokenizers):
    source = os.path.join(tokenizers, "opus-mt-en-mg")
    with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    for name in ("max_length", "num_beams"):
        del config[name]
    config |= {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "architectures": ["MarianMTModel"]}
    write_json(folder, "config.json", config)
    # A random model never ends by itself: with 8 positions it writes 7 tokens, as the real one does for "This is a test."
    write_json(folder, "generation_config.json", {"max_length": 8, "forced_eos_token_id": 0, "bad_words_ids": [[config["pad_token_id"]]],
                                                  "decoder_start_token_id": config["decoder_start_token_id"], "eos_token_id": 0,
                                                  "pad_token_id": config["pad_token_id"]})
    write_json(folder, "tokenizer_config.json", {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "mg"})
    for name in ("source.spm", "target.spm", "vocab.json"):
        shutil.copy(os.path.join(source, name), folder)
    write_safetensors(os.path.join(folder, "model.safetensors"), marian_shapes(config))


def t5(folder, tokenizers):
    archive = os.path.join(tokenizers, "..", "golden", "architectures", "t5.tar.xz")
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.isfile() and member.name.startswith("model/"):
                with open(os.path.join(folder, os.path.basename(member.name)), "wb") as file:
                    file.write(tar.extractfile(member).read())


MODELS = {
    "Helsinki-NLP/opus-mt-en-it": (opus_mt, ()),
    "gpt2": (gpt2, (6, 12, 48)),
    "distilgpt2": (gpt2, (6, 12, 48)),
    "hf-internal-testing/tiny-random-GPT2LMHeadModel": (gpt2, (5, 4, 32)),
    "hf-internal-testing/tiny-random-t5": (t5, ()),
}


def make(cache, tokenizers):
    """The models that are not in the cache yet."""
    for name, (write, arguments) in MODELS.items():
        repository = os.path.join(cache, "models--" + name.replace("/", "--"))
        if os.path.exists(os.path.join(repository, "refs", "main")):
            continue
        folder = os.path.join(repository, "snapshots", COMMIT)
        os.makedirs(folder, exist_ok=True)
        write(folder, tokenizers, *arguments)
        os.makedirs(os.path.join(repository, "refs"), exist_ok=True)
        with open(os.path.join(repository, "refs", "main"), "w", encoding="ascii") as file:
            file.write(COMMIT)
