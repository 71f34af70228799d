"""Inseq's module inseq.data."""
from __future__ import annotations

from typing import Any, Union

from ..utils.typing import TextInput
from .aggregation_functions import AggregationFunction, list_aggregation_functions
from .aggregator import (
    Aggregator,
    AggregatorPipeline,
    ContiguousSpanAggregator,
    PairAggregator,
    SequenceAttributionAggregator,
    SubwordAggregator,
    list_aggregators,
)
from .attribution import (
    CoarseFeatureAttributionSequenceOutput,
    CoarseFeatureAttributionStepOutput,
    FeatureAttributionOutput,
    FeatureAttributionSequenceOutput,
    FeatureAttributionStepOutput,
    GranularFeatureAttributionSequenceOutput,
    GranularFeatureAttributionStepOutput,
    MultiDimensionalFeatureAttributionSequenceOutput,
    MultiDimensionalFeatureAttributionStepOutput,
    merge_attributions,
)
from .batch import Batch, BatchEmbedding, BatchEncoding, DecoderOnlyBatch, EncoderDecoderBatch, slice_batch_from_position
from .viz import show_attributions, show_granular_attributions, show_token_attributions

FeatureAttributionInput = Union[TextInput, BatchEncoding, Batch]


def get_batch_from_inputs(attribution_model: Any, inputs: Any, include_eos_baseline: bool = False, as_targets: bool = False,
                          skip_special_tokens: bool = False) -> Batch:
    """Texts, or what encode gives, with embeddings."""
    if isinstance(inputs, Batch):
        return inputs
    if not isinstance(inputs, BatchEncoding):
        inputs = attribution_model.encode(inputs, as_targets, True, include_eos_baseline, add_special_tokens=not skip_special_tokens)
    baseline = inputs.baseline_ids
    return Batch(inputs, BatchEmbedding(attribution_model.embed_ids(inputs.input_ids, as_targets),
                                        None if baseline is None else attribution_model.embed_ids(baseline, as_targets)))


__all__ = [
    "AggregationFunction",
    "Aggregator",
    "AggregatorPipeline",
    "Batch",
    "BatchEmbedding",
    "BatchEncoding",
    "CoarseFeatureAttributionSequenceOutput",
    "CoarseFeatureAttributionStepOutput",
    "ContiguousSpanAggregator",
    "DecoderOnlyBatch",
    "EncoderDecoderBatch",
    "FeatureAttributionInput",
    "FeatureAttributionOutput",
    "FeatureAttributionSequenceOutput",
    "FeatureAttributionStepOutput",
    "GranularFeatureAttributionSequenceOutput",
    "GranularFeatureAttributionStepOutput",
    "MultiDimensionalFeatureAttributionSequenceOutput",
    "MultiDimensionalFeatureAttributionStepOutput",
    "PairAggregator",
    "SequenceAttributionAggregator",
    "SubwordAggregator",
    "get_batch_from_inputs",
    "list_aggregation_functions",
    "list_aggregators",
    "merge_attributions",
    "show_attributions",
    "show_granular_attributions",
    "show_token_attributions",
    "slice_batch_from_position",
]
