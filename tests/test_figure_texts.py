"""No figure cuts a name, lets texts overlap or collapses: boxes measured over kinds and generated designs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from apastats import plots
from apastats.plots.matrix import decision_signs, matrix_sheet, signs_sheet
from apastats.plots.panel import page_width, width_of_page
from apastats.plots.sheet import Sheet
from apastats.plots.style import DECISIONS, fit, model_colors
from apastats.reporting import panels
from apastats.reporting.blocks import FigureBlock
from apastats.reporting.drawing import NARROW, _settings
from apastats.reporting.lead import verdict_matrix
from apastats.words import Info, Outcome

SHORT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyzMWQ_-0123456789"
WIDE = 11.0


class Context(SimpleNamespace):
    """What the panels of a report ask for."""

    def slug(self, wish: str) -> str:
        return wish


def design(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Names of 1 to 40 characters, 2 to 60 regions, 2 to 12 models: table of differences and of means."""
    random = np.random.default_rng(seed)

    def some(n: int, longest: int) -> list[str]:
        out: list[str] = []
        while len(out) < n:
            size = int(random.integers(1, longest + 1))
            word = "".join(random.choice(list(LETTERS), size))
            if word not in out:
                out.append(word)
        return out

    longest = (8, 40, 40)[seed % 3]
    rois = some((2, 3, 7, 19, 60)[seed % 5], longest)
    models = some(int(random.integers(2, 13)), longest)
    frame = pd.DataFrame([(r, m) for r in rois for m in models], columns=["roi", "model"])
    n = len(frame)
    frame["estimate"] = random.normal(0, 0.1, n)
    half = random.uniform(0.01, 0.2, n)
    frame["conf_low"], frame["conf_high"] = frame["estimate"] - half, frame["estimate"] + half
    frame["conf_level"] = 0.95
    tested = frame.assign(reference=models[0], bound_low=-0.05, bound_high=0.05)
    tested["decision"] = random.choice(list(DECISIONS), n)
    tested.loc[::3, "conf_high"] = np.inf
    return tested, frame


def kinds() -> dict[str, Callable[[pd.DataFrame, pd.DataFrame], Any]]:
    info = Info(outcome=Outcome("score", metric="rsa"))

    def context(frame: pd.DataFrame) -> Any:
        return Context(ceilings=[], colors=model_colors(frame["model"]), items=[])

    def block(made: FigureBlock) -> Any:
        return made.make()

    def forest(tested: pd.DataFrame, frame: pd.DataFrame) -> Any:
        cells = panels.cells_of(tested)
        return block(
            panels._forest_grid(tested, cells, "model", "", context(tested), "score", info)
        )

    def first(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["roi"] == frame["roi"].iloc[0]].reset_index(drop=True)

    def wide(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.pivot(index="model", columns="roi", values="estimate")

    result = SimpleNamespace(info=info)
    return {
        "forest panels": forest,
        "estimate panels": lambda t, f: block(
            panels._estimate_grid(result, f, None, "", context(f), "score")
        ),
        "score matrix": lambda t, f: block(
            panels._score_matrix(result, f, "", context(f), "score")
        ),
        "heatmap": lambda t, f: plots.heatmap(wide(f), y="model", x="ROI").figure,
        "matrix": lambda t, f: matrix_sheet(wide(f), y="model", x="ROI", outcome="score (RSA)"),
        "signs": lambda t, f: signs_sheet(
            list(dict.fromkeys(t["model"])), list(dict.fromkeys(t["roi"])),
            decision_signs(t, "model", "roi"), x="ROI", y="model",
        ),
        "verdicts": lambda t, f: verdict_matrix(t, min(8.2, width_of_page())),
        "decisions": lambda t, f: plots.sensitivity(t, analysis="roi").figure,
        "forest": lambda t, f: plots.forest(first(t), rows="model").figure,
        "estimates": lambda t, f: plots.estimates(first(f)).figure,
        "ranks": lambda t, f: plots.rank_intervals(first(f).assign(rank_low=1, rank_high=3, rank=2)).figure,
        "ceilings": lambda t, f: plots.ceilings(f.drop_duplicates("roi")).figure,
        "posterior": lambda t, f: plots.posterior(first(f), rows="model", rope=(-0.1, 0.1)).figure,
    }  # fmt: skip


def extreme(n_roi: int, n_model: int, letters: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As :func:`design`, of a given size, all names of one length: 1, or 40."""
    random = np.random.default_rng(n_roi + n_model)

    def names(n: int, head: str) -> list[str]:
        if letters == 1:
            return [chr(0x410 + i) if i >= len(SHORT) else SHORT[i] for i in range(n)]
        return [f"{head}{''.join(random.choice(list(LETTERS), 36))}{i:03d}" for i in range(n)]

    rois, models = names(n_roi, "R"), names(n_model, "M")
    frame = pd.DataFrame([(r, m) for r in rois for m in models], columns=["roi", "model"])
    frame["estimate"] = random.normal(0, 0.1, len(frame))
    half = random.uniform(0.01, 0.2, len(frame))
    frame["conf_low"], frame["conf_high"] = frame["estimate"] - half, frame["estimate"] + half
    frame["conf_level"] = 0.95
    tested = frame.assign(reference=models[0], bound_low=-0.05, bound_high=0.05)
    return tested.assign(decision=random.choice(list(DECISIONS), len(frame))), frame


def single() -> dict[str, Callable[[pd.DataFrame], Any]]:
    """Figures of one result, as its ``plot()`` draws them, from rows of one region."""
    random = np.random.default_rng(5)

    def board(part: pd.DataFrame) -> Any:
        n, place = len(part), np.arange(1, len(part) + 1)
        low, high = np.maximum(1, place - 3), np.minimum(n, place + 3)
        shown = part.assign(place=place, place_low=low, place_high=high, tier=1 + place // 6)
        return plots.leaderboard(
            shown.assign(place_low_marginal=place, place_high_marginal=high),
            random.random((n, 12)) < 0.8,
        )

    def people(part: pd.DataFrame) -> Any:
        shown = part.assign(
            mean_model=part["estimate"], mean_person=0.0, person_low=-0.2, person_high=0.2
        )
        return plots.among_people(shown, random.normal(0, 0.1, (10, len(part))))

    def repeated(part: pd.DataFrame, column: str, values: list[float]) -> pd.DataFrame:
        return pd.concat([part.assign(**{column: v}) for v in values], ignore_index=True)

    return {
        "leaderboard": board,
        "brain test": people,
        "influence": lambda p: plots.cooks_distances(
            p.assign(subject=p["model"], cooks_distance=p["estimate"].abs()), limit=0.1
        ),
        "variance components": lambda p: plots.variance_components(
            p.assign(group=p["model"], share=1 / len(p), variance=1.0)
        ),
        "score and agreement": lambda p: plots.score_agreement(
            p.assign(score=p["estimate"], agreement=p["conf_low"])
        ),
        "null": lambda p: plots.against_null(p.assign(null_mean=0.0, null_sd=0.1), rows="model"),
        "layers": lambda p: plots.layer_curves(repeated(p, "depth", [0.0, 0.5, 1.0])),
        "letters": lambda p: plots.letters(p.assign(letters="abc")),
        "margins": lambda p: plots.margin_decisions(
            repeated(
                p.assign(contrast=p["model"], decision="undecided"), "margin", [0.01, 0.05, 0.1]
            )
        ),
        "subjects needed": lambda p: plots.subjects_needed(
            p.assign(contrast=p["model"], n_equivalence=20, n_difference=40, n_subject=10)
        ),
    }


def crowded() -> dict[str, Callable[[pd.DataFrame], Any]]:
    """Figures with the regions across."""

    def square(frame: pd.DataFrame) -> pd.DataFrame:
        rois = list(dict.fromkeys(frame["roi"]))
        return pd.DataFrame(np.random.default_rng(0).random((len(rois),) * 2), rois, rois)

    return {
        "pattern lines": lambda f: plots.pattern_lines(f, rois=list(dict.fromkeys(f["roi"]))),
        "identification": lambda f: plots.identification(square(f)),
    }


def touching(figure: Any) -> list[str]:
    """Texts that leave the figure, and pairs of texts that overlap by more than a point."""
    renderer = figure.canvas.get_renderer()
    figure.draw_without_rendering()
    texts = [t for t in figure.get_children() if isinstance(t, Text)]
    for ax in figure.axes:
        texts += [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
        # ticks beyond the limits of an axis exist and are not drawn
        ticks = [*ax.xaxis._update_ticks(), *ax.yaxis._update_ticks()]
        texts += [text for t in ticks for text in (t.label1, t.label2)]
        texts += ax.get_legend().get_texts() if ax.get_legend() else []
    texts = [t for t in texts if t.get_visible() and t.get_text().strip()]
    shown, boxes = [], []
    for t in texts:
        box = t.get_window_extent(renderer)
        if np.isfinite(box.extents).all() and box.width > 0:
            shown.append(t.get_text())
            boxes.append(box.extents)
    wide, high = figure.get_size_inches() * figure.dpi
    slack = figure.dpi / 72 * 1.5
    edges = np.array(boxes)
    out = [
        f"cut: {t!r}"
        for t, (x0, y0, x1, y1) in zip(shown, edges, strict=True)
        if x0 < -slack or y0 < -slack or x1 > wide + slack or y1 > high + slack
    ]
    over = np.minimum(edges[:, None, 2:], edges[None, :, 2:]) - np.maximum(
        edges[:, None, :2], edges[None, :, :2]
    )
    hit = np.argwhere(np.triu((over > slack).all(axis=2), 1))
    return out + [f"overlap: {shown[i]!r} and {shown[j]!r}" for i, j in hit]


@pytest.mark.parametrize("page", [WIDE, NARROW])
@pytest.mark.parametrize("kind", list(kinds()))
def test_texts_have_room(kind: str, page: float) -> None:
    """Over 20 designs; no text is cut in the middle either, and the figure is no wider than the page."""
    draw = kinds()[kind]
    for seed in range(20):
        tested, frame = design(seed)
        with _settings("x"), page_width(page):
            figure = draw(tested, frame)
            if isinstance(figure, Sheet):
                boxes, figure = figure.boxes, figure.figure()
            else:
                boxes = []
            fit(figure)
            found = touching(figure)
            assert not found, (seed, len(found), found[:3])
            assert figure.get_figwidth() <= page + 0.05, (seed, figure.get_figwidth())
            assert min(_boxes(figure, boxes)) >= 0.08, seed


def _has_room(figure: Any, page: float) -> None:
    fit(figure)
    found = touching(figure)
    assert not found, (len(found), found[:3])
    assert figure.get_figwidth() <= page + 0.05
    assert min(_boxes(figure, [])) >= 0.08


@pytest.mark.parametrize("page", [WIDE, NARROW])
@pytest.mark.parametrize("kind", list(single()))
def test_one_result_has_room(kind: str, page: float) -> None:
    """4 and 30 models, names of 1 and 40 characters; 200 models once."""
    draw = single()[kind]
    for n_model, letters in ((4, 1), (4, 40), (30, 40), (200, 1)):
        if n_model == 200 and page == NARROW:
            continue
        _, frame = extreme(1, n_model, letters)
        with _settings("x"), page_width(page):
            _has_room(draw(frame).figure, page)


@pytest.mark.parametrize("page", [WIDE, NARROW])
@pytest.mark.parametrize("kind", list(crowded()))
def test_regions_across_have_room(kind: str, page: float) -> None:
    """2, 10 and 60 regions, names of 1 and 40 characters."""
    draw = crowded()[kind]
    for n_roi, letters in ((2, 40), (10, 40), (60, 1), (60, 40)):
        _, frame = extreme(n_roi, 4, letters)
        with _settings("x"), page_width(page):
            _has_room(draw(frame).figure, page)


def _boxes(figure: Any, panels: list[Any]) -> list[float]:
    """Widths and heights of axes and panels in inches: none has collapsed."""
    drawn = [v for box in panels for v in box[2:]]
    for ax in figure.axes:
        place = ax.get_position()
        drawn += [place.width * figure.get_figwidth(), place.height * figure.get_figheight()]
    return drawn
