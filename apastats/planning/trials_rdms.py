"""Trials of the defaults on RDMs of people: ceilings, shares of them, agreement, and the brain test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apastats.planning.simulated import (
    Study,
    Trial,
    covers,
    errs,
    first_row,
    held,
    model_less_ceiling,
    model_less_person,
)

__all__ = ["RDM_TRIALS"]


def _ceiling(kind: str, bound: str | None = None) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        from apastats.ceilings.noise_ceiling import noise_ceiling

        found = s.once(f"rdm {kind}", lambda: noise_ceiling(s.rdms[0], kind=kind)).table
        where = {"roi": "roi_01"} | ({"bound": bound} if bound else {})
        return held(first_row(found, **where))

    return run


def _table_ceiling(s: Study) -> Any:
    """From leave-one-out rows alone, as most tables have them."""
    from apastats.ceilings.noise_ceiling import noise_ceiling
    from apastats.table import ScoreTable

    def make() -> Any:
        frame = s.rdm_scores.frame
        keep = (frame["kind"] == "leave_one_out") & (frame["roi"] == "roi_01")
        own = frame["layer"].isna() | frame["layer"].astype(str).isin(["", "roi_01", "nan"])
        return noise_ceiling(ScoreTable(frame[keep & own]), by=["roi"])

    return held(first_row(s.once("table ceiling", make).table, roi="roi_01"))


def _one_ceiling(s: Study) -> Any:
    """Of one region alone: one whose ceiling is not clearly above 0 would refuse all."""
    from apastats.ceilings.noise_ceiling import noise_ceiling

    return s.once(
        "ceiling of one region",
        lambda: noise_ceiling(s.rdms[0].select(roi="roi_01"), kind="leave_one_out"),
    )


def _normalized(s: Study) -> Any:
    from apastats.ceilings.normalize import normalize

    one = s.own_layers.where(model="model_01", roi="roi_01")
    return held(first_row(normalize(one, _one_ceiling(s)).table, roi="roi_01"))


def _at_the_ceiling(s: Study) -> Any:
    """``model_01`` is lowered, so that its mean over many studies is that of the ceiling."""
    from apastats.ceilings.normalize import normalize
    from apastats.table import ScoreTable

    frame = s.own_layers.where(model="model_01", roi="roi_01").frame
    lower = model_less_ceiling(s.population, s.n)
    one = ScoreTable(frame.assign(score=frame["score"] - lower))
    return first_row(normalize(one, _one_ceiling(s)).table, roi="roi_01")["p_below"] <= 0.05


def _resampled_ceiling(bound: str) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        from apastats.bootstrapping.bootstrap import bootstrap

        def make() -> Any:
            brain = s.rdms[0].select(roi="roi_01")
            models = s.rdms[1].select(model="model_01", layer="layer_01")
            found = bootstrap("score ~ model | roi", brain, models=models, rng=s.rng)
            return found.ceilings().table

        return held(first_row(s.once("resampled ceilings", make), bound=bound))

    return run


def _agreement_interval(model: str) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        from apastats.bootstrapping.bootstrap import bootstrap

        one = s.agreement.where(roi="roi_03", model=model)
        return held(first_row(bootstrap("z_person ~ model | roi", one, kind=None, rng=s.rng).table))

    return run


def _resampled(model: str) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        from apastats.patterns.agreement_bootstrap import agreement_bootstrap

        def make() -> Any:
            # the limits are the jackknife's; the resamples serve joint limits, which are not asked for here
            found = agreement_bootstrap(
                s.patterns,
                selection=s.own_layers.where(model="model_01"),
                reference="matched",
                n_resamples=99,
                rng=s.rng,
            )
            return found.table

        table = s.once("agreement_bootstrap", make)
        return held(first_row(table, term="agreement", model=model, roi="roi_03"))

    return run


def _further_brain(s: Study) -> Any:
    """Z of one more person entered as a model, minus that of the brain."""
    frame = s.agreement.frame
    mean = frame[frame["model"].isin(["further", "brain"])].groupby("model")["z"].mean()
    return mean["further"] - mean["brain"]


def _null(null: str, model: str, common: bool) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        from apastats.patterns.agreement_test import agreement_test

        def make() -> Any:
            patterns = s.common_patterns if common else s.patterns
            return agreement_test(
                patterns, null=null, selection=None if common else s.own_layers, rng=s.rng
            ).table

        found = s.once(f"null {null} {common}", make)
        rows = found[(found["model"] == model) & (found["roi"] == "roi_03")]
        return rows["p_value"].iloc[0] <= 0.05

    return run


LOWER = 0.1


def _brain(s: Study, over: str) -> Any:
    """``model_01`` is lowered, so that it lies below a person by exactly the margin in the first region."""
    from apastats.patterns.brain_test import brain_test
    from apastats.table import ScoreTable

    def make() -> Any:
        frame = s.rdm_scores.frame
        lower = (frame["model"] == "model_01") * (model_less_person(s.population) + LOWER)
        return brain_test(
            ScoreTable(frame.assign(score=frame["score"] - lower)),
            margin=LOWER,
            over=over,
            selection=s.own_layers,
            n_resamples=499,
            rng=s.rng,
        ).table

    return s.once(f"brain test {over}", make)


def _as_good(s: Study) -> Any:
    return first_row(_brain(s, "roi"), model="model_01", roi="roi_01")["p_value_noninf"] <= 0.05


def _no_person(over: str) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        mine = _brain(s, over)
        mine = mine[mine["model"] == "further"]
        return (mine["like_a_person"] == "below the spread of people").any()

    return run


RDM_TRIALS: dict[str, Trial] = {
    "leave_one_out": covers("noise_ceiling", "the ceiling, leave one out", _ceiling("leave_one_out")),
    "subject_to_subject": covers(
        "noise_ceiling", "the ceiling, subject to subject", _ceiling("subject_to_subject")
    ),
    "nili lower": covers("noise_ceiling", "the lower bound of Nili", _ceiling("nili", "lower")),
    "nili upper": covers("noise_ceiling", "the upper bound of Nili", _ceiling("nili", "upper")),
    "table ceiling": covers("noise_ceiling", "the ceiling, rows of leave one out alone", _table_ceiling),
    "resampled lower": covers(
        "bootstrap(RDMs).ceilings", "the lower noise ceiling", _resampled_ceiling("lower")
    ),
    "resampled upper": covers(
        "bootstrap(RDMs).ceilings", "the upper noise ceiling", _resampled_ceiling("upper")
    ),
    "below": errs("normalize", "a model at the ceiling called below it", _at_the_ceiling),
    "normalize": covers("normalize", "a share of the ceiling", _normalized),
    "agreement": covers("pattern_agreement, bootstrap", "z by person, brain", _agreement_interval("brain")),
    "agreement model": covers(
        "pattern_agreement, bootstrap", "z by person, a model", _agreement_interval("model_01")
    ),
    "agreement_bootstrap": covers("agreement_bootstrap", "agreement, brain", _resampled("brain")),
    "agreement_bootstrap model": covers("agreement_bootstrap", "agreement, a model", _resampled("model_01")),
    "further brain": Trial("pattern_agreement", "one more brain minus the brain, z", "bias", 0.0, _further_brain),
    "permuted rois": errs(
        "agreement_test", "an unrelated model called in agreement", _null("permuted_rois", "random", False)
    ),
    "other roi": errs(
        "agreement_test", "a model without regional profile called regional", _null("other_roi", "model_01", True)
    ),
    "other roi brain": errs(
        "agreement_test", "a brain without regional profile called regional", _null("other_roi", "brain", True)
    ),
    "as good": errs("brain_test", "a model at the margin called as good as a person", _as_good),
    "one more person": errs("brain_test", "one more person called none, any region", _no_person("roi")),
    "one more profile": errs("brain_test", "one more person called none, over all", _no_person("all")),
}  # fmt: skip
