"""What is tried in a calibration: defaults of the verbs on one simulated study, and what counts as an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from apastats.planning.populations import Population, rdm_study, score_study

__all__ = ["QUANTITIES", "TRIALS", "Trial"]

# what a number is -> nominal value of it, and in which direction it may miss
QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "coverage": "share of intervals that hold the value",
        "error": "share of studies with a false claim",
        "power": "share of true claims that are made",
        "bias": "mean error, in standard errors of the estimate",
    }
)
Outcomes = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One default tried on a simulated study.

    Attributes
    ----------
    verb : str
        Verb whose default it is.
    what : str
        What is asked of it.
    quantity : str
        A key of :data:`QUANTITIES`.
    nominal : float
        What is promised (NaN for power and bias).
    run : callable
        ``(study) -> values``: for errors and power 0 or 1 (or a share); for coverage ``[estimate, low, high, truth]``,
        the truth NaN where it is the mean of the estimates over all studies.
    """

    verb: str
    what: str
    quantity: str
    nominal: float
    run: Callable[[Study], Any]


class Study:
    """A simulated study, its parts made when a trial asks for them."""

    def __init__(self, population: Population, n: int, seed: np.random.SeedSequence) -> None:
        self.population, self.n = population, n
        self._seeds = dict(zip(("tied", "ladder", "rdms", "verbs"), seed.spawn(4), strict=True))
        self._made: dict[str, Any] = {}

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @property
    def rng(self) -> np.random.SeedSequence:
        """Randomness for the verbs."""
        return self._seeds["verbs"]

    @property
    def k(self) -> int:
        """Number of models."""
        return len(self.population.model_sd)

    @property
    def margin(self) -> float:
        """A margin of about four standard errors of a difference, as a share of the ceiling."""
        sd = 0.9 * float(np.sqrt((self.population.model_sd**2).mean()))
        return float(4 * sd * np.sqrt(2 / self.n))

    def scores(self, what: str = "tied") -> Any:
        """Scores: ``tied`` (all models equal), or ``ladder`` (the first is best, the others a margin below)."""
        behind = np.zeros(self.k)
        if what == "ladder":
            behind[1:] = self.margin
        return self._once(
            what,
            lambda: score_study(
                np.random.default_rng(self._seeds[what]), self.population, self.n, behind
            ),
        )

    def models(self, what: str = "tied") -> Any:
        """Rows of the models."""
        return self.scores(what).where(kind="model")

    def ceiling_margin(self, what: str) -> Any:
        """A share of the ceiling as margin."""
        from apastats.ceilings.noise_ceiling import noise_ceiling
        from apastats.comparing.margin import margin

        found = self._once(f"ceiling {what}", lambda: noise_ceiling(self.scores(what), by=["roi"]))
        return margin(self.margin, of=found)

    @property
    def rdms(self) -> Any:
        """RDMs of people and models."""
        return self._once(
            "rdms",
            lambda: rdm_study(np.random.default_rng(self._seeds["rdms"]), self.population, self.n),
        )

    @property
    def rdm_scores(self) -> Any:
        """Their scores, all kinds of rows."""
        from apastats.scoring.score import score

        return self._once("rdm scores", lambda: score(self.rdms[0], self.rdms[1], method="corr"))

    @property
    def agreement(self) -> Any:
        """Pattern agreement of the layer that belongs to each region, brains included."""
        from apastats.ceilings.select_layer import selected_rows
        from apastats.patterns.alignment_patterns import alignment_patterns
        from apastats.patterns.pattern_agreement import pattern_agreement

        return self._once(
            "agreement",
            lambda: selected_rows(
                pattern_agreement(alignment_patterns(self.rdm_scores), reference="matched"),
                self.own_layers,
            ),
        )

    @property
    def own_layers(self) -> Any:
        """Scores of the layer that belongs to each region."""
        from apastats.table import ScoreTable

        def make() -> Any:
            frame = self.rdm_scores.frame
            own = frame["layer"].str.replace("layer", "roi") == frame["roi"]
            return ScoreTable(frame[own & (frame["kind"] == "model")])

        return self._once("own layers", make)


def _first(table: Any, **where: Any) -> Any:
    for column, value in where.items():
        table = table[table[column] == value]
    return table.iloc[0]


def _held(row: Any, truth: float = np.nan) -> list[float]:
    return [row["estimate"], row["conf_low"], row["conf_high"], truth]


FORMULA = "score ~ model | roi"


def _bootstrap(s: Study) -> Any:
    from apastats.bootstrapping.bootstrap import bootstrap

    found = bootstrap(FORMULA, s.models(), rng=s.rng).table
    return _held(_first(found, model="model_01", roi="roi_01"), float(s.population.mean[0]))


def _compared(s: Study) -> Any:
    from apastats.comparing.compare import compare

    return s._once("compare", lambda: compare(FORMULA, s.models()).table)


def _compare_level(s: Study) -> Any:
    return _first(_compared(s), roi="roi_01")["p_value"] <= 0.05


def _compare_family(s: Study) -> Any:
    return (_compared(s)["p_value_adjusted"] <= 0.05).any()


def _compare_interval(s: Study) -> Any:
    return _held(_first(_compared(s), roi="roi_01"), 0.0)


def _pairs(s: Study) -> Any:
    from apastats.comparing.equivalence import equivalence

    found = equivalence(FORMULA, s.models("ladder"), bounds=s.ceiling_margin("ladder"))
    table = found.table
    return table[(table["model"] == "model_01") | (table["reference"] == "model_01")]


def _pair_level(s: Study) -> Any:
    return _first(s._once("pairs", lambda: _pairs(s)), roi="roi_01")["p_value_equiv"] <= 0.05


def _pair_family(s: Study) -> Any:
    return (s._once("pairs", lambda: _pairs(s))["p_value_equiv_adjusted"] <= 0.05).any()


def _to_best(s: Study, what: str) -> Any:
    from apastats.comparing.equivalence import equivalence

    return equivalence(
        FORMULA, s.models(what), bounds=s.ceiling_margin(what), reference="best"
    ).table


def _best_false(s: Study) -> Any:
    table = _to_best(s, "ladder")
    # only the first model is best; another may be the best seen, and the first then a true claim
    return ((table["model"] != "model_01") & (table["p_value_equiv_adjusted"] <= 0.05)).any()


def _best_found(s: Study) -> Any:
    return (_to_best(s, "tied")["p_value_equiv_adjusted"] <= 0.05).mean()


def _set_lost(s: Study) -> Any:
    from apastats.comparing.equivalence_set import equivalence_set

    table = equivalence_set(FORMULA, s.models(), family="cell").table
    return not _first(table, model="model_01", roi="roi_01")["in_set"]


def _set_false(s: Study) -> Any:
    from apastats.comparing.equivalence_set import equivalence_set

    found = equivalence_set(FORMULA, s.models("ladder"), bounds=s.ceiling_margin("ladder")).table
    return (found["in_set"] & (found["model"] != "model_01")).any()


def _ceiling(kind: str, bound: str | None = None) -> Callable[[Study], Any]:
    def run(s: Study) -> Any:
        from apastats.ceilings.noise_ceiling import noise_ceiling

        found = s._once(f"rdm {kind}", lambda: noise_ceiling(s.rdms[0], kind=kind).table)
        where = {"roi": "roi_01"} | ({"bound": bound} if bound else {})
        return _held(_first(found, **where))

    return run


def _normalized(s: Study) -> Any:
    from apastats.ceilings.noise_ceiling import noise_ceiling
    from apastats.ceilings.normalize import normalize

    one = s.own_layers.where(model="model_01")
    found = normalize(one, noise_ceiling(s.rdms[0], kind="leave_one_out")).table
    return _held(_first(found, roi="roi_01"))


def _agreement_interval(s: Study) -> Any:
    from apastats.bootstrapping.bootstrap import bootstrap

    found = bootstrap("z_person ~ model | roi", s.agreement, kind=None, rng=s.rng).table
    return _held(_first(found, model="brain", roi="roi_03"))


def _further_brain(s: Study) -> Any:
    """Z of one more person entered as a model, minus that of the brain."""
    frame = s.agreement.frame
    mean = frame[frame["model"].isin(["further", "brain"])].groupby("model")["z"].mean()
    return mean["further"] - mean["brain"]


def _random_agreement(s: Study) -> Any:
    from apastats.patterns.agreement_test import agreement_test
    from apastats.patterns.alignment_patterns import alignment_patterns

    found = agreement_test(alignment_patterns(s.rdm_scores), null="permuted_rois", rng=s.rng).table
    rows = found[(found["model"] == "random") & (found["roi"] == "roi_03")]
    return rows["p_value"].iloc[0] <= 0.05


def _separation(s: Study) -> Any:
    from apastats.comparing.discriminability import discriminability

    found = discriminability(FORMULA, s.models("ladder").where(roi="roi_01")).table
    return _held(_first(found, term="separated_pairs"))


def _mixed(s: Study) -> Any:
    from apastats.mixed.emmeans import emmeans
    from apastats.mixed.models import models

    fit = models.scores(s.models())
    found = emmeans(fit, "model").contrast("trt.vs.ctrl").table
    return found["p_value"].iloc[0] <= 0.05


def _power(s: Study) -> Any:
    """Decision of a TOST minus its predicted power: 0 on average."""
    from apastats.comparing.tost import tost
    from apastats.planning.power import power_tost

    g = np.random.default_rng(s.rng)
    d = g.standard_normal(s.n)
    bound = 3.0 / np.sqrt(s.n)
    predicted = power_tost(n=s.n, sd=1.0, bounds=bound).table["estimate"].iloc[0]
    return float(tost(d, bounds=bound).table["p_value_equiv"].iloc[0] <= 0.05) - predicted


def _covers(verb: str, what: str, run: Callable[[Study], Any]) -> Trial:
    return Trial(verb, f"95 % interval of {what}", "coverage", 0.95, run)


def _errs(verb: str, what: str, run: Callable[[Study], Any]) -> Trial:
    return Trial(verb, what, "error", 0.05, run)


TRIALS: Mapping[str, Trial] = MappingProxyType(
    {
        "bootstrap": _covers("bootstrap", "a mean", _bootstrap),
        "compare": _errs("compare", "two equal models called different", _compare_level),
        "compare family": _errs("compare", "any of all equal models called different", _compare_family),
        "compare interval": _covers("compare", "a difference", _compare_interval),
        "equivalence": _errs("equivalence", "a model at the margin called equivalent", _pair_level),
        "equivalence family": _errs("equivalence", "any model at the margin called equivalent", _pair_family),
        "best": _errs("equivalence to the best", "any model at the margin called equivalent", _best_false),
        "best found": Trial("equivalence to the best", "tied models shown", "power", np.nan, _best_found),
        "set": _errs("equivalence_set", "a best model left out", _set_lost),
        "set bounds": _errs("equivalence_set", "any model at the margin called close", _set_false),
        "leave_one_out": _covers("noise_ceiling", "the ceiling, leave one out", _ceiling("leave_one_out")),
        "subject_to_subject": _covers(
            "noise_ceiling", "the ceiling, subject to subject", _ceiling("subject_to_subject")
        ),
        "nili lower": _covers("noise_ceiling", "the lower bound of Nili", _ceiling("nili", "lower")),
        "nili upper": _covers("noise_ceiling", "the upper bound of Nili", _ceiling("nili", "upper")),
        "normalize": _covers("normalize", "a share of the ceiling", _normalized),
        "agreement": _covers("pattern_agreement", "z by person, brain", _agreement_interval),
        "further brain": Trial("pattern_agreement", "one more brain minus the brain, z", "bias", 0.0, _further_brain),
        "agreement null": _errs("agreement_test", "an unrelated model called in agreement", _random_agreement),
        "separation": _covers("discriminability", "the number of separated pairs", _separation),
        "mixed": _errs("models.scores", "two equal models called different", _mixed),
        "power": Trial("power_tost", "share of claims minus predicted power", "bias", 0.0, _power),
    }
)  # fmt: skip
