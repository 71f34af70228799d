"""Inseq's module inseq.attr."""
from .feat import list_feature_attribution_methods
from .step_functions import STEP_SCORES_MAP, StepFunctionArgs, list_step_functions, register_step_function

__all__ = [
    "STEP_SCORES_MAP",
    "StepFunctionArgs",
    "list_feature_attribution_methods",
    "list_step_functions",
    "register_step_function",
]
