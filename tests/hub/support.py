"""What the tests of this folder share: the program with a hub of its own, and what its cache must look like."""
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
import program  # noqa: E402
from program import MODELS, SHORT  # noqa: E402
from server import Hub, folder_files  # noqa: E402

TINY = folder_files(os.path.join(MODELS, "gpt2"))
NEEDED = sorted(TINY)
PROMPT = ("-i", "He's going", *SHORT)


def place(*names):
    return os.path.join(program.FOLDER, *names)


def environment(hub=None, **more):
    """Ours without the variables that would lead elsewhere; the cache in the test's folder."""
    env = {k: v for k, v in os.environ.items() if not re.match(r"HF_|HUGGING|TRANSFORMERS_|XDG_CACHE|.*_proxy$", k, re.I)}
    env.update(HF_HOME=place("hf"), HOME=place("home"), no_proxy="*", HF_ENDPOINT=hub.endpoint if hub else "http://127.0.0.1:9")
    return {**env, **more}


def start(hub, *arguments, env=None, **keywords):
    return subprocess.Popen([program.BIN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=program.FOLDER,
                            env=environment(hub, **(env or {})), **keywords)


def finish(process):
    out, err = process.communicate(timeout=120)
    process.out, process.err = out, err
    return process


def call(hub, *arguments, **keywords):
    return finish(start(hub, *arguments, **keywords))


def works(hub, *arguments, **keywords):
    done = call(hub, *arguments, **keywords)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.err[-400:]}"
    return done


def fails(hub, code, pattern, *arguments, **keywords):
    """Ends with this code, and one line that matches, beside warnings and what is said of the download."""
    done = call(hub, *arguments, **keywords)
    lines = [line for line in done.err.splitlines() if not re.match("warning: |downloading ", line)]
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}: {done.err[-400:]}"
    assert len(lines) == 1 and re.search(pattern, lines[0]), f"{lines} does not match {pattern!r}"
    assert done.out == "", done.out
    return done


def with_hub(test):
    """A test of a hub that has the tiny model as org/tiny."""
    def wrapped():
        hub = Hub()
        try:
            hub.add("org/tiny", TINY)
            test(hub)
        finally:
            hub.close()
    wrapped.__name__ = test.__name__
    return wrapped


def snapshot(repo, *names):
    return place("hf", "hub", "models--" + repo.name.replace("/", "--"), "snapshots", repo.commit, *names)


def blobs(repo):
    folder = place("hf", "hub", "models--" + repo.name.replace("/", "--"), "blobs")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def check_cache(repo, names):
    """What huggingface_hub would have left behind, of these files and no others."""
    for name in names:
        path = snapshot(repo, name)
        depth = "../" * (2 + name.count("/"))
        assert os.readlink(path) == depth + "blobs/" + repo.etag(name), (name, os.readlink(path))
        with open(path, "rb") as file:
            assert file.read() == repo.files[name], name
    assert blobs(repo) == sorted({repo.etag(name) for name in names}), blobs(repo)
    with open(place("hf", "hub", "models--" + repo.name.replace("/", "--"), "refs", "main")) as file:
        assert file.read() == repo.commit


BIG = random.Random(1).randbytes(3_000_000)


def weights_of(hub, size=len(BIG)):
    """org/big: weights that are no model, for downloads alone."""
    return hub.add("org/big", {**TINY, "model.safetensors": BIG[:size]})
