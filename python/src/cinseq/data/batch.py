"""Inseq's module inseq.data.batch: tokens as models are given them, with rows of texts."""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


def _cut(value: Any, positions: Any) -> Any:
    """Positions of arrays [texts, positions, ...], lists of lists, and what holds these."""
    if isinstance(value, list):
        return [row[positions] for row in value]
    if hasattr(value, "ndim"):
        return value[positions] if value.ndim == 1 else value[:, positions]
    return value[positions] if isinstance(value, _Sliced) else value


class _Sliced:
    """batch[:t] is the prefix of t tokens of every text."""

    def __getitem__(self, positions: Any) -> Any:
        return type(self)(**{f.name: _cut(getattr(self, f.name), positions) for f in fields(self)})  # type: ignore[arg-type]

    def to(self, device: Any) -> Any:
        return self


@dataclass(eq=False)
class BatchEncoding(_Sliced):
    """What model.encode gives: ids and masks [texts, tokens], padded to the longest; tokens; and the ids of the baseline."""

    input_ids: Any
    attention_mask: Any
    input_tokens: list[list[str]] | None = None
    baseline_ids: Any = None

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def num_sequences(self) -> int:
        return len(self)


@dataclass(eq=False)
class BatchEmbedding(_Sliced):
    """[texts, tokens, width]"""

    input_embeds: Any = None
    baseline_embeds: Any = None

    def __len__(self) -> int:
        return 0 if self.input_embeds is None else len(self.input_embeds)


def _of(part: str, name: str) -> Any:
    return property(lambda self: getattr(getattr(self, part), name), lambda self, value: setattr(getattr(self, part), name, value))


@dataclass(eq=False)
class Batch(_Sliced):
    """Tokens and their embeddings; members of both are members of the batch."""

    encoding: BatchEncoding
    embedding: BatchEmbedding

    input_ids = _of("encoding", "input_ids")
    input_tokens = _of("encoding", "input_tokens")
    attention_mask = _of("encoding", "attention_mask")
    baseline_ids = _of("encoding", "baseline_ids")
    input_embeds = _of("embedding", "input_embeds")
    baseline_embeds = _of("embedding", "baseline_embeds")


@dataclass(eq=False)
class DecoderOnlyBatch(Batch):
    """What a decoder-only model is given."""

    source_ids = source_tokens = source_embeds = source_mask = None
    target_ids = _of("encoding", "input_ids")
    target_tokens = _of("encoding", "input_tokens")
    target_mask = _of("encoding", "attention_mask")
    target_embeds = _of("embedding", "input_embeds")

    @property
    def max_generation_length(self) -> int:
        return int(self.input_ids.shape[1])

    @classmethod
    def from_batch(cls, batch: Batch) -> DecoderOnlyBatch:
        return cls(batch.encoding, batch.embedding)


@dataclass(eq=False)
class EncoderDecoderBatch(_Sliced):
    """What an encoder-decoder is given. Slices are the target's."""

    sources: Batch
    targets: Batch

    source_ids = _of("sources", "input_ids")
    source_tokens = _of("sources", "input_tokens")
    source_embeds = _of("sources", "input_embeds")
    source_mask = _of("sources", "attention_mask")
    target_ids = _of("targets", "input_ids")
    target_tokens = _of("targets", "input_tokens")
    target_embeds = _of("targets", "input_embeds")
    target_mask = _of("targets", "attention_mask")

    def __getitem__(self, positions: Any) -> EncoderDecoderBatch:
        return EncoderDecoderBatch(self.sources, self.targets[positions])

    @property
    def max_generation_length(self) -> int:
        return int(self.target_ids.shape[1])


def slice_batch_from_position(batch: DecoderOnlyBatch, curr_idx: int,
                              alignments: list[tuple[int, int]] | None = None) -> tuple[DecoderOnlyBatch, Any]:
    """What stands before a target's position, and the ids there [texts]. alignments: pairs of positions of another text and of the batch's;
    curr_idx is then the other's, and of the batch's positions that belong to it the first counts."""
    pairs: Any = alignments or []
    pairs = pairs[0] if pairs and isinstance(pairs[0], list) else pairs
    place = min((own for other, own in pairs if other == curr_idx), default=-1) if pairs else curr_idx
    return batch[:place], batch.target_ids[:, place]
