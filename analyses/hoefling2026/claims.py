"""Claims of the paper, judged by ``apastats.claims``: ``python claims.py DIR [OUT]``.

DIR holds published score sheets (``benchmark/``, ``intersubject/``, ``pairwise/``), or ``bmd_leave_one_out`` and
``bmd_model_scores``. Claims that the data cannot speak to are listed with the data that would.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import apastats as apa
from apastats.io.bmd import BMD_ROIS

sys.path.insert(0, str(Path(__file__).parent))
from shared import share_in_common

from paper import published

SHARE = 0.1  # margin: this share of the ceiling of the ROI is the smallest difference that matters
Z_MARGIN = 0.1  # margin on Fisher z of agreement
MANY_RESAMPLES = (
    9999  # where there are more than ten models; all resamples of ten subjects otherwise
)
PAIRS = "scores in which single people predict single people (the folder pairwise/)"
SHEETS = "scores of linear predictivity, and pairs of people (the published score sheets)"


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


def family(model: str) -> str:
    return str(model).split("/", 1)[0]


def t_rows(values: dict[str, np.ndarray], level: float = 0.95) -> pd.DataFrame:
    """Means with t intervals, a row per ROI."""
    rows = []
    for roi, d in values.items():
        d = d[np.isfinite(d)]
        low, high = stats.t.interval(level, len(d) - 1, d.mean(), stats.sem(d))
        rows.append({"roi": roi, "estimate": d.mean(), "std_error": stats.sem(d), "conf_low": low,
                     "conf_high": high, "conf_level": level, "n_subject": len(d)})  # fmt: skip
    return pd.DataFrame(rows)


def best_against_people(best: apa.ScoreTable, table: apa.ScoreTable) -> pd.DataFrame:
    """Linear predictivity of the best model less the single-subject reference, per ROI."""
    scores = best.where(metric="linear_predictivity")
    ceiling = apa.noise_ceiling(
        table.where(metric="linear_predictivity"), kind="subject_to_subject"
    ).per_subject()
    reference = ceiling.pivot(index="subject", columns="roi", values="value")
    wide = scores.frame.pivot_table(index="subject", columns=["roi", "model"], values="score")
    found = {}
    for roi in reference.columns:
        # the model is chosen on the other subjects, so that choosing it does not flatter it
        top = {s: wide[roi].drop(index=s).mean().idxmax() for s in wide.index}
        found[roi] = np.array(
            [wide.loc[s, (roi, m)] - reference.loc[s, roi] for s, m in top.items()]
        )
    return t_rows(found)


# the brain's agreement that a model's is compared with
AGAINST = {
    "released": "released",
    "matched": "matched",
    "leave_one_out": "leave one out",
    "shared_1": "lowered by what shared predictors add where people predict otherwise than they are predicted",
    "shared_2": "lowered by what shared predictors add where people predict as they are predicted",
}


def gaps_to_brain(
    patterns: apa.AlignmentPatterns, best: apa.ScoreTable, reference: str, n_resamples: int | None
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Agreement of every model less the brain's; and with the brain's lowered by what shared predictors add.

    The second are two frames, for the two assumptions of ``shared.py``, where brain rows are leave-one-out rows.
    """
    size: int | str = n_resamples or ("auto" if len(best.levels("model")) <= 10 else MANY_RESAMPLES)
    boot = apa.agreement_bootstrap(
        patterns, selection=best, reference=reference, n_resamples=size, rng=1
    ).table
    gaps = boot[boot["term"] == "difference"]
    if "leave_one_out" not in set(boot["kind"]):
        return gaps, []
    brain = boot[(boot["term"] == "agreement") & (boot["model"] == "brain")].set_index("roi")
    table = apa.pattern_reliability(patterns).table
    single = table[table["term"] == "single"].set_index("roi")["estimate"]
    n = int(table["n_subject"].iloc[0])
    lowered = []
    for same in (0.0, 1.0):
        kept = pd.Series(share_in_common(single.to_numpy(), n, same=same), single.index)
        lost = (brain["estimate"] * (1 - kept)).reindex(gaps["roi"].to_numpy()).to_numpy()
        limits = ["estimate", "conf_low", "conf_high", "joint_low", "joint_high"]
        lowered.append(gaps.assign(**{c: gaps[c].to_numpy() + lost for c in limits}))
    return gaps, lowered


def leads(best: apa.ScoreTable, agreement: apa.ScoreTable) -> pd.DataFrame:
    """Lead on agreement of the winner by agreement over the winner by score, in the ROIs where they differ.

    Limits hold for all ordered pairs of models and ROIs together (Bonferroni), as both winners were picked.
    """
    score = best.block("score ~ model | roi")
    own, person = (agreement.block(f"{o} ~ model | roi") for o in ("agreement", "agreement_person"))
    order = [list(own.groups["model"]).index(m) for m in score.groups["model"]]
    cells = [list(own.cells["roi"]).index(r) for r in score.cells["roi"]]
    b, by_person = (v.values[:, order][:, :, cells] for v in (own, person))
    first = np.nanmean(score.values, axis=0).argmax(axis=0)
    second = np.nanmean(b, axis=0).argmax(axis=0)
    names = [str(r) for r in score.cells["roi"]]
    n_model = b.shape[1]
    level = 1 - 0.05 / (n_model * (n_model - 1) * len(names) / 2)
    made = {
        roi: by_person[:, second[r], r] - by_person[:, first[r], r]
        for r, roi in enumerate(names)
        if first[r] != second[r]
    }
    return t_rows(made, level).assign(n_roi=len(names))


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


def left_over_half(counts: pd.DataFrame) -> pd.DataFrame:
    """Candidates by both criteria less half of those by score, with limits from those of the two numbers."""
    wide = counts.pivot(index="roi", columns="criterion")
    both, score = (
        {k: wide[k][c] for k in ("estimate", "conf_low", "conf_high")} for c in ("both", "score")
    )
    frame = pd.DataFrame({
        "estimate": both["estimate"] - score["estimate"] / 2,
        "conf_low": both["conf_low"] - score["conf_high"] / 2,
        "conf_high": both["conf_high"] - score["conf_low"] / 2,
    })  # fmt: skip
    return frame.reset_index()


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


def evidence(
    table: apa.ScoreTable, n_resamples: int | None = None
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Results that the claims are asked of, and the tables of the published rules."""
    kinds = table.levels("kind")
    pairs = "subject_to_subject" in kinds
    parts = published(table, reference="released" if pairs else "leave_one_out")
    best = parts["selected"]
    rsa = best.where(metric="rsa")
    shown = table.where(metric="rsa", split=best.levels("split"))
    patterns = apa.alignment_patterns(shown)
    every = apa.selected_rows(apa.pattern_agreement(patterns, reference="leave_one_out"), rsa)
    models = every.with_frame(every.frame[every.frame["kind"] == "model"])
    found: dict[str, Any] = {
        "reliability": apa.pattern_reliability(patterns),
        "identification": apa.pattern_identification(patterns, n_resamples=9999, rng=1),
        "leads": leads(rsa, models),
    }
    tables = {"published_rule": parts["table"], "agreements": both_agreements(table, best)}
    mine = [m for m in rsa.levels("model") if family(m) == "v_jepa"]
    if mine and len(mine) < len(rsa.levels("model")):
        means = rsa.frame.groupby("model", observed=True)["score"].mean()
        first = str(means[mine].idxmax())
        options = {"within": "roi", "reference": first}
        for name, formula, data in (
            ("vjepa_score", "score ~ model", rsa),
            ("vjepa_agreement", "agreement_person ~ model", models),
        ):
            pairs_of_models = apa.compare(formula, data, **options).table
            found[name] = pairs_of_models[~pairs_of_models["model"].isin(mine)]
    if pairs and "linear_predictivity" in best.levels("metric"):
        found["linear_predictivity"] = best_against_people(best, table)
    for reference in ("released", "matched") if pairs else ("leave_one_out",):
        found[f"gaps_{reference}"], lowered = gaps_to_brain(patterns, rsa, reference, n_resamples)
        for k, frame in enumerate(lowered, start=1):
            found[f"gaps_shared_{k}"] = frame
    counts = strict_counts(best, every, table)
    if counts is not None:
        found["counts"], found["left_over_half"] = counts, left_over_half(counts)
        tables["strict_counts"] = counts
    if pairs or "leave_one_out" in kinds:
        kind = "subject_to_subject" if pairs else "leave_one_out"
        margins = {
            "score": apa.margin(SHARE, of=apa.noise_ceiling(shown, kind=kind)),
            "agreement": Z_MARGIN,
        }
        found["brain_test"] = apa.brain_test(
            shown, margin=margins, outcome="both", over="all", selection=rsa
        )
        tables["brain_test"] = found["brain_test"].table
    if pairs:
        # the published main figures divide each score by the same-ROI score of single other subjects
        tables["published_rule_normalised"] = published(table, outcome="score_norm_lower")["table"]
    return found, tables


def stated(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims of the paper, by their numbers, as tests of the results at hand."""
    text = {
        "2": "Many models are equivalent to the best one in most ROIs",
        "3": "The V-JEPA 2 family has the highest overall pointwise alignment (RSA)",
        "4": "Linear predictivity is saturated: best models reach the single-subject reference in almost all ROIs",
        "5": "Brain alignment patterns are stable across subjects and distinct between ROIs",
        "6": "No model's agreement reaches the brain's in any ROI",
        "7a": "The best model by score is often (a quarter of ROIs) not the best by agreement",
        "7b": "V-JEPA 2 has low agreement: some other network agrees better over ROIs",
        "8": "The double criterion shrinks the candidate set by half or more in most ROIs",
        "9": "Connectivity matches brain patterns above random graphs in V1, V2, V3, V3B, V7 and IPS1",
    }
    six = [{"result": name, "says": "below", "value": 0,
            "estimand": f"agreement less the brain's, {AGAINST[name.removeprefix('gaps_')]}"}
           for name in found if name.startswith("gaps_")]  # fmt: skip
    n_lead = len(found["leads"])
    n_roi = int(found["leads"]["n_roi"].iloc[0]) if n_lead else 1
    tests: dict[str, list[dict[str, Any]]] = {
        "2": [{"result": "counts", "where": {"criterion": "score"}, "says": "above", "value": 1.5, "rows": "most",
               "together": True, "estimand": "models within 10 % of the ceiling of the best"}],
        "3": [{"result": "vjepa_score", "says": "below", "value": 0, "needs": _more(found, "vjepa_score", "V-JEPA 2"),
               "estimand": "mean score over ROIs less that of V-JEPA 2"}],
        "4": [{"result": "linear_predictivity", "says": "above", "value": 0, "rows": 0.9,
               "needs": _more(found, "linear_predictivity", SHEETS), "estimand": "R2 of the best less a person's"}],
        "5": [
            {"result": "reliability", "where": {"term": "single"}, "says": "above", "value": 0.5, "rows": "most",
             "estimand": "correlation of two people's patterns"},
            {"result": "reliability", "where": {"term": "distinctness"}, "says": "above", "value": 0, "rows": 0.9,
             "estimand": "within less between ROIs"},
            {"result": "identification", "where": {"roi": "all"}, "says": "p", "value": 0.05,
             "estimand": "share of patterns identified"},
        ],
        "6": six or [{"result": "gaps", "needs": "brain rows"}],
        "7a": [{"result": "leads", "says": "above", "value": 0, "rows": min(0.25 * n_roi / max(n_lead, 1), 0.99),
                "together": True, "estimand": "lead on agreement over the winner by score, where they differ"}],
        "7b": [{"result": "vjepa_agreement", "says": "above", "value": 0, "rows": "any",
                "needs": _more(found, "vjepa_agreement", "V-JEPA 2"),
                "estimand": "mean agreement over ROIs less that of V-JEPA 2"}],
        "8": [{"result": "left_over_half", "says": "below", "value": 0, "rows": "most", "together": True,
               "estimand": "candidates by both criteria less half of those by score"}],
        "9": [{"result": "connectivity", "needs": "connectivity matrices of people"}],
    }  # fmt: skip
    made = [{"name": k, "statement": text[k], "tests": tests[k]} for k in text]
    return made + _brains(found)


def _more(found: dict[str, Any], result: str, needs: str) -> str:
    """What a claim waits for where its result is not there; nothing where it is."""
    return "" if result in found else needs


def _brains(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Not claims of the paper: could each network be another brain?"""
    if "brain_test" not in found:
        return []
    table = found["brain_test"].table
    pairs = not (table["like_a_person"] == "cannot be asked").all()
    out = []
    for model, part in table.groupby("model", sort=False):
        margin = part.set_index("outcome")["bound_low"]
        tests: list[dict[str, Any]] = [
            {"result": "brain_test", "where": {"model": model, "outcome": o}, "says": "above",
             "value": float(margin[o]), "estimand": f"{o} less that of {'a person' if pairs else 'the mean of others'}"}
            for o in margin.index
        ]  # fmt: skip
        if not pairs:
            tests.append({"result": "pairs", "needs": PAIRS, "estimand": "a person like any other"})
        statement = f"{model} could be another brain: as good as a person on score and agreement"
        out.append({"name": f"10 {model}", "statement": statement, "tests": tests})
    return out


def by_published_rule(tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    """What the published rules say, by claim."""
    rule = tables["published_rule"]
    rule = rule[rule["metric"] == "rsa"]
    count = rule.groupby("roi")[["equivalent_score", "aligned"]].sum()
    halved = int((count["aligned"] <= count["equivalent_score"] / 2).sum())
    first = {k: rule[rule[f"best_{k}"]].set_index("roi")["model"] for k in ("score", "aps")}
    other = int((first["score"] != first["aps"].reindex(first["score"].index)).sum())
    top = rule.groupby("model")["mean_score"].mean().idxmax()
    n = len(count)
    mean = count.mean()
    return {
        "2": f"{mean['equivalent_score']:.1f} models per ROI reach the interval of the best",
        "3": f"highest mean score: {top}",
        "7a": f"another model wins on agreement in {other} of {n} ROIs",
        "8": f"from {mean['equivalent_score']:.1f} to {mean['aligned']:.1f} models per ROI, halved in {halved} of {n}",
    }


def summary(found: Any, tables: dict[str, pd.DataFrame]) -> str:
    """The paper's argument as a reviewer sums it up, and the table of claims."""
    v = found.verdicts()
    rule = by_published_rule(tables)
    paper = v[~v["claim"].str.startswith("10 ")]
    groups = paper.groupby("verdict", sort=False)["claim"].agg(", ".join)
    opening = "; ".join(f"{word}: {names}" for word, names in groups.items())
    brains = v[v["claim"].str.startswith("10 ")]
    lines = ["# Claims of the paper, and what these data say", "", f"By verdict, {opening}."]
    if len(brains):
        counts = brains["verdict"].value_counts()
        told = ", ".join(f"{k} for {n}" for k, n in counts.items())
        lines += [f"That a network could be another brain is {told} of {len(brains)} networks."]
    lines += ["", "| claim | statement | published rule | verdict | what the intervals say | what would decide it |",
              "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for row in v.itertuples():
        cells = (
            row.claim,
            row.statement,
            rule.get(row.claim, ""),
            f"**{row.verdict}**",
            row.reading,
            row.decides,
        )
        lines.append("| " + " | ".join(str(c).replace("|", "/") for c in cells) + " |")
    return "\n".join([*lines, ""])


def verdicts(
    table: apa.ScoreTable, n_resamples: int | None = None
) -> tuple[Any, dict[str, pd.DataFrame]]:
    """All claims judged, and the tables behind them."""
    found, tables = evidence(table, n_resamples)
    return apa.claims(stated(found), found), tables


def main(folder: Path, out: Path, n_resamples: int | None = None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", apa.errors.ApaWarning)
        found, tables = verdicts(read(folder), n_resamples)
    out.mkdir(parents=True, exist_ok=True)
    found.table.to_csv(out / "claims.csv", index=False)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)
    text = summary(found, tables)
    (out / "claims.md").write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "claims_out"))
