"""Heat tables by matplotlib, for those who have it: figures for papers and slides."""
from __future__ import annotations

import csv
import functools
import io
import itertools
import math
import os
from typing import Any, NamedTuple

import numpy as np

# Behind the default font, for what it has no letters for.
_FURTHER_FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
                  "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Arial Unicode MS", "Noto Sans", "Noto Sans Arabic",
                  "Noto Sans Hebrew", "Noto Sans Devanagari")
_CHINESE = _FURTHER_FONTS[:_FURTHER_FONTS.index("Arial Unicode MS")]
_MOST_NUMBERS = 1500  # cells that have their score written into them


def _matplotlib() -> Any:
    try:
        import matplotlib  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import matplotlib.colors  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import matplotlib.figure  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import matplotlib.font_manager  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as problem:
        raise ImportError("figures are drawn by matplotlib, which is not installed: pip install matplotlib") from problem
    return matplotlib


@functools.cache  # asked once: on a system without such fonts, too
def _add_new_fonts() -> None:
    """Tells matplotlib of fonts for Chinese that were installed after it had made its list."""
    manager = _matplotlib().font_manager
    for path in manager.findSystemFonts():
        if any(name in os.path.basename(path) for name in ("CJK", "wqy", "SourceHan")):
            try:
                manager.fontManager.addfont(path)
            except (OSError, RuntimeError):  # a file that is no font does not keep the others from being drawn with
                continue


def _fonts(matplotlib: Any) -> list[str]:
    def names() -> set[str]:
        return {font.name for font in matplotlib.font_manager.fontManager.ttflist}

    if not any("CJK" in name or name in _CHINESE for name in names()):
        _add_new_fonts()
    there = names()
    wide = sorted((name for name in there if "CJK" in name), key=lambda name: ("Sans" not in name, "Mono" in name, name))
    return [*matplotlib.rcParams["font.sans-serif"][:1], *(name for name in _FURTHER_FONTS if name in there), *wide[:1]]


def _label(token: str) -> str:
    """Without dollars, which begin formulas."""
    return token.replace("$", r"\$").replace("\n", r"\\n")


class Table(NamedTuple):
    title: str
    scores: Any  # [rows, columns], NaN where there is none
    rows: list[str]
    columns: list[str]
    steps: dict[str, Any]  # [columns] each


def tables_of_sequence(sequence: Any) -> list[Table]:
    """Source and target of an aggregated sequence."""
    end = len(sequence.target) if sequence.attr_pos_end is None else sequence.attr_pos_end
    columns = [token.token for token in sequence.target[sequence.attr_pos_start:end]]
    return [Table(title, np.asarray(scores), [token.token for token in tokens][:len(scores)], columns, sequence.step_scores) for title, scores, tokens in (
        ("Source attributions", sequence.source_attributions, sequence.source),
        ("Target attributions", sequence.target_attributions, sequence.target)) if scores is not None]


def tables_of_csv(text: str) -> list[Table]:
    """The tables of a view of one text, as the library writes them: whatever a view is, what it shows is there."""
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    numbers = [name for name in lines[0] if name.isdigit()]

    def scores(line: dict[str, str]) -> list[float]:
        return [float(line[name] or "nan") for name in numbers]

    generated = [next(line for line in lines if line["table"] == "generated")[name] for name in numbers]
    steps = {line["token"]: scores(line) for line in lines if line["table"] == "step_scores"}
    tables = []
    for (side, step, token, place), members in itertools.groupby(
            (line for line in lines if line["table"] in ("source", "target")),
            lambda line: (line["table"], line.get("step", ""), line.get("generated", ""), line.get("place", ""))):
        group = list(members)
        values = np.array([scores(line) for line in group])
        about = " ".join(part for part in (step, token, place) if part)
        width = len(numbers)
        if step:  # columns are layers: as many as have a score
            width = int(np.flatnonzero(np.isfinite(values).any(axis=0)).max(initial=-1)) + 1
        columns = numbers if step else generated
        tables.append(Table(f"{side.title()} attributions" + (f": {about}" if about else ""), values[:, :width], [line["token"] for line in group],
                            columns[:width], {} if step else steps))
    return tables


def figure(tables: list[Table], min_val: float | None = None, max_val: float | None = None) -> Any:
    """A matplotlib Figure of tables: a map for each, in Inseq's colours, step scores below."""
    matplotlib = _matplotlib()
    limit = max([1e-12, *(float(np.nanmax(np.abs(np.where(np.isfinite(table.scores), table.scores, 0)), initial=0)) for table in tables)])
    high = max_val if max_val else limit
    low = min_val if min_val else -high
    with matplotlib.rc_context({"font.sans-serif": _fonts(matplotlib), "font.family": "sans-serif", "font.size": 8, "svg.fonttype": "none",
                                "pdf.fonttype": 42}):
        across = 1 if len(tables) <= 2 else math.ceil(math.sqrt(len(tables)))
        sizes = [max(1, len(table.scores)) + len(table.steps) for table in tables] or [1]
        rows = [max(sizes[at:at + across]) for at in range(0, len(sizes), across)]
        width = 1.6 + 0.42 * max([3, *(len(table.columns) for table in tables)])
        made = matplotlib.figure.Figure(figsize=(across * width, sum(1.1 + 0.24 * n for n in rows)), layout="constrained")
        axes = made.subplots(len(rows), across, squeeze=False, gridspec_kw={"height_ratios": rows})
        colors = matplotlib.colors.LinearSegmentedColormap.from_list("cinseq", [(33 / 255, 102 / 255, 172 / 255), (1, 1, 1), (178 / 255, 24 / 255, 43 / 255)])
        norm = matplotlib.colors.TwoSlopeNorm(0, low, high)
        for axis, table in zip(axes.flat, tables):
            _draw(axis, *table, colors, norm)
        for axis in made.axes[len(tables):]:
            axis.set_axis_off()
        # The fonts are of the figure, not of the moment in which it is saved.
        for text in made.findobj(matplotlib.text.Text):
            text.set_fontfamily(_fonts(matplotlib))
    return made


def _draw(axis: Any, title: str, scores: Any, rows: list[str], columns: list[str], steps: dict[str, Any], colors: Any, norm: Any) -> None:
    count = len(rows)
    axis.imshow(np.ma.masked_invalid(scores), cmap=colors, norm=norm, aspect="auto", interpolation="nearest")
    axis.set_title(title, loc="left", fontweight="bold")
    axis.set_xticks(range(len(columns)), [_label(token) for token in columns], rotation=45 if len(columns) > 6 else 0, ha="left" if len(columns) > 6 else "center")
    axis.xaxis.tick_top()
    axis.set_yticks(range(count + len(steps)), [_label(token) for token in [*rows, *steps]])
    axis.set_ylim(count + len(steps) - 0.5, -0.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    if steps:
        axis.axhline(count - 0.5, color="0.6", linewidth=0.6)
    if scores.size <= _MOST_NUMBERS:
        for (row, column), score in np.ndenumerate(scores):
            if np.isfinite(score):
                red, green, blue, _ = colors(norm(score))
                dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45
                axis.text(column, row, f"{score:.3f}", ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
        for row, values in enumerate(steps.values(), count):
            numbers = np.asarray(values)
            digits = 0 if np.array_equal(numbers, np.rint(numbers)) else 3  # none of counts, such as n_steps
            for column, value in enumerate(numbers):
                axis.text(column, row, f"{value:.{digits}f}", ha="center", va="center", fontsize=6.5)


def save(figures: list[Any], path: str) -> None:
    matplotlib = _matplotlib()
    stem, ending = os.path.splitext(path)
    if len(figures) > 1 and ending.lower() == ".pdf":
        from matplotlib.backends.backend_pdf import PdfPages  # type: ignore[import-not-found,import-untyped,unused-ignore]

        with PdfPages(path) as pages:
            for made in figures:
                pages.savefig(made)
        return
    for number, made in enumerate(figures):
        with matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
            made.savefig(path if len(figures) == 1 else f"{stem}_{number}{ending}", dpi=200)
