#!/usr/bin/env python3
"""Compares the heat tables of a model with those of the notebook that cinseq began from (tests/data/seed).

usage: check_seed.py MODEL [--bin build/cinseq] [--tables FOLDER]

MODEL is a folder with the real weights of Helsinki-NLP/opus-mt-zh-en or openai-community/gpt2-xl; they are not in this repository.
The tables have three decimals. opus-mt-zh-en has to agree within rounding (0.001). gpt2-xl's were made with LLM.int8() on
a GPU: the weights are loaded in 8 bits, the text is forced, and scores may differ by what half precision and rounding change (0.03). Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# By the beginning of a table's file name: how its text came about, and the difference that is allowed.
KINDS = {
    "opus-mt": (("--generation_kwargs", "{}"), 0.001),
    "gpt2-xl": (("--model_kwargs", '{"load_in_8bit": true}', "-g", "Hello world\"\n\nThe first thing you'll notice is that the code is very simple. It"), 0.03),
}


def kind_of(model):
    """Which tables are this model's: the beginning of their file names."""
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    return {"marian": "opus-mt", "gpt2": "gpt2-xl"}.get(config.get("model_type"), "")


def computed(binary, model, table, arguments):
    """(attributed tokens, generated tokens, rows of scores, probabilities) as cinseq computes them; a blank cell is None."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "table.csv")
        command = [binary, "attribute", "-m", model, "-i", table["input_text"], "-a", table["method"], "--step_scores", "probability",
                   *arguments, "--clean_tokens", "--hide_attributions", "--viz_path", path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        with open(path, newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))[1:]
    numbers = [[float(cell) if cell else None for cell in line[4:]] for line in lines if line[1] != "generated"]
    names = [line for line in lines if line[1] != "generated"]
    generated = next(line[4:] for line in lines if line[1] == "generated")
    rows = [(line[3], row) for line, row in zip(names, numbers) if line[1] != "step_scores"]
    probability = next(row for line, row in zip(names, numbers) if line[3] == "probability")
    return [token for token, _ in rows], generated, [row for _, row in rows], probability


def difference(table, found, allowed):
    """What differs, or None."""
    attributed, generated, scores, probability = found
    plain = [token.replace("Ċ", "\n") for token in table["generated"]]
    if [token.replace("Ċ", "\n") for token in generated] != plain:
        return f"generated {generated}, in the table {table['generated']}"
    if [token.replace("Ċ", "\n") for token in attributed[:len(table["attributed"])]] != [t.replace("Ċ", "\n") for t in table["attributed"]]:
        return f"attributed {attributed}, in the table {table['attributed']}"
    for name, got, want in [("probability", [probability], [table["probability"]]), ("scores", scores, table["scores"])]:
        for i, row in enumerate(want):
            for j, value in enumerate(row):
                mine = got[i][j]
                if (mine is None) != (value is None) or (value is not None and abs(mine - value) > allowed):
                    return f"{name}[{i}][{j}]: {mine}, in the table {value}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "cinseq"))
    parser.add_argument("--tables", default=os.path.join(ROOT, "tests", "data", "seed"))
    arguments = parser.parse_args()
    kind = kind_of(arguments.model)
    tables = sorted(name for name in os.listdir(arguments.tables) if kind and name.startswith(kind))
    if not tables:
        sys.exit(f"{arguments.model}: neither opus-mt-zh-en nor gpt2-xl")
    failed = 0
    for name in tables:
        with open(os.path.join(arguments.tables, name), encoding="utf-8") as file:
            table = json.load(file)
        flags, allowed = KINDS[kind]
        why = difference(table, computed(arguments.bin, arguments.model, table, flags), allowed)
        failed += why is not None
        print("FAIL" if why else "ok  ", name, why or "")
    print(f"{len(tables) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
