"""The caller's step functions in one call of attribute(): from the library's predictions to their arguments and back."""
from __future__ import annotations

import ctypes
import functools
import inspect
from typing import Any

import numpy as np

from .._library import GRADIENT, VALUE, CPrediction, CScore, library, options, options_of, run
from .._trace import HOW, Traced
from ..arrays import Array
from .step_functions import STEP_SCORES_MAP, BuiltIn, StepFunction, StepFunctionDecoderOnlyArgs, StepFunctionEncoderDecoderArgs

_ATTRIBUTED = "attributed:"  # as attributed_fn a function has other arguments than as step score: the library knows it by another name


class Custom:
    """One function with the keyword arguments that are its."""

    def __init__(self, fn: StepFunction, name: str, attributed: bool):
        self.fn, self.name, self.attributed = fn, name, attributed
        self.kwargs: dict[str, Any] = {}
        self.parameters = _parameters(fn)

    def take(self, kwargs: dict[str, Any]) -> set[str]:
        taken = {name: value for name, value in kwargs.items() if name in self.parameters}
        self.kwargs.update(taken)
        return set(taken)

    @property
    def contrastive(self) -> bool:
        """Whether the library is to compute a contrast: of texts, which it can encode."""
        return any(_is_texts(self.kwargs.get(name)) for name in ("contrast_targets", "contrast_sources"))


def _parameters(fn: StepFunction) -> set[str]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in list(inspect.signature(fn).parameters.values())[1:] if p.kind in named}


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, str) for one in value))


def _array_at(address: int | None, count: int, kind: Any, dtype: Any) -> Array:
    if not address or not count:
        return Array(np.empty(0, dtype))
    return Array(np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(kind)), (count,)).astype(dtype))


class CustomScores:
    """Those that a request names, and the request as the library gets it."""

    def __init__(self, model: Any, attributed: str | StepFunction, step_scores: list[str]):
        self.model, self.raised = model, []  # type: ignore[var-annotated]
        self.scores: list[Custom] = []
        self.attributed_name = attributed if isinstance(attributed, str) else getattr(attributed, "__name__", "custom")
        fn = STEP_SCORES_MAP.get(attributed) if isinstance(attributed, str) else attributed
        if isinstance(fn, BuiltIn):
            self.attributed_name = fn.identifier
        elif fn is not None:
            self.attributed_name = _ATTRIBUTED + self.attributed_name
            self.scores.append(Custom(fn, self.attributed_name, True))
        for name in step_scores:
            fn = STEP_SCORES_MAP.get(name)
            if fn is not None and not isinstance(fn, BuiltIn):
                self.scores.append(Custom(fn, name, False))

    def route(self, kwargs: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
        """Keyword arguments go to the functions whose parameters they are; what the library takes too, or nobody, is left."""
        nested = {name: kwargs.get(name) or {} for name in ("attributed_fn_args", "step_scores_args")}
        left = dict(kwargs)
        taken: set[str] = set()
        for score in self.scores:
            own = "attributed_fn_args" if score.attributed else "step_scores_args"
            taken |= score.take(kwargs) | score.take(nested[own])
        if any(score.contrastive for score in self.scores):
            known = known | {name for name in _contrast_names() if _is_texts(kwargs.get(name)) or name not in ("contrast_targets", "contrast_sources")}
        for name in taken - known:
            left.pop(name, None)
        for own, values in nested.items():
            if own in left:
                left[own] = {name: value for name, value in values.items() if name not in taken or name in known}
        return left

    def run(self, request: bytes, **hooks: Any) -> int:
        """library.attribute with these functions. What one raises ends the call and is raised here, with its traceback."""
        array = (CScore * len(self.scores))()
        kept = []
        for slot, score in zip(array, self.scores):
            value, gradient = VALUE(self._value(score)), GRADIENT(self._gradient(score))
            kept += [value, gradient]
            slot.name, slot.value, slot.gradient, slot.contrastive = score.name.encode(), value, gradient, int(score.contrastive)
        return run(library.attribute_with, self.model._handle.address, request, array, len(self.scores), raised=self.raised, **hooks)

    def note(self, info: dict[str, Any]) -> None:
        """Inseq's info of functions that the library knows by another name, or whose arguments it has not seen."""
        for score in self.scores:
            if score.attributed:
                info["attributed_fn"] = getattr(score.fn, "__name__", type(score.fn).__name__)
            own = "attributed_fn_args" if score.attributed else "step_scores_args"
            info[own] = score.kwargs | info.get(own, {})

    def _arguments(self, score: Custom, p: CPrediction, traced: bool) -> tuple[Any, Any]:
        """The function's first argument, and its logits."""
        from ..models._forward import ModelOutput

        ids = _array_at(p.ids, p.position, ctypes.c_int32, np.int64)[None]
        logits = _array_at(p.logits, p.vocabulary, ctypes.c_float, np.float32)[None, None]
        leaf = Traced.made(logits) if traced else logits
        common = (self.model, ModelOutput(leaf), Array([p.target], dtype=np.int64), ids, Array(np.ones_like(ids)), score.attributed)
        if self.model.is_encoder_decoder:
            source = _array_at(p.source, p.source_count, ctypes.c_int32, np.int64)[None]
            args: Any = StepFunctionEncoderDecoderArgs(*common, sequence_index=p.text, encoder_input_ids=source,
                                                       encoder_attention_mask=Array(np.ones_like(source)))
        else:
            args = StepFunctionDecoderOnlyArgs(*common, sequence_index=p.text)
        if p.contrast_logits:
            own = p.contrast_logits == p.logits
            other = None if own else np.array(_array_at(p.contrast_logits, p.vocabulary, ctypes.c_float, np.float32))
            args._contrast = other, p.contrast_target, score.kwargs
        return args, leaf

    def _value(self, score: Custom) -> Any:
        def value(context: Any, prediction: Any) -> float:
            if self.raised:
                return 0.0
            try:
                args, _ = self._arguments(score, prediction.contents, False)
                return _number(score, score.fn(args, **score.kwargs))
            except BaseException as problem:  # noqa: BLE001  the C code has to return first
                self.raised.append(problem)
                return 0.0
        return value

    def _gradient(self, score: Custom) -> Any:
        def gradient(context: Any, prediction: Any, out: Any) -> None:
            if self.raised:
                return
            try:
                p = prediction.contents
                np.ctypeslib.as_array(out, (p.vocabulary,))[:] = self._slope(score, p)
            except BaseException as problem:  # noqa: BLE001
                self.raised.append(problem)
        return gradient

    def _slope(self, score: Custom, p: CPrediction) -> Any:
        backward = getattr(score.fn, "backward", None)
        args, leaf = self._arguments(score, p, backward is None)
        if backward is not None:
            slope = np.asarray(backward(args, **score.kwargs))
            if slope.size != p.vocabulary:
                raise TypeError(f"{_name(score)}.backward: expected {p.vocabulary} numbers, not those of {slope.shape}")
            return slope.reshape(-1)
        made = score.fn(args, **score.kwargs)
        _number(score, made.detach() if isinstance(made, Traced) else made)
        traced = made.slope(leaf) if isinstance(made, Traced) else None
        if traced is None:
            raise TypeError(f"{_name(score)}: as attributed_fn its value has to be made of args.forward_output.logits by operations of their "
                            f"arrays, and {made!r} is not: {HOW}")
        return traced.reshape(-1)


def _name(score: Custom) -> str:
    return getattr(score.fn, "__name__", score.name)


def _number(score: Custom, made: Any) -> float:
    values = np.asarray(made)
    if values.size != 1 or values.dtype.kind not in "fiub":
        raise TypeError(f"{_name(score)}: expected one number for the batch of one text, not {made!r}")
    return float(values.reshape(-1)[0])


def _contrast_names() -> set[str]:
    return set(options_of("scores", "contrast_logits"))


@functools.lru_cache(64)
def known_arguments(method: str, scores: tuple[str, ...]) -> frozenset[str]:
    """Names that the library takes of attribute's, for this method and these step functions."""
    return options("attribute").union(options_of("methods", method), *(options_of("scores", score) for score in scores))
