"""Inseq's module inseq.utils.typing: what results are made of."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Union


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


TextInput = Union[str, Sequence[str]]
OneOrMoreIdSequences = Sequence[Sequence[int]]
OneOrMoreTokenSequences = Sequence[Sequence[str]]
OneOrMoreTokenWithIdSequences = Sequence[Sequence[TokenWithId]]
OneOrMoreAttributionSequences = Sequence[Sequence[float]]
ScorePrecision = Literal["float32", "float16", "float8"]
IndexSpan = Union[tuple[int, int], Sequence[tuple[int, int]]]
OneOrMoreIndices = Union[int, list[int], tuple[int, int]]
OneOrMoreIndicesDict = dict[int, OneOrMoreIndices]
ModelIdentifier = str
