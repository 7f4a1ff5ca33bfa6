"""The sentence that says what was done, one for every kind of result, from what the result says about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from apastats.reporting.markup import code, name
from apastats.reporting.phrases import capital, number_word, outcome_of, outcome_words
from apastats.words import Info

__all__ = ["formula_words", "interval_words", "opening", "shown_formula", "with_formula"]

# result -> sentences without the last stop, after which the works stand
Opening: TypeAlias = Callable[[Any], str]

# null of an agreement test -> what agreement was tested against
NULLS = {
    "permuted_rois": "permuted ROIs",
    "spatial": "patterns rotated in space, which keep their smoothness",
    "within_stream": "ROIs permuted within their stream",
    "other_roi": "the agreement with the other ROIs",
    "mean_pattern": "the agreement with the mean pattern of the other ROIs",
    "models": "the mean of the null models",
    "random_models": "single null models",
}
SETS = {
    "mcb": "Hsu's multiple comparisons with the best",
    "mcs": "a confidence set of all best models (studentised range)",
    "tost": "tests of non-inferiority to every other model (intersection-union)",
    "bayes": "the posterior probability of being the best",
    "ci_overlap": "the published rule of overlapping intervals, which is no test and has no error rate",
}
DF = {
    "satterthwaite": "t tests with Satterthwaite degrees of freedom",
    "kenward-roger": "t tests with the covariance and degrees of freedom of Kenward and Roger",
    "z": "normal tests, which are too liberal for few subjects",
}
INTERVALS = {
    "nct": "Intervals are from the noncentral t distribution.",
    "ncp": "Intervals are from the noncentral t distribution.",
    "one at a time": "Intervals are of single contrasts.",
    "one-sided": "Intervals are one-sided.",
    "two-sided": "Intervals are two-sided.",
    "one at a time, and joint": "Intervals are given for single contrasts and jointly.",
}
WAYS = {
    "model_to_brain": "Models predicted people",
    "brain_to_model": "People predicted models",
    "both": "Models predicted people, and people models",
}


def shown_formula(info: Info) -> str:
    """The formula for a reader: the outcome by its name, not by that of its column."""
    left, tilde, right = info.formula.partition("~")
    known = info.outcome
    if known is not None and left.strip() == known.name and known.quantity != known.name:
        return f"{known.quantity} {tilde}{right}"
    return info.formula


def interval_words(kind: str) -> str:
    """Sentence on the kind of intervals."""
    return INTERVALS.get(kind) or f"Intervals are {name(kind)} intervals."


def opening(result: Any) -> str:
    """What was done, in sentences without the last stop; nothing for a kind that has none here."""
    make = OPENINGS.get(result.kind)
    return make(result) if make else ""


def _what(result: Any) -> str:
    return outcome_words(result) if outcome_of(result) else "the outcome"


def said(text: str) -> Opening:
    """The same sentence for every result of a kind."""
    return lambda result: text


def drawn(info: Info) -> str:
    """``(all 5,040 enumerated)``, ``(999 drawn)``."""
    if not info.n_resamples:
        return ""
    return f" ({'all ' if info.exact else ''}{info.n_resamples:,} {'enumerated' if info.exact else 'drawn'})"


def _comparison(result: Any) -> str:
    return f"Differences in {_what(result)} were tested by the {name(result.info.method)}"


def _contrasts(result: Any) -> str:
    info = result.info
    aim = f" for {name(info.hypothesis)}" if info.margin and info.hypothesis else ""
    return f"Contrasts of marginal means were tested{aim} by {info.statistic or 't'} tests of the mixed model"


def _ranks(result: Any) -> str:
    info = result.info
    if "place_low" in result.table.columns:
        return (
            "Models were ranked within every subject; their places are those of mean scores, with "
            "simultaneous intervals from paired tests"
        )
    return f"Models were compared by {name(info.method)}"


def _board(result: Any) -> str:
    return f"Models were placed by {name(result.info.method)}"


def _mapped(result: Any) -> str:
    return f"Every point of the map was tested: {name(result.info.method)}"


def _effects(result: Any) -> str:
    info = result.info
    if info.estimand == "share of variance" and not info.n_subject:  # of a published F
        return f"The effect size is {name(info.method)}"
    if info.estimand == "share of variance":
        return f"Effects were tested by {name(info.method)}"
    if info.estimand == "standardised difference":
        return f"Effect sizes are {name(info.method)}"
    return "Effect sizes were computed with their intervals"


def _set(result: Any) -> str:
    info = result.info
    how = SETS.get(str(info.get("set_method")), name(info.method))
    compared = "ROIs" if "level" in result.table.columns else "models"
    can = "are close to the best" if info.margin else "can be the best"
    return f"Which {compared} {can} by {_what(result)} was judged by {how}"


def _strict(result: Any) -> str:
    info = result.info
    each = ", each of equivalence" if info.hypothesis == "equivalence" else ""
    against = "a margin"
    if info.get("criteria") == "person":
        against = "a person, with people in all their roles (jackknife)"
    return (
        f"Whether a model is aligned was judged by two tests against {against}: one of score and one of agreement"
        f"{each}, both of which had to be passed (intersection-union)"
    )


def _brain(result: Any) -> str:
    info = result.info
    pooled = bool(info.get("people_pooled"))
    of = "the mean of the other people" if pooled else "a person"
    ways = WAYS.get(str(info.get("direction")), "")
    first = (
        f"Whether a model is as good as {of} was tested against the margin: the mean of the model less that of {of}, "
        "by t tests of people's shares in all their roles (jackknife)"
    )
    if pooled:
        second = "Whether it is like any other person could not be asked, as rows of the brain are means of people"
    else:
        where = "only below people" if info.get("side") == "less" else "below or above people"
        second = (
            "Whether it is like any other person was tested by a prediction interval for one more person (t with "
            f"{(info.n_subject or 1) - 1} degrees of freedom, people as targets and as predictors) and by its rank "
            f"among the people (exact), {where}"
        )
    return f"{ways}. {first}. {second}"


def _second_order(result: Any) -> str:
    of = name(result.info.get("matrices", "patterns"))
    return (
        "Second-order similarity is the correlation of two matrices: the similarities of a model's layers and those of "
        f"the ROIs, by their {of}"
    )


def _null(result: Any) -> str:
    info = result.info
    kind = str(info.get("null_kind", ""))
    against = NULLS.get(kind, kind.replace("_", " ")) or "a null"
    return f"Agreement was tested against {against}{drawn(info)}"


def _matrix(result: Any) -> str:
    return (
        "The rows of a matrix were compared with the patterns of the brain, and their agreement was tested against "
        f"permuted ROI names{drawn(result.info)}"
    )


def _bootstrapped(result: Any) -> str:
    return (
        "Mean agreement was bootstrapped over subjects in all their roles"
        f"{drawn(result.info)}, with joint limits from the largest deviation in each resample"
    )


def _mixed(result: Any) -> str:
    info = result.info
    by = f" by {info['likelihood']}" if info.get("likelihood") else ""
    tests = DF.get(str(info.get("df_method")), "")
    return f"A linear mixed model of {_what(result)} was fitted{by}{f' and tested by {tests}' if tests else ''}"


def _several(result: Any) -> str:
    n = len(result.info.get("formulas", ()))
    if n < 2:
        return "A linear mixed model was fitted"
    drawn = len(result.info.get("posteriors", ()))
    some = (
        f" ({number_word(drawn)} of them Bayesian: posterior mean and SD, highest-density interval)"
        if drawn
        else ""
    )
    return f"{capital(number_word(n))} linear mixed models were fitted and are shown side by side{some}"


def _without(result: Any) -> str:
    return f"The mixed model was fitted again without each level of {name(result.info.get('group', 'a factor'))}"


def _marginal(result: Any) -> str:
    of = f"slopes over {name(trend)}" if (trend := result.info.get("trend")) else "marginal means"
    return f"{capital(of)} were estimated from the linear mixed model"


def _share(result: Any) -> str:
    return f"Scores were divided by the noise ceiling ({name(result.info['how'])})"


def _rdms(result: Any) -> str:
    return "The RDMs of models were compared with those of every subject, and the similarities averaged"


def _power(result: Any) -> str:
    info = result.info
    if info.estimand == "number of subjects":
        return f"The number of subjects that each contrast needs was found from the {name(info.method)}"
    if info.estimand == "share of simulated studies":
        return f"Power was found from {name(info.method)}"
    return f"Power is the {name(info.method)}"


def _region(result: Any) -> str:
    rule = result.info.get("decision_rule")
    if not rule:
        return "Posterior draws were judged against a region of practical equivalence"
    return f"Coefficients were judged against a region of practical equivalence by the rule {name(rule)}"


def _added(result: Any) -> str:
    added = f"each {result.info.get('parts_of', 'models')[:-1]} adds to the others"
    return f"What {added} was tested by {name(result.info['tested_by'])}"


OPENINGS: Mapping[str, Opening] = {
    "normalized": _share,
    "rdm_evaluation": _rdms,
    "comparison": _comparison,
    "unique_variance": lambda result: (
        f"The variance of the brain's data was divided among the {result.info.get('parts_of', 'models')}: "
        f"{name(result.info.method)}"
    ),
    "unique_test": _added,
    "rank": _ranks,
    "leaderboard": _board,
    "leaderboard_items": said(
        "What each item adds was described by its reliability, by the correlation of its errors with those of the "
        "others, and by leaving it out"
    ),
    "leaderboard_responses": said(
        "A continuous item-response model was fitted by maximum likelihood to the scores there are"
    ),
    "leaderboard_missing": lambda result: (
        f"How missing scores could change the order was examined by a {name(result.info.method)}"
    ),
    "discriminability": said(
        "How well the data tell the models apart was described by the pairs that differ in paired t tests (Holm), the "
        "joint set of the best, and two-way variance components"
    ),
    "map_test": _mapped,
    "effect_size": _effects,
    "equivalence_set": _set,
    "margin_curve": said(
        "Comparisons were judged over a range of symmetric margins, by t tests that were not adjusted"
    ),
    "rope": _region,
    "pattern_identification": said(
        "ROIs were identified by their patterns: each pattern was taken for that of the ROI with the most similar "
        "reference pattern"
    ),
    "pattern_reliability": said(
        "The reliability of patterns was estimated by their correlation between people, and that of means of people by "
        "the Spearman-Brown formula"
    ),
    "agreement_test": _null,
    "agreement_bootstrap": _bootstrapped,
    "agreement_sensitivity": said(
        "How far agreement depends on the analysis was examined by changing one choice at a time"
    ),
    "disattenuated_agreement": said(
        "Agreement was corrected for reliability: it was divided by the square root of the product of both patterns' "
        "reliabilities"
    ),
    "layer_agreement": said("Agreement was computed for every layer of a model"),
    "matrix_agreement": _matrix,
    "second_order": _second_order,
    "strict_alignment": _strict,
    "brain_test": _brain,
    "lmm": _mixed,
    "model_table": _several,
    "emmeans": _marginal,
    "emmeans_contrasts": _contrasts,
    "influence": _without,
    "bayes_lmm": said("A Bayesian linear mixed model was fitted"),
    "followed_table": lambda result: f"This table holds the {name(result.info.method)}",
    "claims": said(
        "Claims were judged by intervals: a claim counts as shown where the whole interval lies on the side claimed"
    ),
    "power": _power,
}


def formula_words(info: Info) -> str:
    """The formula in brackets, which says what was compared within what."""
    return f" ({code(shown_formula(info))})" if info.formula else ""


def with_formula(text: str, info: Info) -> str:
    """Text with the formula in brackets; brackets at its end are gone on with."""
    if info.formula and text.endswith(")"):
        return f"{text[:-1]}; {code(shown_formula(info))})"
    return f"{text}{formula_words(info)}"
