"""Where drawings go."""
from __future__ import annotations

import sys
from typing import Any


def in_notebook() -> bool:
    """Whether IPython shows rich output here (a terminal's IPython does not)."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def display_html(page: str | None) -> None:
    """Into the cell that is running, at once."""
    from IPython.display import HTML, display  # type: ignore[import-not-found,unused-ignore]

    display(HTML(page))


def progress_bar(description: str) -> Any:
    """tqdm's, where it is installed; None elsewhere."""
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return None
    return tqdm(desc=description, leave=False, unit="token")
