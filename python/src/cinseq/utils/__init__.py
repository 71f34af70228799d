"""Inseq's module inseq.utils: what is public of it."""
from .._display import in_notebook as isnotebook
from .errors import (
    InseqDeprecationWarning,
    LengthMismatchError,
    MissingAlignmentsError,
    MissingAttributionMethodError,
    UnknownAttributionMethodError,
)
from .typing import TokenWithId


def get_default_device() -> str:
    """Where models run."""
    return "cpu"


__all__ = [
    "InseqDeprecationWarning",
    "LengthMismatchError",
    "MissingAlignmentsError",
    "MissingAttributionMethodError",
    "TokenWithId",
    "UnknownAttributionMethodError",
    "get_default_device",
    "isnotebook",
]
