#!/usr/bin/env python3
"""cinseq attribute-dataset: rows of files give what the same texts give.

usage: dataset.py [--bin build/cinseq] [--only WORD] [-v]        The last line is "N passed, N failed".
"""
import json
import os

import program
from program import ZH, fails, main, works

ROWS = [("我很开心。", "I'm very happy."), ("他说：\"好\",\n再见。", "He said, \"OK\".\nBye."), ("我不知道。", "I don't know.")]
DATA = ("attribute-dataset", "-m", "zh-en-mini")


def write(name, text):
    with open(os.path.join(program.FOLDER, name), "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    return name


def quoted(rows, separator, end):
    return "".join(separator.join('"' + field.replace('"', '""') + '"' for field in row) + end for row in rows)


def files():
    table = [("id", "zh", "en"), *((str(i), *row) for i, row in enumerate(ROWS))]
    objects = [{"zh": zh, "en": en, "id": 1} for zh, en in ROWS]
    return [write("a.csv", quoted(table, ",", "\n")), write("b.CSV", b"\xef\xbb\xbf" + quoted(table, ",", "\r\n\r\n").encode()),
            write("c.tsv", quoted(table, "\t", "\n").rstrip("\n")), write("d.json", json.dumps(objects, indent=1)),
            write("e.jsonl", "".join(json.dumps(o, ensure_ascii=False) + "\r\n\n" for o in objects))]


def test_rows_are_texts():
    whole = works("attribute", "-m", "zh-en-mini", "-i", *(zh for zh, _ in ROWS), "-g", *(en for _, en in ROWS)).stdout
    for name in files():
        assert works(*DATA, "-d", name, "-in", "zh", "-gen", "en").stdout == whole, name
    first, last = (works("attribute", "-m", "zh-en-mini", "-i", zh).stdout for zh, _ in (ROWS[0], ROWS[2]))
    assert works(*DATA, "--dataset", "a.csv", "--input", "zh", "--split", "train[:1]").stdout == first == works(*ZH).stdout
    assert works(*DATA, "-d", "e.jsonl", "--input_text_field", "zh", "--dataset_split", "train[-1:]").stdout == last
    assert works(*DATA, "-d", "csv", "--files", "a.csv", "b.CSV", "-in", "zh", "-gen", "en").stdout.count(b"Source") == 6
    assert works(*DATA, "-d", write("twice.csv", f"zh,zh\n{ROWS[0][0]},{ROWS[2][0]}\n"), "-in", "zh").stdout == first  # a text a row
    write("odd", ROWS[0][0] + "\r\n" + ROWS[2][0])
    assert works(*DATA, "-d", "text", "--dataset_files", "odd", "--split", "train[1:2]").stdout == last


def test_what_is_wrong_is_said():
    files()
    fails(2, '-in. is needed: the fields of a.csv are \\["id", "zh", "en"\\]', *DATA, "-d", "a.csv")
    fails(2, '--generated_text_field: d.json has no field "fr", but', *DATA, "-d", "d.json", "-in", "zh", "-gen", "fr")
    fails(2, "gsarti/flores is no .csv.*load_dataset", *DATA, "-d", "gsarti/flores", "-in", "zh")
    fails(2, "--dataset_name .-d. is needed", *DATA, "-in", "zh")
    fails(2, "--dataset_files is needed", *DATA, "-d", "json", "-in", "zh")
    fails(2, "one of csv, tsv, json, text", *DATA, "-d", "a.csv", "--files", "a.csv", "-in", "zh")
    fails(1, "cannot read nowhere.csv: No such file", *DATA, "-d", "nowhere.csv", "-in", "zh")
    for split in ("test", "train[:10%]", "train[1]", "train[:1", "train[:1]]", "training"):
        fails(2, "--dataset_split: .*train\\[:100\\]", *DATA, "-d", "a.csv", "-in", "zh", "--split", split)
    fails(2, "--dataset_split: train.7:. has none of the 3 rows", *DATA, "-d", "a.csv", "-in", "zh", "--split", "train[7:]")
    fails(2, "no flag -i", *DATA, "-d", "a.csv", "-i", "zh")
    fails(2, "--input_text_field .* is needed", *DATA, "-d", write("none.csv", ""))
    fails(2, "none of the 0 rows", *DATA, "-d", write("head.csv", "zh,en\n"), "-in", "zh")
    fails(2, "text 2 is empty", *DATA, "-d", write("gap.csv", "zh,en\na,b\n,c\n"), "-in", "zh")
    for name, text, pattern in (("few.csv", "zh,en\na,b\nc\n", "row 2 of few.csv has not as many fields"),
                                ("open.csv", 'zh,en\na,b\n"c,d\n', "row 2 of open.csv opens a quote"),
                                ("gbk.csv", "zh,en\n我,b\n".encode("gbk"), "row 1 of gbk.csv is not UTF-8"),
                                ("zero.csv", b"zh\na\0\n", "zero byte"), ("gbk.txt", "我".encode("gbk"), "row 1 of gbk.txt is not UTF-8"),
                                ("list.jsonl", '{"zh": "a"}\n3\n', "row 2 of list.jsonl is no JSON object"),
                                ("cut.jsonl", '{"zh": "a"}\n{"zh": "b\n', "row 2 of cut.jsonl is no JSON object"),
                                ("null.json", '[{"zh": "a"}, {"zh": null}]', "row 2 of null.json has no text"),
                                ("cut.json", '[{"zh": "a"}', "cut.json is no JSON: line 1")):
        fails((1, 2), pattern, *DATA, "-d", write(name, text), "-in", "text" if name.endswith("txt") else "zh")


if __name__ == "__main__":
    main(globals())
