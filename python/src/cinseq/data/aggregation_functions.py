"""Inseq's module inseq.data.aggregation_functions: what aggregate_fn= takes, by name, as classes, or as a function of one's own.

The library's functions reduce where they are asked for by name; here they are for a program that calls them or derives its own from one.
"""
from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._library import describe
from ..arrays import Array

_OF_LIBRARY: dict[str, type[AggregationFunction]] = {}
_OWN: dict[str, type[AggregationFunction]] = {}


class AggregationFunction:
    """One's own is a subclass with an aggregation_function_name, by which aggregate() then knows it, and __call__(self, scores, dim, ...),
    which takes a dimension away. Further parameters are taken from the arguments of aggregate() by their names."""

    aggregation_function_name: ClassVar[str] = ""
    takes_single_tensor = True  # False: (source, target) at once, where there are both
    takes_sequence_scores = False  # True: gets sequence_scores=, and these stay as they are

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("aggregation_function_name")
        if name:
            (_OF_LIBRARY if cls.__module__ == __name__ else _OWN)[name] = cls

    def __init__(self) -> None:
        pass

    def __call__(self, scores: Any, dim: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __call__")

    @classmethod
    def available_classes(cls) -> dict[str, type[AggregationFunction]]:
        """Those of the library, and one's own."""
        return _OF_LIBRARY | _OWN


class MeanAggregationFunction(AggregationFunction):
    aggregation_function_name = "mean"

    def __call__(self, scores: Any, dim: int) -> Any:
        return Array(scores).mean(dim=dim)


class MaxAggregationFunction(AggregationFunction):
    aggregation_function_name = "max"

    def __call__(self, scores: Any, dim: int) -> Any:
        return Array(scores).max(dim=dim).values


class MinAggregationFunction(AggregationFunction):
    aggregation_function_name = "min"

    def __call__(self, scores: Any, dim: int) -> Any:
        return Array(scores).min(dim=dim).values


class SumAggregationFunction(AggregationFunction):
    aggregation_function_name = "sum"

    def __call__(self, scores: Any, dim: int) -> Any:
        return Array(scores).sum(dim=dim)


class ProdAggregationFunction(AggregationFunction):
    aggregation_function_name = "prod"

    def __call__(self, scores: Any, dim: int) -> Any:
        return Array(scores).prod(dim=dim)


class AbsMaxAggregationFunction(AggregationFunction):
    aggregation_function_name = "absmax"

    def __call__(self, scores: Any, dim: int) -> Any:
        values = Array(scores)
        return values.gather(dim, np.abs(np.nan_to_num(values)).argmax(dim=dim, keepdim=True)).squeeze(dim)


class VectorNormAggregationFunction(AggregationFunction):
    aggregation_function_name = "vnorm"

    def __call__(self, scores: Any, dim: int, vnorm_ord: float = 2) -> Any:
        return Array(scores).norm(vnorm_ord, dim)


def resolved(function: Any) -> Any:
    """What aggregate_fn= is given, as the id of a function of the library's, or as something to call."""
    if isinstance(function, str):
        return _OWN[function]() if function in _OWN else function
    if isinstance(function, type) and issubclass(function, AggregationFunction):
        name = function.aggregation_function_name
        return name if _OF_LIBRARY.get(name) is function else function()
    return function


def list_aggregation_functions() -> list[str]:
    """The ids of what reduces a dimension."""
    return [row["id"] for row in describe("functions")] + list(_OWN)
