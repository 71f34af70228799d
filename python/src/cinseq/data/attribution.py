"""Inseq's module inseq.data.attribution: what model.attribute gives.

Fields are Python's and may be changed; aggregating, drawing and saving hand them to the library.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from .._library import describe
from .._pretty import pretty_dict
from ..arrays import Array
from ..attr.step_functions import span_functions
from ..utils.typing import TokenWithId
from . import _figure
from ._handle import Handle, handle_of, merged
from ._own_functions import Own, joined, places_of, reduced
from .aggregator import Stage, options_of, stages_of
from .viz import Views


def _options(stages: list[Stage] | None, options: dict[str, Any]) -> dict[str, Any]:
    """aggregate()'s arguments as the library's options."""
    of_spans = span_functions()
    given = {name: value for name, value in options.items() if name not in ("do_pre_aggregation_checks", "do_post_aggregation_checks")}
    return given | ({"step_score_functions": of_spans} if of_spans else {}) | options_of(stages)


def _request(aggregator: Any, aggregate_fn: Any, options: dict[str, Any]) -> dict[str, Any]:
    return _options(stages_of(aggregator, aggregate_fn), options)


@dataclass(eq=False, repr=False)
class FeatureAttributionSequenceOutput(Views):
    """One text: how much each row's token mattered for each generated token, a column each. Fields as Inseq's."""

    source: list[TokenWithId]
    target: list[TokenWithId]
    source_attributions: Array | None = None
    target_attributions: Array | None = None
    step_scores: dict[str, Array] = field(default_factory=dict)
    sequence_scores: dict[str, Array] = field(default_factory=dict)
    attr_pos_start: int = 0
    attr_pos_end: int | None = None

    def _fields(self) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(FeatureAttributionSequenceOutput)}
        return values | {"attr_pos_end": len(self.target) if self.attr_pos_end is None else self.attr_pos_end}

    @property
    def _aggregator(self) -> Any:
        """What aggregate() does when it is not told. It can be assigned to."""
        own = self.__dict__.get("_chosen_aggregator")
        return self._default_aggregator() if own is None else own

    @_aggregator.setter
    def _aggregator(self, aggregator: Any) -> None:
        self.__dict__["_chosen_aggregator"] = aggregator

    def _default_aggregator(self) -> Any:
        return "scores"

    def _result(self, info: dict[str, Any] | None = None) -> FeatureAttributionOutput:
        return FeatureAttributionOutput([self], info=info or {})

    def to_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(FeatureAttributionSequenceOutput)}

    def clone(self) -> FeatureAttributionSequenceOutput:
        return deepcopy(self)

    def aggregate(self, aggregator: Any = None, aggregate_fn: Any = None, **options: Any) -> FeatureAttributionSequenceOutput:
        """See FeatureAttributionOutput.aggregate."""
        return self._result().aggregate(aggregator, aggregate_fn, **options)[0]

    def __getitem__(self, span: slice) -> FeatureAttributionSequenceOutput:
        """Rows from start up to stop: of the source, of a decoder-only model's target."""
        if not isinstance(span, slice) or span.start is None or span.stop is None or span.step not in (None, 1):
            raise TypeError("expected a slice of attributed tokens with a start and a stop")
        side = "target_spans" if self.source_attributions is None else "source_spans"
        return self.aggregate("slices", **{side: (span.start, span.stop)})

    def __sub__(self, other: FeatureAttributionSequenceOutput) -> FeatureAttributionSequenceOutput:
        """Inseq's: the other's scores less those of this one; tokens that differ become "a -> b"."""
        if not isinstance(other, type(self)):
            raise ValueError(f"{type(other).__name__} cannot be compared with {type(self).__name__}")  # noqa: TRY004
        return self.aggregate("pair", paired_attr=other)

    @property
    def minimum(self) -> float:
        """The least score, 0 at most."""
        return min(0.0, *(float(np.nan_to_num(a).min(initial=0)) for a in self._attributions()))

    @property
    def maximum(self) -> float:
        """The largest score, 0 at least."""
        return max(0.0, *(float(np.nan_to_num(a).max(initial=0)) for a in self._attributions()))

    def _attributions(self) -> list[Array]:
        return [a for a in (self.source_attributions, self.target_attributions, Array([0])) if a is not None]

    def decode_tokens(self, tokenizer: Any) -> FeatureAttributionSequenceOutput:
        """In place: tokens as the tokenizer decodes their ids, for those that have one."""
        for token in (*self.source, *self.target):
            if token.id >= 0:
                token.token = tokenizer.decode([token.id])
        return self

    def _handle(self) -> Handle:
        return self._result()._handle()

    def _sequences(self) -> list[FeatureAttributionSequenceOutput]:
        return [self]

    def _figures(self, **options: Any) -> Any:
        return self.to_figure(**options)

    def to_figure(self, min_val: float | None = None, max_val: float | None = None, view: str | None = None, **options: Any) -> Any:
        """A matplotlib Figure of the heat tables, or of the tables of a view, with the options of `cinseq view`."""
        if view is None and not options:
            return _figure.figure(_figure.tables_of_sequence(self.aggregate()), min_val, max_val)
        chosen = options | ({} if view is None else {"view": view})
        return _figure.figure(_figure.tables_of_csv(self.to_csv(**chosen)), min_val, max_val)

    def get_scores_dicts(self, aggregator: Any = None, do_aggregation: bool = True, **options: Any) -> dict[str, Any]:
        """{"source_attributions": {(target index, token): {(source index, token): score}}, "target_attributions": ..,
        "step_scores": {(target index, token): {name: score}}}"""
        made = self.aggregate(aggregator, **options) if do_aggregation else self
        start, end = made.attr_pos_start, len(made.target) if made.attr_pos_end is None else made.attr_pos_end
        columns = [(column, (start + column, made.target[start + column].token)) for column in range(end - start)]

        def table(scores: Array | None, tokens: list[TokenWithId]) -> dict[Any, Any]:
            if scores is None:
                return {}
            return {key: {(row, token.token): float(scores[row, column]) for row, token in enumerate(tokens)} for column, key in columns}
        return {"source_attributions": table(made.source_attributions, made.source),
                "target_attributions": table(made.target_attributions, made.target[:end]),
                "step_scores": {key: {name: float(values[column]) for name, values in made.step_scores.items()}
                                for column, key in columns}}

    def weight_attributions(self, step_score_id: str) -> FeatureAttributionSequenceOutput:
        """In place: aggregated, and each column times its step score."""
        made = self.aggregate().aggregate("weight", weight_by=step_score_id)
        self.source_attributions, self.target_attributions = made.source_attributions, made.target_attributions
        return self

    def __str__(self) -> str:
        return f"{type(self).__name__}({pretty_dict(self.to_dict())})"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FeatureAttributionSequenceOutput) or type(self) is not type(other):
            return NotImplemented
        ours, theirs = self._fields(), other._fields()
        return all(_same(ours[name], theirs[name]) for name in ours)


def _same(a: Any, b: Any) -> bool:
    """Arrays to 1e-5, NaN equal to NaN, as Inseq."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(np.allclose(a, b, atol=1e-5, equal_nan=True))
    return bool(a is b or (not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and a == b))


class GranularFeatureAttributionSequenceOutput(FeatureAttributionSequenceOutput):
    """A score for each dimension of the embedding: gradients."""

    def _default_aggregator(self) -> Any:
        return "vnorm"


class CoarseFeatureAttributionSequenceOutput(FeatureAttributionSequenceOutput):
    """A score for each pair of tokens."""

    def _default_aggregator(self) -> Any:
        return []


class MultiDimensionalFeatureAttributionSequenceOutput(FeatureAttributionSequenceOutput):
    """A score for each layer, or layer and head."""

    def _default_aggregator(self) -> Any:
        return ["mean"] * (self._rank() - 2)


@dataclass(eq=False, repr=False)
class FeatureAttributionStepOutput:
    """What one step gave, as a batch of one text: arrays [1, tokens, ...], step scores [1], and a list of lists of tokens each."""

    source_attributions: Array | None = None
    step_scores: dict[str, Array] = field(default_factory=dict)
    target_attributions: Array | None = None
    sequence_scores: dict[str, Array] = field(default_factory=dict)
    source: list[list[TokenWithId]] | None = None
    prefix: list[list[TokenWithId]] | None = None
    target: list[list[TokenWithId]] | None = None

    @classmethod
    def _of(cls, column: dict[str, Any]) -> FeatureAttributionStepOutput:
        """From a sequence with one column, as the library has steps."""
        start, source = column["attr_pos_start"], column["source_attributions"]
        made = cls(None if source is None else source[None, :, 0], dict(column["step_scores"]), None, {},
                   None if source is None else [column["source"]], [column["target"][:start]], [column["target"][start:start + 1]])
        if column["target_attributions"] is not None:
            made.target_attributions = column["target_attributions"][None, :, 0]
        made.sequence_scores = {name: values[None] for name, values in column["sequence_scores"].items()}
        return made

    def to_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(FeatureAttributionStepOutput)}

    def __str__(self) -> str:
        return f"{type(self).__name__}({pretty_dict(self.to_dict())})"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FeatureAttributionStepOutput) or type(self) is not type(other):
            return NotImplemented
        return _same(self.to_dict(), other.to_dict())

    __hash__ = None  # type: ignore[assignment]


class GranularFeatureAttributionStepOutput(FeatureAttributionStepOutput):
    """A score for each dimension of the embedding."""


class CoarseFeatureAttributionStepOutput(FeatureAttributionStepOutput):
    """A score for each token."""


class MultiDimensionalFeatureAttributionStepOutput(FeatureAttributionStepOutput):
    """A score for each layer, or layer and head."""


_CLASSES = {made.__name__: made for made in (
    FeatureAttributionSequenceOutput, GranularFeatureAttributionSequenceOutput, CoarseFeatureAttributionSequenceOutput,
    MultiDimensionalFeatureAttributionSequenceOutput)}


_STEP_CLASSES = {name.replace("Sequence", "Step"): made for name, made in zip(_CLASSES, (
    FeatureAttributionStepOutput, GranularFeatureAttributionStepOutput, CoarseFeatureAttributionStepOutput,
    MultiDimensionalFeatureAttributionStepOutput))}


def _class_name(made: FeatureAttributionSequenceOutput | FeatureAttributionStepOutput) -> str:
    """Inseq's class, also of what a user has derived from one."""
    return next(c.__name__ for c in type(made).__mro__ if c.__name__ in _CLASSES or c.__name__ in _STEP_CLASSES)


@dataclass(repr=False)
class FeatureAttributionOutput(Views):
    """What model.attribute gives: a sequence for each text, and Inseq's info about the run."""

    sequence_attributions: list[FeatureAttributionSequenceOutput]
    step_attributions: list[FeatureAttributionStepOutput] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _of(cls, handle: Handle) -> FeatureAttributionOutput:
        """Sequences are made of the library's when they are first asked for."""
        made = cls.__new__(cls)
        made.step_attributions = [_STEP_CLASSES[name.replace("Sequence", "Step")]._of(values) for name, values in handle.steps()] or None
        made.info, made.__dict__["_unread"] = handle.info(), handle
        return made

    def __getattr__(self, name: str) -> Any:
        if name != "sequence_attributions" or "_unread" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        self.sequence_attributions = [_CLASSES[kind](**values) for kind, values in self.__dict__["_unread"].sequences()]
        del self.__dict__["_unread"]
        return self.sequence_attributions

    def __getstate__(self) -> dict[str, Any]:
        """For copy and pickle."""
        return self.to_dict()

    def _handle(self, steps: bool = False) -> Handle:
        """The library's result. It needs the steps only to save them."""
        of_steps = [(_class_name(s), s.to_dict()) for s in self.step_attributions or ()] if steps else []
        return handle_of([(_class_name(s), s._fields()) for s in self.sequence_attributions], self.info, of_steps)

    def __len__(self) -> int:
        return len(self.sequence_attributions)

    def __iter__(self) -> Iterator[FeatureAttributionSequenceOutput]:
        return iter(self.sequence_attributions)

    def __getitem__(self, index: int) -> FeatureAttributionSequenceOutput:
        return self.sequence_attributions[index]

    def __add__(self, other: FeatureAttributionOutput) -> FeatureAttributionOutput:
        return merge_attributions([self, other])

    def __radd__(self, other: Any) -> FeatureAttributionOutput:
        """sum() begins with 0."""
        return self if other == 0 else merge_attributions([other, self])

    def to_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(FeatureAttributionOutput)}

    def __repr__(self) -> str:
        return str(self)

    def decode_tokens(self, tokenizer: Any) -> FeatureAttributionOutput:
        """In place: tokens as the tokenizer decodes their ids."""
        for sequence in self.sequence_attributions:
            sequence.decode_tokens(tokenizer)
        return self

    def aggregate(self, aggregator: Any = None, aggregate_fn: Any = None, **options: Any) -> FeatureAttributionOutput:
        """Tokens by tokens: Inseq's default for the method, or aggregators, one after the other.

        aggregator: an id or a class of aggregators, the id of a function (what "scores" then uses), a list of these or of pairs with their
        functions, or an AggregatorPipeline. aggregate_fn: functions of the aggregators, one for each: ids, or functions of one's own, which
        are called as function(scores, dim=...) and take that dimension away (numpy's with axis=...). options: those of the aggregators
        (select_idx, normalize, rescale, source_spans, target_spans, paired_attr, ...)."""
        chosen = [s.__dict__.get("_chosen_aggregator") for s in self] if aggregator is None and aggregate_fn is None else []
        if any(one is not None for one in chosen):
            sequences = [s.aggregate(one, **options) for s, one in zip(self, chosen)]
            return self._with(sequences)
        stages = stages_of(aggregator, aggregate_fn)
        if stages is None or all(stage.by_library for stage in stages):
            return self._by_library(stages, {name: value for name, value in options.items() if name != "paired_attr"})
        made, known = self, {option["name"] for row in describe("commands") if row["id"] == "show" for option in row["options"]}
        of_library = {name: value for name, value in options.items() if name in known and name != "paired_attr"}
        waiting: list[Stage] = []
        for stage in stages:
            if stage.by_library:
                waiting.append(stage)
                continue
            made = made._by_library(waiting, of_library) if waiting else made
            if stage.own:
                made = made._with([stage.aggregator._aggregate(s, aggregate_fn=stage.function, **options) for s in made])
            elif stage.aggregator == "pair":
                made = made._paired(options.get("paired_attr"), waiting, of_library)
            else:
                made = made._by_function(stage.aggregator, Own(stage.function, options), of_library)
            waiting = []
        return made._by_library(waiting, of_library) if waiting else made

    def _by_function(self, aggregator: str, own: Own, options: dict[str, Any]) -> FeatureAttributionOutput:
        """One stage with a function of the caller's."""
        if aggregator == "scores":
            select = options.get("select_idx")
            if isinstance(select, int):  # one is taken, nothing reduced
                return self._by_library([Stage("scores", None)], options)
            left = {name: value for name, value in options.items() if name != "select_idx"}
            return self._with([reduced(s, own, select) for s in self])._by_library([Stage("scores", "sum")], left)
        if aggregator not in ("spans", "subwords", "split"):
            raise TypeError(f"aggregate_fn: {aggregator} takes no function")
        asked = self._with([places_of(s, MultiDimensionalFeatureAttributionSequenceOutput) for s in self])
        return self._with([joined(s, own, p) for s, p in zip(self, asked._by_library([Stage(aggregator, "min")], options))])

    def _with(self, sequences: list[Any]) -> FeatureAttributionOutput:
        return FeatureAttributionOutput(sequences, self.step_attributions, self.info)

    def _by_library(self, stages: list[Stage] | None, options: dict[str, Any]) -> FeatureAttributionOutput:
        made = self._of(self._handle().aggregate(_options(stages, options)))
        made.step_attributions = self.step_attributions
        return made

    def _paired(self, other: Any, stages: list[Stage], options: dict[str, Any]) -> FeatureAttributionOutput:
        """other's scores less these. Where it has more dimensions it is aggregated as these were."""
        if isinstance(other, FeatureAttributionSequenceOutput):
            other = other._result(self.info)
        if not isinstance(other, FeatureAttributionOutput):
            raise TypeError(f"paired_attr: expected what attribute() gives, or one of its sequences, not {type(other).__name__}")
        if stages and any(a.ndim != b.ndim for mine, theirs in zip(self, other) for a, b in zip(mine._attributions(), theirs._attributions())):
            other = other._by_library(stages, options)
        made = self._of(self._handle().pair(other._handle()))
        made.step_attributions = self.step_attributions
        return made

    def _sequences(self) -> list[FeatureAttributionSequenceOutput]:
        return self.sequence_attributions

    def __str__(self) -> str:
        return f"{type(self).__name__}({pretty_dict(self.to_dict())})"

    def get_scores_dicts(self, aggregator: Any = None, do_aggregation: bool = True, **options: Any) -> list[dict[str, Any]]:
        return [s.get_scores_dicts(aggregator, do_aggregation, **options) for s in self.sequence_attributions]

    def weight_attributions(self, step_score_id: str) -> None:
        """In place: aggregated, and each column times its step score."""
        for sequence in self.sequence_attributions:
            sequence.weight_attributions(step_score_id)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False, compress: bool = False, ndarray_compact: bool = True,
             use_primitives: bool = False, split_sequences: bool = False, scores_precision: str = "float32") -> None:
        """Inseq 0.7's JSON file, whole or not at all.

        compress: with gzip. scores_precision: "float32", "float16" or "float8". split_sequences: a file for each sequence, PATH_0.json, ...
        use_primitives: without the names of classes, which nothing loads. ndarray_compact: arrays of steps in base64 and not as lists."""
        if os.path.exists(path) and not overwrite:
            raise ValueError(f"{os.fspath(path)} exists: overwrite=True replaces it")
        options = {"compress": compress, "ndarray_compact": ndarray_compact, "use_primitives": use_primitives, "scores_precision": scores_precision}
        if not split_sequences:
            self._handle(steps=True).save(os.fspath(path), options)
            return
        for index, sequence in enumerate(self):
            texts = {name: [self.info[name][index]] for name in ("input_texts", "generated_texts") if name in self.info}
            part = f"{os.fspath(path).split('.json')[0]}_{index}.json{'.gz' if compress else ''}"
            sequence._result(self.info | texts)._handle().save(part, options)

    @classmethod
    def load(cls, path: str | os.PathLike[str], decompress: bool = False) -> FeatureAttributionOutput:
        """A file of Inseq's, 0.5 to 0.7, or of ours. One that is compressed is known by its first bytes."""
        return cls._of(Handle.load(os.fspath(path)))


def merge_attributions(attributions: list[FeatureAttributionOutput]) -> FeatureAttributionOutput:
    """The texts of several results in one. Those must be of one model and method."""
    info = merged([handle_of([], one.info) for one in attributions]).info()
    steps = [step for one in attributions for step in one.step_attributions or ()]
    return FeatureAttributionOutput([copy(s) for one in attributions for s in one], steps or None, info)
