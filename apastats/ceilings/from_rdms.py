"""Noise ceilings from RDMs: of other subjects, and of halves, sessions and repeats of one subject."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import column
from apastats.errors import DataError, DegenerateWarning, DesignError, InputError, warn
from apastats.io.rdm_set import RDMSet
from apastats.io.read_rdms import as_rdms
from apastats.numbers.correlation import spearman_brown
from apastats.rows import SEPARATOR
from apastats.scoring.methods import METHODS, comparison, parse_method
from apastats.scoring.people import between_subjects, with_variation
from apastats.scoring.pooling import mean_of, pool_others, scaled_for_pooling
from apastats.scoring.rdm_similarity import paired_similarity
from apastats.seeds import RngLike, block_generator, seed_sequence

__all__ = ["between_values", "within_subject_values"]

MAX_SPLITS = 200

Values = tuple[pd.DataFrame, np.ndarray, list[str], str]


def between_values(data: Any, method: str, kind: str) -> tuple[Values, np.ndarray]:
    """Ceilings made from other subjects' RDMs, of every ROI.

    Returns
    -------
    values : tuple
        Labels, ``[subject, row]``, subjects, hash.
    person : numpy.ndarray
        ``[subject, row]``, see :func:`apastats.scoring.people.between_subjects`.
    """
    rdms = _labelled(data)
    subjects = sorted(rdms.labels["subject"].unique())
    rows, columns, flat = [], [], []
    for cell, part in _cells(rdms):
        roi = SEPARATOR.join(cell.values())
        present = rdms.labels.loc[part, "subject"].tolist()
        if len(present) != len(set(present)):
            raise DataError(f"data: several RDMs of one subject in ROI {roi!r}; average them first")
        if len(present) < 2:
            raise DesignError(
                f"data: ROI {roi!r} has RDMs of one subject; noise ceilings need at least two"
            )
        full = np.full((2, len(subjects), 2 if kind == "nili" else 1), np.nan)
        where = [subjects.index(s) for s in present]
        full[:, where] = between_subjects(rdms.vectors[part], method, kind)
        alive = with_variation(rdms.vectors[part], parse_method(method))
        flat += [(present[i], roi) for i in np.flatnonzero(~alive)]
        columns.append(full)
        for bound in ("lower", "upper") if kind == "nili" else ("reference",):
            rows.append({**cell, "metric": method, "bound": bound})
    if flat:
        message = (
            f"{len(flat)} RDMs do not vary (first: subject {flat[0][0]!r}, ROI {flat[0][1]!r}); "
        )
        warn(message + "left out of all pools and pairs", DegenerateWarning)
    values, person = np.concatenate(columns, axis=2)
    return (pd.DataFrame(rows), values, subjects, rdms.hash), person


def within_subject_values(
    data: Any, method: str, *, form: str, within: str, rng: RngLike = None
) -> tuple[Values, str]:
    """Reliability of every subject's own RDMs.

    Parameters
    ----------
    data : RDMs
        With labels ``subject, roi`` and ``within``; two RDMs or more per subject and ROI.
    method : str
        Similarity of RDMs.
    form : {"split_half", "repeat"}
        Halves of the RDMs against each other (all splits, or 200 random ones, averaged), with the
        Spearman-Brown correction beside it; or every RDM against the pool of the subject's others.
    within : str
        Label that tells the RDMs of a subject apart (``"session"``, ``"repeat"``).
    rng : int, Generator, SeedSequence or None
        For random splits.

    Returns
    -------
    values : tuple
        Labels, ``[subject, row]``, subjects, hash.
    how : str
        Words for the splits.
    """
    rdms = _labelled(data)
    column("within", within, rdms.labels.columns)
    method = parse_method(method)
    corrected = form == "split_half"
    if corrected and not comparison(method).correlation:
        raise InputError(
            "method",
            method,
            f"one of {[name for name, row in METHODS.items() if row.correlation]}: Spearman-Brown is for correlations",
        )
    subjects = sorted(rdms.labels["subject"].unique())
    bounds = ("uncorrected", "corrected") if corrected else ("reference",)
    root = seed_sequence(rng)
    rows, columns, most = [], [], 0
    for cell, here in _cells(rdms):
        values = np.full((len(subjects), len(bounds)), np.nan)
        for i, subject in enumerate(subjects):
            part = here & (rdms.labels["subject"] == subject).to_numpy()
            if not part.any():
                continue
            vectors = rdms.vectors[part]
            if len(vectors) < 2:
                raise DataError(
                    f"data: subject {subject!r} has one RDM in ROI {SEPARATOR.join(cell.values())!r}; two {within}s "
                    f"are needed"
                )
            if corrected:
                splits = _splits(len(vectors), block_generator(root, i))
                most = max(most, len(splits))
                r = _halves(vectors, method, splits)
                values[i] = r, spearman_brown(r)
            else:
                others = pool_others(scaled_for_pooling(vectors, method))
                values[i] = paired_similarity(others, vectors, method, x_ranked=True).mean()
        for k, bound in enumerate(bounds):
            rows.append({**cell, "metric": method, "bound": bound})
            columns.append(values[:, k])
    how = f"{most} splits of the {within}s" if corrected else f"each {within} against the others"
    return (pd.DataFrame(rows), np.stack(columns, axis=1), subjects, rdms.hash), how


def _cells(rdms: RDMSet) -> Iterator[tuple[dict[str, str], np.ndarray]]:
    """Every ROI, and time point where there are several, with the RDMs it has."""
    by = ["roi", *(c for c in ("time",) if c in rdms.labels.columns)]
    labels = rdms.labels[by].astype(str)
    for cell in labels.drop_duplicates().itertuples(index=False):
        named = dict(zip(by, cell, strict=True))
        yield named, (labels == pd.Series(named)).all(axis=1).to_numpy()


def _labelled(data: Any) -> RDMSet:
    """RDMs with the labels subject and roi."""
    rdms = as_rdms(data, "data")
    for c in ("subject", "roi"):
        if c not in rdms.labels.columns:
            hint = f"read_rdms(..., labels={{{c!r}: ...}}): one name for all, or the descriptor that holds it."
            raise InputError(
                "data", list(rdms.labels.columns), f"RDMs with a label {c!r}", hint=hint
            )
    return rdms


def _splits(k: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Members of the first half of every split of ``k`` RDMs into halves (as equal as can be)."""
    half = k // 2
    total = math.comb(k, half) // (2 if k % 2 == 0 else 1)
    if total <= MAX_SPLITS:
        found = [np.array(c) for c in combinations(range(k), half)]
        return found[:total] if k % 2 == 0 else found
    return [generator.permutation(k)[:half] for _ in range(MAX_SPLITS)]


def _halves(vectors: np.ndarray, method: str, splits: list[np.ndarray]) -> float:
    """Mean similarity of the two halves' mean RDMs."""
    first, second = [], []
    for members in splits:
        mask = np.isin(np.arange(len(vectors)), members)
        first.append(mean_of(vectors[mask]))
        second.append(mean_of(vectors[~mask]))
    return float(np.mean(paired_similarity(np.stack(first), np.stack(second), method)))
