"""Every figure there is: of every kind of result, by its ``plot()`` and as reports draw it, for many designs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

import apastats as apa
from apastats.plots.choice import plot_of
from apastats.plots.panel import page_width
from apastats.plots.sheet import Sheet
from apastats.plots.style import fit
from apastats.reporting.drawing import _settings
from tests.reporting.kinds import every_kind

__all__ = ["DESIGNS", "blocks", "drawn", "plots", "results"]

CHINESE = "\u795e\u7ecf\u7f51\u7edc\u6a21\u578b\u533a\u57df\u76ae\u5c42\u89c6\u89c9"


def _short(head: str, n: int) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz" if head == "M" else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [letters[i] if n <= 26 else chr((0x3B1 if head == "M" else 0x410) + i) for i in range(n)]


def _long(head: str, n: int) -> list[str]:
    g = np.random.default_rng(n)
    letters = list("abcdefghijklmnopqrstuvwxyz_")
    return [f"{head}_{''.join(g.choice(letters, 34))}_{i:03d}" for i in range(n)]


def _wide(head: str, n: int) -> list[str]:
    return [f"{head}W{'MW@' * (i % 4)}_{CHINESE[: 2 + i % 8]} \u00c5\u00e9{i}" for i in range(n)]


def _plain(head: str, n: int) -> list[str]:
    return [f"{head}{'abc' * (i % 4)}{i + 1}" for i in range(n)]


# regions, models, names
DESIGNS: dict[str, tuple[int, int, Callable[[str, int], list[str]]]] = {
    "one letter": (4, 3, _short),
    "forty letters": (4, 3, _long),
    "wide letters": (5, 4, _wide),
    "sixty regions": (60, 3, _plain),
    "sixty models": (4, 60, _plain),
}


@lru_cache(maxsize=1)
def results(design: str) -> dict[str, Any]:
    """Results of every kind."""
    n_roi, n_model, names = DESIGNS[design]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rois, models = names("R", n_roi), names("M", n_model)
        found = every_kind(rois, models)
        scores = apa.simulate(n_subject=5, n_model=3, n_layer=2, rois=rois, rng=0).scores
        best = apa.select_layer(scores, on="train")
        return found | {
            "check": apa.check(scores),
            "patterns": apa.alignment_patterns(scores),
            "ceiling": apa.noise_ceiling(scores),
            "means": apa.bootstrap("score ~ model | roi", best),
            "tests": apa.equivalence("score ~ model | roi", best, bounds=0.05, reference="best"),
        }


def plots(name: str, result: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Figures of a result by its ``plot()``."""
    for kind in plot_of(result).kinds or [None]:
        options = {} if kind is None else {"kind": kind}
        yield f"{name}.plot({kind or ''})", lambda options=options: result.plot(**options).figure


def blocks(name: str, result: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Figures of a report of a result."""
    for block in apa.report(result).figure_blocks():
        yield f"report({name}).{block.slug}", block.make


def drawn(make: Callable[[], Any], page: float) -> tuple[Any, list[Any]]:
    """Figure of matplotlib as it is drawn for a page of this width, and the boxes of its panels."""
    with _settings("x"), page_width(page):
        made = make()
        found = made.boxes if isinstance(made, Sheet) else []
        figure = made.figure() if isinstance(made, Sheet) else made
        fit(figure)
        figure.draw_without_rendering()
    return figure, list(found)
