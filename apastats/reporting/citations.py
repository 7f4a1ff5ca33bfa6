"""Which works a result rests on, from what it says about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

__all__ = ["Cites", "common", "of_metrics"]

Cites: TypeAlias = Callable[[Any], tuple[str, ...]]

ADJUSTMENTS: dict[str, tuple[str, ...]] = {
    "bh": ("benjamini1995",), "by": ("benjamini2001",), "holm": ("holm1979",), "sidak": ("sidak1967",),
    "holm-sidak": ("holm1979", "sidak1967"), "bonferroni": ("dunn1961",), "hochberg": ("hochberg1988",),
    "hommel": ("hommel1988",), "closed": ("marcus1976",), "hierarchical": ("marcus1976",),
    "max-t": ("westfall1993",), "max-t-step-down": ("westfall1993", "romano2005"),
}  # fmt: skip
INTERVALS: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    ("studentized", "percentile", "basic", "normal"), ("davison1997",)
) | {"bca": ("efron1987",), "fieller": ("fieller1954",), "Fieller": ("fieller1954",)}
RANKS = {
    "Friedman": "friedman1937",
    "Skillings-Mack": "skillings1981",
    "Quade": "quade1979",
    "Nemenyi": "demsar2006",
}
SETS = {"mcb": "hsu1984", "mcs": "hansen2011"}
TRIMMED = dict.fromkeys(("Yuen t", "Yuen-Welch t"), ("yuen1974",))
HEDGES = ("Hedges's g", "Hedges's g(z)", "Hedges's g(rm)", "Hedges's g(av)")
RELABELLED = ("sign flip", "centred sign flip", "permutation")
DF = {"satterthwaite": ("giesbrecht1985", "kuznetsova2017"), "kenward-roger": ("kenward1997",)}


def common(result: Any) -> tuple[str, ...]:
    """Works of an adjustment, an interval or a relabelling, whatever the kind of result."""
    info = result.info
    out = ADJUSTMENTS.get(info.adjust, ()) + INTERVALS.get(info.interval, ())
    if info.exact and info.interval:
        out += ("fisher1991",)
    if info.resampled is not None and info.resampled.weighed:
        out += ("rubin1981",)
    if info.test in RELABELLED:
        out += ("phipson2010",)
    return out


def fixed(*keys: str) -> Cites:
    """The same works for every result of a kind, and those of its settings."""
    return lambda result: keys + common(result)


def equivalence(result: Any) -> tuple[str, ...]:
    """Two one-sided tests, and the test that was run."""
    info = result.info
    out: tuple[str, ...] = ("schuirmann1987", "lakens2017")
    if info.get("trim"):
        out += TRIMMED.get(info.test, ())
    if info.estimand == "correlation":
        out += ("goertzen2010",)
    if info.estimand == "difference of dependent correlations":
        out += ("steiger1980",)
    if info.get("corrected") == "expanded interval":
        out += ("hesterberg2015",)
    return out + common(result)


def comparison(result: Any) -> tuple[str, ...]:
    """Tests without a margin."""
    return tuple(k for k in equivalence(result) if k not in ("schuirmann1987", "lakens2017"))


def ceiling(result: Any) -> tuple[str, ...]:
    """Who proposed the ceiling."""
    kind = result.info.get("ceiling_kind")
    if kind in ("leave_one_out", "subject_to_subject"):
        return ("hoefling2026", *common(result))
    return {"nili": ("kriegeskorte2008", "nili2014"), "split_half": ("spearman1904",)}.get(
        str(kind), ()
    ) + common(result)


def ranks(result: Any) -> tuple[str, ...]:
    """Rank tests by their name."""
    key = RANKS.get(result.info.test)
    return ((key,) if key else ()) + common(result)


def sets(result: Any) -> tuple[str, ...]:
    """Procedures of the best, with the margin where there is one."""
    key = SETS.get(str(result.info.get("set_method")))
    out = ((key,) if key else ()) + common(result)
    return (*out, "schuirmann1987") if result.info.margin_origin else out


def strict(result: Any) -> tuple[str, ...]:
    """Two tests with a margin each."""
    key = SETS.get(str(result.info.get("criteria")))
    return ("schuirmann1987", *((key,) if key else ()), *common(result))


def brain_test(result: Any) -> tuple[str, ...]:
    """The question, the tests with a margin, and the round robin where people are candidates."""
    people = () if result.info.get("people_pooled") else ("warner1979", "schaefer2005")
    return ("feather2025", "schuirmann1987", *people, *common(result))


def unique_test(result: Any) -> tuple[str, ...]:
    """Commonality, sign flips, and two one-sided tests where there is a margin."""
    flips = ("winkler2014",) if result.info.test == "sign flips" else ()
    margin = ("schuirmann1987",) if result.info.margin else ()
    return ("nimon2008", *flips, *margin, *common(result))


def against_null(result: Any) -> tuple[str, ...]:
    """Agreement against a null that was sampled or enumerated."""
    drawn = ("phipson2010",) if result.info.n_resamples else ()
    return ("hoefling2026", *drawn, *common(result))


def effect_sizes(result: Any) -> tuple[str, ...]:
    """Hedges's correction where it was applied."""
    hedges = result.table["term"].isin(HEDGES).any()
    return (("hedges1981",) if hedges else ()) + common(result)


def shares_of_variance(info: Any) -> tuple[str, ...]:
    """R2 of fits that have it; of slopes by the extension."""
    if info.get("r2_marginal") is None and not info.get("shares_of_variance"):
        return ()
    slopes = info.get("slopes") or any(
        group != "residual" and effect != "(Intercept)"
        for group, effect, _ in info.get("components") or ()
    )
    return ("nakagawa2013", *(("johnson2014",) if slopes else ()))


def mixed(*keys: str) -> Cites:
    """Mixed models: the estimator and its degrees of freedom."""

    def cites(result: Any) -> tuple[str, ...]:
        info = result.info
        reml = ("patterson1971",) if info.get("likelihood") == "REML" else ()
        tested = ("schuirmann1987",) if info.hypothesis == "equivalence" else ()
        found = keys + reml + DF.get(str(info.get("df_method")), ()) + tested
        return found + shares_of_variance(info) + common(result)

    return cites


def bayes(*keys: str) -> Cites:
    """Posteriors, and a region of practical equivalence where there is one."""

    def cites(result: Any) -> tuple[str, ...]:
        region = ("kruschke2018",) if "p_inside" in result.table.columns else ()
        return keys + region

    return cites


def power(result: Any) -> tuple[str, ...]:
    """Exact power of two one-sided tests."""
    exact = ("phillips1990",) if result.info.hypothesis not in ("", "difference") else ()
    return exact + common(result)


def of_metrics(metrics: Iterable[Any]) -> list[str]:
    """Works that define the measures of scores, by the names in the column ``metric``."""
    from apastats.scoring.measures.measure import MEASURES

    names = dict.fromkeys(str(m).lower() for m in metrics)
    found = [key for name in names if name in MEASURES for key in MEASURES[name].sources]
    return list(dict.fromkeys(found))
