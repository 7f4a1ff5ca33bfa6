"""Figures: every function takes Axes and returns Axes; ``draw`` picks the one that fits a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apastats.plots.checks import (
    cooks_distances,
    posterior,
    power_curve,
    qq,
    residuals,
    variance_components,
)
from apastats.plots.curves import against_null, layer_curves, margin_decisions, subjects_needed
from apastats.plots.decisions import identification, letters, margin_curve, sensitivity
from apastats.plots.grids import heatmap, pattern_lines, score_agreement
from apastats.plots.leaderboard import leaderboard
from apastats.plots.parts import stacked_parts
from apastats.plots.people import among_people
from apastats.plots.rows import ceilings, estimates, forest, rank_intervals
from apastats.plots.style import label, model_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "against_null",
    "among_people",
    "ceilings",
    "cooks_distances",
    "draw",
    "estimates",
    "forest",
    "heatmap",
    "identification",
    "label",
    "layer_curves",
    "leaderboard",
    "letters",
    "margin_curve",
    "margin_decisions",
    "model_colors",
    "pattern_lines",
    "posterior",
    "power_curve",
    "qq",
    "rank_intervals",
    "residuals",
    "score_agreement",
    "sensitivity",
    "stacked_parts",
    "subjects_needed",
    "variance_components",
]


def draw(result: Any, *, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw a result of any kind.

    Parameters
    ----------
    result : Result
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure where None.
    **options
        Passed to the plot of this kind of result.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If there is no plot for this kind.
    """
    from apastats.plots.choice import draw_result

    return draw_result(result, ax, options)
