#!/usr/bin/env python3
"""Keeps README.md and the pages of docs/ true: runs what they show and fills in what comes out, or checks it.

usage: readme.py [--bin build/cinseq] [--check] [--no-python] [FILE.md...]
In a console block, what follows a line "$ COMMAND" is the command's stdout. The python blocks of a page run one after the other, as cells of
a notebook do; a text block that follows one holds what it has printed. A block with title="needs a download" is not run, and that is
said. Between the markers "<!-- generated: KIND -->" and "<!-- end -->" stands the table of `cinseq list KIND`. Pages with FILLED_BY_SITE in them are
filled when the site is built (scripts/site_hook.py), and left alone here. The check allows numbers to differ in their last digit, as they
may on another CPU. Its last line is "N passed, N failed".
"""
import argparse
import difflib
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PAGES = ["README.md", "python/README.md", "examples/README.md", "docs/**/*.md"]
PYTHON_BLOCK = re.compile(r"^```python(?P<info>[^\n]*)\n(?P<code>.*?)\n```$(?P<output>\n+```text\n(?P<text>.*?)\n?```$)?", re.MULTILINE | re.DOTALL)
FILLED_BY_SITE = "<!-- filled when the site is built -->"
NEEDS_DOWNLOAD = 'title="needs a download"'

# Runs blocks of code (a JSON list on stdin) in one namespace, and says what each has printed.
CELLS = """
import contextlib, io, json, sys
names, printed = {"__name__": "__main__"}, []
for number, code in enumerate(json.load(sys.stdin), 1):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, f"block {number}", "exec"), names)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


def trimmed(text):
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def subprocess_text(arguments, binary, **more):
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS",)}
    folder = os.path.dirname(os.path.abspath(binary))
    env |= {"PATH": folder + os.pathsep + env["PATH"], "CINSEQ_LIBRARY": os.path.join(folder, "libcinseq.so.0"),
            "PYTHONPATH": os.path.join(ROOT, "python", "src")}
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(arguments, check=False, capture_output=True, text=True, cwd=work, env=env, timeout=300, **more)
    if done.returncode:
        sys.exit(f"readme.py: exit code {done.returncode} of {arguments[-1] if 'input' not in more else more['input']}\n{done.stderr}")
    return done.stdout


def run(binary, command):
    return trimmed(subprocess_text(["sh", "-c", command], binary))


def fill_console(binary, block):
    """A command may go on over lines that end with a backslash."""
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)
    return "\n".join(f"$ {command}\n{run(binary, command)}".rstrip() for command in commands)


def fill_python(binary, text):
    """The page with what its python blocks print now."""
    blocks = [m for m in PYTHON_BLOCK.finditer(text) if NEEDS_DOWNLOAD not in m["info"]]
    if not blocks:
        return text
    printed = iter(json.loads(subprocess_text([sys.executable, "-c", CELLS], binary, input=json.dumps([m["code"] for m in blocks]))))

    def filled(match):
        if NEEDS_DOWNLOAD in match["info"]:
            return match[0]
        output = trimmed(next(printed))
        code = f"```python{match['info']}\n{match['code']}\n```"
        return code if match["output"] is None else f"{code}\n\n```text\n{output}\n```"

    return PYTHON_BLOCK.sub(filled, text)


def table(binary, kind):
    rows = json.loads(run(binary, f"cinseq list {kind} --json"))
    lines = ["| id | what it is | options |", "|---|---|---|"]
    for row in rows:
        options = ", ".join(f"`{o['name']}`" for o in row["options"])
        lines.append(f"| `{row['id']}` | {row['help']} | {options} |")
    if not any(row["options"] for row in rows):
        lines = [re.sub(r"\|[^|]*\|$", "|", line) for line in lines]
    return "\n".join(lines)


def fill(binary, text, python):
    text = re.sub(r"^```console\n(.*?)\n```$", lambda m: f"```console\n{fill_console(binary, m[1])}\n```", text, flags=re.MULTILINE | re.DOTALL)
    text = fill_python(binary, text) if python else text
    return re.sub(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table(binary, m[2])}\n{m[3]}", text, flags=re.DOTALL)


def is_same(old, new):
    """Equal but for the last digit of numbers with a fraction."""
    number = r"-?\d+\.\d+"
    if re.sub(number, "#", old) != re.sub(number, "#", new):
        return False
    for x, y in zip(re.findall(number, old), re.findall(number, new)):
        if abs(float(x) - float(y)) > 1.001 * 10.0 ** -len(x.split(".")[1]):
            return False
    return True


def check(name, old, new):
    good = is_same(old, new)
    if not good:
        print("\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), name, "now", lineterm="")))
        print(f"{name} has rotted: run scripts/readme.py")
    return good


def skipped(pages, python):
    """What is not run, and why."""
    for name, text in pages.items():
        blocks = list(PYTHON_BLOCK.finditer(text))
        downloads = sum(NEEDS_DOWNLOAD in m["info"] for m in blocks)
        if downloads:
            print(f"SKIPPED {name}: {downloads} python block(s) that need a download")
        if not python and len(blocks) > downloads:
            print(f"SKIPPED {name}: {len(blocks) - downloads} python block(s), without numpy or with --no-python")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "cinseq"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--no-python", action="store_true", help="only console blocks and tables")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    files = [os.path.abspath(f) for f in arguments.files] or [f for p in PAGES for f in sorted(glob.glob(os.path.join(ROOT, p), recursive=True))]
    python = not arguments.no_python and subprocess.run([sys.executable, "-c", "import numpy"], check=False, capture_output=True).returncode == 0
    pages, bad = {}, 0
    for path in files:
        with open(path, encoding="utf-8") as file:
            old = file.read()
        if FILLED_BY_SITE in old:
            continue
        pages[os.path.relpath(path, ROOT)] = old
        new = fill(arguments.bin, old, python)
        if arguments.check:
            bad += not check(os.path.relpath(path, ROOT), old, new)
        elif new != old:
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)
    skipped(pages, python)
    if arguments.check:
        print(f"{len(pages) - bad} passed, {bad} failed")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
