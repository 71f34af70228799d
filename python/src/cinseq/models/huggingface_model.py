"""Inseq's module inseq.models.huggingface_model: the classes that load_model gives."""
from __future__ import annotations

from .attribution_model import AttributionModel
from .decoder_only import DecoderOnlyAttributionModel
from .encoder_decoder import EncoderDecoderAttributionModel


class HuggingfaceModel(AttributionModel):
    """A model with the names of transformers, which all are."""


class HuggingfaceDecoderOnlyModel(HuggingfaceModel, DecoderOnlyAttributionModel):
    """What load_model gives for a decoder-only model."""


class HuggingfaceEncoderDecoderModel(HuggingfaceModel, EncoderDecoderAttributionModel):
    """What load_model gives for an encoder-decoder model."""
