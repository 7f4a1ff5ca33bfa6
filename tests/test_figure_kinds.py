"""Figures of every kind of result, by ``plot()`` and in reports: no text touches another, axes say what they show."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import apastats as apa
from apastats import plots
from apastats.plots.choice import KINDS, plot_of
from apastats.plots.drawn_rows import INTERVALS
from apastats.plots.panel import MOST_PANELS, MOST_ROWS, page_width
from apastats.plots.sheet import sheet
from apastats.plots.style import new_figure
from apastats.reporting.drawing import NARROW, _settings
from tests import figure_walk
from tests.test_figure_texts import WIDE, _boxes, touching

TALLEST = {WIDE: 22.0, NARROW: 90.0}  # inches; a telephone scrolls
MANY = ("sixty regions", "sixty models")


@pytest.mark.parametrize("page", [WIDE, NARROW])
@pytest.mark.parametrize(
    "design",
    [pytest.param(d, marks=[pytest.mark.slow] * (d in MANY)) for d in figure_walk.DESIGNS],
)
def test_every_figure_has_room(design: str, page: float) -> None:
    found, seen, faults = figure_walk.results(design), 0, []
    assert set(KINDS) <= {r.kind for r in found.values()}
    for name, result in found.items():
        for label, make in (*figure_walk.plots(name, result), *figure_walk.blocks(name, result)):
            figure, boxes = figure_walk.drawn(make, page)
            with _settings("x"), page_width(page):
                texts = touching(figure)
            wide, high = figure.get_size_inches()
            if texts or wide > page + 0.05 or high > TALLEST[page]:
                faults.append((label, len(texts), texts[:2], round(wide, 1), round(high, 1)))
            if min(_boxes(figure, boxes), default=9.0) < 0.08:
                faults.append((label, "collapsed"))
            seen += 1
    assert seen > 100
    assert not faults, (len(faults), faults[:5])


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return figure_walk.results("one letter")


def figures(results: Mapping[str, Any]) -> list[tuple[str, Any, dict[str, str], tuple[str, ...]]]:
    """Name, result, which of its figures, and the options that this one takes."""
    out = []
    for name, result in results.items():
        plot = plot_of(result)
        for kind, one in plot.kinds.items() or [("", plot)]:
            out.append((name, result, {"kind": kind} if kind else {}, one.options))
    return out


def words(ax: Axes) -> list[str]:
    """Texts that an Axes shows, legends too."""
    found = [t.get_text() for t in ax.texts if t.get_visible()]
    found += [t.get_text() for t in (*ax.get_yticklabels(), *ax.get_xticklabels())]
    found += [t.get_text() for t in ax.get_legend().get_texts()] if ax.get_legend() else []
    return [f for f in (*found, ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) if f]


def shades(ax: Axes) -> set[str]:
    """Colours on an Axes."""
    out = {to_hex(line.get_color()) for line in ax.lines}
    out |= {to_hex(line.get_markerfacecolor()) for line in ax.lines}
    for group in ax.collections:
        for some in (group.get_edgecolor(), group.get_facecolor()):
            out |= {to_hex(c) for c in np.atleast_2d(some) if len(c)}
    return out | {to_hex(p.get_facecolor()) for p in ax.patches}


def test_axes_given_are_drawn_on(results: dict[str, Any]) -> None:
    for name, result, kind, options in figures(results):
        ax = new_figure(7, 9).add_subplot()
        title = {"title": "Own title"} if "title" in options else {}
        assert result.plot(ax=ax, **kind, **title) is ax, (name, kind)
        assert "title" in options, (name, kind)
        assert ax.get_title(loc="left") == "Own title", (name, kind)


def test_fonts_are_those_of_the_settings(results: dict[str, Any]) -> None:
    from matplotlib import rc_context

    small = {"font.size": 6, "xtick.labelsize": 5, "ytick.labelsize": 5, "axes.labelsize": 6}
    with rc_context(small | {"legend.fontsize": 5, "axes.titlesize": 6}):
        for name, result, kind, _ in figures(results):
            ax = result.plot(**kind)
            texts = [
                *ax.texts,
                ax.xaxis.label,
                ax.yaxis.label,
                *ax.get_yticklabels(),
                *ax.get_xticklabels(),
            ]
            texts += ax.get_legend().get_texts() if ax.get_legend() else []
            assert max((t.get_fontsize() for t in texts if t.get_text()), default=0) <= 6, (
                name,
                kind,
            )


def _named(result: Any, ax: Axes) -> list[str]:
    """Names of the table that a figure shows, whole or as part of the name of a row."""
    text = [c for c in result.table.columns if not pd.api.types.is_numeric_dtype(result.table[c])]
    there = {str(v) for c in text for v in result.table[c].dropna().unique()}
    there |= {str(v) for v in np.asarray(result.arrays.get("rois", ()), dtype=str)}
    there |= set(result.decisions()["roi"]) if hasattr(result, "decisions") else set()
    shown = {part for w in words(ax) for part in re.split(r" \u00b7 |\. |, |: ", w)}
    return sorted(n for n in there if n in shown or n.replace("_", " ") in shown)


def test_names_can_be_replaced(results: dict[str, Any]) -> None:
    for name, result, kind, options in figures(results):
        if "labels" not in options:
            continue
        ax = result.plot(**kind)
        named = _named(result, ax)
        if not named:  # rows that are named by what was done, not by names of the data
            continue
        replaced = result.plot(**kind, labels={n: f"Mine {i}" for i, n in enumerate(named)})
        assert any("Mine " in w for w in words(replaced)), (name, kind, named)


def test_every_figure_with_names_takes_labels(results: dict[str, Any]) -> None:
    without = {(name, *kind.values()) for name, _, kind, o in figures(results) if "labels" not in o}
    # designs of power studies, not models or regions
    assert without == {("power of the brain test",), ("power",), ("study power",)}


def test_rows_can_be_put_in_order(results: dict[str, Any]) -> None:
    from apastats.plots.drawn_rows import named_by

    tried = 0
    for name, result, kind, options in figures(results):
        if not {"order", "where", "labels"} <= set(options):
            continue
        plain = result.plot(**kind)
        rows = [t.get_text() for t in plain.get_yticklabels()]
        for column in dict.fromkeys(["model", named_by(result.table), "item", "roi", "method"]):
            if column not in result.table.columns:
                continue
            levels = list(dict.fromkeys(result.table[column].astype(str)))
            try:
                turned = result.plot(**kind, order=levels[::-1])
            except apa.errors.InputError:  # rows are named by another column
                continue
            found = [t.get_text() for t in turned.get_yticklabels()]
            assert sorted(found) == sorted(rows), (name, kind)
            heads = list(dict.fromkeys(f.split(" \u00b7 ")[0] for f in found))
            assert (
                len(heads) < 2
                or heads == list(dict.fromkeys(r.split(" \u00b7 ")[0] for r in rows))[::-1]
            ), name
            tried += 1
            break
    assert tried > 25


def test_colours_can_be_chosen(results: dict[str, Any]) -> None:
    for name, result, kind, options in figures(results):
        if "colors" not in options:
            continue
        levels = [
            str(v)
            for c in ("model", "decision", "contrast", "term", "roi", "part", "bound", "status")
            if c in result.table.columns
            for v in result.table[c].dropna().unique()
        ]
        decided = result.decisions()["decision"].unique() if hasattr(result, "decisions") else ()
        rows = [t.get_text() for t in result.plot(**kind).get_yticklabels()]
        every = [*levels, *map(str, decided), *rows, "reference", "brain"]
        ax = result.plot(**kind, colors=dict.fromkeys(every, "#123456"))
        assert "#123456" in shades(ax), (name, kind)


def test_intervals_can_be_chosen(results: dict[str, Any]) -> None:
    tried = 0
    for name, result, kind, options in figures(results):
        if "interval" not in options:
            continue
        for interval, tail in INTERVALS.items():
            if f"conf_low{tail}" not in result.table.columns:
                continue
            ax = result.plot(**kind, interval=interval)
            lines = [s for c in ax.collections for s in getattr(c, "get_segments", list)()]
            ends = {tuple(np.round(s[:, 0], 9)) for s in lines if len(s)}
            table = result.table[
                np.isfinite(result.table[[f"conf_low{tail}", f"conf_high{tail}"]]).all(axis=1)
            ]
            wanted = zip(
                table[f"conf_low{tail}"].round(9), table[f"conf_high{tail}"].round(9), strict=True
            )
            assert set(wanted) <= ends or not len(table), (name, kind, interval)
            tried += 1
    assert tried > 25


def test_outcomes_name_the_axis(results: dict[str, Any]) -> None:
    for name, result, kind, options in figures(results):
        if "outcome" in options:
            ax = result.plot(**kind, outcome="my units")
            assert "my units" in (ax.get_xlabel(), ax.get_ylabel()), (name, kind)


# quantities without a unit, or with one of their own, and axes of names
OWN = (
    r"place|Kendall|subjects|Cook|verdict|reliability$|discrimination|effect size|share of|posterior$|^layer$|"
    r"target ROI|ROI of|^region$|semipartial"
)


def test_axes_name_quantity_and_metric(results: dict[str, Any]) -> None:
    """What the numbers are, and the measure they are in, on the axis of every figure that has numbers."""
    for name, result, kind, _ in figures(results):
        ax = result.plot(**kind)
        said = [ax.get_xlabel(), ax.get_ylabel()]
        if result.kind in ("design", "agreement_sensitivity") or kind.get("kind") == "decisions":
            continue  # signs in a grid of names
        assert any(said), (name, kind)
        info = result.info
        metrics = set(result.table["metric"]) if "metric" in result.table.columns else set()
        metrics |= {info.outcome.metric} if info.outcome and info.outcome.metric else set()
        if any(re.search(OWN, w) for w in said) or metrics & {"", "score", "-"}:
            continue
        if metrics:
            assert any(w.endswith(")") for w in said), (name, kind, said)
        if info.outcome and not info.estimand:
            quantity = str(info.outcome.quantity)
            assert any(quantity in w for w in said), (name, kind, said)


def many(n: int) -> Any:
    """Means of many models in one region."""
    g = np.random.default_rng(0)
    names = [f"model_{i:03d}" for i in range(n)]
    frame = pd.DataFrame(
        [(s, m, 0.002 * i + g.normal(0, 0.01)) for s in "abcdef" for i, m in enumerate(names)],
        columns=["subject", "model", "score"],
    ).assign(roi="V1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return apa.bootstrap("score ~ model", apa.read(frame), n_resamples="exact")


def test_many_rows_are_cut_and_it_is_said() -> None:
    found = many(200)
    ax = found.plot()
    assert f"the first {MOST_ROWS} of 200 rows; the table has all" in ax.get_xlabel()
    shown = [t.get_text() for t in ax.texts if t.get_visible()]
    best = found.table.sort_values("estimate", ascending=False)["model"].head(MOST_ROWS)
    assert [s.replace(" ", "_") for s in shown] == list(best)
    assert ax.figure.get_figheight() < 20
    # those asked for are shown, in the order asked for
    names = list(found.table["model"][100:103])
    few = found.plot(order=names)
    assert "the first" not in few.get_xlabel()
    assert [t.get_text().replace(" ", "_") for t in few.get_yticklabels()] == names
    assert "the first" not in many(MOST_ROWS).plot().get_xlabel()


def test_many_panels_and_rows_of_a_sheet_are_cut_and_it_is_said() -> None:
    def frame(n: int) -> pd.DataFrame:
        return pd.DataFrame({"model": [f"m{i}" for i in range(n)], "estimate": np.arange(n) / n})

    def draw(panel: Any, i: int) -> None:
        plots.estimates(frame(200 if i == 1 else 3), ax=panel, title=f"P{i}")

    made = sheet(60, draw, own_names=True)
    said = [str(t[2]).replace("\n", " ") for t in made.texts]
    assert f"Shown are the first {MOST_PANELS} of 60 panels and the first {MOST_ROWS} of 200 rows of a panel; " \
        "the table has all." in said  # fmt: skip
    assert f"P{MOST_PANELS - 1}" in said
    assert f"P{MOST_PANELS}" not in said
    assert f"m{MOST_ROWS - 1}" in said
    assert f"m{MOST_ROWS}" not in said
    # no mark lies beyond its panel
    low = max(box[1] + box[3] for box in made.boxes)
    for _, parts in made.paths.in_order():
        assert all(p[:, 1].max() <= low + 0.05 for p in parts)
    few = sheet(3, lambda panel, i: plots.estimates(frame(5), ax=panel))
    assert not any("Shown are" in str(t[2]) for t in few.texts)


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
def test_matrices_of_200_models_fit_a_page_and_say_what_they_leave_out() -> None:
    """Means with ceilings, decisions and sets: the best, the reference and the ceilings are kept."""
    scores = apa.simulate(
        n_subject=5, n_model=200, n_layer=1, n_tied=2, rois=[f"R{i}" for i in range(9)], rng=1
    ).scores
    best = scores.where(kind="model", split="test")
    formula = "score ~ model | roi"
    items = [
        apa.noise_ceiling(scores),
        apa.bootstrap(formula, best, n_resamples=49, rng=1),
        apa.equivalence(formula, best, bounds=0.05, reference="best"),
        apa.equivalence_set(formula, best),
    ]
    found = 0
    for page in (11.0, 4.0):
        for block in apa.report(*items).figure_blocks():
            with page_width(page):
                made = block.make()
            said = [str(t[2]).replace("\n", " ") for t in getattr(made, "texts", [])]
            assert made.height <= 12 * (11 / page if page > 5 else 2), (block.slug, made.height)
            if any(t.startswith(f"Shown are {MOST_ROWS} of 200 rows") for t in said):
                found += 1
                means = items[1].table.groupby("model")["estimate"].median()
                assert str(means.idxmax()) in said
                if "matrix" in block.slug:
                    top = items[1].table.loc[
                        items[1].table.groupby("roi")["estimate"].idxmax(), "model"
                    ]
                    assert set(map(str, top)) <= set(said)
                    assert any("ceiling" in t for t in said)
    assert found >= 4
