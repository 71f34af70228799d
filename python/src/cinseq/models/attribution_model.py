"""Inseq's module inseq.models.attribution_model: an open model."""
from __future__ import annotations

import functools
from typing import Any, Callable

from .. import _library
from .._display import progress_bar
from .._library import describe, library, options, text
from .._pretrained import check_device
from ..attr._custom import CustomScores, known_arguments
from ..data._handle import Handle
from ..data.attribution import FeatureAttributionOutput
from ..errors import LengthMismatchError, MissingAttributionMethodError
from ..tokenizer import Tokenizer
from ._arguments import texts_of, typed, warn
from ._conversions import Conversions
from ._forward import Forwards
from ._generation import Generation
from ._modules import NamedModule
from ._open import ModelHandle, Opened


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


class AttributionModel(Forwards, Generation, Conversions):
    """An open model. Any number of threads may use it at a time."""

    def __init__(self, opened: Opened, name: str, tokenizer_name: str | None, attribution_method: str | None,
                 method_options: dict[str, Any]):
        self._opened = opened
        self.model_name, self.tokenizer_name = name, tokenizer_name
        self.default_attribution_method, self._method_options = attribution_method, method_options
        self.tokenizer = Tokenizer(opened, tokenizer_name or name, left=not self.is_encoder_decoder)
        self.default_attributed_fn_id = "probability"
        self._device = "cpu"

    @property
    def _handle(self) -> ModelHandle:
        return self._opened.handle

    @property
    def _facts(self) -> dict[str, Any]:
        return self._opened.handle.facts

    @property
    def info(self) -> dict[str, Any]:
        """Inseq's four, and what the library says of the model."""
        return {"model_name": self.model_name, "model_class": self._facts["class"], "tokenizer_name": self.tokenizer_name,
                "tokenizer_class": self._facts["tokenizer"]["class"]} | {k: v for k, v in self._facts.items() if k not in ("class", "tokenizer")}

    @property
    def is_encoder_decoder(self) -> bool:
        return "encoder" in self._facts

    @property
    def device(self) -> str:
        """Where it runs; other devices are accepted with a warning."""
        return self._device

    @device.setter
    def device(self, device: Any) -> None:
        check_device(device)

    def get_encoder(self) -> NamedModule:
        return self.model.get_encoder()

    def get_decoder(self) -> NamedModule:
        return self.model.get_decoder()

    def get_embedding_layer(self) -> NamedModule:
        return self.model.get_input_embeddings()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model_name!r}, attribution_method={self.default_attribution_method!r})"

    def attribute(self, input_texts: str | list[str], generated_texts: str | list[str] | None = None, method: str | None = None,
                  override_default_attribution: bool | None = False, attr_pos_start: int | None = None, attr_pos_end: int | None = None,
                  show_progress: bool = True, pretty_progress: bool = True, output_step_attributions: bool = False,
                  attribute_target: bool = False, step_scores: str | list[str] = (), include_eos_baseline: bool = False,  # type: ignore[assignment]
                  attributed_fn: str | Callable[..., Any] | None = None, device: str | None = None, batch_size: int | None = None,
                  generate_from_target_prefix: bool = False, skip_special_tokens: bool = False, clean_special_chars: bool = False,
                  generation_args: dict[str, Any] | None = None, **kwargs: Any) -> FeatureAttributionOutput:
        """Says which input tokens each generated token came from. Arguments are Inseq's (cinseq_describe lists those of methods
        and scores); keys of the command line's requests ("threads", "memory_budget", "generated_ids") may be given as well."""
        used = typed("method", method, str) or self.default_attribution_method
        if used is None:
            raise MissingAttributionMethodError
        check_method(used)
        check_device(device)
        flags = {"output_step_attributions": output_step_attributions, "attribute_target": attribute_target,
                 "include_eos_baseline": include_eos_baseline, "generate_from_target_prefix": generate_from_target_prefix,
                 "skip_special_tokens": skip_special_tokens, "clean_special_chars": clean_special_chars}
        numbers = {"attr_pos_start": attr_pos_start, "attr_pos_end": attr_pos_end, "batch_size": batch_size}
        request: dict[str, Any] = {"input_texts": texts_of(input_texts, "input_texts"), "attribution_method": used,
                                   "step_scores": texts_of(step_scores, "step_scores"),
                                   "generation_kwargs": typed("generation_args", generation_args, dict) or {}}
        request |= {name: bool(typed(name, value, bool)) for name, value in flags.items()}
        request |= {name: typed(name, value, int) for name, value in numbers.items() if value is not None}
        if generated_texts is not None:
            request["generated_texts"] = texts_of(generated_texts, "generated_texts")
            if len(request["generated_texts"]) != len(request["input_texts"]):
                raise LengthMismatchError(f"{len(request['generated_texts'])} texts for {len(request['input_texts'])} input_texts", "generated_texts")
        custom = CustomScores(self, attributed_fn or self.default_attributed_fn_id, request["step_scores"])
        request["attributed_fn"] = custom.attributed_name
        kwargs = custom.route(kwargs, known_arguments(used, (custom.attributed_name, *request["step_scores"])))
        request |= {name: kwargs.pop(name) for name in list(kwargs) if name in options("attribute")}
        loaded = {name: value for name, value in self._options_of(used).items() if name not in request}
        own = loaded | _flattened(kwargs) | request.get("attribution_kwargs", {})
        request["attribution_kwargs"] = self._with_layer(own)
        progress = _Progress(show_progress, f"Attributing with {used}")
        try:
            made = custom.run(text(request), progress=progress, warning=warn, keep=bool(request.get("keep_finished")))
        finally:
            progress.close()
        if override_default_attribution:
            self.default_attribution_method = used
        out = FeatureAttributionOutput._of(Handle(made))
        out.info["tokenizer_name"] = self.tokenizer_name
        custom.note(out.info)
        return out

    def _options_of(self, method: str) -> dict[str, Any]:
        """What load_model was given for the method, unless another one is used."""
        return self._method_options if method == self.default_attribution_method else {}

    def _with_layer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """A module of the PyTorch model that was loaded is its name."""
        layer = arguments.get("target_layer")
        if layer is None or isinstance(layer, (str, NamedModule)) or not hasattr(layer, "named_parameters"):
            return arguments
        return arguments | {"target_layer": self._opened.source.path_of(layer)}


def _flattened(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Inseq's three dictionaries hold what may be said without them."""
    names = ("attribution_args", "attributed_fn_args", "step_scores_args")
    nested = [typed(name, kwargs.pop(name, None), dict) or {} for name in names]
    return {name: value for group in (*nested, kwargs) for name, value in group.items()}


@functools.cache
def _methods() -> frozenset[str]:
    return frozenset(row["id"] for row in describe("methods"))


def check_method(method: str, arguments: dict[str, Any] | None = None) -> None:
    """The library's words for a method that it does not know, or for arguments that are not the method's."""
    if method in _methods() and not arguments:
        return
    error = _library.CError()
    request = {"input_texts": [""], "attribution_method": method, "attribution_kwargs": arguments or {}}
    code = library.request_check(b"attribute", text(request), error)
    if code and error.where in (b"attribution_method", b"attribution_kwargs"):
        _library.check(code, error)
