"""Arguments as Python gives them: a wrong type is a TypeError before any work."""
from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable
from typing import Any


def warn(message: str) -> None:
    """What the library warns of."""
    warnings.warn(message, stacklevel=5)


def texts_of(given: str | Iterable[str], name: str) -> list[str]:
    listed = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    for one in listed:
        if not isinstance(one, str):
            raise TypeError(f"{name}: expected text, not {type(one).__name__}")
    return listed


_WORDS = {str: "text", int: "a whole number", bool: "True or False", dict: "a dict"}


def typed(name: str, value: Any, kind: type) -> Any:
    """The value, which may be None; whole numbers may be numpy's."""
    if value is None or isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind is int and not isinstance(value, bool) and hasattr(value, "__index__"):
        return operator.index(value)
    if kind is bool and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise TypeError(f"{name}: expected {_WORDS[kind]}, not {type(value).__name__}")
