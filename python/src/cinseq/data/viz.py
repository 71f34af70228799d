"""Inseq's module inseq.data.viz."""
from .attribution import show_attributions

__all__ = ["show_attributions"]
