"""Inseq's module inseq.data.attribution: what model.attribute gives.

Fields are Python's and may be changed; aggregating, drawing and saving hand them to the library.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from .._display import display_html, in_notebook
from ..arrays import Array
from ..attr.step_functions import span_functions
from ..utils.typing import TokenWithId
from ._handle import Handle, handle_of

# Of these two results can be merged only if they agree (Inseq's list).
_SAME = ("attribute_target", "attribution_method", "constrained_decoding", "include_eos_baseline", "model_class", "model_name",
         "step_scores", "tokenizer_class", "tokenizer_name")


def _request(aggregator: Any, aggregate_fn: Any, options: dict[str, Any]) -> dict[str, Any]:
    """aggregate()'s arguments as the library's options."""
    names = [aggregator] if isinstance(aggregator, str) else aggregator
    if aggregate_fn is not None:
        functions = [aggregate_fn] if isinstance(aggregate_fn, str) else list(aggregate_fn)
        stages = names or ["scores"] * len(functions)
        if any(stage != "scores" for stage in stages) or len(stages) != len(functions):
            raise TypeError("aggregate_fn: one function for each aggregator \"scores\"")
        names = functions
    of_spans = span_functions()
    options = options | ({"step_score_functions": of_spans} if of_spans else {})
    return options | ({} if names is None else {"attribution_aggregators": list(names)})


@dataclass
class FeatureAttributionSequenceOutput:
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

    def _result(self, info: dict[str, Any] | None = None) -> FeatureAttributionOutput:
        return FeatureAttributionOutput([self], info=info or {})

    def aggregate(self, aggregator: Any = None, aggregate_fn: Any = None, **options: Any) -> FeatureAttributionSequenceOutput:
        """Tokens by tokens: Inseq's default for the method, or aggregators by id, one after the other."""
        return self._result().aggregate(aggregator, aggregate_fn, **options)[0]

    def show(self, min_val: float | None = None, max_val: float | None = None, display: bool = True, return_html: bool = False,
             aggregator: Any = None, do_aggregation: bool = True, **options: Any) -> str | None:
        """See FeatureAttributionOutput.show."""
        return self._result().show(min_val, max_val, display, return_html, aggregator, do_aggregation, **options)

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

    def weight_attributions(self, step_score_id: str) -> None:
        """In place: aggregated, and each column times its step score."""
        made = self.aggregate()
        weights = made.step_scores[step_score_id]
        for name in ("source_attributions", "target_attributions"):
            scores = getattr(made, name)
            setattr(self, name, None if scores is None else Array(scores * weights))

    def __str__(self) -> str:
        return self._result().to_text()

    def _repr_html_(self) -> str:
        return self._result()._repr_html_()

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


@dataclass(eq=False)
class GranularFeatureAttributionSequenceOutput(FeatureAttributionSequenceOutput):
    """A score for each dimension of the embedding: gradients."""


@dataclass(eq=False)
class CoarseFeatureAttributionSequenceOutput(FeatureAttributionSequenceOutput):
    """A score for each pair of tokens."""


@dataclass(eq=False)
class MultiDimensionalFeatureAttributionSequenceOutput(FeatureAttributionSequenceOutput):
    """A score for each layer, or layer and head."""


class FeatureAttributionStepOutput(FeatureAttributionSequenceOutput):
    """What one step gave: a sequence with one column."""


_CLASSES = {made.__name__: made for made in (
    FeatureAttributionSequenceOutput, GranularFeatureAttributionSequenceOutput, CoarseFeatureAttributionSequenceOutput,
    MultiDimensionalFeatureAttributionSequenceOutput)}


def _class_name(sequence: FeatureAttributionSequenceOutput) -> str:
    """Inseq's class, also of what a user has derived from one."""
    return next(c.__name__ for c in type(sequence).__mro__ if c.__name__ in _CLASSES)


@dataclass
class FeatureAttributionOutput:
    """What model.attribute gives: a sequence for each text, and Inseq's info about the run."""

    sequence_attributions: list[FeatureAttributionSequenceOutput]
    step_attributions: list[FeatureAttributionStepOutput] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _of(cls, handle: Handle) -> FeatureAttributionOutput:
        steps = [FeatureAttributionStepOutput(**values) for _, values in handle.steps()]
        return cls([_CLASSES[name](**values) for name, values in handle.sequences()], steps or None, handle.info())

    def _handle(self) -> Handle:
        return handle_of([(_class_name(s), s._fields()) for s in self.sequence_attributions], self.info)

    def __len__(self) -> int:
        return len(self.sequence_attributions)

    def __iter__(self) -> Iterator[FeatureAttributionSequenceOutput]:
        return iter(self.sequence_attributions)

    def __getitem__(self, index: int) -> FeatureAttributionSequenceOutput:
        return self.sequence_attributions[index]

    def __add__(self, other: FeatureAttributionOutput) -> FeatureAttributionOutput:
        return merge_attributions([self, other])

    def aggregate(self, aggregator: Any = None, aggregate_fn: Any = None, **options: Any) -> FeatureAttributionOutput:
        """Tokens by tokens: Inseq's default for the method, or aggregators by id, one after the other."""
        return self._of(self._handle().aggregate(_request(aggregator, aggregate_fn, options)))

    def show(self, min_val: float | None = None, max_val: float | None = None, display: bool = True, return_html: bool = False,
             aggregator: Any = None, do_aggregation: bool = True, **options: Any) -> str | None:
        """Heat tables: HTML in a notebook, text in a terminal. return_html: the page's text, with display=False only that."""
        drawn = _request(aggregator if do_aggregation else [], None, options)
        drawn |= {name: value for name, value in (("min_val", min_val), ("max_val", max_val)) if value is not None}
        html = self.to_html(**drawn) if return_html or (display and in_notebook()) else None
        if display and in_notebook():
            display_html(html)
        elif display:
            print(self.to_text(**drawn))
        return html if return_html else None

    def to_html(self, **options: Any) -> str:
        """One page that needs no other file, no network and no script."""
        return self._handle().render("html", options)

    def to_text(self, **options: Any) -> str:
        """The tables of a terminal."""
        return self._handle().render("terminal", options)

    def to_csv(self, **options: Any) -> str:
        return self._handle().render("csv", options)

    def to_latex(self, **options: Any) -> str:
        return self._handle().render("latex", options)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_text()

    def get_scores_dicts(self, aggregator: Any = None, do_aggregation: bool = True, **options: Any) -> list[dict[str, Any]]:
        return [s.get_scores_dicts(aggregator, do_aggregation, **options) for s in self.sequence_attributions]

    def weight_attributions(self, step_score_id: str) -> None:
        """In place: aggregated, and each column times its step score."""
        for sequence in self.sequence_attributions:
            sequence.weight_attributions(step_score_id)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Inseq 0.7's JSON file, whole or not at all."""
        if os.path.exists(path) and not overwrite:
            raise ValueError(f"{os.fspath(path)} exists: overwrite=True replaces it")
        self._handle().save(os.fspath(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FeatureAttributionOutput:
        """A file of Inseq's or of ours."""
        return cls._of(Handle.load(os.fspath(path)))


def merge_attributions(attributions: list[FeatureAttributionOutput]) -> FeatureAttributionOutput:
    """The texts of several results in one. Those must be of one model and method."""
    first = attributions[0]
    for name in _SAME:
        if any(other.info.get(name) != first.info.get(name) for other in attributions):
            raise ValueError(f"cannot merge results whose info differs in {name}: "
                             f"{', '.join(repr(other.info.get(name)) for other in attributions)}")
    info = dict(first.info)
    for name in ("input_texts", "generated_texts"):
        if all(isinstance(other.info.get(name), list) for other in attributions):
            info[name] = [text for other in attributions for text in other.info[name]]
    steps = [step for other in attributions for step in other.step_attributions or ()]
    return FeatureAttributionOutput([s for other in attributions for s in other], steps or None, info)


def show_attributions(attributions: FeatureAttributionOutput, **options: Any) -> str | None:
    """Inseq's name for attributions.show()."""
    return attributions.show(**options)
