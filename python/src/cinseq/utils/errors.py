"""Inseq's module inseq.utils.errors."""
from ..errors import (
    InseqDeprecationWarning,
    LengthMismatchError,
    MissingAlignmentsError,
    MissingAttributionMethodError,
    UnknownAttributionMethodError,
)

__all__ = [
    "InseqDeprecationWarning",
    "LengthMismatchError",
    "MissingAlignmentsError",
    "MissingAttributionMethodError",
    "UnknownAttributionMethodError",
]
