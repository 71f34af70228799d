"""Where drawings go."""
from __future__ import annotations

import os
import shutil
import sys
from typing import Any


def in_notebook() -> bool:
    """Whether IPython shows rich output here (a terminal's IPython does not)."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def terminal_options() -> dict[str, Any]:
    """Colours and width of stdout, as the program finds them: none where it is no terminal."""
    if not sys.stdout.isatty():
        return {}
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    deep = os.environ.get("COLORTERM") in ("truecolor", "24bit")
    return {"color": "none" if plain else "truecolor" if deep else "256", "width": shutil.get_terminal_size().columns}


def display_html(page: str) -> None:
    """Into the cell that is running, at once."""
    import importlib

    shown: Any = importlib.import_module("IPython.display")
    shown.display(shown.HTML(page))


def progress_bar(description: str) -> Any:
    """tqdm's, where it is installed; None elsewhere. What is done at once has none: in a notebook it would leave a line behind."""
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return None
    return tqdm(desc=description, leave=False, unit="token", delay=0.5)
