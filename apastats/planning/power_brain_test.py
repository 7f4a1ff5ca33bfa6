"""Power of the brain test, and how many people would answer its questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats.arguments import MOST, choice, instance, level, number, numbers
from apastats.errors import InputError
from apastats.numbers.noncentral import noncentral_t_cdf, tost_power
from apastats.patterns.brain_test import BrainTest
from apastats.planning.power import PowerResult
from apastats.recording import verb
from apastats.results import Provenance
from apastats.words import Held, Info

GOOD, BEYOND = "as good as a person", "below the spread of people"
LABELS = ("model", "layer", "metric", "split", "direction", "outcome", "roi")
FEWEST, UNBOUNDED = 4, 100_000


@verb
def power_brain_test(
    result: BrainTest,
    *,
    n: Any = None,
    power: float = 0.8,
    difference: float | str = "estimate",
    adjusted: bool = True,
) -> PowerResult:
    """Power of both questions of :func:`brain_test` at other numbers of people, or the people needed.

    Parameters
    ----------
    result : BrainTest
        A finished (pilot) test.
    n : int or list of int, optional
        Numbers of people; without, the number needed is sought.
    power : float
        Wanted probability, where n is sought.
    difference : {"estimate", "zero"} or float
        True mean of the model less that of a person: as observed, 0, or a number.
    adjusted : bool
        Whether levels are divided by the size of the family (models and regions; regions), as Bonferroni would.

    Returns
    -------
    PowerResult
        Two rows per row of the test (one where the second question cannot be asked), ``question``: that the model is
        shown to be as good as a person (non-inferiority), and that it is found beyond the spread of people (below).
        ``n, difference, alpha, power``; ``estimate`` is the power, or the people needed: infinite where no number would
        do, because the model is worse by the margin or more, or lies within the spread of people.

        Columns: ``model`` (model, or what is compared), ``layer`` (layer of the model), ``metric`` (measure
        of the scores), ``split`` (part of the stimuli), ``direction`` (direction of the prediction),
        ``outcome`` (what is compared: score, agreement, ...), ``roi`` (region), ``question`` (question),
        ``difference`` (difference), ``alpha`` (level of the test), ``power`` (power), ``estimate`` (what is
        estimated, from the data themselves).

    Raises
    ------
    InputError
        If an argument is not allowed.

    See Also
    --------
    brain_test, power_study

    Notes
    -----
    First question: noncentral t with the jackknife's standard error, which falls as ``1 / sqrt(n)``. Second: a model
    of fixed mean lies ``d`` from people; its estimate has the variance ``W = s_b^2 / n + c s_e^2`` (see
    :mod:`apastats.numbers.one_more_person`), the spread for one more person ``V = s_b^2 + W``, so that
    ``P(t < -t_alpha)`` is that of a noncentral t with noncentrality ``d / sqrt(W)`` below ``-t_alpha sqrt(V / W)``.
    With many people only models more than 1.64 SDs of people below the mean are found beyond. The whole profile has no
    closed form; for ``over="all"`` the second question is that of the mean over regions. Variances are those of the
    pilot and are uncertain: with ten people an SD may be off by a factor of 1.8.

    References
    ----------
    .. [1] Feather, J., Khosla, M., Murty, N. A. R., & Nayebi, A. (2025). Brain-model evaluations need the
       NeuroAI Turing Test. arXiv:2502.16238.
    .. [2] Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of
       Pharmacokinetics and Biopharmaceutics, 18(2), 137–144. https://doi.org/10.1007/BF01063556

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=3, n_layer=1, rois=["V1", "V4", "IT"], rng=1)
    >>> found = apa.brain_test(study.scores.where(split="test"), margin=0.1, over="all")
    >>> needed = apa.power_brain_test(found, difference="zero").table
    >>> bool((needed.loc[needed["question"] == "as good as a person", "estimate"] < 8).all())
    True
    """
    instance("result", result, BrainTest)
    power = level("power", power)
    if isinstance(difference, str):
        choice("difference", difference, ("estimate", "zero"))
    else:
        number("difference", difference)
    sizes = None if n is None else numbers("n", n, least=FEWEST, most=MOST)
    if sizes is not None and any(v % 1 for v in sizes):
        raise InputError("n", n, "whole numbers")
    table = result.table
    d = table["estimate"].to_numpy("f8")
    if difference != "estimate":
        d = np.full(len(d), 0.0 if isinstance(difference, str) else float(difference))
    alpha = float(result.info.alpha or 0.05)
    asked = {GOOD: _good(result, d, alpha / _family(result, adjusted))}
    if not result.info["people_pooled"]:
        regions = table["roi"].nunique() if adjusted and "roi" in table.columns else 1
        asked[BEYOND] = _beyond(result, d, alpha / regions)
    labels = table[[c for c in LABELS if c in table.columns]]
    frames = []
    for question, (reached, each) in asked.items():
        found = labels.assign(question=question, difference=d, alpha=each)
        if sizes is None:
            frames.append(found.assign(power=power, estimate=_needed(reached, len(d), power)))
        else:
            frames += [found.assign(n=int(v), estimate=reached(np.full(len(d), v))) for v in sizes]
    info = Info(
        estimand="power" if sizes else "number of people",
        method="power of the brain test by the noncentral t at the variances of the test",
        alpha=alpha,
        margin=result.info.margin,
        hypothesis="noninferiority; one more person",
        adjust="bonferroni" if adjusted else "none",
        family="the rows of the first question, the regions of the second" if adjusted else "",
        held_fixed=(Held("variances of the pilot"),),
        not_concluded="numbers from estimated variances are rough",
        extra={
            "difference": "observed one" if difference == "estimate" else f"{d[0]:g}, as assumed"
        },
    )
    out = pd.concat(frames, ignore_index=True)
    return PowerResult(out, info, Provenance(data_hash=result.provenance.data_hash))


Reached = Callable[[np.ndarray], np.ndarray]


def _family(result: BrainTest, adjusted: bool) -> int:
    """Rows of the first question that were adjusted together."""
    if not adjusted:
        return 1
    cell = ["metric", "split", "direction", "outcome"]
    return int(result.table.groupby(cell).size().max())


def _good(result: BrainTest, d: np.ndarray, alpha: float) -> tuple[Reached, float]:
    error = result.table["std_error"].to_numpy("f8") * np.sqrt(
        result.table["n_subject"].to_numpy("f8")
    )
    low = result.table["bound_low"].to_numpy("f8")

    def reached(n: np.ndarray) -> np.ndarray:
        return tost_power(error / np.sqrt(n), n - 1.0, d, low, np.inf, alpha, "noninferiority")

    return reached, alpha


def _beyond(result: BrainTest, d: np.ndarray, alpha: float) -> tuple[Reached, float]:
    between, pair = result.arrays["between"], result.arrays["pair"]
    both = 2.0 if result.info["symmetric"] else 1.0

    def reached(n: np.ndarray) -> np.ndarray:
        w = between / n + pair * (1 / n + both / (n * (n - 1.0)))
        with np.errstate(invalid="ignore", divide="ignore"):
            limit = -stdtrit(n - 1.0, 1 - alpha) * np.sqrt((between + w) / w)
            return noncentral_t_cdf(limit, n - 1.0, d / np.sqrt(w))

    return reached, alpha


def _needed(reached: Reached, size: int, power: float) -> np.ndarray:
    """Smallest number of people per row with the wanted power, by bisection."""
    first, last = np.full(size, FEWEST - 1), np.full(size, UNBOUNDED)
    most = reached(last.astype(float))
    known, never = np.isfinite(most), ~(most >= power)
    while (last - first > 1).any():
        middle = (first + last) // 2
        yes = reached(np.maximum(middle, FEWEST).astype(float)) >= power
        last, first = np.where(yes, middle, last), np.where(yes, first, middle)
    out = np.where(never, np.inf, np.maximum(last, FEWEST).astype(float))
    return np.where(known, out, np.nan)
