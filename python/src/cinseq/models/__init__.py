"""Inseq's module inseq.models: load_model, and the classes of what it gives."""
from __future__ import annotations

import os
from typing import Any

from .._pretrained import MODEL_ARGUMENTS, check_device, model_arguments
from ..tokenizer import Tokenizer
from ..transformers import Pretrained
from ._arguments import typed
from ._open import Opened, Source, is_torch_model
from .attribution_model import AttributionModel, check_method
from .decoder_only import DecoderOnlyAttributionModel
from .encoder_decoder import EncoderDecoderAttributionModel
from .huggingface_model import HuggingfaceDecoderOnlyModel, HuggingfaceEncoderDecoderModel, HuggingfaceModel
from .model_config import ModelConfig, register_model_config


def list_supported_frameworks() -> list[str]:
    """Inseq's: which libraries models may come from."""
    return ["hf_transformers"]


def _tokenizer_of(given: Any, kwargs: dict[str, Any]) -> tuple[Any, str | None, dict[str, Any]]:
    """What load_model's tokenizer is opened from, its name if it has been given one, and tokenizer_kwargs."""
    if given is None:
        return None, None, kwargs
    if isinstance(given, (str, os.PathLike)):
        return os.fspath(given), os.fspath(given), kwargs
    if isinstance(given, Pretrained):
        return given.name_or_path, None, given.tokenizer_kwargs | kwargs
    if isinstance(given, Tokenizer):  # of another model
        source = given._opened.source
        return source.tokenizer or source.name, None, source.request["tokenizer_kwargs"] | kwargs
    if callable(getattr(given, "save_pretrained", None)) or callable(getattr(given, "to_str", None)):
        return given, None, kwargs
    raise TypeError(f"tokenizer: expected a name, a path or a tokenizer, not {type(given).__name__}")


def load_model(model: Any, attribution_method: str | None = None, framework: str = "hf_transformers", *, tokenizer: Any = None,
               device: Any = None, model_kwargs: dict[str, Any] | None = None, tokenizer_kwargs: dict[str, Any] | None = None,
               **method_options: Any) -> AttributionModel:
    """Opens a model: a folder in the Hugging Face layout, a .gguf file, a name, or a transformers model in memory, whose weights are
    read where they lie. A model that is open already is not opened again.

    tokenizer: a name, a path or a tokenizer instead of the model's own. device: "cpu"; others warn. model_kwargs: from_pretrained's
    arguments (load_in_8bit, quantization_config, dtype, revision, ...), which may also be given by themselves, and values of
    config.json. tokenizer_kwargs: values of tokenizer_config.json (src_lang, tgt_lang, ...). method_options: of the attribution
    method, as Inseq's constructor arguments."""
    if framework != "hf_transformers":
        raise ValueError(f"framework: there is \"hf_transformers\" alone, not {framework!r}")
    check_device(device)
    typed("attribution_method", attribution_method, str)
    given = typed("model_kwargs", model_kwargs, dict) or {}
    given = {name: method_options.pop(name) for name in list(method_options) if name in MODEL_ARGUMENTS} | given
    kwargs = model_arguments(given)
    opened_from, tokenizer_name, of_tokenizer = _tokenizer_of(tokenizer, typed("tokenizer_kwargs", tokenizer_kwargs, dict) or {})
    if attribution_method is not None:
        check_method(attribution_method, {name: value for name, value in method_options.items() if name != "target_layer"})
    torch_model = model if not isinstance(model, Pretrained) and is_torch_model(model) else None
    if torch_model is not None:
        name = str(getattr(model, "name_or_path", "") or getattr(model.config, "name_or_path", ""))
        if opened_from is None and not name:
            raise ValueError("tokenizer: the model was made without one: give its name, its path or the tokenizer itself")
        opened_from = opened_from or name
    elif isinstance(model, Pretrained):
        name, kwargs = model.name_or_path, model.model_kwargs | kwargs
    elif isinstance(model, (str, os.PathLike)):
        name = os.fspath(model)
    else:
        raise TypeError(f"model: expected a name, a path or a model of transformers, not {type(model).__name__}")
    if opened_from == name and torch_model is None:
        opened_from = None
    opened = Opened(Source(None if torch_model is not None else name, torch_model, opened_from,
                           {"model_kwargs": kwargs, "tokenizer_kwargs": of_tokenizer}))
    both = "encoder" in opened.handle.facts
    if isinstance(model, Pretrained):
        model.check(both, opened.handle.facts["class"])
    made = HuggingfaceEncoderDecoderModel if both else HuggingfaceDecoderOnlyModel
    return made(opened, name, tokenizer_name, attribution_method, method_options)


__all__ = [
    "AttributionModel",
    "DecoderOnlyAttributionModel",
    "EncoderDecoderAttributionModel",
    "HuggingfaceDecoderOnlyModel",
    "HuggingfaceEncoderDecoderModel",
    "HuggingfaceModel",
    "ModelConfig",
    "list_supported_frameworks",
    "load_model",
    "register_model_config",
]
