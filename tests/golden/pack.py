#!/usr/bin/env python3
"""Packs a reference model and its cases into tests/data/golden/architectures/NAME.tar.xz: model/ (the folder as transformers saved it),
CASE.json (Inseq's own files), cases.json (the calls, and ids that transformers generates).

usage: pack.py GOLDEN NAME ... [--cases saliency,attention,...]
GOLDEN has models/NAME, cases/NAME/cases.json, cases/NAME/CASE.json and cases/NAME/generation.json. Cases that Inseq itself failed, and
those of sampled methods, are left out. The same input gives the same bytes.
"""
import argparse
import io
import json
import lzma
import os
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "data", "golden", "architectures")
CASES = "saliency,input_x_gradient,attention,integrated_gradients"


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def members(golden, name, wanted):
    """{name in the archive: bytes}"""
    model, folder = os.path.join(golden, "models", name), os.path.join(golden, "cases", name)
    files = {f"model/{f}": read(model, f) for f in sorted(os.listdir(model))}
    cases = [c for c in json.loads(read(folder, "cases.json"))
             if c["case"] in wanted and "failed" not in c and not c.get("stochastic")]
    files.update({f"{c['case']}.json": read(folder, f"{c['case']}.json") for c in cases})
    generation = {k: v for k, v in json.loads(read(folder, "generation.json")).items() if k != "last_logits"}
    kept = [{k: v for k, v in c.items() if k != "stochastic"} for c in cases]
    files["cases.json"] = (json.dumps({"cases": kept, "generation": generation}, indent=1) + "\n").encode()
    return files


def pack(path, files):
    with lzma.open(path, "wb", preset=9) as out, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("golden")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--cases", default=CASES)
    arguments = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    for name in arguments.names:
        path = os.path.join(OUT, f"{name}.tar.xz")
        pack(path, members(arguments.golden, name, arguments.cases.split(",")))
        print(path, os.path.getsize(path))


if __name__ == "__main__":
    main()
