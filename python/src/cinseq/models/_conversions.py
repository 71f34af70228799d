"""The part of an AttributionModel that goes between texts, tokens and ids, with Inseq's names."""
from __future__ import annotations

from typing import Any

from ..utils.typing import TokenWithId


def _listed(ids: Any) -> Any:
    return ids.tolist() if hasattr(ids, "tolist") else ids


class Conversions:
    """decode(), convert_...() and special tokens."""

    _facts: Any
    tokenizer: Any

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> list[str]:
        """The texts of rows of ids."""
        rows = getattr(ids, "sequences", ids)
        texts: list[str] = self.tokenizer.batch_decode(rows, skip_special_tokens)
        return texts

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool | None = True, decode_tokens: bool = False) -> Any:
        """Tokens of an id, of ids, or of rows of ids; decode_tokens: as readable text."""
        ids = _listed(ids)
        if isinstance(ids, int):
            return self.tokenizer.decode([ids]) if decode_tokens else self.tokenizer.convert_ids_to_tokens(ids)
        if any(isinstance(one, list) for one in ids):
            return [self.convert_ids_to_tokens(row, skip_special_tokens, decode_tokens) for row in ids]
        if not decode_tokens:
            return self.tokenizer.convert_ids_to_tokens(ids, bool(skip_special_tokens))
        left = [one for one in ids if not (skip_special_tokens and one in self.special_tokens_ids)]
        return [self.tokenizer.decode([one]) for one in left]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        if isinstance(tokens, str) or (tokens and isinstance(tokens[0], str)):
            return self.tokenizer.convert_tokens_to_ids(tokens)
        return [self.tokenizer.convert_tokens_to_ids(row) for row in tokens]

    def convert_tokens_to_string(self, tokens: Any, skip_special_tokens: bool = True, as_targets: bool = False) -> Any:
        """The text of tokens, or the texts of rows of tokens."""
        if len(tokens) == 0:
            return ""
        if not isinstance(tokens[0], str):
            return [self.convert_tokens_to_string(row, skip_special_tokens, as_targets) for row in tokens]
        left = [token for token in tokens if not (skip_special_tokens and token in self.special_tokens)]
        return self.tokenizer.convert_tokens_to_string(left) if left else ""

    def convert_string_to_tokens(self, text: Any, skip_special_tokens: bool = True, as_targets: bool = False) -> Any:
        """The tokens of a text, or rows of them."""
        if not isinstance(text, str):
            return [self.convert_string_to_tokens(one, skip_special_tokens, as_targets) for one in text]
        return self.tokenizer.tokenize(text, add_special_tokens=not skip_special_tokens, as_targets=as_targets)

    def clean_tokens(self, tokens: Any, skip_special_tokens: bool = False, as_targets: bool = False) -> Any:
        """Tokens (with or without their ids) as text, each for itself; what would become empty stays."""
        if len(tokens) == 0:
            return []
        if not isinstance(tokens[0], (str, TokenWithId)):
            return [self.clean_tokens(row, skip_special_tokens, as_targets) for row in tokens]
        cleaned = []
        for token in tokens:
            raw = token.token if isinstance(token, TokenWithId) else token
            clean = self.convert_tokens_to_string([raw], skip_special_tokens, as_targets) or raw
            cleaned.append(TokenWithId(clean, token.id) if isinstance(token, TokenWithId) else clean)
        return cleaned

    @property
    def special_tokens(self) -> list[str]:
        tokens: list[str] = self.tokenizer.all_special_tokens
        return tokens

    @property
    def special_tokens_ids(self) -> list[int]:
        ids: list[int] = self.tokenizer.all_special_ids
        return ids

    def _special_id(self, *names: str) -> int | None:
        found = next((self._facts["special_ids"][name] for name in names if self._facts["special_ids"].get(name, -1) >= 0), None)
        return None if found is None else int(found)

    @property
    def eos_token_id(self) -> int | None:
        return self._special_id("eos")

    @property
    def bos_token_id(self) -> int | None:
        """The token that targets begin with: an encoder-decoder's start token."""
        return self._special_id("decoder_start", "bos")

    @property
    def bos_token(self) -> str | None:
        found = self.bos_token_id
        return None if found is None else self.tokenizer.convert_ids_to_tokens(found)

    @property
    def pad_token(self) -> str | None:
        found = self._special_id("pad")
        return None if found is None else self.tokenizer.convert_ids_to_tokens(found)
