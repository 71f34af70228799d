"""The part of an AttributionModel that writes text."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._library import library, options, run, take, text
from ..arrays import Array
from ._arguments import texts_of, typed, warn


class GenerationOutput(dict[str, Any]):
    """What transformers' generate gives: sequences [texts, tokens], by name and as a member; shorter ones end with pads."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"generation gives no {name!r}") from None


def _rows(inputs: Any) -> list[list[int]]:
    """Ids without what masks leave out."""
    ids = np.asarray(inputs.input_ids, dtype=np.int64)
    mask = getattr(inputs, "attention_mask", None)
    ids = ids[None] if ids.ndim == 1 else ids
    kept = np.ones_like(ids) if mask is None else np.asarray(mask).reshape(ids.shape)
    rows: list[list[int]] = [row[np.asarray(one, dtype=bool)].tolist() for row, one in zip(ids, kept)]
    return rows


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """transformers' generate(generation_config=..., **more) as one set of values."""
    config = given.pop("generation_config", None)
    if config is None:
        return given
    for name in ("to_diff_dict", "to_dict"):
        if hasattr(config, name):
            config = getattr(config, name)()
    if not isinstance(config, Mapping):
        raise TypeError(f"generation_config: expected a GenerationConfig or a dict, not {type(config).__name__}")
    return {name: value for name, value in config.items() if name != "transformers_version" and not name.startswith("_")} | given


class Generation:
    """generate()"""

    _handle: Any
    _facts: Any
    tokenizer: Any
    is_encoder_decoder: Any

    def generate(self, inputs: Any, return_generation_output: bool = False, skip_special_tokens: bool | None = None,
                 output_generated_only: bool = False, batch_size: int | None = None, **kwargs: Any) -> Any:
        """The texts that the model writes: a list. Keyword arguments are those of transformers' generate.

        inputs: a text, a list of texts, or what encode gives. return_generation_output: (texts, GenerationOutput).
        skip_special_tokens: True: texts are encoded and decoded without them; False: they stay in what is decoded; by default they
        are added and left out again. output_generated_only: without the prompt of a decoder-only model."""
        typed("skip_special_tokens", skip_special_tokens, bool)
        typed("batch_size", batch_size, int)
        encoded = hasattr(inputs, "input_ids")
        request: dict[str, Any] = {"input_ids": _rows(inputs)} if encoded else {"input_texts": texts_of(inputs, "inputs")}
        own = options("generate") - {"batch_size", "generation_kwargs"}
        request |= {name: kwargs.pop(name) for name in list(kwargs) if name in own}
        request["generation_kwargs"] = _settings(kwargs)
        if skip_special_tokens and not encoded:
            request["skip_special_tokens"] = True
        lines = take(run(library.generate, self._handle.address, text(request), warning=warn))
        made = [json.loads(line) for line in lines.splitlines()]
        cut = output_generated_only and not self.is_encoder_decoder
        ids = [one["output_ids"][len(one["input_ids"]) if cut else 0:] for one in made]
        texts = [one["text"] for one in made]
        if cut or skip_special_tokens is False:
            texts = self.tokenizer.batch_decode(ids, skip_special_tokens is not False)
        return (texts, GenerationOutput(sequences=self._padded(ids))) if return_generation_output else texts

    def _padded(self, rows: list[list[int]]) -> Array:
        made = np.full((len(rows), max(map(len, rows), default=0)), self._facts["special_ids"]["pad"], dtype=np.int64)
        for row, ids in zip(made, rows):
            row[:len(ids)] = ids
        return Array(made)
