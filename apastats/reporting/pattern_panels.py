"""Figures of alignment patterns: the brain's own, those of models against its band, agreement, identification."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from apastats import plots
from apastats.plots.matrix import matrix_sheet
from apastats.plots.panel import Panel
from apastats.plots.sheet import sheet
from apastats.plots.style import INK, metric_words, with_metric
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.markup import name
from apastats.reporting.panels import split_metrics
from apastats.words import Info

__all__ = [
    "agreement_figures",
    "brain_pattern_figures",
    "identification_figures",
    "pattern_figures",
    "score_agreement_figures",
]

WRONG = "#d55e00"


def brain_pattern_figures(table: Any, context: Any) -> list[Block]:
    """ROI-by-ROI pattern of the brain: each predictor ROI against each target ROI, mean over subjects."""
    frame = table.frame
    out: list[Block] = []
    for kind in ("leave_one_out", "subject_to_subject"):
        brain = frame[frame["kind"] == kind]
        if brain.empty or brain["layer"].nunique() < 2:
            continue
        for label, where in split_metrics(brain):
            part = brain.iloc[where]
            rois = list(dict.fromkeys(part["roi"].unique()))
            layers = dict.fromkeys(part["layer"].unique())
            rows = [r for r in rois if r in layers] + [r for r in layers if r not in rois]
            mean = part.groupby(["layer", "roi"], sort=False)[table.outcomes[0]].mean().unstack()
            matrix = mean.reindex(index=rows, columns=rois)

            axis = with_metric("mean score", Info(), part)

            def make(matrix: pd.DataFrame = matrix, axis: str = axis) -> Any:
                return matrix_sheet(matrix, outcome=axis, x="target ROI", y="predictor ROI")

            tail = f", {name(label)}" if label else ""
            words = (
                "the mean of the other subjects" if kind == "leave_one_out" else "one other subject"
            )
            out.append(
                FigureBlock(
                    context.slug(f"figure-brain-{kind}-{label}"),
                    f"Alignment patterns of the brain{tail}: each ROI of {words} (rows) predicts each ROI of a subject "
                    "(columns); mean score over subjects.",
                    f"Heatmap of brain-to-brain scores, {len(rows)} predictor ROIs by {len(rois)} target ROIs.",
                    make,
                    matrix.reset_index(),
                    matrix.size,
                )
            )
        break
    return out


def agreement_figures(table: Any, context: Any) -> list[Block]:
    """Agreement of each model in each ROI as a heatmap, the brain on top (mean over subjects)."""
    frame = table.frame
    model_rows = frame[(frame["kind"] == "model") & (frame["model"] != "brain")]
    rois = list(dict.fromkeys(frame["roi"]))
    out: list[Block] = []
    brain = frame[(frame["kind"] != "model") | (frame["model"] == "brain")]
    parts = [brain.assign(model="brain"), model_rows]
    both = pd.concat([p for p in parts if len(p)], ignore_index=True)
    if both.empty:
        return []
    for label, where in split_metrics(both):
        part = both.iloc[where]
        mean = (
            part.groupby(["model", "roi"], sort=False)["agreement"]
            .mean()
            .unstack()
            .reindex(columns=rois)
        )
        order = mean.median(axis=1).sort_values(ascending=False, kind="stable").index.tolist()
        order = [m for m in order if m == "brain"] + [m for m in order if m != "brain"]
        mean = mean.reindex(order)

        def make(matrix: pd.DataFrame = mean) -> Any:
            return matrix_sheet(matrix, outcome="agreement", x="ROI")

        tail = f", {name(label)}" if label else ""
        out.append(
            FigureBlock(
                context.slug(f"figure-agreement-{label}"),
                f"Pattern agreement with the brain{tail}, mean over subjects, by model and ROI.",
                f"Heatmap of pattern agreement, {len(order)} predictors by {len(rois)} ROIs.",
                make,
                mean.reset_index(),
                mean.size,
            )
        )
    return out


def pattern_figures(result: Any, context: Any) -> list[Block]:
    """Pattern of each model at the layer chosen for an ROI, over all ROIs, against the range of the brain."""
    arrays = result.arrays
    if "leave_one_out" not in arrays or "model" not in arrays:
        return []
    chosen = _chosen_layers(context)
    if not chosen:
        return []
    rois = [str(r) for r in arrays["rois"]]
    models = list(dict.fromkeys(str(m) for m in arrays["models"]))
    place = {
        (str(m), str(la)): i
        for i, (m, la) in enumerate(zip(arrays["models"], arrays["layers"], strict=True))
    }
    out: list[Block] = []
    for c, (metric, split) in enumerate(
        zip(map(str, arrays["metrics"]), map(str, arrays["splits"]), strict=True)
    ):
        if split not in ("test", "-") and "test" in map(str, arrays["splits"]):
            continue
        brain = np.asarray(arrays["leave_one_out"])[c]
        model = np.asarray(arrays["model"])[c]
        if brain.shape[1] != len(rois) or not np.isfinite(brain).any():
            continue
        rows = []
        for r, roi in enumerate(rois):
            with np.errstate(invalid="ignore"):
                values = brain[:, r, :]
                rows += [
                    {
                        "target": roi,
                        "model": "brain",
                        "roi": rois[k],
                        "estimate": v.mean(),
                        "conf_low": v.min(),
                        "conf_high": v.max(),
                    }
                    for k, v in enumerate(values.T)
                ]
            for m in models:
                layer = chosen.get((m, roi, metric))
                if layer is not None and (m, layer) in place:
                    pattern = np.asarray(model[:, place[m, layer], :]).mean(axis=0)
                    rows += [
                        {"target": roi, "model": m, "roi": rois[k], "estimate": v}
                        for k, v in enumerate(pattern)
                    ]
        frame = pd.DataFrame(rows)
        if (frame["model"] != "brain").any():
            many = len({str(m) for m in arrays["metrics"]}) > 1
            out.append(_pattern_grid(frame, rois, metric if many else "", context))
    return out


def _chosen_layers(context: Any) -> dict[tuple[str, str, str], str]:
    """Layer chosen for each model and ROI (that of most subjects), from the table of chosen layers."""
    for item in context.items:
        frame = getattr(item, "frame", None)
        if frame is None or "score" not in getattr(item, "outcomes", ()):
            continue
        part = frame[frame["kind"] == "model"]
        if part.empty or part.duplicated(["model", "subject", "roi", "metric"]).any():
            continue
        counts = (
            part.groupby(["model", "roi", "metric", "layer"], sort=False)
            .size()
            .reset_index(name="n")
        )
        best = counts.loc[counts.groupby(["model", "roi", "metric"], sort=False)["n"].idxmax()]
        return {(r.model, r.roi, r.metric): r.layer for r in best.itertuples()}
    return {}


def _pattern_grid(frame: pd.DataFrame, rois: list[str], label: str, context: Any) -> FigureBlock:
    models = [m for m in dict.fromkeys(frame["model"]) if m != "brain"]

    kept: list[Panel] = []

    def make() -> Any:
        def draw(ax: Any, i: int) -> None:
            part = frame[frame["target"] == rois[i]]
            plots.pattern_lines(
                part[part["model"] != "brain"],
                ax=ax,
                rois=rois,
                band=part[part["model"] == "brain"],
                colors=context.colors,
                outcome=f"score ({metric_words(label)})" if label else "score",
                title=plots.label(rois[i]),
            )

        return sheet(len(rois), draw, panel_width=2.4 if len(rois) <= 8 else 3.2, kept=kept)

    tail = f", {name(metric_words(label))}" if label else ""
    return FigureBlock(
        context.slug(f"figure-pattern-lines-{label}"),
        f"Alignment patterns over the ROIs{tail}, a panel per ROI the pattern stands for: black is the mean pattern "
        "of the brain (all other subjects predict one) with the range of the subjects, lines are models at the "
        "layer chosen for that ROI (mean over subjects). Brain and models differ in level; agreement "
        "compares their shape.",
        f"Lines of scores over {len(rois)} ROIs for the brain and {len(models)} models, one panel per ROI.",
        make,
        frame,
        len(frame),
    )


def score_agreement_figures(context: Any) -> list[Block]:
    """Mean score against mean agreement of each model, a panel per ROI; ringed where both criteria hold."""
    from apastats.reporting.phrases import outcome_of

    found = {
        outcome_of(r): r
        for r in context.items
        if getattr(r, "kind", "") == "bootstrap" and "roi" in r.table.columns
    }
    if not {"score", "agreement"} <= set(found):
        return []
    keys = [
        k
        for k in ("model", "roi", "metric")
        if all(k in found[o].table.columns for o in ("score", "agreement"))
    ]
    if keys[:2] != ["model", "roi"]:
        return []
    agreement = found["agreement"].table
    both = found["score"].table[[*keys, "estimate"]].rename(columns={"estimate": "score"})
    both = both.merge(
        agreement[[*keys, "estimate"]].rename(columns={"estimate": "agreement"}), on=keys
    )
    if both.empty:
        return []
    strict = _strict(context, keys)
    both["strict"] = [tuple(r) in strict for r in both[keys].itertuples(index=False, name=None)]
    brain = agreement[agreement["model"].astype(str) == "brain"]
    out: list[Block] = []
    for label, where in split_metrics(both):
        out.append(
            _scatter_grid(
                both.iloc[where].reset_index(drop=True), brain, label, bool(strict), context
            )
        )
    return out


def _strict(context: Any, keys: list[str]) -> set[tuple[Any, ...]]:
    """Cells of models inside the margin of the best on score and on agreement, where both were tested."""
    from apastats.reporting.phrases import outcome_of

    inside = ("equivalent", "different but inside the margin")
    sets: dict[str, set[tuple[Any, ...]]] = {}
    for r in context.items:
        table = getattr(r, "table", None)
        if (
            table is None
            or getattr(r, "kind", "") != "equivalence"
            or not {*keys, "reference", "decision"} <= set(table)
        ):
            continue
        if (
            not table.groupby([k for k in keys if k != "model"], sort=False)["reference"]
            .nunique()
            .eq(1)
            .all()
        ):
            continue
        kept = table[table["decision"].isin(inside)]
        references = table.drop_duplicates([k for k in keys if k != "model"]).assign(
            model=lambda t: t["reference"]
        )
        rows = pd.concat([kept, references])[keys]
        sets[outcome_of(r)] = set(rows.itertuples(index=False, name=None))
    return sets["score"] & sets["agreement"] if {"score", "agreement"} <= set(sets) else set()


def _scatter_grid(
    both: pd.DataFrame, brain: pd.DataFrame, label: str, ringed: bool, context: Any
) -> FigureBlock:
    rois = list(dict.fromkeys(both["roi"]))

    models = [str(m) for m in dict.fromkeys(both["model"])]

    kept: list[Panel] = []

    def make() -> Any:
        def draw(ax: Any, i: int) -> None:
            part = both[both["roi"] == rois[i]]
            line = brain.loc[brain["roi"] == rois[i], "estimate"]
            plots.score_agreement(
                part,
                ax=ax,
                colors=context.colors,
                strict=list(part.loc[part["strict"], "model"]),
                brain=float(line.iloc[0]) if len(line) else None,
                names=False,
                x=with_metric("score", Info(), both),
                y="agreement (Fisher z)",
                title=plots.label(rois[i]),
            )
            if len(models) <= 10:  # what the colours mean
                for m in models:
                    color = context.colors.get(m, "black")
                    ax.scatter([math.nan], [math.nan], color=color, label=plots.label(m))

        return sheet(len(rois), draw, panel_width=1.8, kept=kept)

    tail = f", {name(label)}" if label else ""
    ring = " Ringed models are inside the margin of the best on both." if ringed else ""
    line = " The line is the brain's own agreement." if len(brain) else ""
    return FigureBlock(
        context.slug(f"figure-score-agreement-{label}"),
        f"Mean score against mean pattern agreement (Fisher z){tail}, one point per model.{line}{ring}",
        f"Scatter plots of score against agreement in {len(rois)} ROIs, one point per model.",
        make,
        both,
        len(both) * 4,
    )


def identification_figures(result: Any, context: Any) -> list[Block]:
    """Confusion of ROIs, a matrix for the brain and, where there are few, for each model."""
    arrays = result.arrays
    if not {"confusion", "models", "rois"} <= set(arrays):
        return []
    rois = [str(r) for r in arrays["rois"]]
    names = [str(m) for m in arrays["models"]]
    out: list[Block] = []
    shown = [i for i, m in enumerate(names) if m == "brain"] or [0]
    if len(names) <= 4:
        shown = list(range(len(names)))
    for i in shown:
        matrix = pd.DataFrame(np.asarray(arrays["confusion"])[i], index=rois, columns=rois)

        def make(matrix: pd.DataFrame = matrix) -> Any:
            best = [
                (i, int(np.nanargmax(row)))
                for i, row in enumerate(matrix.to_numpy("f8"))
                if np.isfinite(row).any()
            ]
            frames = [(i, j, INK if i == j else WRONG) for i, j in best]
            return matrix_sheet(
                matrix, outcome="share of subjects", x="ROI of the others", y="ROI of the subject",
                numbers=False, framed=frames,
            )  # fmt: skip

        out.append(
            FigureBlock(
                context.slug(f"figure-identification-{names[i]}"),
                f"ROI identification, {name(names[i])}: share of subjects in which the pattern of an ROI (row) is "
                "taken for that of another (column). The most frequent answer of a row is framed, orange where wrong.",
                f"Matrix of {len(rois)} by {len(rois)} ROIs; the diagonal is right.",
                make,
                matrix.reset_index(names="roi"),
                matrix.size,
            )
        )
    return out
