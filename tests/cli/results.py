#!/usr/bin/env python3
"""What the program draws and saves, and what it makes of results again.

usage: results.py [--bin build/cinseq] [--only WORD] [-v]        The last line is "N passed, N failed".
"""
import base64
import csv
import json
import os
import re
import struct
import subprocess

import program
from program import SHORT, TINY, ZH, fails, in_terminal, main, save, works


def test_view_shows_what_attribute_showed():
    shown = works(*ZH, "-o", "view.json").stdout
    assert works("view", "view.json").stdout == shown
    works("view", "view.json", "--hide", "--viz_path", "view.html", "-o", "again.json")
    assert works("view", "again.json").stdout == shown and os.path.getsize(os.path.join(program.FOLDER, "view.html")) > 1000
    fails(1, "nothing-there.json", "view", "nothing-there.json")
    fails(2, "expected a file", "view")


def test_two_texts_give_two_tables():
    one = works(*ZH).stdout
    two = works(*ZH[:4], "我很开心。", "我很开心。", "-g", "I'm very happy.", "I'm very happy.").stdout
    assert two.count("开心".encode()) == 2 * one.count("开心".encode())


def test_streams():
    done = works(*ZH, "-o", "out.json")
    assert re.search(r"^Saving attributions to out.json\n\d+ tokens? attributed in \d+\.\d\d s, peak memory \d+ MB\n$", done.stderr.decode())
    assert b"\x1b" not in done.stdout and b"tokens attributed" not in done.stdout and b"Saving" not in done.stdout
    assert b"\x1b" not in done.stderr
    assert works(*ZH, "--hide").stdout == b""
    assert b"peak_bytes" in works(*ZH, "--hide", "-vv").stderr
    assert os.listdir(program.FOLDER) == ["out.json"]


def test_page():
    done = works(*ZH, "--hide", "--step_scores", "probability", "--viz_path", "out.html")
    assert done.stderr.startswith(b"Saving visualization to out.html\n") and done.stdout == b""
    with open(os.path.join(program.FOLDER, "out.html"), encoding="utf-8") as file:
        page = file.read()
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert "我很开心。" in page and "zh-en-mini" in page and page.count("<table>") == 1 and "probability</th>" in page
    numbers = re.findall(r"\d+\.\d{3}\b", works(*ZH, "--step_scores", "probability").stdout.decode())
    assert re.findall(r"<td[^>]*>([^<]+)</td>", page) == numbers  # those of the terminal
    works(*ZH, "--hide", "--viz_path", "out.html", "--clean_tokens", "--max_val", "0.25")  # over the old one
    with open(os.path.join(program.FOLDER, "out.html"), encoding="utf-8") as file:
        page = file.read()
    assert "▁" not in page and "<span>0.250</span>" in page
    assert os.listdir(program.FOLDER) == ["out.html"]  # written beside it and renamed: nothing else is left
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
    for model, has_source in ((ZH, True), (TINY + SHORT, False)):  # dummy has no attributions to tell them by
        (step, *_) = json.loads(save(*model, "-a", "dummy", "--step_scores", "probability", "--output_step_attributions"))["attributes"]["step_attributions"]
        assert bool(step["attributes"]["source"]) == has_source and step["attributes"]["source_attributions"] is None


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
    with open(os.path.join(program.FOLDER, "a.txt")) as file:
        assert file.read() == works(*ZH, "--width", "0").stdout.decode()
    with open(os.path.join(program.FOLDER, "a.HTM")) as file:
        assert file.read().startswith("<!DOCTYPE html>")
    assert works("view", "a.json", "--width", "0").stdout == works(*ZH, "--width", "0").stdout
    for name in ("a.pdf", "html", "a.b/html"):
        fails(2, f"--viz_path: .*{name}.* \\.html, .*\\.json", *ZH, "--viz_path", name)


def test_csv_and_latex():
    works(*ZH[:4], "我很开心。", "我", "-g", "I'm very happy.", "I", "--step_scores", "probability", "-o", "r.json", "--viz_path", "r.csv")
    with open(os.path.join(program.FOLDER, "r.csv"), newline="", encoding="utf-8") as file:
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
    with open(os.path.join(program.FOLDER, "r.tex"), encoding="utf-8") as file:
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
    with open(os.path.join(program.FOLDER, "both.json")) as file:
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


def test_views_say_what_they_need():
    fails(2, "--view: .layers.: .* is the embedding, not layers, as those of attention", *ZH, "--view", "layers")
    fails(2, "--view: .contrast.: .*contrast_prob_diff.*contrast_targets", *ZH, "--view", "contrast", "--hide", "--viz_path", "c.html", "-q")
    assert works(*ZH, "--hide", "-v").stderr.startswith(b"1 sequence, 4 source and 8 target tokens\n")


def test_dump():
    out = os.path.join(program.FOLDER, "nodes.safetensors")
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
    fails(2, "no flag -a", *dump, "--nodes", "output.logits", "-o", out, "-a", "saliency")  # what a method takes says nothing about nodes
    fails(2, "text 2 is empty", *dump[:5], "", "--nodes", "output.logits", "-o", out, "-m", "zh-en-mini")
    fails(2, "no node or module", *dump, "--nodes", "decoder.77.*", "-o", out)


def test_unwritable_output():
    fails(1, "nowhere/out.json", *ZH, "-o", "nowhere/out.json")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program.BIN, *ZH], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and b"cannot write" in done.stderr


if __name__ == "__main__":
    main(globals())
