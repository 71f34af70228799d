#!/usr/bin/env python3
"""Executes notebooks, and writes their output into them or checks that it is what they say.

usage: notebook.py --library build/libcinseq.so.0 [--check] NOTEBOOK...
The kernel is this Python; it needs nbclient, ipykernel and numpy, and must have neither torch nor transformers (`make test-notebook` makes such
an environment). The check runs the cells anew: nothing may raise, what is printed must be the same, and the heat tables must have
the same cells, numbers to their last digit. The last line is "N passed, N failed".
"""
import argparse
import html.parser
import importlib.util
import os
import sys

import nbclient
import nbformat

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class Cells(html.parser.HTMLParser):
    """The texts of all cells of a page's tables."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th"):
            self.found.append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.found[-1] += data.strip()


def said(cell):
    """(the tables' cells, what was printed, a last expression's value with it)."""
    tables, text = [], ""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "text/html" in data:
            tables.append(Cells(data["text/html"]).found)
        elif output["output_type"] == "stream":
            text += output["text"] if output["name"] == "stdout" else ""
        else:
            text += data.get("text/plain", "")
    return tables, text


def is_near(old, new):
    """Equal, or numbers whose last digit differs by one, as it may on another CPU."""
    if old == new:
        return True
    try:
        return abs(float(old) - float(new)) < 1.5 * 10.0 ** -len(new.partition(".")[2])
    except ValueError:
        return False


def difference(old, new):
    """What differs between two runs of a cell, or None."""
    (old_tables, old_text), (new_tables, new_text) = said(old), said(new)
    if old_text != new_text:
        return f"printed {new_text!r} instead of {old_text!r}"
    if [len(table) for table in old_tables] != [len(table) for table in new_tables]:
        return f"tables of {[len(t) for t in new_tables]} cells instead of {[len(t) for t in old_tables]}"
    cells = [pair for tables in zip(old_tables, new_tables) for pair in zip(*tables)]
    return next((f"{new!r} instead of {old!r}" for old, new in cells if not is_near(old, new)), None)


def execute(path, library):
    notebook = nbformat.read(path, as_version=4)
    os.environ["CINSEQ_LIBRARY"] = os.path.abspath(library)
    os.environ["PYTHONPATH"] = os.path.join(ROOT, "python", "src")
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", extra_arguments=["--log-level=ERROR"],
                            resources={"metadata": {"path": os.path.dirname(path)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # the times of a run are no news
    notebook.metadata.pop("language_info", None)
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("notebooks", nargs="+")
    arguments = parser.parse_args()
    heavy = [name for name in ("torch", "transformers") if importlib.util.find_spec(name)]
    if heavy:
        sys.exit(f"notebook.py: this Python has {' and '.join(heavy)}, which the notebooks are to do without")
    failed = 0
    for path in arguments.notebooks:
        old, new = nbformat.read(path, as_version=4), execute(path, arguments.library)
        if not arguments.check:
            nbformat.write(new, path)
            continue
        tables = sum(len(said(cell)[0]) for cell in new.cells)
        problems = [f"cell {i}: {d}" for i, (a, b) in enumerate(zip(old.cells, new.cells)) if (d := difference(a, b))]
        problems += [] if tables else ["no heat table"]
        print(f"{path}: {tables} tables" + "".join(f"\n  {p}" for p in problems))
        failed += bool(problems)
    print(f"{len(arguments.notebooks) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
