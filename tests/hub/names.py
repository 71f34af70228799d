#!/usr/bin/env python3
"""Models by name: where a name leads, which files are fetched, who may have them.

usage: names.py [--bin build/cinseq] [--only WORD] [-v]
Every function test_... is a test. Only Python's standard library, no network. The last line is "N passed, N failed".
"""
import json
import os
import re
import subprocess

from support import (MODELS, NEEDED, PROMPT, SHORT, TINY, Hub, check_cache, fails, folder_files, place, call, program, snapshot,
                     with_hub, works)

SHARDED = folder_files(os.path.join(MODELS, "..", "formats", "llama-sharded"))


# ---- where a name leads ----

@with_hub
def test_a_name_is_downloaded_and_run(hub):
    unneeded = {"README.md": b"#", "tf_model.h5": b"t" * 5000, "pytorch_model.bin": b"p" * 5000, "onnx/model.onnx": b"o" * 5000,
                ".gitattributes": b"*", "onnx/config.json": b"{}", "training_args.bin": b"b"}
    repo = hub.add("org/tiny", {**TINY, **unneeded})
    local = program.works("generate", "-m", os.path.join(MODELS, "gpt2"), *PROMPT).stdout.decode()
    done = works(hub, "generate", "-m", "org/tiny", *PROMPT)
    assert done.out == local
    assert f"downloading {sum(map(len, TINY.values())) / 1e6:.1f} MB" in done.err, done.err
    check_cache(repo, NEEDED)
    # from then on the hub is not asked, whether it is there or not
    hub.calls.clear()
    assert works(hub, "generate", "-m", "org/tiny", *PROMPT).out == local and not hub.calls
    assert works(None, "generate", "-m", "org/tiny", *PROMPT).out == local
    assert works(None, "generate", "-m", "org/tiny", *PROMPT, env={"HF_HUB_OFFLINE": "1"}).out == local


@with_hub
def test_results_bear_the_name(hub):
    works(hub, "attribute", "-m", "org/tiny", *PROMPT, "--hide", "-o", "r.json")
    assert '"org/tiny"' in open(place("r.json")).read() and program.FOLDER not in open(place("r.json")).read()


@with_hub
def test_a_folder_comes_first_then_an_installed_model(hub):
    os.makedirs(place("org"))
    os.symlink(os.path.abspath(os.path.join(MODELS, "gpt2")), place("org", "tiny"))
    works(hub, "generate", "-m", "org/tiny", *PROMPT)
    hub.add("stories260K", {"config.json": b"{}"})
    works(hub, "generate", "-m", "stories260K", "-i", "Once", *SHORT)
    assert not hub.calls


@with_hub
def test_names_without_owner_and_renamed_ones(hub):
    hub.add("tiny", TINY)
    works(hub, "info", "tiny")
    assert os.path.isdir(place("hf", "hub", "models--tiny", "snapshots"))
    hub.renamed["old-tiny"] = "org/tiny"
    works(hub, "info", "old-tiny")


@with_hub
def test_names_that_are_nowhere(hub):
    both = "is no model folder and no installed model"
    said = fails(hub, 2, f"zh-en-mni: {both}, and is not on {hub.endpoint} .*HF_TOKEN is not set.: did you mean \"zh-en-mini\"", "info",
                 "-m", "zh-en-mni").err
    assert "list installed" not in said
    fails(hub, 2, f"org/tinny: {both}, and is not on .*cinseq list installed", "info", "-m", "org/tinny")
    fails(hub, 2, f"{both}, and is not on {hub.endpoint} ", "info", "-m", "org/tinny", env={"HF_TOKEN": "t"})
    fails(None, 2, f"zh-en-mni: {both}, and cannot be downloaded: http://127.0.0.1:9 cannot be reached: .*did you mean \"zh-en-mini\"", "info",
          "-m", "zh-en-mni")
    for variable, value in (("HF_HUB_OFFLINE", "1"), ("HF_HUB_OFFLINE", "yes"), ("TRANSFORMERS_OFFLINE", "TRUE")):
        fails(hub, 2, f"{both}, and is not in the cache .*{variable}: nothing is downloaded.: did you mean", "info", "-m", "zh-en-mni",
              env={variable: value})
    asked = len(hub.calls)
    fails(hub, 2, f"{both}, and .*local_files_only", "info", "-m", "org/tiny", "--model_kwargs", '{"local_files_only": true}')
    for name in ("a/b/c", "../tiny", "/no/such", "org--tiny", "-x/y", "x y", "org/tiny.git", "org/", "a" * 97, "org/tiny:../x", "t\u00e4"):
        fails(hub, 2, f"{both} .see", "info", "--model_name_or_path=" + name)
    assert len(hub.calls) == asked
    fails(hub, 2, "is no name of a model", "download", "a/b/c")
    fails(hub, 1, "no-such.gguf.*cannot be opened", "info", "no-such.gguf")


@with_hub
def test_revisions(hub):
    repo = hub.add("org/tiny", TINY, revisions=("main", "refs/pr/1", "v1.0"))
    works(hub, "info", "-m", "org/tiny", "--revision", "refs/pr/1")
    assert hub.paths("GET", "hub")[0] == "/api/models/org/tiny/revision/refs%2Fpr%2F1"
    works(None, "info", "-m", "org/tiny", "--model_kwargs", '{"revision": "refs/pr/1"}')
    works(None, "info", "-m", "org/tiny", "--revision", repo.commit)
    fails(None, 2, "cannot be downloaded", "info", "-m", "org/tiny")
    works(hub, "download", "org/tiny", "--revision", "v1.0")
    works(None, "info", "-m", "org/tiny", "--revision", "v1.0")
    fails(hub, 2, 'has no revision "v2"', "info", "-m", "org/tiny", "--revision", "v2")
    for bad in ("../main", "/etc", "a//b", "a\nb"):
        fails(hub, 2, "is no branch, tag or commit", "info", "-m", "org/tiny", "--revision", bad)


@with_hub
def test_cache_folder_by_argument(hub):
    works(hub, "download", "org/tiny", "--cache_dir", place("elsewhere"))
    assert os.listdir(place("elsewhere")) and not os.path.exists(place("hf"))
    works(None, "info", "-m", "org/tiny", "--model_kwargs", json.dumps({"cache_dir": place("elsewhere")}))


# ---- which files ----

@with_hub
def test_shards(hub):
    other = "model-00009-of-00009.safetensors"
    repo = hub.add("org/sharded", {**SHARDED, other: b"x" * 2000})
    works(hub, "generate", "-m", "org/sharded", *PROMPT)
    check_cache(repo, [name for name in repo.files if name != other])
    # a cache that lacks a shard is no whole model
    os.remove(snapshot(repo, "model-00002-of-00004.safetensors"))
    fails(None, 2, "is without shards of its weights in the cache", "info", "-m", "org/sharded", env={"HF_HUB_OFFLINE": "1"})
    hub.calls.clear()
    works(hub, "generate", "-m", "org/sharded", *PROMPT)
    assert [p for p in hub.paths("HEAD") if "resolve/" in p] == [f"/org/sharded/resolve/{repo.commit}/model-00002-of-00004.safetensors"]
    assert not hub.paths(server="storage")  # its blob was still there
    index = json.loads(SHARDED["model.safetensors.index.json"])
    index["weight_map"]["extra"] = "../../config.json"
    hub.add("org/evil", {**SHARDED, "model.safetensors.index.json": json.dumps(index).encode()})
    fails(hub, 1, 'gives no file of the repository for tensor "extra"', "download", "org/evil")


@with_hub
def test_weights_of_torch_where_there_are_no_others(hub):
    files = folder_files(os.path.join(MODELS, "marian"))
    del files["model.safetensors"]
    files.update(folder_files(os.path.join(MODELS, "..", "formats", "marian-zip")))
    repo = hub.add("org/torch", {**files, "rust_model.ot": b"r" * 5000})
    works(hub, "info", "org/torch")
    check_cache(repo, list(files))


@with_hub
def test_models_that_lack_something(hub):
    hub.add("org/empty", {"README.md": b""})
    hub.add("org/weightless", {n: c for n, c in TINY.items() if n != "model.safetensors"})
    hub.add("org/mute", {n: TINY[n] for n in ("config.json", "model.safetensors")})
    fails(hub, 1, "org/empty: has no weights: model.safetensors", "info", "-m", "org/empty")
    fails(hub, 1, "org/weightless: has no weights", "info", "-m", "org/weightless")
    fails(hub, 1, "org/mute: has no files of a tokenizer", "info", "-m", "org/mute")


@with_hub
def test_gguf(hub):
    names = ["m-Q4_K_M.gguf", "m-Q4_K.gguf", "m.Q8_0.gguf", "mmproj-m-f16.gguf", "sub/m-f16-00001-of-00002.gguf",
             "sub/m-f16-00002-of-00002.gguf"]
    repo = hub.add("org/m-GGUF", {**{name: name.encode() * 100 for name in names}, "config.json": b"{}"})
    for choice, chosen in ((":m.Q8_0.gguf", ["m.Q8_0.gguf"]), (":q8_0", ["m.Q8_0.gguf"]), (":Q4_K", ["m-Q4_K.gguf"]),
                           ("", ["m-Q4_K_M.gguf"]), (":F16", names[4:]), (":sub/m-f16-00001-of-00002.gguf", names[4:])):
        hub.calls.clear()
        done = works(hub, "download", "org/m-GGUF" + choice)
        assert done.out.strip() == snapshot(repo, chosen[0]), (choice, done.out)
        looked = [p.rsplit("/", 1)[1] for p in hub.paths("HEAD", "hub") if "/resolve/" in p]
        assert set(looked) <= {os.path.basename(n) for n in chosen}, (choice, looked)
        assert all(os.path.isfile(snapshot(repo, n)) for n in chosen), choice
        assert works(None, "download", "org/m-GGUF" + choice, env={"HF_HUB_OFFLINE": "1"}).out == done.out
    fails(hub, 2, 'has no .gguf file for "Q2_K", only m-Q4_K.gguf', "download", "org/m-GGUF:Q2_K")
    fails(hub, 2, "has no .gguf file for", "download", "org/m-GGUF:no.gguf")
    fails(hub, 1, "m-Q4_K.gguf: is no GGUF|m-Q4_K.gguf", "info", "org/m-GGUF:Q4_K")  # it was found, and is none
    hub.add("org/several", {"a-Q2_K.gguf": b"a", "b-Q3_K.gguf": b"b"})
    fails(hub, 2, "holds several .gguf files: name one behind a colon, among a-Q2_K.gguf, b-Q3_K.gguf", "download", "org/several")


@with_hub
def test_files_by_name(hub):
    repo = hub.add("org/tiny", {**TINY, "sub/folder/x y.txt": b"text", "sub/z.txt": b""})
    assert works(hub, "download", "org/tiny", "config.json").out.strip() == snapshot(repo, "config.json")
    assert works(hub, "download", "org/tiny", "sub/*").out.strip() == snapshot(repo)
    check_cache(repo, ["config.json", "sub/folder/x y.txt", "sub/z.txt"])
    assert works(None, "download", "org/tiny", "config.json", env={"HF_HUB_OFFLINE": "1"}).out.strip() == snapshot(repo, "config.json")
    fails(hub, 2, 'has no file "nothing.json"', "download", "org/tiny", "nothing.json")
    # that is not yet a model
    fails(None, 2, "and is without weights.* in the cache", "info", "-m", "org/tiny", env={"HF_HUB_OFFLINE": "1"})
    works(hub, "info", "-m", "org/tiny")


@with_hub
def test_download_looks_for_what_is_new(hub):
    old = hub.repos["org/tiny"]
    works(hub, "download", "org/tiny")
    new = hub.add("org/tiny", {**TINY, "config.json": TINY["config.json"] + b" ", "added_tokens.json": b"{}"})
    works(hub, "info", "-m", "org/tiny")
    assert not os.path.exists(snapshot(new))  # the cache is enough
    hub.sent.clear()
    assert works(hub, "download", "org/tiny").out.strip() == snapshot(new)
    assert {f for f in hub.sent if f} == {"config.json", "added_tokens.json"}, hub.sent
    assert os.path.isdir(snapshot(old))
    done = works(None, "download", "org/tiny")  # no network: what is here
    assert done.out.strip() == snapshot(new) and "warning: org/tiny: cannot be downloaded" in done.err, done


# ---- who may ----

@with_hub
def test_the_token_goes_to_the_hub_alone(hub):
    repo = hub.repos["org/tiny"]
    repo.token = "hf_secret"
    os.makedirs(place("hf"))
    with open(place("hf", "token"), "w") as file:
        file.write(" hf_secret\r\n")
    with open(place("other"), "w") as file:
        file.write("hf_secret")
    fails(hub, 2, "not for everybody", "download", "org/tiny", env={"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})
    fails(hub, 2, "not for everybody", "info", "-m", "org/tiny", "--model_kwargs", '{"token": false}')
    for env in ({"HF_TOKEN": "hf_secret"}, {"HUGGING_FACE_HUB_TOKEN": "hf_secret"}, {"HF_TOKEN_PATH": place("other")}, {}):
        subprocess.run(["rm", "-rf", place("hf", "hub")], check=True)
        hub.calls.clear()
        works(hub, "download", "org/tiny", env=env)
        assert any(server == "storage" for server, *_ in hub.calls)
        for server, method, path, headers in hub.calls:
            assert headers.get("Authorization") == ("Bearer hf_secret" if server == "hub" else None), (server, method, path, headers)
    works(hub, "info", "-m", "org/tiny", "--model_kwargs", '{"token": "hf_secret"}')


@with_hub
def test_who_may_not(hub):
    hub.add("org/gated", TINY).gated = True
    where = re.escape(hub.endpoint)
    fails(hub, 1, f"org/gated: is gated: accept its terms at {where}/org/gated and set HF_TOKEN", "info", "-m", "org/gated")
    fails(hub, 1, "is gated.*the token that is set may not read it yet", "info", "-m", "org/gated", env={"HF_TOKEN": "t"})
    fails(hub, 1, "refuses the token.*Invalid credentials", "info", "-m", "org/tiny", env={"HF_TOKEN": "wrong"})
    fails(hub, 2, "HF_TOKEN: holds no token", "info", "-m", "org/tiny", env={"HF_TOKEN": "a b"})
    fails(hub, 2, "HF_ENDPOINT: .*is no address", "info", "-m", "org/tiny", env={"HF_ENDPOINT": "file:///etc"})
    done = fails(hub, 2, "cannot be reached", "info", "-m", "org/tiny", env={"HF_ENDPOINT": "http://me:secret@127.0.0.1:9"})
    assert "secret" not in done.err
    hub.answers["GET /api"] = (403, {"X-Error-Message": "not \x1b[2Jfor you"}, b"")
    assert "\x1b" not in fails(hub, 1, "answers 403: not .*for you", "info", "-m", "org/tiny").err


# ---- caches that others have made ----

def test_links_of_a_cache_that_lead_nowhere():
    hub = Hub()
    try:
        repo = hub.add("org/tiny", TINY)
        works(hub, "download", "org/tiny")
        os.remove(place("hf", "hub", "models--org--tiny", "blobs", repo.etag("model.safetensors")))
        fails(None, 2, "is without weights.* in the cache", "info", "-m", "org/tiny", env={"HF_HUB_OFFLINE": "1"})
        works(hub, "info", "-m", "org/tiny")
        check_cache(repo, NEEDED)
        for text in ("../../..", "x" * 5000, "", "0" * 40):  # refs that lead nowhere
            with open(place("hf", "hub", "models--org--tiny", "refs", "main"), "w") as file:
                file.write(text)
            done = call(None, "info", "-m", "org/tiny", env={"HF_HUB_OFFLINE": "1"})
            assert done.returncode in (1, 2) and done.err.count("\n") == 1, done.err
    finally:
        hub.close()


if __name__ == "__main__":
    program.main(globals())
