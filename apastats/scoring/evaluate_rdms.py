"""Evaluation of models against the RDMs of subjects, with noise ceilings: one result, and rsatoolbox's."""

from __future__ import annotations

from itertools import starmap
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd

from apastats.arguments import checked, choice
from apastats.calls import not_among
from apastats.errors import DesignError, InputError
from apastats.io.rdm_set import RDMSet, aligned
from apastats.io.read_rdms import as_rdms
from apastats.numbers.backends import Backend, get_backend
from apastats.recording import verb
from apastats.resampling.parallel import elsewhere, run_tasks
from apastats.results import Provenance, Result
from apastats.scoring.checked_rdms import labels_of_brain, labels_of_models, text_column
from apastats.scoring.fixed import fixed_scores, pair_variances
from apastats.scoring.methods import parse_method
from apastats.scoring.score import direction
from apastats.table import ScoreTable
from apastats.words import Drawn, Info, Outcome

__all__ = ["RDMEvaluation", "evaluate_rdms"]

MAX_DENSE_MODELS = 200


class RDMEvaluation(Result):
    """Mean score of every model in every ROI, with the noise ceilings of Nili et al. (2014).

    ``table``: ``roi, model, layer, metric, estimate, std_error, df, ceiling_lower, ceiling_upper,
    n_subject``. ``arrays``: ``scores [n_roi, n_model, n_subject]`` and ``lower, upper
    [n_roi, n_subject]``, NaN where a subject lacks a ROI; ``subject`` and ``roi`` labels.
    """

    kind: ClassVar[str] = "rdm_evaluation"

    @property
    def scores(self) -> ScoreTable:
        """Score table of the models, one row per ROI, model, layer and subject."""
        values = self.arrays["scores"]
        r, k, s = (i.ravel() for i in np.indices(values.shape))
        predictors = self.table[["model", "layer"]].iloc[: values.shape[1]]
        frame = pd.DataFrame(
            {
                "kind": "model",
                "model": predictors["model"].to_numpy()[k],
                "layer": predictors["layer"].to_numpy()[k],
                "subject": self.arrays["subject"][s],
                "roi": self.arrays["roi"][r],
                "metric": self.info["metric"],
                "score": values.ravel(),
            }
        )
        # subjects without the ROI have no row; scores that are NaN for another reason stay
        present = np.isfinite(self.arrays["upper"])[r, s]
        return ScoreTable(frame[present].reset_index(drop=True), source="evaluation of RDMs")

    @checked
    def pair_variances(self, roi: str | None = None) -> np.ndarray:
        """Sampling variance of all pairwise differences of model means, upper-triangle order."""
        values, _, _ = self._one(roi)
        n = values.shape[1]
        return pair_variances(np.atleast_2d(np.cov(values)) / n)

    @checked
    def to_rsatoolbox_result(self, roi: str | None = None) -> Any:
        """``rsatoolbox.inference.Result`` of one ROI, as its ``eval_fixed`` returns it.

        Parameters
        ----------
        roi : str, optional
            Which ROI; may be left out where there is one.

        Raises
        ------
        InputError
            If the ROI is unknown, or there are more than 200 models: rsatoolbox makes a matrix of
            all pairs of pairs of models (51 GB at 400 models).
        """
        from rsatoolbox.inference import Result as TheirResult
        from rsatoolbox.model import ModelFixed

        values, lower, upper = self._one(roi)
        n_model, n = values.shape
        if n_model > MAX_DENSE_MODELS:
            raise InputError(
                "models", n_model, f"at most {MAX_DENSE_MODELS} models in an rsatoolbox Result"
            )
        predictors = self.table.iloc[:n_model]
        single = (predictors["layer"] == "-").all()
        names = predictors["model"] if single else predictors["model"] + " " + predictors["layer"]
        models = [
            ModelFixed(m, v) for m, v in zip(names, self.arrays["model_vectors"], strict=True)
        ]
        # n_subject is passed on, so that rsatoolbox applies its n / (n - 1) to these
        variances = np.cov(values, ddof=0) / n
        return TheirResult(
            models,
            values[None],
            method="kendall" if self.info["metric"] == "tau-b" else self.info["metric"],
            cv_method="fixed",
            noise_ceiling=np.array([lower.mean(), upper.mean()]),
            variances=variances,
            dof=n - 1,
            n_rdm=n,
            n_pattern=int(self.info["n_stimulus"]),
        )

    def _one(self, roi: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rois = self.arrays["roi"].tolist()
        if roi is None and len(rois) > 1:
            raise not_among("roi", roi, rois)
        if roi is not None:
            choice("roi", roi, rois)
        k = 0 if roi is None else rois.index(roi)
        present = np.isfinite(self.arrays["upper"][k])
        return (
            self.arrays["scores"][k][:, present],
            self.arrays["lower"][k][present],
            self.arrays["upper"][k][present],
        )


@verb
def evaluate_rdms(
    brain: Any,
    models: Any,
    *,
    method: str = "corr",
    sigma_k: Any = None,
    rerank: bool = False,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> RDMEvaluation:
    """Mean score of fixed models over subjects, per ROI, with both noise ceilings.

    Parameters
    ----------
    brain : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled with ``subject`` and ``roi`` (without it the ROI is "-").
    models : RDMSet or anything :func:`apastats.read_rdms` takes
        RDMs labelled with ``model`` and ``layer`` (without it "-").
    method, sigma_k, backend, device, dtype
        As in :func:`apastats.rdm_similarity`; not the Bures measures, which have no pooled RDM.
    rerank : bool
        Whether pooled ranks are ranked again, as rsatoolbox does (rank methods only).

    Returns
    -------
    RDMEvaluation
        Estimate: mean over subjects of ``s(model, subject)``; standard error: SD over subjects (n - 1)
        divided by sqrt(n); ``df`` = n - 1.

        Columns: ``roi`` (region), ``model`` (model, or what is compared), ``layer`` (layer of the model),
        ``metric`` (measure of the scores), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``df`` (degrees of freedom), ``ceiling_lower`` (lower noise ceiling),
        ``ceiling_upper`` (upper noise ceiling), ``n_subject`` (subjects).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.score`.
    DesignError
        If a ROI has fewer than two subjects.

    See Also
    --------
    score, evaluate_fitted, noise_ceiling

    Notes
    -----
    The numbers of ``rsatoolbox.inference.eval_fixed`` (with ``rerank=True`` also its ceilings of the
    rank methods). Ceilings: Nili et al. (2014), PLoS Computational Biology 10:e1003553.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(n_subject=4, n_stimulus=12, rois=["V1", "V2"], n_model=1, rng=0)
    >>> found = evaluate_rdms(rdms.brain, rdms.models)
    >>> found.tidy().shape
    (8, 10)
    """
    engine = get_backend(backend, device, dtype)
    name = parse_method(method)
    given = as_rdms(brain, "brain")
    of_brain = labels_of_brain(given)
    read = as_rdms(models, "models")
    of_models = labels_of_models(read)
    targets, shared, log = aligned(given, read)
    predictors = cast(RDMSet, shared)
    subject, roi = (np.array(of_brain[c], dtype=object) for c in ("subject", "roi"))
    subjects, rois = list(dict.fromkeys(subject)), list(dict.fromkeys(roi))
    column = {s: k for k, s in enumerate(subjects)}
    n_model = len(predictors)
    scores = np.full((len(rois), n_model, len(subjects)), np.nan)
    lower, upper = np.full((2, len(rois), len(subjects)), np.nan)
    people = [np.flatnonzero(roi == r) for r in rois]
    for r, members in zip(rois, people, strict=True):
        if len(members) < 2:
            raise DesignError(
                f"ROI {r!r} has {len(members)} subject; noise ceilings need at least two"
            )
    what = (predictors.vectors, name, sigma_k, rerank, engine)
    # all of one ROI are taken as they are, without a copy
    parts = (targets.vectors if len(m) == len(targets) else targets.vectors[m] for m in people)
    tasks = ((part, *what) for part in parts)
    made = run_tasks(_roi, list(tasks), label="scoring") if elsewhere() else starmap(_roi, tasks)
    for k, (members, found) in enumerate(zip(people, made, strict=True)):
        where = [column[s] for s in subject[members]]
        scores[k][:, where] = found["scores"]
        lower[k, where], upper[k, where] = found["lower"], found["upper"]
    log = [*log, *direction(scores, name)]
    count = np.isfinite(scores).sum(axis=2)
    mean = np.nansum(scores, axis=2) / np.where(count > 0, count, np.nan)
    spread = np.nansum((scores - mean[:, :, None]) ** 2, axis=2)
    error = np.sqrt(spread / np.where(count > 1, (count - 1) * count, np.nan))
    present = np.isfinite(upper).sum(axis=1)
    columns = {
        "roi": _texts([r for r in rois for _ in range(n_model)]),
        "model": _texts(of_models["model"] * len(rois)),
        "layer": _texts(of_models["layer"] * len(rois)),
        "metric": _texts([method] * (n_model * len(rois))),
        "estimate": mean.ravel(),
        "std_error": error.ravel(),
        "df": (count - 1).ravel(),
        "ceiling_lower": np.repeat(np.nansum(lower, axis=1) / present, n_model),
        "ceiling_upper": np.repeat(np.nansum(upper, axis=1) / present, n_model),
        "n_subject": count.ravel(),
    }
    table = pd.DataFrame(columns, copy=False)
    info = Info(
        estimand="mean score",
        outcome=Outcome("score", metric=method),
        method="mean similarity of model RDMs and subjects' RDMs",
        n_subject=len(subjects),
        resampled=Drawn(),
        extra={
            "metric": method,
            "n_stimulus": len(targets.stimuli),
            "pooled": "as means of ranks, ranked again" if rerank else "by averaging",
        },
    )
    arrays = {
        "scores": scores,
        "lower": lower,
        "upper": upper,
        "subject": np.array(subjects),
        "roi": np.array(rois),
        "model_vectors": np.asarray(predictors.vectors),
    }
    return RDMEvaluation(table, info, Provenance(data_hash=given.hash), arrays, tuple(log))


def _texts(values: list[str]) -> Any:
    """A column of texts."""
    if len(set(values)) == 1:
        return text_column(values[0], len(values)).copy()
    return pd.Series(values, dtype="str").array


def _roi(
    brain: np.ndarray, models: np.ndarray, method: str, sigma_k: Any, rerank: bool, engine: Backend
) -> dict[str, np.ndarray]:
    """Scores and ceilings of one ROI."""
    found = fixed_scores(
        brain, models, method=method, sigma_k=sigma_k, rerank=rerank, backend=engine
    )
    return found._asdict()
