"""Inseq's module inseq.data.aggregator: what aggregate() takes, by name or as classes."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .._library import describe
from .aggregation_functions import list_aggregation_functions, resolved

_OWN: dict[str, type[Aggregator]] = {}


def list_aggregators() -> list[str]:
    """The ids that aggregate() takes."""
    return [row["id"] for row in describe("aggregators")] + list(_OWN)


class AggregableMixin:
    """What has aggregate(): a result, and each of its sequences."""

    def aggregate(self, aggregator: Any = None, aggregate_fn: Any = None, **options: Any) -> Any:
        raise NotImplementedError


class Aggregator:
    """Stands for the library's aggregator of that id. One's own is a subclass with _aggregate(cls, attr, **kwargs), which gives another
    sequence, and an aggregator_name to be asked for by."""

    aggregator_name = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ != __name__ and cls.__dict__.get("aggregator_name"):
            _OWN[cls.aggregator_name] = cls

    @classmethod
    def aggregate(cls, attr: Any, **kwargs: Any) -> Any:
        return attr.aggregate(cls, **kwargs)

    @classmethod
    def _aggregate(cls, attr: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{cls.__name__} has no _aggregate")


class SequenceAttributionAggregator(Aggregator):
    """Reduces the last dimension."""

    aggregator_name = "scores"


class ContiguousSpanAggregator(SequenceAttributionAggregator):
    """Makes one token of each span."""

    aggregator_name = "spans"


class SubwordAggregator(ContiguousSpanAggregator):
    """Makes one token of each word."""

    aggregator_name = "subwords"


class StringSplitAggregator(ContiguousSpanAggregator):
    """Makes one token of what lies between the matches of a pattern."""

    aggregator_name = "split"


class SliceAggregator(ContiguousSpanAggregator):
    """Takes some spans."""

    aggregator_name = "slices"


class PairAggregator(SequenceAttributionAggregator):
    """Compares with paired_attr."""

    aggregator_name = "pair"


class Stage(NamedTuple):
    """A step of an aggregation: an id or a class of one's own, and its function: an id, or something to call (None: the aggregator's own)."""

    aggregator: Any
    function: Any

    @property
    def own(self) -> bool:
        """Whether it is a class with an _aggregate of the caller's."""
        return isinstance(self.aggregator, type) and self.aggregator._aggregate.__func__ is not Aggregator._aggregate.__func__  # type: ignore[attr-defined]

    @property
    def by_library(self) -> bool:
        return not self.own and self.aggregator != "pair" and (self.function is None or isinstance(self.function, str))


def _stage(aggregator: Any, function: Any = None) -> Stage:
    if isinstance(aggregator, tuple):
        aggregator, function = aggregator
    function = resolved(function)
    if isinstance(aggregator, str) and function is None and not isinstance(resolved(aggregator), str):
        return Stage("scores", resolved(aggregator))
    aggregator = _OWN.get(aggregator, aggregator) if isinstance(aggregator, str) else aggregator
    made = Stage(aggregator, function)
    if isinstance(aggregator, type) and issubclass(aggregator, Aggregator):
        return made if made.own else Stage(aggregator.aggregator_name, function)
    if not isinstance(aggregator, str):
        raise TypeError(f"aggregator: expected an id or a class of aggregators, not {aggregator!r}")
    if function is not None and not isinstance(function, str) and not callable(function):
        raise TypeError(f"aggregate_fn: expected the id of a function ({', '.join(list_aggregation_functions())}) or a function, not {function!r}")
    return made


class AggregatorPipeline:
    """Aggregators, one after the other, with the functions that they reduce with."""

    def __init__(self, aggregators: Iterable[Any], aggregate_fn: Iterable[Any] | None = None):
        listed = list(aggregators)
        functions = [None] * len(listed) if aggregate_fn is None else list(aggregate_fn)
        if len(functions) != len(listed):
            raise ValueError(f"aggregate_fn: {len(functions)} functions for {len(listed)} aggregators")
        self.stages = [_stage(*pair) for pair in zip(listed, functions)]

    def aggregate(self, attr: Any, **kwargs: Any) -> Any:
        return attr.aggregate(self, **kwargs)


def stages_of(aggregator: Any, aggregate_fn: Any) -> list[Stage] | None:
    """What aggregate()'s two arguments ask for; None: what suits the method."""
    if isinstance(aggregator, AggregatorPipeline):
        return aggregator.stages
    if aggregator is None and aggregate_fn is None:
        return None
    functions = aggregate_fn if isinstance(aggregate_fn, (list, tuple)) else None if aggregate_fn is None else [aggregate_fn]
    if aggregator is None:
        aggregator = ["scores"] * len(functions or ())
    single = isinstance(aggregator, (str, type))
    return AggregatorPipeline([aggregator] if single else aggregator, functions).stages


def options_of(stages: list[Stage] | None) -> dict[str, Any]:
    """The library's options for stages that are all its own."""
    if stages is None:
        return {}
    functions = {} if all(s.function is None for s in stages) else {"aggregate_fn": [s.function or "default" for s in stages]}
    return {"attribution_aggregators": [s.aggregator for s in stages]} | functions
