#!/usr/bin/env python3
"""Makes gguf/ here: small tokenizers as llama.cpp's converter writes them into a .gguf file, and NAME.json, the ids of the tokenizer that
was converted (sentencepiece, tokenizers) for awkward texts.

usage: make_gguf.py        needs gguf 0.19, sentencepiece, tokenizers, numpy
"""
import json
import lzma
import os
import sys
import tempfile

import gguf
import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "real"))
from texts import TEXTS

GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}"
         r"\p{M}]*%s|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ENDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""")
# tokenizer.ggml.pre: (digits alone, expressions, NFC) of the tokenizer.json of the models that have it.
KINDS = {"gpt-2": (False, [], False), "smollm": (True, [], False), "olmo": (False, [], True), "llama-bpe": (False, [GPT4 % "{1,3}"], False),
         "qwen2": (False, [GPT4 % ""], True), "gpt-4o": (False, [CASED % (ENDS, ENDS, "{1,3}")], False), "tekken": (False, [CASED % ("", "", "")], False),
         "deepseek-v3": (False, [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK3], False), "bloom": (False, [" ?[^(\\s|[.,!?…。，、।۔،])]+"], False),
         "deepseek-coder": (False, ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}"], False)}


def sentencepiece_file(path, model, source, add_bos):
    """_set_vocab_sentencepiece of LlamaModel, set_vocab of T5Model."""
    proto = sentencepiece_model_pb2.ModelProto()
    with open(source, "rb") as file:
        proto.ParseFromString(file.read())
    processor = sentencepiece.SentencePieceProcessor(model_file=source)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre("default")
    writer.add_token_list([p.piece.encode() for p in proto.pieces])
    writer.add_token_scores([p.score for p in proto.pieces])
    writer.add_token_types([p.type for p in proto.pieces])
    writer.add_bos_token_id(processor.bos_id() if add_bos else 0)
    writer.add_eos_token_id(processor.eos_id())
    writer.add_unk_token_id(processor.unk_id())
    if model == "t5":
        writer.add_add_space_prefix(proto.normalizer_spec.add_dummy_prefix)
        writer.add_remove_extra_whitespaces(proto.normalizer_spec.remove_extra_whitespaces)
        writer.add_precompiled_charsmap(proto.normalizer_spec.precompiled_charsmap)
    return writer, lambda text: ([processor.bos_id()] if add_bos else []) + processor.encode(text) + ([] if add_bos else [processor.eos_id()])


def train():
    """Merges over the ends of words, so that it is seen where text was cut."""
    t = tokenizers.Tokenizer(tokenizers.models.BPE())
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(TEXTS * 2, tokenizers.trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False))
    return json.loads(t.to_str())


def byte_level_file(path, kind):
    document = train()
    digits, expressions, nfc = KINDS[kind]
    parts = [{"type": "Digits", "individual_digits": True}] if digits else []
    parts += [{"type": "Split", "pattern": {"Regex": e}, "behavior": "Isolated", "invert": False} for e in expressions]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": not expressions}
    document.update(normalizer={"type": "NFC"} if nfc else None, pre_tokenizer={"type": "Sequence", "pretokenizers": parts + [level]},
                    post_processor=None, added_tokens=[])
    tokens = sorted(document["model"]["vocab"].items(), key=lambda pair: pair[1])
    assert [i for _, i in tokens] == list(range(len(tokens)))
    merges = document["model"]["merges"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(kind)
    writer.add_token_list([t for t, _ in tokens])
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    return writer, lambda text: tokenizer.encode(text).ids


def finish(name, writer, encode, path):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open(path, "rb") as file, open(os.path.join(HERE, "gguf", name + ".gguf.xz"), "wb") as out:
        out.write(lzma.compress(file.read(), preset=9))
    with open(os.path.join(HERE, "gguf", name + ".json"), "w") as out:
        # sentencepiece does not look for special tokens in a text, transformers does
        json.dump([{"text": t, "ids": encode(t)} for t in TEXTS if "\0" not in t and "<unk>" not in t], out)
        out.write("\n")


def main():
    os.makedirs(os.path.join(HERE, "gguf"), exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.gguf")
        finish("llama", *sentencepiece_file(path, "llama", os.path.join(HERE, "llama-spm", "tokenizer.model"), True), path)
        finish("t5", *sentencepiece_file(path, "t5", os.path.join(HERE, "slow", "spiece.model"), False), path)
        for kind in KINDS:
            finish(kind, *byte_level_file(path, kind), path)


if __name__ == "__main__":
    main()
