"""Inseq's module inseq.data.aggregator: what can be asked for by name."""
from __future__ import annotations

from .._library import describe


def list_aggregators() -> list[str]:
    """The ids that aggregate() takes."""
    return [row["id"] for row in describe("aggregators")]


def list_aggregation_functions() -> list[str]:
    """The ids of what reduces a dimension."""
    return [row["id"] for row in describe("functions")]
