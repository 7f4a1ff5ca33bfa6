"""References and noise ceilings, and scores as a share of the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from apastats.errors import CeilingError, CeilingWarning, DataError, DesignError, InputError
from apastats.results import Provenance, Result, describe_call
from apastats.table import ScoreTable

if TYPE_CHECKING:
    from apastats.io.rdms import RDMSet

__all__ = ["NoiseCeiling", "NormalizedScores", "noise_ceiling", "normalize"]

CEILING_KINDS = ("leave_one_out", "subject_to_subject", "nili")
_MEANING = {
    "leave_one_out": "the mean of all other subjects predicts the subject (same ROI)",
    "subject_to_subject": "one other subject predicts the subject (same ROI), averaged over partners",
    "nili": "lower: the pooled RDM of the other subjects; upper: the pooled RDM of all subjects (Nili et al. 2014)",
}


class NoiseCeiling(Result):
    """Noise ceiling per cell.

    ``table`` has the by-columns, ``bound`` (``reference``, or ``lower`` and ``upper`` for Nili's
    bounds), ``estimate, std_error, conf_low, conf_high, conf_level, n_subject, method``.
    ``arrays["values"]`` is ``[n_subject, n_row]``, the per-subject ceilings in the order of the table;
    ``arrays["subjects"]`` the labels.
    """

    kind: ClassVar[str] = "noise_ceiling"

    def per_subject(self) -> pd.DataFrame:
        """Ceiling of every subject, long: the by-columns, ``bound, subject, value``."""
        by = [*self.info["by"], "bound"]
        frames = [
            self.table[by].assign(subject=str(s), value=self.arrays["values"][i])
            for i, s in enumerate(self.arrays["subjects"])
        ]
        return pd.concat(frames, ignore_index=True)


class NormalizedScores(Result):
    """Scores as a share of the noise ceiling, per model and cell.

    ``table`` has ``model``, the by-columns, ``estimate`` (share of the ceiling), ``ceiling, score,
    std_error, conf_low, conf_high, conf_level, n_subject, method``. ``arrays["score"]`` is
    ``[n_subject, n_row]`` and ``arrays["ceiling"]`` likewise, so that both can be resampled together.
    """

    kind: ClassVar[str] = "normalized"


def _t_interval(values: np.ndarray, conf_level: float) -> tuple[np.ndarray, ...]:
    """Mean, standard error and t interval over the first axis, NaN left out."""
    from scipy.special import stdtrit

    n = np.isfinite(values).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(n > 0, np.nansum(values, axis=0), np.nan)
        mean = total / n
        deviation = np.nansum((values - mean) ** 2, axis=0)
        se = np.sqrt(np.where(n > 1, deviation / (n - 1), np.nan) / n)
    half = stdtrit(np.maximum(n - 1, 1), 0.5 + conf_level / 2) * se
    return mean, se, mean - half, mean + half, n


def _check_level(conf_level: float) -> float:
    if not isinstance(conf_level, (int, float)) or not 0 < conf_level < 1:
        raise InputError("conf_level", conf_level, "a number between 0 and 1")
    return float(conf_level)


def noise_ceiling(
    data: ScoreTable | RDMSet | Any,
    *,
    kind: str = "leave_one_out",
    by: Sequence[str] = ("roi", "metric"),
    split: str | None = None,
    method: str = "corr",
    conf_level: float = 0.95,
) -> NoiseCeiling:
    """Noise ceiling per ROI (and metric), with every subject's own value kept.

    Parameters
    ----------
    data : ScoreTable or RDMs
        A score table with brain rows (kinds ``leave_one_out`` and ``subject_to_subject``), or brain
        RDMs with labels ``subject`` and ``roi`` for ``kind="nili"``.
    kind : {"leave_one_out", "subject_to_subject", "nili"}
        What the ceiling is: the mean of the other subjects predicts a subject; one other subject does
        (averaged over partners); or lower and upper bound of Nili et al. (2014).
    by : sequence of str
        Cells the ceiling is computed in; ``roi`` must be among them.
    split : str, optional
        Split of the score table; ``"test"`` where there are several.
    method : str
        Comparison of RDMs, for ``kind="nili"``.
    conf_level : float
        Level of the t interval over subjects.

    Returns
    -------
    NoiseCeiling

    Raises
    ------
    DataError
        If there are no rows of that kind in which predictor ROI and target ROI are the same.
    DesignError
        If there are fewer than two subjects.
    InputError
        If an argument is not allowed.

    Notes
    -----
    leave_one_out: ``c_s = score(mean of others, ROI t -> subject s, ROI t)``; subject_to_subject:
    ``c_s = mean over partners p of score(p, t -> s, t)``; the ceiling is the mean of ``c_s`` over
    subjects. Nili's bounds: ``mean_s sim(pool(R_without_s), r_s)`` and ``mean_s sim(pool(R), r_s)``
    (Nili et al. 2014, PLoS Comput Biol 10:e1003553).

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rng=1)
    >>> apa.noise_ceiling(study.scores).tidy()["n_subject"].unique().tolist()
    [6]
    """
    conf_level = _check_level(conf_level)
    if kind not in CEILING_KINDS:
        raise InputError("kind", kind, f"one of {list(CEILING_KINDS)}")
    by = [by] if isinstance(by, str) else list(by)
    if kind == "nili":
        labels, values, subjects, data_hash = _nili(data, method)
        by = [c for c in labels.columns if c != "bound"]
        note = f"{kind}, {method}"
    else:
        if not isinstance(data, ScoreTable):
            raise InputError("data", type(data).__name__, f"a ScoreTable for kind={kind!r}")
        if "roi" not in by:
            raise InputError("by", by, "columns with 'roi' among them")
        labels, values, subjects = _reference_scores(data, kind, by, split)
        labels["bound"] = "reference"
        data_hash, note = data.hash, kind
    if len(subjects) < 2:
        raise DesignError(f"noise_ceiling: {len(subjects)} subject; at least 2 are needed")
    mean, se, low, high, n = _t_interval(values, conf_level)
    table = labels.assign(
        estimate=mean,
        std_error=se,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        n_subject=n,
        method=note,
    )
    info = {
        "method": f"noise ceiling, {kind}: {_MEANING[kind]}",
        "ceiling_kind": kind,
        "by": by,
        "n_subject": len(subjects),
        "conf_level": conf_level,
        "interval": "t over subjects",
        "resampled": "nothing (subjects are the sample)",
        "held_fixed": "stimuli" + (", partners" if kind == "subject_to_subject" else ""),
    }
    call = describe_call("noise_ceiling", data, kind=kind, by=tuple(by), split=split)
    arrays = {"values": values, "subjects": np.asarray(subjects, dtype=str)}
    return NoiseCeiling(table, info, Provenance(call, data_hash), arrays)


def _reference_scores(
    data: ScoreTable, kind: str, by: list[str], split: str | None
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Same-ROI reference scores ``[subject, cell]``, averaged over partners."""
    frame = data.frame
    for c in by:
        if c not in frame.columns:
            raise InputError("by", c, f"columns among {list(frame.columns)}")
    rows = frame[(frame["kind"] == kind) & (frame["layer"] == frame["roi"])]
    if "split" not in by:
        splits = list(rows["split"].unique())
        if split is None:
            split = "test" if "test" in splits or not splits else splits[0]
        if splits and split not in splits:
            raise InputError("split", split, f"one of {splits}")
        rows = rows[rows["split"] == split]
    if rows.empty:
        raise DataError(
            f"{data.source}: no rows of kind {kind!r} whose predictor ROI (layer) is the target ROI; "
            f"kinds present: {list(frame['kind'].unique())}"
        )
    outcome = data.outcomes[0]
    cells = rows[by].drop_duplicates().reset_index(drop=True)
    means = rows.groupby(["subject", *by], sort=False)[outcome].mean()
    subjects = sorted(rows["subject"].unique())
    index = [tuple(row) for row in cells.itertuples(index=False)]
    values = np.full((len(subjects), len(cells)), np.nan)
    for i, s in enumerate(subjects):
        for j, cell in enumerate(index):
            values[i, j] = means.get((s, *cell), np.nan)
    return cells, values, subjects


def _nili(data: Any, method: str) -> tuple[pd.DataFrame, np.ndarray, list[str], str]:
    """Per-subject lower and upper bounds of every ROI."""
    from apastats.io.rdms import as_rdms
    from apastats.scoring.ceilings import nili_bounds

    rdms = as_rdms(data, "data")
    for c in ("subject", "roi"):
        if c not in rdms.labels.columns:
            raise InputError("data", list(rdms.labels.columns), f"RDMs with a label {c!r}")
    subjects = sorted(rdms.labels["subject"].unique())
    rows, columns = [], []
    for roi in rdms.labels["roi"].unique():
        part = rdms.labels["roi"] == roi
        present = rdms.labels.loc[part, "subject"].tolist()
        if len(present) != len(set(present)):
            raise DataError(f"data: several RDMs of one subject in ROI {roi!r}; average them first")
        lower, upper = nili_bounds(rdms.vectors[part.to_numpy()], method=method)
        where = [subjects.index(s) for s in present]
        for bound, value in (("lower", lower), ("upper", upper)):
            full = np.full(len(subjects), np.nan)
            full[where] = value
            columns.append(full)
            rows.append({"roi": roi, "metric": method, "bound": bound})
    return pd.DataFrame(rows), np.stack(columns, axis=1), subjects, rdms.hash


def normalize(
    table: ScoreTable,
    ceiling: NoiseCeiling,
    *,
    how: str = "ratio_of_means",
    conf_level: float = 0.95,
    on_low: str = "error",
) -> NormalizedScores:
    """Scores as a share of the noise ceiling, with the ceiling's uncertainty in the interval.

    Parameters
    ----------
    table : ScoreTable
        One row per subject, model and cell of the ceiling (choose layer and split first).
    ceiling : NoiseCeiling
        From :func:`noise_ceiling`, same subjects, kind ``leave_one_out`` or ``subject_to_subject``.
    how : {"ratio_of_means", "mean_of_ratios"}
        Mean score over mean ceiling (Fieller interval), or the mean over subjects of score over the
        subject's own ceiling (t interval), which explodes where a subject's ceiling is near zero.
    conf_level : float
        Level of the interval.
    on_low : {"error", "nan"}
        What to do where the ceiling is not clearly above zero.

    Returns
    -------
    NormalizedScores

    Raises
    ------
    CeilingError
        If a ceiling's own interval reaches zero (or, for ``mean_of_ratios``, a subject's ceiling is not
        positive): the ratio has no bounded interval there. The cells and numbers are listed.

    Notes
    -----
    Fieller (1954): the interval holds all rho with
    ``(a - rho b)^2 <= t^2 (s_aa - 2 rho s_ab + rho^2 s_bb) / n``, a and b the means over the same subjects.
    Scores and ceiling are on the same scale; nothing is squared and nothing is clamped to 1.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rng=1)
    >>> best = apa.select_layer(study.scores, on="train")
    >>> share = apa.normalize(best, apa.noise_ceiling(study.scores))
    >>> bool((share.tidy()["estimate"] > 0).all())
    True
    """
    conf_level = _check_level(conf_level)
    if how not in ("ratio_of_means", "mean_of_ratios"):
        raise InputError("how", how, "'ratio_of_means' or 'mean_of_ratios'")
    if on_low not in ("error", "nan"):
        raise InputError("on_low", on_low, "'error' or 'nan'")
    if not isinstance(ceiling, NoiseCeiling) or ceiling.info["ceiling_kind"] == "nili":
        raise InputError(
            "ceiling", ceiling, "a NoiseCeiling of kind leave_one_out or subject_to_subject"
        )
    by = list(ceiling.info["by"])
    block = table.block(f"{table.outcomes[0]} ~ model | {' + '.join(by)}")
    subjects = [str(s) for s in ceiling.arrays["subjects"]]
    shared = [s for s in block.clusters if s in subjects]
    if len(shared) < 2:
        raise DesignError(
            f"normalize: scores and ceiling share {len(shared)} subjects; at least 2 are needed"
        )
    place = {
        tuple(row): j for j, row in enumerate(ceiling.table[by].itertuples(index=False, name=None))
    }
    cells = list(block.cells.itertuples(index=False, name=None))
    lacking = [c for c in cells if c not in place]
    if lacking:
        raise DataError(f"normalize: no ceiling for {dict(zip(by, lacking[0], strict=True))}")
    score = block.values[[block.clusters.index(s) for s in shared]]
    reference = ceiling.arrays["values"][[subjects.index(s) for s in shared]][
        :, [place[c] for c in cells]
    ]
    _refuse_low(reference, by, cells, how, on_low, conf_level)
    rows, top, bottom = [], [], []
    for j, cell in enumerate(cells):
        for i, model in enumerate(block.groups["model"]):
            a, b = score[:, i, j], reference[:, j]
            estimate, se, low, high, n = _share(a, b, how, conf_level)
            rows.append(
                {
                    "model": model,
                    **dict(zip(by, cell, strict=True)),
                    "estimate": estimate,
                    "score": np.nanmean(a),
                }
                | {"ceiling": np.nanmean(b), "std_error": se, "conf_low": low, "conf_high": high}
                | {"conf_level": conf_level, "n_subject": n, "method": how}
            )
            top.append(a)
            bottom.append(b)
    info = {
        "method": f"score / noise ceiling, {how.replace('_', ' ')}",
        "ceiling": ceiling.info["method"],
        "interval": "Fieller" if how == "ratio_of_means" else "t over subjects",
        "by": by,
        "n_subject": len(shared),
        "conf_level": conf_level,
        "resampled": "nothing; numerator and ceiling vary together over subjects",
        "held_fixed": "stimuli, chosen layers",
    }
    arrays = {
        "score": np.stack(top, 1),
        "ceiling": np.stack(bottom, 1),
        "subjects": np.asarray(shared, dtype=str),
    }
    call = describe_call("normalize", table, ceiling, how=how)
    return NormalizedScores(pd.DataFrame(rows), info, Provenance(call, table.hash), arrays)


def _refuse_low(
    reference: np.ndarray,
    by: list[str],
    cells: list[tuple],
    how: str,
    on_low: str,
    conf_level: float,
) -> None:
    """Refuse (or blank) cells whose ceiling is not clearly above zero; edits ``reference`` in place."""
    import warnings

    mean, _, low, _, _ = _t_interval(reference, conf_level)
    bad = ~(low > 0)
    if how == "mean_of_ratios":
        bad |= (reference <= 0).any(axis=0)
    if not bad.any():
        return
    shown = "; ".join(
        f"{' / '.join(map(str, cells[j]))}: mean {mean[j]:.4g}, interval from {low[j]:.4g}, "
        f"smallest subject {np.nanmin(reference[:, j]):.4g}"
        for j in np.flatnonzero(bad)[:5]
    )
    message = f"noise ceiling not clearly above zero in {int(bad.sum())} of {len(cells)} cells of {by}: {shown}"
    if on_low == "error":
        raise CeilingError(
            f"{message}. A share of such a ceiling means nothing; leave these cells out, or on_low='nan'."
        )
    warnings.warn(CeilingWarning(f"{message}. NaN there."), stacklevel=3)
    reference[:, bad] = np.nan


def _share(
    a: np.ndarray, b: np.ndarray, how: str, conf_level: float
) -> tuple[float, float, float, float, int]:
    """Ratio, delta-method standard error and interval from paired values of one cell."""
    from scipy.special import stdtrit

    keep = np.isfinite(a) & np.isfinite(b)
    n = int(keep.sum())
    if n < 2:
        return np.nan, np.nan, np.nan, np.nan, n
    a, b = a[keep], b[keep]
    if how == "mean_of_ratios":
        mean, se, low, high, _ = _t_interval((a / b)[:, None], conf_level)
        return float(mean[0]), float(se[0]), float(low[0]), float(high[0]), n
    t2 = float(stdtrit(n - 1, 0.5 + conf_level / 2)) ** 2
    ma, mb = a.mean(), b.mean()
    saa, sbb = a.var(ddof=1) / n, b.var(ddof=1) / n
    sab = float(np.cov(a, b)[0, 1]) / n
    ratio = ma / mb
    se = np.sqrt(max(saa - 2 * ratio * sab + ratio**2 * sbb, 0.0)) / abs(mb)
    # roots of (mb^2 - t2 sbb) r^2 - 2 (ma mb - t2 sab) r + (ma^2 - t2 saa) = 0; bounded, as the ceiling is above zero
    qa, qb, qc = mb**2 - t2 * sbb, ma * mb - t2 * sab, ma**2 - t2 * saa
    root = np.sqrt(max(qb**2 - qa * qc, 0.0))
    return float(ratio), float(se), float((qb - root) / qa), float((qb + root) / qa), n
