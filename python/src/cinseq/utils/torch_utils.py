"""Of Inseq's module inseq.utils.torch_utils what step functions of one's own call: logits without their unlikely tokens."""
from __future__ import annotations

from typing import Any, Callable


def top_p_logits_mask(logits: Any, top_p: float, min_tokens_to_keep: int = 1) -> Any:
    """True where a token is not among the likeliest that together have the probability top_p, of logits [..., vocabulary]."""
    if not 0 <= top_p <= 1:
        raise ValueError(f"`top_p` has to be a float > 0 and < 1, but is {top_p}")
    if not isinstance(min_tokens_to_keep, int) or min_tokens_to_keep < 1:
        raise ValueError(f"`min_tokens_to_keep` has to be a positive integer, but is {min_tokens_to_keep}")
    in_order, places = logits.detach().sort(dim=-1, descending=False)
    removed = in_order.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
    removed[..., -min_tokens_to_keep:] = False
    return removed.gather(-1, places.argsort(dim=-1))


def top_k_logits_mask(logits: Any, top_k: int, min_tokens_to_keep: int = 1) -> Any:
    """True where a token is not among the top_k likeliest, of logits [..., vocabulary]."""
    plain = logits.detach()
    return plain < plain.topk(max(top_k, min_tokens_to_keep)).values[..., -1:]


def filter_logits(
    original_logits: Any,
    contrast_logits: Any | None = None,
    top_p: float = 1.0,
    top_k: int = 0,
    min_tokens_to_keep: int = 1,
    filter_strategy: str | None = None,
) -> Any:
    """Logits [..., vocabulary] in which tokens outside of the nucleus top_p and of the top_k are -inf; of two, both. Which logits say
    what stays: "original" (what is taken without a contrast), "contrast", or "merged", their sum (with one)."""
    vocabulary = original_logits.shape[-1]
    if top_k < 0 or top_k > vocabulary:
        raise ValueError(f"`top_k` has to be a positive integer < {vocabulary}, but is {top_k}")
    if filter_strategy not in (None, "original", "contrast", "merged"):
        raise ValueError(f"`filter_strategy` has to be one of original, contrast, merged, but is {filter_strategy}")
    if contrast_logits is None and filter_strategy not in (None, "original"):
        raise ValueError(f"`filter_strategy` {filter_strategy} can only be used if `contrast_logits` is provided")
    strategy = filter_strategy or ("original" if contrast_logits is None else "merged")
    logits = [original_logits] if contrast_logits is None else [original_logits, contrast_logits]
    masks: list[tuple[bool, Callable[..., Any], float]] = [(top_p < 1, top_p_logits_mask, top_p), (top_k > 0, top_k_logits_mask, top_k)]
    for wanted, mask_of, bound in masks:
        if wanted:
            judge = logits[0] + logits[1] if strategy == "merged" else logits[strategy == "contrast"]
            removed = mask_of(judge, bound, min_tokens_to_keep)
            logits = [each.masked_fill(removed, float("-inf")) for each in logits]
    return logits[0] if contrast_logits is None else tuple(logits)


__all__ = ["filter_logits", "top_k_logits_mask", "top_p_logits_mask"]
