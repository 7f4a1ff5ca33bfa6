"""`equivalence`: paired comparisons of models with a margin, on a score table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.errors import DegenerateWarning, DesignError, InputError
from apastats.margins import Bounds, Margin, as_margin
from apastats.multiplicity import adjust_p, check_adjust
from apastats.results import Provenance, Result, describe_call
from apastats.table import Block, ScoreTable, parse_formula
from apastats.tosts.decisions import (
    HYPOTHESES,
    NOT_CONCLUDED,
    Tested,
    check_alpha,
    check_hypothesis,
    claim_p,
    outcomes,
)
from apastats.tosts.student import one_sample

__all__ = ["EquivalenceResult", "equivalence"]


class EquivalenceResult(Result):
    """Ordinary and equivalence tests of differences.

    ``table``: the by-columns, ``contrast`` ("a - b"), ``model``, ``reference``, ``estimate, std_error, statistic,
    df, p_value, p_value_adjusted, conf_low, conf_high`` (level 1 - 2 alpha), ``conf_level, bound_low, bound_high,
    statistic_low, statistic_high, p_value_noninf, p_value_nonsup, p_value_equiv, p_value_equiv_adjusted,
    decision, n_subject, method``. ``arrays["differences"]`` is ``[n_subject, n_row]``, NaN where a subject lacks
    one of the two.
    """

    kind: ClassVar[str] = "equivalence"


def averaged_block(
    data: ScoreTable, formula: str, *, cluster: str, within: Any, kind: str | None
) -> Block:
    """Block of the formula, the levels of ``within`` averaged inside each cluster (NaN if one is missing)."""
    f = parse_formula(formula)
    if within is None:
        return data.block(f, cluster=cluster, kind=kind)
    names = (within,) if isinstance(within, str) else tuple(within)
    taken = {f.outcome, cluster, *f.compare, *f.by}
    if not names or set(names) & taken:
        raise InputError(
            "within", within, "columns that are neither in the formula nor the cluster"
        )
    full = data.block(replace(f, by=(*f.by, *names)), cluster=cluster, kind=kind)
    by = list(f.by)
    if by:
        codes = full.cells.groupby(by, sort=False, observed=True).ngroup().to_numpy()
        cells = full.cells[by].drop_duplicates().reset_index(drop=True)
    else:
        codes, cells = np.zeros(len(full.cells), dtype=int), pd.DataFrame(index=range(1))
    values = np.stack(
        [full.values[:, :, codes == j].mean(axis=2) for j in range(len(cells))], axis=2
    )
    return Block(values, full.clusters, full.groups, cells, f, cluster)


def contrast_pairs(block: Block, reference: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs (a, b) of the contrasts a - b.

    All pairs, or every group against one; for ``"best"`` all ordered pairs, entry ``k + P`` the mirror of entry
    ``k`` (any of them may turn out to be a comparison with the best).
    """
    m = len(block.groups)
    first, second = np.triu_indices(m, k=1)
    if reference is None:
        return first, second
    if reference == "best":
        return np.concatenate([first, second]), np.concatenate([second, first])
    r = block.group_index(reference)
    others = np.array([i for i in range(m) if i != r])
    return others, np.full(len(others), r)


def pair_differences(values: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differences ``[n_cluster, n_pair, n_cell]``."""
    return np.asarray(values[:, a, :] - values[:, b, :])


def equivalence(
    formula: str,
    data: ScoreTable,
    *,
    bounds: Any = None,
    reference: str | None = None,
    test: str = "t",
    hypothesis: str = "equivalence",
    adjust: str = "holm",
    family: str = "all",
    alpha: float = 0.05,
    cluster: str = "subject",
    within: Any = None,
    kind: str | None = "model",
) -> EquivalenceResult:
    """Test whether models are equivalent, different, both or neither, within a stated margin.

    Parameters
    ----------
    formula : str
        ``"score ~ model | roi"``: the outcome, what is compared, and separately within what.
    data : ScoreTable
        One row per cluster, compared group and cell; subjects are matched, and a contrast uses the subjects that
        have both values.
    bounds : float, (float, float) or Margin
        The margin; there is no default. A number stands for minus and plus it; see :func:`apastats.margin`.
    reference : str, optional
        None: all pairs. A name: every other model minus it. ``"best"``: every other model minus the model with
        the highest mean of each cell.
    test : {"t"}
        Paired t tests over the clusters.
    hypothesis : {"equivalence", "minimal_effect", "noninferiority", "nonsuperiority", "superiority"}
        The claim; other than equivalence adds ``p_value_claim``, ``p_value_claim_adjusted`` and ``claim_shown``.
    adjust : str
        Adjustment for multiplicity, see :func:`apastats.adjust_p`.
    family : {"all", "cell"}
        Tests that are adjusted together: all contrasts of all cells, or those of each cell.
    alpha : float
        Level of each (adjusted) test; the interval has level ``1 - 2 alpha``.
    cluster : str
        Column of the independent units.
    within : str or sequence of str, optional
        Columns (e.g. ``"roi"``) averaged inside each cluster first.
    kind : str or None
        Rows of this kind enter; None takes all.

    Returns
    -------
    EquivalenceResult

    Raises
    ------
    MarginError
        If there is no margin, or an impossible one.
    DesignError
        If there are fewer than two groups or clusters.
    InputError
        If an argument is not allowed.

    Notes
    -----
    Two one-sided tests (Schuirmann 1987): ``t_low = (d - low) / se``, ``t_high = (d - high) / se``; the equivalence
    p-value is the larger of the two one-sided ones, and it is at most alpha exactly when the ``1 - 2 alpha``
    interval lies inside the bounds.

    With ``reference="best"`` the best is selected on the data, so every pair is a candidate for the table: the
    adjustment runs over **all pairs** of the cell (and over cells, with ``family="all"``), which is valid whatever
    model is selected. :func:`apastats.equivalence_set` has sharper procedures.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> found = apa.equivalence(
    ...     "score ~ model | roi", scores, bounds=0.05, reference="model_01"
    ... ).tidy()
    >>> found.loc[found["contrast"] == "model_02 - model_01", "decision"].tolist()
    ['equivalent', 'equivalent']
    """
    margin = as_margin(bounds)
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    adjust = check_adjust(adjust)
    if test != "t":
        raise InputError("test", test, "'t'")
    if family not in ("all", "cell"):
        raise InputError("family", family, "'all' or 'cell'")
    if not isinstance(data, ScoreTable):
        raise InputError("data", type(data).__name__, "a ScoreTable")
    block = averaged_block(data, formula, cluster=cluster, within=within, kind=kind)
    if len(block.groups) < 2:
        raise DesignError(
            f"equivalence: {block.formula} compares {len(block.groups)} group; at least 2 are needed"
        )
    if len(block.clusters) < 2:
        raise DesignError(f"equivalence: {len(block.clusters)} {cluster}; at least 2 are needed")
    limits = margin.resolve(block)
    a, b = contrast_pairs(block, reference)
    differences = pair_differences(block.values, a, b)
    tested = _t_tests(differences, limits, alpha)
    # a test and its mirror are one test where both directions have the same p-value
    mirrored = reference == "best"
    symmetric = mirrored and bool(np.all(limits.low == -limits.high))
    p_claim = claim_p(tested, hypothesis)
    two_sided = hypothesis in ("equivalence", "minimal_effect")
    adjusted = {
        name: _adjust(values, adjust, family, same)
        for name, values, same in (
            ("p_value", tested.p_value, mirrored),
            ("p_value_noninf", tested.p_low, False),
            ("p_value_nonsup", tested.p_high, False),
            ("p_value_equiv", tested.p_equiv, symmetric),
            ("p_value_claim", p_claim, symmetric and two_sided),
        )
    }
    pair, cell = _rows(block, a, b, reference)
    table = _table(block, a, b, pair, cell, tested, adjusted, limits, alpha, hypothesis, p_claim)
    arrays = {
        "differences": differences[:, pair, cell],
        "subjects": np.asarray(block.clusters, dtype=str),
    }
    notes = _warn_undefined(table)
    size = (len(a) // 2 if symmetric else len(a)) * (len(block.cells) if family == "all" else 1)
    info = _words(block, limits, margin, reference, hypothesis, adjust, family, size, alpha, within)
    call = describe_call(
        "equivalence",
        formula,
        data,
        bounds=bounds,
        reference=reference,
        test=test,
        hypothesis=hypothesis,
        adjust=adjust,
        family=family,
        alpha=alpha,
        within=within,
    )
    return EquivalenceResult(table, info, Provenance(call, data.hash), arrays, notes)


def _t_tests(d: np.ndarray, limits: Bounds, alpha: float) -> Tested:
    """Paired t tests of ``d [n, pair, cell]`` against the bounds of the cells."""
    if limits.unit_low is not None and limits.unit_high is not None:
        return one_sample(d, limits.unit_low[:, None, :], limits.unit_high[:, None, :], alpha=alpha)
    low, high = limits.low[None, :], limits.high[None, :]
    if limits.sd_units:
        n = np.isfinite(d).sum(axis=0)
        centred = np.nan_to_num(
            d - np.where(n > 0, np.nansum(d, axis=0) / np.maximum(n, 1), np.nan)
        )
        sd = np.sqrt((centred**2).sum(axis=0) / np.maximum(n - 1, 1))
        low, high = low * sd, high * sd
    return one_sample(d, low, high, alpha=alpha)


def _adjust(p: np.ndarray, adjust: str, family: str, mirrored: bool) -> np.ndarray:
    """Adjusted p ``[pair, cell]`` over everything, or within each cell; mirrored pairs count once."""
    if mirrored:
        half = _adjust(p[: len(p) // 2], adjust, family, False)
        return np.concatenate([half, half])
    if family == "all":
        return adjust_p(p, adjust)
    return np.stack([adjust_p(p[:, j], adjust) for j in range(p.shape[1])], axis=1)


def _rows(
    block: Block, a: np.ndarray, b: np.ndarray, reference: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Pair and cell of each row of the table, one cell after the other."""
    n_cell = len(block.cells)
    pair, cell = np.tile(np.arange(len(a)), n_cell), np.repeat(np.arange(n_cell), len(a))
    if reference == "best":
        keep = b[pair] == best_groups(block)[cell]
        pair, cell = pair[keep], cell[keep]
    return pair, cell


def _table(
    block: Block,
    a: np.ndarray,
    b: np.ndarray,
    pair: np.ndarray,
    cell: np.ndarray,
    tested: Tested,
    adjusted: dict[str, np.ndarray],
    limits: Bounds,
    alpha: float,
    hypothesis: str,
    p_claim: np.ndarray,
) -> pd.DataFrame:
    """Tidy table of the chosen rows."""
    labels = np.asarray(block.group_labels(), dtype=object)
    low, high = limits.low, limits.high
    if limits.sd_units:
        sd = (tested.std_error * np.sqrt(tested.n))[pair, cell]
        low, high = low[cell] * sd, high[cell] * sd
    else:
        low, high = low[cell], high[cell]

    def pick(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.broadcast_to(x, tested.estimate.shape)[pair, cell])

    columns: dict[str, Any] = {c: block.cells[c].to_numpy()[cell] for c in block.cells.columns}
    model, reference = labels[a[pair]], labels[b[pair]]
    columns |= {
        "contrast": [f"{x} - {y}" for x, y in zip(model, reference, strict=True)],
        "model": model,
        "reference": reference,
        "estimate": pick(tested.estimate),
        "std_error": pick(tested.std_error),
        "statistic": pick(tested.statistic),
        "df": pick(tested.df),
        "p_value": pick(tested.p_value),
        "p_value_adjusted": pick(adjusted["p_value"]),
        "conf_low": pick(tested.conf_low),
        "conf_high": pick(tested.conf_high),
        "conf_level": 1 - 2 * alpha,
        "bound_low": low,
        "bound_high": high,
        "statistic_low": pick(tested.statistic_low),
        "statistic_high": pick(tested.statistic_high),
        "p_value_noninf": pick(tested.p_low),
        "p_value_nonsup": pick(tested.p_high),
        "p_value_equiv": pick(tested.p_equiv),
        "p_value_noninf_adjusted": pick(adjusted["p_value_noninf"]),
        "p_value_nonsup_adjusted": pick(adjusted["p_value_nonsup"]),
        "p_value_equiv_adjusted": pick(adjusted["p_value_equiv"]),
    }
    if hypothesis != "equivalence":
        columns["p_value_claim"] = pick(p_claim)
        columns["p_value_claim_adjusted"] = pick(adjusted["p_value_claim"])
        columns["claim_shown"] = columns["p_value_claim_adjusted"] <= alpha
    columns["decision"] = outcomes(
        columns["p_value_adjusted"], columns["p_value_equiv_adjusted"], alpha
    )
    columns["n_subject"] = pick(tested.n)
    columns["method"] = "paired t"
    return pd.DataFrame(columns)


def best_groups(block: Block) -> np.ndarray:
    """Group with the highest mean, per cell."""
    n = block.mask.sum(axis=0)
    mean = np.where(n > 0, np.nansum(block.values, axis=0) / np.maximum(n, 1), -np.inf)
    return np.asarray(np.argmax(mean, axis=0))


def _warn_undefined(table: pd.DataFrame) -> tuple[str, ...]:
    import warnings

    bad = table["p_value_equiv"].isna()
    if not bad.any():
        return ()
    first = table.loc[bad, "contrast"].iloc[0]
    text = (
        f"{int(bad.sum())} of {len(table)} contrasts have no p-value (fewer than 2 subjects with both scores, or "
        f"differences without any variation), the first: {first}; they are undecided"
    )
    warnings.warn(DegenerateWarning(text), stacklevel=3)
    return (text,)


def _words(
    block: Block,
    limits: Bounds,
    margin: Margin,
    reference: str | None,
    hypothesis: str,
    adjust: str,
    family: str,
    size: int,
    alpha: float,
    within: Any,
) -> dict[str, Any]:
    """The words that go with the table."""
    scope = "all cells together" if family == "all" else "each cell by itself"
    words: dict[str, Any] = {
        "method": f"paired t tests over {block.cluster}s: the ordinary one, and two one-sided against the bounds",
        "hypothesis": hypothesis,
        "null": HYPOTHESES[hypothesis],
        "rule": (
            f"equivalent where both one-sided tests reject at {alpha:g} after adjustment, different where the ordinary "
            f"test does; both: different but inside the margin; neither: undecided. Unadjusted, equivalence is the "
            f"same as a {100 * (1 - 2 * alpha):g} % interval inside the bounds"
        ),
        "margin": limits.text,
        "margin_origin": limits.origin,
        "comparison": "all pairs" if reference is None else f"each against {reference}",
        "adjust": f"{adjust}, {size} contrasts ({scope})",
        "adjust_method": adjust,
        "family_size": size,
        "alpha": alpha,
        "conf_level": 1 - 2 * alpha,
        "n_subject": len(block.clusters),
        "by": list(block.formula.by),
        "resampled": f"nothing; {block.cluster}s are the sample, and the claim is about the population they stand for",
        "held_fixed": "stimuli, chosen layers"
        + (f", levels of {within}" if within is not None else ""),
        "not_concluded": NOT_CONCLUDED,
    }
    if reference == "best":
        words["comparison"] = (
            "each against the model with the highest mean of its cell; that model was selected on the same data, so "
            "the adjustment runs over all pairs that could have been compared, not only those shown; the intervals are "
            "those of single comparisons and do not account for the selection"
        )
    return words
