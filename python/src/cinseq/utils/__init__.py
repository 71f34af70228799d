"""Inseq's module inseq.utils: what is public of it."""
from .._display import in_notebook as isnotebook
from .errors import (
    InseqDeprecationWarning,
    LengthMismatchError,
    MissingAlignmentsError,
    MissingAttributionMethodError,
    UnknownAttributionMethodError,
)
from .torch_utils import filter_logits, top_p_logits_mask
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
    "filter_logits",
    "get_default_device",
    "isnotebook",
    "top_p_logits_mask",
]
