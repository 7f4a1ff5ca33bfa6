"""Fitted models of RDMs, cross-validated inside every resample, as one bootstrap result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from apastats.arguments import checked, level, whole
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.tables import give_warnings
from apastats.errors import DesignError, InputError
from apastats.io.rdm_set import RDMSet, aligned, joined
from apastats.io.read_rdms import as_rdms
from apastats.recording import verb
from apastats.resampling.plans import subject_counts
from apastats.results import Provenance
from apastats.scoring.fitted.crossvalidated import (
    Crossvalidated,
    crossvalidated,
    default_k,
    without_fold_variance,
)
from apastats.scoring.fitted.fitted import FittedModel, of_rsatoolbox
from apastats.scoring.fitted.folds import FittedKernel, Rule
from apastats.scoring.methods import METHODS, comparison, parse_method
from apastats.scoring.score import checked_brain, checked_models
from apastats.scoring.stimuli.stimuli import two_factor_df
from apastats.scoring.stimuli.two_factor import dual_variance
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import ScoreTable
from apastats.words import Info, Outcome

__all__ = ["FittedEvaluation", "evaluate_fitted"]

_ROWS = 256  # weights of pairs made at once; part of the definition of the random folds
_PARTITIONS = 50  # of the data themselves
_AUTO = 999


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
        conf_level = (
            self.info["conf_level"] if conf_level is None else level("conf_level", conf_level)
        )
        draws = self.arrays["weight_replicates"]
        tail = (1 - conf_level) / 2
        low, high = np.nanquantile(draws, [tail, 1 - tail], axis=0)
        members = pd.DataFrame(self.info["members"], columns=["model", "member"])
        rois = self.info["rois"]
        out = pd.concat([members] * len(rois), ignore_index=True)
        out.insert(0, "roi", np.repeat(rois, len(members)))
        return out.assign(
            weight=self.arrays["member_weights"].ravel(),
            conf_low=low.ravel(),
            conf_high=high.ravel(),
            conf_level=float(conf_level),
            chosen=np.nanmean(
                np.where(np.isnan(draws), np.nan, np.abs(draws) > 1e-9), axis=0
            ).ravel(),
        )

    @checked
    def optimism(self, *, conf_level: float | None = None) -> pd.DataFrame:
        """What cross-validation removed: the score on the data fitted to minus the cross-validated one.

        Parameters
        ----------
        conf_level : float, optional
            Level of the percentile intervals over the resamples; that of the result by default.

        Returns
        -------
        pandas.DataFrame
            ``model, roi, apparent, estimate, optimism, conf_low, conf_high, conf_level``.
        """
        conf_level = (
            self.info["conf_level"] if conf_level is None else level("conf_level", conf_level)
        )
        tail = (1 - conf_level) / 2
        low, high = np.nanquantile(self.arrays["optimism_replicates"], [tail, 1 - tail], axis=0)
        columns = ["model", "roi", "apparent", "estimate", "optimism"]
        return self.table[[c for c in columns if c in self.table]].assign(
            conf_low=low, conf_high=high, conf_level=float(conf_level)
        )


@dataclass(frozen=True)
class _Design:
    """Folds and draws of an evaluation."""

    k_subject: int
    k_stimulus: int
    n_cv: int
    drawn: tuple[str, ...]
    n_resamples: int
    root: np.random.SeedSequence


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
    rng: RngLike = None,
) -> FittedEvaluation:
    """Scores of fitted models on data they were not fitted to, with intervals, ceilings and weights.

    Parameters
    ----------
    brain : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled with ``subject`` and ``roi`` (without it the ROI is "-").
    models : FittedModel, rsatoolbox model, RDMs, or a list of these
        What :func:`apastats.fitted` makes; rsatoolbox's ModelSelect, ModelWeighted (free weights, or non-negative ones
        where that is its default fitter), ModelInterpolate; and fixed RDMs to compare with.
    method : {"corr", "cosine", "corr_cov", "cosine_cov", "spearman", "rho-a"}
        Criterion of fit and score; rank methods for ``select`` and ``interpolate`` only.
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
    rng : int, Generator, SeedSequence or None
        Seed of draws and folds.

    Returns
    -------
    FittedEvaluation
        Also with ``.scores`` (a score table for the other verbs), ``.weights()``, ``.optimism()``, ``.ceilings()``,
        ``.below_ceiling()``, ``.bands()``.

    Raises
    ------
    InputError, DataError
        As :func:`apastats.score`; a criterion that the model cannot be fitted by; nothing cross-validated.
    DesignError
        Fewer subjects or stimuli than the folds need.

    Notes
    -----
    The estimate is the mean over subjects of their held-out scores, mean over 50 partitions of the data. In a
    resample, copies of a subject or a stimulus are in one fold together. Variance over the resamples, corrected
    for the random folds by ``(n V_mean - V_1) / (n - 1)``, with both factors by
    :func:`apastats.scoring.stimuli.two_factor.dual_variance` (Schuett, Kipnis, Diedrichsen and Kriegeskorte 2023,
    eLife 12:e82566). Derivation of the fits: :mod:`apastats.scoring.fitted`.

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
    name = parse_method(method)
    if comparison(name).stimuli != "weights":
        allowed = [m for m, row in METHODS.items() if row.stimuli == "weights"]
        raise InputError("method", method, f"one of {allowed}")
    given, described = checked_brain(as_rdms(brain, "brain")), _models(models, name)
    targets, members, log = aligned(given, joined([m.members for m in described], "models"))
    if members is None:
        raise InputError("models", None, "models")
    subjects = sorted(targets.labels["subject"].unique())
    rois = list(pd.unique(targets.labels["roi"]))
    design = _design(
        cluster, k_subject, k_stimulus, n_cv, n_resamples, rng, len(subjects), len(targets.stimuli)
    )
    ends = np.cumsum([len(m.members) for m in described])[:-1]
    rules = [
        Rule(np.asarray(part, dtype=np.float64), m.rule, m.nonnegative, m.ridge)
        for part, m in zip(np.split(members.vectors, ends), described, strict=True)
    ]
    found = []
    with threadpool_limits(1, "blas"):
        for roi in rois:
            rows = np.flatnonzero((targets.labels["roi"] == roi).to_numpy())
            present = np.array([subjects.index(s) for s in targets.labels["subject"].iloc[rows]])
            if len(rows) < max(2, design.k_subject):
                raise DesignError(
                    f"ROI {roi!r} has {len(rows)} subject(s); {max(2, design.k_subject)} are needed"
                )
            kernel = FittedKernel(targets.vectors[rows], rules, name)
            found.append(_of_roi(kernel, design, present, len(subjects)))
    m = len(described)
    arrays = _gathered([f.columns for f in found], m)
    for key in ("member_weights", "weight_replicates", "scores"):
        arrays[key] = np.stack([f.more[key] for f in found], axis=1 if "replicates" in key else 0)
    apparent, optimism = (
        np.stack([f.more[key] for f in found], axis=-1).reshape(*lead, -1)
        for key, lead in (("apparent", ()), ("optimism", (design.n_resamples,)))
    )
    arrays["optimism_replicates"] = optimism
    arrays["n_subject"] = np.tile([f.size for f in found], m)
    arrays["ceiling_n_subject"] = np.repeat([f.size for f in found], 2)
    arrays["gap_n_subject"] = arrays["n_subject"]
    keys = pd.DataFrame(
        {"model": np.repeat([d.name for d in described], len(rois)), "roi": np.tile(rois, m)}
    )
    words = " and ".join({"subject": "subjects", "stimulus": "stimuli"}[d] for d in design.drawn)
    folds = [
        f"{k} folds of {what}"
        for k, what in ((design.k_subject, "subjects"), (design.k_stimulus, "stimuli"))
        if k > 1
    ]
    info = Info(
        estimand="mean",
        outcome=Outcome("score", metric=method),
        interval=interval,
        conf_level=float(conf_level),
        alternative="two-sided",
        n_subject=len(subjects),
        method=f"bootstrap of the mean {method} similarity over {words}, models fitted in a cross-validation over "
        f"{' x '.join(folds)} ({n_cv} random partition{'s' * (n_cv > 1)} each)",
        resampled=f"{words} ({design.n_resamples:,} sampled)",
        held_fixed={"subject": "stimuli", "stimulus": "subjects"}[design.drawn[0]]
        if len(design.drawn) == 1
        else "",
        n_resamples=design.n_resamples,
        exact=False,
        extra={
            "plan": " + ".join(design.drawn),
            "quantile_rule": "linear",
            "metric": method,
            "n_stimulus": len(targets.stimuli),
            "ceiling_rois": rois,
            "models": [d.name for d in described],
            "members": [[d.name, x] for d in described for x in d.members.labels["member"]],
            "rois": rois,
            "subjects": subjects,
            "k_subject": design.k_subject,
            "k_stimulus": design.k_stimulus,
            "n_cv": n_cv,
        },
    )
    notes = list(log)
    lost = max(f.lost for f in found)
    if lost:
        notes.append(
            f"{lost} of {design.n_resamples} resamples have too few distinct subjects or stimuli "
            "for the folds and are left out"
        )
    if not all(f.corrected for f in found):
        notes.append(
            "the variance that random folds add could not be told from that of the resamples for some rows "
            "and is in their standard errors, rather too large: more resamples, or n_cv of two or more"
        )
    provenance = Provenance(
        data_hash=f"{targets.hash} {members.hash}", seed=recorded_seed(design.root)
    )
    table = BootstrapResult(keys, info, provenance, arrays)._table()
    estimate = table["estimate"].to_numpy()
    bounds = arrays["ceiling_estimate"].reshape(len(rois), 2)
    table = table.assign(
        ceiling_lower=np.tile(bounds[:, 0], m),
        ceiling_upper=np.tile(bounds[:, 1], m),
        apparent=apparent,
        optimism=apparent - estimate,
    )
    notes += give_warnings(table, ["model", "roi"], info)
    return FittedEvaluation(table, info, provenance, arrays, tuple(notes))


# ------------------------------------------------------------------ arguments
@dataclass(frozen=True)
class _Described:
    """A model, fitted or fixed."""

    name: str
    rule: Any
    members: RDMSet
    nonnegative: bool = True
    ridge: float = 0.0


def _models(models: Any, method: str) -> list[_Described]:
    """Models in order, their members labelled by the place of the model."""
    listed = list(models) if isinstance(models, (list, tuple)) else [models]
    if isinstance(models, Mapping):
        listed = [{key: value} if not _is_fitted(value) else value for key, value in models.items()]
    found: list[_Described] = []
    for one in listed:
        model = one if isinstance(one, FittedModel) else of_rsatoolbox(one)
        if model is not None:
            found.append(
                _Described(model.name, model.rule, model.members, model.nonnegative, model.ridge)
            )
            continue
        fixed = checked_models(as_rdms(one, "models"))
        single = fixed.labels["layer"].eq("-").all()
        names = (
            fixed.labels["model"] if single else fixed.labels["model"] + " " + fixed.labels["layer"]
        )
        for i, label in enumerate(names):
            part = fixed.take([i])
            found.append(
                _Described(str(label), "fixed", part.with_labels(pd.DataFrame({"member": [label]})))
            )
    names_ = [d.name for d in found]
    if len(set(names_)) < len(names_):
        raise InputError(
            "models", names_, "models with distinct names", hint="fitted(..., name=...) names one."
        )
    if all(d.rule == "fixed" for d in found):
        raise InputError(
            "models",
            names_,
            "a fitted model among them",
            hint="evaluate_rdms evaluates fixed ones.",
        )
    for d in found:
        if d.rule == "weighted" and comparison(method).ranks:
            raise InputError(
                "method",
                method,
                f"'corr', 'cosine' or their whitened forms for the weights of {d.name!r}",
            )
    return [
        _Described(
            d.name,
            d.rule,
            d.members.with_labels(
                pd.DataFrame(
                    {"place": [f"{k}"] * len(d.members), "member": d.members.labels["member"]}
                )
            ),
            d.nonnegative,
            d.ridge,
        )
        for k, d in enumerate(found)
    ]


def _is_fitted(value: Any) -> bool:
    return isinstance(value, FittedModel) or of_rsatoolbox(value) is not None


def _design(
    cluster: Any,
    k_subject: int | None,
    k_stimulus: int | None,
    n_cv: int,
    n_resamples: Any,
    rng: RngLike,
    n_subject: int,
    n_stimulus: int,
) -> _Design:
    drawn = (cluster,) if isinstance(cluster, str) else tuple(cluster)
    if drawn not in (("subject",), ("stimulus",), ("subject", "stimulus")):
        raise InputError("cluster", cluster, "'subject', 'stimulus' or ('subject', 'stimulus')")
    whole("n_cv", n_cv, least=1)
    by_subject = default_k(n_subject, (6, 12, 20)) if k_subject is None else k_subject
    by_stimulus = default_k(n_stimulus, (12, 24, 40)) if k_stimulus is None else k_stimulus
    whole("k_subject", by_subject, least=1, most=n_subject)
    if n_stimulus < 3 * by_stimulus:
        whole("k_stimulus", by_stimulus, least=1, most=max(1, n_stimulus // 3))
    whole("k_stimulus", by_stimulus, least=1)
    if by_subject == by_stimulus == 1:
        raise InputError(
            "k_subject, k_stimulus",
            (1, 1),
            "two or more folds of one of them: a score on data fitted to is no estimate",
        )
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number or 'auto': folds are random")
    rows = _AUTO if n_resamples == "auto" else int(n_resamples)
    return _Design(by_subject, by_stimulus, n_cv, drawn, rows, seed_sequence(rng))


# ------------------------------------------------------------------ one ROI
@dataclass(frozen=True)
class _Found:
    """Arrays of one ROI: ``columns`` have models, ceilings and gaps last; ``more`` the rest."""

    columns: dict[str, np.ndarray]
    more: dict[str, np.ndarray]
    size: int
    lost: int
    corrected: bool


def _of_roi(kernel: FittedKernel, design: _Design, present: np.ndarray, n: int) -> _Found:
    """Estimates and replicates of one ROI, whose subjects are columns ``present`` of the plan."""
    s, stimuli = kernel.s, kernel.n
    ones_v, ones_c = np.ones((1, s)), np.ones((1, stimuli))
    data = _run(kernel, ones_v, ones_c, design, _PARTITIONS, 0, 0)
    per_subject = data.values[0].mean(axis=0)
    if not np.isfinite(per_subject).any():
        raise DesignError("no score could be made: too few subjects or stimuli per fold")
    estimate = _with_gaps(per_subject.mean(axis=0))
    children = [
        np.random.SeedSequence(design.root.entropy, spawn_key=(*design.root.spawn_key, key))
        for key in (0, 1)
    ]
    b = design.n_resamples
    drawn_c = subject_counts(stimuli, b, children[0]).matrix if "stimulus" in design.drawn else None
    drawn_v = (
        subject_counts(n, b, children[1]).matrix[:, present] if "subject" in design.drawn else None
    )
    all_v = np.broadcast_to(ones_v, (b, s)) if drawn_v is None else drawn_v
    all_c = np.broadcast_to(ones_c, (b, stimuli)) if drawn_c is None else drawn_c
    replicates, apparent, weights = _resampled(kernel, all_v, all_c, design, 1)
    m = len(kernel.rules)
    good = np.isfinite(replicates).all(axis=(1, 2))
    lost = int((~good).sum())
    if good.sum() < 3:
        raise DesignError(
            "hardly any resample has enough subjects and stimuli for the folds; take fewer"
        )
    variance, corrected = without_fold_variance(replicates[good])
    stimulus_ratio, subject_ratio = stimuli / (stimuli - 1), s / (s - 1)
    if drawn_v is not None and drawn_c is not None:
        alone = []
        for key, (v, c) in (
            (2, (drawn_v, np.broadcast_to(ones_c, (b, stimuli)))),
            (3, (np.broadcast_to(ones_v, (b, s)), drawn_c)),
        ):
            part = _resampled(kernel, v, c, design, key)[0]
            some, told = without_fold_variance(part[np.isfinite(part).all(axis=(1, 2))])
            alone.append(some)
            corrected = corrected & told
        final = dual_variance(variance, alone[0], alone[1], s, stimuli)
        df = two_factor_df(alone[0] * subject_ratio, alone[1] * stimulus_ratio, s, stimuli)
    elif drawn_v is not None:
        final, df = variance * subject_ratio, np.full(len(variance), s - 1.0)
    else:
        final, df = variance * stimulus_ratio, np.full(len(variance), stimuli - 1.0)
    means = replicates[good].mean(axis=1)
    centre, spread = means.mean(axis=0), means.var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # fewer distinct subjects and stimuli train a resample's models, which moves its mean: no bias of the estimate
        stretched = (means - centre) * np.where(spread > 0, np.sqrt(final / spread), 1.0)
    columns = {
        "replicates": np.where(np.isfinite(stretched), stretched, 0.0) + estimate,
        "estimate": estimate,
        "std_error": np.sqrt(final),
        "df": df,
        "std_error_mcse": np.sqrt(final) / np.sqrt(2 * len(means)),
    }
    cv = replicates.mean(axis=1)[:, :m]
    scores = np.full((n, m + 1), np.nan)
    scores[present] = per_subject[:, : m + 1]
    more = {
        "apparent": data.apparent[0].mean(axis=0),
        "optimism": apparent - cv,
        "member_weights": np.concatenate([w[0] for w in data.weights]),
        "weight_replicates": weights,
        "scores": scores,
    }
    # resamples that were left out: rows are filled up, so that all ROIs have the same number
    kept = np.flatnonzero(good)
    columns["replicates"] = columns["replicates"][np.resize(np.arange(len(kept)), b)]
    return _Found(columns, more, s, lost, bool(corrected.all()))


def _run(
    kernel: FittedKernel,
    v: np.ndarray,
    c: np.ndarray,
    design: _Design,
    n_cv: int,
    key: int,
    chunk: int,
) -> Crossvalidated:
    rng = block_generator(design.root, 100 + key, chunk)
    return crossvalidated(kernel, v, c, design.k_subject, design.k_stimulus, n_cv, rng)


def _resampled(
    kernel: FittedKernel, v: np.ndarray, c: np.ndarray, design: _Design, key: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over the drawn subjects: cross-validated ``[B, n_cv, m]``, apparent ``[B, M]``; weights ``[B, k]``."""
    parts = []
    per_resample = 1 + design.n_cv * design.k_stimulus * (1 if design.k_stimulus < 3 else 2)
    step = max(1, _ROWS // per_resample)
    for chunk, start in enumerate(range(0, len(v), step)):
        some_v, some_c = v[start : start + step], c[start : start + step]
        found = _run(kernel, some_v, some_c, design, design.n_cv, key, chunk)
        share = (some_v / some_v.sum(axis=1, keepdims=True).clip(1))[:, None, :, None]
        drawn = share > 0
        values = np.where(drawn, found.values * share, 0.0).sum(axis=2)
        apparent = np.where(drawn[:, 0], found.apparent * share[:, 0], 0.0).sum(axis=1)
        values[some_v.sum(axis=1) == 0] = np.nan
        parts.append((_with_gaps(values), apparent, np.concatenate(found.weights, axis=1)))
    made = [np.concatenate(p) for p in zip(*parts, strict=True)]
    return made[0], made[1], made[2]


def _with_gaps(values: np.ndarray) -> np.ndarray:
    """Models, lower and upper ceiling, then models minus the lower ceiling."""
    return np.concatenate([values, values[..., :-2] - values[..., -2:-1]], axis=-1)


def _gathered(found: list[dict[str, np.ndarray]], m: int) -> dict[str, np.ndarray]:
    """Columns of all ROIs, cells in the order model, ROI; ceilings and gaps under their own names."""
    arrays = {}
    for name in found[0]:
        parts = [f[name] for f in found]
        for prefix, place, axis in (
            ("", slice(0, m), -1),
            ("ceiling_", slice(m, m + 2), -2),
            ("gap_", slice(m + 2, None), -1),
        ):
            stack = np.stack([p[..., place] for p in parts], axis=axis)
            arrays[prefix + name] = stack.reshape(*stack.shape[:-2], -1)
    return arrays
