"""Inseq's module inseq.models.attribution_model: an open model."""
from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any, Callable

from .. import _library
from .._display import progress_bar
from .._library import describe, library, run, take, text
from ..attr._custom import CustomScores, known_arguments
from ..data._handle import Handle
from ..data.attribution import FeatureAttributionOutput
from ..errors import LengthMismatchError, MissingAttributionMethodError
from ..tokenizer import Tokenizer
from ._forward import Forwards


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=5)


def _keys(command: str) -> set[str]:
    """What a request of that command may hold."""
    return {option["name"] for row in describe("commands") if row["id"] == command for option in row["options"]}


def _texts(given: str | Iterable[str], name: str) -> list[str]:
    listed = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    for one in listed:
        if not isinstance(one, str):
            raise TypeError(f"{name}: expected text, not {type(one).__name__}")
    return listed


class ModelHandle:
    """Owns a cinseq_model."""

    def __init__(self, path: str, options: dict[str, Any]):
        self.address = run(library.model_open, path.encode(), text(options), warning=_warn)

    def facts(self) -> dict[str, Any]:
        """What the library says of the model."""
        facts: dict[str, Any] = json.loads(take(library.model_info(self.address)))
        return facts

    def __del__(self) -> None:
        if hasattr(self, "address"):
            library.model_close(self.address)


class _Progress:
    """A bar that appears with the first news."""

    def __init__(self, wanted: bool, description: str):
        self.description, self.bar, self.wanted = description, None, wanted

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not self.wanted:
            return
        if self.bar is None:
            self.bar = progress_bar(self.description)
            self.wanted = self.bar is not None
        if self.bar is not None:
            self.bar.total = total or None
            self.bar.n = done
            self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class AttributionModel(Forwards):
    """An open model. Any number of threads may use it at a time."""

    def __init__(self, handle: ModelHandle, path: str, attribution_method: str | None, method_options: dict[str, Any]):
        self._handle = handle
        self._facts = handle.facts()
        self.model_name, self.default_attribution_method, self._method_options = path, attribution_method, method_options
        self.tokenizer = Tokenizer(self._handle, self._facts["tokenizer"])
        self.default_attributed_fn_id = "probability"
        if attribution_method is not None:
            _check_method(attribution_method)

    @property
    def info(self) -> dict[str, Any]:
        """Inseq's four, and what the library says of the model."""
        return {"model_name": self.model_name, "model_class": self._facts["class"], "tokenizer_name": None,
                "tokenizer_class": self._facts["tokenizer"]["class"]} | {k: v for k, v in self._facts.items() if k not in ("class", "tokenizer")}

    @property
    def is_encoder_decoder(self) -> bool:
        return "encoder" in self._facts

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> list[str]:
        texts: list[str] = self.tokenizer.batch_decode(ids, skip_special_tokens)
        return texts

    def generate(self, inputs: str | list[str], return_generation_output: bool = False, skip_special_tokens: bool = False,
                 output_generated_only: bool = False, batch_size: int | None = None, **generation_kwargs: Any) -> Any:
        """The texts that the model writes. Keyword arguments are those of transformers' generate.

        return_generation_output: (texts, lists of ids). output_generated_only: without the prompt of a decoder-only model."""
        request: dict[str, Any] = {"input_texts": _texts(inputs, "inputs"), "generation_kwargs": generation_kwargs}
        if skip_special_tokens:
            request["skip_special_tokens"] = True
        lines = take(run(library.generate, self._handle.address, text(request), warning=_warn))
        made = [json.loads(line) for line in lines.splitlines()]
        texts, ids = [one["text"] for one in made], [one["output_ids"] for one in made]
        if output_generated_only and not self.is_encoder_decoder:
            ids = [one["output_ids"][len(one["input_ids"]):] for one in made]
            texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return (texts, ids) if return_generation_output else texts

    def attribute(self, input_texts: str | list[str], generated_texts: str | list[str] | None = None, method: str | None = None,
                  override_default_attribution: bool = False, attr_pos_start: int | None = None, attr_pos_end: int | None = None,
                  show_progress: bool = True, pretty_progress: bool = True, output_step_attributions: bool = False,
                  attribute_target: bool = False, step_scores: str | list[str] = (), include_eos_baseline: bool = False,  # type: ignore[assignment]
                  attributed_fn: str | Callable[..., Any] | None = None, device: str | None = None, batch_size: int | None = None,
                  generate_from_target_prefix: bool = False, skip_special_tokens: bool = False, clean_special_chars: bool = False,
                  generation_args: dict[str, Any] | None = None, **kwargs: Any) -> FeatureAttributionOutput:
        """Says which input tokens each generated token came from. Arguments are Inseq's (cinseq_describe lists those of methods
        and scores); keys of the command line's requests ("threads", "memory_budget", "generated_ids") may be given as well."""
        used = method or self.default_attribution_method
        if used is None:
            raise MissingAttributionMethodError
        _check_method(used)
        if override_default_attribution:
            self.default_attribution_method = used
        request: dict[str, Any] = {
            "input_texts": _texts(input_texts, "input_texts"), "attribution_method": used,
            "step_scores": [step_scores] if isinstance(step_scores, str) else list(step_scores),
            "output_step_attributions": output_step_attributions, "attribute_target": attribute_target,
            "include_eos_baseline": include_eos_baseline, "generate_from_target_prefix": generate_from_target_prefix,
            "skip_special_tokens": skip_special_tokens, "clean_special_chars": clean_special_chars,
            "generation_kwargs": generation_args or {}}
        custom = CustomScores(self, attributed_fn or self.default_attributed_fn_id, request["step_scores"])
        request["attributed_fn"] = custom.attributed_name
        optional = {"attr_pos_start": attr_pos_start, "attr_pos_end": attr_pos_end, "batch_size": batch_size}
        request |= {name: value for name, value in optional.items() if value is not None}
        if generated_texts is not None:
            request["generated_texts"] = _texts(generated_texts, "generated_texts")
            if len(request["generated_texts"]) != len(request["input_texts"]):
                raise LengthMismatchError(f"{len(request['generated_texts'])} texts for {len(request['input_texts'])} input_texts", "generated_texts")
        known = _keys("attribute")
        kwargs = custom.route(kwargs, known | known_arguments(used, [custom.attributed_name, *request["step_scores"]]))
        request |= {name: kwargs.pop(name) for name in list(kwargs) if name in known}
        request["attribution_kwargs"] = self._options_of(used) | _flattened(kwargs) | request.get("attribution_kwargs", {})
        progress = _Progress(show_progress, f"Attributing with {used}")
        try:
            made = custom.run(text(request), progress=progress, warning=_warn)
        finally:
            progress.close()
        out = FeatureAttributionOutput._of(Handle(made))
        custom.note(out.info)
        return out

    def _options_of(self, method: str) -> dict[str, Any]:
        """What load_model was given for the method, unless another one is used."""
        return self._method_options if method == self.default_attribution_method else {}


def _flattened(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Inseq's three dictionaries hold what may be said without them."""
    nested = [kwargs.pop(name, None) or {} for name in ("attribution_args", "attributed_fn_args", "step_scores_args")]
    return {name: value for group in (*nested, kwargs) for name, value in group.items()}


def _check_method(method: str) -> None:
    """The library's words for a name that it does not know."""
    error = _library.CError()
    code = library.request_check(b"attribute", text({"input_texts": [""], "attribution_method": method}), error)
    if code and error.where == b"attribution_method":
        _library.check(code, error)
