"""Inseq's module inseq.data.viz: results as something to look at. The library draws; here is where it goes."""
from __future__ import annotations

import copy
import os
from typing import Any

from .._display import display_html, in_notebook, terminal_options
from .._library import describe
from ..utils.typing import TokenWithId
from ._handle import Handle
from .aggregator import AggregableMixin


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


class Views(AggregableMixin):
    """What every result can be drawn as. In a notebook drawings appear at once, in a loop too; elsewhere they are printed."""

    def _handle(self) -> Handle:
        raise NotImplementedError

    def _sequences(self) -> list[Any]:
        raise NotImplementedError

    def to_html(self, **options: Any) -> str:
        """One page that needs no other file and no network. Options are those of `cinseq view`: view="tokens", clean_tokens=True, ..."""
        return self._handle().render("html", options)

    def to_text(self, **options: Any) -> str:
        """The tables of a terminal, without colours."""
        return self._handle().render("terminal", options)

    def to_csv(self, **options: Any) -> str:
        return self._handle().render("csv", options)

    def to_latex(self, **options: Any) -> str:
        return self._handle().render("latex", options)

    def _repr_html_(self) -> str:
        return self.to_html(fragment=True)

    def _rank(self) -> int:
        ranks = [scores.ndim for s in self._sequences() for scores in (s.source_attributions, s.target_attributions) if scores is not None]
        return max(ranks, default=2)

    def _draw(self, display: bool, return_html: bool | None, return_figure: bool, options: dict[str, Any], view: str | None = None) -> Any:
        """The page's text where that is asked for, matplotlib's figures where those are, else None."""
        if return_html and return_figure:
            raise ValueError("Only one of `return_html` and `return_figure` can be set to True.")
        options = options | _given(view=view)
        if display and in_notebook():
            display_html(self.to_html(fragment=True, **options))
        elif display:
            print(self.to_text(**terminal_options(), **options))
        if return_figure:
            return self._figures(**(options if "view" in options else _given(min_val=options.get("min_val"), max_val=options.get("max_val"))))
        return self.to_html(**options) if return_html else None

    def show(self, min_val: float | None = None, max_val: float | None = None, max_show_size: int | None = None,
             show_dim: int | str | None = None, slice_dims: dict[int | str, tuple[int, int]] | None = None, display: bool = True,
             return_html: bool | None = False, return_figure: bool = False, aggregator: Any = None, do_aggregation: bool = True,
             **options: Any) -> Any:
        """Heat tables; what has more dimensions than two after aggregation as show_granular. None, unless return_html (the page's text) or
        return_figure (matplotlib's figures) asks for more."""
        if view := options.pop("view", None):
            chosen = _given(attribution_aggregators=aggregator if do_aggregation else [], min_val=min_val, max_val=max_val)
            return self._draw(display, return_html, return_figure, options | chosen, view)
        made = self.aggregate(aggregator, **options) if do_aggregation else self
        if made._rank() > 2:
            return made.show_granular(min_val, max_val, max_show_size, show_dim, slice_dims, display, return_html, return_figure)
        drawn = {name: options[name] for name in ("clean_tokens", "width", "color") if name in options}
        return made._draw(display, return_html, return_figure, drawn | _given(min_val=min_val, max_val=max_val) | {"attribution_aggregators": []})

    def show_granular(self, min_val: float | None = None, max_val: float | None = None, max_show_size: int | None = None,
                      show_dim: int | str | None = None, slice_dims: dict[int | str, tuple[int, int]] | None = None, display: bool = True,
                      return_html: bool | None = False, return_figure: bool = False, **options: Any) -> Any:
        """All dimensions as they are, with a slider for each that is not shown: layers, heads, the embedding."""
        slices = None if slice_dims is None else {str(name): list(part) for name, part in slice_dims.items()}
        chosen = _given(min_val=min_val, max_val=max_val, max_show_size=max_show_size, show_dim=show_dim, slice_dims=slices)
        return self._draw(display, return_html, return_figure, options | chosen, "granular")

    def show_tokens(self, min_val: float | None = None, max_val: float | None = None, display: bool = True, return_html: bool | None = False,
                    return_figure: bool = False, replace_char: dict[str, str] | None = None,
                    wrap_after: int | str | list[str] | tuple[str, ...] | None = None, step_score_highlight: str | None = None,
                    aggregator: Any = None, do_aggregation: bool = True, **options: Any) -> Any:
        """The text itself: a generated token that is pointed at or focused lights up what it came from. replace_char: what to show in place of
        characters. wrap_after: a line ends after every so many tokens, or after these. step_score_highlight: underlines generated tokens."""
        made = self.aggregate(aggregator, **options) if do_aggregation else self
        wrap = list(wrap_after) if isinstance(wrap_after, tuple) else wrap_after
        chosen = _given(min_val=min_val, max_val=max_val, wrap_after=wrap, step_score_highlight=step_score_highlight)
        return _replaced(made, replace_char or {})._draw(display, return_html, return_figure, chosen | {"attribution_aggregators": []}, "tokens")

    def _figures(self, **options: Any) -> Any:
        return [figure for s in self._sequences() for figure in [s.to_figure(**options)]]

    def save_figure(self, path: str | os.PathLike[str], **options: Any) -> None:
        """A file of the heat tables, or of a view: save_figure("map.pdf", view="layers"); options are those of `cinseq view`. What the library
        writes (.html, .csv, .tex, ...: `cinseq list outputs`) it writes; else matplotlib draws the view's tables: .png, .svg, .pdf, ... Of
        several texts .pdf has a page for each; else names are numbered."""
        ending = os.path.splitext(os.fspath(path))[1][1:].lower()
        output = next((row["id"] for row in describe("outputs") if ending in row["endings"]), None)
        if output:
            written = self._handle().render(output, options)
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(written)
            return
        from ._figure import save

        save([s.to_figure(**options) for s in self._sequences()], os.fspath(path))


def _replaced(made: Any, replacements: dict[str, str]) -> Any:
    """The same with other texts of tokens; what it was made of stays."""
    if not replacements:
        return made
    made = copy.copy(made)
    sequences = [copy.copy(s) for s in made._sequences()]
    for s in sequences:
        for side in ("source", "target"):
            setattr(s, side, [TokenWithId(_replace(token.token, replacements), token.id) for token in getattr(s, side)])
    if hasattr(made, "sequence_attributions"):
        made.sequence_attributions = sequences
        return made
    return sequences[0]


def _replace(token: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        token = token.replace(old, new)
    return token


def _result_of(attributions: Any) -> Any:
    """A result, a sequence, or a list of sequences as something that can be drawn."""
    if isinstance(attributions, Views):
        return attributions
    from .attribution import FeatureAttributionOutput

    return FeatureAttributionOutput(list(attributions))


def show_attributions(attributions: Any, min_val: float | None = None, max_val: float | None = None, display: bool = True,
                      return_html: bool | None = False, **options: Any) -> Any:
    """Heat tables of a result, a sequence or a list of these; what is not aggregated yet is first."""
    return _result_of(attributions).show(min_val, max_val, display=display, return_html=return_html, **options)


def show_granular_attributions(attributions: Any, max_show_size: int = 20, min_val: float | None = None, max_val: float | None = None,
                               show_dim: int | str | None = None, slice_dims: dict[int | str, tuple[int, int]] | None = None,
                               display: bool = True, return_html: bool | None = False, return_figure: bool = False) -> Any:
    """show_granular of a result, a sequence or a list of these."""
    return _result_of(attributions).show_granular(min_val, max_val, max_show_size, show_dim, slice_dims, display, return_html, return_figure)


def show_token_attributions(attributions: Any, min_val: float | None = None, max_val: float | None = None, display: bool = True,
                            return_html: bool | None = False, return_figure: bool = False, replace_char: dict[str, str] | None = None,
                            wrap_after: int | str | list[str] | tuple[str, ...] | None = None, step_score_highlight: str | None = None) -> Any:
    """show_tokens of a result, a sequence or a list of these."""
    return _result_of(attributions).show_tokens(min_val, max_val, display, return_html, return_figure, replace_char, wrap_after, step_score_highlight)
