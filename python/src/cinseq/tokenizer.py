"""The tokenizer of an open model, with the methods that notebooks call on transformers' tokenizers."""
from __future__ import annotations

import ctypes
import json
from collections.abc import Iterable
from typing import Any

from ._library import library, make, take, text


class Tokenizer:
    """model.tokenizer"""

    def __init__(self, model: Any, facts: dict[str, Any]):
        self._model, self._facts = model, facts

    def _encode(self, sentence: str, as_targets: bool, add_special_tokens: bool) -> dict[str, Any]:
        options = text({"as_targets": as_targets, "add_special_tokens": add_special_tokens})
        encoded: dict[str, Any] = json.loads(take(make(library.encode, self._model.address, sentence.encode("utf-8", "replace"), options)))
        return encoded

    def encode(self, sentence: str, add_special_tokens: bool = True, as_targets: bool = False) -> list[int]:
        ids: list[int] = self._encode(sentence, as_targets, add_special_tokens)["ids"]
        return ids

    def tokenize(self, sentence: str, add_special_tokens: bool = False, as_targets: bool = False) -> list[str]:
        tokens: list[str] = self._encode(sentence, as_targets, add_special_tokens)["tokens"]
        return tokens

    def __call__(self, text: str | list[str] | None = None, text_target: str | list[str] | None = None,
                 add_special_tokens: bool = True) -> dict[str, Any]:
        """input_ids and attention_mask: lists of ids, one for each text of a list. Nothing is padded."""
        given = text if text is not None else text_target
        if given is None:
            raise TypeError("text or text_target is needed")
        rows = [self.encode(one, add_special_tokens, text is None) for one in ([given] if isinstance(given, str) else given)]
        masks = [[1] * len(row) for row in rows]
        return {"input_ids": rows[0], "attention_mask": masks[0]} if isinstance(given, str) else {"input_ids": rows, "attention_mask": masks}

    def decode(self, ids: int | Iterable[int], skip_special_tokens: bool = False) -> str:
        listed = [int(i) for i in ids] if isinstance(ids, Iterable) else [ids]
        array = (ctypes.c_int32 * len(listed))(*listed)
        return take(make(library.decode, self._model.address, array, len(listed), int(skip_special_tokens)))

    def batch_decode(self, sequences: Iterable[Iterable[int]], skip_special_tokens: bool = False) -> list[str]:
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    def convert_ids_to_tokens(self, ids: int | Iterable[int]) -> Any:
        if isinstance(ids, Iterable):
            return [self.convert_ids_to_tokens(one) for one in ids]
        token = library.token(self._model.address, ids)
        return None if token is None else token.decode("utf-8", "replace")

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> Any:
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(one) for one in tokens]
        found = library.token_id(self._model.address, tokens.encode())
        return self.unk_token_id if found < 0 else found

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        if len(tokens) == 1:
            return take(library.token_text(self._model.address, tokens[0].encode()))
        return self.decode(self.convert_tokens_to_ids(tokens))

    def _special(self, name: str) -> int | None:
        found: int = self._facts[name]
        return None if found < 0 else found

    bos_token_id = property(lambda self: self._special("bos"))
    eos_token_id = property(lambda self: self._special("eos"))
    pad_token_id = property(lambda self: self._special("pad"))
    unk_token_id = property(lambda self: self._special("unk"))
    bos_token = property(lambda self: self._token("bos"))
    eos_token = property(lambda self: self._token("eos"))
    pad_token = property(lambda self: self._token("pad"))
    unk_token = property(lambda self: self._token("unk"))

    def _token(self, name: str) -> Any:
        special = self._special(name)
        return None if special is None else self.convert_ids_to_tokens(special)

    @property
    def vocab_size(self) -> int:
        size: int = self._facts["vocabulary"]
        return size

    def __len__(self) -> int:
        return self.vocab_size
