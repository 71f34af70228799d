"""Slow tokenizers of transformers 4.57.6 over two small SentencePiece models and small BPEs: what their classes give.

usage: make_fixtures.py CMN_TXT [N]        writes the models that are not there, and cases.json, beside this file
Needs transformers, sentencepiece, sacremoses; and neither ftfy nor spacy, with which OpenAIGPTTokenizer has other words. CMN_TXT: pairs of sentences, "English<tab>Chinese<tab>..." a line; every Nth (1000) is a case.
cases.json: [{"name", "files": {file of the folder: file here}, "settings": tokenizer_config.json, "rows": [{"text", "ids", "decoded",
"full"}], "target": [{"text", "ids"}] where the class has languages}]. "vocabulary" stands for a vocab.json made of fairseq.model.
"""
import collections
import json
import os
import shutil
import sys
import tempfile

import sacremoses
import sentencepiece
import transformers
from transformers.models.openai.tokenization_openai import BasicTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
AWKWARD = ["", " ", "Hello world!", "  two  spaces ", "今天学到了很多，我很开心。", "a</s>b <mask> c", "<s> x <pad>", "It's  ▁ odd\n\ttab", "😀 émoji ﬁ Ａ",
           "en_XX de_DE zh_CN", "__en__ __fr__ hi", "<extra_id_0> and <extra_id_99>.", "<unk> <unk_5> <mask_1> <mask_2>", "eng_Latn zho_Hans",
           "xyzzy\u0000nul", "<madeupword3> w", " lead </s> trail ", "</s></s>", "<mask><mask> a"]
WORDS = ["Mr. Smith paid $1,000,000.50 (approx. 5,300 euros) on Jan. 5, No. 7, at no. 8.", "I can't, won't and shouldn't've; it's the 1990's, '90s, O'Neill's dogs' bones'",
         "well-known state-of-the-art -- a - b -5 1-2 x- -y", "Wait... what.. now. .... end...", "...", ". .. ...", "He said \"hello,\" and left.", "(a) [b] {c} <d> |e| & f &amp; &lt; &#124; &quot;",
         "http://www.example.com/a_b?c=d&e=f#g user@host.org #tag @name", "«Bonjour» „Hallo“ “hi” ‘x’ `y´ ''z'' ``w''", "5 % 5\u00a0% nº\u00a05 1\u00a0000 a\u00a0: 7\u00a0ºC 3\u00a0cm ?\u00a0! \u00a0« q\u00a0»",
         "e.g. i.e. U.S.A. is. It ends. lower. 5. Dr. No.", "DOTMULTI DOTDOTMULTI..DOT DOT..MULTI", "а б. Москва - г. Санкт-Петербург, ул. Ленина, д. 5.", "Das ist z. B. ein Test, \"gut.\" Und \"so\", usw. bzw. d. h.",
         "12,a a,12 1,2 ,, ,,, a,b,c 5,", "x.' 'y. .'", "trailing quote.'", "It costs £5, €6 or ¥7; ½ of it.", "日本語、テスト。「引用」（括弧）１２３％！？", "한국어 텍스트 กขค हिन्दी क्‍ष", "a\u200bb\u00adc\ufeffd\u2028e\u0085f\u001cg\u0001 \u0001h",
         "👩‍👩‍👧 🇩🇪 ①②³ ª º µ", "@-@ a @-@ @-@ b -LRB-", "İstanbul ΟΔΟΣ ẞ ǅ", "'", "''", "\"", "a 's b 'tis s ' t", "\".\" ..\" <x>.\" y.\".\"z", "----- ===== _____ ~~~~~", "</w> a</w>b &apos;", "a;b:c?d!e/f\\g", "１．２．　３。　四 ， ～ ━ 〈〉【】《》",
         "№ 5 § 3 ° © ® ™ → ≠ ∞", "it 's '' `` \" x \" ' y ' \" z", "A" * 300 + "." * 300 + "'" * 50 + "-" * 50]
BPE_MODEL, SPIECE = {"sentencepiece.bpe.model": "fairseq.model"}, {"spiece.model": "spiece.model"}
MOSES = {"vocab-src.json": "moses.source.json", "vocab-tgt.json": "moses.target.json", "merges.txt": "moses.merges.txt"}
CASES = {
    "xlm-r": ("XLMRobertaTokenizer", BPE_MODEL, {}),
    "xglm": ("XGLMTokenizer", BPE_MODEL, {}),
    "mbart": ("MBartTokenizer", BPE_MODEL, {"src_lang": "zh_CN", "tgt_lang": "en_XX"}),
    "mbart50": ("MBart50Tokenizer", BPE_MODEL, {"src_lang": "zh_CN", "tgt_lang": "en_XX"}),
    "nllb": ("NllbTokenizer", BPE_MODEL, {"src_lang": "zho_Hans", "tgt_lang": "eng_Latn"}),
    "nllb-legacy": ("NllbTokenizer", BPE_MODEL, {"src_lang": "zho_Hans", "tgt_lang": "eng_Latn", "legacy_behaviour": True}),
    "m2m100": ("M2M100Tokenizer", {**BPE_MODEL, "vocab.json": "vocabulary"}, {"src_lang": "zh", "tgt_lang": "en"}),
    "pegasus": ("PegasusTokenizer", SPIECE, {}),
    "t5": ("T5Tokenizer", SPIECE, {}),
    "t5-new": ("T5Tokenizer", SPIECE, {"legacy": False}),
    "byt5": ("ByT5Tokenizer", {}, {}),
    "biogpt": ("BioGptTokenizer", {"vocab.json": "moses.source.json", "merges.txt": "moses.merges.txt"}, {}),
    "fsmt-en-ru": ("FSMTTokenizer", MOSES, {"langs": ["en", "ru"]}),
    "fsmt-de-en": ("FSMTTokenizer", MOSES, {"langs": ["de", "en"]}),
    "fsmt-ru-de": ("FSMTTokenizer", MOSES, {"langs": ["ru", "de"], "do_lower_case": True}),
    "openai-gpt": ("OpenAIGPTTokenizer", {"vocab.json": "gpt.json", "merges.txt": "gpt.merges.txt"}, {}),
}


def train(texts, name, **ids):
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_prefix=os.path.join(HERE, name), vocab_size=900,
                                             model_type="unigram", character_coverage=0.98, minloglevel=2, **ids)
    os.remove(os.path.join(HERE, name + ".vocab"))


def pairs_of(words):
    counts = collections.Counter()
    for symbols, count in words:
        for pair in zip(symbols, symbols[1:]):
            counts[pair] += count
    return counts


def merged(symbols, pair):
    made = []
    for symbol in symbols:
        if made and (made[-1], symbol) == pair:
            made[-1] += symbol
        else:
            made.append(symbol)
    return made


def train_bpe(words, merges):
    """words: [word]. Returns the merges and the counts of the symbols that are left."""
    counts = collections.Counter(words).most_common(2000)
    words = [(list(word[:-1]) + [word[-1] + "</w>"], count) for word, count in counts]
    made = []
    for _ in range(merges):
        pair = max(pairs_of(words).items(), key=lambda item: (item[1], item[0]))[0]
        made.append(pair)
        words = [(merged(symbols, pair), count) for symbols, count in words]
    left = collections.Counter()
    for symbols, count in words:
        for symbol in symbols:
            left[symbol] += count
    return made, left


def write(name, text):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as out:
        out.write(text)


def train_moses(texts):
    """As fairseq: a vocabulary has what the merges leave, most frequent first, and so lacks what they only pass through."""
    tokenizer = sacremoses.MosesTokenizer("en")
    words = [word for text in texts for word in tokenizer.tokenize(text, aggressive_dash_splits=True)]
    merges, left = train_bpe(words, 500)
    first = ["<s>", "<pad>", "</s>", "<unk>"]
    source = first + [symbol for symbol, _ in left.most_common()] + ["madeupword0000"]
    target = first + [symbol for symbol, _ in left.most_common(250)][::-1] + ["madeupword0000"]
    write("moses.merges.txt", "".join("%s %s %d\n" % (*pair, 500 - i) for i, pair in enumerate(merges)))
    write("moses.source.json", json.dumps({token: i for i, token in enumerate(source)}, ensure_ascii=False))
    write("moses.target.json", json.dumps({token: i for i, token in enumerate(target)}, ensure_ascii=False))


def train_gpt(texts):
    words = [word for text in texts for word in BasicTokenizer().tokenize(text)]
    merges, left = train_bpe(words, 300)
    tokens = sorted({c for word in words for c in word} | {c + "</w>" for word in words for c in word})
    tokens += ["".join(pair) for pair in merges] + ["<unk>"]
    write("gpt.merges.txt", "#version: 0.2\n" + "".join("%s %s\n" % pair for pair in merges))
    write("gpt.json", json.dumps({token: i for i, token in enumerate(dict.fromkeys(tokens))}, ensure_ascii=False))


def vocabulary():
    model = sentencepiece.SentencePieceProcessor(model_file=os.path.join(HERE, "fairseq.model"))
    made = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    made.update({model.id_to_piece(i): i + 1 for i in range(3, model.get_piece_size())})
    return made


def case(name, sample):
    class_name, files, settings = CASES[name]
    settings = {"tokenizer_class": class_name, **settings}
    with tempfile.TemporaryDirectory() as folder:
        for file, source in files.items():
            if source == "vocabulary":
                with open(os.path.join(folder, file), "w") as out:
                    json.dump(vocabulary(), out)
            else:
                shutil.copy(os.path.join(HERE, source), os.path.join(folder, file))
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as out:
            json.dump(settings, out)
        tokenizer = getattr(transformers, class_name).from_pretrained(folder)
        # FSMT's target side as it should be: transformers has the source's vocabulary and rules there too.
        other = {"langs": settings["langs"][::-1], "src_vocab_file": folder + "/vocab-tgt.json", "tgt_vocab_file": folder + "/vocab-src.json",
                 "merges_file": folder + "/merges.txt"} if "langs" in settings else None
        other = other and transformers.FSMTTokenizer(**other, do_lower_case=tokenizer.do_lower_case)
    if "merges.txt" in files:
        sample = sample + WORDS
    rows = []
    for text in sample:
        ids = tokenizer(text).input_ids
        rows.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
                     "full": tokenizer.decode(ids, clean_up_tokenization_spaces=False)})
    made = {"name": name, "files": files, "settings": settings, "rows": rows}
    if "tgt_lang" in settings:
        made["target"] = [{"text": text, "ids": tokenizer(text_target=text).input_ids} for text in sample]
    if other:
        made["target"] = [{"text": text, "ids": other(text).input_ids} for text in sample]
    return made


def main():
    lines = [line.split("\t") for line in open(sys.argv[1], encoding="utf-8-sig")]
    texts = [text for line in lines for text in line[:2]]
    if not os.path.exists(os.path.join(HERE, "fairseq.model")):
        train(texts[:8000], "fairseq", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
        train(texts[:8000], "spiece", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    if not os.path.exists(os.path.join(HERE, "moses.merges.txt")):
        train_moses([line[0] for line in lines[:8000]])
        train_gpt([line[0] for line in lines[:8000]])
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    sample = AWKWARD + [text for line in lines[::step] for text in line[:2]]
    target = sys.argv[3] if len(sys.argv) > 3 else os.path.join(HERE, "cases.json")
    with open(target, "w", encoding="utf-8") as out:
        json.dump([case(name, sample) for name in CASES], out, ensure_ascii=False)


main()
