"""Slow tokenizers of transformers 4.57.6 over two small SentencePiece models: what their classes give.

usage: make_fixtures.py CMN_TXT [N]        writes spiece.model, fairseq.model and cases.json beside this file
Needs transformers, sentencepiece. CMN_TXT: pairs of sentences, "English<tab>Chinese<tab>..." a line; every Nth (1000) is a case.
cases.json: [{"name", "files": {file of the folder: file here}, "settings": tokenizer_config.json, "rows": [{"text", "ids", "decoded",
"full"}], "target": [{"text", "ids"}] where the class has languages}]. "vocabulary" stands for a vocab.json made of fairseq.model.
"""
import json
import os
import shutil
import sys
import tempfile

import sentencepiece
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
AWKWARD = ["", " ", "Hello world!", "  two  spaces ", "今天学到了很多，我很开心。", "a</s>b <mask> c", "<s> x <pad>", "It's  ▁ odd\n\ttab", "😀 émoji ﬁ Ａ",
           "en_XX de_DE zh_CN", "__en__ __fr__ hi", "<extra_id_0> and <extra_id_99>.", "<unk> <unk_5> <mask_1> <mask_2>", "eng_Latn zho_Hans",
           "xyzzy\u0000nul", "<madeupword3> w", " lead </s> trail ", "</s></s>", "<mask><mask> a"]
BPE_MODEL, SPIECE = {"sentencepiece.bpe.model": "fairseq.model"}, {"spiece.model": "spiece.model"}
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
}


def train(texts, name, **ids):
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_prefix=os.path.join(HERE, name), vocab_size=900,
                                             model_type="unigram", character_coverage=0.98, minloglevel=2, **ids)
    os.remove(os.path.join(HERE, name + ".vocab"))


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
    rows = []
    for text in sample:
        ids = tokenizer(text).input_ids
        rows.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
                     "full": tokenizer.decode(ids, clean_up_tokenization_spaces=False)})
    made = {"name": name, "files": files, "settings": settings, "rows": rows}
    if "tgt_lang" in settings:
        made["target"] = [{"text": text, "ids": tokenizer(text_target=text).input_ids} for text in sample]
    return made


def main():
    lines = [line.split("\t") for line in open(sys.argv[1], encoding="utf-8-sig")]
    texts = [text for line in lines for text in line[:2]]
    if not os.path.exists(os.path.join(HERE, "fairseq.model")):
        train(texts[:8000], "fairseq", unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
        train(texts[:8000], "spiece", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    sample = AWKWARD + [text for line in lines[::step] for text in line[:2]]
    target = sys.argv[3] if len(sys.argv) > 3 else os.path.join(HERE, "cases.json")
    with open(target, "w", encoding="utf-8") as out:
        json.dump([case(name, sample) for name in CASES], out, ensure_ascii=False)


main()
