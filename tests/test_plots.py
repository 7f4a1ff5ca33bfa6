"""Figures: Axes in, Axes out, nothing global, names as text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

import apastats as apa
from apastats import plots
from apastats.errors import DataError, InputError
from apastats.plots.style import BRAIN_COLOR, PALETTE, model_colors, new_figure

MODELS = ["alpha", "beta", "brain"]
ROIS = ["V1", "V2", "V4"]


def rows(**columns: Any) -> pd.DataFrame:
    base = {
        "model": MODELS,
        "estimate": [0.3, 0.2, 0.5],
        "conf_low": [0.2, 0.1, 0.4],
        "conf_high": [0.4, 0.3, 0.6],
    }
    return pd.DataFrame(base | columns)


def square() -> pd.DataFrame:
    return pd.DataFrame(
        [[0.9, 0.2, 0.1], [0.8, 0.3, 0.2], [0.1, 0.2, 0.7]], index=ROIS, columns=ROIS
    )


def cases() -> dict[str, Callable[..., Axes]]:
    tested = rows(contrast=["a - b", "a - c", "b - c"], bound_low=-0.1, bound_high=0.1)
    tested["decision"] = ["equivalent", "undecided", "different"]
    lines = pd.DataFrame(
        [(m, r, 0.1 * i + 0.05 * j) for i, m in enumerate(MODELS) for j, r in enumerate(ROIS)]
    )
    lines.columns = ["model", "roi", "estimate"]
    band = pd.DataFrame(
        {"roi": ROIS, "estimate": [0.1, 0.2, 0.3], "conf_low": 0.0, "conf_high": 0.4}
    )
    curve = pd.DataFrame({"margin": [0.1, 0.2, 0.3], "p_value_equiv": [0.4, 0.1, 0.01]})
    power = pd.DataFrame(
        {
            "n": [5, 10, 20, 5, 10, 20],
            "sd": [0.1] * 3 + [0.2] * 3,
            "power": np.linspace(0.1, 0.9, 6),
        }
    )
    components = pd.DataFrame(
        {
            "group": ["subject", "roi", "residual"],
            "effect": ["1", "1", None],
            "share": [0.2, 0.3, 0.5],
            "std_dev": [1, 2, 3],
        }
    )
    scatter = pd.DataFrame(
        {"model": MODELS, "score": [0.1, 0.2, 0.3], "agreement": [0.5, 0.6, 0.7]}
    )
    ways = pd.DataFrame(
        [(m, w, d) for m, d in zip(MODELS, tested["decision"], strict=True) for w in ("t", "rank")]
    )
    ways.columns = ["model", "analysis", "decision"]
    noise = np.random.default_rng(0).normal(size=50)
    ceiling = pd.DataFrame(
        {
            "roi": ROIS * 2,
            "bound": ["lower"] * 3 + ["upper"] * 3,
            "estimate": np.linspace(0.1, 0.6, 6),
        }
    )
    one_band = [{"estimate": 0.4, "conf_low": 0.3, "conf_high": 0.5, "label": "ceiling"}]
    strips = curve.assign(
        contrast="a - b",
        decision=["undecided", "undecided", "equivalent"],
        margin_equivalent=0.25,
        margin_noninferior=0.0,
        margin_nonsuperior=0.25,
    )
    needed = pd.DataFrame(
        {"contrast": ["a - b", "a - c"], "n_equivalence": [41, np.nan], "n_difference": [np.nan, np.inf]}
    ).assign(n_subject=6)  # fmt: skip
    layers = pd.DataFrame({"model": ["a", "a", "b", "b"], "depth": [0, 1, 0, 1], "estimate": 0.2})
    return {
        "estimates": lambda **k: plots.estimates(rows(), points=np.eye(3), band=one_band, **k),
        "ceilings": lambda **k: plots.ceilings(ceiling, **k),
        "forest": lambda **k: plots.forest(tested, **k),
        "forest of one margin each": lambda **k: plots.forest(tested.assign(bound_high=[0.1, 0.2, 0.3]), **k),
        "rank_intervals": lambda **k: plots.rank_intervals(rows(rank_low=1, rank_high=[2, 3, 1], rank=1), **k),
        "leaderboard": lambda **k: plots.leaderboard(
            rows(place=[1, 2, 3], place_low=1, place_high=[2, 3, 3], tier=[1, 1, 2]), np.ones((3, 4), bool), **k
        ),
        "among_people": lambda **k: plots.among_people(
            rows(mean_model=0.3, mean_person=0.2, person_low=0.1, person_high=0.4), np.full((5, 3), 0.2), **k),
        "stacked_parts": lambda **k: plots.stacked_parts(
            rows(roi="V1", part=["unique", "unique", "total"]).assign(ceiling_lower=0.5, ceiling_upper=0.7), **k),
        "letters": lambda **k: plots.letters(rows(letters=["a", "ab", "b"]), **k),
        "against_null": lambda **k: plots.against_null(rows(null_mean=0.0, null_sd=0.1), rows="model", **k),
        "layer_curves": lambda **k: plots.layer_curves(layers, level=0.8, band=(0.4, 0.5), **k),
        "margin_decisions": lambda **k: plots.margin_decisions(strips, margin=0.2, **k),
        "subjects_needed": lambda **k: plots.subjects_needed(needed, **k),
        "margin_curve": lambda **k: plots.margin_curve(curve, alpha=0.05, margin=0.2, **k),
        "sensitivity": lambda **k: plots.sensitivity(ways, **k),
        "heatmap": lambda **k: plots.heatmap(square(), **k),
        "heatmap around zero": lambda **k: plots.heatmap(square() - 0.5, diverging=True, numbers=False, **k),
        "identification": lambda **k: plots.identification(square(), **k),
        "pattern_lines": lambda **k: plots.pattern_lines(lines, band=band, **k),
        "score_agreement": lambda **k: plots.score_agreement(scatter, strict=["alpha"], brain=0.8, **k),
        "variance_components": lambda **k: plots.variance_components(components, **k),
        "cooks_distances": lambda **k: plots.cooks_distances(
            rows(cooks_distance=[0.1, 2.0, 0.5]), rows="model", limit=0.4, **k),
        "posterior": lambda **k: plots.posterior(rows(inner_low=0.2, inner_high=0.4), rows="model", rope=(-0.1, 0.1),
                                                 inner=("inner_low", "inner_high"), **k),
        "qq": lambda **k: plots.qq(noise, **k),
        "residuals": lambda **k: plots.residuals(noise, noise, **k),
        "power_curve": lambda **k: plots.power_curve(power, **k),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(cases()))
def test_axes_in_axes_out(name: str) -> None:
    draw = cases()[name]
    ax = new_figure(5, 4).add_subplot()
    assert draw(ax=ax, title="100% $x$") is ax
    assert ax.get_title(loc="left") == "100% $x$"
    own = draw()
    assert own.figure is not ax.figure
    own.figure.draw_without_rendering()


@pytest.mark.parametrize("name", list(cases()))
def test_every_public_plot_is_tried(name: str) -> None:
    tried = {n.split(" ")[0] for n in cases()}
    assert set(plots.__all__) - {"draw", "label", "model_colors"} == tried


def test_nothing_global() -> None:
    """Neither the package nor a figure of it imports pyplot or changes a setting."""
    code = (
        "import sys, matplotlib; import apastats as apa\n"
        "settings = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = settings()\n"
        "from apastats import plots\n"
        "s = apa.simulate(n_subject=4, n_model=2, n_tied=1, rng=0); c = apa.noise_ceiling(s.scores); c.plot()\n"
        "apa.report(c).html()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert settings() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_import_does_not_need_matplotlib() -> None:
    code = "import sys, apastats, apastats.plots, apastats.reporting; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_colors_are_the_same_everywhere() -> None:
    colors = model_colors(["b", "a", "brain", "c"])
    assert colors["b"] == PALETTE[0]
    assert colors["a"] == PALETTE[1]
    assert colors["brain"] == BRAIN_COLOR
    assert model_colors(["b", "a"]) == {k: colors[k] for k in ("b", "a")}
    assert len(set(PALETTE)) == len(PALETTE) == 10


def test_palette_can_be_told_apart_by_the_colour_blind() -> None:
    """Any two colours differ under simulated deuteranopia and protanopia (Vienot et al. 1999, linear RGB)."""
    deutan = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    protan = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
    linear = np.array(
        [
            [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(p)]
            for p in PALETTE
        ]
    )
    for matrix in (np.eye(3), deutan, protan):
        seen = np.clip(linear @ matrix.T, 0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=2)[
            np.triu_indices(len(PALETTE), 1)
        ]
        assert distance.min() > 0.08, (to_hex(PALETTE[0]), distance.min())


def test_labels_are_text() -> None:
    assert plots.label("a$b$c") == r"a\$b\$c"
    assert plots.label("a\nb") == "a \u21b5 b"
    assert len(plots.label("x" * 200)) == 40
    assert "\u2026" in plots.label("x" * 200)


def test_hostile_names_can_be_drawn() -> None:
    names = ["$\\frac{1}{", "_^{}", "\\undefined", "\u05e9\u05dc", "line\nbreak", "<b>&amp;"]
    frame = pd.DataFrame(
        {"model": names, "estimate": np.arange(6.0), "conf_low": -1.0, "conf_high": 7.0}
    )
    plots.estimates(frame).figure.draw_without_rendering()
    plots.heatmap(
        pd.DataFrame(np.eye(6), index=names, columns=names)
    ).figure.draw_without_rendering()


def test_missing_values_leave_gaps() -> None:
    frame = rows().assign(
        estimate=[0.1, np.nan, 0.2], conf_low=[0.0, np.nan, 0.1], conf_high=[0.2, np.nan, 0.3]
    )
    plots.estimates(frame).figure.draw_without_rendering()
    plots.forest(
        frame.assign(bound_low=[-0.1, np.nan, -0.1], bound_high=[0.1, np.nan, 0.1]), rows="model"
    )
    plots.heatmap(pd.DataFrame([[np.nan, np.nan]], index=["a"], columns=["b", "c"]))


def test_results_draw_themselves() -> None:
    study = apa.simulate(n_subject=5, n_model=3, n_tied=2, rng=0)
    best = apa.select_layer(study.scores, on="train")
    ceiling = apa.noise_ceiling(study.scores)
    means = apa.bootstrap("score ~ model | roi", best)
    tested = apa.equivalence("score ~ model | roi", best, bounds=0.05)
    for result in (ceiling, means, tested):
        assert isinstance(result.plot(), Axes)
    ax = new_figure().add_subplot()
    assert means.plot(ax=ax, where={"roi": "V1"}) is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == means.table["model"].unique().tolist()
    with pytest.raises(InputError, match="where: got 'region'"):
        means.plot(where={"region": "V1"})
    with pytest.raises(InputError, match="values that occur"):
        means.plot(where={"roi": "V99"})


@pytest.mark.parametrize(
    ("draw", "match"),
    [
        (lambda: plots.estimates(pd.DataFrame({"model": ["a"]})), "lacks column 'estimate'"),
        (lambda: plots.forest(pd.DataFrame({"estimate": [1.0]})), "lacks column 'contrast'"),
        (lambda: plots.rank_intervals(rows()), "lacks column 'rank_low'"),
        (lambda: plots.letters(rows()), "lacks column 'letters'"),
        (lambda: plots.margin_curve(rows()), "lacks column 'margin'"),
        (lambda: plots.power_curve(pd.DataFrame({"n": [1]})), "lacks column 'estimate'"),
        (lambda: plots.score_agreement(rows()), "lacks column 'score'"),
    ],
)
def test_missing_columns_are_named(draw: Callable[[], Axes], match: str) -> None:
    with pytest.raises(DataError, match=match):
        draw()


def test_sensitivity_needs_one_decision_each() -> None:
    frame = pd.DataFrame(
        {"model": ["a", "a"], "analysis": ["t", "t"], "decision": ["equivalent", "different"]}
    )
    with pytest.raises(InputError, match="several rows of one model and analysis"):
        plots.sensitivity(frame)


def every_result() -> dict[str, Any]:
    """Every kind of result, with those that other tests leave to themselves."""
    from tests.reporting.kinds import every_kind

    study = apa.simulate(n_subject=5, n_model=3, n_tied=2, rois=ROIS, rng=0)
    best = apa.select_layer(study.scores, on="train")
    return every_kind() | {
        "check": apa.check(study.scores),
        "patterns": apa.alignment_patterns(study.scores),
        "ceiling": apa.noise_ceiling(study.scores),
        "means": apa.bootstrap("score ~ model | roi", best),
        "tests": apa.equivalence("score ~ model | roi", best, bounds=0.05, reference="best"),
    }


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return every_result()


def test_results_with_several_figures() -> None:
    study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rois=["V1", "V4", "MT"], rng=1)
    best = apa.select_layer(study.scores, on="train")
    patterns = apa.alignment_patterns(study.scores)
    agreement = apa.selected_rows(apa.pattern_agreement(patterns), best)
    ties = apa.equivalence_set("score ~ model | roi", best)
    strict = apa.strict_alignment(best, agreement, score_bounds=0.05, agreement_bounds=0.1)
    drawn = {
        (r.kind, kind): r.plot(ax=new_figure(6, 4).add_subplot(), kind=kind, **options)
        for r, kind, options in (
            (patterns, "matrix", {}),
            (patterns, "lines", {"roi": "V4"}),
            (ties, "rows", {}),
            (ties, "ranking", {"roi": "MT"}),
            (ties, "matrix", {}),
            (strict, "decisions", {}),
            (strict, "score_agreement", {"roi": "V1"}),
        )
    }
    # lines: each model at the layer best in the region on the train split, mean over people
    lines = drawn["alignment_patterns", "lines"].get_lines()
    f = study.scores.frame
    of = f[(f["kind"] == "model") & (f["model"] == "model_02")]
    train = of[(of["split"] == "train") & (of["roi"] == "V4")].groupby("layer")["score"].mean()
    rows = of[(of["split"] == "test") & (of["layer"] == train.idxmax())]
    wanted = rows.groupby("roi", sort=False)["score"].mean().to_numpy()
    assert any(
        len(line.get_ydata()) == 3 and np.allclose(line.get_ydata(), wanted) for line in lines
    )
    # ranking: from the best to the worst of the region
    order = ties.table[ties.table["roi"] == "MT"].sort_values("mean", ascending=False)["model"]
    names = [t.get_text() for t in drawn["equivalence_set", "ranking"].get_yticklabels()]
    assert [n.split(". ")[1].replace(" ", "_") for n in names] == list(order)
    # the matrix marks the set
    bold = [
        t.get_text() for t in drawn["equivalence_set", "matrix"].texts if t.get_weight() == "bold"
    ]
    assert len(bold) == ties.table["in_set"].sum()
    points = drawn["strict_alignment", "score_agreement"].collections[0].get_offsets()
    of_v1 = strict.table[strict.table["roi"] == "V1"]
    np.testing.assert_allclose(points, of_v1[["estimate_score", "estimate_agreement"]])
    with pytest.raises(InputError, match="kind: got 'bars'; allowed: one of"):
        ties.plot(kind="bars")
    with pytest.raises(InputError, match="roi: got 'V9'"):
        patterns.plot(kind="lines", roi="V9")
    with pytest.raises(InputError, match="plot: got 'kind'"):
        apa.compare("score ~ model | roi", best).plot(kind="rows")


def test_every_result_has_a_plot_and_says_what_it_takes(results: dict[str, Any]) -> None:
    from matplotlib import rc_context

    from apastats.plots.choice import OPTIONS, plot_of
    from apastats.results import Result

    for name, result in results.items():
        assert isinstance(result.plot(), Axes), name
        options = plot_of(result).options
        assert set(options) <= set(OPTIONS), name
        assert all(f"{o} :" in Result.plot.__doc__ for o in options)
        with pytest.raises(
            InputError, match=f"plot: got 'hue'; allowed: options of a {result.kind}"
        ):
            result.plot(hue="model")
        with rc_context(
            {"font.size": 6, "xtick.labelsize": 5, "ytick.labelsize": 5, "axes.labelsize": 6}
        ):
            ax = new_figure(6, 9).add_subplot()
            assert result.plot(ax=ax, title="t") is ax, name
            texts = [
                *ax.texts,
                ax.xaxis.label,
                ax.yaxis.label,
                *ax.get_yticklabels(),
                *ax.get_xticklabels(),
            ]
            sizes = {t.get_fontsize() for t in texts if t.get_text()}
            assert not sizes or max(sizes) <= 6, (name, sizes)


def test_rows_are_named_once(results: dict[str, Any]) -> None:
    """No row repeats the name of another without the cell it stands in."""
    for name in (
        "emmeans",
        "contrasts",
        "tested contrasts",
        "agreement bootstrap",
        "reliability",
        "means",
        "tests",
    ):
        ax = results[name].plot()
        rows = [t.get_text() for t in ax.get_yticklabels()] or [t.get_text() for t in ax.texts]
        assert len(set(rows)) == len(rows) > 1, name
    assert any("early" in t.get_text() for t in results["emmeans"].plot().get_yticklabels())


def test_order_labels_colors_interval_and_ceilings(results: dict[str, Any]) -> None:
    means, tests = results["means"], results["tests"]
    models = list(means.table["model"].unique())
    ax = means.plot(
        where={"roi": "V1"}, order=models[::-1][:2], labels={models[-1]: "Mine"}, colors={models[-1]: "#ff0000"},
        ceilings=results["ceiling"],
    )  # fmt: skip
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Mine", models[-2]]
    shade = {to_hex(c) for group in ax.collections for c in np.atleast_2d(group.get_edgecolor())}
    assert "#ff0000" in shade | {
        to_hex(c) for g in ax.collections for c in np.atleast_2d(g.get_facecolor())
    }
    line = means_ceiling(results, "V1")
    assert any(np.allclose(one.get_xdata(), line) for one in ax.lines)
    with pytest.raises(InputError, match="order: got 'nobody'; allowed: one of "):
        means.plot(order=["nobody"])
    with pytest.raises(InputError, match="interval: got 'wide'; allowed: one of"):
        tests.plot(interval="wide")
    with pytest.raises(InputError, match="ceilings: got 'EquivalenceResult'|ceilings: got"):
        means.plot(ceilings=tests)
    for interval, tail in (("single", ""), ("deciding", "_joint_margin"), ("joint", "_joint")):
        ends = tests.table[[f"conf_low{tail}", f"conf_high{tail}"]].to_numpy("f8")
        drawn = [
            p
            for c in tests.plot(interval=interval).collections
            for p in getattr(c, "get_segments", list)()
        ]
        found = np.array(sorted([d[:, 0].tolist() for d in drawn]))
        finite = ends[np.isfinite(ends).all(axis=1)]
        assert len(found) == len(ends)
        for low, high in finite:
            assert np.isclose(found, [low, high]).all(axis=1).any()


def means_ceiling(results: dict[str, Any], roi: str) -> float:
    table = results["ceiling"].table
    return float(table.loc[table["roi"] == roi, "estimate"].iloc[0])


def test_a_set_is_drawn_as_differences_with_its_margin(results: dict[str, Any]) -> None:
    found = results["set with margin"]
    ax = found.plot(where={"roi": "V1"})
    table = found.table[found.table["roi"] == "V1"]
    assert ax.get_xlabel() == "score: model minus the best other model (RSA)"
    points = np.concatenate(
        [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets())]
    )
    assert set(np.round(table["estimate"], 12)) <= set(np.round(points[:, 0], 12))
    low = table["bound_low"].iloc[0]
    assert any(np.isclose(p.get_x(), low) for p in ax.patches)
    assert max(abs(v) for v in ax.get_xlim()) < 2 * np.nanmax(
        np.abs(table[["conf_low", "conf_high", "bound_low"]])
    )


def test_open_ends_are_arrows() -> None:
    frame = rows().assign(conf_high=[np.inf, 0.3, 0.6], conf_low=[0.2, -np.inf, 0.4])
    ax = plots.forest(frame, rows="model")
    assert np.isfinite(ax.get_xlim()).all()
    offsets = [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets()) == 1]
    beyond = [o[0, 0] for o in offsets]
    assert max(beyond) > 0.6
    assert min(beyond) < 0.1


def test_units_and_metric_on_every_axis(results: dict[str, Any]) -> None:
    for name, words in (
        ("means", "mean score (RSA)"),
        ("ceiling", "noise ceiling (RSA)"),
        ("tests", "difference in score (RSA)"),
        ("emmeans", "marginal mean (of agreement (Fisher z))"),
        ("margins", "margin (in score) (RSA)"),
    ):
        assert words in results[name].plot().get_xlabel(), (name, results[name].plot().get_xlabel())
