#!/usr/bin/env python3
"""Random tokenizer.json files, made of every part that the tables know, against the tokenizers package.

  random_pipelines.py --lines tokenizer_lines --made FOLDER [--count 200] [--seed 1]

FOLDER: what compare.py has made, whose vocabularies are used. Where the package panics nothing is compared. Exit code 1 when ids
or decoded text differ."""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["RAYON_NUM_THREADS"] = "1"
import compare
from tokenizers import Tokenizer

LETTERS = list("aeiou tnsrlhd.,!?'-_#▁\n\t") + ["  ", "\u00a0", "\u3000", "é", "e\u0301", "ﬁ", "今", "天", "カ", "к", "<unk>", "<tool>", "wo", "[X]", "\u200b", "\r\n", "1", "２", "½", "🙂",
                                                "👩‍👩‍👧", "\ufeff", "Ⓐ", "ǅ", "İ", "\u0085", "\x1c", "a\u0300", "\u0301", "각", "ᄀ", "ก็", "क्", "ZZ", "A"]
PATTERNS = [r"\s+", r"\w+", r"[^\s]+", r"\p{L}+|\p{N}", r"[.,!?]", r" ?[^\s]+", r"a|e", r"\b", r"(?i:S|T)", r"^.", r".$", r"[[:punct:]]", r"\d{1,3}", r"\s+(?!\S)|\s+",
            compare.GPT4, compare.O200K, compare.DEEPSEEK, compare.BLOOM]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
VOCABULARIES = ["gpt2", "BPE with bytes, llama", "Unigram, t5", "Unigram with bytes, umt5", "bert", "openai-gpt", "prefix"]


class Maker:
    def __init__(self, seed, made):
        self.r = random.Random(seed)
        self.files = [json.load(open(f"{made}/{name}/tokenizer.json")) for name in VOCABULARIES]
        self.charsmap = self.find_charsmap(self.files[2]["normalizer"])

    def find_charsmap(self, part):
        if part["type"] == "Precompiled":
            return part
        return next(filter(None, map(self.find_charsmap, part.get("normalizers", []))), None)

    def yes(self):
        return self.r.random() < 0.5

    def pick(self, kinds, depth, nested):
        """One of {type: members}, with Sequences that are not nested for ever."""
        name = self.r.choice(list(kinds) + (["Sequence"] * 2 if depth < 2 else []))
        if name != "Sequence":
            return {"type": name, **kinds[name]()}
        key, make = nested
        return {"type": name, key: [make(depth + 1) for _ in range(self.r.randint(1, 3))]}

    def pattern(self):
        return self.r.choice([{"Regex": self.r.choice(PATTERNS)}, {"String": self.r.choice([" ", "a", "今", "▁", ". ", "\n", "e\u0301", "ll"])}])

    def normalizer(self, depth=0):
        r, yes, none = self.r, self.yes, dict
        return self.pick({"NFC": none, "NFD": none, "NFKC": none, "NFKD": none, "Lowercase": none, "StripAccents": none, "Nmt": none, "ByteLevel": none,
                          "Strip": lambda: {"strip_left": yes(), "strip_right": yes()}, "Prepend": lambda: {"prepend": r.choice(["▁", "x", " "])},
                          "Replace": lambda: {"pattern": self.pattern(), "content": r.choice([" ", "▁", "", "ab"])}, "Precompiled": lambda: self.charsmap,
                          "BertNormalizer": lambda: {"clean_text": yes(), "handle_chinese_chars": yes(), "strip_accents": r.choice([None, True, False]), "lowercase": yes()}},
                         depth, ("normalizers", self.normalizer))

    def metaspace(self):
        return {"replacement": self.r.choice("▁▁_"), "prepend_scheme": self.r.choice(["always", "first", "never"]), "split": self.yes()}

    def byte_level(self):
        return {"add_prefix_space": self.yes(), "trim_offsets": self.yes(), "use_regex": self.yes()}

    def pre_tokenizer(self, depth=0):
        r, yes, none = self.r, self.yes, dict
        return self.pick({"ByteLevel": self.byte_level, "Metaspace": self.metaspace, "Whitespace": none, "WhitespaceSplit": none, "BertPreTokenizer": none,
                          "Punctuation": lambda: {"behavior": r.choice(BEHAVIORS)}, "Digits": lambda: {"individual_digits": yes()},
                          "Split": lambda: {"pattern": self.pattern(), "behavior": r.choice(BEHAVIORS), "invert": yes()}, "CharDelimiterSplit": lambda: {"delimiter": r.choice("ae 今")},
                          "FixedLength": lambda: {"length": r.randint(1, 6)}}, depth, ("pretokenizers", self.pre_tokenizer))

    def decoder(self, depth=0):
        r, yes, none = self.r, self.yes, dict
        return self.pick({"ByteLevel": self.byte_level, "Metaspace": self.metaspace, "Fuse": none, "ByteFallback": none, "WordPiece": lambda: {"prefix": "##", "cleanup": yes()},
                          "BPEDecoder": lambda: {"suffix": r.choice(["</w>", "e"])}, "CTC": lambda: {"pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": yes()},
                          "Replace": lambda: {"pattern": r.choice([{"String": "▁"}, {"Regex": r"\s+|▁"}, {"String": "a"}]), "content": r.choice([" ", "", "x"])}},
                         depth, ("decoders", self.decoder))

    def model(self):
        model = dict(self.r.choice(self.files)["model"])
        if model["type"] == "BPE":
            model.update(fuse_unk=self.yes(), ignore_merges=self.yes(), byte_fallback=self.yes())
        if model["type"] == "Unigram":
            model.update(byte_fallback=self.yes())
        return model

    def added(self):
        flag = lambda: self.r.random() < 0.3
        return [{"id": 0, "content": c, "single_word": flag(), "lstrip": flag(), "rstrip": flag(), "normalized": self.yes(), "special": self.yes()}
                for c in ["<tool>", "wo", "[X]", "▁x", "Tom", "<unk>", "é"] if self.yes()]

    def tokenizer(self):
        some = lambda make, more: self.r.choice([None] + [make()] * more)
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": self.added(), "normalizer": some(self.normalizer, 2), "pre_tokenizer": some(self.pre_tokenizer, 3),
                "post_processor": None, "decoder": some(self.decoder, 3), "model": self.model()}


def attempt(function, *args):
    try:
        return function(*args)
    except BaseException as problem:  # a panic of the package is no Exception
        if isinstance(problem, KeyboardInterrupt):
            raise
        return None


def differs(text, line, tokenizer):
    """What is wrong with a line of the program's output; None: nothing."""
    ids = attempt(lambda: tokenizer.encode(text).ids)
    if ids is None:
        return None
    back = attempt(lambda: tokenizer.decode(ids, skip_special_tokens=False))
    found, _, quoted = line.partition("\t")
    same = not line.startswith("error") and [int(i) for i in found.split()] == ids and (back is None or json.loads(quoted) == back)
    return None if same else f"    {ascii(text)}\n      found {line[:200]}\n      wanted {ids[:40]} {ascii(back)[:120]} {tokenizer.encode(text).tokens[:20]}"


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--lines", "--made"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    make, bad = Maker(args.seed, args.made), 0
    texts = compare.AWKWARD + ["".join(make.r.choice(LETTERS) for _ in range(make.r.randint(1, 14))) for _ in range(150)]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.count):
            file = make.tokenizer()
            tokenizer = attempt(Tokenizer.from_str, json.dumps(file))
            if tokenizer is None:
                continue
            prefix = (file["pre_tokenizer"] or {}).get("add_prefix_space", False)
            for name, content in (("tokenizer.json", file), ("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": prefix})):
                with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                    json.dump(content, f, ensure_ascii=False)
            run = subprocess.run([args.lines, folder], input="".join(compare.escape(t) + "\n" for t in texts).encode(), capture_output=True)
            wrong = [run.stderr.decode()] if run.returncode else [d for t, line in zip(texts, run.stdout.decode().split("\n")) if (d := differs(t, line, tokenizer))]
            if wrong:
                bad += 1
                file["model"] = {k: v for k, v in file["model"].items() if k not in ("vocab", "merges")}
                print(json.dumps(file, ensure_ascii=False).replace(make.charsmap["precompiled_charsmap"], "..."), *wrong[:2], sep="\n")
    print(f"{args.count - bad} passed, {bad} failed")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
