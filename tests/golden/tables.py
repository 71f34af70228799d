#!/usr/bin/env python3
"""Inseq's own aggregated tables against those of the program.

usage: tables.py [--bin build/cinseq] [--golden FOLDER] [--only WORD] [--jobs N] [-v]
       tables.py --self-test    spoils tables: each must be caught

tests/data/golden/tables.tar.xz holds ARCH/CASE.tables.json: {"NAME": {"how": arguments of Inseq's aggregate(), "sequences": [...]}}. The
program attributes and aggregates the same call; tokens, positions, attributions and step scores must be those of the table. What Inseq
gets wrong is put right before: it leaves the last piece of a text out of its word, and that is joined to it here. WRONG and ROUNDED
name the tables that are not Inseq's word, and why.
--golden takes the tables, cases and models of a folder that has cases/ARCH/CASE.tables.json instead.
Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import json
import os
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor

import run

# Inseq's default, by what a method gives: an empty list leaves scores as they are.
DEFAULTS = {"attention": ["mean", "mean"], "occlusion": [], "value_zeroing": ["mean"]}
# Inseq ran with transformers 4.46.3, whose Marian decoder scales no given embeddings, and make_golden.py took a second scaling away that
# was not there: the same hooks in torch give the table to 3e-5 with embed_scale 1, and the program's scores to 4e-7 with the model's own
# (zeroing_oracle.py, whose scores tests/golden/run.py compares).
WRONG = {"marian/value_zeroing": "its decoder's embeddings are not scaled"}
# 1 - cosine in float32: the same hooks in torch give the table to 6e-8 in float32, and the program's scores to 2e-5 in float64, which are
# 6e-3 apart.
ROUNDED = {"gpt2/value_zeroing": 1e-2}


def flags_of(how, method):
    as_list = lambda v: v if isinstance(v, list) else [v]
    names = as_list(how.get("aggregator", DEFAULTS.get(method, ["vnorm"])))
    flags = ["--attribution_aggregators", *names] if names else []
    if "aggregate_fn" in how:
        flags += ["--aggregate_fn", *as_list(how["aggregate_fn"])]
    if how.get("rescale"):
        flags += ["--rescale_attributions"]
    elif "normalize" in how:
        flags += ["--normalize_attributions", json.dumps(how["normalize"])]
    for key in ("source_spans", "target_spans"):
        if key in how:
            flags += [f"--{key}", json.dumps(how[key])]
    return flags


def as_array(rows):
    """A nested list with null for NaN as (shape, flat list)."""
    if rows is None:
        return None
    shape = []
    while isinstance(rows, list) and rows and isinstance(rows[0], list):
        shape.append(len(rows))
        rows = [member for row in rows for member in row]
    width = len(rows)
    for length in shape:
        width //= length
    return shape + [width], [float("nan") if v is None else v for v in rows]


def begins_word(token):
    return token[0] in "\u2581\u0120\u010a" or (token[0] == "<" and token[-1] == ">")


def with_last_piece(sequence):
    """A table of words whose last piece is joined to its word, by sum, as the others are: a decoder-only model's."""
    s = json.loads(json.dumps(sequence))
    add = lambda x, y: None if None in (x, y) or x != x or y != y else x + y
    if not begins_word(s["source"][-1]):
        s["source"][-2:] = ["".join(s["source"][-2:])]
    if not begins_word(s["target"][-1]):
        s["target"][-2:] = ["".join(s["target"][-2:])]
        rows = [row[:-2] + [add(*row[-2:])] for row in s["target_attributions"]]
        s["target_attributions"] = rows[:-2] + [[add(x, y) for x, y in zip(*rows[-2:])]]
        s["step_scores"] = {k: v[:-2] + [add(*v[-2:])] for k, v in s["step_scores"].items()}
        s["attr_pos_end"] -= 1
    return s


def compare(got, want, tolerance=run.as_inseq):
    if len(got) != len(want):
        raise run.Wrong(f"{len(got)} sequences, reference {len(want)}")
    for g, w in zip(got, want):
        for side in ("source", "target"):
            if [t for _, t in g["tokens"][side]] != w[side]:
                raise run.Wrong(f"{side} {[t for _, t in g['tokens'][side]]}, reference {w[side]}")
        if g["positions"] != (w["attr_pos_start"], w["attr_pos_end"]):
            raise run.Wrong(f"positions {g['positions']}, reference {w['attr_pos_start']}, {w['attr_pos_end']}")
        for key in run.ATTRIBUTIONS:
            run.compare_arrays(key, g["arrays"][key], as_array(w[key]), tolerance)
        for group in ("step_scores", "sequence_scores"):
            for key, values in w[group].items():
                run.compare_arrays(key, g["arrays"].get(f"{group}.{key}"), as_array(values), run.as_inseq)


def check(program, model, case, name, table, tolerance):
    sequences = table["sequences"]
    if name == "subwords" and all(s["source_attributions"] is None for s in sequences):
        sequences = [with_last_piece(s) for s in sequences]
    compare(program.attribute(model, case, *flags_of(table["how"], case["method"])), sequences, tolerance)


def tolerance_of(call):
    relative = ROUNDED.get(call, 0)
    return lambda y, peak, column: run.as_inseq(y, peak, column) + relative * abs(y)


def packed():
    """(ARCH, model, case, {name: table})"""
    calls = {f"{arch}/{case['case']}": case for arch, group in run.load("cases.json").items() for case in group["cases"]}
    with tarfile.open(os.path.join(run.DATA, "tables.tar.xz")) as tar:
        for member in tar.getmembers():
            name = member.name.removesuffix(".tables.json")
            arch = name.split("/")[0]
            yield arch, run.model_path(arch), calls[name], json.load(tar.extractfile(member))


def of_folder(golden):
    for arch in sorted(os.listdir(os.path.join(golden, "cases"))):
        folder = os.path.join(golden, "cases", arch)
        with open(os.path.join(folder, "cases.json")) as file:
            cases = json.load(file)
        for case in cases:
            path = os.path.join(folder, f"{case['case']}.tables.json")
            if "failed" not in case and not case.get("stochastic") and os.path.exists(path):
                with open(path) as file:
                    yield arch, os.path.join(golden, "models", arch), case, json.load(file)


def all_checks(program, tables):
    for arch, model, case, group in tables:
        call = f"{arch}/{case['case']}"
        for name, table in group.items():
            if call not in WRONG:
                yield f"{call}/{name}", check, (program, model, case, name, table, tolerance_of(call))


def self_test():
    caught = total = 0
    for arch, _, case, group in packed():
        for name, table in group.items():
            for w in table["sequences"]:
                as_got = lambda s: {"tokens": {k: [(0, t) for t in s[k]] for k in ("source", "target")},
                                    "positions": (s["attr_pos_start"], s["attr_pos_end"]),
                                    "arrays": {**{k: as_array(s[k]) for k in run.ATTRIBUTIONS},
                                               **{f"{g}.{k}": as_array(v) for g in ("step_scores", "sequence_scores") for k, v in s[g].items()}}}
                for label, spoil in run.SPOILS.items():
                    for key in run.ATTRIBUTIONS:
                        value = as_array(w[key])
                        spoilt = None if value is None else spoil(value)
                        if value is None or run.same(spoilt, value):
                            continue
                        got = as_got(w)
                        got["arrays"][key] = spoilt
                        total += 1
                        found = run.is_caught(lambda: compare([got], [w]))
                        caught += found
                        if not found:
                            print("NOT CAUGHT", arch, case["case"], name, key, label)
                total += 1
                caught += not run.is_caught(lambda: compare([as_got(w)], [w]))
    return total, total - caught


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--golden")
    parser.add_argument("--only", default="", help="run the checks whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("-v", action="store_true", help="print passed checks too")
    arguments = parser.parse_args()
    if arguments.self_test:
        total, failed = self_test()
    else:
        total = failed = 0
        tables = of_folder(arguments.golden) if arguments.golden else packed()
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as pool:
            checks = [c for c in all_checks(run.Program(arguments.bin, folder), tables) if arguments.only in c[0]]
            for name, why in pool.map(run.run, checks):
                total, failed = total + 1, failed + (why is not None)
                if why or arguments.v:
                    print("FAIL" if why else "ok  ", name, why or "", flush=True)
    print(f"{total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
