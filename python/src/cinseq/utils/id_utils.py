"""Inseq's module inseq.utils.id_utils."""
from __future__ import annotations

from .._library import describe


def explain(identifier: str) -> None:
    """Prints what a method, step function, aggregator or aggregation function of that id does."""
    for kind in ("methods", "scores", "aggregators", "functions"):
        for row in describe(kind):
            if row["id"] == identifier:
                print(f"{identifier}: {row['help']}")
                for option in row.get("options", ()):
                    print(f"  {option['name']} = {option['default']!r}: {option['help']}")
                return
    raise ValueError(f"there is no method, step function or aggregator {identifier!r}")
