"""Inseq's module inseq.attr.feat: what attribution methods there are."""
from __future__ import annotations

from ..._library import describe


def list_feature_attribution_methods() -> list[str]:
    """The ids that method= takes."""
    return [row["id"] for row in describe("methods")]


__all__ = ["list_feature_attribution_methods"]
