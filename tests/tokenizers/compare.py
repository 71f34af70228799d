#!/usr/bin/env python3
"""Token ids and decoded text of many tokenizer.json files against the tokenizers package, line by line.

  compare.py --lines tokenizer_lines --data cmn.txt [--work FOLDER] [--only WORD] [--table FILE] [--count 10000] [--real FOLDER]...

makes a tokenizer.json of every kind (small ones are trained on the data; SentencePiece models are converted as transformers
converts them), opens each with transformers' AutoTokenizer and with the program, and compares `count` lines of both columns of
the data and the awkward texts below. --real: folders with tokenizer files as published. Needs the packages transformers 4.57.6,
tokenizers 0.22.2, sentencepiece, protobuf. Exit code 1 when anything differs."""
import argparse
import json
import os
import random
import subprocess
import sys
import time

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
import sentencepiece
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.convert_slow_tokenizer import convert_slow_tokenizer

AWKWARD = [
    "Hello world", " leading and trailing  ", "", " ", "\n", "a\n\n\nb\t\tc", "Don't you'll we've I'm he'd it's they're", "DON'T YOU'LL WE'VE", "1234567890 3.14159 1,000,000",
    "naïve café — “quotes” … ½ ﬁ Ａ", "e\u0301 vs é; ñ vs n\u0303", "今天学到了很多，我很开心。", "我們試試看！ＡＢＣ１２３", "日本語のテキスト、한국어 텍스트", "🙂👩‍👩‍👧‍👦🇫🇷 emoji",
    "مرحبا بالعالم שלום", "def f(x):\n    return x**2  # comment", "https://example.org/a?b=c&d=%20e", "<|endoftext|>", "mid<|endoftext|>dle </s> <s> <pad> <unk>", "x" * 70, "y" * 300,
    "ZWJ\u200dand\u00a0nbsp\u3000ideographic", "\u0000\u0001 control", "ŁÓDŹ ǅ ß ẞ İstanbul", "Ⅷ ² ₃ ㍿ ™ ㋿", "  multiple   spaces  ", "ends with newline\n", "'''", "$$$ ### @@@",
    "\ufeffBOM", "हिन्दी ไทย", "ſ's it'S ſT", "Straße, 12:34!? 5", "tab\there\n\nthere ", "\r\n\r\n a\r\n", "\u200b zero \u2060width", "▁hey ▁▁ x▁y", "a <s>b</s> c", "<unk><unk> <unk>x",
    "[MASK] [CLS]a[SEP]", "\u0085nel\u2028ls\u2029ps", "a\u0300\u0301\u0302b", "각각 각", "ัไทย", "क्षत्रिय", "e\u0301\u0301", "\u0301start", "Å Å Å", "ﷺ ﷽", "x\u00adsoft", "１２３４",
    "٣٤٥", "½¼", "𝒜𝓑𝔠", "Ǆ ǆ", "\U0001f1e6\U0001f1e7\U0001f1e8", "\ufffd\ufffe", "\U0010ffff\ue000", "don’t", "O'Reilly's", "$1,234.56", "v1.2.3-rc4", "C++ & C#", "a_b_c __init__",
    "foo.bar(baz)", "#hashtag @user", "50% off!!!", "(parens) [brackets] {braces}", "tabs\t\tand  spaces   \n  newline", "..", "...", "....", "a.b.c", "中文abc中文123", " a", " \u3000a\u3000 ",
    "\u1680ogham", "ab\x7fdel", "\x1b[0m", "   \n   \n  ", "\t", "\t\ta", "a\n", "\na", " \na", "\n a", "ﬀ ﬃ", "ΑΣ Σ ΌΔΟΣ", "I İ ı i", "ǰ", "ŉ", "ᾳ ᾼ", "Ⓐ ⓐ", "ꙮ", "\u0345",
    "\u1e9b\u0323", "가\u11a8", "\u1100\u1161\u11a8", "\uac00", "Hello  <mask> there<mask>.", "wo two wo", "<|im_start|>user\nHi<|im_end|>", "<extra_id_0> x<extra_id_1>", "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋",
]

GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"
P = pre_tokenizers
BL = lambda regex=True, prefix=False: P.ByteLevel(add_prefix_space=prefix, use_regex=regex)
split = lambda pattern, behavior="isolated", invert=False: P.Split(Regex(pattern), behavior, invert)

# name: (pre-tokenizer, normalizer)
BYTE_LEVEL = {
    "gpt2": (BL(), None),
    "bart": (BL(prefix=True), None),
    "neox": (BL(), normalizers.NFC()),
    "llama3": (P.Sequence([split(GPT4), BL(False)]), None),
    "gpt4": (P.Sequence([split(GPT4.replace(r"\p{L}+|", r"\p{L}++|"), "removed", True), BL(False)]), None),
    "gpt_oss": (P.Sequence([split(O200K), BL(False)]), None),
    "qwen2": (P.Sequence([split(GPT4.replace("{1,3}", "")), BL(False)]), normalizers.NFC()),
    "deepseek3": (P.Sequence([split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(DEEPSEEK), BL(False)]), None),
    "deepseek": (P.Sequence([split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-\ud7ff]+"), P.Digits(True), BL(False)]), None),
    "falcon": (P.Sequence([P.Punctuation("contiguous"), BL(), P.Digits(False), split("[0-9][0-9][0-9]")]), None),
    "starcoder": (P.Sequence([P.Digits(True), BL()]), None),
    "cohere": (P.Sequence([P.Digits(True), BL()]), normalizers.NFC()),
    "bloom": (P.Sequence([split(BLOOM), BL(False)]), None),
    "nemotron": (P.Sequence([split(r"[^\r\n\p{L}\p{N}]?[\p{Lu}]?[\p{Ll}]+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+$|\s+"), BL(False)]), normalizers.NFKC()),
    "words": (P.Sequence([split(r"\w+|[^\w\s]+", "removed", True), BL(False)]), normalizers.Sequence([normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()])),
    "merged": (P.Sequence([split(r"\b", "merged_with_next"), split("[[:punct:]]+", "merged_with_previous"), P.CharDelimiterSplit("e"), BL(False)]), normalizers.Replace(Regex(r"\s{2,}"), " ")),
    "fixed": (P.Sequence([P.FixedLength(7), split("^[a-z]|.$", "contiguous"), BL(False)]), normalizers.Strip()),
}


def quiet(tokenizer, folder, **config):
    """A folder as save_pretrained writes it, of the class PreTrainedTokenizerFast."""
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(f"{folder}/tokenizer.json")
    with open(f"{folder}/tokenizer_config.json", "w") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", **config}, f)
    return folder


def train_byte_level(name, lines, work):
    pre, normalizer = BYTE_LEVEL[name]
    t = Tokenizer(models.BPE(ignore_merges=name in ("llama3", "gpt_oss")))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    if normalizer:
        t.normalizer = normalizer
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=2500, show_progress=False, special_tokens=["<|endoftext|>", "<s>", "</s>"], initial_alphabet=P.ByteLevel.alphabet()))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True), "<|im_start|>", "<|im_end|>"])
    t.add_tokens([AddedToken("wo", single_word=True), AddedToken("Tom", normalized=True)])
    if name == "bart":
        t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1), True, True)
    if name == "llama3":
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])])
    return quiet(t, f"{work}/{name}", **({"add_prefix_space": True} if name == "bart" else {}))


def train_words(name, lines, work):
    """WordPiece as BERT has it, BPE with suffixes as openai-gpt's, WordLevel, and a Unigram that SentencePiece did not train."""
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    if name in ("bert", "bert_uncased"):
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer, t.pre_tokenizer, t.decoder = normalizers.BertNormalizer(lowercase=name != "bert"), P.BertPreTokenizer(), decoders.WordPiece()
        t.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=4000, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
        t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    elif name == "openai-gpt":
        t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
        t.normalizer, t.pre_tokenizer, t.decoder = normalizers.BertNormalizer(), P.BertPreTokenizer(), decoders.BPEDecoder()
        t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=4000, show_progress=False, special_tokens=["<unk>"], end_of_word_suffix="</w>"))
    elif name == "prefix":
        t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True))
        t.normalizer, t.pre_tokenizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), P.Whitespace()
        t.decoder = decoders.WordPiece(cleanup=True)
        t.train_from_iterator(lines[: len(lines) // 2], trainers.BpeTrainer(vocab_size=3000, show_progress=False, special_tokens=["<unk>"], continuing_subword_prefix="##"))
    elif name == "word_level":
        t = Tokenizer(models.WordLevel(unk_token="<unk>"))
        t.normalizer, t.pre_tokenizer = normalizers.Lowercase(), P.Sequence([P.WhitespaceSplit(), P.Punctuation()])
        t.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token=".")
        t.train_from_iterator(lines, trainers.WordLevelTrainer(vocab_size=3000, show_progress=False, special_tokens=special))
    else:
        t = Tokenizer(models.Unigram())
        t.normalizer, t.pre_tokenizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()]), P.Metaspace(prepend_scheme="always")
        t.decoder = decoders.Metaspace(prepend_scheme="always")
        t.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=3000, show_progress=False, special_tokens=special, unk_token="<unk>"))
    return quiet(t, f"{work}/{name}")


WORDS = {"WordPiece, bert": "bert", "WordPiece, bert_uncased": "bert_uncased", "BPE with suffix, openai-gpt": "openai-gpt", "BPE with prefix": "prefix", "WordLevel": "word_level", "Unigram of the tokenizers package": "unigram"}

# SentencePiece models to train
SPM = {
    "t5": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "xlmr": {"normalization_rule_name": "nmt_nfkc"},
    "albert": {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": "[CLS],[SEP],[MASK]", "normalization_rule_name": "nmt_nfkc_cf"},
    "bytes": {"byte_fallback": True, "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3},
    "llama": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False, "split_digits": True},
    "gemma": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False, "add_dummy_prefix": False, "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3},
}
# title: (class without "Tokenizer", SentencePiece model, options)
CONVERTED = {
    "Unigram, t5": ("T5", "t5", {}),
    "Unigram, t5 (not legacy)": ("T5", "t5", {"legacy": False}),
    "Unigram with bytes, umt5": ("T5", "bytes", {}),
    "Unigram, xlm-roberta": ("XLMRoberta", "xlmr", {}),
    "Unigram, mbart": ("MBart", "xlmr", {"src_lang": "en_XX", "tgt_lang": "zh_CN"}),
    "Unigram, mbart50": ("MBart50", "xlmr", {"src_lang": "en_XX", "tgt_lang": "zh_CN"}),
    "Unigram, nllb": ("Nllb", "xlmr", {"src_lang": "eng_Latn", "tgt_lang": "zho_Hans"}),
    "Unigram, nllb (legacy)": ("Nllb", "xlmr", {"src_lang": "fra_Latn", "legacy_behaviour": True}),
    "Unigram, pegasus": ("Pegasus", "t5", {}),
    "Unigram, xglm": ("XGLM", "xlmr", {}),
    "Unigram, albert": ("Albert", "albert", {}),
    "Unigram, camembert": ("Camembert", "xlmr", {}),
    "Unigram, rembert": ("RemBert", "albert", {}),
    "BPE with bytes, seamless_m4t": ("SeamlessM4T", "llama", {"src_lang": "eng", "tgt_lang": "fra", "additional_special_tokens": ["__eng__", "__fra__"]}),
    "BPE with bytes, llama": ("Llama", "llama", {}),
    "BPE with bytes, llama (not legacy)": ("Llama", "llama", {"legacy": False}),
    "BPE with bytes, gemma": ("Gemma", "gemma", {}),
}


def convert_sentencepiece(title, lines, work):
    """A SentencePiece model as the class's fast tokenizer has it, saved."""
    kind, name, options = CONVERTED[title]
    model = f"{work}/spm-{name}.model"
    if not os.path.exists(model):
        with open(f"{work}/train.txt", "w", encoding="utf-8") as f:
            f.write("\n".join(lines))
        settings = {"vocab_size": 4000, "character_coverage": 0.995, **SPM[name]}
        sentencepiece.SentencePieceTrainer.train(input=f"{work}/train.txt", model_prefix=model[:-6], num_threads=1, minloglevel=2, **settings)
    folder = f"{work}/{title}"
    slow = getattr(transformers, f"{kind}Tokenizer")(model, **options)
    getattr(transformers, f"{kind}TokenizerFast")(tokenizer_object=convert_slow_tokenizer(slow), **options).save_pretrained(folder)
    return folder


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def compare(program, folder, texts, show):
    """(texts with equal ids, with equal decoded text, seconds of the program, of the package), and whether all are equal"""
    tok = transformers.AutoTokenizer.from_pretrained(folder)
    tok("a", padding=False)  # sets what goes around source texts
    start = time.process_time()
    wanted = [tok.backend_tokenizer.encode(t).ids for t in texts]
    theirs = time.process_time() - start
    for t, ids in list(zip(texts, wanted))[: len(AWKWARD) + 100]:
        assert tok(t, padding=False).input_ids == ids
    decoded = [tok.decode(w, clean_up_tokenization_spaces=False) for w in wanted]
    run = subprocess.run([program, folder], input="".join(escape(t) + "\n" for t in texts).encode(), capture_output=True)
    if run.returncode:
        print("   ", run.stderr.decode().strip())
        return 0, 0, 0, theirs
    same_ids = same_text = 0
    for text, ids, back, line in zip(texts, wanted, decoded, run.stdout.decode().split("\n")):
        found, _, quoted = line.partition("\t")
        a = not line.startswith("error") and [int(i) for i in found.split()] == ids
        b = not line.startswith("error") and json.loads(quoted) == back
        same_ids, same_text = same_ids + a, same_text + b
        if not (a and b) and show > 0:
            show -= 1
            print("   ", ascii(text[:80]), "\n      found", line[:300], "\n      wanted", *ids[:40], ascii(back[:120]), tok.convert_ids_to_tokens(ids[:30]))
    return same_ids, same_text, json.loads(run.stderr.decode())["encode"], theirs


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--lines", "--data"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--work", default="/tmp/cinseq-compare-tokenizers")
    parser.add_argument("--only", default="")
    parser.add_argument("--table")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--real", nargs="*", default=[])
    args = parser.parse_args()
    columns = [line.split("\t")[:2] for line in open(args.data, encoding="utf-8").read().split("\n") if "\t" in line]
    draw = random.Random(1)
    draw.shuffle(columns)
    half = args.count // 2
    texts = AWKWARD + [c[0] for c in columns[:half]] + [c[1] for c in columns[half : 2 * half]]
    training = [c[i] for c in columns[-6000:] for i in (0, 1)]
    os.makedirs(args.work, exist_ok=True)

    kinds = {f"byte-level BPE, {name}": lambda _, name=name: train_byte_level(name, training, args.work) for name in BYTE_LEVEL}
    kinds |= {title: lambda title: train_words(WORDS[title], training, args.work) for title in WORDS}
    kinds |= {title: lambda title: convert_sentencepiece(title, training, args.work) for title in CONVERTED}
    kinds |= {f"as published, {os.path.basename(folder.rstrip('/'))}": lambda _, folder=folder: folder for folder in args.real}
    rows, bad = [], 0
    for title, make in kinds.items():
        if args.only not in title:
            continue
        result = compare(args.lines, make(title), texts, args.show)
        ids, text, ours, theirs = result
        bad += ids != len(texts) or text != len(texts)
        rows.append(f"| {title} | {len(texts)} | {ids} | {text} | {ours:.3f} | {theirs:.3f} |")
        print(rows[-1], flush=True)
    if args.table:
        with open(args.table, "w") as f:
            f.write("| tokenizer | texts | ids equal | decoded equal | CPU seconds, cinseq | tokenizers package |\n|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n")
    print(f"{len(rows) - bad} passed, {bad} failed")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
