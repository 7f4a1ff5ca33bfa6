"""From a frame with machine names to a table for the eye; nothing is computed, only written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from apastats.plots.style import metric_words
from apastats.reporting.blocks import Column, TableBlock
from apastats.reporting.markup import name, sym
from apastats.reporting.numbers import NumberStyle
from apastats.rounding import LIMIT_ERRORS, decimals_for, printed_decimals
from apastats.words import Info

__all__ = ["quantity_words", "table_block"]

LABELS = {
    "roi": "ROI",
    "std_error": "SE",
    "df": "df",
    "p_value": "p",
    "p_value_adjusted": "p, adjusted",
    "p_value_equiv": "p, equivalence",
    "p_value_equiv_adjusted": "p, equivalence, adjusted",
    "p_value_less": "p, less than the margin",
    "p_value_more": "p, more than the margin",
    "p_value_noninf": "p, above lower bound",
    "p_value_nonsup": "p, below upper bound",
    "n_subject": "n",
    "mcse": "Monte-Carlo SE",
    "z": "Fisher z",
    "z_person": "Fisher z, by person",
    "agreement_person": "agreement, by person",
    "estimate_score": "score, difference",
    "p_value_score": "score, p",
    "in_score": "score, inside",
    "estimate_agreement": "agreement, difference",
    "p_value_agreement": "agreement, p",
    "in_agreement": "agreement, inside",
    "p_inside": "share inside",
    "p_inside_interval": "share of the interval inside",
    "p_direction": "probability of direction",
    "p_significance": "share beyond the region",
    "in_set": "in the set",
    "bound_low": "lower bound",
    "n_model": "models",
    "n_layer": "layers",
    "n_pair": "pairs",
    "n_effective": "n, effective",
    "null_mean": "mean under the null",
    "null_sd": "SD under the null",
    "reliability_model": "reliability, model",
    "reliability_reference": "reliability, brain",
    "self_entry": "own ROI",
    "r_squared": "r\u00b2",
    "place_low": "place, from",
    "place_high": "place, to",
    "n_equivalence": "n for equivalence",
    "n_difference": "n for a difference",
    "margin_equivalent": "smallest margin, equivalence",
    "margin_noninferior": "smallest margin, non-inferiority",
    "margin_nonsuperior": "smallest margin, non-superiority",
    "margin_minimal_effect": "largest margin, minimal effect",
    "p_value_worse": "p, worse",
    "p_value_worse_adjusted": "p, worse, adjusted",
    "p_value_rank": "p, place",
    "p_value_profile": "p, profile",
    "p_value_profile_rank": "p, profile, by place",
    "p_value_largest": "p, largest",
    "mean_model": "mean, model",
    "mean_person": "mean, person",
    "as_good": "as good as a person",
    "like_person": "like a person",
    "rank_low": "rank, from",
    "rank_high": "rank, to",
}
# in a table for the eye these say less than they cost; csv has them
HIDDEN = {
    "conf_level",
    "statistic_low",
    "statistic_high",
    "p_value_noninf",
    "p_value_nonsup",
    "p_value_noninf_adjusted",
    "p_value_nonsup_adjusted",
    "effect",
    "effect_size",
    "effect_low",
    "effect_high",
    "std_error_dyadic",
    "conf_low_mcse",
    "conf_high_mcse",
    "settled",
    "p_value_mcse",
    "p_value_adjusted_mcse",
    "p_value_equiv_mcse",
    "p_value_equiv_adjusted_mcse",
    "joint_low",
    "joint_high",
}
SILENT = {"score", "-", "model", "reference", "nan"}
# shown adjusted only
RAW = ("p_value", "p_value_equiv", "p_value_claim")
PAIRS = {"bound_low": "bound_high", "person_low": "person_high"}
ON_SCALE = (
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "bound_low",
    "bound_high",
    "mcse",
    "score",
    "ceiling",
)


QUANTITIES = {
    "separated_pairs": "pairs told apart",
    "separated_share": "share of pairs told apart",
    "set_size": "size of the set of the best",
    "signal_to_noise": "signal-to-noise ratio",
    "reliability_1": "reliability of one subject",
    "reliability_n": "reliability of the mean",
    "z_person": "agreement (Fisher z)",
    "z": "agreement (Fisher z)",
    "model_to_brain": "model to brain",
    "brain_to_model": "brain to model",
    "leave_one_out": "leave-one-out",
    "subject_to_subject": "subject-to-subject",
}
QUANTITIES |= {f"difference {k}": f"difference {v}" for k, v in QUANTITIES.items()}


def quantity_words(text: str) -> str:
    """A machine name in words; names of models and the like are no machine names."""
    return QUANTITIES.get(text, text)


def _minus(text: str) -> str:
    """A contrast with a real minus."""
    return text.replace(" - ", " \u2212 ")


# column -> its values in words
WORDS: Mapping[str, Callable[[str], str]] = {
    "term": quantity_words,
    "outcome": quantity_words,
    "direction": quantity_words,
    "kind": quantity_words,
    "contrast": _minus,
    "metric": metric_words,
    "margin": lambda text: re.sub(r"(?<!\w)-(?=\d)", "\u2212", text),
}


def column_label(key: str) -> str:
    """Heading of a column."""
    return LABELS.get(key, key.replace("_", " "))


def scale_decimals(frame: pd.DataFrame, style: NumberStyle) -> int:
    """Decimals of everything on the scale of the estimates."""
    if style.decimals is not None:
        return style.decimals
    for key in ("std_error", "bound_high", "estimate"):
        if key in frame.columns and pd.api.types.is_numeric_dtype(frame[key]):
            # limits that are simulated are printed as far as the simulation reaches
            sides = [c for c in LIMIT_ERRORS if key == "std_error" and c in frame.columns]
            return printed_decimals(frame[key].to_numpy("f8"), frame[sides])
    return 3


def _negligible(frame: pd.DataFrame) -> bool:
    """Whether simulation changes no digit that a standard error leaves: below a twentieth of it."""
    error = frame["mcse"].fillna(0).to_numpy("f8")
    if not (error > 0).any():
        return True
    if "std_error" not in frame.columns:
        return False
    return bool((error <= 0.05 * frame["std_error"].fillna(0).to_numpy("f8")).all())


def constant_columns(frame: pd.DataFrame) -> dict[str, Any]:
    """Word columns that say the same in every row (and are no key)."""
    found = {}
    for key in (
        "method",
        "conf_level",
        "metric",
        "split",
        "kind",
        "bound",
        "n_subject",
        "df",
        "layer",
    ):
        if key in frame.columns and len(frame) > 1 and frame[key].nunique(dropna=False) == 1:
            found[key] = frame[key].iloc[0]
    if "mcse" in frame.columns and _negligible(frame):
        found["mcse"] = 0
    return found


def table_block(
    slug: str,
    caption: str,
    frame: pd.DataFrame,
    style: NumberStyle,
    *,
    only: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    info: Info | None = None,
) -> TableBlock:
    """Table of a frame: intervals in one column, constant words in the caption, numbers in the style.

    Parameters
    ----------
    slug : str
        Identifier, also of the csv.
    caption : str
        Caption, inline text.
    frame : pandas.DataFrame
        The numbers, not rounded.
    style : NumberStyle
        How numbers are written.
    only : sequence of str, optional
        Columns shown; all that matter where None.
    labels : mapping, optional
        Headings that differ from the usual ones.
    info : Info, optional
        Of the result the frame is the table of: letter of the statistic, intervals that go with the decisions.
    """
    words = {k: v for k, v in constant_columns(frame).items() if k != "conf_level"}
    shown = intervals_shown(frame, info)
    keys = list(only) if only is not None else _visible(frame, words, shown)
    pairs = PAIRS | shown
    if only is not None:  # limits that were asked for are an interval, whichever it is
        ends = [c for c in only if c.startswith("conf_low") and "mcse" not in c]
        pairs |= {c: c.replace("conf_low", "conf_high") for c in ends}
    named = {"statistic": _letter(info)} | dict(labels or {})
    return TableBlock(
        slug,
        caption + _in_caption(words, info),
        frame,
        _columns(keys, pairs, shown, frame, style, named, info is not None and info.jointly),
    )


def _visible(frame: pd.DataFrame, words: Mapping[str, Any], shown: Mapping[str, str]) -> list[str]:
    """Columns that a reader needs, in their order."""
    hidden = HIDDEN | set(words) | {k for k in RAW if f"{k}_adjusted" in frame.columns}
    if "statistic" in frame.columns:
        hidden.add("std_error")
    hidden |= {c for c in frame.columns if c.startswith("conf_")} - {*shown, *shown.values()}
    return [k for k in frame.columns if k not in hidden]


def _letter(info: Info | None) -> str:
    """Heading of the test statistic."""
    if info is None:
        return "statistic"
    return {"chi2": "\u03c7\u00b2", "": "statistic"}.get(info.statistic, info.statistic)


def _in_caption(words: Mapping[str, Any], info: Info | None) -> str:
    """What is the same in every row; how a result was made stands in the methods."""
    silent = ("mcse",) if info is None else ("mcse", "method")
    # a single metric "score", kind "model" or bound "reference" needs no words
    told = [_told(k, v) for k, v in words.items() if k not in silent and str(v) not in SILENT]
    return f" {told[0][:1].upper()}{'; '.join(told)[1:]}." if told else ""


def _columns(
    keys: Sequence[str],
    pairs: Mapping[str, str],
    shown: Mapping[str, str],
    frame: pd.DataFrame,
    style: NumberStyle,
    labels: Mapping[str, str],
    joint: bool,
) -> list[Column]:
    """A column for each key; the two limits of an interval share one."""
    decimals = scale_decimals(frame, style)
    columns: list[Column] = []
    for key in keys:
        if any(k in keys for k, v in pairs.items() if v == key):
            continue
        if key in pairs and pairs[key] in frame.columns:
            pair = _pair(key, pairs[key], frame, style, decimals, joint and key in shown)
            columns.append(replace(pair, label=labels.get(key, pair.label)))
        else:
            columns.append(_single(key, frame, style, decimals, labels))
    return columns


def _told(key: str, value: Any) -> str:
    """Constant column in the caption."""
    if key == "metric":
        return f"metric: {name(metric_words(str(value)))}"
    if key in ("n_subject", "df"):
        return f"{sym('n' if key == 'n_subject' else 'df')} = {round(float(value), 2):g}"
    return f"{column_label(key)}: {name(value)}"


def intervals_shown(frame: pd.DataFrame, info: Info | None) -> dict[str, str]:
    """Intervals of a table, lower -> upper limit: that of its decisions, and with a margin that of each test."""
    columns = (Info() if info is None else info).interval_columns(frame.columns)
    found = {columns[0]: columns[1]}
    if info is not None and "bound_low" in frame.columns:
        low, high, _ = info.interval_columns(frame.columns, margin=True)
        # against the best one interval decides both tests; a table shows it once
        if not _same(frame, (*columns[:2],), (low, high)):
            found[low] = high
    return {k: v for k, v in found.items() if k in frame.columns}


def _same(frame: pd.DataFrame, a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two intervals have the same limits in every row."""
    if not {*a, *b} <= set(frame.columns):
        return False
    return bool(
        np.array_equal(frame[[*a]].to_numpy("f8"), frame[[*b]].to_numpy("f8"), equal_nan=True)
    )


def _pair(
    low: str, high: str, frame: pd.DataFrame, style: NumberStyle, decimals: int, joint: bool
) -> Column:
    heading = {"person_low": "one more person"}.get(low, "margin")
    if low.startswith("conf_low"):
        level = low.replace("low", "level")
        levels = list(frame[level].dropna().unique()) if level in frame.columns else []
        kind = "joint interval" if joint else "interval"
        heading = f"{style.percent(float(levels[0]))} {kind}" if len(levels) == 1 else kind

    if low.startswith("conf_low") and "estimate" in frame.columns:
        counts = pd.api.types.is_integer_dtype(frame["estimate"])
        ends = frame[[low, high]].dropna().to_numpy("f8")
        if counts and (ends == np.round(ends)).all():
            decimals = 0  # numbers of models and the like

    def text(row: Mapping[str, Any]) -> str:
        a, b = float(row[low]), float(row[high])
        if math.isnan(a) and math.isnan(b):
            return "\u2013"
        return style.span(a, b, decimals)

    return Column(heading, text, numeric=True)


def _single(
    key: str, frame: pd.DataFrame, style: NumberStyle, decimals: int, labels: Mapping[str, str]
) -> Column:
    label = labels.get(key, column_label(key))
    values = frame[key]
    if pd.api.types.is_bool_dtype(values):
        return Column(label, lambda row: "yes" if row[key] else "no")
    if key in WORDS and not pd.api.types.is_numeric_dtype(values):
        told = WORDS[key]
        return Column(
            label, lambda row: "\u2013" if _missing(row[key]) else name(told(str(row[key])))
        )
    if not pd.api.types.is_numeric_dtype(values):
        return Column(label, lambda row: "\u2013" if _missing(row[key]) else name(row[key]))
    if key.startswith("p_value"):
        return Column(label, lambda row: _p_cell(row, key, style), numeric=True)
    if pd.api.types.is_integer_dtype(values) or _whole(values):
        return Column(
            label,
            lambda row: "\u2013" if _missing(row[key]) else _integer(row[key], style),
            numeric=True,
        )
    if key in ON_SCALE:
        places = decimals
    elif key in ("statistic", "df") or key.startswith("statistic"):
        places = style.statistic_decimals
    else:
        places = decimals_for(values.to_numpy("f8"), least=2)
    return Column(
        label,
        lambda row: "\u2013" if _missing(row[key]) else style.number(float(row[key]), places),
        numeric=True,
    )


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _integer(value: Any, style: NumberStyle) -> str:
    text = f"{abs(int(value))}"
    return f"{style.minus}{text}" if value < 0 else text


def _whole(values: pd.Series) -> bool:
    numbers = values.dropna().to_numpy("f8")
    return bool(
        numbers.size
        and np.isfinite(numbers).all()
        and (numbers == np.round(numbers)).all()
        and values.name in ("df", "n_subject")
    )


def _p_cell(row: Mapping[str, Any], key: str, style: NumberStyle) -> str:
    if _missing(row[key]):
        return "\u2013"
    return style.p_value(float(row[key]), p_error(row, key)).removeprefix("= ")


def p_error(row: Mapping[str, Any], key: str) -> float:
    """Monte-Carlo error of a p-value of a row; 0 where it was not sampled.

    It stands in a column of its own, or in ``mcse`` where that is not the error of an interval. An adjustment by a
    formula scales it with the p-value.
    """
    if f"{key}_mcse" in row:
        return float(row[f"{key}_mcse"])
    raw = key.removesuffix("_adjusted")
    own = row.get(f"{raw}_mcse", 0.0 if "conf_low_mcse" in row else row.get("mcse", 0.0))
    if _missing(own) or _missing(row.get(raw)):
        return 0.0
    scale = float(row[key]) / float(row[raw]) if row[raw] > 0 else 1.0
    return float(own) * scale


def heading(label: str) -> str:
    """Heading as inline text: statistics in italics."""
    for symbol in ("p", "t", "z", "V", "W", "F", "q", "n", "df"):
        if label == symbol or label.startswith(f"{symbol},"):
            return sym(symbol) + label[len(symbol) :]
    return label
