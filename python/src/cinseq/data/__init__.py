"""Inseq's module inseq.data."""
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
    "merge_attributions",
    "show_attributions",
]
