"""The answer of a report: what each question came to in one sentence, and all of it in one short paragraph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from apastats.reporting import brain_words, leaderboard_words, small_verdicts
from apastats.reporting.markup import name, plain, sym
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import (
    adjusted,
    capital,
    compared_factor,
    counted,
    joined,
    noun_of,
    outcome_of,
    outcome_words,
    quoted,
    term_words,
)
from apastats.reporting.prose import DECISION_WORDS
from apastats.reporting.row_prose import REFERENCE_WORDS
from apastats.reporting.tables import scale_decimals

__all__ = ["ORDER", "answer", "data_of", "verdict"]

LONGEST = 120  # words that a reader takes in at once
Verdict: TypeAlias = Callable[[Any, NumberStyle], str]
WHY = ", as their intervals cross the margin"
WHY_ONE = ", as its interval crosses the margin"
METRICS = {
    "rsa": "representational similarity",
    "linear_predictivity": "linear predictivity",
    "corr": "Pearson correlation",
    "spearman": "Spearman correlation",
    "rho-a": "Spearman's rho-a",
    "tau-a": "Kendall's tau-a",
    "tau-b": "Kendall's tau-b",
    "kendall": "Kendall's tau-b",
    "cosine": "cosine similarity",
    "cosine_cov": "whitened cosine similarity",
    "corr_cov": "whitened Pearson correlation",
    "score": "",
}


def results_of(items: Sequence[Any]) -> list[Any]:
    """Results proper (not score tables)."""
    return [r for r in items if hasattr(r, "table") and hasattr(r, "info")]


def data_of(items: Sequence[Any]) -> dict[str, Any]:
    """Numbers of subjects, models and ROIs, and names of metrics, as far as the items hold scores."""
    for item in items:
        frame = getattr(item, "frame", None)
        if frame is None:
            continue
        models = frame.loc[(frame["kind"] == "model") & (frame["model"] != "brain"), "model"]
        return {
            "subject": frame["subject"].nunique(),
            "model": models.nunique(),
            "rois": [str(r) for r in frame["roi"].unique()],
            "metrics": [str(m) for m in frame["metric"].unique() if m != "score"],
            "noun": item.outcome(item.outcomes[0]).levels,
        }
    return {}


def _best(noun: str) -> str:
    """``the best model``; of parts of the variance none is good or bad."""
    return "the largest part" if noun == "part" else f"the best {noun}"


def _regions(table: pd.DataFrame) -> str:
    """``in each of 19 ROIs``, ``in both ROIs``, ``in V1``."""
    if "roi" not in table.columns:
        return ""
    rois = table["roi"].astype(str).unique()
    if len(rois) < 3:
        return f"in {name(rois[0])}" if len(rois) == 1 else "in both ROIs"
    return f"in each of {len(rois)} ROIs"


def _range(table: pd.DataFrame, style: NumberStyle, *, sizes: bool = False) -> str:
    """``0.02 to 0.11``; as sizes where a word says the direction."""
    d = scale_decimals(table, style)
    gaps = table["estimate"].abs() if sizes else table["estimate"]
    low, high = style.number(gaps.min(), d), style.number(gaps.max(), d)
    return low if low == high else f"{low} to {high}"


def _equivalence(result: Any, style: NumberStyle) -> str:
    table, info = result.table, result.info
    # of thousands of models the table holds some rows, and the counts are of all
    counts = info.get("decisions") or table["decision"].astype(str).value_counts().to_dict()
    n = info.get("tested", len(table))
    inside = counts.get("equivalent", 0) + counts.get("different but inside the margin", 0)
    apart, open_ = counts.get("different", 0), counts.get("undecided", 0)
    what = outcome_of(result) or "outcome"
    of = f"{counted(n, 'comparison')} of {what}"
    if info.reference == "best":
        of += f" with {_best(noun_of(result))}"
        of += " of each ROI" if "roi" in table.columns and table["roi"].nunique() > 1 else ""
    elif info.reference:
        of += " with the brain" if info.reference == "brain" else f" with {quoted(info.reference)}"
    else:
        of += f" {_between(result)}"
    scale = f" {info.outcome.scale}" if info.outcome is not None and info.outcome.scale else ""
    margin = _short_margin(info, scale)
    if n == 1:
        return _one(result, style, margin)
    parts = [f"{inside or 'none'} {'was' if inside < 2 else 'were'} equivalent within {margin}"]
    if apart:
        told = table[table["decision"] == "different"]
        low, high = bool((told["estimate"] < 0).all()), bool((told["estimate"] > 0).all())
        named = bool(info.reference)
        worse = "lower" if named and low else "higher" if named and high else "different"
        if len(told) < apart:
            parts.append(f"{apart} were different")
        else:
            gaps = _range(told, style, sizes=worse != "different")
            parts.append(f"{apart} {'was' if apart == 1 else 'were'} {worse} (by {gaps}{scale})")
    if open_:
        parts.append(f"{open_} stayed undecided{WHY if open_ > 1 else WHY_ONE}")
    claim = ""
    if "claim_shown" in table.columns:
        word = str(info.hypothesis).replace("noninferiority", "non-inferiority").replace("_", " ")
        claim = f"; {word} was shown for {int(table['claim_shown'].sum()) or 'none'}"
    return f"Of {of}, {joined(parts)}{claim}."


# decision on a single comparison -> what it showed
ONE = {
    "equivalent": "showed equivalence within {}",
    "different but inside the margin": "showed a difference, but of less than {}",
    "different": "showed a difference, and no equivalence within {}",
    "undecided": "showed neither a difference nor equivalence within {}",
}


def _one(result: Any, style: NumberStyle, margin: str) -> str:
    """Sentence of a single comparison, with its estimate."""
    row = result.table.iloc[0]
    what = f"{outcome_of(result)} {_between(result)}"
    if "model" not in result.table.columns or not outcome_of(result):
        what = name(row["contrast"]) if "contrast" in row else "the outcome"
    value = style.number(float(row["estimate"]), scale_decimals(result.table, style))
    said = ONE.get(str(row["decision"]), f"was {row['decision']}, with {{}}").replace("{}", margin)
    return f"The comparison of {what} ({value}) {said}."


def _short_margin(info: Any, scale: str = "") -> str:
    return name(info.margin.short(scale).replace("\u00b1", ""))


def _sets(result: Any, style: NumberStyle) -> str:
    table, info = result.table, result.info
    cells = [c for c in info.by if c in table.columns]
    noun = "ROIs" if "level" in table.columns else f"{noun_of(result)}s"
    parts = [p for _, p in table.groupby(cells, sort=False)] if cells else [table]
    sizes = pd.Series([int(p["in_set"].sum()) for p in parts])
    total = max(len(p) for p in parts)
    low, high = int(sizes.min()), int(sizes.max())
    span = (
        str(high or "none") if low == high else f"at most {high}" if not low else f"{low} to {high}"
    )
    where = f"{capital(_regions(table))}, " if _regions(table) else ""
    of, what = f"of the {total} {noun}", outcome_words(result)
    if info.margin:
        verb = "was" if high < 2 else "were"
        close = f"shown to be less than {_short_margin(info)} below the best other {noun[:-1]} by {what}"
        return f"{where}{span} {of} {verb} {close}."
    return f"{where}{span} {of} cannot be excluded from being best by {what}."


def _strict(result: Any, style: NumberStyle) -> str:
    table, info = result.table, result.info
    counts = table["decision"].astype(str).value_counts().to_dict()
    n = counts.get("aligned", 0)
    to = REFERENCE_WORDS[str(info.get("agreement_reference", "best"))]
    of_score = to if info.get("criteria") == "person" else "the best model"
    told = {"not aligned": "failed a criterion", "undecided": "stayed undecided"}
    rest = joined([f"{counts[d]} {told[d]}" for d in told if d in counts])
    both = f"on score (against {of_score}) and on agreement (against {to}) at once"
    of = f"{len(table)} combinations of model and ROI"
    if not n:
        return f"Judged {both}, no model was aligned with {to} in any ROI; of {of}, {rest}."
    tail = f"; {rest}" if rest else ""
    verb = "was" if n == 1 else "were"
    return f"Judged {both}, {n} of {of} {verb} aligned with {to}{tail}."


def _differences(result: Any, style: NumberStyle) -> str:
    table = result.table
    n, shown = len(table), int(table["different"].sum())
    if "tested" in result.info:
        n, shown = result.info["tested"], sum(result.info["decisions"].values())
    what = f"{outcome_of(result) or 'the outcome'} {_between(result)}"
    if n == shown and n > 1:
        all_of = "Both" if n == 2 else f"All {n}"
        return f"{all_of} paired comparisons of {what} showed a difference."
    if n == 1:
        return f"The paired comparison of {what} showed {'a' if shown else 'no'} difference."
    return f"Of {n} paired comparisons of {what}, {shown or 'none'} showed a difference."


def _between(result: Any) -> str:
    """What comparisons were between: ``with the best model``, ``between models``, ``between EVC and IT``."""
    table, info = result.table, result.info
    if info.reference:
        of = {"best": _best(noun_of(result)), "brain": "the brain"}.get(info.reference)
        return f"with {of or quoted(info.reference)}"
    factor, first = (
        compared_factor(info.formula) or "model",
        "level" if "level" in table else "model",
    )
    if factor == "model" or not {first, "reference"} <= set(table.columns):
        return f"between {noun_of(result)}s"
    pairs = table[[first, "reference"]].drop_duplicates().astype(str)
    if len(pairs) == 1:
        return f"between {joined([name(v) for v in pairs.iloc[0]])}"
    return f"between {'ROIs' if factor == 'roi' else f'levels of {name(factor)}'}"


def _contrasts(result: Any, style: NumberStyle) -> str:
    table = result.table
    if "decision" not in table.columns:
        return _unmargined(result, style)
    counts = table["decision"].astype(str).value_counts()
    n = len(table)
    outcome = result.info.outcome
    scale = f" {outcome.scale}" if outcome is not None and outcome.scale else ""
    sizes = f"({_range(table, style)}{scale}; margin \u00b1{_short_margin(result.info, scale)})"
    if len(counts) == 1:
        word = str(counts.index[0])
        said = {"different": "showed a difference"}.get(
            word, f"{'was' if n == 1 else 'were'} {word}"
        )
        which = "The contrast" if n == 1 else f"{'Both' if n == 2 else f'All {n}'} contrasts"
        return f"{which} of marginal means {said} {sizes}."
    known = [d for d in DECISION_WORDS if d in counts.index]
    told = [f"{counts[d]} {'was' if counts[d] == 1 else 'were'} {d}" for d in known]
    return f"Of {n} contrasts of marginal means, {joined(told)} {sizes}."


def _unmargined(result: Any, style: NumberStyle) -> str:
    """How many contrasts of marginal means differ from 0."""
    known = (
        result.table["p_value"].dropna() if "p_value" in result.table else pd.Series(dtype=float)
    )
    if known.empty:
        return ""
    alpha = result.info.alpha or 0.05
    n, shown = len(known), int((known <= alpha).sum())
    word = "adjusted " if adjusted(result.info) else ""
    tail = "" if word else ", not adjusted"
    limit = f"({word}{sym('p')} \u2264 {style.level(alpha)}{tail})"
    return f"Of {counted(n, 'contrast')} of marginal means, {shown or 'none'} showed a difference {limit}."


def _means(result: Any, style: NumberStyle) -> str:
    """Which model is highest in how many ROIs."""
    table = result.table
    if result.info.estimand == "noise ceiling":
        return small_verdicts.ceiling(result, style)
    if "p_below" in table.columns:
        return small_verdicts.under_ceiling(result, style)
    if "model" not in table.columns:
        return ""
    if noun_of(result) == "part":
        what = outcome_words(result)
        return (
            f"Mean {what} ranged from {small_verdicts.ends(table, style, of='model')}."
            if table["estimate"].notna().any()
            else ""
        )
    models = table[(table["model"].astype(str) != "brain") & table["estimate"].notna()]
    if models.empty or models["model"].nunique() < 2:
        return ""
    word = f"Mean {outcome_words(result)}"
    by = [c for c in result.info.by or ("roi", "metric") if c in table.columns]
    if "n_subject" in models.columns:
        groups = models.groupby(by, sort=False)["n_subject"] if by else models["n_subject"]
        if bool(np.any(groups.nunique() > 1)):
            word += ", over the subjects that each model has,"
    cells = [c for c in ("roi", "metric") if c in table.columns and table[c].nunique() > 1]
    if not cells:
        return f"{word} was highest for {name(models.loc[models['estimate'].idxmax(), 'model'])}."
    best = models.loc[models.groupby(cells, sort=False)["estimate"].idxmax()]
    counts = best["model"].astype(str).value_counts()
    noun = (
        "ROIs"
        if cells == ["roi"]
        else "combinations of ROI and metric"
        if len(cells) == 2
        else "metrics"
    )
    if cells == ["roi"] and len(best) <= 3:
        places: dict[str, list[str]] = {}
        for row in best.to_dict(orient="records"):
            places.setdefault(name(row["model"]), []).append(name(row["roi"]))
        told = [f"for {m} in {joined(rois)}" for m, rois in places.items()]
        return f"{word} was highest {joined(told)}."
    first = f"{name(counts.index[0])} ({counts.iloc[0]} of {len(best)} {noun})"
    more = [f"{name(m)} ({k})" for m, k in counts.iloc[1:3].items()]
    return f"{word} was highest most often for {joined([first, *more])}."


def _tests(result: Any, style: NumberStyle) -> str:
    """How many rows a test with p-values showed."""
    table, info = result.table, result.info
    key = "p_value_adjusted" if "p_value_adjusted" in table.columns else "p_value"
    if key not in table.columns or not table[key].notna().any():
        return ""
    alpha = info.alpha or 0.05
    what = SUBJECTS.get(info.estimand, capital(info.estimand or "the effect"))
    than = ABOVE.get(str(info.get("null_kind", "")), "was above chance")
    brain = (
        table["model"].astype(str) == "brain"
        if "model" in table.columns
        else pd.Series(False, index=table.index)
    )
    parts: list[str] = []
    for who, rows in (("models", table[~brain]), ("the brain", table[brain])):
        n, shown = int(rows[key].notna().sum()), int((rows[key] <= alpha).sum())
        if n:
            tail = f" for {who}" if brain.any() else ""
            noun = f" of {counted(n, 'test')}" if not parts else f" of {n}"
            parts.append(f"{shown or 'none'}{noun}{tail}")
    word = "adjusted " if key.endswith("adjusted") else ""
    return f"{what} {than} in {joined(parts)} ({word}{sym('p')} \u2264 {style.level(alpha)})."


def _separation(result: Any, style: NumberStyle) -> str:
    """How many pairs of models are told apart, over the cells."""
    table = result.table
    first = table[table["outcome"] == table["outcome"].iloc[0]] if "outcome" in table else table
    pairs = first[first["term"] == "separated_pairs"]
    if pairs.empty:
        return ""
    models = int(pairs["n_model"].max())
    low, high = int(pairs["estimate"].min()), int(pairs["estimate"].max())
    where = f"{capital(_regions(pairs))}, " if _regions(pairs) else ""
    span = f"{low}" if low == high else f"{low} to {high}"
    what = outcome_of(result) or "the outcome"
    return f"{where}{span} of the {models * (models - 1) // 2} pairs of models were told apart by {what}."


# null of an agreement test -> what was exceeded
ABOVE = {
    "other_roi": "exceeded that with the other ROIs",
    "mean_pattern": "exceeded that with the mean pattern of the other ROIs",
    "models": "exceeded that of the mean null model",
    "random_models": "exceeded that of the null models",
}
SUBJECTS = {
    "second-order correlation": "Second-order similarity",
    "agreement against a null": "Agreement",
    "agreement of a row": "Agreement with the matrix",
    "share of ROIs identified": "Identification",
}


def _margins(result: Any, style: NumberStyle) -> str:
    """Rows are margins tried, not comparisons."""
    keys = [c for c in ("roi", "metric", "contrast") if c in result.table.columns]
    n = len(result.table.drop_duplicates(keys))
    which = "the comparison" if n == 1 else f"each of {n} comparisons"
    return f"Shown is the smallest margin at which {which} would be equivalent; it does not replace the margin stated."


def _claims(result: Any, style: NumberStyle) -> str:
    counts = result.verdicts()["verdict"].value_counts(sort=False)
    told = [
        f"{number} {'was' if number == 1 else 'were'} {said}" for said, number in counts.items()
    ]
    return f"Of {counted(int(counts.sum()), 'claim')} stated, {joined(told)}."


def _corrected(result: Any, style: NumberStyle) -> str:
    """How many agreements were corrected, and their range."""
    table = result.table
    known = table[table["estimate"].notna()]
    if known.empty or "roi" not in table.columns:
        return ""
    return (
        f"Agreement was corrected for reliability in {len(known)} of {len(table)} combinations of model and ROI, where "
        f"it ranged from {_range(known, style)}."
    )


def _all_roles(result: Any, style: NumberStyle) -> str:
    """How many models lie below the brain by the joint limits."""
    table = result.table
    if not {"term", "joint_high"} <= set(table.columns):
        return ""
    gaps = table[table["term"] == "difference"]
    if gaps.empty:
        return ""
    below = int((gaps["joint_high"] < 0).sum())
    return (
        f"With subjects in all their roles, agreement was below the brain's in {below or 'none'} of {len(gaps)} "
        "comparisons by the joint limits."
    )


def _coefficients(result: Any, style: NumberStyle) -> str:
    """How many coefficients besides the intercept are told from 0."""
    table, alpha = result.table, result.info.alpha or 0.05
    rows = table[(table["term"] != "(Intercept)") & table["p_value"].notna()]
    if rows.empty:
        return ""
    n, shown = len(rows), int((rows["p_value"] <= alpha).sum())
    if n == 1:
        p = f"{sym('p')} {chr(0x2264) if shown else '>'} {style.level(alpha)}"
        return (
            f"The coefficient of {name(term_words(rows['term'].iloc[0], result.info.formula))} was "
            + (f"different from 0 ({p})." if shown else f"not shown to differ from 0 ({p}).")
        )
    limit = f"{sym('p')} \u2264 {style.level(alpha)}, not adjusted"
    return (
        f"Besides the intercept, {shown or 'none'} of {n} coefficients differed from 0 ({limit})."
    )


VERDICTS: dict[str, Verdict] = {
    "lmm": _coefficients,
    "disattenuated_agreement": _corrected,
    "agreement_bootstrap": _all_roles,
    "claims": _claims,
    "leaderboard": leaderboard_words.verdict_of,
    "margin_curve": _margins,
    "equivalence": _equivalence,
    "equivalence_set": _sets,
    "strict_alignment": _strict,
    "brain_test": brain_words.verdict_of,
    "discriminability": _separation,
    "pattern_reliability": small_verdicts.reliability,
    "second_order": _tests,
    "comparison": _differences,
    "emmeans_contrasts": _contrasts,
    "noise_ceiling": small_verdicts.ceiling,
    "bootstrap": _means,
    "agreement_test": _tests,
    "pattern_identification": _tests,
    "matrix_agreement": _tests,
    "layer_agreement": small_verdicts.along_layers,
    "agreement_sensitivity": small_verdicts.of_sensitivity,
    "unique_variance": small_verdicts.of_parts,
    "unique_test": small_verdicts.of_tested_parts,
    "normalized": small_verdicts.under_ceiling,
    "rdm_evaluation": small_verdicts.fitted,
    "fitted_evaluation": small_verdicts.fitted,
    "emmeans": small_verdicts.marginal,
    "rank": small_verdicts.of_ranks,
    "map_test": small_verdicts.of_map,
    "rope": small_verdicts.posterior,
}
# the most telling first
ORDER = (
    "claims", "leaderboard", "equivalence", "brain_test", "strict_alignment", "equivalence_set", "comparison",
    "emmeans_contrasts", "agreement_test", "pattern_identification", "matrix_agreement", "agreement_sensitivity",
    "unique_test", "unique_variance", "bootstrap", "noise_ceiling",
)  # fmt: skip


def verdict(result: Any, style: NumberStyle) -> str:
    """What a result came to, in one sentence; nothing where it has none."""
    make = VERDICTS.get(result.kind)
    if make is None or not len(result.table):
        return ""
    return make(result, style)


def _asked(items: Sequence[Any], results: Sequence[Any]) -> str:
    """What was asked, of which data."""
    data = data_of(items)
    if not data:
        n = next((r.info.n_subject for r in results if r.info.n_subject), None)
        return f"Data of {counted(n, 'subject')} were analysed." if n else ""
    questions = _questions(data, results)
    metrics = [METRICS.get(m, m) for m in data["metrics"]]
    measure = f", {joined([name(m) for m in metrics if m])}" if len(metrics) in (1, 2) else ""
    people = counted(data["subject"], "subject")
    return f"We asked {joined(questions)} ({people}{measure})."


def _questions(data: Mapping[str, Any], results: Sequence[Any]) -> list[str]:
    """What was asked, as subordinate clauses."""
    kinds = {r.kind for r in results}
    tested = [r for r in results if r.kind in ("equivalence", "equivalence_set", "comparison")]
    about = [outcome_of(r) for r in tested]
    best = any(r.kind == "equivalence_set" or r.info.reference == "best" for r in tested)
    rois, noun = data["rois"], data["noun"]
    where = f"in {name(rois[0])}" if len(rois) == 1 else f"in {len(rois)} ROIs"
    n_model = max(data["model"], _compared(tested))
    models = counted(n_model, noun) if n_model else f"the {noun}s"
    questions = []
    if "score" in about or best:
        well = f"which of {models} score as well as the best {where}"
        questions.append(well if best else f"how {models} compare {where}")
    if "agreement" in about or "strict_alignment" in kinds:
        subject = "their patterns" if questions else f"the score patterns of {models}"
        tail = "" if questions else f" {where}"
        questions.append(f"whether {subject} over ROIs agree with the brain's{tail}")
    if questions:
        return questions
    if "agreement_sensitivity" in kinds:
        return [f"what is concluded of {models} {where} when one choice of the analysis is changed"]
    if noun == "part":
        return [f"what share of the variance of the brain's data models explain {where}"]
    return [f"how well {_predicting(data['model'])} the brain {where}"]


def _compared(tested: Sequence[Any]) -> int:
    """How many models tests name: those of a study with several tables of scores are more than its first table has."""
    own = [r for r in tested if (compared_factor(r.info.formula) or "model") == "model"]
    of_models = [r.table for r in own if "level" not in r.table and "model" in r.table]
    columns = [(t, c) for t in of_models for c in ("model", "reference") if c in t]
    return len({str(m) for table, c in columns for m in table[c]} - {"brain"})


def _predicting(n_model: int) -> str:
    """``1 model predicts``, ``2 models predict``."""
    who = counted(n_model, "model") if n_model else "the models"
    return f"{who} {'predicts' if n_model == 1 else 'predict'}"


def answer(items: Sequence[Any], style: NumberStyle, truth: Sequence[str] = ()) -> str:
    """At most 120 words: what was asked of which data, the main result of each question, what stays undecided."""
    results = results_of(items)
    told: list[tuple[float, str]] = [(-1, _asked(items, results))]
    told += [(ORDER.index("equivalence") + 0.5, text) for text in truth]
    seen: set[tuple[str, str]] = set()
    asked = [(ORDER.index(r.kind), place, r) for place, r in enumerate(results) if r.kind in ORDER]
    for rank, place, result in sorted(asked, key=lambda found: found[:2]):
        # one verdict for each question: a set repeats what the comparisons with the best have told
        question = (
            "best"
            if result.kind == "equivalence_set" or result.info.reference == "best"
            else f"against {result.info.reference}"
            if result.kind in ("equivalence", "comparison") and result.info.reference
            else "parts"
            if result.kind in ("unique_test", "unique_variance")
            else result.kind
        )
        if (question, outcome_of(result)) in seen:
            continue
        if result.kind == "noise_ceiling" and any(r.info.margin for _, _, r in asked):
            continue  # what is reachable is told where nothing was judged
        text = verdict(result, style)
        if text:
            seen.add((question, outcome_of(result)))
            told.append((rank + place / 1000, text))
    lines: list[str] = []
    left = LONGEST
    for _, text in sorted(told, key=lambda t: t[0]):
        words = len(plain(text).split())
        if lines and any(WHY in line for line in lines):
            text = text.replace(WHY, "").replace(WHY_ONE, "")
            words = len(plain(text).split())
        if text and words <= left:
            lines.append(text)
            left -= words
    return " ".join(lines) or "No results were given."
