"""Strict alignment: models that are good enough on score and on agreement at once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance
from apastats.arguments import column as known_column
from apastats.comparing.against_best import Competition, adjusted_family
from apastats.comparing.margin import Margin, as_margin
from apastats.errors import DataError, InputError
from apastats.patterns.brain_test import BrainTest
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.table import BRAIN, Block, ScoreTable
from apastats.words import (
    CHOSEN_LAYERS,
    REFERENCE_PATTERNS,
    STIMULI,
    Drawn,
    Info,
    Outcome,
    StatedMargin,
    cell_name,
)

__all__ = ["StrictAlignment", "strict_alignment"]

ALIGNED, NOT_ALIGNED, UNDECIDED = "aligned", "not aligned", "undecided"


class StrictAlignment(Result):
    """Decision on every model and cell.

    ``table``: ``model``, the by-columns, for each criterion ``estimate_*`` (difference to its reference),
    ``p_value_*`` (adjusted) and ``in_*`` ("in", "out" or "undecided"), ``p_value`` (the larger of the two:
    intersection-union), ``decision``.
    """

    kind: ClassVar[str] = "strict_alignment"

    def counts(self) -> pd.DataFrame:
        """How many models pass, per cell: declared, and the interval of the true number.

        Returns
        -------
        pandas.DataFrame
            By-columns, ``criterion`` ("score", "agreement", "both"), ``n_model, estimate`` (models declared in),
            ``conf_low, conf_high, conf_level``.

        Notes
        -----
        The true number lies between the models declared in and those not declared out. Both declarations
        hold the family-wise error rate alpha over all cells, so all intervals hold together with probability
        ``1 - 2 alpha`` at least.
        """
        by = list(self.info.by)
        rows = []
        for key, part in self.table.groupby(by, sort=False):
            cell = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
            for criterion, column, yes, no in (
                ("score", "in_score", "in", "out"),
                ("agreement", "in_agreement", "in", "out"),
                ("both", "decision", ALIGNED, NOT_ALIGNED),
            ):
                inside = int((part[column] == yes).sum())
                rows.append(
                    cell
                    | {
                        "criterion": criterion,
                        "n_model": len(part),
                        "estimate": inside,
                        "conf_low": inside,
                        "conf_high": len(part) - int((part[column] == no).sum()),
                        "conf_level": 1 - 2 * float(self.info["alpha"]),
                    }
                )
        return pd.DataFrame(rows)


@verb
def strict_alignment(
    scores: ScoreTable,
    agreement: ScoreTable,
    *,
    score_bounds: Any = None,
    agreement_bounds: Any = None,
    by: tuple[str, ...] | list[str] = ("roi", "metric"),
    score_outcome: str = "score",
    agreement_outcome: str | None = None,
    agreement_reference: str = "brain",
    method: str = "tost",
    hypothesis: str = "noninferiority",
    people: BrainTest | None = None,
    adjust: str = "holm",
    alpha: float = 0.05,
) -> StrictAlignment:
    """Models within the margin on score and on agreement (intersection-union test).

    Parameters
    ----------
    scores : ScoreTable
        One row per subject, model and cell (see :func:`select_layer`).
    agreement : ScoreTable
        From :func:`pattern_agreement`, one layer per model and ROI.
    score_bounds, agreement_bounds : float, (float, float) or Margin
        The margins, on the scales of the outcomes; there is no default.
    by : sequence of str
        Cells.
    score_outcome : str
        Outcome column of scores.
    agreement_outcome : str, optional
        Outcome column of agreement: by default ``z_person`` (each person's share in the mean Fisher z, so that
        references and pairs that subjects share are accounted for), ``z`` where there is none.
    agreement_reference : {"brain", "best"}
        Agreement is compared with the brain's own (rows of the brain are needed), or with the best model's.
        Scores are compared with the best model's.
    method : {"tost", "mcb"}
        Against the best: ``tost`` shows a model to be not worse than *any* other model by the margin, ``mcb`` takes
        the comparisons with the best of :func:`apastats.equivalence_set`, simultaneous over all cells and without
        p-values. Against the brain both are :func:`apastats.equivalence`.
    hypothesis : {"noninferiority", "equivalence"}
        Not worse by the margin, or not different by it (``tost``).
    people : BrainTest, optional
        A :func:`brain_test` with ``outcome="both"`` and ``over="roi"``. Both criteria are then its first question: is
        the model as good as a person? Margins, adjustment and alpha are those of the test, people being in all roles;
        of the tables only their models and cells are used.
    adjust, alpha
        As in :func:`apastats.equivalence`; the adjustment is one of p-values (:func:`apastats.adjust_p`).

    Returns
    -------
    StrictAlignment

        Columns: ``model`` (model, or what is compared), ``roi`` (region), ``metric`` (measure of the scores),
        ``estimate_score`` (estimate for score), ``p_value_score`` (p-value for score), ``in_score`` (verdict
        on score), ``estimate_agreement`` (estimate for agreement), ``p_value_agreement`` (p-value for
        agreement), ``in_agreement`` (verdict on agreement), ``p_value`` (p-value of the ordinary test),
        ``decision`` (equivalent, different, ..., or undecided).

    Raises
    ------
    MarginError
        If a margin is missing.
    InputError
        If an argument is not allowed.
    DataError
        If the two tables have no model and cell in common.

    See Also
    --------
    pattern_agreement, equivalence, brain_test

    Notes
    -----
    A model is aligned where both tests reject at alpha (Berger 1982: the larger p-value is valid, no further
    adjustment). It is declared out on a criterion where the opposite one-sided test, Bonferroni-adjusted over
    the same family, shows it to be worse by more than the margin. Nobody knows which model is best, and the one
    with the highest mean is tested like every other: its p is the largest of the tests against all others
    (intersection-union), adjusted over models and cells. A model one standard error of a difference below the best, at
    the margin, was called aligned in 10 to 38 % while the highest mean was in by definition.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d
    .. [2] Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance sampling. Technometrics,
       24(4), 295–300. https://doi.org/10.1080/00401706.1982.10487790

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, rng=1)
    >>> best = apa.select_layer(study.scores)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> agreement = apa.selected_rows(apa.pattern_agreement(patterns), best)
    >>> strict = apa.strict_alignment(best, agreement, score_bounds=0.1, agreement_bounds=0.5)
    >>> sorted(strict.counts()["criterion"].unique())
    ['agreement', 'both', 'score']
    """
    choice("hypothesis", hypothesis, ("noninferiority", "equivalence"))
    choice("method", method, ("tost", "mcb"))
    choice("agreement_reference", agreement_reference, ("best", BRAIN))
    if agreement_outcome is None:
        instance("agreement", agreement, ScoreTable)
        agreement_outcome = "z_person" if "z_person" in agreement.outcomes else "z"
    by = [by] if isinstance(by, str) else list(by)
    if people is not None:
        stated = {"score_bounds": score_bounds, "agreement_bounds": agreement_bounds}
        for name, bounds in stated.items():
            if bounds is not None:
                raise InputError(
                    name,
                    bounds,
                    "None with people",
                    hint="The margins are those of the brain test.",
                )
        return _against_people(scores, agreement, people, by, hypothesis)
    options: dict[str, Any] = {
        "hypothesis": hypothesis,
        "adjust": adjust,
        "alpha": alpha,
        "by": by,
        "method": method,
    }
    on_score, score_words = _criterion(scores, score_outcome, score_bounds, "best", **options)
    on_agreement, agreement_words = _criterion(
        agreement, agreement_outcome, agreement_bounds, agreement_reference, **options
    )
    table = on_score.merge(on_agreement, on=["model", *by], suffixes=("_score", "_agreement"))
    if table.empty:
        raise DataError("strict_alignment: scores and agreement have no model and cell in common")
    table = _decided(table)
    info = Info(
        estimand="decision about a model",
        outcome=Outcome("score and agreement"),
        family=" and ".join(filter(None, ["models", cell_name(by, plural=True)])),
        method="intersection-union of two tests against a margin: score and agreement"
        + (", each of equivalence" if hypothesis == "equivalence" else ""),
        hypothesis=hypothesis,
        rule=(
            f"a model was called aligned where both adjusted p-values were at most {alpha:g}, and not aligned where "
            "it was shown to fail on one of the two"
        ),
        margin=StatedMargin.together(
            {
                o.quantity: w.margin.in_units_of(o)
                for o, w in (
                    (scores.outcome(score_outcome), score_words),
                    (agreement.outcome(agreement_outcome), agreement_words),
                )
                if w.margin is not None
            }
        ),
        adjust=adjust,
        alpha=alpha,
        by=by,
        n_subject=min(score_words.n_subject or 0, agreement_words.n_subject or 0),
        resampled=Drawn(sample="subjects were taken as a random sample"),
        held_fixed=(
            STIMULI,
            CHOSEN_LAYERS,
            *(() if agreement_outcome.endswith("_person") else (REFERENCE_PATTERNS,)),
        ),
        extra={
            "criteria": method,
            "agreement_reference": agreement_reference,
            "score_outcome": score_outcome,
        },
    )
    return StrictAlignment(table, info, Provenance(data_hash=f"{scores.hash} {agreement.hash}"))


def _against_people(
    scores: ScoreTable, agreement: ScoreTable, test: BrainTest, by: list[str], hypothesis: str
) -> StrictAlignment:
    """Both criteria as the first question of a brain test: as good as a person on score and on agreement."""
    frame = test.table
    ways = frame.loc[frame["outcome"] == "score", "direction"].nunique()
    if set(frame["outcome"]) != {"score", "agreement"} or "roi" not in frame.columns or ways > 1:
        raise InputError(
            "people",
            test.provenance.call,
            "a brain test with outcome='both' and over='roi', in one direction",
        )
    for c in by:
        known_column("by", c, frame.columns)
    keys = ["model", *by]
    kept = frame
    for table in (scores, agreement):
        there = table.frame[[c for c in keys if c in table.frame.columns]].drop_duplicates()
        kept = kept.merge(there, on=list(there.columns))
    claim = "equiv" if hypothesis == "equivalence" else "noninf"
    alpha = float(test.info.alpha or 0.05)
    parts = {}
    for name, part in kept.groupby("outcome", sort=False):
        if part.duplicated(keys).any():
            raise InputError("by", by, "columns that tell the rows of the brain test apart")
        p = part[f"p_value_{claim}_adjusted"].to_numpy("f8")
        # worse by more than the margin; or by an equivalence, better by more than it, which is no failure
        worse = part["p_value_worse_adjusted"].to_numpy("f8")
        out = part[keys].assign(estimate=part["estimate"], p_value=p)
        parts[str(name)] = out.assign(**{"in": _state(p, worse, alpha)})
    if set(parts) != {"score", "agreement"}:
        raise DataError("strict_alignment: tables and brain test have no model and cell in common")
    made = parts["score"].merge(parts["agreement"], on=keys, suffixes=("_score", "_agreement"))
    info = test.info
    words = Info(
        estimand="decision about a model",
        outcome=Outcome("score and agreement"),
        family=info.family,
        method="intersection-union of two tests against a person: score and agreement, people in all roles (jackknife)"
        + (", each of equivalence" if hypothesis == "equivalence" else ""),
        hypothesis=hypothesis,
        rule=f"a model was called aligned where both adjusted p-values were at most {alpha:g}, and not aligned where "
        "it was shown to be worse than a person by more than the margin on one of the two",
        margin=info.margin,
        reference="",
        adjust=info.adjust,
        alpha=alpha,
        by=by,
        n_subject=info.n_subject,
        resampled=Drawn(sample="subjects were taken as a random sample"),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        extra={"criteria": "person", "agreement_reference": "person", "score_outcome": "score"},
    )  # fmt: skip
    data = f"{scores.hash} {agreement.hash} {test.provenance.data_hash}"
    return StrictAlignment(_decided(made), words, Provenance(data_hash=data))


def _decided(table: pd.DataFrame) -> pd.DataFrame:
    """The larger p-value, and the decision on both criteria."""
    p = table[["p_value_score", "p_value_agreement"]].max(axis=1, skipna=False)
    inside = (table["in_score"] == "in") & (table["in_agreement"] == "in")
    outside = (table["in_score"] == "out") | (table["in_agreement"] == "out")
    decision = np.where(inside, ALIGNED, np.where(outside, NOT_ALIGNED, UNDECIDED))
    return table.assign(p_value=p, decision=decision)


def _criterion(
    table: ScoreTable,
    outcome: str,
    bounds: Any,
    reference: str,
    *,
    hypothesis: str,
    adjust: str,
    alpha: float,
    by: list[str],
    method: str,
) -> tuple[pd.DataFrame, Info]:
    """Models of one criterion: difference to the reference, adjusted p, and whether they are in or out."""
    from apastats.comparing.equivalence import equivalence

    instance("table", table, ScoreTable)
    if reference == "best" and (table.frame["model"] == BRAIN).any():
        table = table.with_frame(table.frame[table.frame["model"] != BRAIN])
    formula = f"{outcome} ~ model | {' + '.join(by)}"
    if method == "mcb" and reference == "best":
        return _by_set(table, formula, bounds, alpha, by)
    found = equivalence(
        formula,
        table,
        bounds=bounds,
        reference=reference,
        hypothesis=hypothesis,
        adjust=adjust,
        alpha=alpha,
    )
    f = found.table
    if reference == "best":
        out = _against_best(table.block(formula), as_margin(bounds), adjust, alpha)
        gaps = f[["model", *by, "estimate"]]
        out = out.merge(gaps, on=["model", *by], how="left").fillna({"estimate": 0.0})
        out = out[["model", *by, "estimate", "p_value", "in"]]
    else:
        equal = hypothesis == "equivalence"
        worse = 1 - f["p_value_noninf"].to_numpy("f8")
        if equal:
            worse = np.minimum(worse, 1 - f["p_value_nonsup"].to_numpy("f8")) * 2
        worse = np.minimum(worse * float(found.info.family_size or 1), 1.0)
        p = f["p_value_equiv_adjusted" if equal else "p_value_noninf_adjusted"].to_numpy("f8")
        out = f[["model", *by]].assign(estimate=f["estimate"], p_value=p)
        out["in"] = _state(p, worse, alpha)
        out = out[out["model"] != BRAIN]
    order = {m: i for i, m in enumerate(table.levels("model"))}
    out = out.sort_values("model", key=lambda c: c.map(order), kind="stable", ignore_index=True)
    return out, found.info


def _state(p: np.ndarray, worse: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(p <= alpha, "in", np.where(worse <= alpha, "out", "undecided"))


def _against_best(block: Block, margin: Margin, adjust: str, alpha: float) -> pd.DataFrame:
    """Every model, the one with the highest mean included, by tests against all others of its cell."""
    near, _, far = Competition.of(block, margin.resolve(block)).tests()
    p = adjusted_family(near, adjust, "all")
    state = _state(p, adjusted_family(far, "bonferroni", "all"), alpha)
    models = np.asarray(block.groups["model"])
    k, n_cell = p.shape
    cells = block.cells.loc[np.repeat(np.arange(n_cell), k)].reset_index(drop=True)
    found = {"model": np.tile(models, n_cell), "p_value": p.T.ravel(), "in": state.T.ravel()}
    return cells.assign(**found)


def _by_set(
    table: ScoreTable, formula: str, bounds: Any, alpha: float, by: list[str]
) -> tuple[pd.DataFrame, Info]:
    """The same from comparisons with the best, at one level over all cells."""
    from apastats.comparing.equivalence_set import equivalence_set

    found = equivalence_set(
        formula, table, bounds=as_margin(bounds), method="mcb", family="all", alpha=alpha
    )
    f = found.table
    state = f["decision"].map({"equivalent to the best": "in", "worse than the margin": "out"})
    out = f[["model", *by]].assign(estimate=f["estimate"], p_value=np.nan)
    out["in"] = state.fillna("undecided").to_numpy()
    words = Info(
        margin=found.info.margin or StatedMargin(str(bounds)), n_subject=int(f["n_subject"].min())
    )
    return out, words
