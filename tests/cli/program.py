"""What the tests of the program share: running it, tiny models changed on disk, and the loop over a file's tests.

A file of tests ends with main(globals()): every function test_... is a test. Only Python's standard library.
"""
import argparse
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "data", "golden", "models")
BIN = ""
FOLDER = ""  # a new empty one for each test
os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks the network for a name


def run(*arguments, stdin=b"", **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "COLORTERM")}
    arguments = [a if isinstance(a, bytes) else a.encode() for a in arguments]
    return subprocess.run([BIN.encode(), *arguments], capture_output=True, timeout=120, cwd=FOLDER, input=stdin,
                          env={**env, **environment})


def fails(code, pattern, *arguments, stdin=b""):
    """Ends with this code and one line on stderr that matches, and prints no result."""
    done = run(*arguments, stdin=stdin)
    lines = done.stderr.decode().strip().split("\n")
    problems = [line for line in lines if not line.startswith("warning: ")]
    assert done.returncode in (code if isinstance(code, tuple) else (code,)), f"exit code {done.returncode}, expected {code}: {lines}"
    assert done.stdout == b"", f"stdout: {done.stdout[:200]}"
    assert len(problems) == 1, f"one line expected: {lines}"
    assert re.search(pattern, problems[0]), f"{problems[0]!r} does not match {pattern!r}"


def works(*arguments, **environment):
    done = run(*arguments, **environment)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr.decode()[-300:]}"
    return done


def in_terminal(*arguments, **environment):
    """Output of the program when stdout is a terminal."""
    ours, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "COLORTERM")}
    process = subprocess.Popen([BIN, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, cwd=FOLDER,
                               env={**env, "TERM": "xterm", **environment})
    os.close(theirs)
    output = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        output += piece
    os.close(ours)
    assert process.wait() == 0
    return output.decode()


ZH = ("attribute", "-m", "zh-en-mini", "-i", "我很开心。", "-g", "I'm very happy.")
TINY = ("attribute", "-m", os.path.join(MODELS, "gpt2"), "-i", "He's going")
SHORT = ("--generation_kwargs", '{"max_new_tokens": 3}')


# ---- help, version, lists ----


def save(*arguments):
    path = os.path.join(FOLDER, "saved.json")
    works(*arguments, "--hide", "-o", path)
    with open(path) as file:
        return file.read()


def spoilt(change, arch="llama"):
    """A copy of a tiny model, changed by change(folder)."""
    folder = os.path.join(FOLDER, "model")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(MODELS, arch), folder)
    change(folder)
    return folder


def edit_config(**values):
    def change(folder):
        path = os.path.join(folder, "config.json")
        with open(path) as file:
            config = json.load(file)
        config.update(values)
        with open(path, "w") as file:
            json.dump(config, file)
    return change


def edit_tensors(edit):
    """edit(header, body) of model.safetensors."""
    def change(folder):
        path = os.path.join(folder, "model.safetensors")
        with open(path, "rb") as file:
            raw = file.read()
        size = struct.unpack_from("<Q", raw)[0]
        header, body = json.loads(raw[8:8 + size]), bytearray(raw[8 + size:])
        edit(header, body)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + body)
    return change


def cut(name, size):
    def change(folder):
        os.truncate(os.path.join(folder, name), size)
    return change


def write(name, text):
    def change(folder):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return change


NORM = "model.norm.weight"


def drop_norm(head, body):
    """The tensor and its bytes: what is left is a whole file."""
    low, high = head.pop(NORM)["data_offsets"]
    del body[low:high]
    for tensor in head.values():
        offsets = tensor.get("data_offsets", [0, 0])
        offsets[:] = [o - (high - low) if o >= high else o for o in offsets]


def bad(pattern, change, arch="llama", text="He's going"):
    fails((1, 2), pattern, "attribute", "-m", spoilt(change, arch), "-i", text, *SHORT)


def main(tests):
    """Runs what is called test_... among `tests`, the globals of a file like this one."""
    global BIN, FOLDER
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true")
    arguments = parser.parse_args()
    BIN = os.path.abspath(arguments.bin)
    passed = failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_") or arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as FOLDER:
            try:
                test()
                passed += 1
                if arguments.v:
                    print("ok  ", name)
            except Exception as why:
                failed += 1
                place = traceback.extract_tb(why.__traceback__)[1]
                print(f"FAIL {name} (line {place.lineno}: {place.line}): {type(why).__name__}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)
