"""Layer-wise agreement: the curve of every model over its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats.errors import DesignError
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.pattern_agreement import pattern_agreement
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.table import BRAIN
from apastats.words import REFERENCE_PATTERNS, STIMULI, Drawn, Info, Outcome

if TYPE_CHECKING:
    pass

__all__ = ["LayerAgreement", "layer_agreement"]


class LayerAgreement(Result):
    """Agreement of every layer with every ROI.

    ``table``: ``model, layer, position`` (order in the table of scores, from 0), ``depth`` (0 first, 1 last), ``roi,
    metric, split, estimate, std_error, conf_low, conf_high, conf_level, n_subject, rank`` (1: best layer of its model
    for this ROI, by agreement), ``brain`` (the brain's own mean agreement), ``method``.
    """

    kind: ClassVar[str] = "layer_agreement"


@verb
def layer_agreement(
    patterns: AlignmentPatterns,
    *,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
    conf_level: float = 0.95,
) -> LayerAgreement:
    """Agreement of all layers of all models, as a curve over layers.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`; layers in the order in which they appear in the scores.
    reference, similarity, brain
        As in :func:`pattern_agreement`.
    conf_level : float
        Level of the t interval over people, each left out in all roles (over subjects, references held fixed,
        where there are too few).

    Returns
    -------
    LayerAgreement

        Columns: ``model`` (model, or what is compared), ``layer`` (layer of the model), ``position``
        (position among the layers), ``depth`` (relative depth), ``roi`` (region), ``metric`` (measure of the
        scores), ``split`` (part of the stimuli), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit
        of the interval), ``conf_level`` (level of the interval), ``n_subject`` (subjects), ``rank`` (rank),
        ``brain`` (brain row), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are no models.

    See Also
    --------
    pattern_agreement, select_layer

    Notes
    -----
    ``rank`` orders the layers of a model on the data they are judged on. To choose a layer on agreement, use
    ``select_layer(pattern_agreement(patterns), on="cross_subject", outcome="agreement")``.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=5, n_model=3, n_layer=4, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> curve = apa.layer_agreement(patterns).table
    >>> curve["depth"].unique().round(2).tolist()
    [0.0, 0.33, 0.67, 1.0]
    """
    table = pattern_agreement(patterns, reference=reference, similarity=similarity, brain=brain)
    frame = table.frame
    models = frame[frame["kind"] == "model"]
    if models.empty:
        raise DesignError("layer_agreement: there are no models")
    keys = ["model", "layer", "roi", "metric", "split"]
    stats = (
        models.groupby(keys, sort=False)["agreement"].agg(["mean", "std", "count"]).reset_index()
    )
    own = frame[frame["model"] == BRAIN].groupby(["roi", "metric", "split"])["agreement"].mean()
    layers = pd.DataFrame({"model": patterns.arrays["models"], "layer": patterns.arrays["layers"]})
    layers["position"] = layers.groupby("model").cumcount()
    last = layers.groupby("model")["position"].transform("max")
    layers["depth"] = layers["position"] / last.clip(lower=1)
    out = stats.merge(layers, on=["model", "layer"], how="left")
    person = "agreement_person" in table.outcomes
    if person:
        sd = models.groupby(keys, sort=False)["agreement_person"].std()
        out["std"] = sd.loc[pd.MultiIndex.from_frame(out[keys])].to_numpy()
    error = (out["std"] / np.sqrt(out["count"])).to_numpy()
    half = stdtrit(np.maximum(out["count"].to_numpy() - 1, 1), (1 + conf_level) / 2) * error
    mean = out["mean"].to_numpy()
    rank = out.groupby(["model", "roi", "metric", "split"])["mean"].rank(
        ascending=False, method="first"
    )
    index = pd.MultiIndex.from_frame(out[["roi", "metric", "split"]])
    found = pd.DataFrame(
        {
            **{
                c: out[c] for c in ("model", "layer", "position", "depth", "roi", "metric", "split")
            },
            "estimate": mean,
            "std_error": error,
            "conf_low": mean - half,
            "conf_high": mean + half,
            "conf_level": conf_level,
            "n_subject": out["count"],
            "rank": rank,
            "brain": own.reindex(index).to_numpy(),
            "method": "mean over subjects, t interval"
            + (" over people in all roles" if person else ", references held fixed"),
        }
    )
    info = Info(
        estimand="mean agreement",
        outcome=Outcome("agreement"),
        method="agreement of every layer",
        reference=reference,
        n_subject=int(out["count"].max()),
        conf_level=conf_level,
        resampled=(
            Drawn("people, left out one at a time in all roles")
            if person
            else Drawn(sample="subjects were taken as a random sample")
        ),
        held_fixed=(STIMULI, *(() if person else (REFERENCE_PATTERNS,))),
        extra={"similarity": similarity, "brain": brain},
    )
    return LayerAgreement(found, info, Provenance(data_hash=patterns.provenance.data_hash))
