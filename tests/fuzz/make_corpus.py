#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets, tests/fuzz/corpus/NAME/seed-*: one small well-formed input for each shape that a
parser knows. The other files there are inputs that once broke something. SentencePiece models are trained with the
sentencepiece package, everything else comes from the fixtures of the tests.

usage: tests/fuzz/make_corpus.py --bin build/cinseq [--gguf FILE...]"""
import argparse
import json
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile

import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")


def seed(target, name, content):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "seed-" + name), "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def read(*path):
    with open(os.path.join(DATA, *path), "rb") as f:
        return f.read()


def sections(files, first=""):
    """The form that fuzz.h describes."""
    return first.encode() + b"\n".join(b"=== " + n.encode() + b"\n" + (c if isinstance(c, bytes) else c.encode()) for n, c in files.items())


def safetensors(tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def checkpoints():
    types = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1}
    seed("safetensors", "types", safetensors({"t." + t: (t, [1, 3], bytes(range(3 * n))) for t, n in types.items()}))
    seed("safetensors", "shapes", safetensors({"scalar": ("F32", [], b"\0\0\x80?"), "empty": ("F32", [0, 3], b""), "odd": ("U8", [3], b"abc"),
                                               "after": ("F32", [2], b"12345678")}))
    for name in ("zip", "legacy"):
        seed("torch", name, read("formats", name, "pytorch_model.bin"))
    seed("torch", "shard", read("formats", "sharded", "pytorch_model-00002-of-00002.bin"))
    a, b = safetensors({"x": ("F32", [1], b"1234")}), safetensors({"y": ("U8", [2], b"ab")})
    index = json.dumps({"metadata": {"total_size": 6}, "weight_map": {"x": "a.safetensors", "y": "b.safetensors"}})
    seed("shards", "two", sections({"model.safetensors.index.json": index, "a.safetensors": a, "b.safetensors": b}))


def small_vocabulary(extra):
    pieces = ["<s>", "</s>", "<unk>", "<|endoftext|>"] + extra
    return {piece: i for i, piece in enumerate(pieces)}


def tokenizer_files():
    pieces = list("Helowrd,12'nt") + ["\u0120", "\u010a", "ll", "He", "Hell", "\u0120w"] + ["<0x%02X>" % i for i in (0, 65, 0xC3, 0xB6)] + ["\u2581", "\u2581H"]
    vocabulary, merges = small_vocabulary(pieces), ["l l", "H e", "He ll", "\u0120 w"]
    for case in json.loads(read("tokenizers", "parts.json")):
        base = json.loads(read("tokenizers", case["base"], "tokenizer.json"))
        change = dict(case["change"])
        model = change.pop("model", {})
        base.update(change)
        if base["model"]["type"] == "BPE":
            base["model"].update(vocab=vocabulary, merges=merges)
        else:
            base["model"]["vocab"] = base["model"]["vocab"][:40]
        base["model"].update(model)
        base["added_tokens"] = [{"id": vocabulary.get(t["content"], 100 + i), **{k: v for k, v in t.items() if k != "id"}}
                                for i, t in enumerate(base["added_tokens"][:4])]
        name = "".join(c if c.isalnum() else "-" for c in case["name"].lower())[:40]
        seed("tokenizer_json", name, json.dumps(base, ensure_ascii=False))
    files = {"vocab.json": json.dumps(vocabulary, ensure_ascii=False), "merges.txt": "#version: 0.2\n" + "\n".join(merges) + "\n"}
    config = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "add_bos_token": True,
              "added_tokens_decoder": {"3": {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": True,
                                             "single_word": False, "special": True}}}
    seed("tokenizer_files", "new", sections({**files, "tokenizer_config.json": json.dumps(config)}))
    seed("tokenizer_files", "old", sections({**files, "tokenizer_config.json": "{}", "special_tokens_map.json": '{"eos_token": "</s>", '
                                             '"additional_special_tokens": ["<s>", {"content": " <a> ", "lstrip": true}]}',
                                             "added_tokens.json": '{" <a> ": 40, "w": 41}'}))
    words = small_vocabulary(["H", "e", "l", "o</w>", "l l", "ll", "He", ",</w>", "d</w>", "w", "r", "ö", "t", "n", "&apos;", "&</w>", "1", "2</w>"])
    files = {"merges.txt": "l l 9\nH e 8\nHe ll 7\nHell o</w> 6\n\nalone\nl l 5\n"}
    seed("tokenizer_files", "biogpt", sections({**files, "vocab.json": json.dumps(words, ensure_ascii=False),
                                                "tokenizer_config.json": '{"tokenizer_class": "BioGptTokenizer"}'}))
    seed("tokenizer_files", "fsmt", sections({**files, "vocab-src.json": json.dumps(words, ensure_ascii=False), "vocab-tgt.json": '{"<unk>": 3, "H": 5}',
                                              "tokenizer_config.json": '{"tokenizer_class": "FSMTTokenizer", "langs": ["de", "en"], "do_lower_case": true}'}))
    seed("tokenizer_files", "openai-gpt", sections({"vocab.json": '{"h": 0, "e": 1, "l": 2, "o</w>": 3, "he": 4, "<unk>": 5}', "merges.txt": "#version: 0.2\nh e\n",
                                                    "tokenizer_config.json": '{"tokenizer_class": "OpenAIGPTTokenizer"}'}))


def sentencepiece_models():
    with tempfile.TemporaryDirectory() as folder:
        text, rules, model = (os.path.join(folder, n) for n in ("text", "rules.tsv", "m"))
        with open(text, "w") as f:
            f.write("Hello world 12 hello\nwe don't end here\nHell\u00f6 w\u00f6rld\n" * 20)
        with open(rules, "w") as f:  # "w" to "v v", "11" to "2"
            f.write("77\t76 76\n31 31\t32\n")
        kinds = {"bpe": {"model_type": "bpe"}, "unigram": {"model_type": "unigram"}, "char": {"model_type": "char"}, "word": {"model_type": "word"},
                 "rules": {"model_type": "bpe", "normalization_rule_tsv": rules}, "bytes": {"model_type": "unigram", "byte_fallback": True},
                 "user": {"model_type": "bpe", "user_defined_symbols": ["12", "<s> "], "control_symbols": ["<c>"], "treat_whitespace_as_suffix": True}}
        for name, options in kinds.items():
            options = {"vocab_size": 300 if name == "bytes" else 30, **options}
            if "normalization_rule_tsv" not in options:
                options["normalization_rule_name"] = "identity"
            sentencepiece.SentencePieceTrainer.train(input=text, model_prefix=model, minloglevel=2, hard_vocab_limit=False, **options)
            with open(model + ".model", "rb") as f:
                seed("sentencepiece", name, f.read())


def templates():
    seen = {}
    for case in json.loads(read("templates", "cases.json")):
        seen.setdefault(case["template"], case["name"])
    for template, name in seen.items():
        seed("template", "".join(c if c.isalnum() else "-" for c in name.lower())[:40], template)


def models():
    """config.json and its neighbours of every tiny model."""
    names = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
    root = os.path.join(DATA, "golden", "models")
    found = {name: {file: read("golden", "models", name, file) for file in names if os.path.exists(os.path.join(root, name, file))}
             for name in os.listdir(root)}
    root = os.path.join(DATA, "golden", "architectures")
    for archive in os.listdir(root):
        with tarfile.open(os.path.join(root, archive)) as tar:
            found[archive.replace(".tar.xz", "")] = {os.path.basename(m.name): tar.extractfile(m).read() for m in tar.getmembers()
                                                     if os.path.dirname(m.name) == "model" and os.path.basename(m.name) in names}
    for name, files in found.items():
        seed("model_config", name, sections(files, name + "\n"))


def hubs():
    commit = "0123456789abcdef0123456789abcdef01234567"
    repos = {"model": ["config.json", "generation_config.json", "tokenizer.json", "vocab.json", "merges.txt", "source.spm", "tokenizer.model",
                       "model.safetensors", "pytorch_model.bin", "onnx/model.onnx"],
             "shards": ["config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors", "tokenizer.json"],
             "gguf": ["x-Q4_K_M.gguf", "x-Q8_0-00001-of-00002.gguf", "x-Q8_0-00002-of-00002.gguf", "mmproj-x.gguf", "sub/x.gguf"]}
    for name, files in repos.items():
        seed("hub", name, json.dumps({"sha": commit, "siblings": [{"rfilename": file} for file in files]}))
    seed("hub", "index", json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
    head = {"X-Repo-Commit": commit, "X-Linked-Etag": '"' + "0" * 64 + '"', "X-Linked-Size": "1234", "ETag": 'W/"abc"',
            "Location": "https://x/y?z=1", "Content-Range": "bytes 5-16/17", "Content-Length": "12", "X-Error-Code": "GatedRepo",
            "X-Error-Message": "no"}
    seed("hub", "headers", "HTTP/1.1 302 Found\r\n" + "".join(f"{n}: {v}\r\n" for n, v in head.items()) + "\r\nHTTP/2 206\r\n")


def gguf_file(keys):
    """No tensors. A list is an array of strings, of bytes, or of 32-bit numbers."""
    text = lambda t: struct.pack("<Q", len(t.encode())) + t.encode()

    def value(v):
        if isinstance(v, str):
            return struct.pack("<I", 8) + text(v)
        if isinstance(v, bool):
            return struct.pack("<IB", 7, v)
        if isinstance(v, int):
            return struct.pack("<II", 4, v)
        if isinstance(v, bytes):
            return struct.pack("<IIQ", 9, 0, len(v)) + v
        kind, form = (8, None) if isinstance(v[0], str) else (6, "<f") if isinstance(v[0], float) else (5, "<i")
        return struct.pack("<IIQ", 9, kind, len(v)) + b"".join(struct.pack(form, x) if form else text(x) for x in v)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + b"".join(text(k) + value(v) for k, v in keys.items())


def real_gguf_tokenizers(files):
    """Of .gguf files that people have: keys of the tokenizer, the first tokens, bytes, and the merges among them."""
    import gguf
    for path in files:
        fields = gguf.GGUFReader(path).fields
        keys = {k: fields[k].contents() for k in fields if k.startswith("tokenizer.ggml.")}
        tokens, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
        kept = [i for i, t in enumerate(tokens) if i < 420 or kinds[i] == gguf.TokenType.BYTE or t in ("H", "e", "l", "o", "He", "ll", "\u2581w")]
        there = {tokens[i] for i in kept}
        for name in ("tokens", "token_type", "scores"):
            if "tokenizer.ggml." + name in keys:
                keys["tokenizer.ggml." + name] = [keys["tokenizer.ggml." + name][i] for i in kept]
        if "tokenizer.ggml.merges" in keys:
            keys["tokenizer.ggml.merges"] = [m for m in keys["tokenizer.ggml.merges"] if there.issuperset(m.split(" ")) and m.replace(" ", "") in there]
        seed("gguf", "real-" + os.path.basename(path).split(".")[0].split("-")[0].lower(), gguf_file({"general.architecture": "llama", **keys}))


def gguf_tokenizers():
    letters = list("Helowrd12'nt") + ["<0x%02X>" % i for i in range(256)] + ["ll", "He", "Hell", "\u2581", "\u2581w", "\u2581H", "12", "\u4eca"]
    pieces = ["<unk>", "<s>", "</s>"] + letters
    kinds = [2, 3, 3] + [6 if p.startswith("<0x") else 4 if p == "12" else 1 for p in letters]
    common = {"general.architecture": "llama", "tokenizer.ggml.tokens": pieces, "tokenizer.ggml.token_type": kinds,
              "tokenizer.ggml.scores": [-float(i) for i in range(len(pieces))], "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
              "tokenizer.ggml.unknown_token_id": 0}
    seed("gguf", "tokenizer-llama", gguf_file({**common, "tokenizer.ggml.model": "llama", "tokenizer.ggml.add_space_prefix": True}))
    seed("gguf", "tokenizer-t5", gguf_file({**common, "tokenizer.ggml.model": "t5", "tokenizer.ggml.add_eos_token": True,
                                            "tokenizer.ggml.precompiled_charsmap": b"\4\0\0\0\1\0\0\0a\0"}))
    merges = ["l l", "H e", "He ll"]
    for pre in ("default", "llama-bpe", "qwen2", "smollm", "starcoder", "gpt-2"):
        seed("gguf", "tokenizer-" + pre, gguf_file({**common, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.merges": merges,
                                                    "tokenizer.ggml.add_bos_token": False}))


def results(program):
    requests = {"decoder": ["-m", "stories260K", "-i", "One", "-a", "saliency"],
                "pair": ["-m", "zh-en-mini", "-i", "\u4f60\u597d", "-a", "occlusion", "--attribute_target", "--step_scores", "entropy"],
                "attention": ["-m", "stories260K", "-i", "A", "-a", "attention"]}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "r.json")
        for name, flags in requests.items():
            subprocess.run([program, "attribute", *flags, "--generation_kwargs", '{"max_new_tokens": 2}', "--save_path", path], check=True,
                           stdout=subprocess.DEVNULL)
            with open(path) as f:
                result = json.load(f)
            result["attributes"]["info"]["model_name"] = flags[1]  # not the path on this machine
            seed("result", name, json.dumps(result))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--gguf", nargs="*", default=[], help="real .gguf files: their tokenizers, cut short, become seeds (needs the gguf package)")
    arguments = parser.parse_args()
    program = arguments.bin
    real_gguf_tokenizers(arguments.gguf)
    gguf_tokenizers()
    checkpoints()
    tokenizer_files()
    sentencepiece_models()
    templates()
    models()
    hubs()
    results(program)


if __name__ == "__main__":
    main()
