"""Inseq's module inseq.utils.errors."""
from ..errors import LengthMismatchError, MissingAttributionMethodError, UnknownAttributionMethodError

__all__ = ["LengthMismatchError", "MissingAttributionMethodError", "UnknownAttributionMethodError"]
