"""Inseq's module inseq.models.encoder_decoder."""
from __future__ import annotations

from .attribution_model import AttributionModel


class EncoderDecoderAttributionModel(AttributionModel):
    """A model that reads a source and writes a target: rows are the source, with attribute_target the target too."""
