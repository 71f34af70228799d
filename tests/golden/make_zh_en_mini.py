#!/usr/bin/env python3
"""The references of models/zh-en-mini: what transformers and the real Inseq say of the weights as they are now.

usage: make_zh_en_mini.py [MODEL_FOLDER [OUT]]        again whenever the weights change
Needs inseq 0.7.1, transformers 4.57.6 and torch; float32, eager attention. OUT/generation.json: ids generated for the text whose
tables follow; OUT/sentences.json: the same for ten sentences, none of them among the training pairs; OUT/CASE.json: tables.
The model's README has its translations between two markers; they are written there too.
"""
import json
import logging
import os
import re
import sys
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")
import inseq
import torch
from transformers import MarianMTModel, MarianTokenizer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TEXT = "今天学到了很多，我很开心。"
SENTENCES = [TEXT, "我很开心。", "我不喜欢喝咖啡。", "他昨天没有去学校。", "这本书比那本书贵。", "我妹妹在医院工作。", "如果明天下雨，我们就待在家里。",
             "你为什么学习中文？", "她每天早上六点起床。", "桌子上有三个苹果。"]
RUNS = {"default": {}, "greedy": {"num_beams": 1}, "beam4": {"num_beams": 4}}
LENGTH = 40
CASES = {"saliency": {"step_scores": ["probability", "entropy"]}, "attention": {}, "input_x_gradient": {},
         "integrated_gradients": {"n_steps": 50}, "occlusion": {}, "saliency_target": {"attribute_target": True}}


def load(folder):
    """The true model: transformers scales the decoder's embeddings that Inseq hands over scaled."""
    model = MarianMTModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    decoder = model.model.decoder
    inner = decoder.forward

    def forward(*args, inputs_embeds=None, **kwargs):
        return inner(*args, inputs_embeds=None if inputs_embeds is None else inputs_embeds / decoder.embed_scale, **kwargs)

    decoder.forward = forward
    return model


def generate(model, tokenizer, text):
    inputs = tokenizer(text, return_tensors="pt")
    runs = {run: model.generate(**inputs, max_new_tokens=LENGTH, **kwargs)[0].tolist() for run, kwargs in RUNS.items()}
    return {"text": text, "input_ids": inputs.input_ids[0].tolist(), "max_new_tokens": LENGTH, "runs": runs,
            "decoded": {run: tokenizer.decode(ids, skip_special_tokens=True) for run, ids in runs.items()}}


def rounded(table):
    return None if table is None else [[None if v != v else float(f"{v:.7g}") for v in row] for row in table.tolist()]


def attribute(folder, tokenizer, case, said, kwargs):
    model = inseq.load_model(load(folder), case.removesuffix("_target"), tokenizer=tokenizer)
    g = model.attribute(TEXT, said, show_progress=False, **kwargs).sequence_attributions[0].aggregate()
    return {"case": case, "input_text": TEXT, "generated_text": said, "source": [[t.id, t.token] for t in g.source],
            "target": [[t.id, t.token] for t in g.target], "attr_pos_start": g.attr_pos_start, "attr_pos_end": g.attr_pos_end,
            "source_attributions": rounded(g.source_attributions), "target_attributions": rounded(g.target_attributions),
            "step_scores": {k: v.tolist() for k, v in g.step_scores.items()}}


def write(out, name, data):
    with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False)
        file.write("\n")


def write_readme(folder, sentences):
    path = os.path.join(folder, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    rows = "\n".join(f"| {s['text']} | {s['decoded']['default']} |" for s in sentences)
    table = f"| Chinese | it says |\n|---|---|\n{rows}\n"
    text = re.sub(r"(<!-- translations -->\n).*?(<!-- end -->)", lambda m: m[1] + table + m[2], text, flags=re.S)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    logging.getLogger("inseq").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "models", "zh-en-mini")
    out = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "tests", "data", "golden", "real", "zh-en-mini")
    os.makedirs(out, exist_ok=True)
    tokenizer, model = MarianTokenizer.from_pretrained(folder), load(folder)
    sentences = [generate(model, tokenizer, text) for text in SENTENCES]
    write(out, "generation", sentences[0])
    write(out, "sentences", sentences)
    write_readme(folder, sentences)
    for case, kwargs in CASES.items():
        write(out, case, attribute(folder, tokenizer, case, sentences[0]["decoded"]["beam4"], kwargs))


if __name__ == "__main__":
    main()
