"""Inseq's module inseq.utils: what is public of it."""
from ..errors import LengthMismatchError, MissingAttributionMethodError, UnknownAttributionMethodError
from .typing import TokenWithId

__all__ = ["LengthMismatchError", "MissingAttributionMethodError", "TokenWithId", "UnknownAttributionMethodError"]
