#!/usr/bin/env python3
"""The program against folders, files and texts that mean harm, and against a system that fails it: it ends with one line
that names what is wrong, or it works; it never hangs, dies of a signal, runs what a file says or leaves half a file.

usage: hostile.py [--bin build/cinseq] [--only WORD] [-v]
"""
import array
import io
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import time
import zipfile

import program
from program import MODELS, SHORT, bad, edit_config, edit_tensors, fails, in_terminal, spoilt, works, write

NOBODY = 65534
SAVED = ("attribute", "-m", os.path.join(MODELS, "gpt2"), "-i", "He's going", *SHORT, "--hide")


def place(name):
    return os.path.join(program.FOLDER, name)


def ends_well(folder, *names):
    """The program opens the folder, or ends with a line that says one of the names. Gives whether it opened."""
    done = program.run("generate", "-m", folder, "-i", "He's going", "--generation_kwargs", '{"max_new_tokens": 2}')
    problems = [line for line in done.stderr.decode().splitlines() if not line.startswith("warning: ")]
    assert done.returncode in (0, 1, 2), f"exit code {done.returncode}: {problems}"
    if done.returncode:
        assert len(problems) == 1 and any(name in problems[0] for name in names), f"{names}: {problems}"
    return done.returncode == 0


# ---- files that are none ----

FILES = {"llama": ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                   "special_tokens_map.json"),
         "marian": ("source.spm", "target.spm", "vocab.json")}
NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "source.spm", "target.spm", "vocab.json")


def replaced_by(make):
    """Each file of a model in turn is what make(path) makes; those that a model cannot lack are errors."""
    for arch, names in FILES.items():
        for name in names:
            def change(folder):
                path = os.path.join(folder, name)
                os.remove(path)
                make(path)
            opened = ends_well(spoilt(change, arch), name, "tokenizer")
            assert not (opened and name in NEEDED), f"{name} was not missed"


def test_links_in_a_loop():
    replaced_by(lambda path: os.symlink(path, path))


def test_links_to_nowhere():
    replaced_by(lambda path: os.symlink("/nowhere/at/all", path))


def test_links_to_devices():
    for device in ("/dev/zero", "/dev/full", "/dev/random", "/dev/tty"):
        replaced_by(lambda path: os.symlink(device, path))


def test_pipes():
    replaced_by(os.mkfifo)


def test_folders_in_place_of_files():
    replaced_by(os.mkdir)


def test_empty_files():
    replaced_by(lambda path: open(path, "w").close())


def test_a_terabyte_of_nothing():
    def make(path):
        with open(path, "w") as file:
            file.truncate(1 << 40)
    try:
        make(place("sparse"))
    except OSError:
        return print("a terabyte of nothing: no sparse files here, not tested")
    replaced_by(make)


def test_unreadable_files():
    """Root reads everything: then the program runs as nobody."""
    user = {"user": NOBODY} if os.geteuid() == 0 else {}
    for name in FILES["llama"][:5]:  # the last is not looked at where tokenizer_config.json says all
        folder = spoilt(lambda folder: os.chmod(os.path.join(folder, name), 0))
        for path in (program.FOLDER, folder):
            os.chmod(path, 0o755)
        done = subprocess.run([program.BIN, "info", "-m", folder], capture_output=True, cwd="/", timeout=60, **user)
        if user and b"ermission denied" in done.stderr and name.encode() not in done.stderr:
            return print("unreadable files: nobody cannot run the program here, not tested")
        assert done.returncode == 1 and re.search(name.encode() + b".*ermission denied", done.stderr), (name, done)


def test_long_paths():
    fails((1, 2), ".", "info", "-m", "x" * 5000)
    fails((1, 2), ".", "info", "-m", "/".join(["folder"] * 2000))
    fails((1, 2), ".", "view", "y" * 100000)
    deep = place("d" * 200)
    for _ in range(3):
        os.mkdir(deep)
        deep = os.path.join(deep, "d" * 200)
    shutil.copytree(os.path.join(MODELS, "llama"), deep)
    assert ends_well(deep)
    done = program.run(*SAVED, "-o", place("z" * 300))
    assert done.returncode == 1 and b"name too long" in done.stderr, done


# ---- checkpoints that would do something ----

class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def torch_folder(content, as_zip=None):
    """A llama folder with pytorch_model.bin in place of its weights. as_zip: how the zip file is written."""
    def change(folder):
        os.remove(os.path.join(folder, "model.safetensors"))
        if as_zip:
            as_zip(os.path.join(folder, "pytorch_model.bin"))
        else:
            with open(os.path.join(folder, "pytorch_model.bin"), "wb") as file:
                file.write(content)
    return change


def zip_of(entries, compression=zipfile.ZIP_STORED):
    def write_zip(path):
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
    return write_zip


def test_pickles_that_call():
    mark = place("it-ran")
    calls = [Calls(os.system, f"touch {mark}"), Calls(eval, f"open({mark!r}, 'w')"), Calls(exec, f"open({mark!r}, 'w')"),
             {"x": [Calls(Calls, Calls(os.system, f"touch {mark}"))]}, Calls(__import__, "os"), Calls(subprocess.Popen, ["touch", mark])]
    magic = pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    for call in calls:
        for protocol in (2, 4):
            dumped = pickle.dumps({"model.norm.weight": call}, protocol)
            bad("pytorch_model.bin.*pickle", torch_folder(magic + dumped))
            bad("pytorch_model.bin.*pickle", torch_folder(None, zip_of({"archive/data.pkl": dumped, "archive/version": "3\n"})))
    hand_made = [b"\x80\x02cposix\nsystem\nX\x05\0\0\0touch\x85R.", b"\x80\x02(S'touch'\nios\nsystem\n.", b"\x80\x04\x95\0\0\0\0\0\0\0\0\x8c\x02os"
                 b"\x8c\x06system\x93\x8c\x05touch\x85R.", b"\x80\x02\x82\x01.", b"\x80\x02(cos\nsystem\nX\x05\0\0\0toucho.",
                 b"\x80\x02c__builtin__\neval\nX\x01\0\0\0aR.", b"cos\nsystem\n(S'touch'\ntR."]
    for dumped in hand_made:
        bad("pytorch_model.bin.*pickle", torch_folder(magic + dumped))
    assert not os.path.exists(mark)


def test_zip_bombs():
    zeros = b"\0" * 50_000_000
    bad("compressed", torch_folder(None, zip_of({"archive/data.pkl": zeros}, zipfile.ZIP_DEFLATED)))
    bad("compressed", torch_folder(None, zip_of({"archive/data.pkl": b"x" * 100, "archive/data/0": zeros}, zipfile.ZIP_LZMA)))

    def lying(path):
        whole = io.BytesIO()
        zip_of({"archive/data.pkl": b"x" * 100})(whole)
        content = bytearray(whole.getvalue())
        at = content.rindex(b"PK\x01\x02")
        struct.pack_into("<II", content, at + 20, 0xfffffff0, 0xfffffff0)
        with open(path, "wb") as file:
            file.write(content)
    bad("out of range", torch_folder(None, lying))


# ---- numbers and structures ----

def test_numbers_that_ask_for_everything():
    huge = (2**16, 2**20, 2**28, 2**31, 2**53, 2**63 - 1, 1e300, -1, -2**31, 0)
    keys = ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "num_hidden_layers",
            "vocab_size", "max_position_embeddings", "bos_token_id", "eos_token_id", "rope_theta", "rms_norm_eps")
    for key in keys:
        for number in huge:
            ends_well(spoilt(edit_config(**{key: number})), key, "tensor", "weight", "config.json", "not finite", "norm", "logits", "id ")
    for key in ("d_model", "max_position_embeddings", "encoder_layers", "decoder_ffn_dim", "encoder_attention_heads", "decoder_start_token_id",
                "decoder_vocab_size", "pad_token_id"):
        for number in huge:
            ends_well(spoilt(edit_config(**{key: number}), "marian"), key, "tensor", "weight", "config.json", "logits", "memory", "id ")
    for key in ("max_length", "max_new_tokens", "num_beams", "num_return_sequences", "top_k", "min_length", "no_repeat_ngram_size"):
        for number in huge:
            folder = spoilt(write("generation_config.json", json.dumps({key: number})))
            ends_well(folder, key, "memory", "generation_config", "positions", "num_beams")


def test_memory_stays_small():
    """What is refused is refused before it is asked for: under a limit of address space nothing dies."""
    limit = "ulimit -v 8000000; exec \"$@\""
    if subprocess.run(["sh", "-c", limit, "sh", program.BIN, "--version"], capture_output=True, timeout=60).returncode:
        return print("a limit of address space: a sanitized program cannot start under it, not tested")
    for key, number in (("max_position_embeddings", 65536), ("d_model", 1 << 20), ("vocab_size", 1 << 28)):
        folder = spoilt(edit_config(**{key: number}), "marian")
        done = subprocess.run(["sh", "-c", limit, "sh", program.BIN, "info", "-m", folder], capture_output=True, timeout=60)
        assert done.returncode in (0, 1), (key, done)


def test_json_without_end():
    """A tree takes 45 times what the text takes."""
    text = '{"a": [' + "[]," * 30_000_000 + "[]]}"
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        bad(name + ".*expected at most 67108864", write(name, text))


def test_json_that_nests():
    for text in ("[" * 100000, '{"a":' * 100000, "[" * 2000 + "]" * 2000):
        for name in FILES["llama"]:
            if name != "model.safetensors":
                ends_well(spoilt(write(name, text)), name)
        header = text.encode()
        with open(place("r.json"), "w") as file:
            file.write(text)
        fails(1, "r.json", "view", "r.json")

        def change(folder):
            with open(os.path.join(folder, "model.safetensors"), "wb") as file:
                file.write(struct.pack("<Q", len(header)) + header)
        bad("model.safetensors", change)


def test_numbers_that_are_none():
    for value in ("NaN", "Infinity", "-Infinity", "1e999", "0x10", "01", "1e", "--1", "\"\\ud800\""):
        folder = spoilt(lambda folder: None)
        with open(os.path.join(folder, "config.json")) as file:
            text = file.read()
        write("config.json", re.sub(r'"rope_theta": [^,\n]*', lambda _: f'"rope_theta": {value}', text))(folder)
        with open(os.path.join(folder, "config.json")) as file:
            assert value in file.read()
        assert not ends_well(folder, "config.json")


def test_numbers_that_overflow_on_the_way_back():
    """The model's values are finite: what overflows are gradients, or squares of gradients. An error by step and node, no table."""
    def steep(header, body):
        def multiply(name, factor):
            begin, end = header[name]["data_offsets"]
            body[begin:end] = array.array("f", [factor * v for v in array.array("f", bytes(body[begin:end]))]).tobytes()
        begin, end = header["lm_head.weight"]["data_offsets"]
        factor = 3e38 / max(map(abs, array.array("f", bytes(body[begin:end]))))
        multiply("lm_head.weight", factor)
        multiply("model.norm.weight", 1 / factor)

    def large(header, body):
        begin, end = header["lm_head.weight"]["data_offsets"]
        body[begin:end] = array.array("f", [1e30 * v for v in array.array("f", bytes(body[begin:end]))]).tobytes()
    text = ("-i", "He's going", "-g", "He's going to learn")
    folder = spoilt(edit_tensors(steep))
    assert works("attribute", "-m", folder, *text, "--step_scores", "probability").stdout
    for method in ("saliency", "integrated_gradients", "deeplift", "layer_gradient_x_activation", "sequential_integrated_gradients"):
        fails(1, "output.norm: step 1: the gradient by this node is not finite", "attribute", "-m", folder, *text, "-a", method, "-fn", "perplexity")
    folder = spoilt(edit_tensors(large))
    assert works("attribute", "-m", folder, *text, "-fn", "logit").stdout
    fails(1, "squaregrad: step 1: the score of target token 0 is not finite", "attribute", "-m", folder, *text, "-a", "squaregrad", "-fn", "logit")


def test_keys_that_are_there_twice():
    """The last counts, as in Python's json; in a header of tensors it is an error."""
    def twice(folder):
        path = os.path.join(folder, "config.json")
        with open(path) as file:
            text = file.read().strip()
        write("config.json", text[:-1] + ', "num_hidden_layers": 1}')(folder)
    assert json.loads(works("info", "-m", spoilt(twice), "--json").stdout)["decoder"]["layers"] == 1

    def same(folder):
        path = os.path.join(folder, "model.safetensors")
        with open(path, "rb") as file:
            raw = file.read()
        size = struct.unpack_from("<Q", raw)[0]
        name = b'"model.norm.weight":'
        header = raw[8:8 + size]
        start = header.index(name)
        header = header[:start] + header[start:header.index(b"}", start) + 1] + b"," + header[start:]
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header + raw[8 + size:])
    bad("duplicate", same)


# ---- files that change, disks that are full, processes that are killed ----

def test_weights_that_are_cut_off_under_the_run():
    """SIGBUS: a line that names the file, exit code 1."""
    folder = spoilt(lambda folder: None)
    weights = os.path.join(folder, "model.safetensors")
    slow = '{"n_steps": 1000}'
    process = subprocess.Popen([program.BIN, "attribute", "-m", folder, "-i", "He's going", "--threads", "1", "-a", "integrated_gradients",
                                "--attribution_kwargs", slow, "--generation_kwargs", '{"max_new_tokens": 100, "min_new_tokens": 100}'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.time() + 60
    while time.time() < deadline and process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/maps") as maps, open(f"/proc/{process.pid}/stat") as times:
                started = weights in maps.read() and int(times.read().split()[13]) > 10  # 0.1 s of its own
        except OSError:
            started = False
        if started:
            break
        time.sleep(0.01)
    os.truncate(weights, 100)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and out == b"", (process.returncode, err)
    lines = [line for line in err.decode().splitlines() if "tokens," not in line]
    assert len(lines) == 1 and lines[0].endswith("model.safetensors: became shorter while it was in use"), err


def test_full_disk():
    os.symlink("/dev/full", place("page.html"))
    for flag, path in (("-o", "/dev/full"), ("--viz_path", place("page.html"))):
        done = program.run(*SAVED, flag, path)
        assert done.returncode == 1 and path.encode() + b": cannot be written: No space left on device" in done.stderr, done
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
    done = subprocess.run([program.BIN, *SAVED[:-1]], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"No space left" in done.stderr, done


def test_small_disk():
    disk = place("disk")
    os.mkdir(disk)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", disk], capture_output=True).returncode:
        return print("small disk: a tmpfs cannot be mounted here, not tested")
    try:
        path = os.path.join(disk, "r.json")
        with open(path, "w") as file:
            file.write("old")
        done = program.run(*SAVED, "-o", path)
        assert done.returncode == 1 and b"r.json: cannot be written: No space left on device" in done.stderr, done
        assert os.listdir(disk) == ["r.json"] and open(path).read() == "old"
    finally:
        subprocess.run(["umount", disk], check=True)


def test_killed_while_saving():
    path = place("r.json")
    works(*SAVED, "-o", path)
    with open(path) as file:
        whole = json.load(file)
    start = time.time()
    works(*SAVED, "-o", path)
    usual, choice = time.time() - start, random.Random(4)
    for _ in range(15):
        process = subprocess.Popen([program.BIN, *SAVED, "-o", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(usual * choice.uniform(0.5, 1.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with open(path) as file:
            found = json.load(file)
        assert found["attributes"]["sequence_attributions"] == whole["attributes"]["sequence_attributions"]


def test_old_file_keeps_its_mode():
    path = place("r.json")
    with open(path, "w"):
        pass
    os.chmod(path, 0o600)
    works(*SAVED, "-o", path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.path.getsize(path) > 1000


# ---- texts ----

EVIL = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e<script>alert(1)</script>&\"'"


def evil_model():
    """A model whose likeliest tokens carry escape sequences and markup."""
    def change(folder):
        path = os.path.join(folder, "tokenizer.json")
        with open(path) as file:
            tokenizer = json.load(file)
        for token, number in list(tokenizer["model"]["vocab"].items()):
            if number > 300:
                del tokenizer["model"]["vocab"][token]
        tokenizer["model"]["merges"] = []
        tokenizer["added_tokens"] += [{"id": i, "content": EVIL + str(i), "special": False, "normalized": False, "single_word": False,
                                       "lstrip": False, "rstrip": False} for i in range(301, 480)]
        write("tokenizer.json", json.dumps(tokenizer))(folder)
        write("tokenizer_config.json", json.dumps({"tokenizer_class": "A\x1b[2J\u009bB"}))(folder)

    def name(head, body):
        head["\x1b[31m\u009b\u202eextra"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(body), len(body) + 4]}
        body += b"1234"
    folder = spoilt(change)
    edit_tensors(name)(folder)
    return folder


def obeyed(text):
    """What a terminal would obey, except the colours that are ours."""
    return re.findall("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", re.sub(r"\x1b\[[0-9;]*[mK]", "", text))


def test_terminals_are_not_steered():
    folder = evil_model()
    many = ("--generation_kwargs", '{"max_new_tokens": 8, "min_new_tokens": 8}')
    page = place("p.html")
    for arguments in (("attribute", "-m", folder, "-i", "He's " + EVIL + "301", *many), ("generate", "-m", folder, "-i", "He's going", *many),
                      ("generate", "-m", folder, "-i", "He's going", "--json", *many), ("info", "-m", folder)):
        shown = in_terminal(*arguments)
        assert not obeyed(shown), (arguments[0], obeyed(shown))
        done = works(*arguments)
        assert not obeyed(done.stderr.decode()) and b"warning" in done.stderr or arguments[0] == "info", done.stderr
    done = works("attribute", "-m", folder, "-i", "He's going", *many, "--viz_path", page, "-o", place("r.json"))
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "alert(1)" in text and "<script" not in text and not obeyed(text)
    assert not obeyed(works("view", place("r.json")).stdout.decode())
    done = program.run("info", "-m", spoilt(edit_config(model_type="\x1b[2J\u009b\u202ex")))
    assert done.returncode == 1 and not obeyed(done.stderr.decode()), done


def processor_seconds():
    """Of all programs that have ended: other work on the machine does not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_texts_without_measure():
    """A megabyte is too much for any model here, and is said to be so at once."""
    for arch in ("gpt2", "llama", "marian"):
        for piece in ("a", "今", " ", "\U0001f600", "\u202e", "\x01", "'", "1 ", "e\u0301", "<s>"):
            with open(place("text"), "w", encoding="utf-8") as file:
                file.write(piece * (1_000_000 // len(piece.encode())))
            start = processor_seconds()
            done = program.run("generate", "-m", os.path.join(MODELS, arch), "-i", "@" + place("text"), *SHORT)
            took = processor_seconds() - start
            assert done.returncode in (0, 2) and took < 60, (arch, piece, took, done.stderr[-300:])


def test_nul_and_ill_formed_bytes():
    for content in (b"a\0b", b"\0", b"\xff\xfe\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"):
        with open(place("text"), "wb") as file:
            file.write(content)
        done = program.run("generate", "-m", os.path.join(MODELS, "gpt2"), "-i", "@" + place("text"), *SHORT)
        assert done.returncode in (0, 1, 2) and done.stderr.count(b"\n") <= 1, (content, done)
        assert done.returncode != 0 or b"\0" not in content, content


if __name__ == "__main__":
    program.main(globals())
