"""`power_study`: power of a whole study (models, ROIs, subjects, adjustment) by simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, number, numbers, whole
from apastats.comparing.margin import as_margin
from apastats.errors import SmallSampleWarning, warn
from apastats.numbers.adjust_p import adjust_p, check_adjust
from apastats.numbers.best import confidence_set, moments, with_the_best
from apastats.planning.power import PowerResult
from apastats.recording import verb
from apastats.resampling.parallel import run_tasks
from apastats.results import Provenance
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.words import Drawn, Held, Info

__all__ = ["power_study"]

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
_SHAPE = 4 / 1.75**2  # a gamma distribution of skewness 1.75
DEVIATIONS: Mapping[str, Draw] = MappingProxyType(
    {
        "normal": lambda g, shape: g.standard_normal(shape),
        "skewed": lambda g, shape: (g.standard_gamma(_SHAPE, shape) - _SHAPE) / np.sqrt(_SHAPE),
        "heavy": lambda g, shape: g.standard_t(3, shape) / np.sqrt(3.0),
    }
)
_WORDS = MappingProxyType({"normal": "normal", "skewed": "skewed", "heavy": "heavy-tailed"})
# with fewer, power is off by more than 1.5 points where deviations are heavy-tailed or skewed
FEW = 50
_BLOCK = 250  # studies of a task


@verb
def power_study(
    *,
    n: Any,
    bounds: Any,
    n_model: int = 10,
    n_tied: int = 3,
    n_roi: int = 1,
    gap: float = 0.1,
    mean: float = 0.3,
    model_subject_sd: float = 0.03,
    roi_correlation: float = 0.0,
    model_correlation: float = 0.0,
    deviations: str = "normal",
    adjust: str = "holm",
    alpha: float = 0.05,
    n_replicate: int = 500,
    rng: RngLike = None,
) -> PowerResult:
    """Simulate whole studies and count what they would show.

    Parameters
    ----------
    n : int or list of int
        Subjects.
    bounds : float or (float, float)
        The margin, in score units; there is no default.
    n_model, n_tied, n_roi : int
        Models, those tied for best, and ROIs.
    gap : float
        Share by which all other models fall short of the best.
    mean : float
        Score of the best.
    model_subject_sd : float
        SD of the model-by-subject deviation, as a share of ``mean``. Subject effects shared by all models cancel in
        every comparison and are left out.
    roi_correlation, model_correlation : float
        Correlation of these deviations between ROIs, and between models that are not the same.
    deviations : {"normal", "skewed", "heavy"}
        Their distribution: normal, gamma of skewness 1.75, or t with 3 degrees of freedom, all with the same SD; with
        correlations that of each independent part.
    adjust : str
        Adjustment over all pairs and ROIs, see :func:`apastats.adjust_p`.
    alpha : float
        Level.
    n_replicate : int
        Simulated studies.
    rng : int, Generator, SeedSequence or None
        Source of randomness.

    Returns
    -------
    PowerResult
        Per n and ``term``: ``tied_pairs_equivalent`` (share of truly tied pairs shown equivalent),
        ``any_false_equivalence`` (studies with a claim for a pair beyond the margin; NaN if there is none),
        ``worse_pairs_different`` (share of tied against worse pairs shown different), ``mcb_keeps_tied``,
        ``mcs_keeps_all_tied`` (per ROI), ``mcs_keeps_worse``; with ``mcse``.

        Columns: ``n`` (number of units), ``term`` (what the row is of), ``estimate`` (what is estimated, from
        the data themselves), ``mcse`` (Monte-Carlo standard error), ``n_replicate`` (simulated studies or
        replicates), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If a size, a share or a correlation is impossible.

    Warns
    -----
    SmallSampleWarning
        Fewer than 50 subjects and normal deviations. Where deviations are heavy-tailed, the share of tied pairs shown
        is with 5 subjects up to 20 points higher (power of a half or less) and 3 lower (power of .9 and more), with 10
        subjects 15 and 3, with 40 subjects 8 and 2; where they are skewed, 10 and 4, 6 and 2, 3 and 2.

    See Also
    --------
    subjects_needed, power_tost, calibrate

    Notes
    -----
    An SD is no description of few subjects: of heavy-tailed deviations most samples hold none of the rare large ones,
    and their SD is below the true one more often than a normal sample's. Where the margin is narrow these studies
    show more than normal ones do, and where it is wide the few with a large deviation show less.

    References
    ----------
    .. [1] Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of
       Pharmacokinetics and Biopharmaceutics, 18(2), 137–144. https://doi.org/10.1007/BF01063556

    Examples
    --------
    >>> found = power_study(n=[8, 16], bounds=0.01, n_model=4, n_tied=2, n_replicate=100, rng=1)
    >>> power = found.tidy().query("term == 'tied_pairs_equivalent'")["estimate"].to_list()
    >>> power[0] < power[1]
    True
    """
    adjust, margin = check_adjust(adjust), as_margin(bounds)
    sizes = [int(v) for v in numbers("n", n, least=3, most=10_000)]
    whole("n_model", n_model, least=2, most=1000)
    whole("n_tied", n_tied, least=1, most=n_model)
    whole("n_roi", n_roi, least=1, most=1000)
    whole("n_replicate", n_replicate, least=10, most=10**6)
    number("roi_correlation", roi_correlation, least=0, below=1)
    number("model_correlation", model_correlation, least=0, below=1)
    number("gap", gap, least=0, below=1)
    number("mean", mean, above=0)
    number("model_subject_sd", model_subject_sd, above=0)
    choice("deviations", deviations, tuple(DEVIATIONS))
    few = [size for size in sizes if size < FEW]
    if few and deviations == "normal":
        text = (
            f"power_study: with {', '.join(map(str, few))} subjects the power is that of normal deviations; where they "
            "are heavy-tailed or skewed a high power is lower by up to 4 points and a low one higher by up to 20; in "
            "Python: deviations='heavy' or 'skewed'"
        )
        warn(text, SmallSampleWarning)
    root = seed_sequence(rng)
    truth = mean * np.r_[np.ones(n_tied), np.full(n_model - n_tied, 1 - gap)]
    a, b = np.triu_indices(n_model, 1)
    true = truth[a] - truth[b]
    rows: list[dict[str, Any]] = []
    shape = (n_model, n_roi, roi_correlation, model_correlation)
    judged = (truth, (a, b, true), (margin.low, margin.high), adjust, alpha, n_tied)
    blocks = range(0, n_replicate, _BLOCK)
    tasks = [
        (
            root,
            deviations,
            mean * model_subject_sd,
            i,
            size,
            shape,
            judged,
            (start, min(start + _BLOCK, n_replicate)),
        )
        for i, size in enumerate(sizes)
        for start in blocks
    ]
    parts = list(run_tasks(_studies, tasks, label="simulated studies"))
    for i, size in enumerate(sizes):
        mine = parts[i * len(blocks) : (i + 1) * len(blocks)]
        found = pd.DataFrame({term: np.concatenate([p[term] for p in mine]) for term in mine[0]})
        for term in found.columns:
            known = found[term].dropna()
            rows.append(
                {
                    "n": size,
                    "term": term,
                    "estimate": known.mean() if len(known) else np.nan,
                    "mcse": known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan,
                    "n_replicate": n_replicate,
                    "method": f"simulation, paired t, {adjust}",
                }
            )
    roi = "ROI" if n_roi == 1 else "ROIs"
    info = Info(
        estimand="share of simulated studies",
        adjust=adjust,
        extra={
            "assumed": [
                f"mean {mean:g}",
                f"SD of a model over subjects {model_subject_sd:g}",
                f"correlation of ROIs {roi_correlation:g}",
                f"correlation of models {model_correlation:g}",
            ]
        },
        method=f"simulated studies: {n_model} models ({n_tied} tied for best), {n_roi} {roi}; paired t, {adjust}",
        margin=margin.words(),
        alpha=alpha,
        resampled=Drawn(f"{n_replicate} simulated studies per n", studies=True),
        held_fixed=(
            Held("assumed means and spreads"),
            Held("assumed correlations"),
            Held(f"assumed {_WORDS[deviations]} deviations"),
        ),
    )
    return PowerResult(pd.DataFrame(rows), info, Provenance(seed=recorded_seed(root)))


def _noise(
    g: np.random.Generator,
    draw: Draw,
    n: int,
    k: int,
    cells: int,
    between_rois: float,
    between_models: float,
) -> np.ndarray:
    """Unit-variance deviations ``[n, k, cells]`` with the two correlations (product structure)."""
    z = draw(g, (n, k, cells))
    for axis, r in ((2, between_rois), (1, between_models)):
        shape = list(z.shape)
        shape[axis] = 1
        if r:
            # a shared part of its own draw keeps the other axis as it is
            shared = draw(g, tuple(shape))
            z = np.sqrt(1 - r) * z + np.sqrt(r) * shared
    return z


def _studies(
    root: np.random.SeedSequence,
    deviations: str,
    sd: float,
    i: int,
    size: int,
    shape: tuple[int, int, float, float],
    judged: tuple[Any, ...],
    studies: tuple[int, int],
) -> dict[str, np.ndarray]:
    """What each of some studies of one size shows, by term."""
    draw = DEVIATIONS[deviations]
    found = [
        _one_study(_noise(block_generator(root, i, r), draw, size, *shape) * sd, *judged)
        for r in range(*studies)
    ]
    return {term: np.array([f[term] for f in found]) for term in found[0]}


def _one_study(
    noise: np.ndarray,
    truth: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    bounds: tuple[float, float],
    adjust: str,
    alpha: float,
    n_tied: int,
) -> dict[str, float]:
    """What one study shows."""
    from apastats.numbers.student import one_sample

    a, b, true = pairs
    x = truth[:, None] + noise
    tested = one_sample(
        x[:, a] - x[:, b], np.asarray(bounds[0]), np.asarray(bounds[1]), alpha=alpha
    )
    equivalent = adjust_p(tested.p_equiv, adjust) <= alpha
    different = adjust_p(tested.p_value, adjust) <= alpha
    tied = (a < n_tied) & (b < n_tied)
    mixed = (a < n_tied) & (b >= n_tied)
    beyond = (true <= bounds[0]) | (true >= bounds[1])
    m = moments(np.moveaxis(x, 2, 0))
    best, joint = with_the_best(m, alpha).high > 0, confidence_set(m, alpha, p_values=False)[0]
    nothing = float("nan")
    return {
        "tied_pairs_equivalent": float(equivalent[tied].mean()) if tied.any() else nothing,
        "any_false_equivalence": float(equivalent[beyond].any()) if beyond.any() else nothing,
        "worse_pairs_different": float(different[mixed].mean()) if mixed.any() else nothing,
        "mcb_keeps_tied": float(best[:, :n_tied].mean()),
        "mcs_keeps_all_tied": float(joint[:, :n_tied].all(axis=1).mean()),
        "mcs_keeps_worse": float(joint[:, n_tied:].mean()) if n_tied < len(truth) else nothing,
    }
