"""Inseq's module inseq.models.decoder_only."""
from __future__ import annotations

from typing import Any

from ..attr.step_functions import StepFunctionDecoderOnlyArgs
from ._forward import target_batch
from .attribution_model import AttributionModel


class DecoderOnlyInputFormatter:
    """From a step function's arguments to what a forward takes, and back."""

    convert_args_to_batch = staticmethod(target_batch)

    @staticmethod
    def format_step_function_args(attribution_model: Any, forward_output: Any, target_ids: Any, batch: Any,
                                  is_attributed_fn: bool = False) -> StepFunctionDecoderOnlyArgs:
        return StepFunctionDecoderOnlyArgs(
            attribution_model, forward_output, target_ids, batch.target_ids, batch.target_mask, is_attributed_fn,
            batch.target_embeds)


class DecoderOnlyAttributionModel(AttributionModel):
    """A model that goes on with its input: rows are the input and what was generated before."""

    formatter = DecoderOnlyInputFormatter
