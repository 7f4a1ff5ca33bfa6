"""Trials of the defaults on scores."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from apastats.planning.simulated import Study, Trial, covers, errs, first_row, held

__all__ = ["SCORE_TRIALS"]

FORMULA = "score ~ model | roi"


def _bootstrap(s: Study) -> Any:
    from apastats.bootstrapping.bootstrap import bootstrap

    found = bootstrap(FORMULA, s.models().where(roi="roi_01", model="model_01"), rng=s.rng).table
    return held(first_row(found), float(s.population.mean[0]))


def _compared(s: Study) -> Any:
    from apastats.comparing.compare import compare

    return s.once("compare", lambda: compare(FORMULA, s.models()).table)


def _compare_level(s: Study) -> Any:
    return first_row(_compared(s), roi="roi_01")["p_value"] <= 0.05


def _compare_family(s: Study) -> Any:
    return (_compared(s)["p_value_adjusted"] <= 0.05).any()


def _compare_interval(s: Study) -> Any:
    return held(first_row(_compared(s), roi="roi_01"), 0.0)


def _tost(s: Study) -> Any:
    from apastats.comparing.tost import tost

    g = s.generator("verbs")
    from apastats.planning.populations import NOISE

    d = NOISE[s.population.noise](g, (s.n,))
    if s.population.decimals is not None:
        d = np.round(d, 1)
    bound = 4 / np.sqrt(s.n)
    return float(tost(d + bound, bounds=bound).table["p_value_equiv"].iloc[0] <= 0.05)


def _pairs(s: Study) -> Any:
    from apastats.comparing.equivalence import equivalence

    def make() -> Any:
        bounds = s.ceiling_margin("ladder")
        return equivalence(FORMULA, s.models("ladder"), bounds=bounds).table

    table = s.once("pairs", make)
    return table[(table["model"] == "model_01") | (table["reference"] == "model_01")]


def _pair_level(s: Study) -> Any:
    return first_row(_pairs(s), roi="roi_01")["p_value_equiv"] <= 0.05


def _pair_family(s: Study) -> Any:
    return (_pairs(s)["p_value_equiv_adjusted"] <= 0.05).any()


def _to_best(s: Study, what: str) -> Any:
    from apastats.comparing.equivalence import equivalence

    def make() -> Any:
        bounds = s.ceiling_margin(what)
        return equivalence(FORMULA, s.models(what), bounds=bounds, reference="best").table

    return s.once(f"best {what}", make)


def _best_false(s: Study) -> Any:
    table = _to_best(s, "ladder")
    # only the first model is best; another may be the best seen, and the first then a true claim
    return ((table["model"] != "model_01") & (table["p_value_equiv_adjusted"] <= 0.05)).any()


def _best_found(s: Study) -> Any:
    return (_to_best(s, "tied")["p_value_equiv_adjusted"] <= 0.05).mean()


def _set(s: Study) -> Any:
    from apastats.comparing.equivalence_set import equivalence_set

    return s.once("set", lambda: equivalence_set(FORMULA, s.models(), family="cell").table)


def _set_lost(s: Study) -> Any:
    return not first_row(_set(s), model="model_01", roi="roi_01")["in_set"]


def _set_false(s: Study) -> Any:
    from apastats.comparing.equivalence_set import equivalence_set

    found = equivalence_set(FORMULA, s.models("ladder"), bounds=s.ceiling_margin("ladder")).table
    return (found["in_set"] & (found["model"] != "model_01")).any()


def _strict(s: Study, fails: str) -> Any:
    """Whether a model that is at the margin of one criterion, the other being wide, is called aligned."""
    from apastats.patterns.strict_alignment import strict_alignment

    on_score = fails == "score"
    found = strict_alignment(
        s.models("ladder" if on_score else "tied"),
        s.z_scores("agreeing" if on_score else "behind the brain"),
        score_bounds=s.ceiling_margin("ladder") if on_score else 10.0,
        # the margin is a share of the ceiling, which is mean / 0.9
        agreement_bounds=10.0 if on_score else s.margin / 0.9 * float(s.population.mean.max()),
        by=["roi"],
    ).table
    mine = found["model"] != "model_01"
    if not on_score:
        # with one margin for all regions, models are at it where the mean is the largest
        largest = s.population.rois[int(np.argmax(s.population.mean))]
        mine &= found["roi"] == largest
    return ((found["decision"] == "aligned") & mine).any()


def _discriminated(s: Study) -> Any:
    from apastats.comparing.discriminability import discriminability

    def make() -> Any:
        scores = s.models("ladder").where(roi="roi_01")
        return discriminability(FORMULA, scores, rng=s.rng).table

    return s.once("discriminability", make)


def _separation(s: Study) -> Any:
    return held(first_row(_discriminated(s), term="separated_pairs"))


def _set_size(s: Study) -> Any:
    return held(first_row(_discriminated(s), term="set_size"))


def _outcomes(s: Study) -> Any:
    """Two regions as two outcomes of one separation."""
    from apastats.comparing.discriminability import discriminability
    from apastats.table import ScoreTable

    def region(name: str, outcome: str) -> Any:
        frame = s.models("ladder").where(roi=name).frame
        return ScoreTable(frame.assign(roi="roi_01", **{outcome: frame["score"]}), (outcome,))

    found = discriminability(
        FORMULA,
        region("roi_01", "score"),
        against=region("roi_02", "agreement"),
        against_outcome="agreement",
        rng=s.rng,
    ).table
    return first_row(found, term="difference signal")["p_value"] <= 0.05


def _mixed(s: Study) -> Any:
    from apastats.mixed.emmeans import emmeans
    from apastats.mixed.models import models

    def make() -> Any:
        fit = models.scores(s.models())
        return emmeans(fit, "model")

    return s.once("mixed", make)


def _mixed_level(s: Study) -> Any:
    found = _mixed(s).contrast("trt.vs.ctrl", adjust="none").table
    return found["p_value"].iloc[0] <= 0.05


def _mixed_family(s: Study) -> Any:
    return (_mixed(s).contrast("trt.vs.ctrl").table["p_value"] <= 0.05).any()


def _mixed_brain(s: Study) -> Any:
    from apastats.mixed.emmeans import emmeans
    from apastats.mixed.models import models

    fit = models.agreement(s.z_scores("agreeing"))
    found = emmeans(fit, "model").contrast("trt.vs.ctrl", ref="brain").table
    return (found["p_value"] <= 0.05).any()


def _power(s: Study) -> Any:
    """Decision of a TOST minus its predicted power: 0 on average."""
    from apastats.comparing.tost import tost
    from apastats.planning.power import power_tost

    d = s.generator("verbs").standard_normal(s.n)
    bound = 3.0 / np.sqrt(s.n)
    predicted = power_tost(n=s.n, sd=1.0, bounds=bound).table["estimate"].iloc[0]
    return float(tost(d, bounds=bound).table["p_value_equiv"].iloc[0] <= 0.05) - predicted


def tost_power_here(n: int, bound: float, alpha: float) -> float:
    """Power of the t tests against +-bound where the difference is 0 and the SD 1: given the sample SD, normal."""
    from scipy import stats

    grid = (np.arange(4000) + 0.5) / 4000
    sd = np.sqrt(stats.chi2.ppf(grid, n - 1) / (n - 1))
    reach = np.sqrt(n) * bound - stats.t.ppf(1 - alpha, n - 1) * sd
    return float(np.where(reach > 0, 2 * stats.norm.cdf(reach) - 1, 0.0).mean())


@lru_cache(maxsize=32)
def _predicted(n: int, bound: float, sd: float) -> tuple[float, list[warnings.WarningMessage]]:
    """Share of tied pairs that ``power_study`` says three models show, the best scoring 1, and what it warns of."""
    from apastats.planning.power_study import power_study

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = power_study(
            n=n,
            bounds=bound,
            n_model=3,
            n_tied=3,
            mean=1.0,
            model_subject_sd=sd,
            n_replicate=4000,
            rng=11,
        ).table
    shown = found.loc[found["term"] == "tied_pairs_equivalent", "estimate"].iloc[0]
    return float(shown), said


def _planned(s: Study) -> Any:
    """Share of the pairs of three tied models shown equivalent, less what was planned: 0 on average."""
    from apastats.comparing.equivalence import equivalence

    mean, sd = float(s.population.mean[0]), float(s.population.model_sd[2])
    bound = 3.4 * sd * float(np.sqrt(2 / s.n))
    three = s.models().where(roi="roi_01", model=["model_02", "model_03", "model_04"])
    found = equivalence(FORMULA, three, bounds=bound * mean, test="t", adjust="holm").table
    shown = float((found["p_value_equiv_adjusted"] <= 0.05).mean())
    predicted, said = _predicted(s.n, bound, sd)
    for w in said:
        warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    return shown - predicted


def _needed(s: Study) -> Any:
    """Realised power at the number of subjects that is named, less the 80 % asked for."""
    from apastats.comparing.equivalence import equivalence
    from apastats.planning.subjects_needed import subjects_needed

    one = s.models().where(roi="roi_01", model=["model_03", "model_04"])
    sd = float(s.population.mean[0] * np.sqrt((s.population.model_sd[2:4] ** 2).sum()))
    # 20 subjects would show it
    bound = 0.67 * sd
    found = subjects_needed(equivalence(FORMULA, one, bounds=bound), difference="zero").table
    n = found["n_equivalence"].iloc[0]
    return tost_power_here(int(min(n, 5000)), bound / sd, 0.05) - 0.8


SCORE_TRIALS: dict[str, Trial] = {
    "bootstrap": covers("bootstrap", "a mean", _bootstrap),
    "compare": errs("compare", "two equal models called different", _compare_level),
    "compare family": errs("compare", "any of all equal models called different", _compare_family),
    "compare interval": covers("compare", "a difference", _compare_interval),
    "tost": errs("tost", "a difference at the bound called equivalent", _tost),
    "equivalence": errs("equivalence", "a model at the margin called equivalent", _pair_level),
    "equivalence family": errs("equivalence", "any model at the margin called equivalent", _pair_family),
    "best": errs("equivalence to the best", "any model at the margin called equivalent", _best_false),
    "best found": Trial("equivalence to the best", "tied models shown", "power", np.nan, _best_found),
    "set": errs("equivalence_set", "a best model left out", _set_lost),
    "set bounds": errs("equivalence_set", "any model at the margin called close", _set_false),
    "strict score": errs(
        "strict_alignment", "any model at the margin of the score called aligned", lambda s: _strict(s, "score")
    ),
    "strict agreement": errs(
        "strict_alignment", "any model at the margin of agreement called aligned", lambda s: _strict(s, "agreement")
    ),
    "separation": covers("discriminability", "the number of separated pairs", _separation),
    "set size": covers("discriminability", "the size of the set", _set_size),
    "outcomes": errs("discriminability", "two outcomes that separate alike called different", _outcomes),
    "mixed": errs("models.scores, emmeans", "two equal models called different", _mixed_level),
    "mixed family": errs("models.scores, emmeans", "any model called different from the first", _mixed_family),
    "mixed brain": errs("models.agreement, emmeans", "any model like the brain called different", _mixed_brain),
    "power": Trial("power_tost", "share of claims less predicted power", "bias", 0.0, _power),
    "planned": Trial("power_study", "share of tied pairs shown less the predicted one", "bias", 0.0, _planned),
    "subjects needed": Trial("subjects_needed", "power at the number named, less .8", "bias", 0.0, _needed),
}  # fmt: skip
