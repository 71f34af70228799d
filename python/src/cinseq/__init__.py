"""cinseq: which input tokens did each generated token come from? Inseq's interface over a native library, without PyTorch.

    import cinseq
    model = cinseq.load_model("zh-en-mini", "saliency")
    model.attribute("今天学到了很多，我很开心。", step_scores=["probability"]).show()
"""
from __future__ import annotations

import json
import sys
from typing import Any

from . import attr, data, utils
from ._library import library, take
from .attr import list_feature_attribution_methods, list_step_functions, register_step_function
from .data import (
    FeatureAttributionOutput,
    merge_attributions,
    show_attributions,
    show_granular_attributions,
    show_token_attributions,
)
from .data.aggregator import list_aggregation_functions, list_aggregators
from .models import AttributionModel, list_supported_frameworks, load_model, register_model_config
from .utils.id_utils import explain

__version__: str = library.version().decode()


def get_version() -> str:
    """cinseq's version."""
    return __version__


def install_as(name: str) -> None:
    """Makes `import NAME` find cinseq, with all of its modules: install_as("inseq")."""
    import importlib
    import pkgutil  # here, since importing cinseq is to be quick

    for found in pkgutil.walk_packages(__path__, __name__ + "."):
        if "._" not in found.name:
            importlib.import_module(found.name)
    for path, module in list(sys.modules.items()):
        if path == __name__ or path.startswith(__name__ + "."):
            sys.modules[name + path[len(__name__):]] = module


def build_info() -> dict[str, Any]:
    """Version, CPU features in use, libraries."""
    info: dict[str, Any] = json.loads(take(library.build_info()))
    return info


__all__ = [
    "AttributionModel",
    "FeatureAttributionOutput",
    "attr",
    "build_info",
    "data",
    "explain",
    "get_version",
    "install_as",
    "list_aggregation_functions",
    "list_aggregators",
    "list_feature_attribution_methods",
    "list_step_functions",
    "list_supported_frameworks",
    "load_model",
    "merge_attributions",
    "register_model_config",
    "register_step_function",
    "show_attributions",
    "show_granular_attributions",
    "show_token_attributions",
    "utils",
]
