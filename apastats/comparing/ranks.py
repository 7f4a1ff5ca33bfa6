"""Ranks of matched models: Friedman, Quade, Iman-Davenport, Nemenyi, mean ranks with intervals."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc, gammaln

from apastats.arguments import array, choice
from apastats.comparing.decisions import check_alpha
from apastats.comparing.incomplete import WAY_OUT, left_out
from apastats.comparing.many_pairs import check_top, pair_blocks, shown_note, shown_words
from apastats.comparing.rank_pairs import rank_pairs
from apastats.errors import DegenerateWarning, DesignError, InputError, warn
from apastats.memory import reserve
from apastats.numbers.moments import rounding, size_of
from apastats.numbers.ranks import midranks, tie_sizes
from apastats.numbers.simultaneous import range_critical
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.table import Block, CellFormula, Kinds, ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info, in_cells

__all__ = ["RankResult", "friedman", "mean_ranks", "nemenyi", "quade"]


class RankResult(Result):
    """Result of a rank test.

    Omnibus: the by-columns, ``statistic, df, df2, p_value, kendall_w, n_subject, method``. Pairs: ``contrast,
    model, reference, estimate`` (difference of mean ranks, positive where the first scores higher, as in every
    other contrast), ``statistic, p_value, critical_difference, different``. Mean ranks: ``model, estimate, conf_low,
    conf_high, place, place_low, place_high``; 1 is the best.
    """

    kind: ClassVar[str] = "rank"


def _cells(formula: Any, data: ScoreTable | None, cluster: str, kind: Kinds) -> Block:
    """Block of a formula, or of an array ``[n_subject, n_model]``."""
    if data is None:
        allowed = "an array [n_subject, n_model], or a formula and a table"
        values = array("values", formula, ndim=2, allowed=allowed)
        names = pd.DataFrame({"model": [str(j) for j in range(values.shape[1])]})
        return Block(
            values[:, :, None],
            list(range(len(values))),
            names,
            pd.DataFrame(index=range(1)),
            CellFormula("score", ("model",), ()),
            cluster,
        )
    return data.block(formula, cluster=cluster, kind=kind)


def _complete(block: Block, j: int) -> np.ndarray:
    """Subjects with all models in a cell."""
    x = block.values[:, :, j]
    x = x[np.isfinite(x).all(axis=1)]
    if x.shape[0] < 2 or x.shape[1] < 2:
        raise DesignError(
            f"rank test: {x.shape[0]} complete subjects and {x.shape[1]} models in a cell; 2 of each are needed"
            + (f". {WAY_OUT}" if x.shape[1] > 1 else "")
        )
    return x


def _cell_columns(block: Block, j: int) -> dict[str, Any]:
    return {c: block.cells[c].iloc[j] for c in block.cells.columns}


def subject_ranks(x: np.ndarray) -> np.ndarray:
    """Ranks of the models of each subject ``[n, k]``; scores equal up to rounding are tied."""
    return midranks(x, rounding(x, axis=1), axis=1)


def _agreement_p(ranks: np.ndarray) -> float:
    """Share of all relabellings within subjects in which every subject has the same ranks.

    A subject with ties has ``k! / prod(t!)`` different orders; given the first subject's, each other one has that order
    by chance once in so many.
    """
    n, k = ranks.shape
    orders = gammaln(k + 1) - gammaln(tie_sizes(ranks[0]) + 1).sum()
    return float(np.exp((1 - n) * orders))


def friedman_numbers(x: np.ndarray) -> dict[str, float]:
    """Friedman's chi-squared with tie correction, Kendall's W, and the F form of Iman and Davenport.

    All NaN where no subject's scores differ. With full agreement F is infinite, and its p the exact one of
    :func:`_agreement_p`.
    """
    n, k = x.shape
    ranks = subject_ranks(x)
    sums = ranks.sum(axis=0)
    ties = 0.0
    for row in ranks:
        t = tie_sizes(row)
        ties += float((t**3 - t).sum())
    scale = n * k * (k + 1) - ties / (k - 1)
    df1, df2 = k - 1.0, (n - 1.0) * (k - 1)
    chi2 = 12 * float(((sums - n * (k + 1) / 2) ** 2).sum()) / scale if scale > 0 else np.nan
    w = chi2 / (n * (k - 1))
    left = n * (k - 1) - chi2
    f = np.inf if left <= 1e-12 * chi2 else (n - 1) * chi2 / left
    return {
        "chi2": chi2,
        "p_chi2": float(chdtrc(df1, chi2)),
        "w": w,
        "f": f,
        "p_f": _agreement_p(ranks) if np.isinf(f) else float(fdtrc(df1, df2, f)),
        "df1": df1,
        "df2": df2,
    }


def skillings_mack(x: np.ndarray) -> tuple[float, int]:
    """Statistic of Skillings and Mack (1981) of ``[n, k]`` with NaN, and its degrees of freedom.

    Ranks are those among the models a subject has, less their mean, times ``sqrt(12 / (k_i + 1))``; their sums are
    compared with their covariance under no difference, a subject's with its ties. NaN where no subject's scores differ.
    """
    k = x.shape[1]
    sums, covariance = np.zeros(k), np.zeros((k, k))
    for row in x:
        seen = np.flatnonzero(np.isfinite(row))
        if len(seen) < 2:
            continue
        r = subject_ranks(row[None, seen])[0] - (len(seen) + 1) / 2
        weight = 12 / (len(seen) + 1)
        sums[seen] += np.sqrt(weight) * r
        spread = weight * (r @ r) / (len(seen) - 1)
        covariance[np.ix_(seen, seen)] += spread * (np.eye(len(seen)) - 1 / len(seen))
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    if not rank:
        return np.nan, k - 1
    return float(sums @ np.linalg.pinv(covariance, hermitian=True, rcond=1e-10) @ sums), rank


def _with_holes(block: Block, j: int) -> dict[str, Any]:
    """Row of the statistic that takes incomplete subjects."""
    x = block.values[:, :, j]
    x = x[np.isfinite(x).sum(axis=1) > 1]
    if len(x) < 2 or x.shape[1] < 2:
        raise DesignError(
            f"friedman: {len(x)} subjects with two models or more in a cell; 2 are needed"
        )
    statistic, df = skillings_mack(x)
    if df < x.shape[1] - 1:
        raise DesignError(
            "friedman: models of a cell fall into parts whose scores differ in no subject that has both; "
            "incomplete='use' needs them connected"
        )
    return {
        "statistic": statistic,
        "df": float(df),
        "df2": np.nan,
        "p_value": float(chdtrc(df, statistic)),
        "kendall_w": np.nan,
        "n_subject": len(x),
        "method": "Skillings-Mack chi-squared",
    }


@verb
def friedman(
    formula: str | ArrayLike,
    data: ScoreTable | None = None,
    *,
    statistic: str = "chi2",
    incomplete: str = "drop",
    cluster: str = "subject",
    kind: Kinds = "model",
) -> RankResult:
    """Friedman's rank test of all models, subjects being blocks.

    Parameters
    ----------
    formula : str or array_like, shape (n_subject, n_model)
        ``"score ~ model | roi"`` with ``data``, or scores.
    data : ScoreTable, optional
        Scores.
    statistic : {"chi2", "F"}
        Chi-squared, or the F of Iman and Davenport (1980), which keeps its level better at few subjects.
    incomplete : {"drop", "use"}
        Subjects that lack a model of a cell are left out of it, or ranked among the models they have (Skillings and
        Mack 1981; the chi-squared statistic, to which it is equal where nothing is missing).
    cluster, kind : str
        As in :func:`apastats.equivalence`.

    Returns
    -------
    RankResult
        One row per cell.

        Columns: ``roi`` (region), ``statistic`` (test statistic), ``df`` (degrees of freedom), ``df2``
        (denominator degrees of freedom), ``p_value`` (p-value of the ordinary test), ``kendall_w`` (Kendall's
        W), ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If a cell has fewer than two complete subjects or two models.
    InputError
        If an argument is not allowed.

    Warns
    -----
    DegenerateWarning
        If in a cell no subject's scores differ; its test is NaN.

    See Also
    --------
    quade, nemenyi, mean_ranks

    References
    ----------
    .. [1] Friedman, M. (1937). The use of ranks to avoid the assumption of normality implicit in the analysis
       of variance. Journal of the American Statistical Association, 32(200), 675–701.
       https://doi.org/10.1080/01621459.1937.10503522
    .. [2] Demšar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of
       Machine Learning Research, 7, 1–30.

    Examples
    --------
    >>> friedman([[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3]]).tidy()["statistic"].round(3).item()
    4.5
    """
    choice("statistic", statistic, ("chi2", "F"))
    choice("incomplete", incomplete, ("drop", "use"))
    if incomplete == "use" and statistic == "F":
        raise InputError("statistic", "F", "'chi2' with incomplete='use'")
    block = _cells(formula, data, cluster, kind)
    rows = []
    for j in range(len(block.cells)):
        if incomplete == "use":
            rows.append({**_cell_columns(block, j), **_with_holes(block, j)})
            continue
        x = _complete(block, j)
        f = friedman_numbers(x)
        use_f = statistic == "F"
        rows.append(
            {
                **_cell_columns(block, j),
                "statistic": f["f"] if use_f else f["chi2"],
                "df": f["df1"],
                "df2": f["df2"] if use_f else np.nan,
                "p_value": f["p_f"] if use_f else f["p_chi2"],
                "kendall_w": f["w"],
                "n_subject": len(x),
                "method": "Iman-Davenport F" if use_f else "Friedman chi-squared",
            }
        )
    used = incomplete == "use"
    method = "Friedman's rank test with subjects as blocks"
    if used:
        method = (
            "Skillings and Mack's rank test with subjects as blocks; ranks are those among the models a subject has, "
            "and which these are has nothing to do with the scores"
        )
    words = Info(
        method=method,
        estimand="rank statistic",
        test="Skillings-Mack" if used else "Friedman",
        statistic=statistic,
        null="all models have the same distribution of scores within a subject",
        extra={"incomplete": incomplete},
    )
    return _result(rows, words, block, data)


@verb
def quade(
    formula: str | ArrayLike,
    data: ScoreTable | None = None,
    *,
    cluster: str = "subject",
    kind: Kinds = "model",
) -> RankResult:
    """Quade's (1979) test: as Friedman's, subjects weighted by the rank of their range.

    Parameters
    ----------
    formula, data, cluster, kind
        As in :func:`friedman`.

    Returns
    -------
    RankResult
        One row per cell.

        Columns: ``roi`` (region), ``statistic`` (test statistic), ``df`` (degrees of freedom), ``df2``
        (denominator degrees of freedom), ``p_value`` (p-value of the ordinary test), ``n_subject``
        (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If a cell has fewer than two complete subjects or two models.

    See Also
    --------
    friedman, mean_ranks

    References
    ----------
    .. [1] Quade, D. (1979). Using weighted rankings in the analysis of complete blocks with additive block
       effects. Journal of the American Statistical Association, 74, 680–683.

    Examples
    --------
    >>> quade([[1, 2, 3], [1, 3, 2], [1, 2, 5], [2, 1, 4]]).tidy()["p_value"].round(3).item()
    0.108
    """
    block = _cells(formula, data, cluster, kind)
    rows = []
    for j in range(len(block.cells)):
        x = _complete(block, j)
        n, k = x.shape
        # a person who tells the models apart counts more: ranks about their mean, times the place of the person's
        # range. Of their sum of squares A, B lies between models; under the null (n - 1) B / (A - B) is near F
        weight = midranks(x.max(axis=1) - x.min(axis=1), rounding(x))
        s = weight[:, None] * (subject_ranks(x) - (k + 1) / 2)
        a, b = float((s**2).sum()), float((s.sum(axis=0) ** 2).sum()) / n
        df1, df2 = k - 1.0, (n - 1.0) * (k - 1)
        if a == 0:
            f, p = np.nan, np.nan
        elif a - b <= 1e-12 * a:
            f, p = np.inf, _agreement_p(subject_ranks(x))
        else:
            f = (n - 1) * b / (a - b)
            p = float(fdtrc(df1, df2, f))
        rows.append(
            {**_cell_columns(block, j), "statistic": f, "df": df1, "df2": df2, "p_value": p}
            | {"n_subject": n, "method": "Quade F"}
        )
    words = Info(
        method="Quade's test with subjects as blocks, weighted by their range",
        estimand="rank statistic",
        test="Quade",
        statistic="F",
        null="all models have the same distribution of scores within a subject",
    )
    return _result(rows, words, block, data)


@verb
def nemenyi(
    formula: str | ArrayLike,
    data: ScoreTable | None = None,
    *,
    alpha: float = 0.05,
    cluster: str = "subject",
    kind: Kinds = "model",
    top: int | str = "auto",
) -> RankResult:
    """All pairs of models by their mean ranks (Nemenyi 1963), family-wise level alpha in each cell.

    Parameters
    ----------
    formula, data, cluster, kind
        As in :func:`friedman`.
    alpha : float
        Level of the critical difference.
    top : "auto", "all" or int
        Rows of the table, those with the smallest p-values; as in :func:`apastats.equivalence`.

    Returns
    -------
    RankResult
        One row per pair and cell.

        Columns: ``roi`` (region), ``contrast`` (what is subtracted from what), ``model`` (model, or what is
        compared), ``reference`` (what is compared with), ``estimate`` (what is estimated, from the data
        themselves), ``statistic`` (test statistic), ``p_value`` (p-value of the ordinary test),
        ``critical_difference`` (critical difference of mean ranks), ``different`` (whether a difference was
        shown; of a set, how many), ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If a cell has fewer than two complete subjects or two models.

    See Also
    --------
    friedman, mean_ranks, compare

    Notes
    -----
    ``q = sqrt(2) |R_i - R_j| / sqrt(k (k + 1) / (6 n))`` against the range of k normals. The test uses the ranks
    among all models, so adding a model can change any pair.

    References
    ----------
    .. [1] Demšar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of
       Machine Learning Research, 7, 1–30.

    Examples
    --------
    >>> found = nemenyi([[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3], [1, 2, 3]])
    >>> found.tidy()["p_value"].round(3).tolist()
    [0.415, 0.031, 0.415]
    """
    alpha = check_alpha(alpha)
    block = _cells(formula, data, cluster, kind)
    ranked = [subject_ranks(_complete(block, j)) for j in range(len(block.cells))]
    table, shown = rank_pairs(block, ranked, alpha, check_top(top))
    words = Info(
        method="Nemenyi's comparison of mean ranks",
        estimand="difference of mean ranks",
        test="Nemenyi",
        statistic="q",
        null="all models have the same distribution of scores within a subject",
        alternative="two-sided",
        adjust="nemenyi",
        family=in_cells("all pairs of models", block.formula.by),
        rule=f"a pair was called different where the p-value was at most {alpha:g}",
        alpha=alpha,
    )
    words = words.but(**shown_words(shown))
    return _result(table, words, block, data, shown_note(shown, "p-values", "pairs"))


@verb
def mean_ranks(
    formula: str | ArrayLike,
    data: ScoreTable | None = None,
    *,
    alpha: float = 0.05,
    cluster: str = "subject",
    kind: Kinds = "model",
) -> RankResult:
    """Mean rank of every model, and the places it can have with simultaneous confidence.

    Parameters
    ----------
    formula, data, cluster, kind
        As in :func:`friedman`.
    alpha : float
        Family-wise level of the paired comparisons behind ``place_low, place_high``.

    Returns
    -------
    RankResult
        One row per model and cell: ``estimate`` (mean over subjects of its rank, 1 is the highest score and tied
        scores share their mean rank), ``conf_low, conf_high`` (mean rank plus and minus half the critical difference
        of Nemenyi), ``place`` (1 is the highest mean score; equal means have the same place, and the next one is
        left out) and ``place_low, place_high``.

        Columns: ``roi`` (region), ``model`` (model, or what is compared), ``estimate`` (what is estimated,
        from the data themselves), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of
        the interval), ``conf_level`` (level of the interval), ``place`` (place, 1 is the best), ``place_low``
        (lower limit of the place), ``place_high`` (upper limit of the place), ``n_subject`` (subjects),
        ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If a cell has fewer than two complete subjects or two models.

    See Also
    --------
    friedman, nemenyi, equivalence_set

    Notes
    -----
    Simultaneous intervals of ranks (Mogstad et al. 2024; Al Mohamad et al. 2022): a model's place lies
    between one plus the number of models shown to be better and k minus the number shown to be worse, by
    paired t tests with Holm's adjustment over all pairs. All intervals hold together at level ``1 - alpha``.

    References
    ----------
    .. [1] Mogstad, M., Romano, J. P., Shaikh, A. M., & Wilhelm, D. (2024). Inference for ranks with
       applications to mobility across neighbourhoods and academic achievement across countries. The Review of
       Economic Studies, 91(1), 476–518. https://doi.org/10.1093/restud/rdad006

    Examples
    --------
    >>> found = mean_ranks([[1, 2, 9], [1, 3, 9], [1, 2, 8], [2, 1, 9], [1, 2, 9]])
    >>> found.tidy()[["place", "place_low", "place_high"]].values.tolist()
    [[3, 2, 3], [2, 2, 3], [1, 1, 1]]
    """
    alpha = check_alpha(alpha)
    block = _cells(formula, data, cluster, kind)
    labels = block.group_labels()
    rows: list[dict[str, Any]] = []
    for j in range(len(block.cells)):
        x = _complete(block, j)
        n, k = x.shape
        ranks = subject_ranks(-x).mean(axis=0)
        half = range_critical(1 - alpha, k) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n)) / 2
        better, worse = _ordered_pairs(x, alpha)
        means = x.mean(axis=0)
        ahead = means[None, :] - means[:, None] > rounding(x, axis=None)
        order = 1 + ahead.sum(axis=1)
        rows += [
            {
                **_cell_columns(block, j),
                block.group_column: labels[i],
                "estimate": ranks[i],
                "conf_low": ranks[i] - half,
                "conf_high": ranks[i] + half,
                "conf_level": 1 - alpha,
                "place": int(order[i]),
                "place_low": int(1 + better[i]),
                "place_high": int(k - worse[i]),
                "n_subject": n,
                "method": "paired t, Holm",
            }
            for i in range(k)
        ]
    words = Info(
        method="mean ranks and simultaneous intervals of places",
        estimand="mean rank",
        adjust="holm",
        family=in_cells("pairs of models", block.formula.by),
        alpha=alpha,
        conf_level=1 - alpha,
    )
    return _result(rows, words, block, data)


def _ordered_pairs(x: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Models that each of ``x [n, k]`` is shown to be below, and above: paired t tests of all pairs, Holm.

    Holm controls the errors of all pairs at once, so with probability ``1 - alpha`` every direction is true: at least
    so many models are above, and so many below.
    """
    from apastats.numbers.adjust_p import adjust_p
    from apastats.numbers.location import t_location

    n, k = x.shape
    pairs = k * (k - 1) // 2
    # indices, differences, p-values and their order
    reserve(f"p-values of {pairs:,} pairs of models", 64.0 * pairs, "fewer models")
    a, b = np.triu_indices(k, 1)
    d, p = np.empty((2, pairs))
    size = size_of(x)
    for part in pair_blocks(pairs, n):
        tests = t_location(x[:, a[part]] - x[:, b[part]], alpha, size=size)
        d[part], p[part] = tests.estimate, tests.p_value
    told = np.flatnonzero(adjust_p(p, "holm") <= alpha)
    a, b, below = a[told], b[told], d[told] < 0
    lower, upper = np.where(below, a, b), np.where(below, b, a)
    return np.bincount(lower, minlength=k), np.bincount(upper, minlength=k)


def _result(
    rows: list[dict[str, Any]] | pd.DataFrame,
    words: Info,
    block: Block,
    data: ScoreTable | None,
    notes: tuple[str, ...] = (),
) -> RankResult:
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    words = words.but(
        outcome=None if data is None else data.outcome(block.formula.outcome),
        formula="" if data is None else str(block.formula),
        by=block.formula.by,
        resampled=Drawn(),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        n_subject=int(table["n_subject"].max()),
    )
    dropped = "" if words.extra.get("incomplete") == "use" else left_out(block)
    notes = (*((dropped,) if dropped else ()), *notes)
    undefined = int(table["p_value"].isna().sum()) if "p_value" in table else 0
    if undefined:
        lost = f"{undefined} of {len(table)} cells have no p-value: no subject's scores differ"
        notes += (lost,)
        warn(lost, DegenerateWarning)
    data_hash = data.hash if data is not None else ""
    return RankResult(table, words, Provenance(data_hash=data_hash), notes=notes)
