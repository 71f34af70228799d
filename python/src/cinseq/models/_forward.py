"""Forwards of the caller's own: what custom step functions ask of a model beside the logits they are given."""
from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from .._library import SOURCE, TARGET, CError, CInput, check, library
from ..arrays import Array
from ..data.batch import Batch, BatchEmbedding, BatchEncoding, DecoderOnlyBatch, EncoderDecoderBatch
from ._modules import RootModule


class ModelOutput:
    """What a forward gives: logits [texts, positions, vocabulary], as a member or by name."""

    def __init__(self, logits: Any):
        self.logits = logits

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


def _rows(values: Any, rank: int, dtype: Any) -> npt.NDArray[Any] | None:
    """[texts, positions, ...]; one text may come without the first dimension."""
    if values is None:
        return None
    array = np.asarray(values, dtype=dtype)
    return np.ascontiguousarray(array[None] if array.ndim == rank - 1 else array)


class _Side:
    """Texts of one side, of which masked tokens are left out."""

    def __init__(self, ids: Any, embeds: Any, mask: Any):
        self.ids, self.embeds, self.mask = _rows(ids, 2, np.int32), _rows(embeds, 3, np.float32), _rows(mask, 2, bool)
        given = self.ids if self.embeds is None else self.embeds
        if given is None:
            raise TypeError("a forward needs input ids or embeddings")
        self.texts, self.length = given.shape[:2]
        if any(a is not None and a.shape[:2] != (self.texts, self.length) for a in (self.ids, self.embeds, self.mask)):
            raise ValueError("ids, embeddings and masks are of different texts")

    def of(self, text: int, width: int) -> tuple[CInput, Any]:
        """The library's input, and what it points to."""
        kept = np.arange(self.length) if self.mask is None else np.flatnonzero(self.mask[text])
        ids = None if self.ids is None else np.ascontiguousarray(self.ids[text][kept])
        embeds = None if self.embeds is None else np.ascontiguousarray(self.embeds[text][kept])
        if embeds is not None and embeds.shape[1] != width:
            raise ValueError(f"embeddings have {embeds.shape[1]} numbers for a token, the model's {width}")
        return CInput(ids.ctypes.data if ids is not None else None, embeds.ctypes.data if embeds is not None else None, len(kept)), (ids, embeds)


class Module(RootModule):
    """model.model: called with transformers' arguments it is a forward. logits_to_keep: of the last positions alone."""

    def __call__(self, input_ids: Any = None, attention_mask: Any = None, decoder_input_ids: Any = None, decoder_attention_mask: Any = None,
                 inputs_embeds: Any = None, decoder_inputs_embeds: Any = None, logits_to_keep: int = 0,
                 use_cache: bool | None = None, return_dict: bool | None = None) -> ModelOutput:
        given = _Side(input_ids, inputs_embeds, attention_mask)
        if not self._owner.is_encoder_decoder:
            return ModelOutput(self._logits(None, given, logits_to_keep))
        return ModelOutput(self._logits(given, _Side(decoder_input_ids, decoder_inputs_embeds, decoder_attention_mask), logits_to_keep))

    forward = __call__

    def _logits(self, source: _Side | None, target: _Side, keep: int) -> Array:
        address = self._owner._handle.address
        widths = [library.embedding_width(address, side) for side in (SOURCE, TARGET)]
        if source is not None and source.texts != target.texts:
            raise ValueError(f"{source.texts} sources for {target.texts} targets")
        kept = min(keep or target.length, target.length)
        made = np.full((target.texts, kept, self._owner._facts["vocabulary"]), np.nan, dtype=np.float32)
        for text in range(target.texts):
            error, (decoder, _held) = CError(), target.of(text, widths[1])
            encoder, _held_too = source.of(text, widths[0]) if source is not None else (None, None)
            first = max(decoder.count - kept, 0)
            rows = made[text, kept - (decoder.count - first):]
            check(library.logits(address, ctypes.byref(encoder) if encoder else None, ctypes.byref(decoder), first, None, None,
                                 rows.ctypes.data, ctypes.byref(error)), error)
        return Array(made)


class Forwards:
    """The part of an AttributionModel that step functions call, with Inseq's names."""

    _handle: Any
    _facts: Any
    tokenizer: Any
    is_encoder_decoder: Any

    @property
    def model(self) -> Module:
        return Module(self)

    @staticmethod
    def output2logits(forward_output: Any) -> Any:
        """[texts, vocabulary]: the logits after the last position."""
        return forward_output.logits[:, -1, :]

    def get_forward_output(self, batch: Any, use_embeddings: bool = True, **kwargs: Any) -> ModelOutput:
        """The logits after a batch's last position."""
        embeds = (batch.source_embeds, batch.target_embeds) if use_embeddings else (None, None)
        kwargs.setdefault("logits_to_keep", 1)
        if self.is_encoder_decoder:
            return self.model(batch.source_ids, batch.source_mask, batch.target_ids, batch.target_mask, *embeds, **kwargs)
        return self.model(batch.target_ids, batch.target_mask, inputs_embeds=embeds[1], **kwargs)

    def embed_ids(self, ids: Any, as_targets: bool = False) -> Array:
        """[texts, tokens, width]: embeddings as the model scales them, without positions. What attributions are of."""
        rows = _rows(ids, 2, np.int32)
        assert rows is not None
        side = TARGET if as_targets or not self.is_encoder_decoder else SOURCE
        made = np.empty((*rows.shape, library.embedding_width(self._handle.address, side)), dtype=np.float32)
        error = CError()
        check(library.embed(self._handle.address, side, rows.ctypes.data, rows.size, made.ctypes.data, ctypes.byref(error)), error)
        return Array(made)

    def embed(self, inputs: Any, as_targets: bool = False, add_special_tokens: bool = True) -> Array:
        if isinstance(inputs, str) or (isinstance(inputs, list) and all(isinstance(one, str) for one in inputs)):
            inputs = self.encode(inputs, as_targets, add_special_tokens=add_special_tokens).input_ids
        return self.embed_ids(inputs, as_targets)

    def encode(self, texts: str | list[str], as_targets: bool = False, return_baseline: bool = False,
               include_eos_baseline: bool = False, add_bos_token: bool = True, add_special_tokens: bool = True) -> BatchEncoding:
        """Ids and masks [texts, tokens], and tokens. Shorter texts are padded: those of an encoder-decoder behind, of others before.
        Targets of an encoder-decoder begin with the decoder's start token, unless add_bos_token says otherwise."""
        special = self._facts["special_ids"]
        if as_targets and not self.is_encoder_decoder:
            raise ValueError("as_targets is for encoder-decoder models: others have one side")
        rows = [self.tokenizer.encode(one, add_special_tokens=add_special_tokens, as_targets=as_targets)
                for one in ([texts] if isinstance(texts, str) else texts)]
        rows = [[special["decoder_start"], *row] for row in rows] if as_targets and add_bos_token else rows
        longest = max(map(len, rows), default=0)
        pads = [[special["pad"]] * (longest - len(row)) for row in rows]
        masks = [[0] * len(pad) for pad in pads]
        if self.is_encoder_decoder:
            ids, mask = [r + p for r, p in zip(rows, pads)], [[1] * len(r) + m for r, m in zip(rows, masks)]
        else:
            ids, mask = [p + r for r, p in zip(rows, pads)], [m + [1] * len(r) for r, m in zip(rows, masks)]
        made = np.asarray(ids, dtype=np.int64).reshape(len(rows), longest)
        baseline = np.where((made == special["eos"]) & (not include_eos_baseline), made, special["unk"])
        if as_targets and add_bos_token and longest:
            baseline[:, 0] = made[:, 0]
        return BatchEncoding(Array(made), Array(np.asarray(mask, dtype=np.int64).reshape(made.shape)),
                             [self.tokenizer.convert_ids_to_tokens(row) for row in ids], Array(baseline) if return_baseline else None)


def target_batch(args: Any = None, decoder_input_ids: Any = None, decoder_attention_mask: Any = None, decoder_input_embeds: Any = None,
                 **_: Any) -> DecoderOnlyBatch:
    """The decoder's side of a step function's arguments."""
    if args is not None:
        return target_batch(None, args.decoder_input_ids, args.decoder_attention_mask, args.decoder_input_embeds)
    return DecoderOnlyBatch(BatchEncoding(decoder_input_ids, decoder_attention_mask), BatchEmbedding(decoder_input_embeds))


def both_batches(args: Any = None, encoder_input_ids: Any = None, decoder_input_ids: Any = None, encoder_attention_mask: Any = None,
                 decoder_attention_mask: Any = None, encoder_input_embeds: Any = None, decoder_input_embeds: Any = None,
                 **_: Any) -> EncoderDecoderBatch:
    """Both sides of a step function's arguments."""
    if args is not None:
        return both_batches(None, args.encoder_input_ids, args.decoder_input_ids, args.encoder_attention_mask, args.decoder_attention_mask,
                            args.encoder_input_embeds, args.decoder_input_embeds)
    source = Batch(BatchEncoding(encoder_input_ids, encoder_attention_mask), BatchEmbedding(encoder_input_embeds))
    target = Batch(BatchEncoding(decoder_input_ids, decoder_attention_mask), BatchEmbedding(decoder_input_embeds))
    return EncoderDecoderBatch(source, target)
