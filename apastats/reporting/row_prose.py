"""Rows of patterns, plans and designs as sentences; each names what was measured, of whom, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pandas as pd

from apastats.reporting.markup import name, sym
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import joined, sentence
from apastats.reporting.tables import p_error, scale_decimals
from apastats.rounding import decimals_for
from apastats.words import Info

__all__ = [
    "RowWriter", "analysis", "kept", "mapped", "measured", "planned", "scored", "setting_words", "smallest_margin",
    "strict", "what_is_there",
]  # fmt: skip

Row: TypeAlias = Mapping[str, Any]
# row, table, info, style -> sentence without its full stop
RowWriter: TypeAlias = Callable[[Row, pd.DataFrame, Info, NumberStyle], str]

TERMS = {
    "brain": "mean agreement of the brain",
    "best_model": "highest mean agreement of a model",
    "gap": "mean gap between the brain and the best model",
    "n_roi_below": "number of ROIs where every model is below the brain",
    "n_roi_reached": "number of ROIs where a model reaches the brain",
    "rank_correlation": "rank correlation of the models with the analysis stated",
    "same_winner": "share of ROIs whose best model is the same by score and by agreement",
    "single": "reliability of one subject's pattern",
    "reference": "reliability of the reference pattern",
    "distinctness": "distinctness of the pattern",
    "tied_pairs_equivalent": "share of tied pairs shown to be inside the margin",
    "any_false_equivalence": "share of studies with a false claim of equivalence",
    "worse_pairs_different": "share of unequal pairs shown to differ",
    "mcb_keeps_tied": "share of tied models kept by the comparisons with the best",
    "mcs_keeps_all_tied": "share of studies whose joint set keeps all tied models",
    "mcs_keeps_worse": "share of worse models that the joint set keeps",
}


# estimand -> what a row holds of it, where that is another noun
NOUNS = {
    "": "estimate",
    "estimate": "agreement",
    "agreement against a null": "agreement",
    "agreement of a row": "agreement",
}


def term_name(term: object) -> str:
    """Name of a quantity without the marks of a machine name."""
    return TERMS.get(str(term), str(term).replace("_", " "))


def whose(row: Row, frame: pd.DataFrame) -> str:
    """``model_01 (layer_03)``, or the brain."""
    if "model" not in row:
        return ""
    if str(row["model"]) == "brain":
        return "the brain"
    layer = "layer" in row and frame["layer"].nunique() > 1 and str(row["layer"]) not in ("-", "")
    return name(row["model"]) + (f" ({name(row['layer'])})" if layer else "")


def cell(row: Row, frame: pd.DataFrame) -> str:
    """``In V1 (train)``."""
    rest = [
        name(row[k])
        for k in ("metric", "split", "stream")
        if k in row and frame[k].nunique() > 1 and pd.notna(row[k]) and str(row[k]) not in ("-", "")
    ]
    if "roi" not in row:
        return f"For {joined(rest)}" if rest else ""
    place = "Over all ROIs" if str(row["roi"]) == "all" else f"In {name(row['roi'])}"
    return place + (f" ({', '.join(rest)})" if rest else "")


def led(where: str, text: str) -> str:
    """The sentence with its place in front."""
    return f"{where}, {text}" if where else text[:1].upper() + text[1:]


def _interval(row: Row, info: Info, style: NumberStyle, d: int) -> list[str]:
    low, high, level = info.interval_columns(row)
    at = row.get(level, info.conf_level)
    if low not in row or at is None or pd.isna(row[low]) or pd.isna(row[high]):
        return []
    label = "joint CI" if info.jointly else "CI"
    return [style.interval_text(row[low], row[high], float(at), d, label=label)]


def _p(row: Row, style: NumberStyle) -> list[str]:
    key = "p_value_adjusted" if "p_value_adjusted" in row else "p_value"
    if key not in row or pd.isna(row[key]):
        return []
    text = style.p(row[key], mcse=p_error(row, key))
    return [f"adjusted {text}" if key.endswith("adjusted") else text]


def measured(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """One estimate with what it is to be read against: its interval, test, chance, null or reliabilities."""
    d = scale_decimals(frame, style)
    what = NOUNS.get(info.estimand, info.estimand)
    if "term" in row and frame["term"].nunique() > 1:
        what = term_name(row["term"])
    who = whose(row, frame)
    if pd.isna(row["estimate"]):
        beside = _reliabilities(row, style)
        reason = f" ({', '.join(beside)})" if beside else ""
        return led(
            cell(row, frame), f"the {what}{f' of {who}' if who else ''} is not defined{reason}"
        )
    beside = _interval(row, info, style, d)
    beside += [
        f"{label} {style.number(row[key], 2)}"
        for key, label in (("chance", "chance"), ("null_mean", "expected by chance"))
        if pd.notna(row.get(key))
    ]
    beside += _p(row, style) + _reliabilities(row, style)
    if pd.notna(row.get("place_low")):
        beside.append(
            f"place by the mean score {row['place']:g}, from {row['place_low']:g} to {row['place_high']:g}"
        )
    tail = f" ({', '.join(beside)})" if beside else ""
    value = style.number(row["estimate"], d)
    return led(cell(row, frame), f"the {what}{f' of {who}' if who else ''} was {value}{tail}")


def _reliabilities(row: Row, style: NumberStyle) -> list[str]:
    if "reliability_model" not in row:
        return []
    own, other = (style.number(row[f"reliability_{k}"], 2) for k in ("model", "reference"))
    plain = style.number(row["agreement"], 2)
    return [f"uncorrected {plain}", f"reliability {own} of the model and {other} of the brain"]


# what agreement was compared with
REFERENCE_WORDS = {"brain": "the brain", "best": "the best model", "person": "a person"}


def strict(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """Both criteria of a model with their references, and the verdict."""
    told = {"in": "within the margin", "out": "outside the margin", "undecided": "undecided"}
    to = REFERENCE_WORDS[str(info.get("agreement_reference", "best"))]
    parts = []
    of_score = to if info.get("criteria") == "person" else "the best model"
    for key, other in (("score", of_score), ("agreement", to)):
        value = row[f"estimate_{key}"]
        d = decimals_for(frame[f"estimate_{key}"].to_numpy("f8"), least=2)
        p = row[f"p_value_{key}"]
        test: str = f"{style.p(float(p))}, " if pd.notna(p) else ""
        parts.append(
            f"its {key} minus that of {other} was {style.number(value, d)} ({test}{told[row[f'in_{key}']]})"
        )
    verdict = str(row["decision"])
    if verdict != "undecided":
        verdict += f" with {to}"
    return led(cell(row, frame), f"{name(row['model'])} was {verdict}: {joined(parts)}")


def planned(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """Power, or the subjects that are needed."""
    if "n_equivalence" in row:
        n, claim = row["n_equivalence"], "equivalence"
        if pd.isna(n):
            n, claim = row["n_difference"], "a difference"
        contrast = f"{name(row['model'])} and {name(row['reference'])}"
        if pd.isna(n):
            return led(cell(row, frame), f"no number of subjects would decide on {contrast}")
        return led(
            cell(row, frame), f"{n:g} subjects would be needed to show {claim} of {contrast}"
        )
    if "question" in row:
        return _answered(row, frame, style)
    value = style.number(row["estimate"], 3)
    if "term" in row:
        error = (
            f" (Monte-Carlo SE = {style.number(row['mcse'], 3)})"
            if pd.notna(row.get("mcse"))
            else ""
        )
        return f"With {row['n']:g} subjects, the {term_name(row['term'])} was {value}{error}"
    if "bound_low" not in row:
        return f"With {sym('n')} = {row['n']:g}, the power was {value}"
    d = decimals_for(frame[["bound_low", "bound_high"]].to_numpy("f8").ravel(), least=2)
    bounds = f"{style.number(row['bound_low'], d)} to {style.number(row['bound_high'], d)}"
    if "sd" in row:
        true = (
            f"a standard deviation of {row['sd']:g} and a true difference of {row['difference']:g}"
        )
    else:
        true = f"a true correlation of {row['rho']:g}"
    if "power_at_n" in row:  # asked was how many
        return (
            f"With {true}, {row['n']:g} subjects would be needed for a power of {row['power']:g} to show equivalence "
            f"within {bounds}, which they have with {style.number(row['power_at_n'], 3)}"
        )
    of_n = (
        f"With {sym('n')} = {row['n']:g}, {true}"
        if "sd" in row
        else f"With {sym('n')} = {row['n']:g} and {true}"
    )
    return f"{of_n}, the power to show equivalence within {bounds} was {value}"


def _answered(row: Row, frame: pd.DataFrame, style: NumberStyle) -> str:
    """Power of a question of the brain test, or the people it needs."""
    d = decimals_for(frame["difference"].to_numpy("f8"), least=2)
    far = f"{style.number(row['difference'], d)} from people"
    shown = f"that {name(row['model'])}, {far}, is {name(row['question'])}"
    if "n" in row:
        text = f"with {sym('n')} = {row['n']:g}, the power to show {shown} was {style.number(row['estimate'], 3)}"
    elif pd.isna(row["estimate"]):
        text = f"how many people would show {shown} is not known"
    elif row["estimate"] == float("inf"):
        text = f"no number of people would show {shown}"
    else:
        text = f"{row['estimate']:g} people would be needed to show {shown}"
    return led(cell(row, frame), text)


def analysis(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """A quantity under a changed analysis, beside the one it is compared with."""
    d = 0 if str(row["term"]).startswith("n_") else scale_decimals(frame, style)
    way = (
        "In the analysis stated"
        if row["what"] == "baseline"
        else f"With {name(setting_words(row['what'], row['analysis']))}"
    )
    who = f" ({name(row['label'])})" if pd.notna(row.get("label")) and str(row.get("label")) else ""
    value = style.number(row["estimate"], d)
    change = ""
    if row["what"] != "baseline" and pd.notna(row["baseline"]):
        change = f", against {style.number(row['baseline'], d)} in the analysis stated"
    return f"{way}, the {term_name(row['term'])}{who} was {value}{change}"


# what was changed -> article and words
CHOICES = {
    "metric": ("the ", "metric {}"),
    "similarity": ("the ", "similarity {}"),
    "self_entry": ("an ", "ROI's entry with itself {}"),
    "scale": ("the ", "scale {}"),
    "reference": ("the ", "reference {}"),
    "n_partner": ("", "{} partners"),
    "layer": ("the ", "layer {}"),
}
SETTING = {"in": "kept", "out": "left out", "rsa": "RSA", "leave_one_out": "leave-one-out"}


def setting_words(what: object, value: object, *, article: bool = True) -> str:
    """A changed choice in words: ``the similarity spearman``, ``an ROI's entry with itself left out``."""
    told = SETTING.get(str(value), str(value).replace("_", " "))
    first, template = CHOICES.get(str(what), ("", f"{str(what).replace('_', ' ')} {{}}"))
    return f"{first if article else ''}{template.format(told)}"


def smallest_margin(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """The smallest margin at which a contrast would be equivalent."""
    d = decimals_for(frame["margin_equivalent"].to_numpy("f8"), least=2)
    contrast = (
        f"{name(row['model'])} and {name(row['reference'])}"
        if "model" in row
        else name(row["contrast"])
    )
    value = style.number(row["margin_equivalent"], d)
    return led(cell(row, frame), f"{contrast} would be equivalent at a margin of {value} or more")


def mapped(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """One point of a map: ``unit 10: mean 0.21, t = 3.20, p = .012, above 0``."""
    axes = list(frame.columns[: list(frame.columns).index("estimate")])
    where = ", ".join(f"{name(a)} {name(row[a])}" for a in axes)
    d = scale_decimals(frame, style)
    parts = [
        f"{info.estimand} {style.number(row['estimate'], d)}",
        style.statistic(info.statistic, row["statistic"], None, None),
        f"adjusted {style.p(row['p_value'], mcse=p_error(row, 'p_value'))}",
        name(row["decision"]),
    ]
    return f"{where}: {', '.join(parts)}"


def kept(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """A part of a plan: kept, deviated from, or not planned."""
    part = name(str(row["part"]).removeprefix("analysis."))
    if row["status"] == "kept":
        return f"{part} was run as planned ({row['run']})"
    if row["status"] == "exploratory":
        return f"{part} was not planned: it is exploratory"
    if not row["key"]:
        return f"{part} was planned and not run: a deviation"
    was, now = (name(str(row[k])) or "nothing" for k in ("planned", "run"))
    return f"{name(row['key'])} was planned as {was} and run as {now}: a deviation"


def what_is_there(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """An item of the check of the data."""
    status = {"note": " (to note)", "problem": " (a problem)"}.get(str(row.get("status")), "")
    return f"{sentence(name(row['item']))[:-1]}: {name(row['value'])}{status}"


def scored(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """One entry of a pattern."""
    d = decimals_for(frame["value"].to_numpy("f8"), least=2)
    layer = f" ({name(row['layer'])})" if str(row.get("layer", "-")) not in ("-", "") else ""
    who = f"{name(row['model'])}{layer}"
    value = style.number(row["value"], d)
    return led(cell(row, frame), f"the entry of {who} for {name(row['subject'])} was {value}")
