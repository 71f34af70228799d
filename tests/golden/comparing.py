"""Results as run.py compares them: arrays of Inseq's files and tables, and how far two of them may be apart."""
import array
import base64
import json
import math
import struct

ATTRIBUTIONS = ("source_attributions", "target_attributions")


class Wrong(Exception):
    """A check that does not hold, and why."""


# ---- arrays: (shape, flat list of floats) ----

def decode(text):
    """One tensor of an Inseq file: base64 of a safetensors file with the one tensor "attribution"."""
    if text is None:
        return None
    raw = base64.b64decode(text)
    size = struct.unpack_from("<Q", raw)[0]
    head = json.loads(raw[8:8 + size])["attribution"]
    low, high = head["data_offsets"]
    values = array.array({"F32": "f", "F64": "d", "I64": "q"}[head["dtype"]], raw[8 + size + low:8 + size + high])
    return head["shape"], [float(v) for v in values]


def columns(shape):
    """The column (dimension 1: the generated token) of each member of a flat array."""
    if len(shape) < 2:
        return [0] * math.prod(shape)
    inner = math.prod(shape[2:])
    return [(i // inner) % shape[1] for i in range(math.prod(shape))]


def peaks(shape, values, column):
    """The largest score of each column."""
    top = {}
    for c, v in zip(column, values):
        if v == v:
            top[c] = max(top.get(c, 0.0), abs(v))
    return top


def compare_arrays(name, got, want, tolerance):
    """tolerance(reference, peak of its column, column) is the difference allowed; NaN must stand at the same places."""
    if (got is None) != (want is None):
        raise Wrong(f"{name}: {'missing' if got is None else 'unexpected'}")
    if want is None:
        return
    if list(got[0]) != list(want[0]):
        raise Wrong(f"{name}: shape {got[0]}, reference {want[0]}")
    column = columns(want[0])
    top = peaks(want[0], want[1], column)
    for i, (x, y, c) in enumerate(zip(got[1], want[1], column)):
        if (x != x) != (y != y):
            raise Wrong(f"{name}[{i}]: {x}, reference {y}")
        if y == y and not abs(x - y) <= tolerance(y, top[c], c):
            raise Wrong(f"{name}[{i}] of shape {want[0]}: {x:.8g}, reference {y:.8g}")


def as_inseq(y, peak, column):
    return 1e-7 + 1e-3 * abs(y) + 1e-4 * peak


def unchanged(y, peak, column):
    return 1e-5 * peak + 1e-12


def as_table(probabilities):
    """1e-4. Where a token was nearly certain, 1 - p of the reference's float32 softmax has few digits left: there the same
    gradient in float64 differs from the reference by 1.1e-4 too."""
    def tolerance(y, peak, column):
        certain = peak <= 1 and probabilities[column % len(probabilities)] > 0.9999
        return 2e-4 if certain else 1e-4 * max(1.0, abs(y))
    return tolerance


# ---- sequences of a result file ----

def sequences(text):
    result = []
    for member in json.loads(text)["attributes"]["sequence_attributions"]:
        s = member["attributes"]
        arrays = {k: decode(s[k]) for k in ATTRIBUTIONS}
        for group in ("step_scores", "sequence_scores"):
            arrays.update({f"{group}.{k}": decode(v) for k, v in (s[group] or {}).items()})
        tokens = {k: [(t["attributes"]["id"], t["attributes"]["token"]) for t in s[k]] for k in ("source", "target")}
        result.append({"tokens": tokens, "positions": (s["attr_pos_start"], s["attr_pos_end"]), "arrays": arrays})
    return result


def compare(got, want, tolerance):
    if len(got) != len(want):
        raise Wrong(f"{len(got)} sequences, reference {len(want)}")
    for g, w in zip(got, want):
        for key in ("tokens", "positions"):
            if g[key] != w[key]:
                raise Wrong(f"{key}: {g[key]}, reference {w[key]}")
        extra = set(g["arrays"]) - set(w["arrays"])
        if extra:
            raise Wrong(f"unexpected {sorted(extra)}")
        for key, value in w["arrays"].items():
            compare_arrays(key, g["arrays"].get(key), value, tolerance)


# ---- Inseq's default aggregation, written down a second time (spec: L2 over the embedding, then L1 by column; attention: mean
# over heads, L1 by column in each layer, mean over layers, L1 by column; occlusion as it is) ----

def reduce_last(value, function):
    shape, flat = value
    n = shape[-1]
    return shape[:-1], [function(flat[i:i + n]) for i in range(0, len(flat), n)]


def normalise(values):
    """L1 by column over source and target together; NaN counts as 0 and stays."""
    sums = {}
    keys = {}
    for name, (shape, flat) in values.items():
        width = math.prod(shape[1:])
        keys[name] = [i % width for i in range(len(flat))]
        for k, v in zip(keys[name], flat):
            sums[k] = sums.get(k, 0.0) + (abs(v) if v == v else 0.0)
    return {name: (shape, [v / max(sums[k], 1e-12) for k, v in zip(keys[name], flat)])
            for name, (shape, flat) in values.items()}


def aggregate(arrays):
    values = {k: arrays[k] for k in ATTRIBUTIONS if arrays[k] is not None}
    rank = len(next(iter(values.values()))[0])
    if rank == 3:
        values = normalise({k: reduce_last(v, lambda x: math.sqrt(sum(e * e for e in x))) for k, v in values.items()})
    for _ in range(2 if rank == 4 else 0):
        values = normalise({k: reduce_last(v, lambda x: sum(x) / len(x)) for k, v in values.items()})
    return values
