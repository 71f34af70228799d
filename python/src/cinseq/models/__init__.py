"""Inseq's module inseq.models: load_model, and the classes of what it gives."""
from __future__ import annotations

import os
import warnings
from typing import Any

from .attribution_model import AttributionModel, ModelHandle
from .decoder_only import DecoderOnlyAttributionModel
from .encoder_decoder import EncoderDecoderAttributionModel
from .huggingface_model import HuggingfaceDecoderOnlyModel, HuggingfaceEncoderDecoderModel, HuggingfaceModel
from .model_config import ModelConfig, register_model_config


def list_supported_frameworks() -> list[str]:
    """Inseq's: which libraries models may come from."""
    return ["hf_transformers"]


def load_model(model: Any, attribution_method: str | None = None, framework: str = "hf_transformers", *, tokenizer: Any = None,
               device: str | None = None, model_kwargs: dict[str, Any] | None = None, tokenizer_kwargs: dict[str, Any] | None = None,
               **method_options: Any) -> AttributionModel:
    """Opens a model: a folder in the Hugging Face layout, a .gguf file, a name.

    method_options: of the attribution method, as Inseq's constructor arguments. device: "cpu"; others warn."""
    if framework != "hf_transformers":
        raise ValueError(f"framework: there is \"hf_transformers\" alone, not {framework!r}")
    if device not in (None, "cpu"):
        warnings.warn(f"device {device!r}: cinseq computes on the CPU", stacklevel=2)
    path = getattr(model, "name_or_path", model)
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"model: expected a name or a path, not {type(model).__name__}")
    kwargs = dict(getattr(model, "model_kwargs", {})) | (model_kwargs or {})
    if tokenizer not in (None, path) and getattr(tokenizer, "name_or_path", None) != path:
        raise ValueError("tokenizer: the model's own is used; another one cannot be given yet")
    handle = ModelHandle(os.fspath(path), {"model_kwargs": kwargs, "tokenizer_kwargs": tokenizer_kwargs or {}})
    made = HuggingfaceEncoderDecoderModel if "encoder" in handle.facts() else HuggingfaceDecoderOnlyModel
    return made(handle, os.fspath(path), attribution_method, method_options)


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
