"""`brain_test`: could this model be another brain? As good as a person, and a person like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance, whole
from apastats.calls import not_among
from apastats.comparing.margin import Margin, as_margin
from apastats.errors import (
    DegenerateWarning,
    DesignError,
    InputError,
    MarginError,
    SmallSampleWarning,
    warn,
)
from apastats.numbers.adjust_p import check_adjust
from apastats.numbers.moments import moments
from apastats.numbers.one_more_person import is_symmetric
from apastats.patterns.arrays import PatternArrays, dense_patterns
from apastats.patterns.as_predictors import AsPredictors, of_agreement, of_scores
from apastats.patterns.compared import Predictors, brain_kind, predictors_of
from apastats.patterns.pattern_similarity import SIMILARITIES, check_similarity
from apastats.patterns.person_questions import (
    GOOD,
    LIKE,
    NOT_WORSE,
    POOL,
    Options,
    as_good,
    decide,
    like_a_person,
    rule_of,
    side_of,
    side_word,
)
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import Block, ScoreTable, parse_formula
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info, Outcome, StatedMargin

__all__ = ["BrainTest", "brain_test"]

CLAIMS = ("as a computational model", "as a tool", "none")
DIRECTIONS = ("model_to_brain", "brain_to_model")
FEW = 6


class BrainTest(Result):
    """Two questions on every model, each with its answer.

    ``table``: ``model, layer, metric, split, direction, outcome`` (and ``roi``); **as good as a person**: ``estimate``
    (mean of the model less that of a person), ``std_error, df, conf_low, conf_high, conf_level`` (1 - 2 alpha),
    ``bound_low, bound_high, p_value_noninf, p_value_equiv, p_value_worse``, the same adjusted, ``as_good``;
    **a person like any other**: ``mean_model, mean_person, person_low, person_high`` (prediction interval for one more
    person), ``statistic, p_value`` (t), ``place`` and ``p_value_rank`` (exact), ``p_value_profile`` (regions: adjusted
    by the largest deviation; profile: its distance), with the profile ``distance, largest, p_value_largest``, and
    ``like_a_person``; ``decision``, ``n_subject``, ``method``. ``arrays["people"]`` ``[n, n_row]``: the people as
    candidates, on the scale of ``mean_model``; ``arrays["between"], arrays["pair"]``: variances of people as
    candidates and of pairs.
    """

    kind: ClassVar[str] = "brain_test"

    def claims(self) -> pd.DataFrame:
        """Which claim the evidence supports, per model, metric and split.

        Returns
        -------
        pandas.DataFrame
            ``model, metric, split, direction, claim`` ("as a computational model", "as a tool" or "none"), ``reading``.

        Notes
        -----
        As a tool: on score the model is shown to be as good as a person in every row there is. As a computational
        model: that on score and on agreement, and on neither beyond the spread of people. Each claim needs all its
        tests (intersection-union), so none is adjusted for their number beyond what the rows are.
        """
        cell = ["model", "metric", "split", "direction"]
        frame = self.table
        if set(frame["outcome"]) == {"score", "agreement"}:
            # agreement has one direction; it stands for both
            frame = frame.assign(direction=frame["direction"].where(frame["outcome"] == "score"))
            names = frame["direction"].dropna().unique()
            both = [frame.assign(direction=frame["direction"].fillna(d)) for d in names]
            frame = pd.concat(both).drop_duplicates()
        rows = []
        for key, part in frame.groupby(cell, sort=False):
            rows.append(dict(zip(cell, key, strict=True)) | _claim(part))
        return pd.DataFrame(rows)


def _claim(part: pd.DataFrame) -> dict[str, str]:
    good = part["as_good"].isin(GOOD)
    score = part["outcome"] == "score"
    tool = bool(score.any() and good[score].all())
    model = bool(
        part["decision"].isin((LIKE, NOT_WORSE)).all()
        and set(part["outcome"]) == {"score", "agreement"}
    )
    told = []
    for name, rows in part.groupby("outcome", sort=False):
        counts = rows["decision"].value_counts()
        told.append(f"{name}: " + ", ".join(f"{k} ({v})" for k, v in counts.items()))
    claim = CLAIMS[0] if model else CLAIMS[1] if tool else CLAIMS[2]
    return {"claim": claim, "reading": "; ".join(told)}


@verb
def brain_test(
    table: ScoreTable,
    *,
    margin: Any = None,
    outcome: str = "score",
    over: str = "roi",
    direction: str = "model_to_brain",
    selection: ScoreTable | None = None,
    brain: str | None = None,
    similarity: str = "pearson",
    alternative: str = "less",
    adjust: str = "holm",
    alpha: float = 0.05,
    n_resamples: int = 4999,
    rng: RngLike = 0,
) -> BrainTest:
    """Test whether a model could be another brain: two questions, kept apart.

    Parameters
    ----------
    table : ScoreTable
        Rows of models, and of people who predict people (``subject_to_subject``). Where there are only
        ``leave_one_out`` rows, in which the mean of the others predicts a person, the first question is asked
        against that mean and the second cannot be.
    margin : float, Margin or mapping
        How much worse than a person is as good as a person: a number, or a share of a ceiling
        (``apa.margin(0.1, of=ceiling)``); with ``outcome="both"`` ``{"score": ..., "agreement": ...}``. There is no
        default.
    outcome : {"score", "agreement", "both"}
        Scores of the own region; agreement of the alignment pattern over all regions with that of the brain (Fisher
        z where the similarity has one); or both.
    over : {"roi", "all"}
        A row per region, or one over all: means over regions, and the whole profile.
    direction : {"model_to_brain", "brain_to_model", "both"}
        Who predicts. The other direction needs a column ``direction`` with these two words in the rows of models
        (``subject`` is then who predicts), unless scores are the same in both roles.
    selection : ScoreTable, optional
        From :func:`select_layer`; every layer is a candidate without. Layers are held fixed.
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.
    similarity : str
        Of patterns, see :func:`apastats.patterns.pattern_similarity`.
    alternative : {"less", "two-sided"}
        Whether a model above all people is a person like any other. ``less``: a model has no noise of measurement, so
        that a perfect one predicts better than a person does; this is not held against it.
    adjust : str
        Adjustment of the first question, over models and regions. The second controls each model's error over its
        regions: 5 % of further people are called no person, whoever else is tested.
    alpha : float
        Level of every one-sided test, and of the second question.
    n_resamples : int
        Draws of people with one more person, for profiles.
    rng : int, Generator, SeedSequence or None
        For these draws.

    Returns
    -------
    BrainTest

        Columns: ``model`` (model, or what is compared), ``layer`` (layer of the model), ``metric`` (measure
        of the scores), ``split`` (part of the stimuli), ``direction`` (direction of the prediction),
        ``outcome`` (what is compared: score, agreement, ...), ``roi`` (region), ``estimate`` (what is
        estimated, from the data themselves), ``std_error`` (standard error), ``df`` (degrees of freedom),
        ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``bound_low`` (lower margin), ``bound_high`` (upper margin),
        ``p_value_noninf`` (p-value against the lower margin), ``p_value_equiv`` (p-value of equivalence, the
        larger of the one-sided ones), ``p_value_worse`` (p-value of being worse), ``p_value_noninf_adjusted``
        (adjusted p-value against the lower margin), ``p_value_equiv_adjusted`` (adjusted p-value of
        equivalence), ``p_value_worse_adjusted`` (that, adjusted), ``mean_model`` (mean of the model),
        ``mean_person`` (mean of persons), ``person_low`` (lower limit over persons), ``person_high`` (upper
        limit over persons), ``statistic`` (test statistic), ``p_value`` (p-value of the ordinary test),
        ``place`` (place, 1 is the best), ``p_value_rank`` (p-value of the rank among persons),
        ``p_value_profile`` (p-value of the profile), ``as_good`` (whether as good as a person),
        ``like_a_person`` (whether like a person), ``decision`` (equivalent, different, ..., or undecided),
        ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    MarginError
        If a margin is missing.
    InputError
        If an argument is not allowed.
    DesignError
        If there are no brain rows, or too few people (scores: 4, agreement of pairs: 5).

    Warns
    -----
    SmallSampleWarning
        Fewer than six people.
    DegenerateWarning
        A model or region without enough scores.

    See Also
    --------
    power_brain_test, agreement_test, noise_ceiling

    Notes
    -----
    **As good as a person.** ``D = mean model - mean person``, people in all roles: targets, predictors and parts of
    references. Tests are t with n - 1 df of each person's share in ``D + margin`` (delete-one jackknife), corrected for
    the second order of the mean over pairs, which matters where people differ much
    (:func:`apastats.numbers.jackknife.second_order`); a ceiling's share is part of the contrast:
    non-inferiority (``p_value_noninf``), equivalence (two one-sided tests),
    and the opposite, worse by more than the margin (``p_value_worse``). This is about this one model.

    **A person like any other.** Under the hypothesis the model was drawn from where people come from. Its mean less
    that of people has the standard deviation ``sqrt((1 + 1/n) s_b^2 + c s_e^2)``, s_b^2 the variance of people as
    candidates and s_e^2 that of pairs (see :mod:`apastats.numbers.one_more_person`), so partners of the brain's
    rows are candidates too; t with n - 1 df gives the prediction interval. The exact rank beside it rests on
    exchangeability alone, but cannot reach a p below ``1 / (n + 1)``: 1/11 with ten people. Regions: the largest
    deviation over regions of people drawn with the regions' correlation, shrunken. Profile: distance on that scale
    (with ``less`` of what lies below people alone).

    Decision: below (two-sided: beyond) the spread of people where the second is rejected; worse than a person where the
    opposite of the first is shown; not worse than a person where that is shown and the second is not rejected;
    two-sided, indistinguishable from a person where it is shown to be equivalent as well; undecided.
    Not being beyond is no proof of being a person: with ten people the interval for one more is 3.5 SDs of people
    or more wide (:func:`power_brain_test` says what would be found).

    Measured with a generator of its own at 8 and 10 people: docs/brain_test.md. The question is that of
    Feather et al. 2025, "Brain-model evaluations need the NeuroAI Turing Test" (arXiv 2502.16238).

    References
    ----------
    .. [1] Feather, J., Khosla, M., Murty, N. A. R., & Nayebi, A. (2025). Brain-model evaluations need the
       NeuroAI Turing Test. arXiv:2502.16238.
    .. [2] Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach
       for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and
       Biopharmaceutics, 15(6), 657–680. https://doi.org/10.1007/BF01068419

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=3, n_layer=1, rois=["V1", "V4", "IT"], rng=1)
    >>> found = apa.brain_test(study.scores.where(split="test"), margin=0.1, over="all")
    >>> found.table["as_good"].tolist()
    ['within the margin', 'within the margin', 'within the margin']
    """
    options = Options(
        choice("over", over, ("roi", "all")),
        choice("alternative", alternative, ("less", "two-sided")),
        check_adjust(adjust),
        alpha,
        whole("n_resamples", n_resamples, least=99, most=10**6),
    )
    choice("outcome", outcome, ("score", "agreement", "both"))
    choice("direction", direction, (*DIRECTIONS, "both"))
    check_similarity(similarity)
    outcomes = ["score", "agreement"] if outcome == "both" else [outcome]
    margins = _margins(margin, outcomes)
    root = seed_sequence(rng)
    frames, arrays, kinds, counts = [], [], set(), []
    symmetric: list[bool] = []
    for way, rows in _directions(table, direction):
        dense = dense_patterns(rows, rows.outcomes[0])
        kind = brain_kind(dense, brain)
        kinds.add(kind)
        counts.append(len(dense.subjects))
        _enough(dense, kind, outcomes)
        if not dense.models:
            raise DesignError(f"{table.source}: there are no models to test")
        for c, cell in enumerate(dense.cells):
            chosen = predictors_of(dense, selection, cell)
            for name in outcomes if chosen.models else ():
                if name == "agreement":
                    if way == "brain_to_model":
                        continue
                    made = of_agreement(dense, c, chosen, kind, similarity)
                else:
                    made = of_scores(dense, c, chosen, kind, way == "brain_to_model")
                generator = block_generator(root, DIRECTIONS.index(way), c, name == "agreement")
                found, beside = _cell(made, dense, c, chosen, margins[name], options, generator)
                frames.append(found.assign(direction=way, outcome=name))
                arrays.append(beside)
                if name == "score" and made.pairs is not None:
                    symmetric.append(bool(beside["symmetric"]))
    if not frames:
        raise InputError("selection", selection, "rows of a metric and split that the table has")
    first = ["model", "layer", "metric", "split", "direction", "outcome"]
    out = pd.concat(frames, ignore_index=True)
    first += ["roi"] if over == "roi" else []
    out = out[[*first, *(c for c in out.columns if c not in first)]]
    lost = int((out["std_error"].isna() | out["mean_person"].isna()).sum())
    if lost:
        text = f"brain_test: {lost} of {len(out)} rows have too few scores for a test; they are NaN and undecided"
        warn(text, DegenerateWarning)
    if min(counts) < FEW:
        message = (
            f"brain_test: {min(counts)} people; what one more person may be like is hardly known"
        )
        warn(message, SmallSampleWarning)
    beside = {k: np.concatenate([a[k] for a in arrays], -1) for k in ("people", "between", "pair")}
    info = _words(options, margins, outcomes, kinds, min(counts), symmetric, similarity, direction)
    made_with = Provenance(data_hash=table.hash, seed=recorded_seed(root))
    return BrainTest(out, info, made_with, beside)


def _margins(margin: Any, outcomes: list[str]) -> dict[str, Margin]:
    """One margin per outcome."""
    if isinstance(margin, Mapping):
        unknown = set(margin) - {"score", "agreement"}
        if unknown:
            raise InputError("margin", sorted(map(str, unknown))[0], "'score' and 'agreement'")
        given = {name: margin.get(name) for name in outcomes}
    elif len(outcomes) > 1 and margin is not None:
        allowed = "{'score': ..., 'agreement': ...}: the two outcomes have different units"
        raise MarginError("margin", margin, allowed)
    else:
        given = dict.fromkeys(outcomes, margin)
    out = {name: as_margin(value, argument="margin") for name, value in given.items()}
    for name, value in out.items():
        if value.origin in ("sd", "difference") or (name == "agreement" and value.origin != "raw"):
            allowed = "a number" + ("" if name == "agreement" else " or a share of a ceiling")
            raise MarginError("margin", str(value), allowed, hint=f"It is of the {name}.")
        if value.low >= 0:
            raise MarginError("margin", str(value), "bounds with the lower one below 0")
    return out


def _directions(table: ScoreTable, direction: str) -> list[tuple[str, ScoreTable]]:
    """Rows of every direction asked for; rows of people belong to both."""
    instance("table", table, ScoreTable)
    wanted = list(DIRECTIONS) if direction == "both" else [direction]
    frame = table.frame
    if "direction" not in frame.columns:
        if direction != DIRECTIONS[0]:
            dense = dense_patterns(table, table.outcomes[0])
            own = None if dense.pairs is None else np.diagonal(dense.pairs, axis1=-2, axis2=-1)
            if own is None or not is_symmetric(np.moveaxis(own, 0, -1)):
                raise InputError(
                    "direction", direction, "'model_to_brain'",
                    hint="The table has no column 'direction', and its scores differ with who predicts whom.",
                )  # fmt: skip
        return [(way, table) for way in wanted]
    models = frame["kind"] == "model"
    named = frame["direction"].where(models)
    strange = sorted(set(named.dropna().astype(str)) - set(DIRECTIONS))
    if strange or named[models].isna().any():
        raise InputError("direction", strange[0] if strange else None, f"one of {list(DIRECTIONS)}")
    out = []
    for way in wanted:
        part = frame[~models | (named == way)].drop(columns="direction")
        if not (part["kind"] == "model").any():
            raise not_among("direction", way, sorted(set(named.dropna())))
        out.append((way, table.with_frame(part.reset_index(drop=True))))
    return out


def _enough(dense: PatternArrays, kind: str, outcomes: list[str]) -> None:
    need = 5 if "agreement" in outcomes and kind == "subject_to_subject" else 4
    if len(dense.subjects) < need:
        raise DesignError(
            f"brain_test: {len(dense.subjects)} people; {' and '.join(outcomes)} needs at least {need}"
        )


def _cell(
    made: AsPredictors,
    dense: PatternArrays,
    c: int,
    chosen: Predictors,
    margin: Margin,
    options: Options,
    generator: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Rows of one metric, split, direction and outcome."""
    metric, split = dense.cells[c]
    cells = pd.DataFrame({"roi": dense.rois, "metric": metric, "split": split})
    block = Block(
        made.model, list(dense.subjects), pd.DataFrame({"model": chosen.models}), cells,
        parse_formula("score ~ model | roi + metric + split"), "subject",
    )  # fmt: skip
    bounds = margin.resolve(block)
    rois = [list(cells["roi"]), None][options.over == "all"]
    difference = made.model_share - made.person_share[:, None]
    sides = [side_of(bounds, k, difference.shape[2]) for k in (0, 1)]
    model, person, pairs = made.model, made.person_share, made.pairs
    if options.over == "all":
        difference, model = (v.mean(axis=2, keepdims=True) for v in (difference, model))
        person, *sides = (v.mean(axis=-1, keepdims=True) for v in (person, *sides))
        pairs = None if pairs is None else pairs.mean(axis=2, keepdims=True)
    m, q = difference.shape[1:]
    rows: dict[str, Any] = {
        "model": np.repeat(chosen.models, q),
        "layer": [_layer(chosen.layers[j], None if rois is None else r) for j in range(m) for r in range(q)],
        "metric": metric,
        "split": split,
    }  # fmt: skip
    rows |= {} if rois is None else {"roi": np.tile(rois, m)}
    rows |= as_good(difference, sides, options, pairs)
    with np.errstate(invalid="ignore"):
        rows["mean_model"] = moments(model)[1].ravel()
        rows["mean_person"] = np.tile(moments(person)[1], m)
    beside = {"people": np.full((len(person), m * q), np.nan)} | {
        k: np.full(m * q, np.nan) for k in ("between", "pair")
    }
    beside["symmetric"] = np.array(False)
    if made.pairs is not None:
        second, people = like_a_person(made, options, generator)
        rows |= second
        beside["symmetric"] = np.array(people.symmetric)
        beside["people"] = np.tile(people.mean + people.effects, m)
        beside |= {"between": np.tile(people.between, m), "pair": np.tile(people.pair, m)}
    frame = pd.DataFrame(rows)
    decide(frame, options, pooled=made.pairs is None)
    return frame.assign(
        n_subject=np.isfinite(difference).sum(axis=0).ravel(), method=_method(made)
    ), beside


def _method(made: AsPredictors) -> str:
    if made.pairs is None:
        return "jackknife of people, t; no person is a candidate"
    return "jackknife of people, t; one more person, t"


def _layer(layers: list[str], r: int | None) -> str:
    if r is not None:
        return layers[r]
    return layers[0] if len(set(layers)) == 1 else "by roi"


def _words(
    options: Options,
    margins: dict[str, Margin],
    outcomes: list[str],
    kinds: set[str],
    n: int,
    symmetric: list[bool],
    similarity: str,
    direction: str,
) -> Info:
    pooled = "leave_one_out" in kinds
    scale = "Fisher z" if SIMILARITIES[similarity].fisher else ""
    units = {"score": "", "agreement": scale}
    second = (
        "not asked, the brain's rows being means of people and no person"
        if pooled
        else "prediction interval for one more person (t, n - 1 df, people as targets and predictors) and exact rank"
    )
    if not pooled:
        side = "only below people" if options.alternative == "less" else "below or above people"
        second += f", {side}"
    ways = {
        "model_to_brain": "models predict people",
        "brain_to_model": "people predict models",
        "both": "models predict people, and people models",
    }
    compared = {"similarity": similarity} if "agreement" in outcomes else {}
    both = "score and agreement" if len(outcomes) > 1 else outcomes[0]
    return Info(
        estimand=f"mean of the model less that of {POOL if pooled else 'a person'}",
        outcome=Outcome(both, scale=scale if outcomes == ["agreement"] else ""),
        method=f"as good as {POOL if pooled else 'a person'}: t tests of people's shares in all roles (jackknife); "
        f"a person like any other: {second}; {ways[direction]}",
        statistic="t",
        test="jackknife of people",
        hypothesis="noninferiority and equivalence; one more person",
        margin=StatedMargin.together(
            {name: m.words(units[name]) for name, m in margins.items()}
        ),
        margin_origin=margins[outcomes[0]].origin,
        comparison=f"each model was compared with {POOL if pooled else 'the people as candidates'}",
        reference="person",
        adjust=options.adjust,
        family="models" + (" and regions, within outcome, metric and split" if options.over == "roi" else ""),
        alpha=options.alpha,
        conf_level=1 - 2 * options.alpha,
        interval="t",
        n_subject=n,
        rule=rule_of(options, pooled=pooled),
        resampled=Drawn("" if pooled else "people together with one more person"),
        n_resamples=None if pooled else options.n_resamples,
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        not_concluded=(
            "who is worse than the mean of the others may still be as good as a person"
            if pooled
            else f"a model that is not {side_word(options)} people is not shown to be a person: the exact p among "
            f"{n} people is {1 / (n + 1):.3f} or more, and where people predict one another poorly most models are as "
            "good"
        ),
        extra={
            "over": options.over,
            "side": options.alternative,
            "direction": direction,
            **compared,
            "people_pooled": pooled,
            "symmetric": bool(symmetric) and all(symmetric),
            "smallest_rank_p": 1 / (n + 1),
        },
    )  # fmt: skip
