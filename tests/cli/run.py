#!/usr/bin/env python3
"""The program as a user meets it: exit codes, messages, what goes where, bad files.

usage: run.py [--bin build/cinseq] [--only WORD] [-v]
Every function test_... is a test. Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import base64
import csv
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
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

def test_alone_prints_help_and_fails_as_inseq_does():
    done = run()
    assert done.returncode == 1 and b"attribute" in done.stdout


def test_help():
    assert works("--help").stdout == run().stdout == works("help").stdout
    assert works("help", "view").stdout == works("view", "--help").stdout
    assert b"--no_normalize" in works("view", "--help").stdout
    for command in ("attribute", "generate", "view", "download", "info", "list"):
        text = works(command, "--help").stdout.decode()
        assert text.startswith(f"usage: cinseq {command}") and "Examples" in text
        assert all(len(line) <= 100 for line in text.split("Examples")[0].splitlines())
    text = works("attribute", "-h").stdout.decode()
    for flag in ("-m, --model_name_or_path", "-a, --attribution_method", "-fn, --attributed_fn", "-i, --input_texts",
                 "-g, --generated_texts", "-bs, --batch_size", "-s, --start_pos", "-e, --end_pos", "-o, --save_path", "--viz_path",
                 "--hide, --hide_attributions", "--eos, --include_eos_baseline", "-v, --verbose", "-vv, --very_verbose",
                 "--step_scores", "--attribute_target", "--model_kwargs", "--tokenizer_kwargs", "--generation_kwargs",
                 "--attribution_kwargs", "--dev, --device"):
        assert flag in text, flag
    assert "(default: saliency)" in text and "(default: 8)" in text


def test_view_shows_what_attribute_showed():
    shown = works(*ZH, "-o", "view.json").stdout
    assert works("view", "view.json").stdout == shown
    works("view", "view.json", "--hide", "--viz_path", "view.html", "-o", "again.json")
    assert works("view", "again.json").stdout == shown and os.path.getsize(os.path.join(FOLDER, "view.html")) > 1000
    fails(1, "nothing-there.json", "view", "nothing-there.json")
    fails(2, "expected a file", "view")


def test_info_describes_a_folder():
    info = json.loads(works("info", "-m", "stories260K", "--json").stdout)
    assert (info["architecture"], info["parameters"], info["vocabulary"]) == ("llama", 260032, 512), info
    assert info["decoder"]["layers"] == 5 and info["checkpoint"]["types"] == {"F32": 260032}, info
    assert b"MarianMTModel" in works("info", "-m", "zh-en-mini").stdout == works("info", "zh-en-mini").stdout
    eight = json.loads(works("info", "-m", "stories260K", "--json", "--model_kwargs", '{"load_in_8bit": true}').stdout)
    assert eight["quantization"] == {"method": "LLM.int8()", "modules": 35, "weights": 226560, "outlier_threshold": 6.0}, eight
    assert eight["dtype"] == "F16" and "dtype" not in info and "quantization" not in info, eight
    assert json.loads(works("info", "stories260K", "--json", "--model_kwargs", '{"dtype": "bfloat16"}').stdout)["dtype"] == "BF16"
    fails(2, '--model_kwargs: "load_in_4bit" is not supported: use "load_in_8bit"', "info", "stories260K", "--model_kwargs", '{"load_in_4bit": true}')
    fails(2, "expected one model", "info", "zh-en-mini", "stories260K")
    fails((1, 2), "nothing-there", "info", "-m", "nothing-there")


def test_examples_of_the_help_run():
    env = {"PATH": os.path.dirname(BIN) + os.pathsep + os.environ["PATH"]}
    for command in ("attribute", "generate", "view", "info", "list"):
        examples = works(command, "--help").stdout.decode().split("Examples\n")[1].split("\n\n")[0].splitlines()
        assert len(examples) >= 2
        for example in examples:
            done = subprocess.run(["sh", "-c", example], capture_output=True, cwd=FOLDER, env={**os.environ, **env}, timeout=120)
            assert done.returncode == 0, f"{example}: {done.stderr.decode()[-300:]}"
            assert done.stdout or "--hide" in example, example


def test_version():
    text = works("--version").stdout.decode()
    assert re.match(r"cinseq \d+\.\d+\.\d+\nCPU features used:.*\nmatrix products: .*\nlibraries: .*oneDNN \d", text), text


def test_lists():
    for kind, member in (("methods", "integrated_gradients"), ("scores", "probability"), ("models", "marian"),
                         ("aggregators", "scores"), ("formats", "safetensors"), ("tokenizers", ""), ("outputs", "html"),
                         ("functions", "vnorm"), ("kinds", "methods"), ("installed", "zh-en-mini")):
        assert member in works("list", kind).stdout.decode()
        rows = json.loads(works("list", kind, "--json").stdout)
        assert kind != "outputs" or b"Files: .html, .htm" in works("list", kind).stdout
        assert rows and all(row["id"] and row["help"] for row in rows)


# ---- wrong use: exit code 2 and one line ----

def test_wrong_use():
    fails(2, 'no command "atribute": did you mean "attribute"', "atribute")
    fails(2, 'no command "veiw": did you mean "view"', "veiw", "x.json")
    fails(2, "-m stands where a command is expected", "-m", "zh-en-mini")
    fails(2, 'no command "atribute": did you mean', "help", "atribute")
    fails(2, "did you mean --step_scores", "attribute", "--step_score", "x")
    fails(2, "did you mean --save_path", *ZH, "--save-pth", "x")
    fails(2, "--model_name_or_path", "attribute", "-i", "a")
    fails(2, "--input_texts", "attribute", "-m", "zh-en-mini")
    fails(2, "-m needs a value: MODEL", "attribute", "-i", "a", "-m")
    fails(2, "--viz_path needs a value: FILE", *ZH, "--viz_path")
    fails(2, "-i needs one or more values", "attribute", "-m", "zh-en-mini", "-i")
    fails(2, "-bs: 0 is out of range", *ZH, "-bs", "0")
    fails(2, "-s: \"1.5\" is not an integer", *ZH, "-s", "1.5")
    fails(2, "--attribution_kwargs: .* is not a JSON object", *ZH, "--attribution_kwargs", "[1]")
    fails(2, "--color: \"red\" is none of auto, always, never", *ZH, "--color", "red")
    fails(2, "\"perhaps\" stands without a flag", *ZH, "--hide", "perhaps")
    fails(2, "--hide: \"perhaps\" is not true or false", *ZH, "--hide=perhaps")
    fails(2, "--device: .*only cpu", *ZH, "--device", "cuda")
    fails(2, "--gemm: .*naive", *ZH, "--gemm", "magic")
    fails(2, "--memory_budget: .*256M", *ZH, "--memory_budget", "lots")
    fails(2, "list: expected one of methods", "list")
    fails(2, "did you mean \"methods\"", "list", "metods")
    fails(2, "--generated_texts: 1 for 2", *ZH[:3], "-i", "a", "b", "-g", "c")
    fails(2, "--generated_ids: .*token id", *ZH[:5], "--generated_ids", "[[-1]]")


def test_planned_commands():
    for command in ("attribute-dataset", "attribute-context"):
        fails(2, f"{command}: is planned", command, "-m", "zh-en-mini", "--anything")
        assert b"Planned" in works(command, "--help").stdout and command.encode() in works("--help").stdout
    fails(2, 'did you mean "attribute-context"', "atribute-context")


def test_wrong_names_are_found_before_a_model_is_opened():
    def wrong(pattern, *flags, command="attribute"):
        fails(2, pattern, command, "-m", "no-such-model", "-i", "a", *flags)
    wrong('--attribution_method: .*did you mean "saliency"', "-a", "salency")
    wrong('--attributed_fn: .*did you mean "entropy"', "-fn", "entrpy")
    wrong('--step_scores: .*did you mean "probability"', "--step_scores", "entropy", "probabilty")
    wrong('did you mean "n_steps"', "-a", "integrated_gradients", "--attribution_kwargs", '{"n_step": 3}')
    wrong('did you mean "max_new_tokens"', "--generation_kwargs", '{"max_new_token": 3}')
    wrong('did you mean "max_new_tokens"', "--generation_kwargs", '{"max_new_token": 3}', command="generate")
    wrong('--attribution_aggregators: .*did you mean "vnorm"', "--attribution_aggregators", "vnrm")
    wrong('--color: .*did you mean "always"', "--color", "alwys")
    wrong("--viz_path", "--viz_path", "x.doc")
    wrong("--generated_texts: 2 for 1", "-g", "b", "c")
    wrong("--device: ", "--device", "cuda")


def test_mistyped_models():
    fails(2, 'zh-en-mni: is no model folder and no installed model, and is not in the cache .*: did you mean "zh-en-mini"', "info", "-m",
          "zh-en-mni")
    fails(2, "is no model folder and no installed model, and .* .see: cinseq list installed", "generate", "-m", "no-such-model", "-i", "a")
    fails(2, "is no model folder and no installed model .see: cinseq list installed", "generate", "-m", "no such model", "-i", "a")


def test_texts_of_files():
    files = {"unix.txt": b"\xe6\x88\x91\xe5\xbe\x88\xe5\xbc\x80\xe5\xbf\x83\xe3\x80\x82\n@here\n\n\n", "windows.txt": b"\xef\xbb\xbf\xe6\x88\x91\r\n@here",
             "empty.txt": b"\n\n", "binary.txt": b"a\0b\n", "gap.txt": "我\n\n我\n".encode(), "out.txt": b"I'm very happy.\n"}
    for name, content in files.items():
        with open(os.path.join(FOLDER, name), "wb") as file:
            file.write(content)
    def ids(*words, **more):
        return [json.loads(line)["input_ids"] for line in works("generate", "-m", "zh-en-mini", "--json", "-i", *words, **more).stdout.splitlines()]
    happy, here, me = ids("我很开心。", "@@here", "我")
    assert ids("@unix.txt") == [happy, here] and ids("@windows.txt") == [me, here]
    assert ids("-", stdin=files["unix.txt"]) == ids("@-", stdin=files["unix.txt"]) == [happy, here]
    assert ids("我", "@unix.txt", "我") == [me, happy, here, me] and ids("--", "@here") == [here]
    assert works(*ZH[:3], "-i", "-", "-g", "@out.txt", stdin="我很开心。\n".encode()).stdout == works(*ZH).stdout
    generate = ("generate", "-m", "zh-en-mini", "-i")
    fails(1, "-i: cannot read nowhere.txt: No such file.*@@", *generate, "@nowhere.txt")
    fails(1, "-i: cannot read .: Is a directory", *generate, "@.")
    fails(1, "-i: binary.txt is no text", *generate, "@binary.txt")
    fails(2, "-i: empty.txt holds no text", *generate, "@empty.txt")
    fails(2, "-i: stdin holds no text", *generate, "-")
    fails(2, "--input_texts: text 2 is empty", *generate, "@gap.txt")
    fails(2, "-g: stdin was read already", *ZH[:3], "-i", "-", "-g", "-", stdin="我\n".encode())


def test_wrong_names_get_the_nearest():
    fails(2, "saliency", *ZH, "-a", "salency")
    fails(2, "probability", *ZH, "--step_scores", "probabilty")
    fails(2, "entropy", *ZH, "--attributed_fn", "entrpy")
    fails(2, "n_steps", *ZH, "-a", "integrated_gradients", "--attribution_kwargs", '{"n_step": 3}')
    fails(2, "max_new_tokens", *ZH[:5], "--generation_kwargs", '{"max_new_token": 3}')


def test_wrong_requests():
    fails(2, "prompt|start", *TINY, "-g", "She is going")  # a forced text of a decoder-only model starts with the prompt
    fails(2, "position|start", *ZH, "-s", "5", "-e", "2")
    fails(2, "position|start", *ZH, "-s", "500")
    fails(2, "id", *ZH[:5], "--generated_ids", "[8432, 99999999]")
    fails(2, "empty", "attribute", "-m", "zh-en-mini", "-i", "")


# ---- flags ----

def test_forms_of_flags():
    plain = works(*ZH).stdout
    for flags in (["--step_scores", "probability", "entropy"], ["--step_scores=probability"], ["--attribute_target"],
                  ["--attribute_target", "true"], ["--attribute-target=yes"]):
        assert works(*ZH, *flags).stdout != plain, flags
    for flags in (["--attribute_target", "no"], ["--attribute_target=0"], ["-a", "saliency"], ["--attribution_method=saliency"],
                  ["-bs", "2"], ["--device", "cpu"], ["--threads", "1"], ["-fn", "probability"]):
        assert works(*ZH, *flags).stdout == plain, flags
    assert works(*ZH, "--hide").stdout == works(*ZH, "--hide_attributions", "true").stdout == b""
    assert works(*ZH[:3], "-g", "I'm very happy.", "-i", "--", "我很开心。").stdout == plain
    assert works(*ZH, "-e", "-1").stdout != plain


def test_two_texts_give_two_tables():
    one = works(*ZH).stdout
    two = works(*ZH[:4], "我很开心。", "我很开心。", "-g", "I'm very happy.", "I'm very happy.").stdout
    assert two.count("开心".encode()) == 2 * one.count("开心".encode())


def test_forced_ids_are_what_is_attributed():
    line = json.loads(works("generate", "-m", "zh-en-mini", "-i", "我很开心。", "--json").stdout)
    free, forced = (json.loads(save(*ZH[:5], *flags)) for flags in ([], ["--generated_ids", json.dumps(line["output_ids"])]))
    tables = [d["attributes"]["sequence_attributions"][0]["attributes"]["source_attributions"] for d in (free, forced)]
    assert tables[0] == tables[1]


# ---- what goes where ----

def save(*arguments):
    path = os.path.join(FOLDER, "saved.json")
    works(*arguments, "--hide", "-o", path)
    with open(path) as file:
        return file.read()


def test_streams():
    done = works(*ZH, "-o", "out.json")
    assert re.search(r"^Saving attributions to out.json\n\d+ tokens? attributed in \d+\.\d\d s, peak memory \d+ MB\n$", done.stderr.decode())
    assert b"\x1b" not in done.stdout and b"tokens attributed" not in done.stdout and b"Saving" not in done.stdout
    assert b"\x1b" not in done.stderr
    assert works(*ZH, "--hide").stdout == b""
    assert b"peak_bytes" in works(*ZH, "--hide", "-vv").stderr
    assert os.listdir(FOLDER) == ["out.json"]


def test_page():
    done = works(*ZH, "--hide", "--step_scores", "probability", "--viz_path", "out.html")
    assert done.stderr.startswith(b"Saving visualization to out.html\n") and done.stdout == b""
    with open(os.path.join(FOLDER, "out.html"), encoding="utf-8") as file:
        page = file.read()
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert "我很开心。" in page and "zh-en-mini" in page and page.count("<table>") == 1 and "probability</th>" in page
    numbers = re.findall(r"\d+\.\d{3}\b", works(*ZH, "--step_scores", "probability").stdout.decode())
    assert re.findall(r"<td[^>]*>([^<]+)</td>", page) == numbers  # those of the terminal
    works(*ZH, "--hide", "--viz_path", "out.html", "--clean_tokens", "--max_val", "0.25")  # over the old one
    with open(os.path.join(FOLDER, "out.html"), encoding="utf-8") as file:
        page = file.read()
    assert "▁" not in page and "<span>0.250</span>" in page
    assert os.listdir(FOLDER) == ["out.html"]  # written beside it and renamed: nothing else is left
    fails(1, "--viz_path: cannot write nowhere/out.html", *ZH, "--viz_path", "nowhere/out.html")
    fails(1, "--save_path: cannot write .: Is a directory", *ZH, "--save_path", ".")


def test_json():
    """The result as it would be saved, and nothing else on stdout."""
    saved = save(*ZH)
    printed = works(*ZH, "--json").stdout.decode()
    hidden = works(*ZH, "--json", "--hide", "--color", "always").stdout.decode()
    assert saved.startswith('{\n    "__instance_type__"') and "\x1b" not in printed
    def drop_time(text):
        return re.sub('"exec_time": [^,]*,', "", text)
    assert drop_time(printed) == drop_time(hidden) == drop_time(saved) + "\n"
    assert works("view", "saved.json", "--json").stdout.decode() == saved + "\n"


def test_step_attributions():
    """What each step gave is its column, as Inseq saves it; view keeps it."""
    def floats(array):
        assert array["dtype"] == "float32" and array["__ndarray__"].startswith("b64:")
        raw = base64.b64decode(array["__ndarray__"][4:])
        return array["shape"], struct.unpack(f"<{len(raw) // 4}f", raw)
    def blob(text):
        raw = base64.b64decode(text)
        size = struct.unpack_from("<Q", raw)[0]
        return json.loads(raw[8:8 + size])["attribution"]["shape"], struct.unpack(f"<{(len(raw) - 8 - size) // 4}f", raw[8 + size:])
    assert json.loads(save(*ZH))["attributes"]["step_attributions"] is None
    text = save(*ZH[:4], "我很开心。", "我", "-g", "I'm very happy.", "I", "--step_scores", "probability", "--output_step_attributions")
    attributes = json.loads(text)["attributes"]
    steps, sequences = attributes["step_attributions"], [s["attributes"] for s in attributes["sequence_attributions"]]
    assert attributes["info"]["output_step_attributions"] is True
    columns = [(s, t) for s in sequences for t in range(s["attr_pos_start"], s["attr_pos_end"])]
    assert len(steps) == len(columns) > 8
    for step, (sequence, t) in zip(steps, columns):
        assert step["__instance_type__"] == ["inseq.data.attribution", "GranularFeatureAttributionStepOutput"]
        step = step["attributes"]
        assert step["prefix"] == [sequence["target"][:t]] and step["target"] == [sequence["target"][t:t + 1]]
        assert step["source"] == [sequence["source"]] and step["target_attributions"] is None
        (rows, count, width), values = blob(sequence["source_attributions"])
        column = t - sequence["attr_pos_start"]
        wanted = [v for r in range(rows) for v in values[(r * count + column) * width:(r * count + column + 1) * width]]
        shape, got = floats(step["source_attributions"])
        assert shape == [1, rows, width] and list(got) == wanted
        assert floats(step["step_scores"]["probability"]) == ([1], blob(sequence["step_scores"]["probability"])[1][column:column + 1])
    assert works("view", "saved.json", "--json").stdout.decode() == text + "\n"
    aggregated = json.loads(works("view", "saved.json", "--json", "--attribution_aggregators", "vnorm").stdout)["attributes"]
    assert aggregated["step_attributions"] == steps and aggregated["sequence_attributions"] != attributes["sequence_attributions"]
    (step, *_) = json.loads(save(*TINY, *SHORT, "--output_step_attributions"))["attributes"]["step_attributions"]
    assert step["attributes"]["source"] is None and step["attributes"]["target_attributions"]["shape"][1] == len(step["attributes"]["prefix"][0])


def test_quiet():
    for command in ((*ZH, "-o", "q.json", "--viz_path", "q.html"), ("view", "q.json", "-o", "again.json"),
                    ("generate", "-m", "zh-en-mini", "-i", "我很开心。")):
        done = works(*command, "--quiet")
        assert done.stderr == b"" and done.stdout == works(*command).stdout != b""
    fails(1, "no-such-model|nothing-there", "view", "nothing-there.json", "-q")


def test_the_ending_says_what_a_drawing_is():
    works(*ZH, "--hide", "--viz_path", "a.HTM")
    works(*ZH, "--hide", "--viz_path", "a.json")
    works(*ZH, "--hide", "--viz_path", "a.txt", "--color", "always")
    with open(os.path.join(FOLDER, "a.txt")) as file:
        assert file.read() == works(*ZH, "--width", "0").stdout.decode()
    with open(os.path.join(FOLDER, "a.HTM")) as file:
        assert file.read().startswith("<!DOCTYPE html>")
    assert works("view", "a.json", "--width", "0").stdout == works(*ZH, "--width", "0").stdout
    for name in ("a.pdf", "html", "a.b/html"):
        fails(2, f"--viz_path: .*{name}.* \\.html, .*\\.json", *ZH, "--viz_path", name)


def test_csv_and_latex():
    works(*ZH[:4], "我很开心。", "我", "-g", "I'm very happy.", "I", "--step_scores", "probability", "-o", "r.json", "--viz_path", "r.csv")
    with open(os.path.join(FOLDER, "r.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    shown = works("view", "r.json", "--width", "0").stdout.decode()
    for text in ("1", "2"):
        table = [r for r in rows if r["text"] == text and r["table"] == "source"]
        columns = [r for r in rows if r["text"] == text and r["table"] == "generated"]
        assert len(columns) == 1 and sum(1 for r in rows if r["text"] == text and r["table"] == "step_scores") == 1
        used = [c for c in "0123456" if columns[0][c]]
        assert all(abs(sum(float(r[c]) for r in table) - 1) < 1e-6 for c in used)  # normalised by column
        assert all(f"{float(r[c]):.3f}" in shown for r in table for c in used)
    assert [r["token"] for r in rows if r["text"] == "1" and r["table"] == "source"] == ["▁我很", "开心", "。", "</s>"]
    works("view", "r.json", "--hide", "--viz_path", "r.tex", "--clean_tokens")
    with open(os.path.join(FOLDER, "r.tex"), encoding="utf-8") as file:
        text = file.read()
    assert text.count("\\begin{tabular}") == text.count("\\bottomrule") == 2 and "xeCJK" in text and "cinseqspace{}" not in text
    cells = re.findall(r"cinseqheat{[0-9,]+}{[0-9,]+}{([0-9.]+)}", text)
    assert cells == [f"{float(r[c]):.3f}" for r in rows if r["table"] == "source" for c in "0123456" if r[c]]


def test_view_joins_and_compares():
    save(*ZH, "--step_scores", "probability")
    words = works("view", "saved.json", "--attribution_aggregators", "vnorm", "subwords", "--aggregate_fn", "default", "sum", "--width", "0").stdout
    assert "▁happy." in words.decode() and words == works(*ZH, "--step_scores", "probability", "--attribution_aggregators", "vnorm", "subwords",
                                                          "--aggregate_fn", "default", "sum", "--width", "0").stdout
    works("view", "saved.json", "saved.json", "--hide", "-o", "both.json")
    with open(os.path.join(FOLDER, "both.json")) as file:
        both = json.load(file)["attributes"]
    assert len(both["sequence_attributions"]) == 2 and len(both["info"]["input_texts"]) == 2
    works(*ZH, "-a", "attention", "--hide", "-o", "other.json")
    fails(2, "result 2 differs from the first in .attribution_method", "view", "saved.json", "other.json")
    same = works("view", "saved.json", "--paired_attr", "saved.json", "--attribution_aggregators", "vnorm", "pair", "--width", "0").stdout
    assert set(re.findall(r"\d\.\d{3}", same.decode())) == {"0.000"}
    fails(2, "target_spans: span 1 begins at 1", "view", "saved.json", "--attribution_aggregators", "spans", "--target_spans", "[[0, 2], [1, 3]]")
    works("view", "saved.json", "--attribution_aggregators", "vnorm", "weight", "--weight_by", "probability")


def test_view_aggregates_again():
    raw = json.loads(save(*ZH, "-a", "attention"))
    works("view", "saved.json", "--hide", "--attribution_aggregators", "max", "mean", "--no_normalize", "-o", "two.json")
    two = works("view", "two.json").stdout
    assert two == works("view", "saved.json", "--attribution_aggregators", "max", "mean", "--normalize=no").stdout
    assert two != works("view", "saved.json").stdout
    fails(2, "--attribution_aggregators: .*2 dimensions", "view", "two.json", "--attribution_aggregators", "mean")
    fails(2, "--attribution_aggregators: .*did you mean \"mean\"", "view", "saved.json", "--attribution_aggregators", "meen")
    assert works("view", "saved.json", "--attribution_aggregators", "mean").stdout == works("view", "saved.json").stdout  # what is left: by default
    assert raw["attributes"]["info"]["attribution_method"] == "attention"
    done = works(*ZH, "--hide", "--attribution_aggregators", "sum", "-o", "sum.json")
    assert done.stderr.startswith(b"Saving aggregated attributions to sum.json\n")
    assert works("view", "sum.json").stdout == works(*ZH, "--attribution_aggregators", "sum").stdout != works(*ZH).stdout
    assert works(*ZH, "--no_normalize_attributions").stdout == works(*ZH, "--normalize", "no").stdout != works(*ZH).stdout


def test_colours():
    assert "\x1b[" in in_terminal(*ZH)
    assert "\x1b[38;2;" in in_terminal(*ZH, COLORTERM="truecolor") or "\x1b[48;2;" in in_terminal(*ZH, COLORTERM="truecolor")
    assert ";2;" not in in_terminal(*ZH, COLORTERM="")
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in in_terminal(*ZH, **environment)
    assert "\x1b[" not in in_terminal(*ZH, "--color", "never")
    assert b"\x1b[" in works(*ZH, "--color", "always").stdout
    save(*ZH)
    assert "\x1b[" in in_terminal("view", "saved.json") and "\x1b[" not in in_terminal("view", "saved.json", "--color=never")
    assert b"\x1b[" in works("view", "saved.json", "--color", "always").stdout
    assert b"\x1b[" not in works("view", "saved.json").stdout


def test_width():
    def widest(text):
        return max(len(line) for line in text.splitlines())
    arguments = ("attribute", "-m", "stories260K", "-i", "Once upon a time", *SHORT[:1], '{"max_new_tokens": 15}')
    wide, narrow = works(*arguments).stdout.decode(), works(*arguments, "--width", "60").stdout.decode()
    assert widest(wide) > 60 >= widest(narrow)
    assert works(*arguments, COLUMNS="60").stdout.decode() == narrow
    assert works(*arguments, "--width", "0", COLUMNS="60").stdout.decode() == wide


def test_generate():
    done = works("generate", "-m", "zh-en-mini", "-i", "我很开心。", "今天学到了很多，我很开心。", "--json")
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(lines) == 2 and all(set(line) == {"input_ids", "output_ids", "text"} for line in lines)
    assert re.search(r"tokens generated in", done.stderr.decode())
    assert works("generate", "-m", "zh-en-mini", "-i", "我很开心。").stdout.decode() == lines[0]["text"] + "\n"


def with_template(template):
    """stories260K with a chat template."""
    folder = os.path.join(FOLDER, "chat")
    shutil.copytree(os.path.join(MODELS, "..", "..", "..", "..", "models", "stories260K"), folder, dirs_exist_ok=True)
    with open(os.path.join(folder, "chat_template.jinja"), "w") as out:
        out.write(template)
    return folder


def test_chat():
    model = with_template("{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}One{% endif %}\n")
    done = works("generate", "-m", model, "--chat", "--json", *SHORT, "-i", "Once upon a time",
                 '[{"role": "system", "content": "Lily."}, {"role": "user", "content": "Hi"}]')
    ids = [json.loads(line)["input_ids"] for line in done.stdout.decode().splitlines()]
    assert ids == [[1, 403, 407, 261, 378, 385], [1, 317, 426, 320, 417, 385]], ids  # transformers' apply_chat_template
    works("attribute", "-m", model, "--chat", "-i", "Hi", "-g", " day, there was", "--hide", "-o", "chat.json")
    with open(os.path.join(FOLDER, "chat.json")) as file:
        target = [t["attributes"]["token"] for t in json.load(file)["attributes"]["sequence_attributions"][0]["attributes"]["target"]]
    assert target[:4] == ["<s>", "▁H", "i", "▁One"] and target[-1] == "▁was", target
    fails(2, "no chat template", "generate", "-m", "stories260K", "--chat", "-i", "Hi")
    fails(2, "--chat", "generate", "-m", model, "--chat", "--skip_special_tokens", "-i", "Hi")
    fails(2, "chat_template.jinja.*line 2.*only cats", "generate", "-m", with_template("\n{{ raise_exception('only cats') }}"), "--chat", "-i", "Hi")
    fails(2, "for ever|more than", "generate", "-m", with_template("{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}"),
          "--chat", "-i", "Hi")
    works("generate", "-m", with_template("{% unknown %}"), "-i", "Hi", *SHORT)  # not used: not read


def test_a_target_language_comes_first():
    flags = ["generate", "-m", "zh-en-mini", "-i", "我很开心。", "--json"]
    language = ["--tokenizer_kwargs", '{"tgt_lang": "▁today"}']
    free, forced, own = (json.loads(works(*flags, *more).stdout)["output_ids"] for more in
                         ([], language, [*language, "--generation_kwargs", '{"forced_bos_token_id": 5}']))
    assert forced[0] == free[0] and forced[1] != free[1] and own[1] == 5
    fails(2, "tgt_lang", *flags, "--tokenizer_kwargs", '{"tgt_lang": "nowhere"}')


def seed_table(method):
    """A table such as tests/data/seed has, read off the terminal."""
    text = works("attribute", "-m", "zh-en-mini", "-i", "我很开心。", "-a", method, "--step_scores", "probability", "--clean_tokens",
                 "--width", "0").stdout.decode()
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith(("Source", "─"))]
    rows = [line for line in lines if re.fullmatch(r"\d+", line[0]) and len(line) == len(lines[0]) + 2]
    return {"method": method, "input_text": "我很开心。", "attributed": [row[1] for row in rows], "generated": lines[1],
            "scores": [[float(cell) for cell in row[2:]] for row in rows], "probability": [float(cell) for cell in lines[-1][1:]]}


def test_check_seed():
    folder, script = os.path.join(FOLDER, "seed"), os.path.join(MODELS, "..", "..", "..", "..", "scripts", "check_seed.py")
    os.mkdir(folder)
    table = seed_table("attention")
    assert len(table["scores"]) == len(table["attributed"]) == 4 and len(table["probability"]) == len(table["generated"]) == 7, table

    def check():
        with open(os.path.join(folder, "opus-mt-x_attention.json"), "w") as out:
            json.dump(table, out)
        model = os.path.join(MODELS, "..", "..", "..", "..", "models", "zh-en-mini")
        return subprocess.run([sys.executable, script, model, "--bin", BIN, "--tables", folder], capture_output=True, text=True, timeout=60)
    done = check()
    assert done.returncode == 0 and done.stdout.endswith("1 passed, 0 failed\n"), done
    table["scores"][2][1] += 0.002
    done = check()
    assert done.returncode == 1 and "scores[2][1]" in done.stdout, done
    table["generated"][0] = "He"
    assert "generated" in check().stdout


def test_generation_has_a_start_of_its_own():
    flags = ["generate", "-m", "zh-en-mini", "-i", "我很开心。", "--json", "--generation_kwargs"]
    ids = [json.loads(works(*flags, json.dumps(kwargs)).stdout)["output_ids"] for kwargs in
           ({"num_beams": 1}, {"num_beams": 1, "decoder_start_token_id": 5006}, {"num_beams": 1, "decoder_start_token_id": 8432})]
    assert ids[1][0] == 5006 and ids[0] == ids[2] and ids[0][1:] != ids[1][1:], ids
    fails(2, "99999", *flags, '{"decoder_start_token_id": 99999}')
    attributed = [json.loads(save(*ZH[:5], *more)) for more in
                  (["--generation_kwargs", '{"num_beams": 1, "decoder_start_token_id": 5006}'],
                   ["--generation_kwargs", '{"num_beams": 1, "decoder_start_token_id": 5006}', "--generated_ids", json.dumps(ids[1])],
                   ["--generated_texts", "I'm", "--generate_from_target_prefix", "--generation_kwargs", '{"num_beams": 1, "decoder_start_token_id": 5006}'])]
    tokens = [[t["attributes"]["id"] for t in a["attributes"]["sequence_attributions"][0]["attributes"]["target"]] for a in attributed]
    assert tokens[0] == tokens[1] and tokens[0][0] == 5006 and tokens[2][:2] == [5006, 8432], tokens


def test_dump():
    out = os.path.join(FOLDER, "nodes.safetensors")
    dump = ("dump", "-m", "stories260K", "-i", "Once upon", "-g", "Once upon a time", "--quiet")
    works(*dump, "--nodes", "decoder.?.output", "-o", out)
    with open(out, "rb") as file:
        raw = file.read()
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8:8 + size])
    assert sorted(head) == [f"decoder.{i}.output" for i in range(5)] and head["decoder.3.output"]["shape"] == [4, 64], head
    assert len(raw) == 8 + size + 5 * 4 * 64 * 4
    works(*dump, "--nodes", "output.logits", "-o", out)
    works(*dump, "--nodes", "model.layers[2].mlp", "-o", out)
    with open(out, "rb") as file:
        assert b'"decoder.2.mlp.down"' in file.read(200)
    fails(2, "nodes", *dump, "-o", out)
    fails(2, "no node or module", *dump, "--nodes", "decoder.77.*", "-o", out)


def test_unwritable_output():
    fails(1, "nowhere/out.json", *ZH, "-o", "nowhere/out.json")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BIN, *ZH], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"cannot write" in done.stderr


LONG = ("attribute", "-m", "stories260K", "-i", "Once upon a time", "-a", "integrated_gradients", "--attribution_kwargs",
        '{"attribution_args": {"n_steps": 100000, "method": "riemann_middle"}}', "--generation_kwargs", '{"max_new_tokens": 100}')


def test_interrupt():
    process = subprocess.Popen([BIN, *LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=FOLDER)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, process.returncode
    assert out == b"" and err.decode().strip() == "cinseq attribute: interrupted", err  # and no bar: stderr is no terminal


def test_progress_bar():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([BIN, *LONG], stdout=subprocess.DEVNULL, stderr=theirs, cwd=FOLDER)
    os.close(theirs)
    drawn = b""
    while not re.search(rb"/100 tokens, \d+ s", drawn):  # ends with an error when the program ends without one; may come in pieces
        drawn += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=60)
    assert code == 130, f"exit code {code} after {drawn[-200:]}"
    os.close(ours)
    assert re.search(rb"attributing \[[# ]{30}\] \d+/100 tokens, \d+ s", drawn), drawn[-200:]


def test_invalid_utf8_is_replaced():
    done = works("generate", "-m", os.path.join(MODELS, "gpt2"), "-i", b"a\xff\xe4\xb8b", "--json", *SHORT)
    replaced = works("generate", "-m", os.path.join(MODELS, "gpt2"), "-i", "a\ufffd\ufffdb", "--json", *SHORT)
    assert done.stdout == replaced.stdout


# ---- bad models: a failure and one line that names the place ----

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


def test_missing_files():
    fails((1, 2), "no-such-model", "attribute", "-m", "no-such-model", "-i", "a")
    bad("config.json", lambda folder: os.remove(os.path.join(folder, "config.json")))
    bad("safetensors", lambda folder: os.remove(os.path.join(folder, "model.safetensors")))
    bad("token", lambda folder: os.remove(os.path.join(folder, "tokenizer.json")))
    bad("source.spm", lambda folder: os.remove(os.path.join(folder, "source.spm")), "marian")


def test_broken_files():
    bad("config.json", write("config.json", "{"))
    bad("model.safetensors", cut("model.safetensors", 5))
    bad("model.safetensors", cut("model.safetensors", 2000))
    bad("model.safetensors", cut("model.safetensors", 100000))
    bad("tokenizer.json", cut("tokenizer.json", 1000))
    bad("source.spm", cut("source.spm", 1000), "marian")
    bad("model.safetensors", lambda folder: write("model.safetensors", "\xff" * 64)(folder))


def test_wrong_tensors():
    bad(NORM, edit_tensors(drop_norm))
    bad(NORM, edit_tensors(lambda head, body: head[NORM].update(shape=[head[NORM]["shape"][0], 2])))
    bad(NORM, edit_tensors(lambda head, body: head[NORM].update(data_offsets=[0, 1 << 40])))
    bad("model.safetensors", edit_tensors(lambda head, body: head[NORM].update(data_offsets=[4, 4 + 4 * head[NORM]["shape"][0]])))
    bad(NORM, edit_tensors(lambda head, body: head[NORM].update(dtype="Q7")))


def test_missing_shard():
    def change(folder):
        shutil.rmtree(folder)
        shutil.copytree(os.path.join(MODELS, "..", "formats", "llama-sharded"), folder)
        shard = sorted(f for f in os.listdir(folder) if re.match(r"model-.*\.safetensors$", f))[-1]
        os.remove(os.path.join(folder, shard))
    bad(r"model-.*\.safetensors", change)


def test_unknown_architecture():
    bad("martian.*marian|marian.*martian", edit_config(model_type="martian"))


def test_wrong_config():
    bad("hidden_size|weight", edit_config(hidden_size=7))
    bad("num_attention_heads|hidden_size", edit_config(num_attention_heads=0))
    bad("num_hidden_layers|weight", edit_config(num_hidden_layers=1000000))


def test_nan_weights_name_the_node():
    def edit(head, body):
        low = head[NORM]["data_offsets"][0]
        body[low:low + 4] = struct.pack("<f", float("nan"))
    bad("norm|logits", edit_tensors(edit))


def test_text_longer_than_the_positions():
    bad("positions?", edit_config(max_position_embeddings=8), "llama", "He's going to learn a lot today. " * 3)


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


if __name__ == "__main__":
    main(globals())
