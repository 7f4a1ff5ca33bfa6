"""What each band of features of an encoding model explains of responses, alone and shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from apastats.arguments import choice, mapping
from apastats.bootstrapping.bootstrap_rdms import drawn_factors
from apastats.bootstrapping.partition_stimuli import check_stimuli_drawn, parts_by_stimulus
from apastats.bootstrapping.tables import give_warnings, how_many
from apastats.bootstrapping.unique_labels import labels_of, tested_parts
from apastats.bootstrapping.unique_result import KEYS, UniqueVariance
from apastats.errors import DesignError, InputError
from apastats.recording import verb
from apastats.resampling.intervals import Interval
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.results import Provenance
from apastats.scoring.banded_ridge import banded_ridge
from apastats.scoring.commonality import MOST
from apastats.scoring.linear_predictivity import linear_predictivity
from apastats.scoring.response_patterns import checked_patterns, other_people
from apastats.scoring.ridge import ALPHAS
from apastats.scoring.unique_kernel import Question
from apastats.seeds import RngLike, seed_sequence
from apastats.table import ScoreTable
from apastats.words import STIMULI, SUBJECTS, Drawn, Held, Info, Outcome

__all__ = ["variance_partitioning"]

PARTS = {
    "unique": "alone and shared",
    "all": "every set of bands",
    "ordered": "each beyond those before it",
}
FITS = {"ridge": "linear_predictivity", "banded": "banded_ridge"}


@verb
def variance_partitioning(
    brain: Mapping[tuple[str, str], Any],
    bands: Mapping[Any, Any],
    *,
    parts: Literal["unique", "all", "ordered"] = "unique",
    split: Literal["train", "test"] | None = None,
    fit: Literal["ridge", "banded"] = "ridge",
    alphas: Any = ALPHAS,
    n_fold: int = 5,
    seed: int = 1,
    folds: str = "shuffled",
    groups: Sequence[Any] | None = None,
    per: str = "set",
    delays: Sequence[int] = (0,),
    ceiling: bool = False,
    cluster: str | Sequence[str] = "subject",
    interval: Interval = "auto",
    n_resamples: Resamples = "auto",
    conf_level: float = 0.95,
    rng: RngLike = None,
) -> UniqueVariance:
    """Held-out variance of responses that each band of features explains beyond the other bands, and in common.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)`` to ``[n_stimulus, n_vertex]`` or a pair ``(train, test)`` of such, as in
        :func:`apastats.linear_predictivity`.
    bands : mapping
        From the name of a band, or ``(model, layer)``, to its features ``[n_stimulus, n_feature]``, or a pair
        likewise; two bands or more.
    parts : {"unique", "all", "ordered"}
        As in :func:`apastats.unique_variance`; ``all`` fits every subset of up to 10 bands.
    split : {"train", "test"}, optional
        R2 of the folds over the train stimuli, or of the test stimuli; by default the latter where there are any.
    fit : {"ridge", "banded"}
        ``ridge``: one penalty for all bands of a subset (:func:`apastats.linear_predictivity`). ``banded``: one for
        every band (:func:`apastats.banded_ridge`, the extra ``banded``), which is slower.
    alphas, n_fold, seed, folds, groups, per, delays
        As in these.
    ceiling : bool
        Whether to fit, in the place of every band, the mean responses of the other subjects (all subjects of a ROI
        need the same vertices).
    cluster : "subject", "stimulus" or both
        What is drawn, as in :func:`apastats.bootstrap`; stimuli of one of the ``groups`` together. Stimuli can be drawn
        with ``fit="ridge"`` and the split ``train``.
    interval : str
        As in :func:`apastats.bootstrap`: ``studentized`` where subjects are drawn, ``t`` where stimuli are.
    n_resamples : "auto", "exact" or int
        Number of resamples.
    conf_level : float
        Level of the intervals.
    rng : int, Generator, SeedSequence or None
        Seed of sampled resamples.

    Returns
    -------
    UniqueVariance
        As of :func:`apastats.unique_variance`, ``model`` being the band; ``.test(bounds=)`` tests the parts.

        Columns: ``roi`` (region), ``part`` (unique, shared, added or total variance), ``model`` (model, or what is
        compared), ``estimate`` (what is estimated, from the data themselves), ``std_error`` (standard error),
        ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval), ``conf_level``
        (level of the interval), ``n_subject`` (subjects), ``method`` (how the interval or test was made), ``mcse``
        (Monte-Carlo standard error), ``conf_low_mcse`` (Monte-Carlo error of the lower limit), ``conf_high_mcse``
        (Monte-Carlo error of the upper limit), ``settled`` (whether more resamples could not change the decision),
        ``ceiling_lower`` (lower noise ceiling).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.linear_predictivity`; fewer than two bands.
    DesignError
        Fewer than two subjects in a ROI.

    See Also
    --------
    unique_variance, linear_predictivity, banded_ridge

    Notes
    -----
    ``unique_k = R2(all bands) - R2(all but k)``, every R2 that of stimuli not fitted to, so that a band that adds
    nothing has a part of 0 or somewhat below (overfitting), and parts can be negative (Lescroart, Stansbury and Gallant
    2015; de Heer et al. 2017). With ``fit="ridge"`` a penalty is shared by the bands of a subset: a small band is
    shrunk with a large one beside it; ``fit="banded"`` gives each its own. Where stimuli are drawn, R2 is linear in
    their weights: a stimulus counts where it is held out and in the fits of the other folds (what leaving it out does
    to both; the penalty chosen stays).

    References
    ----------
    .. [1] de Heer, W. A., Huth, A. G., Griffiths, T. L., Gallant, J. L., & Theunissen, F. E. (2017). The
       hierarchical cortical organization of human speech processing. Journal of Neuroscience, 37(27),
       6539–6557. https://doi.org/10.1523/JNEUROSCI.3267-16.2017
    .. [2] Lescroart, M. D., Stansbury, D. E., & Gallant, J. L. (2015). Fourier power, subjective distance, and
       object categories all provide plausible models of BOLD responses in scene-selective visual areas.
       Frontiers in Computational Neuroscience, 9, 135. https://doi.org/10.3389/fncom.2015.00135

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> low, high = rng.standard_normal((2, 60, 4))
    >>> brain = {
    ...     (f"s{k}", "V1"): low @ rng.standard_normal((4, 9)) + rng.standard_normal((60, 9))
    ...     for k in range(6)
    ... }
    >>> found = variance_partitioning(brain, {"low": low, "high": high})
    >>> bool(found.table["estimate"].iloc[0] > 0.5 > found.table["estimate"].iloc[1])
    True
    """
    choice("parts", parts, ("unique", "all", "ordered"))
    choice("fit", fit, FITS)
    drawn = drawn_factors(cluster)
    names = _names(list(mapping("bands", bands)))
    if not 2 <= len(names) <= (MOST if parts == "all" else 150):
        raise InputError("bands", f"{len(names)} bands", f"2 to {MOST} of them")
    question = Question(tuple(np.array([k]) for k in range(len(names))), parts=parts)
    options = {
        "alphas": alphas, "n_fold": n_fold, "seed": seed, "folds": folds, "groups": groups, "per": per,
        "delays": delays,
    }  # fmt: skip
    check_stimuli_drawn(drawn, fit, options, split)
    made = [bands[b] for b in bands]
    sets = {j: [made[k] for k in mask] for j, mask in enumerate(question.masks) if mask}
    table, log = _fitted(brain, sets, fit, options)
    tested = "test" in set(table["split"]) and "stimulus" not in drawn
    shown = split or ("test" if tested else "train")
    choice("split", shown, sorted(set(table["split"])))
    subjects = sorted({str(s) for s, _ in brain})
    rois = [str(r) for r in dict.fromkeys(r for _, r in brain)]
    r2 = _values(table, shown, subjects, rois, len(question.masks))
    few = [r for r, n in zip(rois, np.isfinite(r2[:, :, -1]).sum(axis=0), strict=True) if n < 2]
    if few:
        raise DesignError(f"ROI {few[0]!r} has one subject; at least 2 are needed")
    values = np.moveaxis(question.parts_of(r2), 2, 1)
    n = len(subjects)
    arrays: dict[str, np.ndarray] = {"scores": values}
    bounds = None
    if ceiling:
        bounds = _ceilings(brain, made, question, (fit, options), shown, subjects, rois)
    if "stimulus" in drawn:
        joined = {j: _joined(some) for j, some in sets.items()}
        labelled = (subjects, rois)
        more, plan = parts_by_stimulus(
            brain, joined, question, options, drawn, labelled, n_resamples, seed_sequence(rng)
        )
        arrays |= more
    else:
        plan = subject_counts(n, n_resamples, seed_sequence(rng))
        arrays |= _by_subject(values, bounds, plan)
    words, interval = _words(drawn), _interval(interval, drawn)
    labels = labels_of(question, names, "bands")
    info = Info(
        estimand="share of held-out variance explained",
        outcome=Outcome(
            "score",
            "share of held-out variance explained",
            metric="linear_predictivity",
            levels="part",
        ),
        interval=interval,
        conf_level=float(conf_level),
        alternative="two-sided",
        n_subject=n,
        method=f"variance partitioning of {len(names)} bands of features, {PARTS[parts]} "
        f"({FITS[fit].replace('_', ' ')}; {_settings(options)}); bootstrap of the means over {words}",
        resampled=Drawn(words, number=how_many(plan)),
        held_fixed=_held_fixed(drawn),
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        extra={
            "plan": " + ".join(drawn),
            "quantile_rule": "linear",
            "cluster": " + ".join(drawn),
            "scored_by": FITS[fit],
            "parts_of": "bands",
            "measure": "unique",
            "nonnegative": False,
            "signed": "held out",
            "unit": "of the variance",
            "cross_validated_over": ["stimulus"],
            "split": shown,
            "groups": {b: [b] for b in names},
            "parts": labels,
            "tested_parts": tested_parts(question, labels, "held out", drawn),
            "dims": [1] * len(names),
            "ceiling_parts": None,
            "rois": rois,
            "subjects": subjects,
        },
    )
    keys = pd.DataFrame([(r, *p) for p in labels for r in rois], columns=KEYS)
    draft = UniqueVariance(
        keys, info, Provenance(data_hash=ScoreTable(table).hash, seed=plan.seed), arrays
    )
    found = draft._table()
    if bounds is not None:
        mean = np.nanmean(bounds, axis=0)[question.ceiling_of]
        found = found.assign(ceiling_lower=mean.ravel())
    notes = (*log, *give_warnings(found, KEYS, info))
    return replace(draft, table=found, notes=notes)


def _by_subject(values: np.ndarray, bounds: np.ndarray | None, plan: Plan) -> dict[str, np.ndarray]:
    """Subjects' values and ceilings, for resamples of subjects."""
    n = len(values)
    arrays = {"values": values.reshape(n, -1)}
    if not plan.exact:
        arrays["counts"] = plan.counts
    if bounds is not None:
        arrays["ceiling_values"] = bounds.reshape(n, -1)
    return arrays


def _words(drawn: tuple[str, ...]) -> str:
    return " and ".join({"subject": "subjects", "stimulus": "stimuli"}[d] for d in drawn)


def _interval(interval: Interval, drawn: tuple[str, ...]) -> Interval:
    """The interval chosen; by itself studentized, and t where stimuli are drawn."""
    if interval != "auto":
        return interval
    return "t" if "stimulus" in drawn else "studentized"


def _held_fixed(drawn: tuple[str, ...]) -> tuple[Held, ...]:
    """What a claim does not reach beyond."""
    if "stimulus" not in drawn:
        return (STIMULI,)
    penalties = Held("penalties of regressions")
    return (penalties,) if "subject" in drawn else (SUBJECTS, penalties)


def _settings(options: Mapping[str, Any]) -> str:
    """Folds, penalties and delays in words."""
    alphas = np.atleast_1d(np.asarray(options["alphas"], dtype=np.float64))
    groups, delays = options["groups"], [int(d) for d in options["delays"]]
    told = [
        f"{options['n_fold']} folds, {options['folds'].replace('_', ' ')}, of seed {options['seed']}",
        f"{len(alphas)} penalties from {alphas.min():g} to {alphas.max():g}, one per {options['per']}",
    ]
    if groups is not None:
        told.append(f"stimuli of {len(set(map(str, groups)))} groups held out together")
    if delays != [0]:
        told.append(f"features late by {', '.join(map(str, delays))} rows")
    return "; ".join(told)


def _names(keys: list[Any]) -> list[str]:
    """Names of the bands; of pairs the model alone where no other differs."""
    layers = {k[1] for k in keys if isinstance(k, tuple)}
    return [
        str(k)
        if not isinstance(k, tuple)
        else str(k[0])
        if len(layers) == 1
        else " ".join(map(str, k))
        for k in keys
    ]


def _fitted(
    brain: Mapping[tuple[str, str], Any],
    sets: Mapping[int, list[Any]],
    fit: str,
    options: dict[str, Any],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """R2 of every set of bands, as rows whose model is the number of the set, and what the fits said."""
    together = {
        (str(j), "-"): _joined(some) for j, some in sets.items() if fit == "ridge" or len(some) == 1
    }
    frames: list[pd.DataFrame] = []
    log: list[str] = []
    if together:
        made = linear_predictivity(brain, together, **options)
        frames.append(made.frame)
        log += made.log
    for j, some in sets.items():
        if fit == "banded" and len(some) > 1:
            found = banded_ridge(brain, {f"band {k}": b for k, b in enumerate(some)}, **options)
            frames.append(found.frame[found.frame["model"] == "total"].assign(model=str(j)))
            log += found.log
    return pd.concat(frames, ignore_index=True), tuple(dict.fromkeys(log))


def _joined(bands: Sequence[Any]) -> Any:
    """Features of several bands side by side; a pair of a train and a test part stays one."""
    if isinstance(bands[0], tuple):
        return tuple(_joined([b[k] for b in bands]) for k in (0, 1))
    if all(isinstance(b, pd.DataFrame) for b in bands):
        wide = pd.concat(bands, axis=1)
        wide.columns = pd.Index([f"f{k}" for k in range(wide.shape[1])])
        return wide
    return np.concatenate([np.asarray(b, dtype=np.float64) for b in bands], axis=1)


def _values(
    frame: pd.DataFrame, split: str, subjects: list[str], rois: list[str], n_mask: int
) -> np.ndarray:
    """R2 ``[subject, roi, mask]`` of a table whose models are numbers of masks; that of no band is 0."""
    out = np.full((len(subjects), len(rois), n_mask), np.nan)
    some = frame[(frame["split"] == split) & (frame["kind"] == "model")]
    s, r = some["subject"].map(subjects.index), some["roi"].map(rois.index)
    m = some["model"].astype(int)
    out[s.to_numpy(), r.to_numpy(), m.to_numpy()] = some["score"].to_numpy("f8")
    empty = np.isnan(out).all(axis=(0, 1))
    there = np.isfinite(out).any(axis=2)
    out[:, :, empty] = np.where(there, 0.0, np.nan)[:, :, None]
    return out


def _ceilings(
    brain: Mapping[tuple[str, str], Any],
    bands: list[Any],
    question: Question,
    how: tuple[str, dict[str, Any]],
    split: str,
    subjects: list[str],
    rois: list[str],
) -> np.ndarray:
    """What the mean responses of the other subjects add in the place of each part, ``[subject, part, roi]``."""
    held = question.held
    out = np.full((len(subjects), len(held), len(rois)), np.nan)
    for subject, roi, pool in other_people(checked_patterns(brain, "brain", pairs=True)):
        one = {k: v for k, v in brain.items() if tuple(map(str, k)) == (subject, roi)}
        if not one:
            continue
        mean = pool.train if pool.test is None else (pool.train, pool.test)
        sets: dict[int, list[Any]] = {}
        for j, others in enumerate(held):
            rest = [bands[k] for k in others]
            sets[2 * j] = [*rest, mean]
            if rest:
                sets[2 * j + 1] = rest
        made = _fitted(one, sets, *how)[0]
        r2 = _values(made, split, [subject], [roi], 2 * len(held))[0, 0]
        out[subjects.index(subject), :, rois.index(roi)] = r2[::2] - r2[1::2]
    return out
