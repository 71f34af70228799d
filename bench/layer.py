#!/usr/bin/env python3
"""What Python costs: `import cinseq`, and model.attribute around the library's own function, with and without a look at the result.

usage: layer.py --library build/libcinseq.so.0 [--model stories260K] [--calls 300] [--imports 12]
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python", "src")
PROMPT, TEXT = "Once upon a time", "Once upon a time, there was a little girl named Lily. She loved to play outside in the park"


def show(what, seconds):
    print(f"{what:24} least {min(seconds) * 1e3:8.3f} ms, median {statistics.median(seconds) * 1e3:8.3f} ms")


def imports(count):
    """Whole programs, in turn, since the machine may be busy."""
    statements = ("pass", "import numpy", "import cinseq")
    taken = {statement: [] for statement in statements}
    for _ in range(count):
        for statement in statements:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            taken[statement].append(time.perf_counter() - began)
    for statement in statements:
        show(statement, taken[statement])


def calls(name, count):
    import cinseq
    from cinseq._library import library

    model, inside, around, looks = cinseq.load_model(name, "saliency"), [], [], []
    function = library.attribute_with

    def timed(*arguments):
        began = time.perf_counter()
        code = function(*arguments)
        inside.append(time.perf_counter() - began)
        return code

    library.attribute_with = timed
    for _ in range(count):
        began = time.perf_counter()
        out = model.attribute(PROMPT, TEXT, show_progress=False)
        called = time.perf_counter()
        tokens = len(out[0].target)
        looks.append(time.perf_counter() - called)
        around.append(called - began - inside[-1])
    print(f"{name}, {tokens} tokens, {tokens - out[0].attr_pos_start} of them attributed:")
    for what, seconds in (("library", inside), ("Python around it", around), ("the first look", looks)):
        show(what, seconds)
    print(f"Python around it / library: {min(around) / min(inside):.1%} of the least, "
          f"{statistics.median(around) / statistics.median(inside):.1%} of the medians")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--model", default="stories260K")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--imports", type=int, default=12)
    arguments = parser.parse_args()
    os.environ |= {"CINSEQ_LIBRARY": os.path.abspath(arguments.library), "PYTHONPATH": SOURCE}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages are compiled
    sys.path.insert(0, SOURCE)
    imports(arguments.imports)
    calls(arguments.model, arguments.calls)


if __name__ == "__main__":
    main()
