"""Inseq's module inseq.models.model_config: how an architecture's modules are called.

Inseq's value_zeroing looks them up. Here the graph of each architecture has its names already (`cinseq list models`), so what is
registered is checked and kept, and nothing depends on it.
"""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass
class ModelConfig:
    """Names in a block of transformers' model: its attentions, and the variable that holds the value vectors."""

    self_attention_module: str | None
    value_vector: str | None
    cross_attention_module: str | None = None


MODEL_CONFIGS: dict[str, ModelConfig] = {}


def register_model_config(model_type: str, config: dict[str, Any], overwrite: bool = False, allow_partial: bool = False) -> None:
    """Keeps a configuration for a class of transformers, as "GPT2LMHeadModel".

    ValueError: there is one and overwrite is not set; a field is missing and allow_partial is not set."""
    if model_type in MODEL_CONFIGS and not overwrite:
        raise ValueError(f"{model_type} is registered: overwrite=True replaces it")
    missing = [field.name for field in fields(ModelConfig) if field.name not in config]
    if missing and not allow_partial:
        raise ValueError(f"{model_type}: {', '.join(missing)} missing in config; allow_partial=True leaves them empty")
    MODEL_CONFIGS[model_type] = ModelConfig(**(dict.fromkeys(missing) | config))
