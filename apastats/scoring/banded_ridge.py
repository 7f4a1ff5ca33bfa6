"""Banded ridge regression: a penalty for every band of features, and the variance each band explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import choice, numbers, whole
from apastats.errors import (
    ConvergenceWarning,
    DataError,
    DegenerateWarning,
    DesignError,
    InputError,
    warn,
)
from apastats.numbers.backends import get_backend
from apastats.numbers.units import scale_of, varies
from apastats.recording import verb
from apastats.scoring.bands import (
    KERNELS,
    Search,
    candidates,
    finite_mean,
    fit_bands,
    product_measure,
)
from apastats.scoring.folds import check_folds, check_sizes, delayed, held_out, parse_delays
from apastats.scoring.reliability import Reliability
from apastats.scoring.response_patterns import (
    Patterns,
    check_same_rows,
    checked_patterns,
    rows_by_name,
)
from apastats.scoring.ridge import ALPHAS, standardised
from apastats.scoring.times import each_time
from apastats.scoring.units import Units, units_kept, with_left_out
from apastats.seeds import block_generator, seed_sequence
from apastats.table import ScoreTable

__all__ = ["banded_ridge"]

TOTAL, OFFSET = "total", "offset"
AT_ONCE = 20_000  # units fitted at once: their predictions are held in memory


@each_time
@verb
def banded_ridge(
    brain: Mapping[tuple[str, str], Any],
    bands: Mapping[str, Any],
    *,
    kernels: str | Mapping[str, str] = "linear",
    alphas: Any = ALPHAS,
    n_try: int = 60,
    per: str = "unit",
    n_fold: int = 5,
    seed: int = 1,
    folds: str = "shuffled",
    groups: Sequence[Any] | None = None,
    delays: Sequence[int] = (0,),
    average: str = "mean",
    by_unit: bool | str | Path = False,
    ceilings: Mapping[tuple[str, str], Reliability] | None = None,
    batch: int | None = None,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> ScoreTable:
    """Explained variance of responses by several feature spaces at once, each with its own ridge penalty.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)``, or ``(subject, roi, time)`` (scored at every time point), to
        ``[n_stimulus, n_vertex]`` or to a pair ``(train, test)`` of such, as in
        :func:`linear_predictivity`.
    bands : mapping
        From the name of a band (or a pair of names, as in ``models`` elsewhere) to its features
        ``[n_stimulus, n_feature]``, or a pair likewise; two bands or more.
    kernels : str or mapping
        ``linear`` (ridge regression), ``rbf``, ``cosine`` or ``polynomial`` kernel of all bands, or of each by name.
    alphas : array
        Penalties tried.
    n_try : int
        Weights of bands tried: equal ones, each band alone, then random ones.
    per : {"unit", "set"}
        Whether weights and penalty are chosen for every vertex, or for all of a subject and ROI together.
    n_fold, seed : int
        Folds over the train stimuli, and within each of them to choose weights and penalty; ``seed`` is that of
        shuffled folds and of the weights tried.
    folds : {"shuffled", "contiguous", "leave_one_out"}
        As in :func:`linear_predictivity`, of outer and inner folds.
    groups : sequence, optional
        A label for every train stimulus; stimuli of one label are held out together.
    delays : sequence of int
        Rows of a time series by which features are late, each a copy of them.
    average : {"mean", "median"}
        What of the scores of single vertices is the score of a subject and ROI. Medians of bands do not sum to that
        of the total.
    by_unit : bool or path
        Whether to keep the scores of single vertices, as in :func:`linear_predictivity`.
    ceilings : mapping, optional
        With ``by_unit``: the reliability of the vertices, kept with their scores, as in :func:`linear_predictivity`.
    batch : int, optional
        Vertices worked on at once; it bounds the memory and changes the answer by rounding at most.
    backend, device, dtype : str
        As in :func:`rdm_similarity`.

    Returns
    -------
    ScoreTable
        Metric ``banded_ridge``. ``model`` is the name of a band, with the share of variance it explains (product
        measure), ``total`` (R2 of all), and ``offset`` (what the mean of the predictions is off costs, 0 or below):
        bands and offset sum to the total. :func:`bootstrap` gives intervals over subjects. ``penalty`` of a band is the
        geometric mean over folds and vertices of alpha over the band's weight (infinite where it has none in one of
        them); of the total it is the median alpha.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``n_feature_predictor`` (features that predict), ``n_feature_brain`` (features
        predicted), ``penalty`` (ridge penalty), ``n_unit`` (units), ``n_left_out`` (units left out),
        ``share_left_out`` (share of units left out), ``score`` (score).

    Raises
    ------
    InputError, DataError
        Keys or arrays of a wrong form, different stimuli, an unknown kernel.
    MissingExtraError
        Without himalaya (the extra ``banded``).

    Warns
    -----
    ConvergenceWarning
        Where the least or the largest of the ``alphas`` given (three or more) was chosen for most vertices.
    DegenerateWarning
        Where vertices are constant and left out.
    SmallSampleWarning
        Where a held-out part, or the test stimuli, are fewer than four: R2 has no mean there.
    PseudoreplicationWarning
        Where neighbouring rows correlate and folds part them.

    See Also
    --------
    linear_predictivity, commonality, bootstrap

    Notes
    -----
    Random search of himalaya over weights of the bands and one penalty, on the squared error of inner folds. With one
    weight (``n_try=1``) it is the ridge regression on all features at once, of penalty ``n_band`` times alpha. Shares
    of bands that predict alike depend on how the regression splits what they have in common; a band can be below 0.

    References
    ----------
    .. [1] Nunez-Elizalde, A. O., Huth, A. G., & Gallant, J. L. (2019). Voxelwise encoding models with
       non-spherical multivariate normal priors. NeuroImage, 197, 482–492.
       https://doi.org/10.1016/j.neuroimage.2019.04.012
    .. [2] Dupré la Tour, T., Eickenberg, M., Nunez-Elizalde, A. O., & Gallant, J. L. (2022). Feature-space
       selection with banded ridge regression. NeuroImage, 264, 119728.
       https://doi.org/10.1016/j.neuroimage.2022.119728

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 60, 4))
    >>> brain = {("s1", "V1"): a @ rng.standard_normal((4, 3))}
    >>> found = banded_ridge(brain, {"motion": a, "words": b}, n_try=5)
    >>> found.frame.set_index("model")["score"].round(1)[["motion", "words", "total"]].to_dict()
    {'motion': 1.0, 'words': 0.0, 'total': 1.0}
    """
    spaces = _bands(bands)
    brain, features, log = rows_by_name(brain, {(b, "-"): v for b, v in spaces.items()})
    raw = checked_patterns(brain, "brain", pairs=True)
    full = {k: p.compact() for k, p in raw.items()}
    made = {b: p.compact() for (b, _), p in checked_patterns(features, "bands", pairs=True).items()}
    check_same_rows(full, made)
    penalties = np.sort(numbers("alphas", alphas, above=0))
    n = len(next(iter(full.values())).train)
    choice("per", per, ("unit", "set"))
    choice("average", average, ("mean", "median"))
    whole("seed", seed, least=0, most=2**32 - 1)
    late = parse_delays(delays, n)
    out = held_out(n, folds, n_fold=n_fold, groups=groups, seed=seed)
    responses, features_of = ((p.train for p in side.values()) for side in (full, made))
    parted = check_folds(responses, features_of, out)
    search = Search(
        candidates(
            len(made), whole("n_try", n_try, least=1), block_generator(seed_sequence(seed), 0)
        ),
        penalties,
        per == "unit",
        batch,
        get_backend(backend, device, dtype),
    )
    inner = [_inner(np.setdiff1d(np.arange(n), part), folds, n_fold, groups, seed) for part in out]
    fit = _Fit(_kernels(made, kernels, late), out, inner, search, average)
    counts = {k: p.train.shape[1] for k, p in full.items()}
    sizes = {b: p.train.shape[1] for b, p in made.items()}
    columns = {k: p.train.shape[1] for k, p in raw.items()}
    with units_kept(by_unit, counts, ceilings, "r2", columns) as units:
        rows = list(_rows(full, raw, fit, sizes, units))
    frame = with_left_out(pd.DataFrame(rows), counts)
    tests = [len(p.test) for p in full.values() if p.test is not None]
    said = (
        *parted,
        *check_sizes([*map(len, out), *tests], "r2"),
        *_left_out(frame),
        *_at_edges(frame, penalties, alphas is not ALPHAS),
        *units.log,
    )
    frame = units.frame() if by_unit is True else frame
    return ScoreTable(
        frame.drop(columns="at_edge"),
        covariates=("penalty", "share_left_out", "n_feature_predictor"),
        log=(*log, *said),
        source="banded ridge regression",
    )


class _Fit(NamedTuple):
    """Kernels ``[n_band, n, n]`` among train and test rows, folds (their inner ones), and how they are fitted."""

    kernels: np.ndarray
    folds: list[np.ndarray]
    inner: list[list[np.ndarray]]
    search: Search
    average: str


def _bands(bands: Any) -> dict[str, Any]:
    allowed = (
        f"a mapping from names of two bands or more to features (no name {TOTAL!r} or {OFFSET!r})"
    )
    given = arguments.mapping("bands", bands, allowed)
    # keys of model patterns: (model, layer)
    found = {
        " ".join(str(p) for p in b if p != "-") if isinstance(b, tuple) else str(b): v
        for b, v in given.items()
    }
    if len(found) < max(2, len(bands)) or {TOTAL, OFFSET} & set(found):
        raise InputError("bands", list(bands), allowed)
    return found


def _inner(
    kept: np.ndarray, folds: str, n_fold: int, groups: Sequence[Any] | None, seed: int
) -> list[np.ndarray]:
    """Folds within the rows that are fitted, of the same kind as the outer ones."""
    own = None if groups is None else [list(groups)[i] for i in kept]
    if folds == "leave_one_out" and own is not None and len(set(own)) < 2:
        raise DesignError("banded_ridge: three groups are needed, one is held out twice")
    least = len(kept) // 2 if own is None else len(set(own))
    return held_out(len(kept), folds, n_fold=min(n_fold, least), groups=own, seed=seed)


def _kernels(
    bands: Mapping[str, Patterns], kernels: str | Mapping[str, str], delays: tuple[int, ...]
) -> np.ndarray:
    """Kernels ``[n_band, n, n]`` of all bands among train and test rows, standardised by the train rows."""
    chosen = {b: kernels for b in bands} if isinstance(kernels, str) else dict(kernels)
    if set(chosen) != set(bands):
        raise InputError("kernels", sorted(map(str, chosen)), f"a kernel for each of {list(bands)}")
    found = []
    for name, p in bands.items():
        kernel = KERNELS[choice("kernels", chosen[name], KERNELS)]
        train, test = standardised(delayed(p.train, delays), delayed(p.test, delays))
        rows = train if test is None else np.concatenate([train, test])
        found.append(kernel(rows, rows))
    return np.stack(found)


def _rows(
    brain: Mapping[tuple[str, str], Patterns],
    raw: Mapping[tuple[str, str], Patterns],
    fit: _Fit,
    sizes: Mapping[str, int],
    units: Units,
) -> Iterator[dict[str, Any]]:
    """Rows of every data set: bands, offset and total, train and test."""
    ends = fit.search.alphas.min(), fit.search.alphas.max()
    for some in _stacks(brain, fit.search.per_unit):
        for key, (kept, scores, chosen) in zip(
            some, _scored([brain[k] for k in some], fit), strict=True
        ):
            places = np.flatnonzero(raw[key].features())
            for split, (values, scored) in scores.items():
                for k, part in enumerate([*sizes, OFFSET, TOTAL]):
                    there = values[k][np.isfinite(values[k])]
                    row = {
                        "kind": "model",
                        "model": part,
                        "layer": "-",
                        "subject": key[0],
                        "roi": key[1],
                        "metric": "banded_ridge" + "_median" * (fit.average == "median"),
                        "n_feature_predictor": sizes.get(part, sum(sizes.values())),
                        "n_feature_brain": int(kept.sum()),
                        "penalty": _penalty(chosen, k, part),
                        "at_edge": float(np.isin(chosen.alpha, ends).mean()),
                        "n_unit": int(scored.sum()),
                        "split": split,
                        "score": float(getattr(np, fit.average)(there)) if len(there) else np.nan,
                    }
                    units.add(row, values[k], places)
                    yield row
        units.close_part()


def _stacks(
    brain: Mapping[tuple[str, str], Patterns], together: bool
) -> Iterator[list[tuple[str, str]]]:
    """Data sets that are fitted at once: they share the decomposition of the kernels."""
    some: list[tuple[str, str]] = []
    size = 0
    for key, p in brain.items():
        if some and (not together or size + p.train.shape[1] > AT_ONCE):
            yield some
            some, size = [], 0
        some.append(key)
        size += p.train.shape[1]
    yield some


class _Chosen(NamedTuple):
    """Penalties of all folds: ``penalties [n_fold, n_band, q]``, ``alpha [n_fold, q]``."""

    penalties: np.ndarray
    alpha: np.ndarray


def _penalty(chosen: _Chosen, k: int, part: str) -> float:
    if part == OFFSET:
        return float("nan")
    if part == TOTAL:
        return float(np.median(chosen.alpha))
    return float(np.exp(np.log(chosen.penalties[:, k]).mean()))


Scored = tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]], _Chosen]


def _scored(sets: Sequence[Patterns], fit: _Fit) -> list[Scored]:
    """Of every data set: units that vary; by split scores of bands, offset and total; penalties chosen.

    Scores are ``[n_band + 2, q]``, with which units are scored in every fold.
    """
    n, total = len(sets[0].train), len(fit.kernels[0])
    whole = Patterns(
        np.concatenate([p.train for p in sets], axis=1),
        None if sets[0].test is None else np.concatenate([p.test for p in sets], axis=1),  # type: ignore[misc]
    )
    y, y_test = standardised(whole.train, whole.test)
    scale = scale_of(whole.train, whole.train[:0] if whole.test is None else whole.test)
    kept = varies(whole.train, scale)
    sides = {
        split: np.full((len(fit.folds), len(fit.kernels) + 1, len(kept)), np.nan)
        for split in (("train",) if y_test is None else ("train", "test"))
    }
    padded = np.pad(y[:, kept], ((0, total - n), (0, 0)))
    found = []
    for f, (out, inner) in enumerate(zip(fit.folds, fit.inner, strict=True)):
        rows, new = np.setdiff1d(np.arange(n), out), np.concatenate([out, np.arange(n, total)])
        found.append(fit_bands(fit.kernels, padded, rows, new, inner, fit.search))
        for split, truth, measured, at in (
            ("train", y[out], whole.train[out], slice(0, len(out))),
            ("test", y_test, whole.test, slice(len(out), None)),
        ):
            if truth is not None and measured is not None:
                here = varies(measured, scale) & kept
                parts = found[-1].parts[:, at][:, :, here[kept]]
                shares = product_measure(truth[:, here], parts, found[-1].level[here[kept]])
                sides[split][f][:, here] = shares
    weights = {"train": np.array([len(f) for f in fit.folds]), "test": np.ones(len(fit.folds))}
    penalties, alpha = np.stack([f.penalties for f in found]), np.stack([f.alpha for f in found])
    scores = {}
    for split, each in sides.items():
        mean = finite_mean(each, weights[split])
        scores[split] = np.concatenate([mean, mean.sum(axis=0, keepdims=True)])
    bounds = np.cumsum([0, *(p.train.shape[1] for p in sets)])
    out_of = []
    for a, b in pairwise(bounds):
        own = np.zeros(len(kept), dtype=bool)
        own[a:b] = True
        if not kept[own].any():
            raise DataError(
                "banded_ridge: every vertex of a data set is constant on the train stimuli"
            )
        of_kept = own[kept]
        everywhere = {k: np.isfinite(v[:, 0, own]).all(axis=0) for k, v in sides.items()}
        of_split = {k: (scores[k][:, own], everywhere[k]) for k in sides}
        out_of.append((kept[own], of_split, _Chosen(penalties[..., of_kept], alpha[:, of_kept])))
    return out_of


def _left_out(frame: pd.DataFrame) -> tuple[str, ...]:
    """One warning of vertices that do not vary."""
    lacking = frame[frame["n_left_out"] > 0].drop_duplicates(["subject", "roi", "split"])
    if lacking.empty:
        return ()
    first = lacking.iloc[0]
    message = (
        f"{first['n_left_out']} vertices of {(first['subject'], first['roi'])} are constant in {first['split']} parts "
        f"and left out there ({len(lacking)} such parts; columns n_unit, n_left_out)"
    )
    warn(message, DegenerateWarning)
    return (message,)


def _at_edges(frame: pd.DataFrame, alphas: np.ndarray, given: bool) -> tuple[str, ...]:
    """A line, and a warning where the grid was given, for sets most of whose penalties lie at an end of it."""
    edge = frame[frame["at_edge"] > 0.5].drop_duplicates(["subject", "roi"])
    if edge.empty or len(alphas) < 3:
        return ()
    first = edge.iloc[0]
    message = (
        f"alpha is the least or the largest of alphas for most units of {len(edge)} data sets, first "
        f"{(first['subject'], first['roi'])}: a wider grid may fit better"
    )
    if given:
        warn(message, ConvergenceWarning)
    return (message,)
