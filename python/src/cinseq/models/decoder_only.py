"""Inseq's module inseq.models.decoder_only."""
from __future__ import annotations

from .attribution_model import AttributionModel


class DecoderOnlyAttributionModel(AttributionModel):
    """A model that goes on with its input: rows are the input and what was generated before."""
