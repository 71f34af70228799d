"""Inseq's module inseq.utils.typing: what results are made of."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class TokenWithId:
    """A token as the tokenizer writes it, and its id (-1: several in one). Equal to its text and to its id."""

    token: str
    id: int

    def __str__(self) -> str:
        return self.token

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.token == other
        if isinstance(other, int):
            return self.id == other
        if isinstance(other, TokenWithId):
            return self.token == other.token and self.id == other.id
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


OneOrMoreTokenSequences = Any
TextInput = Any
