"""cinseq: which input tokens did each generated token come from? Inseq's interface over a native library, without PyTorch.

    import cinseq
    model = cinseq.load_model("zh-en-mini", "saliency")
    model.attribute("今天学到了很多，我很开心。", step_scores=["probability"]).show()
"""
from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

from ._library import library, take

_MODULES = ("arrays", "attr", "data", "errors", "models", "tokenizer", "transformers", "utils")
_HOMES = ("models", "data", "attr", "utils.id_utils")  # of the other names

if TYPE_CHECKING:
    from . import attr, data, utils
    from .attr import list_feature_attribution_methods, list_step_functions, register_step_function
    from .data import (
        FeatureAttributionOutput,
        list_aggregation_functions,
        list_aggregators,
        merge_attributions,
        show_attributions,
        show_granular_attributions,
        show_token_attributions,
    )
    from .models import AttributionModel, list_supported_frameworks, load_model, register_model_config
    from .utils.id_utils import explain
else:  # so that a type checker knows of names that there are not
    def __getattr__(name: str) -> Any:
        """What is not needed to import cinseq, numpy above all, is imported when it is asked for."""
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        for home in _HOMES if name in __all__ else ():
            module = importlib.import_module(f".{home}", __name__)
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

__version__: str = library.version().decode()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


def get_version() -> str:
    """cinseq's version."""
    return __version__


def install_as(name: str) -> None:
    """Makes `import NAME` find cinseq, with all of its modules: install_as("inseq")."""
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
