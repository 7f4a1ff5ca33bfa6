"""Studies with a known truth: scores of models, layers, ROIs and subjects.

The truth of a study is its table of population means; subjects differ from it by a common factor per
subject and ROI, by a model-by-subject deviation and by residual noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked, number, whole
from apastats.errors import InputError
from apastats.io.bmd import BMD_EXTRA_ROIS, BMD_ROIS, BMD_STREAMS
from apastats.memory import reserve
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.simulation.study import SimulatedStudy
from apastats.table import ScoreTable

__all__ = ["roi_similarity", "simulate"]

_SINGLE_SUBJECT = 0.55  # single-subject predictors reach about half of what the mean of nine does
_METRIC_SCALE = {"rsa": 1.0, "linear_predictivity": 1.2}
_SPLIT_SCALE = {"test": 1.0, "train": 0.6}


def roi_similarity(
    rois: Sequence[str], streams: Mapping[str, Sequence[str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Depth of each ROI in its stream and the true similarity between ROIs.

    Parameters
    ----------
    rois : sequence of str
    streams : mapping of str to sequence of str
        Members of each stream in hierarchical order; the first stream is shared by the others.

    Returns
    -------
    depth : numpy.ndarray, shape (n_roi,)
        0 (first) to 1 (last).
    similarity : numpy.ndarray, shape (n_roi, n_roi)
        ``exp(-|depth difference| / 0.35)``, times 0.75 across later streams; positive definite up to
        clipping of its eigenvalues.
    """
    names = list(streams)
    of = {roi: s for s, members in streams.items() for roi in members}
    depth = np.zeros(len(rois))
    for i, roi in enumerate(rois):
        members = list(streams[of[roi]])
        share = (members.index(roi) + 0.5) / len(members)
        depth[i] = share / 3 if of[roi] == names[0] else 1 / 3 + 2 * share / 3
    similarity = np.exp(-np.abs(depth[:, None] - depth[None]) / 0.35)
    crossing = np.array(
        [[of[a] != of[b] and names[0] not in (of[a], of[b]) for b in rois] for a in rois],
        dtype=bool,
    )
    similarity = np.where(crossing, 0.75 * similarity, similarity)
    values, vectors = np.linalg.eigh(similarity)
    similarity = (vectors * np.clip(values, 1e-6, None)) @ vectors.T
    scale = np.sqrt(np.diag(similarity))
    similarity = similarity / np.outer(scale, scale)
    return depth, (similarity + similarity.T) / 2


def positive_int(name: str, value: Any, least: int) -> int:
    """A size; larger ones than any study has are refused before memory is taken."""
    return whole(name, value, least=least, most=100_000)


def regions(
    rois: Sequence[str] | None, streams: Mapping[str, Sequence[str]] | None
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    if rois is None and streams is None:
        return list(BMD_ROIS), dict(BMD_STREAMS)
    if streams is None:
        names = list(arguments.names("rois", rois, least=2))
        if set(names) <= set(BMD_ROIS):
            return names, dict(BMD_STREAMS)
        if set(names) <= {*BMD_ROIS, *BMD_EXTRA_ROIS}:
            return names, {**BMD_STREAMS, "other": BMD_EXTRA_ROIS}
        return names, {"all": tuple(names)}
    members_of = {str(k): arguments.names("streams", v) for k, v in streams.items()}
    flat = [r for members in members_of.values() for r in members]
    names = flat if rois is None else list(arguments.names("rois", rois))
    if not names:
        raise InputError("streams", streams, "at least one stream with an ROI")
    if len(set(flat)) != len(flat) or not set(names) <= set(flat):
        raise InputError("streams", streams, "every ROI in exactly one stream")
    return names, members_of


def layer_weights(depth: np.ndarray, n_layer: int, preference: np.ndarray) -> np.ndarray:
    """Weights ``[layer, roi]`` with which the layers of a model resemble the ROIs; rows sum to one."""
    at = np.linspace(0, 1, n_layer)
    logit = -((at[:, None] - depth[None]) ** 2) / 0.05 + preference[None]
    weights = np.exp(logit - logit.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@checked
def simulate(
    *,
    n_subject: int = 10,
    n_model: int = 8,
    n_layer: int | Sequence[int] = 5,
    models: Sequence[str] | None = None,
    n_tied: int | None = None,
    gap: float = 0.1,
    rois: Sequence[str] | None = None,
    streams: Mapping[str, Sequence[str]] | None = None,
    metrics: Sequence[str] = ("rsa",),
    n_partner: int | None = 5,
    mimic: bool = False,
    subject_sd: float = 0.25,
    roi_subject_sd: float = 0.1,
    model_subject_sd: float = 0.03,
    noise_sd: float = 0.01,
    rng: RngLike = None,
) -> SimulatedStudy:
    """Simulate a study with a known truth: scores of models and brains for every subject and ROI.

    Parameters
    ----------
    n_subject, n_model : int
        Sizes; at least 2 subjects.
    n_layer : int or sequence of int
        Layers of every model, or of each.
    models : sequence of str, optional
        Names of the models, instead of ``n_model``: ``model_01, model_02, ...`` by default.
    n_tied : int, optional
        The first ``n_tied`` models have the same truth and are the best in every cell; three of them (or all,
        if there are fewer) by default. Tied models have equally many layers.
    gap : float
        Share by which the next model falls short of the best; the others fall short by 1.5, 2, ... gaps.
    rois, streams : optional
        ROI names and their streams; the 19 regions of the BOLD Moments analysis by default.
    metrics : sequence of str
        One score per metric.
    n_partner : int or None
        Partners per subject in ``subject_to_subject`` rows, drawn without balancing; None takes all.
    mimic : bool
        Add a model ``mimic`` that has one layer per ROI, with exactly that ROI's alignment pattern.
    subject_sd, roi_subject_sd : float
        Relative SD of the factor of a subject, and of a subject's ROI, shared by all predictors.
    model_subject_sd : float
        Relative SD of the model-by-subject deviation.
    noise_sd : float
        SD of residual noise of a score.
    rng : int, Generator, SeedSequence or None
        Source of randomness.

    Returns
    -------
    SimulatedStudy

    Raises
    ------
    InputError
        If a size or a spread is impossible.

    See Also
    --------
    simulate_rdms, calibrate, power_study

    Notes
    -----
    With ROI similarity ``K`` and true ceilings ``c``: a brain predictor ROI ``r`` scores
    ``sqrt(c_r c_t) K_rt`` on ROI ``t`` (times 0.55 for a single other subject), a model layer
    ``q sqrt(mean(c) c_t) sum_r w_r K_rt``. Train scores are 0.6 of the test scores. RSA pair scores are
    symmetric: ``score(a, X -> b, Y) = score(b, Y -> a, X)``.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> study = simulate(
    ...     n_subject=4, n_model=2, n_tied=1, n_layer=2, rois=["V1", "V2", "V4"], rng=0
    ... )
    >>> study.scores.levels("kind")
    ['model', 'leave_one_out', 'subject_to_subject']
    """
    n_subject = positive_int("n_subject", n_subject, 2)
    model_layers = _layers_of(models, positive_int("n_model", n_model, 1), n_layer)
    n_model = len(model_layers)
    n_tied = min(3, n_model) if n_tied is None else positive_int("n_tied", n_tied, 1)
    if n_tied > n_model:
        raise InputError("n_tied", n_tied, f"a whole number from 1 to n_model ({n_model})")
    if len(set(list(model_layers.values())[:n_tied])) > 1:
        raise InputError("n_layer", n_layer, f"one number for the {n_tied} tied models")
    number("gap", gap, least=0, below=1, allowed="a share from 0 up to (not including) 1")
    metrics = arguments.names("metrics", metrics)
    spreads = {"subject_sd": subject_sd, "roi_subject_sd": roi_subject_sd}
    spreads |= {"model_subject_sd": model_subject_sd, "noise_sd": noise_sd}
    for name, value in spreads.items():
        number(name, value, least=0, most=1e6, allowed="a number of at least 0 (up to a million)")
    partners = n_subject - 1 if n_partner is None else positive_int("n_partner", n_partner, 1)
    partners = min(partners, n_subject - 1)
    names, streams = regions(rois, streams)
    sequence = seed_sequence(rng)
    random = block_generator(sequence, 0)
    depth, similarity = roi_similarity(names, streams)
    ceilings = random.uniform(0.2, 0.6, len(names))

    subjects = [f"sub-{i + 1:02d}" for i in range(n_subject)]
    predictors, model_truth = _model_truth(
        model_layers, n_tied, gap, mimic, names, streams, depth, similarity, ceilings, random
    )
    brain_truth = np.sqrt(np.outer(ceilings, ceilings)) * similarity
    factor = _lognormal(random, subject_sd, (n_subject, 1)) * _lognormal(
        random, roi_subject_sd, (n_subject, len(names))
    )
    pairs = _draw_partners(n_subject, partners, random)

    frames, truths = [], []
    for metric in metrics:
        for split, split_scale in _SPLIT_SCALE.items():
            scale = _METRIC_SCALE.get(metric, 1.0) * split_scale
            key = {"metric": metric, "split": split}
            deviation = 1 + model_subject_sd * random.standard_normal(
                (n_subject, len(predictors), 1)
            )
            scores = scale * model_truth[None] * factor[:, None] * deviation
            scores += noise_sd * random.standard_normal(scores.shape)
            rows = {
                "kind": "model",
                "model": [m for m, _ in predictors],
                "layer": [la for _, la in predictors],
            }
            frames.append(_long(scores, subjects, rows, names, key))
            truths.append(truth_rows("model", predictors, names, scale * model_truth, key))

            scores = scale * brain_truth[None] * factor[:, None]
            scores += noise_sd * random.standard_normal(scores.shape)
            rows = {"kind": "leave_one_out", "model": ["others"] * len(names), "layer": names}
            frames.append(_long(scores, subjects, rows, names, key))
            truths.append(
                truth_rows(
                    "leave_one_out", [("others", r) for r in names], names, scale * brain_truth, key
                )
            )

            # the mean of sqrt(g_a g_b) of two log-normal factors with mean 1 lies below 1
            shrink = (
                np.sqrt((1 + subject_sd**2) * (1 + roi_subject_sd**2)) ** -0.5
                if metric == "rsa"
                else 1.0
            )
            single = scale * _SINGLE_SUBJECT
            frames.append(
                _pair_rows(
                    single * brain_truth,
                    factor,
                    pairs,
                    subjects,
                    names,
                    key,
                    metric,
                    noise_sd,
                    random,
                )
            )
            truths.append(
                truth_rows(
                    "subject_to_subject",
                    [("any", r) for r in names],
                    names,
                    shrink * single * brain_truth,
                    key,
                )
            )
    truth = _mark_best(pd.concat(truths, ignore_index=True))
    frame = pd.concat(frames, ignore_index=True)
    frame["stream"] = frame["roi"].map({r: s for s, members in streams.items() for r in members})
    order = {k: i for i, k in enumerate(("model", "leave_one_out", "subject_to_subject"))}
    frame = frame.sort_values("kind", key=lambda c: c.map(order), kind="stable", ignore_index=True)
    settings: dict[str, Any] = {
        "n_subject": n_subject,
        "n_model": n_model,
        "n_layer": n_layer if isinstance(n_layer, int) else list(model_layers.values()),
        "n_tied": n_tied,
        "gap": gap,
    }
    settings |= spreads | {"n_partner": partners, "mimic": mimic, "seed": recorded_seed(sequence)}
    table = ScoreTable(
        frame, source="simulation", log=(f"simulated with seed {recorded_seed(sequence)}",)
    )
    return SimulatedStudy(table, truth, settings)


def _layers_of(
    models: Sequence[str] | None, n_model: int, n_layer: int | Sequence[int]
) -> dict[str, int]:
    """How many layers each model has, by name."""
    names = [f"model_{k + 1:02d}" for k in range(n_model)]
    if models is not None:
        names = list(arguments.names("models", models))
    if isinstance(n_layer, Sequence) and not isinstance(n_layer, str):
        numbers = [positive_int("n_layer", k, 1) for k in n_layer]
        if len(numbers) != len(names):
            raise InputError(
                "n_layer", n_layer, f"a number, or one for each of {len(names)} models"
            )
        return dict(zip(names, numbers, strict=True))
    return dict.fromkeys(names, positive_int("n_layer", n_layer, 1))


def _model_truth(
    model_layers: Mapping[str, int],
    n_tied: int,
    gap: float,
    mimic: bool,
    names: list[str],
    streams: Mapping[str, Sequence[str]],
    depth: np.ndarray,
    similarity: np.ndarray,
    ceilings: np.ndarray,
    random: np.random.Generator,
) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Predictors (model, layer) and their true scores ``[predictor, roi]`` on test, RSA scale."""
    predictors: list[tuple[str, str]] = []
    rows = []
    level = np.sqrt(ceilings.mean() * ceilings)
    for k, (model, n_layer) in enumerate(model_layers.items()):
        preference = np.zeros(len(names))
        quality = 1.0
        if k >= n_tied:
            quality = (
                1 - gap * (1 + 0.5 * (k - n_tied)) if gap * (1 + 0.5 * (k - n_tied)) < 0.9 else 0.1
            )
            # the weaker models lean towards one stream; that must not lift them above the tied best
            lean = random.choice(list(streams))
            preference = np.where([n in streams[lean] for n in names], 1.5, 0.0)
        shape = layer_weights(depth, n_layer, preference) @ similarity
        if k < n_tied:
            best = shape.max(axis=0)
        shape = np.minimum(shape, best)
        rows.append(0.9 * quality * shape * level)
        predictors += [(model, f"layer_{i + 1:02d}") for i in range(n_layer)]
    if mimic:
        rows.append(0.9 * np.sqrt(np.outer(ceilings, ceilings)) * similarity)
        predictors += [("mimic", f"like_{r}") for r in names]
    return predictors, np.concatenate(rows)


def _lognormal(random: np.random.Generator, sd: float, shape: tuple[int, ...]) -> np.ndarray:
    """Positive factors with mean 1 and relative SD ``sd``."""
    s2 = np.log1p(sd**2)
    return np.exp(np.sqrt(s2) * random.standard_normal(shape) - s2 / 2)


def _draw_partners(n: int, partners: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs (predictor, target): each target draws its partners by itself, as in the published design."""
    out = []
    for target in range(n):
        others = np.delete(np.arange(n), target)
        out += [(int(p), target) for p in np.sort(random.choice(others, partners, replace=False))]
    return out


def _pair_rows(
    truth: np.ndarray,
    factor: np.ndarray,
    pairs: list[tuple[int, int]],
    subjects: list[str],
    names: list[str],
    key: dict[str, str],
    metric: str,
    noise_sd: float,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Rows of kind subject_to_subject; RSA scores of a pair in both directions are the same numbers."""
    n, n_roi = factor.shape
    reserve(
        f"noise of {n:,} x {n:,} subjects in {n_roi:,} x {n_roi:,} ROIs",
        40.0 * (n * n_roi) ** 2,
        "fewer subjects or ROIs",
    )
    noise = noise_sd * random.standard_normal((n, n, n_roi, n_roi))
    if metric == "rsa":
        # noise(p, r -> s, t) = noise(s, t -> p, r)
        upper = np.triu(np.ones((n, n), dtype=bool))[:, :, None, None]
        noise = np.where(upper, noise, noise.transpose(1, 0, 3, 2))
        both = np.sqrt(factor[:, None, :, None] * factor[None, :, None, :])
    else:
        both = np.broadcast_to(factor[None, :, None, :], noise.shape)
    scores = truth[None, None] * both + noise
    p, s = (np.array(v) for v in zip(*pairs, strict=True))
    chosen = scores[p, s].reshape(-1)
    labels = np.array(names, dtype=object)
    names_of = np.array(subjects, dtype=object)
    return pd.DataFrame(
        {
            "kind": "subject_to_subject",
            "model": np.repeat(names_of[p], n_roi * n_roi),
            "layer": np.tile(np.repeat(labels, n_roi), len(pairs)),
            "subject": np.repeat(names_of[s], n_roi * n_roi),
            "roi": np.tile(labels, len(pairs) * n_roi),
            **key,
            "score": chosen,
        }
    )


def _long(
    values: np.ndarray,
    subjects: list[str],
    rows: dict[str, Any],
    names: list[str],
    key: dict[str, str],
) -> pd.DataFrame:
    """Dense ``[subject, predictor, roi]`` to long form."""
    n_s, n_p, n_r = values.shape
    return pd.DataFrame(
        {
            "kind": rows["kind"],
            "model": np.tile(np.repeat(np.array(rows["model"], dtype=object), n_r), n_s),
            "layer": np.tile(np.repeat(np.array(rows["layer"], dtype=object), n_r), n_s),
            "subject": np.repeat(np.array(subjects, dtype=object), n_p * n_r),
            "roi": np.tile(np.array(names, dtype=object), n_s * n_p),
            **key,
            "score": values.reshape(-1),
        }
    )


def truth_rows(
    kind: str,
    predictors: list[tuple[str, str]],
    names: list[str],
    truth: np.ndarray,
    key: dict[str, str],
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": kind,
            "model": np.repeat([m for m, _ in predictors], len(names)),
            "layer": np.repeat([la for _, la in predictors], len(names)),
            "roi": np.tile(names, len(predictors)),
            **key,
            "truth": truth.reshape(-1),
        }
    )


def _mark_best(truth: pd.DataFrame) -> pd.DataFrame:
    """Add ``best_layer`` and ``share_of_best`` to the model rows."""
    models = truth["kind"] == "model"
    cell = ["model", "roi", "metric", "split"]
    top = truth[models].groupby(cell)["truth"].transform("max")
    truth["best_layer"] = False
    truth.loc[models, "best_layer"] = truth.loc[models, "truth"] >= top * (1 - 1e-12)
    best = truth[models].groupby(["roi", "metric", "split"])["truth"].transform("max")
    truth.loc[models, "share_of_best"] = truth.loc[models, "truth"] / best
    return truth
