#!/usr/bin/env python3
"""How often an attribution points at the word that, by grammar, decides a choice: writes docs/plausibility.md.

usage: plausibility.py --data FOLDER --model MODEL [--bin build/cinseq] [--library build/libcinseq.so] [--rows 200] [--threads 1] [--methods a,b] [--output docs/plausibility.md]

FOLDER has CSV files of minimal pairs in the manner of Yin and Neubig 2022 (BLiMP, IOI): one_prefix_prefix, one_prefix_word_good,
one_prefix_word_bad, target (the evidence: a word of the prefix). For each row the model is asked why the good word and not the bad one
(contrast_logits_diff at the first token that differs). The reciprocal rank of a row is 1 / rank of the evidence's best token among the
prefix's tokens by the magnitude of their scores; the baseline is its expectation when ranks are drawn at random. Rows whose evidence is not in the prefix, or whose
words do not differ at a token that both have, are left out. The model's tokens must be those of a byte-level BPE or SentencePiece.
Only Python's standard library.
"""
import argparse
import csv
import ctypes
import io
import json
import math
import os
import re
import subprocess
import tempfile
import time

# What differs from the defaults.
OPTIONS = {"integrated_gradients": {"n_steps": 10}, "gradient_shap": {"n_samples": 5}}
METHODS = "attention,attention_rollout,value_zeroing,saliency,input_x_gradient,occlusion,deeplift,gradient_shap,integrated_gradients"
WITHOUT_FUNCTION = ("attention", "attention_rollout", "value_zeroing")


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:4])}: {done.stderr.strip()[-500:]}")
    return done.stdout


class Tokenizer:
    """The model's, by the library."""

    def __init__(self, library, path):
        self.library, self.model = ctypes.CDLL(library), ctypes.c_void_p()
        if self.library.cinseq_model_open(path.encode(), None, None, ctypes.byref(self.model), None):
            raise SystemExit(f"{path} cannot be opened")

    def ids(self, text):
        found = ctypes.c_char_p()
        if self.library.cinseq_encode(self.model, text.encode(), None, ctypes.byref(found), None):
            raise SystemExit(f"{text} cannot be encoded")
        ids = json.loads(found.value)["ids"]
        self.library.cinseq_free(found)
        return ids


def read_rows(path, count, tokenizer):
    """[(prompt, good text, bad text, position of the first token that differs, evidence)]"""
    with open(path, newline="") as file:
        rows = [r for r in csv.DictReader(file)][:count]
    rows = [(r["one_prefix_prefix"], r["one_prefix_word_good"], r["one_prefix_word_bad"], r["target"]) for r in rows]
    rows = [r for r in rows if r[0] and re.search(rf"\b{re.escape(r[3])}\b", r[0])]
    kept = []
    for prompt, good, bad, evidence in rows:
        own, a, b = (tokenizer.ids(text) for text in (prompt, f"{prompt} {good}", f"{prompt} {bad}"))
        at = next((k for k in range(min(len(a), len(b))) if a[k] != b[k]), None)
        if at is not None and at >= len(own) and a[:len(own)] == own:
            kept.append((prompt, f"{prompt} {good}", f"{prompt} {bad}", at, evidence))
    return kept


def read_columns(page):
    """{text: (number of columns, [(token, scores of the columns) of each target token])} of a CSV file of the program."""
    texts = {}
    for row in csv.DictReader(io.StringIO(page)):
        cells = [row[c] for c in sorted((k for k in row if k.isdigit()), key=int)]
        if row["table"] == "generated":
            texts[int(row["text"])] = (sum(c != "" for c in cells), [])
        elif row["table"] == "target":
            texts[int(row["text"])][1].append((row["token"], [float(c) if c else math.nan for c in cells]))
    return texts


def tokens_of_evidence(tokens, prompt, evidence):
    """Numbers of the tokens that the evidence's first occurrence touches."""
    begin = re.search(rf"\b{re.escape(evidence)}\b", prompt).start()
    at, found = 0, []
    for number, token in enumerate(tokens):
        text = token.replace("\u0120", " ").replace("\u2581", " ")
        if at == 0 and text.startswith(" ") and not prompt.startswith(" "):
            text = text[1:]
        if at < begin + len(evidence) and at + len(text) > begin:
            found.append(number)
        at += len(text)
    return found


def expected_reciprocal_rank(n, k):
    """Of the best of k among n in random order: sum over r of P(best rank = r) / r."""
    return sum(math.comb(n - r, k - 1) / math.comb(n, k) / r for r in range(1, n - k + 2))


def measure(program, model, method, rows, folder, threads):
    """(reciprocal ranks, those expected of chance)"""
    page, prompts, texts = (os.path.join(folder, name) for name in ("page.csv", "prompts", "texts"))
    for path, member in ((prompts, 0), (texts, 1)):
        with open(path, "w") as file:
            file.write("".join(r[member] + "\n" for r in rows))
    kwargs = dict(OPTIONS.get(method, {}))
    flags = ["-a", method]
    if method not in WITHOUT_FUNCTION:
        kwargs.update(contrast_targets=[r[2] for r in rows], contrast_targets_alignments=[[[r[3], r[3]]] for r in rows])
        flags += ["--attributed_fn", "contrast_logits_diff"]
    run(program, "attribute", "-m", model, "-i", "@" + prompts, "-g", "@" + texts, *flags, "--attribution_kwargs", json.dumps(kwargs),
        "--threads", str(threads), "--hide", "-q", "--viz_path", page)
    with open(page, newline="", encoding="utf-8") as file:
        found = read_columns(file.read())
    reciprocal, chance = [], []
    for number, (prompt, _, _, at, evidence) in enumerate(rows):
        columns, table = found[number + 1]
        start = len(table) - columns
        scores = [abs(values[at - start]) for _, values in table[:start]]
        wanted = tokens_of_evidence([token for token, _ in table[:start]], prompt, evidence)
        best = max(scores[i] for i in wanted)
        reciprocal.append(1 / (1 + sum(s > best for s in scores)))
        chance.append(expected_reciprocal_rank(len(scores), len(wanted)))
    return reciprocal, chance


def mean(values):
    return sum(values) / len(values)


def write(path, model, sets, methods, results, counts):
    head = f"""# Do attributions point at the evidence?

Mean reciprocal rank of the word that decides the choice between a right and a wrong continuation, by method; `scripts/plausibility.py` wrote this
page and says how it measures. Model: {os.path.basename(model)}; the question is `contrast_logits_diff` at the first token that differs
({", ".join(WITHOUT_FUNCTION)} know no question). Data: minimal pairs of BLiMP with their evidence (Yin and Neubig 2022, arXiv:2202.10419), and of
indirect objects (`ioi`); the first rows of each file, without those whose evidence is not in the prefix. Scores by their magnitude, after Inseq's default aggregation.

"""
    lines = ["| method | " + " | ".join(sets) + " | mean |", "|---" * (len(sets) + 2) + "|",
             "| rows | " + " | ".join(str(counts[s]) for s in sets) + " | |"]
    for method in ("random", *methods):
        values = [results[s, method] for s in sets]
        options = OPTIONS.get(method)
        name = f"{method} ({', '.join(f'{k} {v}' for k, v in options.items())})" if options else method
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in values) + f" | {mean(values):.3f} |")
    with open(path, "w") as file:
        file.write(head + "\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--library", default="build/libcinseq.so")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--output", default="docs/plausibility.md")
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    sets = sorted(name.removesuffix(".csv") for name in os.listdir(arguments.data) if name.endswith(".csv"))
    results, counts = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = Tokenizer(os.path.abspath(arguments.library), arguments.model)
        rows = {s: read_rows(os.path.join(arguments.data, s + ".csv"), arguments.rows, tokenizer) for s in sets}
        for number, method in enumerate(methods):
            for s in sets:
                began = time.monotonic()
                reciprocal, chance = measure(arguments.bin, arguments.model, method, rows[s], folder, arguments.threads)
                results[s, method], results[s, "random"], counts[s] = mean(reciprocal), mean(chance), len(rows[s])
                print(f"{method} {s}: {results[s, method]:.3f} (random {results[s, 'random']:.3f}), {len(rows[s])} rows, {time.monotonic() - began:.0f} s", flush=True)
            write(arguments.output, arguments.model, sets, methods[:number + 1], results, counts)


if __name__ == "__main__":
    main()
