#!/usr/bin/env python3
"""Runs those files of Inseq's own tests that concern its public interface against cinseq, and compares what passes with docs/inseq-tests.md.

usage: run.py --library build/libcinseq.so.0 --folder build/inseq-suite --source URL|FOLDER [--slow] [pytest's arguments]
The files are fetched at the tag v0.7.1 and are not part of cinseq; models are small ones under the real names (stand_ins.py). A test that
passes against the table, or fails against it, is a failure here. The last line is "N passed, N failed".
"""
import argparse
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
TABLE = os.path.join(ROOT, "docs", "inseq-tests.md")
TAG = "v0.7.1"
FILES = ["attr/feat/test_feature_attribution.py", "attr/feat/test_step_functions.py", "data/test_aggregator.py", "data/test_attribution.py",
         "models/test_huggingface_model.py", "models/test_model_config.py"]


def fetched(source, folder):
    """The folder with Inseq's tests/, or None."""
    if os.path.isdir(os.path.join(source, "tests")):
        return source
    clone = os.path.join(folder, "inseq")
    if not os.path.isdir(os.path.join(clone, "tests")):
        command = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1", "--branch", TAG, source, clone]
        try:
            subprocess.run(command, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"}, timeout=300, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
    return clone


def outcomes(arguments, clone, more):
    """{file::test: [(outcome, why), ...]}, a parametrised test once for each of its cases."""
    import stand_ins

    folder = os.path.abspath(arguments.folder)
    cache = os.path.join(folder, "hub")
    stand_ins.make(cache, os.path.join(ROOT, "tests", "data", "tokenizers"))
    results = os.path.join(folder, "results.json")
    environment = os.environ | {
        "CINSEQ_LIBRARY": os.path.abspath(arguments.library), "HF_HUB_CACHE": cache, "HF_HUB_OFFLINE": "1", "INSEQ_SUITE_RESULTS": results,
        "PYTHONPATH": os.pathsep.join([HERE, os.path.join(ROOT, "python", "src"), os.path.abspath(clone)])}
    chosen = [] if arguments.slow else ["-m", "not slow"]
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-rN", "--tb=no", "-p", "inseq_alias", "-p", "no:cacheprovider", *chosen, *more,
                    *(os.path.join("tests", f) for f in FILES)], cwd=clone, env=environment, check=False)
    with open(results, encoding="utf-8") as file:
        found = json.load(file)
    by_test = {}
    for node, result in found.items():
        by_test.setdefault(re.sub(r"\[.*", "", node).removeprefix("tests/"), []).append((result["outcome"], result["why"]))
    return by_test


def expected():
    """{file::test: "passes" or "fails"} of the table."""
    with open(TABLE, encoding="utf-8") as file:
        rows = re.findall(r"^\| `([^`]+::[^`]+)` \| (passes|fails)", file.read(), re.MULTILINE)
    return dict(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--slow", action="store_true", help="also the tests that Inseq marks as slow, hundreds of cases")
    arguments, more = parser.parse_known_args()
    clone = fetched(arguments.source, arguments.folder)
    if clone is None:
        print(f"SKIPPED: Inseq's tests cannot be fetched from {arguments.source}\n0 passed, 0 failed")
        return 0
    sys.path.insert(0, HERE)
    wanted, good, bad = expected(), 0, 0
    for test, cases in sorted(outcomes(arguments, clone, more).items()):
        kinds = {outcome for outcome, _ in cases}
        if kinds == {"skipped"}:
            continue
        found = "fails" if "failed" in kinds else "passes"
        if found == wanted.get(test):
            good += 1
            continue
        bad += 1
        print(f"{test}: {found}, docs/inseq-tests.md says: {wanted.get(test, 'nothing')}", *{why for _, why in cases if why}, sep="\n")
    print(f"{good} passed, {bad} failed")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
