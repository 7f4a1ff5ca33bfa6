"""What each model adds to the others: unique and shared variance, with intervals over subjects and stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from apastats.arguments import choice, whole
from apastats.bootstrapping.bootstrap_rdms import drawn_factors, stimulus_cells, stimulus_plans
from apastats.bootstrapping.tables import give_warnings, how_many
from apastats.bootstrapping.unique_labels import (
    ESTIMANDS,
    ceiling_parts,
    how_made,
    labels_of,
    metric_of,
    tested_parts,
)
from apastats.bootstrapping.unique_result import KEYS, UniqueVariance
from apastats.errors import DesignError, InputError, SmallSampleWarning, warn
from apastats.io.rdm_set import RDMSet
from apastats.numbers.explained import unique_coordinates
from apastats.recording import verb
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.results import Provenance
from apastats.scoring.commonality import MOST, members_of
from apastats.scoring.fitted.crossvalidated import default_k, folds_of
from apastats.scoring.partial_similarity import METHODS, correlations, predictors_of
from apastats.scoring.stimuli.stimuli import StimulusSetup
from apastats.scoring.unique_kernel import Asked, Question
from apastats.seeds import RngLike, block_generator, seed_sequence
from apastats.words import STIMULI, SUBJECTS, Drawn, Held, Info, Outcome

__all__ = ["UniqueVariance", "unique_variance"]

MEASURES = ("unique", "semipartial", "partial", "coefficient")
# of a share of variance where it is small against its spread over subjects, the interval is too short: measured
# in docs/calibration_intervals.md
CLEAR = 3.0


@verb
def unique_variance(
    brain: Any,
    models: Any,
    *,
    method: Literal["pearson", "spearman", "kendall"] = "spearman",
    measure: Literal["unique", "semipartial", "partial", "coefficient"] = "unique",
    groups: Mapping[str, Sequence[str]] | None = None,
    parts: Literal["unique", "all", "ordered"] = "unique",
    nonnegative: bool = False,
    cross_validate: str | Sequence[str] | None = None,
    n_fold: int | None = None,
    n_cv: int = 5,
    cluster: str | Sequence[str] = "subject",
    interval: str = "auto",
    n_resamples: Resamples = "auto",
    conf_level: float = 0.95,
    rng: RngLike = None,
    n_jobs: int = 1,
) -> UniqueVariance:
    """Variance of brain RDMs that each model explains beyond all others, alone and shared.

    Parameters
    ----------
    brain, models : RDMSet or anything :func:`apastats.read_rdms` takes
        As in :func:`apastats.score`; two models or more.
    method : {"spearman", "pearson", "kendall"}
        Correlation everything is made of; shares of variance and coefficients need one of the first two.
    measure : {"unique", "semipartial", "partial", "coefficient"}
        Shares of variance (R2 and its parts); the semipartial correlation (others taken out of the model), the partial
        one (out of the subject too); the standardised coefficient of a regression on all models.
    groups : mapping of str to list of str, optional
        Models that count as one, by the name of the group; every model once. By default every model.
    parts : {"unique", "all", "ordered"}
        Of shares of variance. ``unique``: of every group beyond all others, what two or more share, and the total.
        ``all``: of every set of groups what it explains in common (commonality analysis, up to 10 groups).
        ``ordered``: of every group beyond those before it, in the order given (hierarchical regression).
    nonnegative : bool
        Whether coefficients are 0 or more, in shares of variance and ``coefficient``.
    cross_validate : {"subject", "stimulus"} or both, optional
        R2 on data the coefficients were not fitted to: of subjects whose coefficients are those of the others, of
        stimuli not used; in every resample.
    n_fold : int, optional
        Folds of the stimuli; by default 2 to 5, by what a resample keeps.
    n_cv : int
        Random partitions of the stimuli into folds.
    cluster : "subject", "stimulus" or both
        What is resampled.
    interval : str
        As in :func:`apastats.bootstrap`; "auto" is studentized for subjects alone and t where stimuli are drawn.
    n_resamples : "auto", "exact" or int
        As in :func:`apastats.bootstrap`.
    conf_level : float
        Level of the intervals.
    rng : int, Generator, SeedSequence or None
        Seed of draws and folds.
    n_jobs : int
        Processes, where stimuli are drawn; never changes a number.

    Returns
    -------
    UniqueVariance
        Also with ``.test(bounds=)`` (against 0 and against a margin, max-T over models and regions), ``.ceilings()``,
        ``.bands()`` (joint intervals), ``.scores`` (every subject's parts).

        Columns: ``roi`` (region), ``part`` (unique, shared, added or total variance; or the measure), ``model``
        (model, or what is compared), ``estimate`` (what is estimated, from the data themselves), ``std_error``
        (standard error), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``n_subject`` (subjects), ``method`` (how the interval or test was
        made), ``mcse`` (Monte-Carlo standard error), ``conf_low_mcse`` (Monte-Carlo error of the lower limit),
        ``conf_high_mcse`` (Monte-Carlo error of the upper limit), ``settled`` (whether more resamples could not
        change the decision), ``ceiling_lower`` (lower noise ceiling), ``ceiling_upper`` (upper noise ceiling).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.partial_similarity`; an option that the measure does not have.
    DesignError
        Fewer than two subjects in an ROI, or too few stimuli for the folds.

    Warns
    -----
    SmallSampleWarning
        Where a unique variance is small against its spread over subjects: its interval covers less than it says.

    See Also
    --------
    commonality, partial_similarity, regression_rsa, variance_partitioning, evaluate_fitted

    Notes
    -----
    The estimate is the mean over subjects of their parts. With R the correlations among models and r those with the
    subject, ``R2 = r'R^-1 r``, ``unique_k = R2 - R2(without k)`` and, for a set A of groups, ``C(A) = sum over T in A
    of (-1)^(|T| + 1) R2(T and all not in A)`` (Nimon et al. 2008); all C(A) sum to R2. Noise adds to R2 and to unique
    parts, as nothing is held out: a model that adds nothing has a unique variance above 0, on average one divided by
    the effective number of pairs. Test with ``.test()``, or hold data out.

    Held out, ``R2 = 2 w'r - w'R w`` with R and r of the test data and w fitted to the training data, RDMs standardised
    in both; it is below 0 where a prediction is worse than the mean.

    The ceiling of a model's part is what the pooled RDM of the other subjects (lower), or of all (upper), would add in
    its place; for shared parts and the total that of all models. With drawn stimuli a pair (a, b) weighs ``c_a c_b``;
    with both factors the variance is corrected as in :func:`apastats.bootstrap`.

    References
    ----------
    .. [1] Nimon, K., Lewis, M., Kane, R., & Haynes, R. M. (2008). An R package to compute commonality
       coefficients in the multiple regression case. Behavior Research Methods, 40(2), 457–466.
       https://doi.org/10.3758/BRM.40.2.457
    .. [2] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(
    ...     n_subject=8, n_stimulus=16, rois=["V1", "V2"], n_model=2, n_layer=1, rng=0
    ... )
    >>> found = unique_variance(rdms.brain, rdms.models, cross_validate="subject")
    >>> found.table.loc[found.table["roi"] == "V1", "part"].tolist()
    ['unique', 'unique', 'shared', 'total']
    """
    _check_options(method, measure, groups, parts, nonnegative, cross_validate)
    held_out = _held_out(cross_validate)
    drawn = drawn_factors(cluster)
    targets, predictors, log = predictors_of(brain, models)
    names = _names(predictors)
    members = members_of(groups, names, most=MOST if parts == "all" else len(names))
    # dependent models are refused before anything is drawn
    correlations(targets, predictors, method)
    root = seed_sequence(rng)
    n_stimulus = len(targets.stimuli)
    folds = None
    if "stimulus" in held_out:
        folds = _folds(n_stimulus, n_fold, n_cv, root, resampled="stimulus" in drawn)
    elif n_fold is not None:
        raise InputError("n_fold", n_fold, "None, unless cross_validate has 'stimulus'")
    question = Question(
        tuple(members.values()), measure, parts, nonnegative, folds, "subject" in held_out
    )
    signed = "self" if measure != "unique" else "held out" if held_out else "root"
    single = tuple(g for g, m in enumerate(question.groups) if len(m) == 1)
    asked = Asked(METHODS[method], question, single if signed == "root" else ())
    labels = labels_of(question, list(members))
    design = _Design(targets, predictors, asked, drawn, root, n_resamples, n_jobs)
    arrays, plan = _by_subject(design) if drawn == ("subject",) else _by_stimulus(design)
    if drawn != ("subject",) and interval == "auto":
        interval = "t"
    arrays |= _tested_arrays(arrays, design, labels, signed)
    rois, subjects = design.rois, design.subjects
    words = " and ".join({"subject": "subjects", "stimulus": "stimuli"}[d] for d in drawn)
    info = Info(
        estimand=ESTIMANDS[measure],
        outcome=Outcome(
            "score",
            ESTIMANDS[measure],
            metric=metric_of(question, method, held_out),
            levels="part" if measure == "unique" else "model",
        ),
        interval="studentized" if interval == "auto" else interval,
        conf_level=float(conf_level),
        alternative="two-sided",
        n_subject=len(subjects),
        method=how_made(question, method, held_out, words),
        resampled=Drawn(words, number=how_many(plan)),
        held_fixed=_held_fixed(drawn),
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        extra={
            "plan": " + ".join(drawn),
            "quantile_rule": "linear",
            "cluster": " + ".join(drawn),
            "metric": metric_of(question, method, held_out),
            "measure": measure,
            "nonnegative": nonnegative,
            "signed": signed,
            "unit": "of the variance" if measure == "unique" else "in units of the correlation",
            "cross_validated_over": list(held_out),
            "n_stimulus": n_stimulus,
            "n_fold": None if folds is None else int(folds.max()) + 1,
            "n_cv": None if folds is None else n_cv,
            "groups": {g: [names[k] for k in m] for g, m in members.items()},
            "parts": labels,
            "tested_parts": tested_parts(question, labels, signed, drawn),
            "dims": [len(m) for m in question.groups] + [len(names)],
            "ceiling_parts": ceiling_parts(question, labels),
            "rois": rois,
            "subjects": subjects,
        },
    )
    keys = pd.DataFrame([(r, *p) for p in labels for r in rois], columns=KEYS)
    provenance = Provenance(data_hash=f"{targets.hash} {predictors.hash}", seed=plan.seed)
    draft = UniqueVariance(keys, info, provenance, arrays)
    table = _with_ceilings(draft._table(), draft, question)
    notes = (*log, *give_warnings(table, KEYS, info), *_warned(draft, signed))
    return replace(draft, table=table, notes=notes)


# ------------------------------------------------------------------ arguments
def _check_options(
    method: str, measure: str, groups: Any, parts: str, nonnegative: bool, cross_validate: Any
) -> None:
    """Refuse what the measure does not have."""
    choice("method", method, METHODS)
    choice("measure", measure, MEASURES)
    choice("parts", parts, ("unique", "all", "ordered"))
    if measure in ("unique", "coefficient") and method == "kendall":
        raise InputError(
            "method", method, "'pearson' or 'spearman': there is no regression by Kendall's tau"
        )
    if measure != "unique":
        for option, value, default in (
            ("groups", groups, None),
            ("parts", parts, "unique"),
            ("cross_validate", cross_validate, None),
        ):
            if value != default:
                raise InputError(option, value, f"its default with measure={measure!r}")
        if nonnegative and measure != "coefficient":
            raise InputError("nonnegative", nonnegative, f"False with measure={measure!r}")


def _held_out(cross_validate: str | Sequence[str] | None) -> tuple[str, ...]:
    """Factors that are held out, subjects first."""
    given = (
        ()
        if cross_validate is None
        else (cross_validate,)
        if isinstance(cross_validate, str)
        else tuple(cross_validate)
    )
    if not set(given) <= {"subject", "stimulus"} or len(set(given)) < len(given):
        raise InputError(
            "cross_validate",
            cross_validate,
            "None, 'subject', 'stimulus' or ('subject', 'stimulus')",
        )
    return tuple(f for f in ("subject", "stimulus") if f in given)


def _held_fixed(drawn: tuple[str, ...]) -> tuple[Held, ...]:
    """What a claim does not reach beyond."""
    other = {"subject": (STIMULI,), "stimulus": (SUBJECTS,)}
    alone = other[drawn[0]] if len(drawn) == 1 else ()
    return (*alone, Held("layers"))


def _names(models: RDMSet) -> list[str]:
    labels = models.labels
    one = labels["layer"].nunique() == 1
    return list(labels["model"] if one else labels["model"] + " " + labels["layer"])


def _folds(
    n: int, n_fold: int | None, n_cv: int, root: np.random.SeedSequence, *, resampled: bool
) -> np.ndarray:
    """Folds ``[n_cv, n]`` of the stimuli: the same in every resample, so that copies stay together."""
    whole("n_cv", n_cv, least=1)
    k = default_k(n, (12, 24, 40)) if n_fold is None else whole("n_fold", n_fold, least=2)
    # a fold needs four stimuli, and a resample keeps about two thirds of them
    least = (6 if resampled else 4) * k
    if n < least:
        raise DesignError(f"{n} stimuli are too few for {k} folds: {least} are needed")
    rng = block_generator(root, 7)
    return folds_of(np.ones((n_cv, n), dtype=bool), k, rng)


# ------------------------------------------------------------------ arrays
class _Design:
    """What is computed, in every ROI."""

    def __init__(
        self,
        targets: RDMSet,
        models: RDMSet,
        asked: Asked,
        drawn: tuple[str, ...],
        root: np.random.SeedSequence,
        n_resamples: Resamples,
        n_jobs: int,
    ) -> None:
        self.targets, self.asked, self.drawn, self.root = targets, asked, drawn, root
        self.n_resamples, self.n_jobs = n_resamples, n_jobs
        self.y = np.asarray(models.vectors, dtype=np.float64)
        labels = targets.labels
        self.subjects = sorted(labels["subject"].unique())
        self.rois = [str(r) for r in pd.unique(labels["roi"])]
        self.rows = {r: np.flatnonzero((labels["roi"] == r).to_numpy()) for r in self.rois}
        self.present = {
            r: np.array([self.subjects.index(s) for s in labels["subject"].iloc[rows]])
            for r, rows in self.rows.items()
        }
        few = [r for r in self.rois if len(self.rows[r]) < 2]
        if few:
            raise DesignError(f"ROI {few[0]!r} has one subject; at least 2 are needed")

    def x(self, roi: str) -> np.ndarray:
        """RDMs of an ROI, ``[S, n_pair]``."""
        return np.asarray(self.targets.vectors[self.rows[roi]], dtype=np.float64)

    def plain(self) -> np.ndarray:
        """All columns of every subject, ``[n, column, roi]``."""
        found: np.ndarray | None = None
        for r, roi in enumerate(self.rois):
            kernel = self.asked(self.x(roi), self.y)
            made = kernel.values(np.ones((1, kernel.n)))[0]
            if found is None:
                found = np.full((len(self.subjects), made.shape[1], len(self.rois)), np.nan)
            found[self.present[roi], :, r] = made
        if found is None:  # pragma: no cover - RDM sets have an ROI
            raise DesignError("no ROI")
        return found


def _by_subject(design: _Design) -> tuple[dict[str, np.ndarray], Plan]:
    """Subjects' values, for resamples of subjects."""
    found = design.plain()
    n = len(design.subjects)
    plan = subject_counts(n, design.n_resamples, design.root)
    arrays = _parted({"values": found.reshape(n, -1)}, design)
    if not plan.exact:
        arrays["counts"] = plan.counts
    arrays["scores"] = found[:, : len(design.asked.question.sets)]
    return arrays, plan


def _by_stimulus(design: _Design) -> tuple[dict[str, np.ndarray], Plan]:
    """Replicates of resamples of stimuli, or of both."""
    units, plan, others = stimulus_plans(
        design.drawn, len(design.targets.stimuli), None, len(design.subjects), design.n_resamples, design.root,
        False,
    )  # fmt: skip
    setups = [
        StimulusSetup(
            design.x(roi), design.y, design.asked.method, plan, others, design.present[roi], units,
            False, False, joint=design.asked,
        )
        for roi in design.rois
    ]  # fmt: skip
    found = design.plain()
    arrays = stimulus_cells(setups, found.shape[1], False, design.n_jobs, None)
    sizes = arrays.pop("n_subject")
    arrays = _parted(arrays, design)
    parts = len(design.asked.question.sets) * len(design.rois)
    arrays["n_subject"] = sizes[:parts]
    held = len(design.asked.question.held) * len(design.rois)
    arrays["ceiling_n_subject"] = np.tile(sizes[: len(design.rois)], 2 * held // len(design.rois))
    arrays["scores"] = found[:, : len(design.asked.question.sets)]
    return arrays, plan


def _parted(arrays: dict[str, np.ndarray], design: _Design) -> dict[str, np.ndarray]:
    """Columns of parts, of what is tested, and of ceilings under their own names."""
    r, q = len(design.rois), design.asked.question
    ends = np.cumsum([len(q.sets) * r, len(design.asked.tested) * r])
    out: dict[str, np.ndarray] = {}
    for name, a in arrays.items():
        for prefix, piece in zip(
            ("", "test_", "ceiling_"), np.split(a, ends, axis=-1), strict=True
        ):
            if piece.shape[-1]:
                out[prefix + name] = np.ascontiguousarray(piece)
    return out


def _tested_arrays(
    arrays: dict[str, np.ndarray], design: _Design, labels: list[list[str]], signed: str
) -> dict[str, np.ndarray]:
    """What the tests need beside the parts: coordinates of every subject, or the parts' own replicates."""
    q = design.asked.question
    if "replicates" in arrays:
        if signed == "root":
            return {}
        kept = [j for j, p in enumerate(labels) if p[0] != "shared"]
        r = len(design.rois)
        cells = np.concatenate([np.arange(j * r, (j + 1) * r) for j in kept])
        names = ("replicates", "estimate", "std_error", "df")
        return {f"test_{k}": arrays[k][..., cells] for k in names}
    if signed != "root":
        return {}
    groups = [*q.groups, np.concatenate(q.groups)]
    found = np.full((len(design.subjects), sum(map(len, groups)), len(design.rois)), np.nan)
    for r, roi in enumerate(design.rois):
        kernel = design.asked(design.x(roi), design.y)
        moments = kernel.correlations(np.ones((1, kernel.n)))
        made = [
            unique_coordinates(moments.among[0], moments.toward[0], group, held)
            for group, held in zip(groups, q.held, strict=True)
        ]
        found[design.present[roi], :, r] = np.concatenate(made, axis=1)
    return {"coordinates": found}


# ------------------------------------------------------------------ what goes beside the parts
def _with_ceilings(table: pd.DataFrame, draft: UniqueVariance, q: Question) -> pd.DataFrame:
    """Mean ceilings beside the parts."""
    if q.measure == "coefficient":
        return table
    r = len(draft.info["rois"])
    flat = draft.arrays.get("ceiling_estimate")
    if flat is None:
        flat = np.nanmean(draft.arrays["ceiling_values"], axis=0)
    bounds = flat.reshape(2, len(q.held), r)[:, q.ceiling_of].reshape(2, -1)
    return table.assign(ceiling_lower=bounds[0], ceiling_upper=bounds[1])


def _warned(draft: UniqueVariance, signed: str) -> tuple[str, ...]:
    """Warn of intervals of unique variances near 0, which cover less than they say with few subjects."""
    if signed != "root" or "coordinates" not in draft.arrays:
        return ()
    info = draft.info
    sizes = np.asarray(info["dims"])
    starts = np.cumsum(sizes) - sizes
    rows = []
    for start, size, name in zip(starts, sizes, info["tested_parts"], strict=True):
        if size > 1 or name[0] == "total":
            continue
        c = draft.arrays["coordinates"][:, start]
        spread = np.nanstd(c, axis=0, ddof=1)
        near = np.abs(np.nanmean(c, axis=0)) < CLEAR * spread
        rows += [
            f"{' '.join(name)} in {roi}" for roi, n in zip(info["rois"], near, strict=True) if n
        ]
    if not rows:
        return ()
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    text = (
        f"unique variances that are small against their spread over subjects: {', '.join(rows[:3])}{more}; a mean of "
        "squares is skewed there, and its interval covers less than it says; in Python: "
        ".test() tests the signed correlation behind it; cross_validate= holds data out"
    )
    warn(text, SmallSampleWarning)
    return (text,)
