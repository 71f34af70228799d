"""Inseq's module inseq.attr."""
from __future__ import annotations

from .._library import describe
from .step_functions import STEP_SCORES_MAP, StepFunctionArgs, list_step_functions, register_step_function


def list_feature_attribution_methods() -> list[str]:
    """The ids that method= takes."""
    return [row["id"] for row in describe("methods")]


__all__ = [
    "STEP_SCORES_MAP",
    "StepFunctionArgs",
    "list_feature_attribution_methods",
    "list_step_functions",
    "register_step_function",
]
