"""The formulas written as loops over rows, with scipy's correlations: slow, and independent of the package."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats


def similar(x, y, similarity="pearson"):
    x, y = np.asarray(x, float), np.asarray(y, float)
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) < 3:
        return np.nan
    if similarity == "pearson":
        return stats.pearsonr(x, y)[0]
    if similarity == "spearman":
        return stats.spearmanr(x, y)[0]
    if similarity == "cosine":
        return (x @ y) / np.linalg.norm(x) / np.linalg.norm(y)
    if similarity == "concordance":
        cov = np.mean((x - x.mean()) * (y - y.mean()))
        return 2 * cov / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    if similarity == "nrmse":
        return 1 - np.sqrt(np.mean((x - y) ** 2)) / y.std()
    raise ValueError(similarity)


def pattern(frame: pd.DataFrame, rois, **conditions) -> np.ndarray:
    """Scores over ROIs of the rows that fulfil the conditions."""
    for column, value in conditions.items():
        frame = frame[frame[column] == value]
    values = dict(zip(frame["roi"], frame["score"], strict=True))
    return np.array([values.get(r, np.nan) for r in rois])


def mean_pattern(patterns) -> np.ndarray:
    stack = np.array(patterns, float)
    out = []
    for column in stack.T:
        known = column[~np.isnan(column)]
        out.append(known.mean() if len(known) else np.nan)
    return np.array(out)


def mean_known(values) -> float:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else np.nan


class Pairs:
    """Agreement from pairs of subjects, one metric and one split."""

    def __init__(self, frame, similarity="pearson", self_entry="in"):
        self.similarity = similarity
        brain = frame[frame["kind"] == "subject_to_subject"]
        self.rois = list(dict.fromkeys(frame["roi"]))
        self.subjects = sorted(set(frame["subject"]))
        self.pairs = {}
        for (target, partner, roi), _ in brain.groupby(["subject", "model", "layer"]):
            p = pattern(brain, self.rois, subject=target, model=partner, layer=roi)
            if self_entry == "out":
                p[self.rois.index(roi)] = np.nan
            self.pairs[target, partner, roi] = p
        self.models = {}
        for (model, layer, s), part in frame[frame["kind"] == "model"].groupby(
            ["model", "layer", "subject"]
        ):
            self.models[model, layer, s] = pattern(part, self.rois)

    def partners(self, s):
        return sorted({p for t, p, _ in self.pairs if t == s})

    def reference(self, roi, *absent):
        return mean_pattern(
            [
                v
                for (t, p, r), v in self.pairs.items()
                if r == roi and t not in absent and p not in absent
            ]
        )

    def brain(self, roi, s, reference="leave_one_out"):
        found = []
        for p in self.partners(s):
            if (s, p, roi) not in self.pairs:
                continue
            absent = (s, p) if reference == "matched" else (s,)
            found.append(
                similar(self.pairs[s, p, roi], self.reference(roi, *absent), self.similarity)
            )
        return mean_known(found)

    def model(self, model, layer, roi, s, reference="leave_one_out"):
        own = self.models[model, layer, s]
        if reference == "leave_one_out":
            return similar(own, self.reference(roi, s), self.similarity)
        found = []
        for p in self.partners(s):
            if reference == "released":
                if (s, p, roi) in self.pairs:
                    found.append(similar(own, self.pairs[s, p, roi], self.similarity))
            else:
                found.append(similar(own, self.reference(roi, s, p), self.similarity))
        return mean_known(found)


def subject_pair_scores(rdms: np.ndarray, rois, subjects) -> pd.DataFrame:
    """Spearman scores of all ordered pairs of subjects and ROIs, and of the pooled ranks of the others."""
    n_subject, n_roi = rdms.shape[:2]
    upper = np.triu_indices(rdms.shape[-1], 1)
    ranks = stats.rankdata(rdms[:, :, upper[0], upper[1]].astype(float), axis=-1)
    z = (ranks - ranks.mean(-1, keepdims=True)) / ranks.std(-1, keepdims=True)
    n = z.shape[-1]
    rows = []
    for t in range(n_subject):
        for x in range(n_roi):
            pooled = np.delete(z[:, x], t, axis=0).mean(0)
            for y in range(n_roi):
                r = np.corrcoef(pooled, ranks[t, y])[0, 1]
                rows.append(("leave_one_out", "others", rois[x], subjects[t], rois[y], r))
                for p in range(n_subject):
                    if p != t:
                        r = z[p, x] @ z[t, y] / n
                        rows.append(
                            ("subject_to_subject", subjects[p], rois[x], subjects[t], rois[y], r)
                        )
    return pd.DataFrame(rows, columns=["kind", "model", "layer", "subject", "roi", "score"])
