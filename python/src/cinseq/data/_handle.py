"""From a result of the library to Python's fields, and back."""
from __future__ import annotations

import base64
import ctypes
import json
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._library import SOURCE, TARGET, CArray, CError, check, library, make, take, text
from ..arrays import Array
from ..utils.typing import TokenWithId


class Handle:
    """Owns a cinseq_result. Arrays that point into it keep it alive."""

    def __init__(self, address: int):
        self.address = address

    def __del__(self) -> None:
        library.result_close(self.address)

    @classmethod
    def load(cls, path: str) -> Handle:
        return cls(make(library.result_load, os.fsencode(path)))

    def aggregate(self, options: dict[str, Any]) -> Handle:
        return Handle(make(library.result_aggregate, self.address, text(options)))

    def render(self, output: str, options: dict[str, Any]) -> str:
        return take(make(library.result_render, self.address, output.encode(), text(options)))

    def pair(self, other: Handle) -> Handle:
        return Handle(make(library.result_pair, self.address, other.address))

    def save(self, path: str, options: dict[str, Any]) -> None:
        error = CError()
        check(library.result_save_as(self.address, os.fsencode(path), text(options), ctypes.byref(error)), error)

    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = json.loads(take(library.result_info(self.address)))
        return info

    def sequences(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(class, fields) of each."""
        for index in range(library.result_count(self.address)):
            yield self._fields(library.result_sequence(self.address, index))

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        index = 0
        while step := library.result_step(self.address, index):
            yield self._fields(step)
            index += 1

    def _fields(self, sequence: int) -> tuple[str, dict[str, Any]]:
        start, end = ctypes.c_size_t(), ctypes.c_size_t()
        library.sequence_range(sequence, ctypes.byref(start), ctypes.byref(end))
        return library.sequence_class(sequence).decode(), {
            "source": self._tokens(sequence, SOURCE), "target": self._tokens(sequence, TARGET),
            "source_attributions": self._array(library.sequence_attributions(sequence, SOURCE)),
            "target_attributions": self._array(library.sequence_attributions(sequence, TARGET)),
            "step_scores": self._named(sequence, library.sequence_score_name, library.sequence_scores),
            "sequence_scores": self._named(sequence, library.sequence_matrix_name, library.sequence_matrix),
            "attr_pos_start": start.value, "attr_pos_end": end.value,
        }

    @staticmethod
    def _tokens(sequence: int, side: int) -> list[TokenWithId]:
        token, token_id = library.sequence_token, ctypes.c_int32()
        place = ctypes.byref(token_id)
        return [TokenWithId(token(sequence, side, i, place).decode("utf-8", "replace"), token_id.value)
                for i in range(library.sequence_token_count(sequence, side))]

    def _named(self, sequence: int, name_at: Any, values_of: Any) -> dict[str, Array]:
        named, index = {}, 0
        while name := name_at(sequence, index):
            named[name.decode()] = self._array(values_of(sequence, name))
            index += 1
        return named

    def _array(self, array: CArray) -> Any:
        """The library's own memory, not a copy."""
        if not array.data:
            return None
        shape = tuple(array.shape[:array.rank])
        memory: Any = (ctypes.c_float * math.prod(shape)).from_address(array.data)
        memory.owner = self
        return np.frombuffer(memory, dtype=np.float32).reshape(shape).view(Array)


def _set(handle: Handle, index: int, member: str, values: Any) -> None:
    if values is None:
        return
    numbers = np.ascontiguousarray(values, dtype=np.float32)
    array, error = CArray(numbers.ctypes.data, numbers.ndim), CError()
    array.shape[:numbers.ndim] = numbers.shape
    check(library.result_set(handle.address, index, member.encode(), ctypes.byref(array), ctypes.byref(error)), error)


def _instance(module: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"__instance_type__": [module, name], "attributes": attributes}


def _tokens(tokens: list[TokenWithId]) -> list[dict[str, Any]]:
    return [_instance("inseq.utils.typing", "TokenWithId", {"id": t.id, "token": t.token}) for t in tokens]


def _frame(fields: dict[str, Any]) -> dict[str, Any]:
    """A sequence without its numbers, as files have it."""
    tokens = {side: _tokens(fields[side]) for side in ("source", "target")}
    return tokens | {"source_attributions": None, "target_attributions": None, "step_scores": {}, "sequence_scores": {},
                     "attr_pos_start": fields["attr_pos_start"], "attr_pos_end": fields["attr_pos_end"]}


def _ndarray(values: Any) -> Any:
    """An array as steps have it in files."""
    if values is None:
        return None
    numbers = np.ascontiguousarray(values, dtype=np.float32)
    made = {"__ndarray__": "b64:" + base64.b64encode(numbers.tobytes()).decode(), "dtype": "float32", "shape": numbers.shape}
    return made | ({"Corder": True} if numbers.ndim > 1 else {})


def _step(fields: dict[str, Any]) -> dict[str, Any]:
    """A step as files have it."""
    tokens = {name: None if fields[name] is None else [_tokens(row) for row in fields[name]] for name in ("source", "prefix", "target")}
    arrays = {name: _ndarray(fields[name]) for name in ("source_attributions", "target_attributions")}
    named = {group: {name: _ndarray(values) for name, values in fields[group].items()} for group in ("step_scores", "sequence_scores")}
    return tokens | arrays | named


def handle_of(sequences: list[tuple[str, dict[str, Any]]], info: dict[str, Any], steps: list[tuple[str, dict[str, Any]]] = []) -> Handle:  # noqa: B006
    """A result of the library's with these (class, fields)."""
    module = "inseq.data.attribution"
    frames = [_instance(module, name, _frame(fields)) for name, fields in sequences]
    of_steps = [_instance(module, name, _step(fields)) for name, fields in steps] or None
    file = _instance(module, "FeatureAttributionOutput", {"info": info, "sequence_attributions": frames, "step_attributions": of_steps})
    handle = Handle(make(library.result_parse, text(file)))
    for index, (_, fields) in enumerate(sequences):
        for member in ("source_attributions", "target_attributions"):
            _set(handle, index, member, fields[member])
        for group in ("step_scores", "sequence_scores"):
            for name, values in (fields[group] or {}).items():
                _set(handle, index, f"{group}.{name}", values)
    return handle


def merged(handles: list[Handle]) -> Handle:
    """One result of all sequences."""
    addresses = (ctypes.c_void_p * len(handles))(*(handle.address for handle in handles))
    return Handle(make(library.result_merge, addresses, len(handles)))
