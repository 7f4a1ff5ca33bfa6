"""Sensitivity: how each conclusion about agreement moves with the choices behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtr

from apastats.arguments import choice, items, names, whole
from apastats.ceilings.select_layer import select_layer, selected_rows
from apastats.errors import ApaError, DesignError
from apastats.patterns.alignment_patterns import alignment_patterns
from apastats.patterns.compared import average
from apastats.patterns.pattern_agreement import pattern_agreement
from apastats.patterns.pattern_similarity import SIMILARITIES, pattern_similarity
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.rows import BRAIN_ROWS
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import BRAIN, ScoreTable
from apastats.words import STIMULI, Drawn, Info, Outcome

if TYPE_CHECKING:
    pass

__all__ = ["AgreementSensitivity", "agreement_sensitivity"]

VARY = (
    "metric",
    "similarity",
    "self_entry",
    "scale",
    "reference",
    "brain",
    "selection",
    "partners",
    "subjects",
)
_REACHED = "a model reaches the brain"
_BELOW = "every model below the brain"
_OPEN = "undecided"


class AgreementSensitivity(Result):
    """Conclusions under the baseline analysis and under one change at a time.

    ``table``: ``what`` (the choice that is changed; "baseline" first), ``analysis`` (its value), ``term``,
    ``estimate, baseline, change`` and ``label`` (for terms that are a name). Terms: ``brain`` (mean agreement of
    the brain over ROIs), ``best_model`` (that of the best model; label: which), ``gap`` (brain less the best
    model of each ROI, mean over ROIs), ``n_roi_below`` (ROIs in which every model is shown to be below the
    brain), ``n_roi_reached`` (ROIs in which some model's mean is at least the brain's),
    ``rank_correlation`` (of the models' mean agreements with those of the baseline), ``same_winner`` (share of
    ROIs whose best model by score is the best by agreement).

    ``decisions()`` has one row per ROI and analysis.
    """

    kind: ClassVar[str] = "agreement_sensitivity"

    def decisions(self) -> pd.DataFrame:
        """Per ROI and analysis, where the models stand to the brain: ``roi, analysis, decision``."""
        a = self.arrays
        ways = zip(a["decision_what"], a["decision_value"], strict=True)
        return pd.DataFrame(
            {
                "roi": a["decision_roi"],
                "analysis": [f"{what}: {value}" if what else "baseline" for what, value in ways],
                "decision": a["decision"],
            }
        ).astype(str)


@verb
def agreement_sensitivity(
    table: ScoreTable,
    *,
    on: str = "cross_subject",
    split: str | None = None,
    metric: str | None = None,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    self_entry: str = "in",
    scale: str = "raw",
    brain: str | None = None,
    vary: str | Sequence[str] = VARY,
    n_partner: Sequence[int] = (1, 2, 3),
    alpha: float = 0.05,
    rng: RngLike = 0,
) -> AgreementSensitivity:
    """Repeat the analysis of agreement with one choice changed at a time.

    Parameters
    ----------
    table : ScoreTable
        Scores of model layers and of brains.
    on : str
        What layers are chosen on, see :func:`select_layer`.
    split : str, optional
        Split that is reported.
    metric : str, optional
        Metric of the baseline; the first by default.
    reference, similarity, self_entry, scale, brain
        The baseline, see :func:`alignment_patterns` and :func:`pattern_agreement`.
    vary : sequence of str
        Choices to change: ``metric`` (``measure`` is the same: tables of ``score_patterns(measure=[...])`` have one
        metric for each), ``similarity, self_entry, scale, reference, brain, selection`` (layers
        chosen on agreement, by the same rule and split as on score, or across subjects), ``partners`` (fewer per
        subject, drawn), ``subjects`` (one left out at a time).
    n_partner : sequence of int
        Numbers of partners tried.
    alpha : float
        Level of the decision per ROI: every model below the brain, by one-sided t tests over people, each with its
        share in all roles (the largest p-value of the models; models that are all below need no adjustment).
    rng : int, Generator, SeedSequence or None
        For the draw of partners.

    Returns
    -------
    AgreementSensitivity
        Variants that the data do not allow (a ceiling at zero, say) are listed in ``notes`` with the reason.

        Columns: ``what`` (what the row is of), ``analysis`` (what was varied), ``term`` (what the row is of),
        ``estimate`` (what is estimated, from the data themselves), ``baseline`` (estimate of the analysis as
        stated), ``change`` (change from it), ``label`` (label of the row).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are no models or no brain rows.

    See Also
    --------
    pattern_agreement, alignment_patterns

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rng=1)
    >>> found = apa.agreement_sensitivity(
    ...     study.scores, on="train", vary=["similarity", "self_entry"]
    ... )
    >>> found.table["what"].unique().tolist()
    ['baseline', 'similarity', 'self_entry']
    """
    for what in names("vary", vary, least=0):
        choice("vary", what, (*VARY, "measure"))
    vary = [vary] if isinstance(vary, str) else list(vary)
    vary = list(dict.fromkeys("metric" if v == "measure" else v for v in vary))
    n_partner = [whole("n_partner", k, least=1) for k in items("n_partner", n_partner)]
    kinds = set(table.frame["kind"].unique())
    if "model" not in kinds or len(kinds) < 2:
        raise DesignError(
            f"agreement_sensitivity: model rows and brain rows are needed; kinds present: {sorted(kinds)}. {BRAIN_ROWS}"
        )
    metrics = table.levels("metric")
    metric = str(metrics[0]) if metric is None else metric
    choice("metric", metric, metrics)
    base: dict[str, Any] = {
        "metric": metric,
        "similarity": similarity,
        "self_entry": self_entry,
        "scale": scale,
        "reference": reference,
        "brain": brain,
        "selection": "score",
        "on": on,
        "split": split,
    }
    root = seed_sequence(rng)
    start = _run(table, base, alpha)
    rows = [_terms(start, start, "baseline", _name(base))]
    decisions = [_decided(start)]
    notes = []
    for what, name, data, options in _variants(table, base, vary, n_partner, root):
        try:
            found = _run(data, options, alpha)
        except ApaError as error:
            notes.append(f"{what} {name}: left out, because {error}")
            continue
        rows.append(_terms(found, start, what, name))
        decisions.append(_decided(found, what, name))
    frame = pd.concat(rows, ignore_index=True)
    decided = pd.concat(decisions, ignore_index=True)
    info = Info(
        estimand="mean agreement",
        outcome=Outcome("agreement"),
        method="agreement under one changed choice at a time",
        rule=(
            f"an ROI counts as '{_BELOW}' where each model's one-sided t test over people, left out in all "
            f"roles, rejects at {alpha:g}"
        ),
        alpha=alpha,
        n_subject=int(table.frame["subject"].nunique()),
        resampled=Drawn(sample="partners were drawn at random where their number was varied"),
        held_fixed=(STIMULI,),
        extra={"baseline": _name(base), "vary": vary, "brain": brain},
    )
    arrays = {
        "decision_roi": decided["roi"].to_numpy(dtype=str),
        "decision_what": decided["what"].to_numpy(dtype=str),
        "decision_value": decided["value"].to_numpy(dtype=str),
        "decision": decided["decision"].to_numpy(dtype=str),
    }
    provenance = Provenance(
        data_hash=table.hash, seed=recorded_seed(root) if "partners" in vary else ""
    )
    return AgreementSensitivity(frame, info, provenance, arrays, tuple(notes))


def _name(options: dict[str, Any]) -> str:
    keys = ("metric", "similarity", "self_entry", "scale", "reference")
    return ", ".join(f"{k} {options[k]}" for k in keys)


def _variants(
    table: ScoreTable,
    base: dict[str, Any],
    vary: list[str],
    n_partner: Sequence[int],
    root: np.random.SeedSequence,
) -> Iterator[tuple[str, str, ScoreTable, dict[str, Any]]]:
    """What is changed, to what, the data and the options."""
    values = {
        "metric": [str(m) for m in table.levels("metric")],
        "similarity": list(SIMILARITIES),
        "self_entry": ["in", "out"],
        "scale": ["raw", "ceiling", "double_centred"],
        "reference": ["leave_one_out", "released", "matched"],
        "brain": [k for k in ("subject_to_subject", "leave_one_out") if k in table.levels("kind")],
    }
    used = base["brain"] or values["brain"][0]
    for what in vary:
        if what in values:
            for value in values[what]:
                if value != (used if what == "brain" else base[what]):
                    yield what, value, table, {**base, what: value}
        elif what == "selection":
            yield what, "layers chosen on agreement", table, {**base, "selection": "agreement"}
            if base["on"] != "cross_subject":
                yield what, "layers chosen across subjects", table, {**base, "on": "cross_subject"}
        elif what == "partners" and "subject_to_subject" in values["brain"]:
            most = _most_partners(table)
            for k in sorted(set(n_partner)):
                if 0 < k < most:
                    thinned = _fewer_partners(table, k, block_generator(root, k))
                    yield what, f"{k} per subject", thinned, {**base, "brain": "subject_to_subject"}
        elif what == "subjects":
            for s in sorted(str(v) for v in table.frame["subject"].unique()):
                keep = (table.frame["subject"] != s) & (
                    (table.frame["kind"] != "subject_to_subject") | (table.frame["model"] != s)
                )
                yield what, f"without {s}", table.with_frame(table.frame[keep]), base


def _most_partners(table: ScoreTable) -> int:
    pairs = table.frame[table.frame["kind"] == "subject_to_subject"]
    return int(pairs.groupby("subject")["model"].nunique().max())


def _fewer_partners(table: ScoreTable, k: int, random: np.random.Generator) -> ScoreTable:
    frame = table.frame
    pairs = (frame["kind"] == "subject_to_subject").to_numpy()
    keep = ~pairs
    names, subject = frame["model"].to_numpy(dtype=str), frame["subject"].to_numpy(dtype=str)
    for s in sorted(set(subject[pairs])):
        mine = pairs & (subject == s)
        partners = sorted(set(names[mine]))
        chosen = random.permutation(partners)[:k]
        keep |= mine & np.isin(names, chosen)
    return table.with_frame(frame[keep])


def _decided(found: dict[str, Any], what: str = "", value: str = "") -> pd.DataFrame:
    """Decision of each ROI, with the choice that was changed."""
    return found["decision"].rename("decision").reset_index().assign(what=what, value=value)


def _run(table: ScoreTable, options: dict[str, Any], alpha: float) -> dict[str, Any]:
    """Subject-level agreement of the chosen layers, and the score that goes with it."""
    rows = table.where(metric=options["metric"])
    best = select_layer(rows, on=options["on"], split=options["split"])
    splits = best.levels("split")
    by_agreement = options["selection"] == "agreement"
    if by_agreement and options["on"] != "cross_subject":
        splits = [options["on"], *splits]  # chosen on the split the score would choose on
    patterns = alignment_patterns(
        rows.where(split=splits), self_entry=options["self_entry"], scale=options["scale"]
    )
    given = {k: options[k] for k in ("reference", "similarity", "brain")}
    agreement = pattern_agreement(patterns, **given)
    if by_agreement:
        chosen = select_layer(
            agreement, on=options["on"], split=best.levels("split")[0], outcome="agreement"
        )
    else:
        chosen = selected_rows(agreement, best)
    block = chosen.block("agreement ~ model | roi")
    names = [str(m) for m in block.groups["model"]]
    own = names.index(BRAIN)
    models = [i for i in range(len(names)) if i != own]
    rois = [str(r) for r in block.cells["roi"]]
    mean = pd.DataFrame(average(block.values, 0), index=names, columns=rois)
    score = (
        best.block("score ~ model | roi")
        if "score" in best.outcomes
        else best.block(f"{best.outcomes[0]} ~ model | roi")
    )
    winner = pd.Series(
        [
            str(score.groups["model"].iloc[i])
            for i in np.nanargmax(average(score.values, 0), axis=0)
        ],
        index=[str(r) for r in score.cells["roi"]],
    )
    shares = block
    if "agreement_person" in chosen.outcomes:
        shares = chosen.block("agreement_person ~ model | roi")
    gaps = shares.values[:, [own]] - shares.values[:, models]
    return {
        "models": mean.loc[[names[i] for i in models]],
        "brain": mean.loc[BRAIN],
        "winner": winner,
        "decision": _decide(gaps, mean, models, own, rois, alpha),
    }


def _decide(
    gaps: np.ndarray,
    mean: pd.DataFrame,
    models: list[int],
    own: int,
    rois: list[str],
    alpha: float,
) -> pd.Series:
    """Decision per ROI from paired differences ``[subject, model, roi]`` (brain less model)."""
    n = np.isfinite(gaps).sum(axis=0)
    centre = average(gaps, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.nansum((gaps - centre) ** 2, axis=0) / (n - 1) / n)
        p = stdtr(np.maximum(n - 1, 1), -centre / error)
    # that all models are below is an intersection of claims: each one's own test at alpha keeps the level, none is
    # adjusted (Berger 1982)
    below = (np.where(np.isfinite(p), p, 1.0) <= alpha).all(axis=0)
    values = mean.to_numpy()
    reached = (values[models] >= values[own]).any(axis=0)
    decision = np.where(below, _BELOW, np.where(reached, _REACHED, _OPEN))
    return pd.Series(decision, index=pd.Index(rois, name="roi"))


def _terms(found: dict[str, Any], start: dict[str, Any], what: str, name: str) -> pd.DataFrame:
    values = _numbers(found, start)
    before = _numbers(start, start)
    rows = [
        {
            "what": what,
            "analysis": name,
            "term": term,
            "estimate": value,
            "baseline": before[term][0],
            "change": value - before[term][0],
            "label": label,
        }
        for term, (value, label) in values.items()
    ]
    return pd.DataFrame(rows)


def _numbers(found: dict[str, Any], start: dict[str, Any]) -> dict[str, tuple[float, str]]:
    models, brain = found["models"], found["brain"]
    overall = models.mean(axis=1)
    best = str(overall.idxmax())
    shared = [m for m in start["models"].index if m in overall.index]
    first = start["models"].mean(axis=1).loc[shared].to_numpy()
    rank = (
        float(
            pattern_similarity(first[None], overall.loc[shared].to_numpy()[None], "spearman")[0, 0]
        )
        if len(shared) > 2
        else float("nan")
    )
    top = models.idxmax(axis=0)
    winner = found["winner"].reindex(top.index)
    decision = found["decision"]
    return {
        "brain": (float(brain.mean()), ""),
        "best_model": (float(overall.max()), best),
        "gap": (float((brain - models.max(axis=0)).mean()), ""),
        "n_roi_below": (float((decision == _BELOW).sum()), ""),
        "n_roi_reached": (float((decision == _REACHED).sum()), ""),
        "rank_correlation": (rank, ""),
        "same_winner": (float((top == winner).mean()), ""),
    }
