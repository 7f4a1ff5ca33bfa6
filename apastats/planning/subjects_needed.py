"""How many subjects would decide what these data leave open."""

from __future__ import annotations

import numpy as np

from apastats.arguments import choice, level
from apastats.comparing.equivalence import EquivalenceResult
from apastats.comparing.margin_curve import contrast_columns, differences_of
from apastats.errors import SmallSampleWarning, warn
from apastats.numbers.moments import moments
from apastats.numbers.noncentral import tost_power
from apastats.planning.power import PowerResult
from apastats.recording import verb
from apastats.results import Provenance
from apastats.words import Held, Info

FEW = 30  # from fewer, power at the number named falls short by more than about 3 points on average
_UNBOUNDED = 100_000


@verb
def subjects_needed(
    result: EquivalenceResult,
    *,
    power: float = 0.8,
    difference: str = "estimate",
    alpha: float | None = None,
    adjusted: bool = True,
) -> PowerResult:
    """How many subjects would decide each contrast of a finished result.

    Parameters
    ----------
    result : EquivalenceResult
        From :func:`apastats.equivalence` with ``test="t"``.
    power : float
        Wanted probability of a decision.
    difference : {"estimate", "zero"}
        True difference that is assumed: the observed one, or 0 (the most hopeful case for equivalence).
    alpha : float, optional
        Level of each one-sided test; that of the result by default.
    adjusted : bool
        Whether the level is divided by the size of the family, as Bonferroni would.

    Returns
    -------
    PowerResult
        Per contrast ``n_equivalence`` (subjects with which equivalence would be shown with the wanted power; NaN:
        never, the assumed difference lies on or outside the bounds), ``n_difference`` (the same for a minimal
        effect, outside the bounds), ``estimate`` (the smaller of both), and ``n_subject``, what there was.

        Columns: ``roi`` (region), ``contrast`` (what is subtracted from what), ``model`` (model, or what is
        compared), ``reference`` (what is compared with), ``difference`` (difference), ``sd`` (standard
        deviation), ``bound_low`` (lower margin), ``bound_high`` (upper margin), ``n_subject`` (subjects),
        ``n_equivalence`` (subjects for equivalence), ``n_difference`` (subjects for a difference),
        ``estimate`` (what is estimated, from the data themselves), ``alpha`` (level of the test), ``power``
        (power), ``method`` (how the interval or test was made).

    Raises
    ------
    DataError
        If the result is not of a t test.
    InputError
        If an argument is not allowed.

    Warns
    -----
    SmallSampleWarning
        Fewer than 30 subjects: power at the number named falls short of what was asked, by 7 to 21 points on average
        with 8 to 10 subjects in simulations.

    See Also
    --------
    power_study, sample_size_tost, equivalence

    Notes
    -----
    Exact power of the t tests at the observed standard deviation of the differences, which is itself uncertain: with 10
    subjects its 95 % interval runs from 0.69 to 1.83 times the estimate, so the numbers needed vary by a factor of 7.

    References
    ----------
    .. [1] Phillips, K. F. (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of
       Pharmacokinetics and Biopharmaceutics, 18(2), 137–144. https://doi.org/10.1007/BF01063556

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> found = apa.equivalence("score ~ model | roi", scores, bounds=0.02, reference="model_01")
    >>> needed = apa.subjects_needed(found).tidy()
    >>> bool((needed["estimate"] >= 2).all())
    True
    """
    d = differences_of(result)
    power = level("power", power)
    few = int(np.isfinite(d).sum(axis=0).min(initial=FEW))
    if few < FEW:
        text = (
            f"subjects_needed: the standard deviations are of {few} subjects; at the numbers named the power is "
            f"{power:g} only if they are the true ones, and less on average"
        )
        warn(text, SmallSampleWarning)
    alpha = result.info["alpha"] if alpha is None else alpha
    choice("difference", difference, ("estimate", "zero"))
    size = int(result.info.family_size or 1) if adjusted else 1
    each = alpha / size
    table = result.table
    n = np.isfinite(d).sum(axis=0)
    sd = moments(d)[2]
    truth = table["estimate"].to_numpy() if difference == "estimate" else np.zeros(len(table))
    low, high = table["bound_low"].to_numpy(), table["bound_high"].to_numpy()
    inside = (truth > low) & (truth < high)
    outside = (truth < low) | (truth > high)
    equivalence = _needed(truth, sd, low, high, each, power, "equivalence", inside)
    effect = _needed(truth, sd, low, high, each, power, "minimal_effect", outside)
    out = table[contrast_columns(result)].assign(
        difference=truth,
        sd=sd,
        bound_low=low,
        bound_high=high,
        n_subject=n,
        n_equivalence=equivalence,
        n_difference=effect,
        estimate=np.fmin(equivalence, effect),
        alpha=each,
        power=power,
        method="exact power of t tests with bounds",
    )
    info = Info(
        method="exact power of t tests with bounds",
        alpha=each,
        estimand="number of subjects",
        hypothesis="equivalence",
        outcome=result.info.outcome,
        adjust="bonferroni" if adjusted else "none",
        family=f"{size} contrasts" if adjusted else "",
        family_size=size,
        held_fixed=(Held("observed standard deviation of the differences"),),
        not_concluded="numbers from an estimated standard deviation are rough",
        extra={"power": power, "difference": f"assumed true difference: {difference}"},
    )
    return PowerResult(out, info, Provenance(data_hash=result.provenance.data_hash))


def _needed(
    truth: np.ndarray,
    sd: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    alpha: float,
    power: float,
    hypothesis: str,
    possible: np.ndarray,
) -> np.ndarray:
    """Smallest whole n per contrast with the wanted power, by bisection over all contrasts at once."""
    out = np.full(len(truth), np.nan)
    rows = np.flatnonzero(possible & (sd > 0))
    if not rows.size:
        return out

    def reached(n: np.ndarray) -> np.ndarray:
        se = sd[rows] / np.sqrt(n)
        p = tost_power(se, n - 1.0, truth[rows], low[rows], high[rows], alpha, hypothesis)
        return np.asarray(p >= power)

    first, last = np.full(rows.size, 1), np.full(rows.size, _UNBOUNDED)
    never = ~reached(last.astype(float))
    while (last - first > 1).any():
        middle = (first + last) // 2
        yes = reached(np.maximum(middle, 2).astype(float))
        last, first = np.where(yes, middle, last), np.where(yes, first, middle)
    out[rows] = np.where(never, np.inf, np.maximum(last, 2))
    return out
