"""`compare`: paired comparisons of models without a margin."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from apastats import arguments
from apastats.comparing.choices import (
    MATCHED_TESTS,
    STATISTICS,
    choose,
    compared_with,
    drawn_beside,
    every_pair,
    tested_by,
)
from apastats.comparing.decisions import check_alpha
from apastats.comparing.equivalence import (
    contrast_table,
    sampled_errors,
    usable_block,
    warn_no_effect,
    warn_undefined,
)
from apastats.comparing.families import JOINT_KINDS, check_family, run_family
from apastats.comparing.incomplete import pairwise
from apastats.comparing.many_pairs import (
    check_top,
    kept_rows,
    n_contrasts,
    shown_note,
    shown_words,
)
from apastats.comparing.margin import Bounds
from apastats.errors import DataError, InputError
from apastats.numbers.compact_letters import compact_letters
from apastats.printable import counted
from apastats.recording import verb
from apastats.resampling.plans import Resamples
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import Kinds, ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info, with_scope

__all__ = ["Comparison", "compare"]


NULLS = {
    "two-sided": "the difference is 0",
    "greater": "the difference is 0 or less",
    "less": "the difference is 0 or more",
}
CLAIMS = {"two-sided": "different", "greater": "greater", "less": "less"}


class Comparison(Result):
    """Paired comparisons; columns as in an equivalence result, without those of the margin, and ``different``.

    The intervals go with the test: level ``1 - alpha``, one-sided where the alternative is.
    """

    kind: ClassVar[str] = "comparison"

    def letters(self, **cell: Any) -> dict[str, str]:
        """Compact letter display of one cell (e.g. ``roi="V1"``): models that share a letter were not separated.

        Not separated is not the same as equal; see :func:`apastats.equivalence`.

        Raises
        ------
        DataError
            If the comparisons are not all pairs of one cell.
        """
        table = self.table
        for column, value in cell.items():
            if column not in table.columns or value not in set(table[column]):
                raise InputError(column, value, f"a level of one of {list(self.info.by)}")
            table = table[table[column] == value]
        first = "level" if "level" in table.columns else "model"
        labels = list(dict.fromkeys([*table[first], *table["reference"]]))
        if len(table) != len(labels) * (len(labels) - 1) // 2:
            raise DataError(
                "letters need all pairs of one cell; name the cell, and compare with reference=None"
            )
        wins = dict.fromkeys(labels, 0.0)
        for model, other, estimate in zip(
            table[first], table["reference"], table["estimate"].to_numpy(), strict=True
        ):
            wins[model] += float(estimate)
            wins[other] -= float(estimate)
        order = sorted(labels, key=lambda x: -wins[x])
        shown = table[table["different"]]
        return compact_letters(order, list(zip(shown[first], shown["reference"], strict=True)))


@verb
def compare(
    formula: str,
    data: ScoreTable,
    *,
    reference: str | None = None,
    test: str = "t",
    alternative: str = "two-sided",
    adjust: str = "holm",
    family: str = "all",
    alpha: float = 0.05,
    cluster: str = "subject",
    within: Any = None,
    kind: Kinds = "model",
    trim: float | None = None,
    exact: bool | None = None,
    interval: str = "studentized",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    small_sample: bool = True,
    top: int | str = "auto",
) -> Comparison:
    """Compare models pair by pair over matched subjects, adjusted for multiplicity.

    Parameters
    ----------
    formula : str
        ``"score ~ model | roi"``: the outcome, what is compared, and separately within what.
    data : ScoreTable
        One row per cluster, compared group and cell.
    reference : str, optional
        None: all pairs. A name: every other model minus it. ``"best"``: every other model minus the model with the
        highest mean of each cell; the adjustment then runs over all pairs, as the best was selected on the data.
    test : {"t", "trimmed", "wilcoxon", "bootstrap", "sign_flip", "permutation", "log_ratio"}
        Test over the clusters.
    alternative : {"two-sided", "greater", "less"}
        ``greater``: the first model scores higher.
    adjust, family, alpha, cluster, within, kind, trim, exact, interval, n_resamples, rng, small_sample, top
        As in :func:`apastats.equivalence`.

    Returns
    -------
    Comparison

        Columns: ``roi`` (region), ``contrast`` (what is subtracted from what), ``model`` (model, or what is
        compared), ``reference`` (what is compared with), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``p_value_adjusted`` (p-value adjusted over the
        family), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``conf_low_joint`` (lower limit of the simultaneous interval),
        ``conf_high_joint`` (upper limit of the simultaneous interval), ``conf_level_joint`` (level of the
        simultaneous intervals), ``effect`` (which effect size it is), ``effect_size`` (standardised effect),
        ``effect_low`` (lower limit of the effect size), ``effect_high`` (upper limit of the effect size),
        ``different`` (whether a difference was shown; of a set, how many), ``n_subject`` (subjects),
        ``method`` (how the interval or test was made).

    Raises
    ------
    DesignError
        If there are fewer than two groups or clusters.
    InputError
        If an argument is not allowed.

    See Also
    --------
    equivalence, effect_size, tost, adjust_p

    Notes
    -----
    A comparison that is not significant says nothing about equality: use :func:`apastats.equivalence` with a margin.

    References
    ----------
    .. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of
       Statistics, 6(2), 65–70.
    .. [2] Yuen, K. K. (1974). The two-sample trimmed t for unequal population variances. Biometrika, 61(1),
       165–170. https://doi.org/10.1093/biomet/61.1.165

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> apa.compare("score ~ model | roi", scores, reference="best", adjust="max-t").info[
    ...     "family_size"
    ... ]
    56
    """
    alpha = check_alpha(alpha)
    arguments.choice("alternative", alternative, ("two-sided", "greater", "less"))
    reference = every_pair(reference)
    adjust = check_family(adjust, family, test, reference)
    choice = choose(
        test,
        MATCHED_TESTS,
        trim=trim,
        exact=exact,
        interval=interval,
        n_resamples=n_resamples,
        adjust=adjust,
        rng=rng,
        small_sample=small_sample,
    )
    block = usable_block(
        data, formula, "compare", cluster=cluster, within=within, kind=kind, log=test == "log_ratio"
    )
    rows = kept_rows(check_top(top), n_contrasts(block, reference))
    zero = np.zeros(len(block.cells))
    # bounds of 0: the one-sided tests against them are the one-sided alternatives
    found = run_family(
        block,
        Bounds(zero, zero, None, "raw"),
        reference,
        choice,
        adjust=adjust,
        family=family,
        alpha=alpha,
        hypothesis="superiority",
        alternative=alternative,
        compares=True,
        top=rows,
    )
    pair, cell = found.rows(block, reference)
    table = contrast_table(block, found, pair, cell, alpha, test, adjust, alternative)
    if alternative != "two-sided":
        raw = found.tested.p_low if alternative == "greater" else found.tested.p_high
        name = "p_value_noninf" if alternative == "greater" else "p_value_nonsup"
        table["p_value"] = raw[pair, cell]
        table["p_value_adjusted"] = found.adjusted[name][pair, cell]
    at = list(table.columns).index("n_subject")
    table.insert(at, "different", table["p_value_adjusted"] <= alpha)
    table, chance = sampled_errors(table, found, choice, len(block.clusters), alpha)
    missing = pairwise(block)
    notes = (
        *warn_undefined(table, "p_value", found.shown),
        *warn_no_effect(table),
        *shown_note(found.shown, "p-values"),
        *chance,
        *([missing] if missing else []),
    )
    name, what, resampled = MATCHED_TESTS[test]
    unit = block.cluster
    few = choice.said_of_few(len(block.clusters), unit)
    info = Info(
        method=tested_by(name, unit, what, few),
        article="the",
        estimand="difference of models",
        outcome=data.outcome(block.formula.outcome),
        formula=str(block.formula),
        test=name,
        statistic=STATISTICS[test],
        alternative=alternative,
        null=NULLS[alternative],
        null_value=0.0,
        rule=f"a pair was called {CLAIMS[alternative]} where the adjusted p-value was at most {alpha:g}",
        comparison=compared_with(reference),
        reference=reference or "",
        adjust=adjust,
        family=with_scope(counted(found.size, "contrast"), block.formula.by, family),
        family_size=found.size,
        joint=JOINT_KINDS.get(adjust, "Bonferroni"),
        alpha=alpha,
        conf_level=1 - alpha,
        n_subject=len(block.clusters),
        by=block.formula.by,
        resampled=Drawn(
            resampled,
            sample="" if resampled else f"{unit}s were taken as a random sample",
            beside=drawn_beside(adjust, unit),
        ),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        not_concluded="models that were not separated are not shown to be equal",
    ).but(**choice.words(), **shown_words(found.shown))
    arrays = {
        "differences": found.differences[:, pair, cell],
        "subjects": np.asarray(block.clusters, dtype=str),
    }
    return Comparison(
        table, info, Provenance(data_hash=data.hash, seed=choice.seed()), arrays, notes
    )
