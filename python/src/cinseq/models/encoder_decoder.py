"""Inseq's module inseq.models.encoder_decoder."""
from __future__ import annotations

from typing import Any

from ..attr.step_functions import StepFunctionEncoderDecoderArgs
from ._forward import both_batches
from .attribution_model import AttributionModel


class EncoderDecoderInputFormatter:
    """From a step function's arguments to what a forward takes, and back."""

    convert_args_to_batch = staticmethod(both_batches)

    @staticmethod
    def format_step_function_args(attribution_model: Any, forward_output: Any, target_ids: Any, batch: Any,
                                  is_attributed_fn: bool = False) -> StepFunctionEncoderDecoderArgs:
        return StepFunctionEncoderDecoderArgs(
            attribution_model, forward_output, target_ids, batch.target_ids, batch.target_mask, is_attributed_fn,
            batch.target_embeds, encoder_input_ids=batch.source_ids, encoder_attention_mask=batch.source_mask,
            encoder_input_embeds=batch.source_embeds)


class EncoderDecoderAttributionModel(AttributionModel):
    """A model that reads a source and writes a target: rows are the source, with attribute_target the target too."""

    formatter = EncoderDecoderInputFormatter
