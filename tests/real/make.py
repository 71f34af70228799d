#!/usr/bin/env python3
"""Makes tests/data/real: what Inseq 0.7.1 and transformers 4.57.6 say of GGUF files that people have, dequantised to float32 by
transformers' own reader.

usage: make.py smollm2=FILE.gguf gemma3=FILE.gguf        needs inseq, transformers, torch, accelerate, gguf
"""
import json
import os
import sys
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1")
warnings.filterwarnings("ignore")
import gguf
import inseq
import torch
import transformers
from tokenizers import pre_tokenizers

from texts import TEXTS

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "real")
TEXT = "The capital of France is Paris. The capital of Italy is"
FORCED = TEXT + " Rome. The capital of Spain is Madrid."
METHODS = {"saliency": dict(step_scores=["probability"]), "input_x_gradient": {}, "attention": {}}


def write(name, file, value):
    os.makedirs(os.path.join(OUT, name), exist_ok=True)
    with open(os.path.join(OUT, name, file), "w") as out:
        json.dump(value, out)
        out.write("\n")


def table(values):
    return [[None if v != v else v for v in row] for row in values.tolist()]


def attribute(name, model, tokenizer):
    for method, options in METHODS.items():
        result = inseq.load_model(model, method, tokenizer=tokenizer).attribute(TEXT, FORCED, show_progress=False, **options)
        s = result.aggregate()[0]
        write(name, f"{method}.json", {"case": method, "input_text": TEXT, "generated_text": FORCED, "target": [[t.id, t.token] for t in s.target],
              "attr_pos_start": s.attr_pos_start, "attr_pos_end": s.attr_pos_end, "target_attributions": table(s.target_attributions),
              "step_scores": {k: v.tolist() for k, v in s.step_scores.items()}})


def generate(name, model, tokenizer):
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    run = model.generate(ids, max_new_tokens=20, do_sample=False, num_beams=1)[0].tolist()
    write(name, "generation.json", {"text": TEXT, "input_ids": ids[0].tolist(), "max_new_tokens": 20, "runs": {"greedy": run}})


def load_tokenizer(folder, file):
    """transformers' reading of the file, and what it leaves out: whether <bos> is added, control tokens, that digits stand alone."""
    fields, kinds = gguf.GGUFReader(os.path.join(folder, file)).fields, gguf.TokenType
    ggml = lambda key: fields["tokenizer.ggml." + key].contents()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file, add_bos_token=ggml("add_bos_token"))
    whole = [(token, kind) for token, kind in zip(ggml("tokens"), ggml("token_type")) if kind in (kinds.CONTROL, kinds.USER_DEFINED, kinds.UNKNOWN)]
    there = tokenizer.get_vocab()  # runs of blanks are not, under their own name: they are words here
    tokenizer.add_tokens([transformers.AddedToken(t, special=k != kinds.USER_DEFINED, normalized=False) for t, k in whole if t in there])
    if ggml("pre") == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
    return tokenizer


def main():
    torch.set_num_threads(1)
    for name, path in (a.split("=", 1) for a in sys.argv[1:]):
        folder, file = os.path.split(os.path.abspath(path))
        tokenizer = load_tokenizer(folder, file)
        ids = [tokenizer(t).input_ids for t in TEXTS]
        write(name, "tokens.json", [{"text": t, "ids": i, "decoded": tokenizer.decode(i)} for t, i in zip(TEXTS, ids) if "\0" not in t])
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32, attn_implementation="eager").eval()
        print(name, model.config, flush=True)
        generate(name, model, tokenizer)
        attribute(name, model, tokenizer)


if __name__ == "__main__":
    main()
