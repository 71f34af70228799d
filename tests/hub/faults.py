#!/usr/bin/env python3
"""Downloads that are cut off, lied to, interrupted, too large for the disk, or done twice at the same time.

usage: faults.py [--bin build/cinseq] [--only WORD] [-v]
Every function test_... is a test. Only Python's standard library, no network. The last line is "N passed, N failed".
"""
import json
import os
import pty
import re
import resource
import signal
import subprocess
import threading
import time

from support import (BIG, NEEDED, TINY, blobs, check_cache, environment, fails, finish, place, program, snapshot, start, weights_of, with_hub,
                     works)


# ---- connections ----

@with_hub
def test_cut_connections_are_resumed(hub):
    repo = weights_of(hub)
    hub.cuts["model.safetensors"] = [1_000_000, 1, 500_000]
    done = works(hub, "download", "org/big")
    check_cache(repo, NEEDED)
    assert hub.sent["model.safetensors"] == len(BIG), hub.sent
    ranges = [h.get("Range") for s, m, p, h in hub.calls if s == "storage" and "model" in p]
    assert ranges == [None, "bytes=1000000-", "bytes=1000001-", "bytes=1500001-"], ranges
    assert done.err.count("warning: model.safetensors: the connection broke off at byte") == 3, done.err


@with_hub
def test_a_server_without_ranges(hub):
    repo = weights_of(hub)
    hub.no_range = True
    hub.cuts["model.safetensors"] = [1_000_000]
    works(hub, "download", "org/big")
    check_cache(repo, NEEDED)


@with_hub
def test_a_connection_that_is_always_cut(hub):
    repo = weights_of(hub)
    hub.cuts["model.safetensors"] = [700_000] + [0] * 20
    fails(hub, 1, "broke off its answer", "download", "org/big")
    assert os.path.getsize(place("hf", "hub", "models--org--big", "blobs", repo.etag("model.safetensors") + ".incomplete")) == 700_000
    assert not os.path.exists(place("hf", "hub", "models--org--big", "refs"))
    hub.cuts.clear()
    works(hub, "download", "org/big")
    assert hub.sent["model.safetensors"] == len(BIG)
    check_cache(repo, NEEDED)


@with_hub
def test_busy_servers_are_asked_again(hub):
    left = {"GET /api": 2, "HEAD ": 1, "GET /org": 1}

    def busy(pattern, status):
        def answer(handler):
            with hub.lock:
                left[pattern] -= 1
                if not left[pattern]:
                    del hub.answers[pattern]
            hub.answer(handler, status, {}, b"busy")
        return answer
    hub.answers = {"GET /api": busy("GET /api", 503), "HEAD ": busy("HEAD ", 429), "GET /org": busy("GET /org", 500)}
    works(hub, "download", "org/tiny")
    hub.answers["GET /api"] = (503, {}, b"")
    fails(hub, 1, "answers 503 for the list of files", "download", "org/tiny")


@with_hub
def test_silent_servers(hub):
    event = threading.Event()
    hub.answers["GET /api"] = lambda handler: event.wait(60)
    fails(hub, 2, "cannot be reached: .*(tim|slow)", "info", "-m", "org/tiny", env={"HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "1"})
    event.set()


@with_hub
def test_interrupted(hub):
    """SIGINT, then kill -9: what came stays, and is not fetched again."""
    repo = weights_of(hub)
    event = threading.Event()
    incomplete = place("hf", "hub", "models--org--big", "blobs", repo.etag("model.safetensors") + ".incomplete")
    for signal_number, have in ((signal.SIGINT, 1_000_000), (signal.SIGKILL, 2_000_000)):
        hub.hold["model.safetensors"] = (1_000_000, event)
        process = start(hub, "download", "org/big")
        while process.poll() is None and not (os.path.exists(incomplete) and os.path.getsize(incomplete) == have):
            time.sleep(0.01)
        process.send_signal(signal_number)
        finish(process)
        assert process.returncode in (130, -signal.SIGKILL), (process.returncode, process.err)
        assert os.path.getsize(incomplete) == have
    hub.hold.clear()
    event.set()
    assert not os.path.exists(snapshot(repo, "model.safetensors"))
    works(hub, "download", "org/big")
    check_cache(repo, NEEDED)
    ranges = [h.get("Range") for s, m, p, h in hub.calls if s == "storage" and "model" in p]
    assert ranges == [None, "bytes=1000000-", "bytes=2000000-"], ranges


@with_hub
def test_progress_in_a_terminal(hub):
    weights_of(hub)
    event = threading.Event()
    hub.hold["model.safetensors"] = (1_000_000, event)
    ours, theirs = pty.openpty()
    process = subprocess.Popen([program.BIN, "download", "org/big"], stdout=subprocess.DEVNULL, stderr=theirs, env=environment(hub))
    os.close(theirs)
    drawn = b""
    try:
        while not re.search(rb"downloading \[[# ]{30}\] [01]\.\d/3\.0 MB, \d+ s", drawn):  # ends with an error when the program ends without one
            drawn += os.read(ours, 4096)
    finally:
        event.set()
    assert re.search(rb"downloading 3\.0 MB\r\n", drawn), drawn
    while True:
        try:
            drawn += os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed
            break
    assert process.wait(timeout=60) == 0 and re.search(rb"6 files downloaded, 3\.0 MB in \d+\.\d s\r\n$", drawn), drawn


@with_hub
def test_two_processes_at_once(hub):
    repo = weights_of(hub)
    event = threading.Event()
    hub.hold["model.safetensors"] = (1_000_000, event)
    processes = [start(hub, "download", "org/big") for _ in range(3)]
    while len(hub.paths("HEAD", "hub")) < 3 * 2 * len(NEEDED) - 3 and all(p.poll() is None for p in processes):
        time.sleep(0.01)  # all of them know by now what they want
        if hub.sent.get("model.safetensors"):
            break
    time.sleep(0.3)
    event.set()
    for process in processes:
        assert finish(process).returncode == 0, process.err
        assert process.out == processes[0].out
    check_cache(repo, NEEDED)
    assert hub.sent["model.safetensors"] == len(BIG), "it was fetched more than once"


# ---- servers that lie ----

@with_hub
def test_wrong_bytes(hub):
    repo = hub.repos["org/tiny"]
    for name, kind in (("model.safetensors", "SHA-256"), ("config.json", "git SHA-1")):
        wrong = bytearray(TINY[name])
        wrong[len(wrong) // 2] ^= 1
        hub.contents = {name: bytes(wrong)}
        subprocess.run(["rm", "-rf", place("hf")], check=True)
        fails(hub, 1, f"{name}: has the {kind} [0-9a-f]+, expected {repo.etag(name)}", "download", "org/tiny")
        assert repo.etag(name) not in blobs(repo) and repo.etag(name) + ".incomplete" not in blobs(repo)
        assert not os.path.lexists(snapshot(repo, name))
    hub.contents = {}
    works(hub, "download", "org/tiny")
    check_cache(repo, NEEDED)


@with_hub
def test_what_was_left_is_damaged(hub):
    repo = weights_of(hub)
    os.makedirs(place("hf", "hub", "models--org--big", "blobs"))
    incomplete = place("hf", "hub", "models--org--big", "blobs", repo.etag("model.safetensors") + ".incomplete")
    for left in (b"damaged" * 1000, b"x" * (len(BIG) + 5), b"y" * len(BIG)):
        subprocess.run(["rm", "-rf", place("hf", "hub", "models--org--big", "snapshots")], check=True)
        if os.path.exists(incomplete[:-11]):
            os.remove(incomplete[:-11])
        with open(incomplete, "wb") as file:
            file.write(left)
        works(hub, "download", "org/big")
        check_cache(repo, NEEDED)


@with_hub
def test_sizes_that_lie(hub):
    weights_of(hub)
    name = "model.safetensors"
    size = len(BIG)
    for contents, headers, said in (
            (BIG + b"more", {}, f"sends {size + 4} bytes of {size}, expected {size} of {size}|announced"),
            (BIG[:1000], {}, "sends 1000 bytes"),
            (BIG + b"more", {"Content-Length": None}, f"sends more than the {size} bytes"),
            (BIG[:1000], {"Content-Length": None}, "answers 416 for model.safetensors"),
            (BIG, {"X-Linked-Size": "1"}, "sends 3000000 bytes of 1|announced"),
            (BIG, {"X-Linked-Size": "999999999999999999"}, "needs 1000000000000.0 MB"),
            (BIG, {"X-Linked-Size": "9" * 30}, "answers with no size"),
            (BIG, {"X-Linked-Size": "-5"}, "answers with no size"),
            (BIG, {"X-Linked-Size": None}, "answers with no size")):
        hub.contents, hub.headers = {name: contents}, {name: headers}
        fails(hub, 1, said, "download", "org/big")
        assert not os.path.exists(snapshot(hub.repos["org/big"], name))
    hub.contents, hub.headers = {}, {}
    works(hub, "download", "org/big")
    check_cache(hub.repos["org/big"], NEEDED)


@with_hub
def test_ranges_that_lie(hub):
    name = "model.safetensors"
    for said in ("bytes 0-2999999/3000000", "bytes 1000000-2999999/9", "bytes 1000000-5/3000000", "nonsense", None):
        weights_of(hub)
        subprocess.run(["rm", "-rf", place("hf")], check=True)
        hub.cuts[name] = [1_000_000]
        hub.headers[name] = {}
        done = []

        def answer(handler):
            if handler.headers.get("Range"):
                hub.answer(handler, 206, {"Content-Range": said}, BIG[1_000_000:], name)
            else:
                hub.give_content(handler, "org/big", name)
            done.append(1)
        hub.answers["GET .*signature"] = lambda handler: answer(handler) if name in handler.path else hub.give_content(
            handler, *handler.path.split("?")[0].strip("/").split("/", 1))
        fails(hub, 1, "answers (from byte|with the range)|announced", "download", "org/big")


@with_hub
def test_redirections(hub):
    repo = hub.repos["org/tiny"]
    hub.answers["GET /api"] = (307, {"Location": "/api/models/org/tiny/revision/main"}, b"")
    fails(hub, 1, "redirects more than 10 times", "info", "-m", "org/tiny")
    hub.answers["GET /api"] = (302, {"Location": "file:///etc/passwd"}, b"")
    fails(hub, 1, "redirects to", "info", "-m", "org/tiny")
    hub.answers["GET /api"] = (302, {"Location": "ftp://127.0.0.1/x"}, b"")
    fails(hub, 1, "redirects to .*, expected https or http|no address", "info", "-m", "org/tiny")
    hub.answers["GET /api"] = (302, {"Location": "http://[bad"}, b"")
    fails(hub, 1, "redirects to .*, which is no address", "info", "-m", "org/tiny")
    hub.answers = {"HEAD": (302, {"Location": "/org/tiny/resolve/x/config.json"}, b"")}
    fails(hub, 1, "redirects more than 10 times", "info", "-m", "org/tiny")
    hub.answers = {"GET .*signature": lambda handler: hub.answer(handler, 302, {"Location": handler.path}, b"x" * 100_000)}
    fails(hub, 1, "redirects more than 10 times", "info", "-m", "org/tiny")
    hub.answers = {}
    works(hub, "info", "-m", "org/tiny")
    check_cache(repo, NEEDED)


@with_hub
def test_lists_that_lie(hub):
    commit = hub.repos["org/tiny"].commit

    def lists(*names, sha=commit):
        return json.dumps({"sha": sha, "siblings": [{"rfilename": name} for name in names]}).encode()
    for name in ("../evil", "/etc/passwd", "a\0b", "a//b", "./a", "a/..", "", "x" * 2000, "a\nb"):
        hub.answers["GET /api"] = (200, {}, lists("config.json", name))
        fails(hub, 1, "names the file .*, which does not lie in the repository", "download", "org/tiny", "*")
    for body, said in ((b"", "is not valid JSON"), (b"[" * 100_000, "is not valid JSON"), (b"{}", '"sha": expected a commit'),
                       (lists("a", sha="main"), '"sha"'), (lists("a", sha="../../" + "a" * 34), '"sha"'), (b"[1]", '"sha"'),
                       (json.dumps({"sha": commit, "siblings": {"a": 1}}).encode(), '"siblings": expected a list'),
                       (json.dumps({"sha": commit, "siblings": [1, {"rfilename": 5}]}).encode(), "names the file"),
                       (lists(*["config.json"] * 100_001), "expected a list of at most 100000"),
                       (b'{"sha": "' + b"x" * (33 << 20), "over .* bytes")):
        hub.answers["GET /api"] = (200, {}, body)
        fails(hub, 1, said, "info", "-m", "org/tiny")
    assert not os.path.exists(place("hf", "hub", "models--org--tiny", "snapshots"))


@with_hub
def test_headers_that_lie(hub):
    for header, value, said in (("X-Repo-Commit", "0" * 40, "X-Repo-Commit .*expected"), ("X-Repo-Commit", None, 'X-Repo-Commit "", expected .*a hub'),
                                ("X-Linked-Etag", '"../../../evil"', "no ETag that can name"), ("X-Linked-Etag", '".."', "no ETag"),
                                ("X-Linked-Etag", '"' + "a" * 200 + '"', "no ETag"), ("X-Linked-Etag", "x" * 9000, "a header x-linked-etag of"),
                                ("Location", "x" * 9000, "a header location of")):
        hub.headers = {"model.safetensors": {header: value}}
        fails(hub, 1, said, "info", "-m", "org/tiny")
    def endless(handler):
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(20_000):
                handler.wfile.write(b"X-Again: " + b"y" * 1000 + b"\r\n")
        except OSError:
            pass
        handler.close_connection = True
    hub.headers = {}
    hub.answers["HEAD"] = endless
    fails(hub, 1, "answers with over .* bytes of headers", "info", "-m", "org/tiny")
    hub.answers["HEAD"] = lambda handler: (handler.wfile.write(b"\0\xff nonsense\r\n\r\n"), setattr(handler, "close_connection", True))
    fails(hub, 1, "org/tiny", "info", "-m", "org/tiny")


@with_hub
def test_an_etag_that_is_no_hash(hub):
    """Other servers have such; then the size is what can be checked."""
    hub.headers = {"model.safetensors": {"X-Linked-Etag": '"v-1_2.3"'}}
    done = works(hub, "download", "org/tiny")
    assert "warning: model.safetensors: its ETag is no hash, only its size is checked" in done.err
    assert os.readlink(snapshot(hub.repos["org/tiny"], "model.safetensors")) == "../../blobs/v-1_2.3"


# ---- disks ----

def tmpfs(size):
    """A small disk, where root may make one."""
    os.makedirs(place("hf"), exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place("hf")], capture_output=True)
    return done.returncode == 0


@with_hub
def test_a_disk_that_is_too_small(hub):
    weights_of(hub)
    if not tmpfs("1m"):
        return print("a disk that is too small: no tmpfs can be mounted here, not tested")
    try:
        done = fails(hub, 1, "org/big: needs 3.0 MB in .*, where [01].[0-9] MB are free", "download", "org/big")
        assert "downloading" not in done.err and not hub.sent.get("model.safetensors")
    finally:
        subprocess.run(["umount", place("hf")], check=True)
    return None


@with_hub
def test_a_disk_that_fills_up(hub):
    """Another writer takes the room that was free when the download began."""
    repo = weights_of(hub)
    if not tmpfs("4m"):
        return print("a disk that fills up: no tmpfs can be mounted here, not tested")
    event = threading.Event()
    hub.hold["model.safetensors"] = (500_000, event)
    try:
        process = start(hub, "download", "org/big")
        while process.poll() is None and not hub.sent.get("model.safetensors"):
            time.sleep(0.01)
        with open(place("hf", "other"), "wb") as file:
            file.write(b"x" * 2_000_000)
        event.set()
        finish(process)
        assert process.returncode == 1 and "incomplete: cannot be written: No space left on device" in process.err, process.err
        os.remove(place("hf", "other"))
        works(hub, "download", "org/big")
        check_cache(repo, NEEDED)
        assert hub.sent["model.safetensors"] < 2 * len(BIG)
    finally:
        event.set()
        subprocess.run(["umount", place("hf")], check=True)
    return None


@with_hub
def test_writes_that_fail(hub):
    repo = weights_of(hub)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # noqa: E731
    fails(hub, 1, "incomplete: cannot be written: File too large", "download", "org/big", preexec_fn=limit, restore_signals=False)
    assert repo.etag("model.safetensors") not in blobs(repo)
    works(hub, "download", "org/big")
    check_cache(repo, NEEDED)
    with open(place("file"), "w"):
        pass
    fails(hub, 1, "cannot be made", "download", "org/tiny", "--cache_dir", place("file", "x"))


if __name__ == "__main__":
    program.main(globals())
