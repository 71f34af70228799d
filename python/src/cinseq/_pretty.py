"""How results are printed: their fields, one a line, as Inseq prints them."""
from __future__ import annotations

from typing import Any

import numpy as np

from .utils.typing import TokenWithId

_MOST = 20  # longer lists and arrays are only described


def _item(value: Any) -> str:
    """Numbers stand under each other; tokens and texts are quoted."""
    if isinstance(value, (int, float)):
        blank = "" if value < 0 else "  " if value != value else " "  # noqa: PLR0124
        return f"{blank}{value:.2f}" if isinstance(value, float) else f"{blank}{value}"
    return f"'{value}'" if isinstance(value, (str, TokenWithId)) else str(value)


def _items(values: Any) -> str:
    return ", ".join(_item(value) for value in values)


def _block(values: Any, pad: int) -> str:
    blank = " " * pad
    if all(isinstance(v, list) for v in values):
        inside = f"{blank}[ " + f" ],\n{blank}[ ".join(_items(v) for v in values) + " ]"
    elif all(hasattr(v, "to_dict") for v in values):
        inside = ",\n".join(f"{blank}{type(v).__name__}({pretty_dict(v.to_dict(), pad + 4)})" for v in values)
    else:
        inside = blank + _items(values)
    return f"[\n{inside}\n{' ' * (pad - 4)}]"


def _list(values: Any, pad: int) -> str:
    if not values:
        return "list with 0 elements"
    said = f"list with {len(values)} elements of type {type(values[0]).__name__}"
    if all(isinstance(v, list) for v in values):
        said = f"list with {len(values)} sub-lists"
        if len(values) > 15 or any(len(v) > _MOST or (v and isinstance(v[0], list)) for v in values):
            return said
    return said if len(values) > _MOST else f"{said}: {_block(values, pad)}"


def _array(values: Any, pad: int) -> str:
    said = f"{values.dtype} array of shape {list(values.shape)}"
    if values.ndim > 2 or any(n > _MOST for n in values.shape):
        return said
    listed = values.tolist()
    return f"{said}: {_block(listed, pad) if isinstance(listed, list) and listed else listed}"


def _value(value: Any, pad: int) -> str:
    if isinstance(value, (list, tuple)):
        return _list(list(value), pad)
    if isinstance(value, np.ndarray):
        return _array(value, pad)
    if isinstance(value, dict):
        return pretty_dict(value, pad)
    if hasattr(value, "to_dict") and not isinstance(value, type):
        return f"{type(value).__name__}({pretty_dict(value.to_dict(), pad)})"
    return f'"{value}"' if isinstance(value, str) else str(value)


def pretty_dict(values: dict[str, Any], pad: int = 4) -> str:
    """{name: value, ...} over several lines; pad: how far the names are indented."""
    if not values:
        return "{}"
    lines = [f"{' ' * pad}{name}: {_value(value, pad + 4)},\n" for name, value in values.items()]
    return "{\n" + "".join(lines) + " " * (pad - 4) + "}"
