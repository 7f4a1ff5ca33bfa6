"""`equivalence_set`: which models are practically equal to the best, the selection of the best accounted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import applies, choice
from apastats.comparing.against_best import VARIANCES, Competition, adjusted_family
from apastats.comparing.decisions import check_alpha
from apastats.comparing.equivalence import usable_block
from apastats.comparing.incomplete import WAY_OUT, left_out
from apastats.comparing.margin import Bounds, Margin, as_margin
from apastats.errors import DegenerateWarning, DesignError, InputError, MarginError, warn
from apastats.numbers.against_all import SHOWN, SHOWN_FOR_CLAIMS, AgainstAll
from apastats.numbers.best import Moments, confidence_set, residuals, with_the_best
from apastats.numbers.tested import positive
from apastats.recording import verb
from apastats.resampling.means import summarise_means
from apastats.resampling.plans import subject_counts
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import Block, Kinds, ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info, Outcome, cell_name, scope_name

__all__ = ["EquivalenceSet", "equivalence_set"]

METHODS = {
    "mcb": "Hsu's multiple comparisons with the best",
    "mcs": "confidence set of all best models (studentised range)",
    "tost": "non-inferiority to every other model (intersection-union), Holm over models",
    "bayes": "posterior probability of being (within the margin of) the best",
    "ci_overlap": "mean not below the interval of the best model; a published rule, no test: no error rate holds",
}
_DRAWS = 20_000


class EquivalenceSet(Result):
    """Sets of models.

    ``table``: ``model``, the by-columns, ``mean, estimate`` (mean minus the best of the others), ``in_set``,
    ``conf_low, conf_high`` (of the difference from the best), ``conf_level, p_value`` or ``probability`` where the
    method has one, ``bound_low``, ``decision``, ``n_subject, method``.
    """

    kind: ClassVar[str] = "equivalence_set"

    def members(self, **cell: Any) -> list[str]:
        """Models of the set of one cell (``roi="V1"``), or without arguments those in the sets of all cells."""
        table = self.table
        for column, value in cell.items():
            if column not in table.columns or value not in set(table[column]):
                raise InputError(column, value, f"a level of one of {list(self.info.by)}")
            table = table[table[column] == value]
        compared = "level" if "level" in table.columns else "model"
        inside = table.groupby(compared, sort=False)["in_set"].all()
        return [str(m) for m in inside.index[inside]]


@verb
def equivalence_set(
    formula: str,
    data: ScoreTable,
    *,
    bounds: Any = None,
    method: str | None = None,
    variance: str = "moderated",
    family: str = "all",
    alpha: float = 0.05,
    step_down: bool = False,
    cluster: str = "subject",
    within: Any = None,
    kind: Kinds = "model",
    rng: RngLike = None,
) -> EquivalenceSet:
    """Find the models that are practically equal to the best of each cell.

    Parameters
    ----------
    formula : str
        ``"score ~ model | roi"``.
    data : ScoreTable
        One row per cluster, model and cell; subjects that lack a model of a cell are left out of that cell.
    bounds : float or Margin, optional
        Without: the set holds what cannot be excluded from being the best. With: what is shown to be within the margin
        of the best; only the size of the lower bound counts.
    method : {"tost", "mcb", "mcs", "bayes", "ci_overlap"}, optional
        ``tost`` (the default with bounds): shown not to be worse than any other model by the margin, as
        :func:`apastats.equivalence` with ``reference="best"`` says it. ``mcb`` (the default without): Hsu's comparison
        with the best; each truly best model stays with probability ``1 - alpha``. ``mcs``:
        all truly best models stay **together** with probability ``1 - alpha``. ``bayes``: posterior probabilities
        under a flat prior; they hold no error rate (models at the margin are claimed too often). ``ci_overlap``: the
        rule "mean at least the lower end of the best model's percentile bootstrap interval", for comparison; it is no
        test.
    variance : {"moderated", "separate", "pooled"}
        Variances of the differences drawn to a common value as far as the data of all cells show that there is one,
        each its own, or one subject-by-model variance for all.
    family : {"all", "cell"}
        Error rate of the sets of all cells together (Holm for ``tost``, Bonferroni for the others), or of each cell.
    alpha : float
        Error rate; intervals have level ``1 - alpha``.
    step_down : bool
        For mcs: the sharper step-down order of elimination.
    cluster, within, kind
        As in :func:`apastats.equivalence`.
    rng : int, Generator, SeedSequence or None
        For the draws of ``bayes``, and ``ci_overlap`` above 10 subjects.

    Returns
    -------
    EquivalenceSet
        ``decision``: with bounds "equivalent to the best", "worse than the margin" or "undecided"; without "can be the
        best" or "not the best".

        Columns: ``model`` (model, or what is compared), ``roi`` (region), ``mean`` (mean), ``estimate`` (what
        is estimated, from the data themselves), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_low_free`` (lower limit without the bound at zero),
        ``conf_high_free`` (upper limit without the bound at zero), ``in_set`` (whether in the set),
        ``decision`` (equivalent, different, ..., or undecided), ``conf_level`` (level of the interval),
        ``bound_low`` (lower margin), ``n_subject`` (subjects), ``method`` (how the interval or test was
        made).

    Raises
    ------
    MarginError
        If ``tost`` has no bounds, or a margin is impossible.
    DesignError
        If a cell has fewer than three complete clusters or two models.
    InputError
        If an argument is not allowed.

    See Also
    --------
    equivalence, discriminability, mean_ranks

    Notes
    -----
    mcb: in the set where ``min over j of mean_i - mean_j + c se_ij`` reaches 0; c is Dunnett's one-sided value where
    the variance is pooled (Hsu 1984), Bonferroni's quantile of t where variances differ. mcs: where
    ``mean_j - mean_i <= q se_ij`` for all j, q from the studentised range or Bonferroni over all pairs likewise.

    With a ceiling as margin the contrast is ``a - b + f c`` with the subjects' own ceilings c, so that its uncertainty
    is in the test and nothing of alpha is set aside for it. Moderation: see
    :class:`apastats.numbers.against_all.Shrinkage`.

    References
    ----------
    .. [1] Hsu, J. C. (1984). Constrained simultaneous confidence intervals for multiple comparisons with the
       best. The Annals of Statistics, 12(3), 1136–1144. https://doi.org/10.1214/aos/1176346732
    .. [2] Hansen, P. R., Lunde, A., & Nason, J. M. (2011). The model confidence set. Econometrica, 79(2),
       453–497. https://doi.org/10.3982/ECTA5771

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=10, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> apa.equivalence_set("score ~ model | roi", scores).members(roi="V1")
    ['model_01', 'model_02', 'model_03']
    """
    alpha = check_alpha(alpha)
    method = method or ("mcb" if bounds is None else "tost")
    choice("method", method, METHODS)
    choice("variance", variance, tuple(VARIANCES))
    choice("family", family, ("cell", "all"))
    applies("step_down", step_down, to=["mcs"], chosen=method, by="method", default=False)
    margin = None if bounds is None and method != "tost" else _lower_margin(bounds)
    block = usable_block(
        data, formula, "equivalence_set", cluster=cluster, within=within, kind=kind
    )
    limits = None if margin is None else margin.resolve(block)
    pooling = "pooled" if method == "bayes" else variance
    field = Competition.of(block, limits, pooling, SHOWN_FOR_CLAIMS if method == "tost" else SHOWN)
    n_cell = len(block.cells)
    for j, c in enumerate(field.cells):
        if c.field.n < 3:
            raise DesignError(
                f"equivalence_set: {c.field.n} complete {cluster}s in cell {j + 1}; at least 3 are needed. {WAY_OUT}"
            )
    root = seed_sequence(rng)
    if method == "tost":
        parts = _shown_close(field, family, alpha)
        level = alpha
    else:
        level = alpha / n_cell if family == "all" else alpha
        parts = [
            _RUN[method](c, level, limits is not None, step_down, block_generator(root, j))
            for j, c in enumerate(field.cells)
        ]
    frames = []
    for j, (c, part) in enumerate(zip(field.cells, parts, strict=True)):
        cell = {name: block.cells[name].iloc[j] for name in block.cells.columns}
        frames.append(
            pd.DataFrame({block.group_column: block.group_labels(), **cell}).assign(
                mean=c.field.mean,
                **part,
                conf_level=1 - level,
                bound_low=np.nan if limits is None else -c.field.unit.mean(),
                n_subject=c.field.n,
                method=method,
            )
        )
    table = pd.concat(frames, ignore_index=True)
    dropped = left_out(block)
    notes = (*_undefined(table), *([dropped] if dropped else []))
    cells = cell_name(block.formula.by, plural=True) if len(field.cells) > 1 else ""
    if method in ("mcb", "mcs", "tost") and (said := field.prior.words(variance, cells)):
        notes = (*notes, f"tests of differences had {said}")
    sampled = method == "bayes" or (method == "ci_overlap" and len(block.clusters) > 10)
    info = _words(
        block,
        limits,
        method,
        variance,
        family,
        alpha,
        step_down,
        data.outcome(block.formula.outcome),
    )
    provenance = Provenance(data_hash=data.hash, seed=recorded_seed(root) if sampled else "")
    arrays = {"values": block.values, "subjects": np.asarray(block.clusters, dtype=str)}
    return EquivalenceSet(table, info, provenance, arrays, notes)


def _lower_margin(bounds: Any) -> Margin:
    """A margin that can say how much worse than the best a model may be."""
    margin = as_margin(bounds)
    if margin.origin == "sd":
        raise MarginError(
            "bounds", margin, "a margin in units of the outcome, a ceiling or a difference"
        )
    if margin.low >= 0:
        raise MarginError("bounds", margin, "a margin whose lower bound is below 0")
    return margin


def _undefined(table: pd.DataFrame) -> tuple[str, ...]:
    """Warn about models that nothing can be said of; the text is also a note."""
    bad = table["in_set"].eq(False) & table["conf_low"].isna()
    if not bad.any():
        return ()
    text = (
        f"{int(bad.sum())} of {len(table)} models differ from others by a constant, without any variation; they are "
        f"undecided, the first: {table.loc[bad].iloc[0, 0]!s}"
    )
    warn(text, DegenerateWarning)
    return (text,)


def _decide(lower: np.ndarray, upper: np.ndarray, delta: float) -> np.ndarray:
    """Three decisions from limits of "model minus the best"."""
    return np.where(
        lower > -delta,
        "equivalent to the best",
        np.where(upper < -delta, "worse than the margin", "undecided"),
    ).astype(object)


def _plain(inside: np.ndarray) -> np.ndarray:
    return np.where(inside, "can be the best", "not the best").astype(object)


def _difference(mean: np.ndarray) -> np.ndarray:
    """Mean minus the best of the others."""
    # theta_i - max over j != i of theta_j is the least of the differences: positive for the best alone
    d = mean[:, None] - mean[None, :]
    np.fill_diagonal(d, np.inf)
    return np.asarray(d.min(axis=1))


Frame = dict[str, Any]


def _shown_close(field: Competition, family: str, alpha: float) -> list[Frame]:
    """Within the margin of the best: not worse by the margin than any other (an intersection-union test), Holm."""
    near, _, far = field.tests()
    p_near, p_far = (positive(adjusted_family(p, "holm", family)) for p in (near, far))
    bound = np.array([-c.field.unit.mean() for c in field.cells])
    low, high = field.joint_limits(near, far, bound, adjust="holm", family=family, alpha=alpha)
    decision = np.where(
        p_near <= alpha,
        "equivalent to the best",
        np.where(p_far <= alpha, "worse than the margin", "undecided"),
    ).astype(object)
    undefined = ~np.isfinite(near)
    low, high = np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
    return [
        {
            "estimate": _difference(c.field.mean),
            "conf_low": low[:, j],
            "conf_high": high[:, j],
            "p_value": p_near[:, j],
            "in_set": p_near[:, j] <= alpha,
            "decision": decision[:, j],
        }
        for j, c in enumerate(field.cells)
    ]


def _moments(c: AgainstAll, with_margin: bool) -> Moments:
    """Means and variances of all differences; with the margin's own error in them where it decides."""
    v, df = (c.margin_errors if with_margin else c.errors)(slice(0, c.field.k))
    np.fill_diagonal(v, 0.0)
    np.fill_diagonal(df, np.inf)
    return Moments(c.field.mean, v, float(df.min()))


def _mcb(
    c: AgainstAll, alpha: float, bounded: bool, step_down: bool, random: np.random.Generator
) -> Frame:
    m = _moments(c, bounded)
    b = with_the_best(m, alpha, shared=c.prior.pooled, rounding=np.sqrt(c.field.rounding))
    frame = {"estimate": b.difference, "conf_low": b.low, "conf_high": b.high}
    frame |= {"conf_low_free": b.free_low, "conf_high_free": b.free_high}
    if not bounded:
        return frame | {"in_set": b.inside, "decision": _plain(b.inside)}
    decision = _decide(b.low, b.free_high, float(c.field.unit.mean()))
    return frame | {"in_set": decision == "equivalent to the best", "decision": decision}


def _mcs(
    c: AgainstAll, alpha: float, bounded: bool, step_down: bool, random: np.random.Generator
) -> Frame:
    m = _moments(c, bounded)
    inside, p, half = confidence_set(m, alpha, step_down=step_down, shared=c.prior.pooled)
    d = _difference(m.mean)
    frame: Frame = {
        "estimate": d,
        "conf_low": d - half,
        "conf_high": d + half,
        "p_value": positive(p),
    }
    if not bounded:
        return frame | {"in_set": inside, "decision": _plain(inside)}
    decision = _decide(d - half, d + half, float(c.field.unit.mean()))
    return frame | {"in_set": decision == "equivalent to the best", "decision": decision}


def posterior_means(x: np.ndarray, random: np.random.Generator, n: int = _DRAWS) -> np.ndarray:
    """Draws of the model means (up to a common shift) under a flat prior and one subject-by-model variance.

    ``mu = mean + s sqrt(df / chi2) z / sqrt(n)``: the shared subject effect cancels in all differences.
    """
    rows, k = x.shape
    df = (rows - 1.0) * (k - 1)
    # y_ij = s_i + mu_j + e_ij with e of one variance: mu given sigma is normal about the column means, sigma^2 is df
    # s^2 / chi2, and what the people share drops out of every difference
    error = float((residuals(x) ** 2).sum() / df)
    scale = np.sqrt(error * df / random.chisquare(df, n) / rows)
    draws: np.ndarray = x.mean(axis=0) + scale[:, None] * random.standard_normal((n, k))
    return draws


def _bayes(
    c: AgainstAll, alpha: float, bounded: bool, step_down: bool, random: np.random.Generator
) -> Frame:
    x = c.field.x
    draws = posterior_means(x, random)
    # behind the best of the others, as the estimate is: ahead of it where a model is the best itself
    two = np.partition(draws, -2, axis=1)[:, -2:]
    lag = draws - np.where(draws == two[:, 1:], two[:, :1], two[:, 1:])
    low, high = np.quantile(lag, [alpha, 1 - alpha], axis=0)
    found = _difference(c.field.mean)
    # the best of many draws lies above the best mean
    low, high = np.minimum(low, found), np.maximum(high, found)
    frame: Frame = {"estimate": found, "conf_low": low, "conf_high": high}
    if not bounded:
        best = np.bincount(draws.argmax(axis=1), minlength=x.shape[1]) / len(draws)
        order = np.argsort(-best, kind="stable")
        # smallest set of models that holds the best with probability 1 - alpha, and their exact copies
        size = int(np.searchsorted(np.cumsum(best[order]), 1 - alpha - 1e-12)) + 1
        inside = (x[:, :, None] == x[:, None, order[:size]]).all(axis=0).any(axis=1)
        return frame | {"probability": best, "in_set": inside, "decision": _plain(inside)}
    near = (lag > -c.field.unit.mean()).mean(axis=0)
    decision = np.where(
        near >= 1 - alpha,
        "equivalent to the best",
        np.where(near <= alpha, "worse than the margin", "undecided"),
    ).astype(object)
    return frame | {"probability": near, "in_set": near >= 1 - alpha, "decision": decision}


def _ci_overlap(
    c: AgainstAll, alpha: float, bounded: bool, step_down: bool, random: np.random.Generator
) -> Frame:
    """The published rule: mean at least the lower end of the best model's percentile interval."""
    x, mean = c.field.x, c.field.mean
    seed = int(random.integers(2**63))
    found = summarise_means(
        x, subject_counts(len(x), "auto", seed), ["percentile"], conf_level=1 - alpha
    ).limits["percentile"]
    best = int(np.argmax(mean))
    inside = mean >= found[0][best]
    decision = np.where(inside, "not separated by the rule", "below the rule").astype(object)
    frame = {"estimate": _difference(mean), "in_set": inside, "decision": decision}
    return frame | {"conf_low": found[0] - mean[best], "conf_high": found[1] - mean[best]}


_RUN: dict[str, Callable[..., Frame]] = {
    "mcb": _mcb,
    "mcs": _mcs,
    "bayes": _bayes,
    "ci_overlap": _ci_overlap,
}


def _words(
    block: Block,
    limits: Bounds | None,
    method: str,
    variance: str,
    family: str,
    alpha: float,
    step_down: bool,
    outcome: Outcome,
) -> Info:
    promise = {
        "mcb": f"each model that is truly best stays in its set with probability {1 - alpha:g}",
        "mcs": f"all models that are truly best stay in the set together with probability {1 - alpha:g}",
        "tost": f"any false claim of being within the margin has probability at most {alpha:g}",
        "bayes": "posterior probabilities under a flat prior and one subject-by-model variance",
        "ci_overlap": "no error rate holds, models far below the best are kept when subjects differ much",
    }[method]
    return Info(
        estimand="mean minus the best of the others",
        adjust="holm" if method == "tost" else "",
        outcome=outcome,
        formula=str(block.formula),
        method=METHODS[method],
        margin=None if limits is None else limits.words,
        margin_origin="" if limits is None else limits.origin,
        rule=(
            "the set holds the models whose interval of the difference to the best reaches above 0"
            if limits is None
            else "the set holds the models shown to be less than the margin below the best"
        ),
        family=scope_name(block.formula.by, family) or "all models",
        alpha=alpha,
        n_subject=len(block.clusters),
        by=list(block.formula.by),
        resampled=Drawn(
            {"bayes": "posterior draws", "ci_overlap": f"{block.cluster}s"}.get(method, "")
        ),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        not_concluded=(
            "a set without a margin says what could not be excluded; being in it is no evidence of equality"
            if limits is None
            else "undecided models were shown neither to be within the margin nor to be worse by more than it; some "
            "of them can still be shown to differ from the best"
        ),
        extra={
            "set_method": method,
            "promise": promise
            + (
                f", in {scope_name(block.formula.by, family)}"
                if family == "all" and block.formula.by
                else ""
            ),
            "selection": (
                "the best is selected on the same data; the intervals account for it"
                if method != "ci_overlap"
                else "the best is selected on the same data; the rule ignores it"
            ),
            "variance": variance,
            "step_down": step_down,
        },
    )
