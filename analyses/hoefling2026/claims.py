"""Claims of the paper as computed verdicts: ``python claims.py DIR [OUT]``.

DIR holds published score sheets (``benchmark/``, ``intersubject/``, ``pairwise/``), or ``bmd_leave_one_out`` and
``bmd_model_scores``. Claims that the data cannot speak to are listed with the reason.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import apastats as apa
from apastats.io.bmd import BMD_ROIS

sys.path.insert(0, str(Path(__file__).parent))
from paper import published
from shared import share_in_common

SHARE = 0.1  # margin: this share of the ceiling of the ROI is the smallest difference that matters
Z_MARGIN = 0.1  # margin on Fisher z of agreement
MANY_RESAMPLES = (
    9999  # where there are more than ten models; all resamples of ten subjects otherwise
)
SUPPORTED, REFUTED, OPEN, MUTE = "supported", "contradicted", "undecided", "not testable here"


def read(folder: Path) -> apa.ScoreTable:
    """Score sheets, or the tidy tables of the same study."""
    if not (folder / "bmd_leave_one_out").is_dir():
        return apa.read(folder, rois=list(BMD_ROIS))
    brain = apa.read(
        folder / "bmd_leave_one_out" / "scores_rsa_test.csv",
        rename={"predictor_roi": "layer"},
        defaults={"kind": "leave_one_out", "model": "others", "metric": "rsa"},
        rois=list(BMD_ROIS),
    )
    models = apa.read(
        folder / "bmd_model_scores",
        defaults={"kind": "model", "metric": "rsa"},
        rois=list(BMD_ROIS),
    )
    return apa.concat(brain, models)


def claim(
    number: int, statement: str, verdict: str, reading: str, **numbers: object
) -> dict[str, object]:
    return {
        "claim": number,
        "statement": statement,
        "verdict": verdict,
        "reading": reading,
        **numbers,
    }


def family(model: str) -> str:
    return model.split("/", 1)[0]


def mean_over_rois(table: apa.ScoreTable, outcome: str) -> pd.DataFrame:
    """``[subject, model]``: mean over the ROIs."""
    return table.frame.pivot_table(index="subject", columns="model", values=outcome, aggfunc="mean")


def many_equivalent(parts: dict, strict: pd.DataFrame | None) -> dict[str, object]:
    """2: many models are equivalent to the best in most ROIs."""
    text = "Many models are equivalent to the best one in most ROIs"
    paper = parts["table"].groupby("roi")["equivalent_score"].sum()
    if strict is None:
        return claim(2, text, MUTE, "no ceiling to take a margin from")
    ours = strict[strict["criterion"] == "score"]
    normalised = ""
    if "published_rule_normalised" in parts:
        share = parts["published_rule_normalised"].groupby("roi")["equivalent_score"].sum()
        normalised = f"; {share.mean():.1f} on scores over the single-subject reference"
    several = int((ours["conf_low"] >= 2).sum())
    few = int((ours["conf_high"] <= 1).sum())
    n = len(ours)
    verdict = SUPPORTED if several > n / 2 else (REFUTED if few >= n / 2 else OPEN)
    reading = (
        f"published rule: {paper.mean():.1f} models per ROI on average (from {paper.min()} to {paper.max()}"
        f"{normalised}); "
        f"shown to be within {SHARE:.0%} of the ceiling of the best: at least {ours['conf_low'].mean():.1f}, at most "
        f"{ours['conf_high'].mean():.1f} on average; two or more shown in {several} of {n} ROIs"
    )
    return claim(2, text, verdict, reading, estimate=ours["estimate"].mean(), conf_low=ours["conf_low"].mean(),
                 conf_high=ours["conf_high"].mean())  # fmt: skip


def vjepa_first(best: apa.ScoreTable) -> dict[str, object]:
    """3: the V-JEPA 2 family has the highest pointwise alignment overall."""
    text = "The V-JEPA 2 family has the highest overall pointwise alignment (RSA)"
    means = mean_over_rois(best.where(metric="rsa"), "score")
    mine = [m for m in means.columns if family(m) == "v_jepa"]
    if not mine or len(mine) == means.shape[1]:
        return claim(3, text, MUTE, "no V-JEPA model, or no other, among the models")
    order = means.mean().sort_values(ascending=False)
    first, other = (order[order.index.isin(mine) == flag].index[0] for flag in (True, False))
    return paired(
        3, text, means[first] - means[other], f"{first} less {other}, mean score over ROIs"
    )


def paired(number: int, text: str, difference: pd.Series, what: str) -> dict[str, object]:
    """Verdict on a mean difference above zero: exact sign flips and a t interval."""
    d = difference.dropna().to_numpy()
    low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
    verdict = SUPPORTED if low > 0 else (REFUTED if high < 0 else OPEN)
    flips = 1 - 2 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
    p = float(np.mean(flips @ d >= d.sum() - 1e-12))
    reading = f"{what}: {d.mean():.4f} [{low:.4f}, {high:.4f}], {int((d > 0).sum())} of {len(d)} subjects, p = {p:.4f}"
    return claim(
        number, text, verdict, reading, estimate=d.mean(), conf_low=low, conf_high=high, p_value=p
    )


def lp_saturated(best: apa.ScoreTable, table: apa.ScoreTable) -> dict[str, object]:
    """4: for linear predictivity the best models reach the single-subject reference."""
    text = "Linear predictivity is saturated: best models reach the pairwise brain reference in almost all ROIs"
    if "linear_predictivity" not in best.levels(
        "metric"
    ) or "subject_to_subject" not in table.levels("kind"):
        return claim(4, text, MUTE, "no linear predictivity, or no pairs of subjects")
    scores = best.where(metric="linear_predictivity")
    ceiling = apa.noise_ceiling(
        table.where(metric="linear_predictivity"), kind="subject_to_subject"
    ).per_subject()
    reference = ceiling.pivot(index="subject", columns="roi", values="value")
    wide = scores.frame.pivot_table(index="subject", columns=["roi", "model"], values="score")
    reached = short = 0
    rois = list(reference.columns)
    for roi in rois:
        # the model is chosen on the other subjects, so that choosing it does not flatter it
        d = []
        for s in wide.index:
            top = wide[roi].drop(index=s).mean().idxmax()
            d.append(wide.loc[s, (roi, top)] - reference.loc[s, roi])
        t = stats.ttest_1samp(d, 0)
        reached += bool(t.statistic > 0 and t.pvalue / 2 * len(rois) <= 0.05)
        short += bool(t.statistic < 0 and t.pvalue / 2 * len(rois) <= 0.05)
    n = len(rois)
    verdict = SUPPORTED if reached >= 0.9 * n else (REFUTED if short > 0.1 * n else OPEN)
    reading = f"best model shown above the reference in {reached}, below it in {short} of {n} ROIs (Bonferroni)"
    return claim(4, text, verdict, reading, estimate=reached, conf_low=reached, conf_high=n - short)


def stable_and_distinct(patterns: apa.AlignmentPatterns) -> dict[str, object]:
    """5: brain patterns are stable across subjects and distinct between ROIs."""
    text = "Brain alignment patterns are stable across subjects and distinct between ROIs"
    reliability = apa.pattern_reliability(patterns)
    single = reliability.table[reliability.table["term"] == "single"]
    distinct = reliability.table[reliability.table["term"] == "distinctness"]
    found = apa.pattern_identification(patterns, n_resamples=9999, rng=1).table.iloc[0]
    shown = int((distinct["conf_low"] > 0).sum())
    stable = int((single["conf_low"] > 0.5).sum())
    n = len(distinct)
    both = shown > 0.9 * n and stable > 0.5 * n and found["p_value"] < 0.05
    verdict = SUPPORTED if both else (REFUTED if found["p_value"] > 0.5 else OPEN)
    sharing = ""
    if reliability.notes:
        r, n_subject = single["estimate"].to_numpy(), int(single["n_subject"].iloc[0])
        low, high = (np.mean(r * share_in_common(r, n_subject, same=same)) for same in (1.0, 0.0))
        sharing = f", {low:.2f} to {high:.2f} on average without what shared predictors may add"
    reading = (
        f"correlation of two subjects' patterns {single['estimate'].mean():.2f} on average "
        f"({single['estimate'].min():.2f} to {single['estimate'].max():.2f}){sharing}, above .5 with its interval in "
        f"{stable} of {n} ROIs; more alike within than between ROIs in {shown} of {n}; ROI identified in "
        f"{found['estimate']:.0%} (chance {found['chance']:.0%}), p = {found['p_value']:.4f}"
        + "".join(f". {note}" for note in reliability.notes)
    )
    return claim(5, text, verdict, reading, estimate=found["estimate"], p_value=found["p_value"])


def none_reaches(
    patterns: apa.AlignmentPatterns, best: apa.ScoreTable, reference: str, n_resamples: int | None
) -> dict[str, object]:
    """6: no model's agreement reaches the brain's in any ROI."""
    text = f"No model's agreement reaches the brain's in any ROI ({reference} reference)"
    size: int | str = n_resamples or ("auto" if len(best.levels("model")) <= 10 else MANY_RESAMPLES)
    boot = apa.agreement_bootstrap(
        patterns, selection=best, reference=reference, n_resamples=size, rng=1
    ).table
    gaps = boot[boot["term"] == "difference"]
    # that all are below is an intersection-union claim: each limit at its own level; that some is above is not
    highest = gaps.groupby("roi")["conf_high"].max()
    above = gaps.groupby("roi")["joint_low"].max()
    below, reached = int((highest < 0).sum()), int((above > 0).sum())
    n = len(highest)
    still, note = below, ""
    if "leave_one_out" in set(boot["kind"]):
        # the brain's value has what shared predictors add, the models' have not
        brain = boot[(boot["term"] == "agreement") & (boot["model"] == "brain")]
        lowered = [
            int((highest + lost.reindex(highest.index) < 0).sum())
            for lost in _lost_to_shared(patterns, brain)
        ]
        still = min(lowered)
        note = (
            f"; in {lowered[0]} if the brain's value is lowered by what shared predictors add where people differ as "
            f"much as predictors as they do as targets, in {lowered[1]} if in the very same way"
        )
    verdict = SUPPORTED if still == n else (REFUTED if reached else OPEN)
    top = gaps.loc[gaps["estimate"].idxmax()]
    reading = (
        f"every model shown below the brain in {below} of {n} ROIs (95 % limits){note}; some model above it in "
        f"{reached} (joint 95 % limits), people left out in all their roles; closest: {top['model']} in "
        f"{top['roi']}, {top['estimate']:.3f} [{top['conf_low']:.3f}, {top['conf_high']:.3f}]"
    )
    return claim(6, text, verdict, reading, estimate=top["estimate"], conf_low=top["conf_low"],
                 conf_high=top["conf_high"])  # fmt: skip


def _lost_to_shared(
    patterns: apa.AlignmentPatterns, brain: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """What the brain's agreement per ROI owes to shared predictors, under two assumptions (see ``shared.py``)."""
    table = apa.pattern_reliability(patterns).table
    single = table[table["term"] == "single"].set_index("roi")["estimate"]
    own = brain.set_index("roi")["estimate"]
    n = int(table["n_subject"].iloc[0])
    factors = (share_in_common(single.to_numpy(), n, same=same) for same in (0.0, 1.0))
    first, second = (own * (1 - pd.Series(f, single.index)) for f in factors)
    return first, second


def winners_differ(best: apa.ScoreTable, agreement: apa.ScoreTable) -> dict[str, object]:
    """7: the best model by score is often not the best by agreement."""
    text = "The best model by score is often not the best by agreement"
    score = best.block("score ~ model | roi")
    models = agreement.with_frame(agreement.frame[agreement.frame["kind"] == "model"])
    own = models.block("agreement ~ model | roi")
    shares = models.block("agreement_person ~ model | roi")
    order = [list(own.groups["model"]).index(m) for m in score.groups["model"]]
    cells = [list(own.cells["roi"]).index(r) for r in score.cells["roi"]]
    a, b, by_person = score.values, *(v.values[:, order][:, :, cells] for v in (own, shares))
    counts = np.vstack([np.ones(len(a)), apa_counts(len(a))])
    first, second = (np.nanargmax(weighted(v, counts), axis=1) for v in (a, b))
    share = (first != second).mean(axis=1)
    low, high = np.quantile(share[1:], [0.025, 0.975])
    # a winner counts as shown where it wins on agreement by a paired test against the winner by score
    shown = 0
    for r in range(a.shape[2]):
        i, j = first[0, r], second[0, r]
        if i != j:
            others = b.shape[1] * (b.shape[1] - 1) * a.shape[2]
            test = stats.ttest_rel(by_person[:, j, r], by_person[:, i, r])
            shown += bool(test.pvalue * others / 2 <= 0.05)
    n = a.shape[2]
    verdict = SUPPORTED if shown >= n / 4 else (REFUTED if high < 0.25 else OPEN)
    reading = (
        f"another model wins on agreement in {share[0]:.0%} of {n} ROIs (subject bootstrap {low:.0%} to {high:.0%}); "
        f"its lead on agreement over the winner by score is shown in {shown} (all pairs and ROIs adjusted)"
    )
    return claim(7, text, verdict, reading, estimate=share[0], conf_low=low, conf_high=high)


def vjepa_excluded(agreement: apa.ScoreTable) -> dict[str, object]:
    """7, second half: V-JEPA 2 has low agreement."""
    text = "V-JEPA 2 has low agreement: below the best other model over ROIs"
    means = mean_over_rois(
        agreement.with_frame(agreement.frame[agreement.frame["kind"] == "model"]),
        "agreement_person",  # each person's share: subjects share references
    )
    mine = [m for m in means.columns if family(m) == "v_jepa"]
    if not mine or len(mine) == means.shape[1]:
        return claim(7, text, MUTE, "no V-JEPA model, or no other, among the models")
    order = means.mean().sort_values(ascending=False)
    first, other = (order[order.index.isin(mine) == flag].index[0] for flag in (True, False))
    return paired(
        7, text, means[other] - means[first], f"{other} less {first}, mean agreement over ROIs"
    )


def apa_counts(n: int) -> np.ndarray:
    return np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), 9999).astype(np.float64)


def weighted(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    flat, there = (
        np.where(known, values, 0.0).reshape(len(values), -1),
        known.reshape(len(values), -1),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counts @ flat / (counts @ there)
    return np.where(np.isfinite(mean), mean, -np.inf).reshape(len(counts), *values.shape[1:])


def criterion_shrinks(parts: dict, strict: pd.DataFrame | None) -> dict[str, object]:
    """8: the double criterion shrinks the candidate set sharply in most ROIs."""
    text = "The double criterion shrinks the candidate set sharply (by half or more) in most ROIs"
    f = parts["table"].groupby("roi")[["equivalent_score", "aligned"]].sum()
    halved = int((f["aligned"] <= f["equivalent_score"] / 2).sum())
    published_reading = (
        f"published rule: from {f['equivalent_score'].mean():.1f} to {f['aligned'].mean():.1f} models per ROI, "
        f"halved in {halved} of {len(f)} ROIs"
    )
    if strict is None:
        return claim(8, text, MUTE, published_reading + "; no ceiling to take a margin from")
    wide = strict.pivot(index="roi", columns="criterion")
    possible = wide["conf_high"]["both"] <= wide["conf_low"]["score"] / 2
    impossible = wide["conf_low"]["both"] > wide["conf_high"]["score"] / 2
    n = len(wide)
    verdict = (
        SUPPORTED if possible.sum() > n / 2 else (REFUTED if impossible.sum() > n / 2 else OPEN)
    )
    reading = (
        f"{published_reading}; with margins, shown to be halved in {int(possible.sum())} of {n} ROIs, "
        f"shown not to be in {int(impossible.sum())}"
    )
    return claim(8, text, verdict, reading, estimate=float(possible.sum()), conf_low=float(possible.sum()),
                 conf_high=float(n - impossible.sum()))  # fmt: skip


def strict_counts(
    best: apa.ScoreTable, agreement: apa.ScoreTable, table: apa.ScoreTable
) -> pd.DataFrame | None:
    """Counts of models within the margins, per ROI (RSA)."""
    if len(best.levels("model")) < 2 or "leave_one_out" not in table.levels("kind"):
        return None
    ceiling = apa.noise_ceiling(table.where(metric="rsa", split=best.levels("split")))
    strict = apa.strict_alignment(
        best.where(metric="rsa"),
        agreement.where(metric="rsa"),
        score_bounds=apa.margin(SHARE, of=ceiling),
        agreement_bounds=Z_MARGIN,
    )
    return strict.counts()


def another_brain(
    table: apa.ScoreTable, best: apa.ScoreTable
) -> tuple[list[dict[str, object]], pd.DataFrame | None]:
    """9, not a claim of the paper: could each network be another brain (RSA, over all regions)?"""
    kinds = table.levels("kind")
    pairs = "subject_to_subject" in kinds
    if not pairs and "leave_one_out" not in kinds:
        return [claim(9, "A network could be another brain", MUTE, "no brain rows")], None
    rsa = table.where(metric="rsa", split=best.levels("split"))
    kind = "subject_to_subject" if pairs else "leave_one_out"
    margins = {
        "score": apa.margin(SHARE, of=apa.noise_ceiling(rsa, kind=kind)),
        "agreement": Z_MARGIN,
    }
    found = apa.brain_test(
        rsa, margin=margins, outcome="both", over="all", selection=best.where(metric="rsa")
    )
    who = "a person" if pairs else "the mean of the other people"
    supported = found.claims().set_index("model")["claim"]
    rows = []
    for model, part in found.table.groupby("model", sort=False):
        score = part[part["outcome"] == "score"].iloc[0]
        words = [
            f"{r.outcome}: {r.estimate:.3f} [{r.conf_low:.3f}, {r.conf_high:.3f}] from {who}"
            f", margin {r.bound_low:.3f}, {r.decision}; a person like any other: {r.like_a_person}"
            for r in part.itertuples()
        ]  # fmt: skip
        verdict = SUPPORTED if supported[model].startswith("as a comp") else str(score["decision"])
        reading = f"{'. '.join(words)}. Evidence for a claim: {supported[model]}"
        rows.append(claim(9, f"{model} could be another brain", verdict, reading, estimate=score["estimate"],
                          conf_low=score["conf_low"], conf_high=score["conf_high"]))  # fmt: skip
    return rows, found.table


def both_agreements(table: apa.ScoreTable, best: apa.ScoreTable) -> pd.DataFrame:
    """Mean agreement of each chosen layer and of the brain per ROI, one column per reference."""
    patterns = apa.alignment_patterns(table.where(split=best.levels("split")))
    pairs = "subject_to_subject" in table.levels("kind")
    columns = {}
    for reference in ("released", "leave_one_out", "matched") if pairs else ("leave_one_out",):
        rows = apa.selected_rows(apa.pattern_agreement(patterns, reference=reference), best).frame
        columns[reference] = rows.groupby(["metric", "model", "roi"], sort=False)[
            "agreement"
        ].mean()
    return pd.DataFrame(columns).reset_index()


def verdicts(
    table: apa.ScoreTable, n_resamples: int | None = None
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """All claims, and the tables behind them."""
    pairs = "subject_to_subject" in table.levels("kind")
    parts = published(table, reference="released" if pairs else "leave_one_out")
    best = parts["selected"]
    rsa = best.where(metric="rsa")
    shown = table.where(metric="rsa", split=best.levels("split"))
    rsa_patterns = apa.alignment_patterns(shown)
    ours = apa.selected_rows(apa.pattern_agreement(rsa_patterns, reference="leave_one_out"), rsa)
    strict = strict_counts(best, ours, table)
    tables = {"published_rule": parts["table"], "agreements": both_agreements(table, best)}
    if pairs:
        # the published main figures divide each score by the same-ROI score of single other subjects
        tables["published_rule_normalised"] = published(table, outcome="score_norm_lower")["table"]
    rsa_parts = {name: t[t["metric"] == "rsa"] for name, t in tables.items()}
    rsa_parts["table"] = rsa_parts["published_rule"]
    rows = [
        many_equivalent(rsa_parts, strict),
        vjepa_first(best),
        lp_saturated(best, table),
        stable_and_distinct(rsa_patterns),
        *(
            none_reaches(rsa_patterns, rsa, r, n_resamples)
            for r in (("released", "matched") if pairs else ("leave_one_out",))
        ),
        winners_differ(rsa, ours),
        vjepa_excluded(ours),
        criterion_shrinks(rsa_parts, strict),
    ]
    further, tested = another_brain(table, best)
    rows += further
    if tested is not None:
        tables["brain_test"] = tested
    if strict is not None:
        tables["strict_counts"] = strict
    return pd.DataFrame(rows), tables


def main(folder: Path, out: Path, n_resamples: int | None = None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", apa.errors.ApaWarning)
        found, tables = verdicts(read(folder), n_resamples)
    out.mkdir(parents=True, exist_ok=True)
    found.to_csv(out / "claims.csv", index=False)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)
    lines = ["# Claims and verdicts", ""]
    for row in found.itertuples():
        lines += [f"**{row.claim}. {row.statement}** - {row.verdict}. {row.reading}.", ""]
    (out / "claims.md").write_text("\n".join(lines), "utf-8")
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "claims_out"))
