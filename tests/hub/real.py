#!/usr/bin/env python3
"""Our cache and that of the real huggingface_hub (PyPI) are one: what either has downloaded, begun or locked, the other uses.

usage: real.py [--bin build/cinseq] [--only WORD] [-v]      with a python that has huggingface_hub, better with transformers too
Every function test_... is a test, against the hub of server.py: no network. The last line is "N passed, N failed".
"""
import os
import signal
import subprocess
import sys
import threading
import time

from support import (BIG, NEEDED, PROMPT, TINY, check_cache, environment, finish, place, program, snapshot, start, weights_of, with_hub,
                     works)

try:
    import huggingface_hub
except ImportError:
    huggingface_hub = None
try:
    import transformers
except ImportError:
    transformers = None


def start_python(hub, code, **env):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=program.FOLDER,
                            env=environment(hub, HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", **env))


def python(hub, code, **env):
    done = finish(start_python(hub, code, **env))
    assert done.returncode == 0, done.err[-1500:]
    return done.out.strip()


DOWNLOAD = "from huggingface_hub import snapshot_download; print(snapshot_download({!r}))"


@with_hub
def test_ours_is_theirs(hub):
    repo = hub.repos["org/tiny"]
    ours = works(hub, "download", "org/tiny").out.strip()
    offline = "from huggingface_hub import *; print(snapshot_download('org/tiny', local_files_only=True))"
    assert python(None, offline) == ours
    assert python(None, DOWNLOAD.format("org/tiny"), HF_HUB_OFFLINE="1") == ours
    for name in NEEDED:
        code = f"from huggingface_hub import *; print(try_to_load_from_cache('org/tiny', {name!r}))"
        assert python(None, code) == snapshot(repo, name)
    scan = "from huggingface_hub import *; c = scan_cache_dir(); print([r.repo_id for r in c.repos], c.warnings, c.size_on_disk)"
    assert python(None, scan) == f"['org/tiny'] [] {sum(map(len, TINY.values()))}"
    hub.sent.clear()
    assert python(hub, DOWNLOAD.format("org/tiny")) == ours
    assert not [name for name in hub.sent if name], f"it was downloaded again: {hub.sent}"


@with_hub
def test_theirs_is_ours(hub):
    repo = hub.add("org/tiny", {**TINY, "sub/x.txt": b"x"})
    theirs = python(hub, DOWNLOAD.format("org/tiny"))
    check_cache(repo, [*NEEDED, "sub/x.txt"])
    assert works(None, "download", "org/tiny", env={"HF_HUB_OFFLINE": "1"}).out.strip() == theirs
    hub.calls.clear()
    works(hub, "generate", "-m", "org/tiny", *PROMPT)
    assert not hub.calls
    works(hub, "download", "org/tiny")
    assert not hub.paths("HEAD") and not hub.paths(server="storage")
    # a file of theirs alone is no model yet, and the rest is fetched
    repo = hub.add("org/part", TINY)
    python(hub, "from huggingface_hub import *; hf_hub_download('org/part', 'model.safetensors')")
    hub.sent.clear()
    works(hub, "info", "org/part")
    assert "model.safetensors" not in hub.sent, hub.sent
    check_cache(repo, NEEDED)


@with_hub
def test_transformers_reads_ours(hub):
    if not transformers:
        return print("transformers is not installed: not tested with it")
    works(hub, "download", "org/tiny")
    code = ("from transformers import AutoTokenizer, AutoModelForCausalLM\n"
            "t, m = AutoTokenizer.from_pretrained('org/tiny'), AutoModelForCausalLM.from_pretrained('org/tiny')\n"
            "print(m.config.model_type, len(t))")
    assert python(None, code, HF_HUB_OFFLINE="1").startswith("gpt2 ")
    return None


@with_hub
def test_transformers_writes_ours(hub):
    if not transformers:
        return print("transformers is not installed: not tested with it")
    code = ("from transformers import AutoTokenizer, AutoModelForCausalLM\n"
            "AutoTokenizer.from_pretrained('org/tiny'), AutoModelForCausalLM.from_pretrained('org/tiny')")
    python(hub, code)
    works(None, "generate", "-m", "org/tiny", *PROMPT, env={"HF_HUB_OFFLINE": "1"})
    return None


def wait_for(process, path, size):
    while process.poll() is None and not (os.path.exists(path) and os.path.getsize(path) >= size):
        time.sleep(0.02)


@with_hub
def test_what_either_began_the_other_ends(hub):
    """Killed by kill -9 where the connection stands still. Theirs writes pieces of 10 MB."""
    def ours():
        return start(hub, "download", "org/big")

    def theirs():
        return start_python(hub, "from huggingface_hub import *; hf_hub_download('org/big', 'model.safetensors')")
    repo = hub.add("org/big", {**TINY, "model.safetensors": BIG * 4})
    name, path = "model.safetensors", place("hf", "hub", "models--org--big", "blobs", repo.etag("model.safetensors"))
    for first, then, written in ((ours, theirs, 11_000_000), (theirs, ours, 10 << 20)):
        subprocess.run(["rm", "-rf", place("hf")], check=True)
        event = threading.Event()
        hub.hold[name] = (11_000_000, event)
        process = first()
        wait_for(process, path + ".incomplete", written)
        process.send_signal(signal.SIGKILL)
        finish(process)
        hub.hold.clear()
        event.set()
        assert os.path.getsize(path + ".incomplete") == written and not os.path.exists(snapshot(repo, name))
        hub.calls.clear()
        assert finish(then()).returncode == 0
        ranges = [headers.get("Range") for server, _, url, headers in hub.calls if server == "storage" and "/model" in url]
        assert ranges == [f"bytes={written}-"], ranges
        with open(snapshot(repo, name), "rb") as file:
            assert file.read() == repo.files[name]


@with_hub
def test_each_waits_for_the_other(hub):
    for ours_first in (True, False):
        subprocess.run(["rm", "-rf", place("hf")], check=True)
        weights_of(hub)
        event = threading.Event()
        hub.hold["model.safetensors"] = (1_000_000, event)
        hub.sent.clear()
        make = [lambda: start(hub, "download", "org/big"), lambda: start_python(hub, DOWNLOAD.format("org/big"))]
        if not ours_first:
            make.reverse()
        first = make[0]()
        while first.poll() is None and not hub.sent.get("model.safetensors"):
            time.sleep(0.02)
        hub.calls.clear()
        second = make[1]()
        while second.poll() is None and not any("/model.safetensors" in p for p in hub.paths("HEAD")):
            time.sleep(0.02)
        time.sleep(0.5)
        event.set()
        for process in (first, second):
            assert finish(process).returncode == 0, process.err
        assert first.out == second.out and hub.sent["model.safetensors"] == len(BIG), hub.sent


if __name__ == "__main__":
    if not huggingface_hub:
        print(f"""
  NOT TESTED: {sys.executable} has no huggingface_hub. Its cache and ours were not compared.
  Say which python has it: make test-hub PYTHON=path-to-python (pip install huggingface_hub, better transformers and torch too)
""")
        sys.exit(0)
    print(f"huggingface_hub {huggingface_hub.__version__}, transformers {transformers.__version__ if transformers else 'not installed'}")
    program.main(globals())
