#!/usr/bin/env python3
"""Reference cases of the real Inseq 0.7.1 through the command line, and runs that must not change a result.

usage: run.py [--bin build/cinseq] [--unpacked build/golden] [--only WORD] [--jobs N] [-v]   every check whose name contains WORD
       run.py --self-test                                         spoils references: each must be caught

tests/data/golden/README.md says what the references are. Checks, by name:
  ARCH/CASE                raw scores, step scores, tokens and positions of a case against Inseq's file
  ARCH/generate.RUN        ids against those of transformers
  layers/ARCH/METHOD LAYER scores of a layer, where Inseq's are zero, against hooks in torch
  zeroing/ARCH             value_zeroing against hooks in torch, in float64
  real/MODEL/sentenceN     ids of ten sentences, and the translations in the model's README
  real/MODEL/CASE          default-aggregated tables of the embedded models; aggregation is done here, from the saved raw scores
  formats/...              other layouts and types of the llama and marian models
  gguf/ARCH/CASE           the model as llama.cpp converts it: Inseq's file, and the same result as the model's own folder
  gguf/ARCH/generate.RUN   ids against those of transformers
  gguf/tokens.KIND         ids of awkward texts against the tokenizer that a file was made from
  complete/ARCH            integrated_gradients with 1,024 points adds up to what changes from the baseline, of models that are smooth on the way
  ARCH/CASE FLAGS          the same case with other target blocks, threads and memory: the same result
ARCH is a model of cases.json, or one that the build has unpacked from tests/data/golden/architectures (without FLAGS: tests/engine
cuts the work of each of them).
Only Python's standard library. The last line is "N passed, N failed".
"""
import argparse
import copy
import glob
import json
import lzma
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor

from comparing import (ATTRIBUTIONS, Wrong, aggregate, as_inseq, as_table, columns, compare, compare_arrays, peaks, reduce_last, sequences,
                       unchanged)

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data", "golden")
# What must not change a result.
VARIANTS = (["--target_block", "1"], ["--target_block", "3"], ["--target_block", "100000"], ["--threads", "1"],
            ["--threads", "2"], ["--memory_budget", "256M"])

# What llama.cpp's converter does not write into a file.
LEFT_OUT = {"mistral": {"model_type": "mistral", "sliding_window": 6}, "gpt_neox_serial": {"rope_scaling": {"rope_type": "linear", "factor": 3.0}},
            "gemma3": {"layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}}


# ---- running the program ----

class Program:
    def __init__(self, path, folder):
        self.path, self.folder, self.plain = path, folder, {}

    def run(self, *arguments):
        done = subprocess.run([self.path, *arguments], capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise Wrong(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def attribute_once(self, model, case):
        """Without further flags; for the checks that compare with it."""
        key = (model, json.dumps(case))
        if key not in self.plain:
            self.plain[key] = self.attribute(model, case)
        return self.plain[key]

    def attribute(self, model, case, *flags):
        out = os.path.join(self.folder, f"{os.urandom(8).hex()}.json")
        as_list = lambda v: v if isinstance(v, list) else [v]
        arguments = ["attribute", "-m", model, "-a", case["method"], "-i", *as_list(case["input_texts"]),
                     "-g", *as_list(case["generated_texts"])]
        if case.get("step_scores"):
            arguments += ["--step_scores", *case["step_scores"]]
        if case.get("attributed_fn"):
            arguments += ["--attributed_fn", case["attributed_fn"]]
        if case.get("attr_pos_start") is not None:
            arguments += ["--start_pos", str(case["attr_pos_start"]), "--end_pos", str(case["attr_pos_end"])]
        arguments += [f"--{k}" for k in ("attribute_target", "include_eos_baseline") if case.get(k)]
        if "tokenizer_kwargs" in case:
            arguments += ["--tokenizer_kwargs", json.dumps(case["tokenizer_kwargs"])]
        kwargs = {k: case[k] for k in ("n_steps", "contrast_targets", "step_scores_args", "target_layer") if k in case} | case.get("attribution_kwargs", {})
        if kwargs:
            arguments += ["--attribution_kwargs", json.dumps(kwargs)]
        self.run(*arguments, *flags, "--hide_attributions", "--save_path", out)
        with open(out) as file:
            text = file.read()
        os.remove(out)
        return sequences(text)

    def generate(self, model, text, kwargs, tokenizer_kwargs, *flags):
        out = self.run("generate", "-m", model, "-i", text, "--generation_kwargs", json.dumps(kwargs), "--json",
                       "--tokenizer_kwargs", json.dumps(tokenizer_kwargs), *flags)
        return json.loads(out.strip().splitlines()[-1])


def load(*path):
    with open(os.path.join(DATA, *path)) as file:
        return json.load(file)


def read_unpacked(folder):
    """(name, its folder, cases.json) of each model that the build has unpacked."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if os.path.exists(os.path.join(path, "cases.json")):
            with open(os.path.join(path, "cases.json")) as file:
                yield name, path, json.load(file)


def load_references(unpacked):
    """{"ARCH/CASE": text of Inseq's file}"""
    texts = {}
    for path in sorted(glob.glob(os.path.join(DATA, "references*.tar.xz"))):
        with tarfile.open(path) as tar:
            texts.update({m.name[:-len(".json")]: tar.extractfile(m).read() for m in tar.getmembers()})
    for name, path, group in read_unpacked(unpacked):
        for case in group["cases"]:
            with open(os.path.join(path, case["case"] + ".json"), "rb") as file:
                texts[f"{name}/{case['case']}"] = file.read()
    return texts


def model_path(arch):
    return os.path.join(DATA, "models", arch)


def widen(source, target):
    """A copy of a model folder with its half-precision weights as float32."""
    os.makedirs(target)
    for name in os.listdir(source):
        with open(os.path.join(source, name), "rb") as file:
            data = file.read()
        if name == "model.safetensors":
            data = widen_safetensors(data)
        with open(os.path.join(target, name), "wb") as file:
            file.write(data)
    return target


def widen_safetensors(raw):
    size = struct.unpack_from("<Q", raw)[0]
    head = json.loads(raw[8:8 + size])
    head.pop("__metadata__", None)
    body = b""
    for tensor in head.values():
        low, high = (8 + size + o for o in tensor["data_offsets"])
        count = (high - low) // 2
        if tensor["dtype"] == "BF16":
            data = struct.pack(f"<{count}I", *(v << 16 for v in struct.unpack_from(f"<{count}H", raw, low)))
        else:
            data = struct.pack(f"<{count}f", *struct.unpack_from(f"<{count}e", raw, low))
        tensor.update(dtype="F32", data_offsets=[len(body), len(body) + len(data)])
        body += data
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


# ---- checks: functions that raise Wrong ----

def check_case(program, model, case, reference):
    compare(program.attribute_once(model, case), sequences(reference), as_inseq)


def check_variants(program, model, case, flags):
    compare(program.attribute(model, case, *flags), program.attribute_once(model, case), unchanged)


def check_layer(program, model, want):
    """Sums and lengths over the width of a layer's scores, against torch (layer_oracle.py)."""
    arrays = program.attribute(model, want["case"])[0]["arrays"]
    got = arrays[f"{want['side']}_attributions"]
    nan = float("nan")
    table = lambda rows: [nan if v is None else v for row in rows for v in row] + [nan] * ((got[0][0] - len(rows)) * got[0][1])
    lengths = reduce_last(got, lambda x: math.sqrt(sum(e * e for e in x)))
    top = peaks(lengths[0], lengths[1], columns(lengths[0]))
    compare_arrays("length", lengths, (lengths[0], table(want["length"])), as_inseq)
    compare_arrays("sum", reduce_last(got, sum), (lengths[0], table(want["sum"])),
                   lambda y, peak, column: 1e-7 + 1e-3 * abs(y) + 1e-3 * top[column])


def is_smooth(model):
    """Experts jump. These models' unk is a row of zeros, where an RMS norm turns all it is given within 1e-3 of the way."""
    with open(os.path.join(model, "config.json")) as file:
        text = file.read()
    return "expert" not in text and "ffn_config" not in text and "rms_norm_eps" not in text


def check_completeness(program, model):
    """|sum - (f(x) - f(x'))| is below 5 % of the difference, which sum and delta tell."""
    out = program.run("attribute", "-m", model, "-a", "integrated_gradients", "-i", "hello world", "--generation_kwargs", '{"max_new_tokens": 2}',
                      "--attribution_kwargs", '{"n_steps": 1024, "return_convergence_delta": true}', "--json", "--hide_attributions")
    arrays = sequences(out)[0]["arrays"]
    deltas = arrays["step_scores.deltas"][1]
    (_, columns_count, width), values = arrays["source_attributions"] or arrays["target_attributions"]
    for column, delta in enumerate(deltas):
        total = sum(v for i, v in enumerate(values) if i // width % columns_count == column and not math.isnan(v))
        if not abs(delta) < 0.05 * max(abs(total - delta), 1e-6):
            raise Wrong(f"token {column}: {total} for a difference of {total - delta}")


def check_zeroing(program, model, want):
    """Scores of value_zeroing against torch in float64 (zeroing_oracle.py)."""
    shape, values = program.attribute(model, want["case"])[0]["arrays"][f"{want['side']}_attributions"]
    flat = [float("nan") if v is None else v for row in want["scores"] for cell in row for v in cell]
    flat += [float("nan")] * ((shape[0] - len(want["scores"])) * math.prod(shape[1:]))  # the last token's row
    compare_arrays("scores", (shape, values), (shape, flat), lambda y, peak, column: 1e-6 + 1e-4 * abs(y))


def check_generation(program, model, text, input_ids, kwargs, output_ids, tokenizer_kwargs, *flags):
    got = program.generate(model, text, kwargs, tokenizer_kwargs, *flags)
    for key, want in (("input_ids", input_ids), ("output_ids", output_ids)):
        if got[key] != want:
            raise Wrong(f"{key} {got[key]}, reference {want}")


def check_translations(program, name, sentences):
    """The table in the model's README is what the program says, and that is what transformers says."""
    with open(os.path.join(HERE, "..", "..", "models", name, "README.md"), encoding="utf-8") as file:
        table = re.findall(r"^\| (.*) \| (.*) \|$", file.read(), re.M)[1:]
    said = [(s["text"], program.generate(name, s["text"], {}, {})["text"]) for s in sentences]
    reference = [(s["text"], s["decoded"]["default"]) for s in sentences]
    if not table == said == reference:
        raise Wrong(f"README {table}, says {said}, reference {reference}")


def compare_table(got, want, tolerance):
    if [list(t) for t in got["tokens"]["target"]] != want["target"]:
        raise Wrong(f"target tokens {got['tokens']['target']}, reference {want['target']}")
    if "source" in want and [list(t) for t in got["tokens"]["source"]] != want["source"]:
        raise Wrong(f"source tokens {got['tokens']['source']}, reference {want['source']}")
    if got["positions"] != (want["attr_pos_start"], want["attr_pos_end"]):
        raise Wrong(f"positions {got['positions']}")
    tables = aggregate(got["arrays"])
    for key in ATTRIBUTIONS:
        rows = want.get(key)
        flat = rows and [float("nan") if v is None else v for row in rows for v in row]
        compare_arrays(key, tables.get(key), rows and ([len(rows), len(rows[0])], flat), tolerance)
    for key, values in want["step_scores"].items():
        compare_arrays(key, got["arrays"].get(f"step_scores.{key}"), ([len(values)], values), tolerance)


def check_real(program, name, want):
    case = {"method": want["case"].removesuffix("_target"), "input_texts": want["input_text"],
            "generated_texts": want["generated_text"], "step_scores": list(want["step_scores"]),
            "attribute_target": want["case"].endswith("_target")}
    if "n_steps" in want:
        case["n_steps"] = want["n_steps"]
    certain = load("real", name, "saliency.json")["step_scores"]["probability"]
    compare_table(program.attribute(name, case)[0], want, as_table(certain))


def check_widened(program, name, case):
    """Half-precision weights give exactly what the same weights give as float32."""
    source = os.path.join(DATA, "formats", name)
    with tempfile.TemporaryDirectory(dir=program.folder) as folder:
        target = widen(source, os.path.join(folder, name))
        compare(program.attribute(source, case), program.attribute(target, case), unchanged)


def check_layout(program, name, case):
    """The weights as PyTorch saves them give exactly what the same weights give as safetensors."""
    source = model_path("marian")
    with tempfile.TemporaryDirectory(dir=program.folder) as folder:
        target = shutil.copytree(source, os.path.join(folder, name), ignore=shutil.ignore_patterns("*.safetensors"))
        shutil.copy(os.path.join(DATA, "formats", name, "pytorch_model.bin"), target)
        compare(program.attribute(target, case), program.attribute_once(source, case), unchanged)


def check_converted(program, converted, model, case, reference, flags):
    """The same weights give the same scores, which are Inseq's."""
    got = program.attribute(converted, case, *flags)
    compare(got, sequences(reference), as_inseq)
    compare(got, program.attribute_once(model, case), unchanged)


RUNS = {"greedy": {"num_beams": 1}, "beam4": {"num_beams": 4, "length_penalty": 1.0}, "default": {}, "tgt_lang": {"tgt_lang": "fra"}}


def generation_checks(program, name, model, g, *flags):
    for run, ids in g["runs"].items():
        length = g["max_new_tokens"]
        kwargs = {"max_new_tokens": length, "do_sample": False, **RUNS.get(run, {"num_beams": 1, "min_new_tokens": length})}
        if name.startswith("real/") and run == "beam4":
            del kwargs["length_penalty"]
        yield f"{name}/generate.{run}", check_generation, (program, model, g["text"], g["input_ids"], kwargs, ids, g.get("tokenizer_kwargs", {}), *flags)


def check_tokens(program, model, texts):
    """Ids, and the text that they stand for."""
    lines = "".join(t["text"].replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") + "\n" for t in texts)
    reader = os.path.join(os.path.dirname(program.path), "tokenizer_lines")
    done = subprocess.run([reader, model], input=lines.encode(), capture_output=True)
    said = done.stdout.decode().splitlines()
    if done.returncode or len(said) != len(texts):
        raise Wrong(f"{len(said)} lines of {len(texts)}: {done.stderr.decode()}")
    for t, line in zip(texts, said):
        ids, text = line.split("\t")
        if [int(i) for i in ids.split()] != t["ids"] or json.loads(text) != t.get("decoded", json.loads(text)):
            raise Wrong(f"{t['text']!r}: {ids} {text}, reference {t}")


def token_checks(program):
    folder = os.path.join(DATA, "..", "tokenizers", "gguf")
    for file in sorted(os.listdir(folder)):
        if file.endswith(".xz"):
            kind = file.removesuffix(".gguf.xz")
            model = unpack(program, folder, file, "tokens-")
            with open(os.path.join(folder, kind + ".json")) as texts:
                yield f"gguf/tokens.{kind}", check_tokens, (program, model, json.load(texts))


def unpack(program, folder, file, prefix=""):
    path = os.path.join(program.folder, prefix + file.removesuffix(".xz"))
    with lzma.open(os.path.join(folder, file)) as packed, open(path, "wb") as out:
        shutil.copyfileobj(packed, out)
    return path


def converted_checks(program, groups, references):
    """groups: {ARCH: (folder of its model, its cases.json)}"""
    for file in sorted(os.listdir(os.path.join(DATA, "gguf"))):
        arch = file.removesuffix(".gguf.xz")
        converted = unpack(program, os.path.join(DATA, "gguf"), file)
        model, group = groups[arch]
        flags = ["--model_kwargs", json.dumps(LEFT_OUT.get(arch, {}))]
        for case in group["cases"]:
            if case["case"] in ("saliency", "attention"):
                name = f"{arch}/{case['case']}"
                yield f"gguf/{name}", check_converted, (program, converted, model, case, references[name], flags)
        yield from generation_checks(program, f"gguf/{arch}", converted, group["generation"], *flags)


def all_checks(program, unpacked):
    references, groups = load_references(unpacked), {}
    for arch, folder, group in read_unpacked(unpacked):
        model = os.path.join(folder, "model")
        groups[arch] = model, group
        for case in group["cases"]:
            name = f"{arch}/{case['case']}"
            yield name, check_case, (program, model, case, references[name])
        yield from generation_checks(program, arch, model, group["generation"])
    for want in load("layers.json"):
        unpacked_model = os.path.join(unpacked, want["arch"], "model")
        model = unpacked_model if os.path.isdir(unpacked_model) else model_path(want["arch"])
        layer = want["case"]["attribution_kwargs"]["target_layer"]
        yield f"layers/{want['arch']}/{want['case']['method']} {layer}", check_layer, (program, model, want)
    for want in load("zeroing.json"):
        yield f"zeroing/{want['arch']}", check_zeroing, (program, model_path(want["arch"]), want)
    for arch, group in load("cases.json").items():
        groups[arch] = model_path(arch), group
        for case in group["cases"]:
            name = f"{arch}/{case['case']}"
            yield name, check_case, (program, model_path(arch), case, references[name])
            for flags in VARIANTS:
                yield f"{name} {' '.join(flags)}", check_variants, (program, model_path(arch), case, flags)
            if arch == "llama":
                sharded = os.path.join(DATA, "formats", "llama-sharded")
                yield f"formats/llama-sharded/{case['case']}", check_case, (program, sharded, case, references[name])
                for half in ("llama-f16", "llama-bf16"):
                    yield f"formats/{half}/{case['case']}", check_widened, (program, half, case)
            if arch == "marian":
                for layout in ("marian-zip", "marian-legacy"):
                    yield f"formats/{layout}/{case['case']}", check_layout, (program, layout, case)
        yield from generation_checks(program, arch, model_path(arch), group["generation"])
    for arch, (model, _) in groups.items():
        if is_smooth(model):
            yield f"complete/{arch}", check_completeness, (program, model)
    yield from converted_checks(program, groups, references)
    yield from token_checks(program)
    for name in ("stories260K", "zh-en-mini"):
        for file in sorted(os.listdir(os.path.join(DATA, "real", name))):
            data = load("real", name, file)
            if file == "generation.json":
                yield from generation_checks(program, f"real/{name}", name, data)
            elif file == "sentences.json":
                for i, sentence in enumerate(data):
                    yield from generation_checks(program, f"real/{name}/sentence{i}", name, sentence)
                yield f"real/{name}/translations", check_translations, (program, name, data)
            else:
                yield f"real/{name}/{data['case']}", check_real, (program, name, data)


# ---- self-test: a spoilt reference must not pass ----

def roll(value):
    """Scores that are nearly the same at every token (logits scaled to little entropy) have no place to be out of."""
    shape, flat = value
    if len(shape) < 2:
        constant = max(flat) - min(flat) <= 4e-3 * max(map(abs, flat))
        return shape, flat if constant else flat[-1:] + flat[:-1]
    inner, width = math.prod(shape[2:]), math.prod(shape[1:])
    out = []
    for at in range(0, len(flat), width):
        out += flat[at + width - inner:at + width] + flat[at:at + width - inner]
    return shape, out


def one_off(value):
    """The largest score a hundredth larger."""
    shape, flat = value
    top = max((i for i, v in enumerate(flat) if v == v), key=lambda i: abs(flat[i]))
    return shape, [v * 1.01 if i == top else v for i, v in enumerate(flat)]


SPOILS = {"zeros": lambda v: (v[0], [x * 0 for x in v[1]]), "absolute": lambda v: (v[0], [abs(x) for x in v[1]]),
          "a column later": roll, "a percent larger": lambda v: (v[0], [x * 1.01 for x in v[1]]), "one score off": one_off,
          "one NaN": lambda v: (v[0], [float("nan")] + v[1][1:]), "NaN as 0": lambda v: (v[0], [x if x == x else 0.0 for x in v[1]]),
          "a row short": lambda v: ([v[0][0] - 1, *v[0][1:]], v[1][:len(v[1]) // v[0][0] * (v[0][0] - 1)]),
          "no array": lambda v: None}


def same(x, y):
    return x is not None and x[0] == y[0] and all(a == b or (a != a and b != b) for a, b in zip(x[1], y[1]))


def is_caught(compare_spoilt):
    try:
        compare_spoilt()
    except Wrong:
        return True
    return False


def self_test(unpacked):
    results = []
    for name, text in load_references(unpacked).items():
        want = sequences(text)
        for label, spoil in SPOILS.items():
            for key, value in want[0]["arrays"].items():
                spoilt = None if value is None else spoil(value)
                if value is None or same(spoilt, value):
                    continue
                got = copy.copy(want)
                got[0] = {**want[0], "arrays": {**want[0]["arrays"], key: spoilt}}
                for tolerance in (as_inseq, unchanged):
                    caught = is_caught(lambda: compare(got, want, tolerance))
                    results.append((f"{name} {key} {label} {tolerance.__name__}", caught))
        for label, change in (("another token", {"tokens": {"source": [], "target": []}}), ("another start", {"positions": (0, 1)})):
            results.append((f"{name} {label}", is_caught(lambda: compare([{**want[0], **change}, *want[1:]], want, as_inseq))))
        results.append((f"{name} a sequence short", is_caught(lambda: compare(want[1:], want, as_inseq))))
        results.append((f"{name} unspoilt", not is_caught(lambda: compare(want, want, unchanged))))
    for name, caught in results:
        if not caught:
            print("NOT CAUGHT", name)
    return len(results), sum(not caught for _, caught in results)


def run(check):
    name, function, arguments = check
    try:
        function(*arguments)
    except Wrong as why:
        return name, str(why)
    except Exception as why:  # a result that cannot even be read
        return name, f"{type(why).__name__}: {why}"
    return name, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/cinseq")
    parser.add_argument("--unpacked", default="build/golden")
    parser.add_argument("--only", default="", help="run the checks whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("-v", action="store_true", help="print passed checks too")
    arguments = parser.parse_args()
    if arguments.self_test:
        total, failed = self_test(arguments.unpacked)
    else:
        total = failed = 0
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as pool:
            checks = [c for c in all_checks(Program(arguments.bin, folder), arguments.unpacked) if arguments.only in c[0]]
            for name, why in pool.map(run, checks):
                total, failed = total + 1, failed + (why is not None)
                if why or arguments.v:
                    print("FAIL" if why else "ok  ", name, why or "", flush=True)
    print(f"{total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
