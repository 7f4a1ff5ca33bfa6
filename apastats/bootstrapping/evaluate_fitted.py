"""Fitted models of RDMs, cross-validated inside every resample, as one bootstrap result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from apastats.arguments import checked, level
from apastats.bootstrapping.fitted_arguments import (
    Described,
    described_models,
    fold_plan,
    noise_variances,
)
from apastats.bootstrapping.fitted_rois import FoldPlan, RoiFound, gathered, of_roi
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.tables import give_warnings
from apastats.calls import not_among
from apastats.errors import DataError, DesignError, InputError
from apastats.io.rdm_set import RDMSet, aligned, joined
from apastats.io.read_rdms import as_rdms
from apastats.numbers.few import few_level
from apastats.recording import verb
from apastats.results import Provenance
from apastats.scoring.fitted.folds import FittedKernel, Rule
from apastats.scoring.fitted.signs import TAUS
from apastats.scoring.methods import METHODS, parse_method
from apastats.scoring.score import checked_brain
from apastats.seeds import RngLike, recorded_seed
from apastats.table import ScoreTable
from apastats.words import STIMULI, SUBJECTS, Drawn, Info, Outcome

__all__ = ["FittedEvaluation", "evaluate_fitted", "percentile_limits"]


class FittedEvaluation(BootstrapResult):
    """Cross-validated scores of fitted models, with everything a bootstrap result can do.

    ``table``: ``model, roi``, the columns of :class:`BootstrapResult`, ``ceiling_lower, ceiling_upper``
    (cross-validated alike), ``apparent`` (score on the data fitted to) and ``optimism`` (apparent minus estimate).
    """

    kind: ClassVar[str] = "fitted_evaluation"

    @property
    def scores(self) -> ScoreTable:
        """Cross-validated score of every model and subject, and that of the pooled RDM of the other subjects.

        For ``equivalence``, ``equivalence_set``, ``discriminability``, alignment patterns. The models of two
        subjects were fitted to shared data: tests over these subjects take the fitted models as given.
        """
        values = self.arrays["scores"]
        models = [*self.info["models"], "others"]
        r, s, k = (i.ravel() for i in np.indices(values.shape))
        rois, names = np.array(self.info["rois"]), np.array(models, dtype=object)
        other = k == len(models) - 1
        frame = pd.DataFrame(
            {
                "kind": np.where(other, "leave_one_out", "model"),
                "model": names[k],
                "layer": np.where(other, rois[r], "-"),
                "subject": np.array(self.info["subjects"])[s],
                "roi": rois[r],
                "metric": self.info["metric"],
                "reference_from": np.where(other, "pooled_rdms", "-"),
                "score": values.ravel(),
            }
        )
        frame = frame[np.isfinite(frame["score"])].reset_index(drop=True)
        return ScoreTable(frame, source="cross-validated scores")

    @checked
    def weights(self, *, conf_level: float | None = None) -> pd.DataFrame:
        """Weights of the members in the fit to all data, with percentile intervals over the resamples.

        Where one factor is drawn they are widened for few units (:mod:`apastats.numbers.few`).

        Parameters
        ----------
        conf_level : float, optional
            Level of the intervals; that of the result by default.

        Returns
        -------
        pandas.DataFrame
            ``roi, model, member, weight, conf_low, conf_high, conf_level, chosen``: weights on the members as
            given, of length 1 together (of sum 1 for ``interpolate``; 0 and 1 for ``select``); ``chosen`` is the
            share of resamples in which the member has a weight other than 0.
        """
        draws = self.arrays["weight_replicates"]
        low, high, conf_level = self._limits(draws, conf_level)
        members = pd.DataFrame(self.info["members"], columns=["model", "member"])
        rois = self.info["rois"]
        out = pd.concat([members] * len(rois), ignore_index=True)
        out.insert(0, "roi", np.repeat(rois, len(members)))
        return out.assign(
            weight=self.arrays["member_weights"].ravel(),
            conf_low=low.ravel(),
            conf_high=high.ravel(),
            conf_level=conf_level,
            chosen=np.nanmean(
                np.where(np.isnan(draws), np.nan, np.abs(draws) > 1e-9), axis=0
            ).ravel(),
        )

    def _limits(
        self, draws: np.ndarray, conf_level: float | None
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Quantiles of draws ``[b, ...]`` at a level, read on the scale of Student's t for few units; the level."""
        said: float = self.info["conf_level"]
        wanted = said if conf_level is None else level("conf_level", conf_level)
        sizes = {"subject": self.info.n_subject, "stimulus": self.info["n_stimulus"]}
        low, high = percentile_limits(draws, sizes.get(self.info["plan"]), wanted)
        return low, high, float(wanted)

    @checked
    def optimism(self, *, conf_level: float | None = None) -> pd.DataFrame:
        """What cross-validation removed: the score on the data fitted to minus the cross-validated one.

        Parameters
        ----------
        conf_level : float, optional
            Level of the percentile intervals over the resamples, widened for few units; that of the result by default.

        Returns
        -------
        pandas.DataFrame
            ``model, roi, apparent, estimate, optimism, conf_low, conf_high, conf_level``.
        """
        low, high, conf_level = self._limits(self.arrays["optimism_replicates"], conf_level)
        columns = ["model", "roi", "apparent", "estimate", "optimism"]
        return self.table[[c for c in columns if c in self.table]].assign(
            conf_low=low, conf_high=high, conf_level=conf_level
        )


def percentile_limits(
    draws: np.ndarray, n: int | None, conf_level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of draws ``[b, ...]`` of n units, read on the scale of Student's t; None where both factors are drawn.

    Draws of both factors count the noise of a measurement twice: they are wide enough as they are.
    """
    tail = (1 - conf_level) / 2
    if n is not None:
        tail = few_level(tail, int(n) - 1, float(np.sqrt((n - 1) / n)))
    low, high = np.nanquantile(draws, [tail, 1 - tail], axis=0)
    return low, high


@verb
def evaluate_fitted(
    brain: Any,
    models: Any,
    *,
    method: str = "corr",
    cluster: str | Sequence[str] = ("subject", "stimulus"),
    k_subject: int | None = None,
    k_stimulus: int | None = None,
    n_cv: int = 2,
    interval: Literal["t", "percentile", "basic", "normal"] = "t",
    n_resamples: int | Literal["auto"] = "auto",
    conf_level: float = 0.95,
    sigma_k: Any = None,
    rng: RngLike = None,
    n_jobs: int = 1,
    batch: int | None = None,
) -> FittedEvaluation:
    """Scores of fitted models on data they were not fitted to, with intervals, ceilings and weights.

    Parameters
    ----------
    brain : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled with ``subject`` and ``roi`` (without it the ROI is "-").
    models : FittedModel, rsatoolbox model, RDMs, or a list of these
        What :func:`apastats.fitted` makes; rsatoolbox's ModelSelect, ModelWeighted (free weights, or non-negative ones
        where that is its default fitter), ModelInterpolate; and fixed RDMs to compare with.
    method : {"corr", "cosine", "corr_cov", "cosine_cov", "spearman", "rho-a", "tau-a", "tau-b", "kendall"}
        Criterion of fit and score; rank methods for ``select`` and ``interpolate`` only. Kendall's taus compare all
        pairs of entries and take minutes for some 90 stimuli; rho-a orders models likewise in seconds.
    cluster : "subject", "stimulus" or both
        What is resampled.
    k_subject, k_stimulus : int, optional
        Folds over subjects and over stimuli; 1 does not cross-validate over that factor. By default 2 to 5, by what a
        resample keeps (as in rsatoolbox).
    n_cv : int
        Random partitions into folds per resample; two or more, for the correction of the variance.
    interval : {"t", "percentile", "basic", "normal"}
        As in :func:`apastats.bootstrap`.
    n_resamples : int or "auto"
        Resamples; "auto" is 999.
    conf_level : float
        Level.
    sigma_k : array, ``[n_stimulus]``, optional
        For the whitened criteria (``corr_cov``, ``cosine_cov``): noise variance of each stimulus, in the order of the
        RDMs. Equal ones by default; a full covariance has no form under draws of stimuli.
    rng : int, Generator, SeedSequence or None
        Seed of draws and folds.
    n_jobs : int
        Workers (joblib).
    batch : int, optional
        Resamples per task of a worker; changes memory, never numbers.

    Returns
    -------
    FittedEvaluation
        Also with ``.scores`` (a score table for the other verbs), ``.weights()``, ``.optimism()``, ``.ceilings()``,
        ``.below_ceiling()``, ``.bands()``.

        Columns: ``model`` (model, or what is compared), ``roi`` (region), ``estimate`` (what is estimated,
        from the data themselves), ``std_error`` (standard error), ``conf_low`` (lower limit of the interval),
        ``conf_high`` (upper limit of the interval), ``conf_level`` (level of the interval), ``n_subject``
        (subjects), ``method`` (how the interval or test was made), ``mcse`` (Monte-Carlo standard error),
        ``conf_low_mcse`` (Monte-Carlo error of the lower limit), ``conf_high_mcse`` (Monte-Carlo error of the
        upper limit), ``settled`` (whether more resamples could not change the decision), ``ceiling_lower``
        (lower noise ceiling), ``ceiling_upper`` (upper noise ceiling), ``apparent`` (value on the data of the
        fit), ``optimism`` (apparent minus held out).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.score`; a criterion that the model cannot be fitted by; nothing cross-validated.
    DesignError
        Fewer subjects or stimuli than the folds need.

    See Also
    --------
    fitted, evaluate_rdms, regression_rsa

    Notes
    -----
    The estimate is the mean over subjects of their held-out scores, mean over 200 partitions of the data (as few as
    50 with many members); draws of subjects alone use these partitions too. In a resample, copies of a subject or a
    stimulus are in one fold together. Variance over the resamples, corrected for the random folds by
    ``(n V_mean - V_1) / (n - 1)``, with both factors by :func:`apastats.scoring.stimuli.two_factor.dual_variance`
    (Schuett, Kipnis, Diedrichsen and Kriegeskorte 2023, eLife 12:e82566). Derivation of the fits:
    :mod:`apastats.scoring.fitted`.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553
    .. [2] Schuett, H. H., Kipnis, A. D., Diedrichsen, J., & Kriegeskorte, N. (2023). Statistical inference on
       representational geometries. eLife, 12, e82566. https://doi.org/10.7554/eLife.82566

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(
    ...     n_subject=6, n_stimulus=16, rois=["V1", "V2"], n_model=1, n_layer=3, rng=0
    ... )
    >>> model = apa.fitted("weighted", rdms.models, name="all layers")
    >>> found = evaluate_fitted(rdms.brain, model, n_resamples=1999, rng=1)
    >>> found.weights().shape
    (6, 8)
    """
    allowed = [m for m, row in METHODS.items() if row.stimuli == "weights" or parse_method(m) in TAUS]  # fmt: skip
    if method not in allowed:
        raise not_among("method", method, allowed)
    name = parse_method(method)
    given, described = checked_brain(as_rdms(brain, "brain")), described_models(models, name)
    targets, members, log = aligned(given, joined([m.members for m in described], "models"))
    if members is None:
        raise InputError("models", None, "models")
    for side, argument in ((targets, "brain"), (members, "models")):
        _complete(side, argument)
    subjects = sorted(targets.labels["subject"].unique())
    rois = list(pd.unique(targets.labels["roi"]))
    design = fold_plan(
        cluster, k_subject, k_stimulus, n_cv, n_resamples, rng, len(subjects), len(targets.stimuli)
    )
    design = replace(design, n_jobs=n_jobs, batch=batch)
    variances = noise_variances(sigma_k, name, len(targets.stimuli))
    found = _rois_found(targets, members, described, name, design, variances)
    m = len(described)
    arrays = gathered([f.columns for f in found], m)
    for key in ("member_weights", "weight_replicates", "scores"):
        arrays[key] = np.stack([f.more[key] for f in found], axis=1 if "replicates" in key else 0)
    apparent, arrays["optimism_replicates"] = (
        np.stack([f.more[key] for f in found], axis=-1).reshape(*lead, -1)
        for key, lead in (("apparent", ()), ("optimism", (design.n_resamples,)))
    )
    arrays["n_subject"] = np.tile([f.size for f in found], m)
    arrays["ceiling_n_subject"] = np.repeat([f.size for f in found], 2)
    arrays["gap_n_subject"] = arrays["n_subject"]
    keys = pd.DataFrame(
        {"model": np.repeat([d.name for d in described], len(rois)), "roi": np.tile(rois, m)}
    )
    info = _said(
        design,
        n_subject=len(subjects),
        method=method,
        interval=interval,
        conf_level=float(conf_level),
        more={
            "n_stimulus": len(targets.stimuli),
            "ceiling_rois": rois,
            "models": [d.name for d in described],
            "members": [[d.name, x] for d in described for x in d.members.labels["member"]],
            "rois": rois,
            "subjects": subjects,
        },
    )
    provenance = Provenance(
        data_hash=f"{targets.hash} {members.hash}", seed=recorded_seed(design.root)
    )
    table = BootstrapResult(keys, info, provenance, arrays)._table()
    bounds = arrays["ceiling_estimate"].reshape(len(rois), 2)
    table = table.assign(
        ceiling_lower=np.tile(bounds[:, 0], m),
        ceiling_upper=np.tile(bounds[:, 1], m),
        apparent=apparent,
        optimism=apparent - table["estimate"].to_numpy(),
    )
    notes = (*log, *_notes(found, design), *give_warnings(table, ["model", "roi"], info))
    return FittedEvaluation(table, info, provenance, arrays, notes)


def _rois_found(
    targets: RDMSet,
    members: RDMSet,
    described: list[Described],
    name: str,
    design: FoldPlan,
    variances: np.ndarray | None,
) -> list[RoiFound]:
    """Estimates and replicates of every ROI, on one thread."""
    subjects = sorted(targets.labels["subject"].unique())
    ends = np.cumsum([len(m.members) for m in described])[:-1]
    rules = [
        Rule(np.asarray(part, dtype=np.float64), m.rule, m.nonnegative, m.ridge)
        for part, m in zip(np.split(members.vectors, ends), described, strict=True)
    ]
    found = []
    with threadpool_limits(1, "blas"):
        for roi in pd.unique(targets.labels["roi"]):
            rows = np.flatnonzero((targets.labels["roi"] == roi).to_numpy())
            # in the order of the names, whatever that of the rows: draws and folds are by place
            rows = rows[np.argsort(targets.labels["subject"].to_numpy()[rows], kind="stable")]
            present = np.array([subjects.index(s) for s in targets.labels["subject"].iloc[rows]])
            if len(rows) < max(2, design.k_subject):
                raise DesignError(
                    f"ROI {roi!r} has {len(rows)} subject(s); {max(2, design.k_subject)} are needed"
                )
            kernel = FittedKernel(targets.vectors[rows], rules, name, variances)
            people = targets.labels["subject"].iloc[rows].tolist()
            _varying(kernel, people, [m.name for m in described], roi, name)
            found.append(of_roi(kernel, design, present, len(subjects)))
    return found


def _complete(rdms: RDMSet, argument: str) -> None:
    """Refuse RDMs with missing entries: a draw of stimuli weighs whole ones."""
    gaps = np.isnan(rdms.vectors).any(axis=1)
    if gaps.any():
        label = rdms.labels.drop(columns="place", errors="ignore").iloc[int(np.argmax(gaps))]
        first = ", ".join(f"{k} {v}" for k, v in label.items())
        raise DataError(
            f"{argument}: {int(gaps.sum())} of {len(gaps)} RDMs have missing entries (first: {first}); "
            "leave out those stimuli, or those RDMs"
        )


def _varying(
    kernel: FittedKernel, people: list[Any], models: list[str], roi: str, method: str
) -> None:
    """Refuse a subject, or a model all of whose members, have no similarity with anything."""
    still = np.isnan(kernel.grams(np.ones((1, kernel.n))).norm[0])
    for place in np.flatnonzero(still[: kernel.s]):
        raise DataError(
            f"the RDM does not vary: ROI {roi!r}, subject {people[place]!r}; it has no similarity by {method}"
        )
    for name, rows in zip(models, kernel.rows, strict=True):
        if still[kernel.s :][rows].all():
            raise DataError(
                f"does not vary: every RDM that model {name!r} is made of; it has no similarity by {method}"
            )


def _said(
    design: FoldPlan, *, n_subject: int, method: str, interval: str, conf_level: float, more: dict[str, Any],
) -> Info:  # fmt: skip
    """What the result says of itself."""
    words = " and ".join({"subject": "subjects", "stimulus": "stimuli"}[d] for d in design.drawn)
    folds = [
        f"{k} folds of {what}"
        for k, what in ((design.k_subject, "subjects"), (design.k_stimulus, "stimuli"))
        if k > 1
    ]
    alone = design.drawn[0] if len(design.drawn) == 1 else ""
    return Info(
        estimand="mean",
        outcome=Outcome("score", metric=method),
        interval=interval,
        conf_level=conf_level,
        alternative="two-sided",
        n_subject=n_subject,
        method=f"bootstrap of the mean RDM similarity ({method.replace('_', ' ')}) over {words}, models being "
        f"fitted in a cross-validation over {' by '.join(folds)} "
        f"({design.n_cv} random partition{'s' * (design.n_cv > 1)} each)",
        resampled=Drawn(words, number=f"{design.n_resamples:,} sampled"),
        held_fixed={"subject": (STIMULI,), "stimulus": (SUBJECTS,)}.get(alone, ()),
        n_resamples=design.n_resamples,
        exact=False,
        extra={
            "plan": " + ".join(design.drawn),
            "over": words,
            "quantile_rule": "linear",
            "metric": method,
            **more,
            "k_subject": design.k_subject,
            "k_stimulus": design.k_stimulus,
            "n_cv": design.n_cv,
        },
    )


def _notes(found: list[RoiFound], design: FoldPlan) -> list[str]:
    """What was lost, and what the random folds left in the standard errors."""
    notes = []
    lost = max(f.lost for f in found)
    if lost:
        notes.append(
            f"{lost} of {design.n_resamples} resamples have too few distinct subjects or stimuli "
            "for the folds and are left out"
        )
    empty = max(f.empty for f in found)
    if empty:
        notes.append(
            f"in {empty:.1%} of the partitions of the data something has no value (a fold in which all pairs of "
            "stimuli are tied): means are over the others"
        )
    if not all(f.corrected for f in found):
        notes.append(
            "the variance that random folds add could not be told from that of the resamples for some rows "
            "and is in their standard errors, rather too large; in Python: more resamples, or n_cv of two or more"
        )
    return notes
