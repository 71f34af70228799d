"""Inseq's module inseq.data.aggregation_functions: what aggregate_fn= takes is the id of a function."""
from .aggregator import list_aggregation_functions

__all__ = ["list_aggregation_functions"]
