"""Inseq's module inseq.attr.step_functions."""
from __future__ import annotations

from .._library import describe


def list_step_functions() -> list[str]:
    """The ids that step_scores= and attributed_fn= take."""
    return [row["id"] for row in describe("scores")]
