#!/usr/bin/env python3
"""Keeps README.md true: fills in the output of its commands and the tables of what is supported, or checks them.

usage: readme.py [--bin build/cinseq] [--check]
In a console block, what follows a line "$ COMMAND" is the command's stdout. Between the markers "<!-- generated: KIND -->" and
"<!-- end -->" stands the table of `cinseq list KIND`. The check allows numbers to differ in their last digit, as they may on
another CPU. Its last line is "N passed, N failed".
"""
import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
README = os.path.join(ROOT, "README.md")


def run(binary, command):
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS",)}
    env["PATH"] = os.path.dirname(os.path.abspath(binary)) + os.pathsep + env["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=folder, env=env, timeout=300)
    if done.returncode:
        sys.exit(f"readme.py: exit code {done.returncode} of {command}\n{done.stderr}")
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def fill_console(binary, block):
    """A command may go on over lines that end with a backslash."""
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.M)
    return "\n".join(f"$ {command}\n{run(binary, command)}".rstrip() for command in commands)


def table(binary, kind):
    rows = json.loads(run(binary, f"cinseq list {kind} --json"))
    lines = ["| id | what it is | options |", "|---|---|---|"]
    for row in rows:
        options = ", ".join(f"`{o['name']}`" for o in row["options"])
        lines.append(f"| `{row['id']}` | {row['help']} | {options} |")
    if not any(row["options"] for row in rows):
        lines = [re.sub(r"\|[^|]*\|$", "|", line) for line in lines]
    return "\n".join(lines)


def fill(binary, text):
    text = re.sub(r"^```console\n(.*?)\n```$", lambda m: f"```console\n{fill_console(binary, m[1])}\n```", text, flags=re.M | re.S)
    return re.sub(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table(binary, m[2])}\n{m[3]}", text, flags=re.S)


def is_same(old, new):
    """Equal but for the last digit of numbers with a fraction."""
    number = r"-?\d+\.\d+"
    if re.sub(number, "#", old) != re.sub(number, "#", new):
        return False
    for x, y in zip(re.findall(number, old), re.findall(number, new)):
        if abs(float(x) - float(y)) > 1.001 * 10.0 ** -len(x.split(".")[1]):
            return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "cinseq"))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with open(README) as file:
        old = file.read()
    new = fill(arguments.bin, old)
    if not arguments.check:
        with open(README, "w") as file:
            file.write(new)
        return
    good = is_same(old, new)
    if not good:
        print("\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), "README.md", "now", lineterm="")))
        print("README.md has rotted: run scripts/readme.py")
    print("1 passed, 0 failed" if good else "0 passed, 1 failed")
    sys.exit(not good)


if __name__ == "__main__":
    main()
