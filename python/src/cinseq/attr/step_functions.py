"""Inseq's module inseq.attr.step_functions: scores of generated tokens, those of the library and one's own.

    def margin(args):                                        # of the two best logits
        logits = args.attribution_model.output2logits(args.forward_output)
        best = logits.topk(2).values
        return best[:, 0] - best[:, 1]

    cinseq.register_step_function(margin, "margin")
    model.attribute("...", step_scores=["margin"], attributed_fn="margin")
"""
from __future__ import annotations

import ctypes
import inspect
import warnings
from typing import Any, Callable, Union

import numpy as np

from .._library import CError, CPrediction, check, describe, library, text
from .._trace import Traced
from ..arrays import Array

StepFunction = Callable[..., Any]


class StepFunctionBaseArgs:
    """What a step function is told of a prediction: a batch of one text. All members can be assigned to.

    forward_output.logits: [1, 1, vocabulary], what predicts the token. target_ids: [1], the token. decoder_input_ids and
    decoder_attention_mask: [1, t], what stood before it. decoder_input_embeds: [1, t, width], of these ids, also where a method
    has changed the input. sequence_index: which of the texts.
    """

    _sides: tuple[str, ...] = ("decoder",)

    def __init__(self, attribution_model: Any, forward_output: Any, target_ids: Any, decoder_input_ids: Any, decoder_attention_mask: Any,
                 is_attributed_fn: bool = False, decoder_input_embeds: Any = None, sequence_index: int = 0):
        self.attribution_model, self.forward_output, self.target_ids = attribution_model, forward_output, target_ids
        self.decoder_input_ids, self.decoder_attention_mask = decoder_input_ids, decoder_attention_mask
        self.is_attributed_fn, self.sequence_index = is_attributed_fn, sequence_index
        self._embeds: dict[str, Any] = {"decoder": decoder_input_embeds}
        self._contrast: tuple[Any, int, dict[str, Any]] | None = None  # logits, token, arguments that asked for it

    def _embedded(self, side: str) -> Any:
        """Computed when they are asked for."""
        if self._embeds.get(side) is None:
            self._embeds[side] = self.attribution_model.embed_ids(getattr(self, side + "_input_ids"), as_targets=side == "decoder")
        return self._embeds[side]

    @property
    def decoder_input_embeds(self) -> Any:
        return self._embedded("decoder")

    @decoder_input_embeds.setter
    def decoder_input_embeds(self, values: Any) -> None:
        self._embeds["decoder"] = values


class StepFunctionDecoderOnlyArgs(StepFunctionBaseArgs):
    """Of a decoder-only model."""


class StepFunctionEncoderDecoderArgs(StepFunctionBaseArgs):
    """Of an encoder-decoder, with its source: encoder_input_ids, encoder_attention_mask, encoder_input_embeds."""

    def __init__(self, *args: Any, encoder_input_ids: Any, encoder_attention_mask: Any, encoder_input_embeds: Any = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.encoder_input_ids, self.encoder_attention_mask = encoder_input_ids, encoder_attention_mask
        self._embeds["encoder"] = encoder_input_embeds

    @property
    def encoder_input_embeds(self) -> Any:
        return self._embedded("encoder")

    @encoder_input_embeds.setter
    def encoder_input_embeds(self, values: Any) -> None:
        self._embeds["encoder"] = values


StepFunctionArgs = Union[StepFunctionEncoderDecoderArgs, StepFunctionDecoderOnlyArgs]


class BuiltIn:
    """A step function of the library's: probability_fn(args, logprob=True) inside one's own."""

    def __init__(self, row: dict[str, Any]):
        self.identifier, self.__doc__ = row["id"], row["help"]
        self.__name__ = self.__qualname__ = row["id"] + "_fn"
        keyword = inspect.Parameter.KEYWORD_ONLY
        first = inspect.Parameter("args", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.__signature__ = inspect.Signature(
            [first] + [inspect.Parameter(option["name"], keyword, default=option["default"]) for option in row["options"]])
        self.contrastive = any(option["name"] == "contrast_targets" for option in row["options"])

    def __repr__(self) -> str:
        return f"<step function {self.identifier!r}>"

    def __call__(self, args: StepFunctionArgs, **options: Any) -> Any:
        logits = args.attribution_model.output2logits(args.forward_output)
        targets = np.asarray(args.target_ids).reshape(-1)
        options.pop("skip_special_tokens", None)  # the request's
        contrast = self._contrast(args, options) if self.contrastive else None
        made = [self._of(logits[row], int(target), contrast, options) for row, target in enumerate(targets)]
        values = Array([value for value, _ in made], dtype=np.float32)
        if not isinstance(logits, Traced):
            return values
        slopes = np.stack([slope for _, slope in made])
        return Traced.made(values, (logits, lambda slope: slope[:, None] * slopes))

    def _of(self, logits: Any, target: int, contrast: tuple[Any, int] | None, options: dict[str, Any]) -> tuple[float, Any]:
        traced = isinstance(logits, Traced)
        plain = np.ascontiguousarray(np.asarray(logits.detach() if traced else logits), dtype=np.float32)
        given = CPrediction(logits=plain.ctypes.data, vocabulary=plain.size, target=target)
        if contrast is not None:
            other, given.contrast_target = contrast
            given.contrast_logits = plain.ctypes.data if other is None else other.ctypes.data
        value, slope, error = ctypes.c_double(), np.zeros_like(plain) if traced else None, CError()
        code = library.score_value(self.identifier.encode(), text(options), ctypes.byref(given), ctypes.byref(value),
                                   slope.ctypes.data if slope is not None else None, ctypes.byref(error))
        check(code, error)
        return value.value, slope

    def _contrast(self, args: StepFunctionArgs, options: dict[str, Any]) -> tuple[Any, int]:
        """What the library has computed of the contrast that attribute() was asked for."""
        asked = {name: options.pop(name) for name in list(options) if name.startswith("contrast_") and options[name] is not None}
        asked = {name: value for name, value in asked.items() if value is not False}
        if args._contrast is None or any(args._contrast[2].get(name) != value for name, value in asked.items()):
            raise TypeError(f"{self.identifier} inside a step function compares with what attribute() was given: "
                            "let the function have the parameter contrast_targets (or contrast_sources), and hand it on as it is")
        return args._contrast[:2]


STEP_SCORES_MAP: dict[str, StepFunction] = {row["id"]: BuiltIn(row) for row in describe("scores")}
_SPAN_FUNCTIONS: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    """probability_fn, entropy_fn, ..."""
    made = STEP_SCORES_MAP.get(name[:-3]) if name.endswith("_fn") else None
    if not isinstance(made, BuiltIn):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")  # noqa: TRY004
    return made


def list_step_functions() -> list[str]:
    """The ids that step_scores= and attributed_fn= take."""
    return list(STEP_SCORES_MAP)


def register_step_function(fn: StepFunction, identifier: str, aggregate_map: dict[str, str] | None = None, overwrite: bool = False) -> None:
    """Makes a function one of the step functions that step_scores= and attributed_fn= take by name.

    fn(args, ...) gets a StepFunctionArgs and gives one number, as an array [1], [] or a float; further parameters are taken from the
    keyword arguments of attribute() by their names. As attributed_fn it is differentiated by its logits: what it does with them has to be
    made of the methods of arrays and numpy's functions, or it has an attribute `backward`, fn.backward(args, ...), that gives d value /
    d logits, [vocabulary]. What another forward gives is a constant.

    aggregate_map: {"spans": id of an aggregation function}, what joins the scores of a span's tokens."""
    if identifier in STEP_SCORES_MAP:
        if not overwrite:
            raise ValueError(f"{identifier!r} is a step function already: overwrite=True replaces it")
        warnings.warn(f"the step function {identifier!r} is replaced", stacklevel=2)
    if not callable(fn):
        raise TypeError(f"a step function is called: {fn!r} cannot be")
    STEP_SCORES_MAP[identifier] = fn
    _SPAN_FUNCTIONS.pop(identifier, None)
    if aggregate_map and "spans" in aggregate_map:
        _SPAN_FUNCTIONS[identifier] = aggregate_map["spans"]


def span_functions() -> dict[str, str]:
    """What registered functions say of spans, by identifier."""
    return dict(_SPAN_FUNCTIONS)


def get_step_function(score_identifier: str) -> StepFunction:
    if score_identifier not in STEP_SCORES_MAP:
        raise AttributeError(f"there is no step function {score_identifier!r}: {', '.join(STEP_SCORES_MAP)}; "
                             "cinseq.register_step_function adds one")
    return STEP_SCORES_MAP[score_identifier]
