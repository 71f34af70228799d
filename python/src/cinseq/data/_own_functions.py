"""Aggregation with a function of the caller's own. It reduces; which tokens become one and what normalising is stays the library's.

The library is asked of numbers by which its answer can be read: of one number in the last dimension, which it has nothing to reduce of; of
places, the least of which in a token is where that begins.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np

from ..arrays import Array

_SIDES = ("source_attributions", "target_attributions")


def _parameters(function: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some of numpy's
        return frozenset()


class Own:
    """A function with what it is to be given. It is called as Inseq's are, function(scores, dim=..., ...), or as numpy's with axis."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]):
        names = _parameters(function)
        self.function, self.word = function, "dim" if "dim" in names else "axis" if "axis" in names else None
        self.given = {name: value for name, value in options.items() if name in names}
        self.single = getattr(function, "takes_single_tensor", True)
        self.sequence_scores = getattr(function, "takes_sequence_scores", False)

    def call(self, scores: Any, dim: int, **more: Any) -> Any:
        given = self.given | more
        return self.function(scores, dim, **given) if self.word is None else self.function(scores, **{self.word: dim}, **given)

    def array(self, made: Any, shape: tuple[int, ...]) -> Array:
        values = Array(made, dtype=np.float32)
        if values.shape != shape:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise TypeError(f"aggregate_fn: {name} gave an array of shape {list(values.shape)}, expected {list(shape)}: it takes a dimension away")
        return values


def _chosen(values: Any, places: Any) -> Any:
    if places is None:
        return values
    pair = isinstance(places, tuple) and len(places) == 2
    return Array(np.take(np.asarray(values), np.arange(*places) if pair else np.asarray(places), axis=-1))


def reduced(sequence: Any, own: Own, select_idx: Any) -> Any:
    """A copy with a last dimension of one number: what the function makes of it, or of the members of it that select_idx says."""
    made = copy(sequence)
    names = [name for name in _SIDES if getattr(sequence, name) is not None]
    if any(getattr(sequence, name).ndim < 3 for name in names):
        raise ValueError("aggregate_fn: scores of tokens by tokens have no dimension that could be reduced")
    given = [_chosen(getattr(sequence, name), select_idx) for name in names]
    more = {"sequence_scores": sequence.sequence_scores} if own.sequence_scores else {}
    if own.single or len(given) < 2:
        values = [own.call(one, -1, **more) for one in given]
    else:
        values = list(own.call(tuple(given), -1, **more))
    for name, one in zip(names, values):
        setattr(made, name, own.array(one, getattr(sequence, name).shape[:-1])[..., None])
    if not own.sequence_scores:
        made.sequence_scores = {name: own.array(own.call(_chosen(one, select_idx), -1), one.shape[:-1])[..., None]
                                for name, one in sequence.sequence_scores.items() if one.ndim > 2}
    return made


def places_of(sequence: Any, kind: Any) -> Any:
    """A sequence of that class with the same tokens whose scores are their own places: [rows, columns, 2], and of step scores their column."""
    def places(values: Any) -> Any:
        return None if values is None else Array(np.moveaxis(np.indices(values.shape[:2]), 0, -1))

    return kind(sequence.source, sequence.target, places(sequence.source_attributions), places(sequence.target_attributions),
                {name: Array(np.arange(len(one))) for name, one in sequence.step_scores.items()},
                {name: places(one) for name, one in sequence.sequence_scores.items()}, sequence.attr_pos_start, sequence.attr_pos_end)


def _grouped(own: Own, values: Any, starts: Any, axis: int) -> Any:
    """values with one member along axis for each group: the function's, or the only one's own."""
    moved = np.moveaxis(np.asarray(values), axis, 0)
    ends = [*starts[1:], len(moved)]
    parts = [moved[a] if b - a == 1 else own.array(own.call(Array(moved[a:b]), 0), moved.shape[1:]) for a, b in zip(starts, ends)]
    return Array(np.moveaxis(np.stack(parts), 0, axis)) if parts else values


def joined(sequence: Any, own: Own, places: Any) -> Any:
    """The sequence with tokens joined as the library has joined those of places_of: generated tokens first, then attributed ones."""
    def table(values: Any, where: Any) -> Any:
        if values is None:
            return None
        rows, columns = where[:, 0, 0].astype(int).tolist(), where[0, :, 1].astype(int).tolist()
        return _grouped(own, _grouped(own, values, columns, 1), rows, 0)

    made = copy(sequence)
    made.source, made.target, made.attr_pos_start, made.attr_pos_end = places.source, places.target, places.attr_pos_start, places.attr_pos_end
    for name in _SIDES:
        setattr(made, name, table(getattr(sequence, name), getattr(places, name)))
    made.step_scores = {name: _grouped(own, one, places.step_scores[name].astype(int).tolist(), 0) for name, one in sequence.step_scores.items()}
    made.sequence_scores = {name: table(one, places.sequence_scores[name]) for name, one in sequence.sequence_scores.items()}
    return made
