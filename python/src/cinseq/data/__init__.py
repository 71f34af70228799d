"""Inseq's module inseq.data."""
from .aggregator import list_aggregation_functions, list_aggregators
from .attribution import (
    CoarseFeatureAttributionSequenceOutput,
    FeatureAttributionOutput,
    FeatureAttributionSequenceOutput,
    FeatureAttributionStepOutput,
    GranularFeatureAttributionSequenceOutput,
    MultiDimensionalFeatureAttributionSequenceOutput,
    merge_attributions,
    show_attributions,
)

__all__ = [
    "CoarseFeatureAttributionSequenceOutput",
    "FeatureAttributionOutput",
    "FeatureAttributionSequenceOutput",
    "FeatureAttributionStepOutput",
    "GranularFeatureAttributionSequenceOutput",
    "MultiDimensionalFeatureAttributionSequenceOutput",
    "list_aggregation_functions",
    "list_aggregators",
    "merge_attributions",
    "show_attributions",
]
