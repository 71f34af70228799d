#!/usr/bin/env python3
"""How often an attribution points at the word that, by grammar, decides a choice: writes docs/plausibility.md.

usage: plausibility.py --data FOLDER --model MODEL [--bin build/cinseq] [--library build/libcinseq.so] [--rows 200] [--threads 1] [--methods a,b] [--output docs/plausibility.md] [--add]

FOLDER has CSV files of minimal pairs in the manner of Yin and Neubig 2022 (BLiMP, IOI): one_prefix_prefix, one_prefix_word_good,
one_prefix_word_bad, target (the evidence: a word of the prefix). For each row the model is asked why the good word and not the bad one
(contrast_logits_diff at the first token that differs). The reciprocal rank of a row is 1 / rank of the evidence's best token among the
prefix's tokens by the magnitude of their scores; the baseline is its expectation when ranks are drawn at random. Rows whose evidence is not in the prefix, or whose
words do not differ at a token that both have, are left out. --add keeps what the page has of other methods; --rows may then be fewer than theirs, and the
page says so. The model's tokens must be those of a byte-level BPE or SentencePiece.
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

# What differs from the defaults: fewer points, samples and probes, since there are thousands of texts; layers have none.
LAYER = "decoder.15.output"
OPTIONS = {"integrated_gradients": {"n_steps": 10}, "gradient_shap": {"n_samples": 5}, "sequential_integrated_gradients": {"n_steps": 4},
           "discretized_integrated_gradients": {"n_steps": 10}, "lime": {"n_samples": 50},
           "smoothgrad": {"n_samples": 10}, "squaregrad": {"n_samples": 10}, "vargrad": {"n_samples": 10},
           "layer_gradient_x_activation": {"target_layer": LAYER}, "layer_deeplift": {"target_layer": LAYER},
           "layer_integrated_gradients": {"target_layer": LAYER, "n_steps": 10}, "reagent": {"num_probes": 2, "max_probe_steps": 20}}
METHODS = ("attention,attention_rollout,value_zeroing,saliency,input_x_gradient,occlusion,deeplift,gradient_shap,integrated_gradients,"
           "layer_gradient_x_activation,layer_deeplift,layer_integrated_gradients,smoothgrad,squaregrad,vargrad,lime,"
           "sequential_integrated_gradients,discretized_integrated_gradients,reagent")
WITHOUT_FUNCTION = ("attention", "attention_rollout", "value_zeroing", "reagent")

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


def read_page(path):
    """{method: its line} of a page that write() wrote; "rows" and "random" are lines too."""
    with open(path) as file:
        rows = [row.rstrip("\n") for row in file if row.startswith("| ")][1:]
    return {row.split(" ")[1]: row for row in rows}


def line(name, values):
    return f"| {name} | " + " | ".join(f"{v:.3f}" for v in values) + f" | {mean(values):.3f} |"


def write(path, model, sets, results, counts, limit, kept):
    """results[set, method], counts[set] of the first `limit` rows; kept: lines of other methods, and those of "rows" and "random"."""
    head = f"""# Do attributions point at the evidence?

Mean reciprocal rank of the word that decides the choice between a right and a wrong continuation, by method; `scripts/plausibility.py` wrote this
page and says how it measures. Model: {os.path.basename(model)}; the question is `contrast_logits_diff` at the first token that differs
({", ".join(WITHOUT_FUNCTION[:-1])} know no question, {WITHOUT_FUNCTION[-1]} asks for the probability of the right one). Data: minimal pairs of BLiMP with their evidence
(Yin and Neubig 2022, arXiv:2202.10419), and of indirect objects (`ioi`); the first rows of each file, without those whose evidence is not in the prefix; a
method that had fewer of them says how many. Scores by their magnitude, after Inseq's default aggregation.

"""
    lines = {"rows": "| rows | " + " | ".join(str(counts[s]) for s in sets) + " | |", **kept}
    lines.setdefault("random", line("random", [results[s, "random"] for s in sets]))
    whole = [int(c) for c in re.findall(r"\d+", lines["rows"])]
    for method in METHODS.split(","):
        if (sets[-1], method) not in results:
            continue
        notes = [f"{k} {v}" for k, v in OPTIONS.get(method, {}).items()]
        if sum(counts.values()) < sum(whole):
            notes.append(f"first {limit} rows")
        lines[method] = line(f"{method} ({', '.join(notes)})" if notes else method, [results[s, method] for s in sets])
    order = ["rows", "random", *METHODS.split(",")]
    with open(path, "w") as file:
        file.write(head + "| method | " + " | ".join(sets) + " | mean |\n" + "|---" * (len(sets) + 2) + "|\n"
                   + "".join(lines[name] + "\n" for name in order if name in lines))


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
    parser.add_argument("--add", action="store_true")
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    sets = sorted(name.removesuffix(".csv") for name in os.listdir(arguments.data) if name.endswith(".csv"))
    results, counts = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = Tokenizer(os.path.abspath(arguments.library), arguments.model)
        rows = {s: read_rows(os.path.join(arguments.data, s + ".csv"), arguments.rows, tokenizer) for s in sets}
        kept = {name: row for name, row in read_page(arguments.output).items() if name not in methods} if arguments.add else {}
        for method in methods:
            for s in sets:
                began = time.monotonic()
                reciprocal, chance = measure(arguments.bin, arguments.model, method, rows[s], folder, arguments.threads)
                results[s, method], results[s, "random"], counts[s] = mean(reciprocal), mean(chance), len(rows[s])
                print(f"{method} {s}: {results[s, method]:.3f} (random {results[s, 'random']:.3f}), {len(rows[s])} rows, {time.monotonic() - began:.0f} s", flush=True)
            write(arguments.output, arguments.model, sets, results, counts, arguments.rows, kept)


if __name__ == "__main__":
    main()
