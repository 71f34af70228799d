#!/usr/bin/env python3
"""Makes tests/data/real: what Inseq 0.7.1 and transformers 4.57.6 say of GGUF files that people have, dequantised to float32 by
transformers' own reader.

What transformers' reader makes of the files' settings was compared with the files. Gemma 3: rope_theta 1e6,
sliding_window 512, head_dim, norms (less 1) from the file; what the file does not say are the class's defaults
(rope_local_base_freq 1e4, every sixth layer full, query_pre_attn_scalar 256). So nothing is put right here but the tokenizers.

usage: make.py smollm2=FILE.gguf gemma3=FILE.gguf        needs inseq, transformers, torch, accelerate, gguf
"""
import json
import os
import re
import sys
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1")
warnings.filterwarnings("ignore")
import gguf
import inseq
import sentencepiece
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import models, pre_tokenizers

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


def read_vocabulary(path):
    """key -> value of tokenizer.ggml, as the gguf package reads it."""
    fields = gguf.GGUFReader(path).fields
    return lambda key: fields["tokenizer.ggml." + key].contents()


def spm_ids(ggml):
    """text -> ids, by sentencepiece with the pieces and scores of the file; special tokens are cut out of the text before."""
    proto, kinds = sentencepiece_model_pb2.ModelProto(), gguf.TokenType
    tokens, types = ggml("tokens"), ggml("token_type")
    for token, score, kind in zip(tokens, ggml("scores"), types):
        proto.pieces.add(piece=token.replace(" ", "\u2581"), score=score, type=kind)
    proto.trainer_spec.model_type = proto.trainer_spec.BPE
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.add_dummy_prefix = ggml("add_space_prefix")
    proto.normalizer_spec.remove_extra_whitespaces = False
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    special = {t: i for i, (t, k) in enumerate(zip(tokens, types)) if k in (kinds.CONTROL, kinds.UNKNOWN)}
    cut = re.compile("(" + "|".join(map(re.escape, sorted(special, key=len, reverse=True))) + ")")
    return lambda text: [ggml("bos_token_id")] * ggml("add_bos_token") + [
        i for part in cut.split(text) if part for i in ([special[part]] if part in special else processor.encode(part))]


def by_score(ggml):
    """The BPE whose merges come in the order of their scores: transformers' reading of a .gguf file has them in another."""
    tokens, scores = [t.replace(" ", "\u2581") if not t.strip(" ") else t for t in ggml("tokens")], ggml("scores")
    vocabulary = {t: i for i, t in enumerate(tokens)}
    merges = [(scores[i], i, t[:n], t[n:]) for t, i in vocabulary.items() for n in range(1, len(t)) if t[:n] in vocabulary and t[n:] in vocabulary]
    merges.sort(key=lambda m: (-m[0], m[1]))
    return models.BPE(vocabulary, [m[2:] for m in merges], byte_fallback=True, fuse_unk=True, unk_token=tokens[ggml("unknown_token_id")])


def load_tokenizer(folder, file):
    """transformers' reading of the file, and what it leaves out: whether <bos> is added, control tokens, that digits stand alone, scores."""
    ggml, kinds = read_vocabulary(os.path.join(folder, file)), gguf.TokenType
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file, add_bos_token=ggml("add_bos_token"))
    if ggml("model") == "llama":
        tokenizer.backend_tokenizer.model = by_score(ggml)
    whole = [(token, kind) for token, kind in zip(ggml("tokens"), ggml("token_type")) if kind in (kinds.CONTROL, kinds.USER_DEFINED, kinds.UNKNOWN)]
    there = tokenizer.get_vocab()  # runs of blanks are not, under their own name: they are words here
    tokenizer.add_tokens([transformers.AddedToken(t, special=k != kinds.USER_DEFINED, normalized=False) for t, k in whole if t in there])
    if ggml("pre") == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
    return tokenizer


def write_tokens(name, path, tokenizer):
    ggml = read_vocabulary(path)
    encode = spm_ids(ggml) if ggml("model") == "llama" else lambda text: tokenizer(text).input_ids
    assert encode(FORCED) == tokenizer(FORCED).input_ids
    # a U+2581 in a text is a blank to sentencepiece, also where special tokens of blanks are looked for
    texts = [t for t in TEXTS if "\0" not in t and "\u2581" not in t]
    write(name, "tokens.json", [{"text": t, "ids": encode(t), "decoded": tokenizer.decode(encode(t))} for t in texts])


def main():
    torch.set_num_threads(1)
    for name, path in (a.split("=", 1) for a in sys.argv[1:]):
        folder, file = os.path.split(os.path.abspath(path))
        tokenizer = load_tokenizer(folder, file)
        write_tokens(name, path, tokenizer)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32, attn_implementation="eager").eval()
        print(name, model.config, flush=True)
        generate(name, model, tokenizer)
        attribute(name, model, tokenizer)


if __name__ == "__main__":
    main()
