"""Findings without chance: single calls whose right value is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaError
from tests.findings import Finding

__all__ = ["FINDINGS"]

Answer = tuple[str, bool]


def numbers(values: Any) -> str:
    """Numbers as they are told."""
    return " ".join(f"{v:.4g}" for v in np.ravel(np.asarray(values, dtype=float)))


def refused(call: Callable[[], Any]) -> str:
    """Name of the error of a call, of this package; ``given`` where there is none."""
    try:
        call()
    except ApaError as error:
        return type(error).__name__
    return "given"


def limits(found: Any) -> np.ndarray:
    """Estimate and limits of the first row."""
    return found.table[["estimate", "conf_low", "conf_high"]].iloc[0].to_numpy(dtype=float)


def small() -> pd.DataFrame:
    """Eight subjects and four models."""
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([range(8), list("abcd")], names=["subject", "model"])
    d = index.to_frame(index=False)
    d["score"] = rng.normal(0, 1, 8)[d["subject"]] + d["model"].map(dict(a=0, b=0.2, c=0.4, d=0.6))
    d["score"] += rng.normal(0, 0.3, 32)
    return d.assign(subject="s" + d["subject"].astype(str))


def twins() -> apa.ScoreTable:
    """One network under two names."""
    a = np.random.default_rng(1).normal(0.5, 0.05, 8)
    rows = [(f"s{i}", "V1", m, a[i]) for i in range(8) for m in ("net", "net_copy")]
    return apa.ScoreTable(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))


def noise(seed: int = 91) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"subject": np.repeat(list("abcdefgh"), 8), "x": np.tile(np.arange(8.0), 8)})
    return d.assign(y=rng.normal(size=64).round(2))


def units(_: float) -> Answer:
    d = small()
    df = [
        apa.lmm("score ~ model + (1|subject)", d.assign(score=d["score"] * u)).table["df"]
        for u in (1.0, 1e-3, 1e5)
    ]
    return numbers([v.iloc[:2] for v in df]), all(np.allclose(v, df[0], rtol=1e-6) for v in df)


def decimals(_: float) -> Answer:
    x, y = np.array([3, 5, 7, 4, 6, 2, 8.0]), np.array([2, 3, 4, 3, 7, 1, 6.0])
    p = [
        apa.tost(x / u, y / u, bounds=2 / u, test="wilcoxon").table["p_value"].item()
        for u in (1, 10, 100, 1000)
    ]
    return numbers(p), bool(np.allclose(p, 0.078125, rtol=1e-12))


def own_set(_: float) -> Answer:
    found = {
        m: apa.equivalence_set("score ~ model | roi", twins(), method=m).members(roi="V1")
        for m in ("mcb", "mcs", "bayes")
    }
    return str({k: len(v) for k, v in found.items()}), all(len(v) == 2 for v in found.values())


def quade(_: float) -> Answer:
    p = [apa.quade(x).table["p_value"].item() for x in (np.ones((6, 4)), np.array([[1, 1, 2]] * 4))]
    f = apa.friedman(np.array([[1, 2, 3]] * 4), statistic="F").table["p_value"].item()
    holds = np.isnan(p[0]) and np.isclose(p[1], 1 / 27) and np.isclose(f, 6.0**-3)
    return numbers([*p, f]), bool(holds)


def constants(_: float) -> Answer:
    found = [limits(apa.boot_ci([v] * 10, "mean")) for v in (0.04, 0.1, 0.7, 1e4)]
    return numbers(found[0]), all(np.isclose(f, f[0], rtol=1e-12).all() for f in found)


def flips(_: float) -> Answer:
    x, y = (
        [1.29, 1.49, 0.71, 1.35, -0.53, -0.78, -0.12],
        [0.03, 0.24, -0.13, 0.22, 0.47, -0.56, 0.71],
    )
    row = apa.tost(x, y, bounds=0.94, test="permutation").table.iloc[0]
    inside = row["conf_low"] > -0.94 and row["conf_high"] < 0.94
    return (
        numbers(row[["conf_low", "conf_high", "p_value_equiv"]]),
        bool(inside == (row["p_value_equiv"] <= 0.05)),
    )


def flip_coverage(share: float) -> Answer:
    sets = max(100, round(2000 * share))
    found = {}
    for n in (5, 8, 10):
        x = np.random.default_rng([6, n]).standard_normal((sets, n))
        rows = [apa.tost(d, bounds=1.0, test="permutation").table.iloc[0] for d in x]
        low, high = (np.array([r[c] for r in rows]) for c in ("conf_low", "conf_high"))
        found[n] = float(((low <= 0) & (high >= 0)).mean())
    error = 3.3 * np.sqrt(0.9 * 0.1 / sets)
    return numbers(list(found.values())), all(v > 0.9 - error - 0.015 for v in found.values())


def no_crash(_: float) -> Answer:
    a = np.arange(1.0, 6.0)
    calls = {
        "tost": lambda: apa.tost([1, 2, 3], [3, 3, 3], paired=False, bounds=1),
        "glass": lambda: apa.effect_size([1, 2, 3], [3, 3, 3], measures="glass"),
        "constant differences": lambda: apa.effect_size(a + 1, a),
        "friedman": lambda: apa.friedman(np.ones((5, 3))),
        "rm_anova": lambda: apa.rm_anova(np.ones((6, 3))),
        "power_t": lambda: apa.power_t(n=8, sd=0, difference=1),
    }
    found = {k: refused(f) for k, f in calls.items()}
    t = apa.tost([1, 2, 3], [3, 3, 3], paired=False, bounds=1).table.iloc[0]
    return str(found), bool(np.isclose(t["p_value"], 0.22540333075851665, rtol=1e-9))


def separated(_: float) -> Answer:
    apart = apa.effect_size([1.0, 2, 3], [4.0, 5, 6], measures="rank_biserial", paired=False)
    five = apa.effect_size(np.arange(1.0, 6.0), np.zeros(5), measures="rank_biserial", paired=True)
    found = np.array([limits(apart), limits(five)])
    holds = (found[:, 2] - found[:, 1] > 0.2).all()
    return numbers(found), bool(holds)


def undefined(_: float) -> Answer:
    found = apa.boot_ci([-3, -2, 3, 4, 1], "mean", transform="log", interval="percentile")
    plain = apa.boot_ci([-3, -2, 3, 4, 1], "mean", interval="percentile")
    return numbers(limits(found)[1:]), bool(np.allclose(limits(found), limits(plain), rtol=1e-9))


def two_modes(_: float) -> Answer:
    rng = np.random.default_rng(0)
    two = np.r_[rng.normal(-1, 0.03, 2000), rng.normal(1, 0.03, 2000)]
    word = apa.rope(two, bounds=0.1).table["decision"].item()
    return word, word == "undecided"


def squares(_: float) -> Answer:
    found = limits(apa.anova_effect(3, 5, 2))
    x = np.random.default_rng(3).normal(size=(8, 4)) + np.arange(4)
    whole = apa.rm_anova(x, alternative="two-sided", correction="none").table.iloc[0]
    one = apa.anova_effect(*whole[["statistic", "df", "df2"]], conf_level=0.9).table.iloc[0]
    same = [c for c in ("conf_low", "conf_high") if c in whole]
    agree = np.allclose(one[same].astype(float), whole[same].astype(float), rtol=1e-6)
    return numbers(found), bool(found[1] <= found[0] <= found[2] and agree and len(same) == 2)


def labels(_: float) -> Answer:
    d = small()
    d["model"] = d["model"].map({"a": "a", "b": "b - c", "c": "a - b", "d": "c"})
    found = (
        apa.emmeans(apa.lmm("score ~ model + (1 | subject)", d), "model").pairs().table["contrast"]
    )
    return f"{found.nunique()} of {len(found)} differ", bool(found.is_unique)


def options(_: float) -> Answer:
    means = apa.emmeans(apa.lmm("score ~ model + (1 | subject)", small()), "model")
    calls = {
        "brunner_munzel exact": lambda: apa.tost(
            [1.0, 2, 4], [2.0, 3, 5], bounds=1, test="brunner_munzel", exact=True, paired=False
        ),
        "negative SE": lambda: apa.coefficient_equivalence(0.1, -0.2, 20, bounds=0.5),
        "SE 0": lambda: apa.coefficient_equivalence(0.1, 0.0, 20, bounds=0.5),
        "contrast of dict": lambda: means.contrast({"c": {"m0": 1, "m1": -1}}),
    }  # fmt: skip
    found = {k: refused(f) for k, f in calls.items()}
    return str(found), "given" not in found.values()


def power_at_most_one(_: float) -> Answer:
    found = apa.power_t(n=200, sd=1, difference=5).table["estimate"].item()
    return f"{found!r}", found <= 1


def tied_ranks(_: float) -> Answer:
    a = np.tile([0.1, 0.1, 0.1], (6, 1)) + np.arange(6)[:, None] / 10
    rows = [(f"s{i}", "V1", m, a[i, j]) for i in range(6) for j, m in enumerate("abc")]
    t = apa.ScoreTable(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))
    found = apa.mean_ranks("score ~ model | roi", t).table
    return numbers(found["estimate"]), bool((found["estimate"] == 2).all())


def saddle(_: float) -> Answer:
    fit = apa.lmm("y ~ x + (1 + x | subject)", noise())
    row = fit.table.iloc[1]
    found = [fit.info["loglik"], row["std_error"], row["df"], row["p_value"]]
    right = np.allclose(
        found, [-88.1186, 0.0504, 24.5, 0.579], atol=[5e-5, 5e-5, 0.05, 5e-4], rtol=0
    )
    return numbers(found), bool(right)


def column_called_c(_: float) -> Answer:
    d = small().rename(columns={"subject": "C"})
    found = apa.lmm("score ~ model + (1 | C)", d).anova()
    return numbers(found["statistic"]), bool(np.isfinite(found["statistic"]).all())


def not_nested(_: float) -> Answer:
    d = small().assign(other=lambda t: t["model"])
    a, b = (apa.lmm(f"score ~ 1 + (1 | {g})", d, reml=False) for g in ("subject", "other"))

    word = refused(lambda: a.likelihood_ratio(b))
    return word, word != "given"


def log_of_zero(_: float) -> Answer:
    try:
        apa.lmm("y ~ log(x) + (1 | subject)", noise())
    except ApaError as error:
        return str(error)[:60], "domain" in str(error)
    return "given", False


def far_covariate(_: float) -> Answer:
    d = noise(5)
    near = apa.lmm("y ~ x + (1 + x | subject)", d)
    far = [apa.lmm("y ~ x + (1 + x | subject)", d.assign(x=d["x"] + o)) for o in (2000.0, 1e5)]
    gap = [abs(f.info["loglik"] - near.info["loglik"]) for f in far]
    return numbers(gap), max(gap) < 1e-6


def polynomial(_: float) -> Answer:
    means = apa.emmeans(apa.lmm("score ~ model + (1 | subject)", small()), "model")
    a, b = (means.contrast(name).table["estimate"] for name in ("poly", "polynomial"))
    return numbers(a), bool(np.allclose(a, b))


def ragged(_: float) -> Answer:
    d = small()
    late = d[d["model"] != "d"]
    late = late.assign(score=np.random.default_rng(8).normal(size=len(late)))
    d = pd.concat([d.assign(stream="early"), late.assign(stream="late")])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = apa.lmm("score ~ model * stream + (1 | subject)", d)
        means = apa.emmeans(fit, ["model", "stream"]).table
    empty = int(means["estimate"].isna().sum())
    return (
        f"{empty} of {len(means)} cells not estimable, {len(said)} warning(s)",
        empty == 1 and len(said) > 0,
    )


def copies(_: float) -> Answer:
    d = pd.concat([small(), small()])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        once, twice = (apa.lmm("score ~ model + (1 | subject)", x).table for x in (small(), d))
    word = refused(lambda: apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", d))
    same = np.allclose(once["estimate"], twice["estimate"], rtol=1e-8)
    return f"{len(said)} warning(s), {word}", bool(same and said and word == "DataError")


def predictions(_: float) -> Answer:
    fit = apa.lmm("score ~ model + (1 | subject)", small())
    new = pd.DataFrame({"model": ["a"], "subject": ["s99"]})
    found = fit.predict(new, interval="prediction")
    return str(list(found.columns)), bool(found.notna().all().all())


def names_of_r(_: float) -> Answer:
    means = apa.emmeans(apa.lmm("score ~ model + (1 | subject)", small()), "model")
    n = [len(means.contrast(name).table) for name in ("eff", "consec", "dunnett", "del.eff")]
    return str(n), n == [4, 3, 3, 4]


def influence(_: float) -> Answer:
    found = apa.lmm("score ~ model + (1 | subject)", small()).influence("subject")
    return f"{found.table['subject'].nunique()} subjects left out", "cooks_distance" in found.table


def syntax(_: float) -> Answer:
    d = small().assign(x=np.tile(np.arange(4.0), 8), level=0.1).rename(columns={"model": "a model"})
    formulas = [
        "score ~ I(x ** 2) + (1 | subject)", "score ~ bs(x, df=3) + (1 | subject)",
        "score ~ ns(x, df=2) + (1 | subject)",
        "score ~ x + offset(level) + (1 | subject)", "score ~ `a model` + (1 | subject)",
    ]  # fmt: skip
    found = [refused(lambda f=f: apa.lmm(f, d)) for f in formulas]
    return " ".join(found), set(found) == {"given"}


def means_by(_: float) -> Answer:
    rng = np.random.default_rng(3)
    block = dict(zip("ABCDEF", 8 * rng.normal(size=6), strict=True))
    rows = [
        (b, v, dose, 100 + 20 * dose + 3 * i + block[b] + 4 * rng.normal())
        for b in block
        for i, v in enumerate(("Golden", "Marvellous", "VGGT-1B"))
        for dose in (0.0, 0.1 + 0.2, 0.6)
    ]
    d = pd.DataFrame(rows, columns=["Block", "Variety", "nitro", "yields"])
    d["dose"] = "n" + d["nitro"].round(1).astype(str)
    both, line = (apa.lmm(f"yields ~ {x} + (1 | Block)", d) for x in ("dose * Variety", "nitro"))
    by = apa.emmeans(both, "dose", by="Variety")
    axes = by.plot()
    ticks = [t.get_text() for t in axes.get_yticklabels()]
    pairs = apa.emmeans(both, "Variety").contrast("pairwise")
    at = apa.emmeans(line, "nitro", at={"nitro": [0.0, 0.1 + 0.2]})
    labels = [t.get_text() for t in at.plot().get_yticklabels()]
    holds = (
        len(set(ticks)) == len(ticks) == 9,
        axes.get_xlabel() == "marginal mean (of yields)",
        pairs.plot().get_xlabel() == "difference in yields",
        line.plot().get_xlabel() == "coefficient (of yields)",
        "Golden - (VGGT-1B)" in pairs.text(),
        labels == ["0", "0.3"],
        "nitro = 0.3 was" in at.text(),
        "the values of nitro" in at.text(),
        all(w in line.text() for w in ("Standard deviations of the random", "ICC =", "R² =")),
    )
    return f"{len(set(ticks))} ticks differ; {axes.get_xlabel()}; {labels}", all(holds)


FINDINGS = [
    Finding("statistics D1", "df of scores x 1, 1/1000, 100,000", "8.76 21, 28 28, 8.80 4e35", units),
    Finding("statistics D2", "p of decimal scores in four units; exact .078125", ".078 .047 .109 .078", decimals),
    Finding("statistics D3", "one network under two names: members of its set", "0, and one", own_set),
    Finding("statistics D4", "quade of constants, of ties; friedman F of full agreement", "1.3e-07, .0046, 0", quade),
    Finding("statistics D5", "bootstrap interval of constants", "-inf to -inf", constants),
    Finding("statistics D6", "permutation interval against its p", "inside the margin, p .070", flips),
    Finding("statistics D6", "coverage of its 90 % interval, n 5, 8, 10", ".756 .825 .864", flip_coverage),
    Finding("statistics D7", "constants where a spread is divided by", "ZeroDivisionError", no_crash),
    Finding("statistics D8", "interval of a rank effect of separated samples", "of width 0", separated),
    Finding("statistics D9", "percentile interval on a log, replicates below 0", "0 to 3.2", undefined),
    Finding("statistics D10", "draws at -1 and 1, region of .1", "different", two_modes),
    Finding("statistics D11", "partial eta squared of F(5, 2) = 3 and its interval", ".882, 0 to .878", squares),
    Finding("statistics D12", "names with ' - '", "one label twice", labels),
    Finding("statistics D12", "options and values that do not apply", "taken, or a raw TypeError", options),
    Finding("statistics D12", "power of n = 200, difference 5", "1.000000000000065", power_at_most_one),
    Finding("statistics D12", "mean ranks of tied models", "1 2 3", tied_ranks),
    Finding("mixed D2", "a saddle on the boundary: logLik, SE, df, p", "-88.2357 .0537 12.1 .607", saddle),
    Finding("mixed D4", "a grouping called C: F", "FactorEvaluationError", column_called_c),
    Finding("mixed D6", "random parts that are not nested", "chi2 = 0, p = 1", not_nested),
    Finding("mixed D7", "log of 0", "'fitted exactly'", log_of_zero),
    Finding(
        "mixed D8", "covariate at 2000, at 100,000: loss of log likelihood",
        "1e-4, ConvergenceError", far_covariate,
    ),
    Finding("mixed D9", "one F, two verbs: see D11", "two intervals", squares),
    Finding("mixed D10", "contrast('polynomial')", "refused", polynomial),
    Finding(
        "mixed D11", "labels of means by a factor, axes, sentences of a number",
        "each label three times, 'score', 0.30000000000000004", means_by,
    ),
    Finding("mixed gap 1", "prediction interval for a new subject", "none", predictions),
    Finding("mixed gap 2", "a model without one stream", "refused", ragged),
    Finding("sibling", "a table that holds every row twice", "ZeroDivisionError; intercept .834 for .060", copies),
    Finding("mixed gap 4", "fits without each subject", "none", influence),
    Finding("mixed gap 5", "contrasts by their names in R: eff, consec, dunnett, del.eff", "refused", names_of_r),
    Finding("mixed gap 6", "I(), bs(), ns(), offset(), backquotes", "refused", syntax),
]  # fmt: skip
