"""Results as sentences: every number is one of ``tidy()``, every claim names its margin, test and error rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from apastats.reporting.citations import RELABELLED
from apastats.reporting.how_made import (
    cautions,
    head_sentences,
    interval_sentences,
    made_sentences,
    margin_sentence,
    method_words,
    sided_sentences,
    tested_sentences,
)
from apastats.reporting.markup import name, plain, sym
from apastats.reporting.mixed_words import random_sentences
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import (
    adjusted,
    adjusted_sentence,
    capital,
    counted,
    joined,
    named_terms,
    sentence,
    settings_sentences,
    term_words,
)
from apastats.reporting.posteriors import (
    coefficient_rule_row,
    posterior_row,
    rope_row,
    sampling_sentence,
)
from apastats.reporting.row_prose import RowWriter, measured, term_name
from apastats.reporting.tables import p_error, scale_decimals, table_block
from apastats.reporting.unique_words import part_words
from apastats.words import Info

__all__ = [
    "Maker",
    "by_columns",
    "cells",
    "coefficients",
    "contrasts",
    "equivalence",
    "estimates",
    "posteriors",
    "ranks",
    "sets",
    "told_by",
]

Maker: TypeAlias = Callable[[Any, NumberStyle, bool, int], list[str]]
KEYS = ("roi", "metric", "split", "stream", "outcome")
# the sentence of a decision; {} is the margin
DECISION_WORDS = {
    "equivalent": "The two are equivalent within {}",
    "different but inside the margin": "The two differ, but by less than {}",
    "different": "The two differ, and equivalence within {} was not shown",
    "undecided": "Undecided: neither a difference nor equivalence within {} was shown",
}
SHORT_WORDS = {
    "equivalent": "equivalent within the margin",
    "different but inside the margin": "different, but by less than the margin",
    "different": "different; equivalence not shown",
    "undecided": "undecided",
}


def place(row: Mapping[str, Any], frame: pd.DataFrame) -> str:
    """``in V1 (rsa)``: the cell of a row, without columns that are the same everywhere."""
    # where models are the cells, something else is compared
    among = ("model", *KEYS) if "level" in frame.columns else KEYS
    keys = [k for k in among if k in row and (k == "roi" or frame[k].nunique() > 1)]
    if not keys:
        return ""
    told = [name(row[k]) for k in keys if _said(row[k])]
    if not told or not _said(row[keys[0]]):
        return f"for {', '.join(told)}" if told else ""
    return f"in {told[0]}" + (f" ({', '.join(told[1:])})" if told[1:] else "")


def p_text(row: Mapping[str, Any], key: str, style: NumberStyle) -> str:
    """``p = .012``, a sampled p-value with the digits that stand."""
    return style.p(row[key], mcse=p_error(row, key))


def _interval(
    row: Mapping[str, Any], style: NumberStyle, decimals: int, info: Info, *, margin: bool = False
) -> str:
    """Interval that goes with the test it stands beside, by its name: ``95 % joint CI [0.01, 0.03]``."""
    low, high, level = info.interval_columns(row, margin=margin)
    at = row.get(level, info.conf_level)
    if low not in row or at is None or pd.isna(row[low]) or pd.isna(row[high]):
        return ""
    open_end = np.isinf(row[low]) or np.isinf(row[high]) or info.interval == "one-sided"
    label = f"{'joint ' if info.jointly else ''}{'one-sided ' if open_end else ''}CI"
    return style.interval_text(row[low], row[high], float(at), decimals, label=label)


def tests_of(row: Mapping[str, Any], info: Info, style: NumberStyle, decimals: int) -> list[str]:
    """The ordinary test of a row: statistic with its own letter, p-values, the interval that goes with them."""
    out = []
    if pd.notna(row.get("statistic")):
        letter = "F" if pd.notna(row.get("df2")) else info.statistic or "t"
        # a test by relabelling refers its ratio to the relabelled ones, not to a t of so many degrees of freedom
        df = None if info.test in RELABELLED else row.get("df")
        out.append(style.statistic(letter, row["statistic"], df, row.get("df2")))
    side = "one-sided " if info.alternative in ("greater", "less") else ""
    if "p_value" in row:
        out.append(side + p_text(row, "p_value", style) + _why_no_p(row))
    if adjusted(info) and "p_value_adjusted" in row:
        out.append(f"adjusted {p_text(row, 'p_value_adjusted', style)}")
    interval = _interval(row, style, decimals, info)
    return [*out, interval] if interval else out


def _why_no_p(row: Mapping[str, Any]) -> str:
    """Reason of a p-value that is not defined, as far as the row shows it."""
    if pd.notna(row["p_value"]):
        return ""
    if row.get("std_error") == 0:
        return " (the differences do not vary)"
    if pd.isna(row.get("estimate", 0.0)):
        return " (there is no estimate)"
    return " (too few values that differ)"


def equivalence_row(
    row: Mapping[str, Any], result: Any, style: NumberStyle, *, short: bool = False
) -> str:
    """Sentence of one contrast."""
    frame, info = result.table, result.info
    d = scale_decimals(frame, style)
    where = place(row, frame)
    tests = tests_of(row, info, style, d)
    inside = _interval(row, style, d, info, margin=True)
    equivalence = [inside] if inside and inside not in tests else []
    equivalence.append(f"equivalence {p_text(row, 'p_value_equiv', style)}")
    if adjusted(info) and "p_value_equiv_adjusted" in row:
        equivalence.append(f"adjusted {p_text(row, 'p_value_equiv_adjusted', style)}")
    equivalence += _claim(row, info, style)
    bounds = f"{style.number(row['bound_low'], d)} to {style.number(row['bound_high'], d)}"
    difference = style.number(row["estimate"], d)
    contrast = (
        f"{name(row['model'])} minus {name(row['reference'])}"
        if "model" in row and "level" not in row
        else name(row["contrast"])
    )
    decision = str(row.get("decision", "undecided"))
    if short:
        verdict = SHORT_WORDS.get(decision, decision)
        stats = ", ".join(tests)
        lead = capital(f"{where}: " if where else "")
        return f"{lead}{contrast} = {difference}, {stats}; margin {bounds}, {', '.join(equivalence)}: {verdict}"
    # not by format: names may hold braces
    verdict = DECISION_WORDS.get(decision, f"{capital(decision)}, with {{}}")
    verdict = verdict.replace("{}", f"the margin from {bounds}")
    lead = capital(f"{where}, " if where else "")
    return f"{lead}{contrast} was {difference} ({', '.join(tests)}). {verdict} ({', '.join(equivalence)})."


def _claim(row: Mapping[str, Any], info: Info, style: NumberStyle) -> list[str]:
    """The claim that was tested where it is another one than equivalence."""
    if "claim_shown" not in row:
        return []
    claim = str(info.hypothesis or "the claim").replace("_", " ")
    key = "p_value_claim_adjusted" if "p_value_claim_adjusted" in row else "p_value_claim"
    shown = "shown" if bool(row["claim_shown"]) else "not shown"
    return [f"{claim} {style.p(row[key])} ({shown})"]


# alternative -> words where its test rejects, and where it does not
SHOWN = {
    "two-sided": ("different", "a difference was not shown"),
    "greater": ("greater than 0", "a difference above 0 was not shown"),
    "less": ("less than 0", "a difference below 0 was not shown"),
}


def contrast_row(
    row: Mapping[str, Any], result: Any, style: NumberStyle, *, short: bool = False
) -> str:
    """Sentence of one contrast without a margin: an absent difference is no equivalence, and is not called one."""
    frame, info = result.table, result.info
    d = scale_decimals(frame, style)
    where = place(row, frame)
    tests = tests_of(row, info, style, d)
    versus = pd.notna(row.get("model")) and pd.notna(row.get("reference")) and "level" not in row
    contrast = (
        f"{name(row['model'])} minus {name(row['reference'])}"
        if versus
        else name(row.get("contrast"))
    )
    words = ""
    if "different" in row:
        shown, not_shown = SHOWN[info.alternative or "two-sided"]
        words = shown if bool(row["different"]) else not_shown
    value = style.number(row["estimate"], d)
    if short:
        lead = capital(f"{where}: " if where else "")
        return f"{lead}{contrast} = {value}, {', '.join(tests)}" + (f": {words}" if words else "")
    lead = capital(f"{where}, " if where else "")
    tail = f": {words}" if words else ""
    return f"{lead}{contrast} was {value} ({', '.join(tests)}){tail}."


def omnibus_row(row: Mapping[str, Any], result: Any, style: NumberStyle) -> str:
    """``in V1: F(2, 18) = 5.10, p = .018, Kendall's W = 0.36``: one test of all models."""
    tests = tests_of(row, result.info, style, 2)
    if pd.notna(row.get("kendall_w")):
        tests.append(f"Kendall's {sym('W')} = {style.number(row['kendall_w'], 2)}")
    where = place(row, result.table)
    return f"{capital(where)}{': ' if where else ''}{', '.join(tests)}"


def omnibus(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Tests of all models at once, a row per cell."""
    frame = result.table
    rows = frame.head(max_rows).to_dict(orient="records")
    lines = [omnibus_row(r, result, style) + ("" if short else ".") for r in rows]
    lines += _more(frame, max_rows)
    if short:
        return lines
    return [*head_sentences(result), *lines, *cautions(result)]


def ranks(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Tests of all models, contrasts, or mean ranks with their places."""
    if "place_low" in result.table.columns:
        return told_by(measured)(result, style, short, max_rows)
    return by_columns(result, style, short, max_rows)


def contrasts(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Contrasts without a margin."""
    frame, info = result.table, result.info
    rows = frame.head(max_rows).to_dict(orient="records")
    lines = [contrast_row(r, result, style, short=short) for r in rows] + _more(frame, max_rows)
    if short:
        return lines
    n = f" ({sym('n')} = {info.n_subject})" if info.n_subject else ""
    head = [f"Comparisons used {method_words(info)}{n}."] if info.method else []
    if info.adjust:
        head.append(adjusted_sentence(info))
    head += sided_sentences(info) + interval_sentences(info)
    head += [f"The significance level was {info.alpha:g}."] if info.alpha else []
    limit = "A difference that was not shown is no evidence of equivalence; that needs a margin and its own test."
    return [*head, *made_sentences(info), *lines, limit, *cautions(result)]


def coefficient_row(row: Mapping[str, Any], result: Any, style: NumberStyle) -> str:
    """``(Intercept): b = 2.64, t(3.21) = 4.49, p = .018, 95 % CI [...]``."""
    d = scale_decimals(result.table, style)
    # an effect size is named by its term; b is a coefficient
    effect = result.kind in ("effect_size", "discriminability")
    value = style.number(row["estimate"], d)
    parts = [value if effect else f"{sym('b')} = {value}"]
    tests = tests_of(row, result.info, style, d)
    parts += (
        tests if not effect or pd.notna(row.get("p_value")) else [t for t in tests if "CI" in t]
    )
    if effect:
        by = " / ".join(name(row[c]) for c in result.info.by if c in row and _said(row[c]))
        where = place(row, result.table) if "roi" in row else by
        # names of models keep their underscores
        term = str(row["term"]) if " - " in str(row["term"]) else term_name(row["term"])
        told = f"{name(term)} = {', '.join(parts)}"
        return f"{capital(where)}: {told}" if where else told
    return f"{name(term_words(row['term'], result.info.formula))}: {', '.join(parts)}"


def coefficients(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Terms with a test each."""
    frame = result.table
    rows = frame.head(max_rows).to_dict(orient="records")
    lines = [coefficient_row(r, result, style) + ("" if short else ".") for r in rows] + _more(
        frame, max_rows
    )
    if short:
        return lines
    beyond = random_sentences(result, style) if result.kind == "lmm" else []
    return [*head_sentences(result), *lines, *beyond, *cautions(result)]


_MEASURED = {
    "coverage": "held the value in",
    "error": "claimed falsely in",
    "power": "made the claim in",
}


def calibrated(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """How each default behaved, a sentence a row."""
    info = result.info
    sizes = ", ".join(str(n) for n in info.extra["subjects"])
    lines = [
        f"Measured on {info.resampled} ({', '.join(info.extra['designs'])} scores; {sizes} subjects), "
        "analysed with the defaults."
    ]
    for row in result.table.head(max_rows).to_dict(orient="records"):
        where = f"{row['n_replicate']} simulated studies of {row['n']} subjects ({row['design']})"
        if row["quantity"] == "bias":
            found = f"missed by {row['estimate']:.3f} on average in {where}"
        else:
            found = f"{_MEASURED[row['quantity']]} {100 * row['estimate']:.1f} % of {where}"
        nominal = row["nominal"]
        promised = f"; nominal is {100 * nominal:g} %" if nominal > 0 else ""
        lines.append(f"{name(row['verb'])}, {row['what']}: {found}{promised}.")
    return lines + _more(result.table, max_rows)


def decision_counts(frame: pd.DataFrame, all_of_them: Mapping[str, int] | None = None) -> str:
    """``3 equivalent, 2 different, 5 undecided of 10 comparisons``; those of all where the table has some."""
    of_rows = {str(k): int(v) for k, v in frame["decision"].astype(str).value_counts().items()}
    counts = all_of_them or of_rows
    order = [d for d in DECISION_WORDS if counts.get(d)] + [
        d for d in counts if d not in DECISION_WORDS
    ]
    parts = [f"{counts[d]} {d}" for d in order]
    n = sum(counts.values())
    noun = "comparison" if n == 1 else "comparisons"
    return f"{joined(parts)}, of {n} {noun}"


def equivalence(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Contrasts with a margin."""
    frame = result.table
    rows = frame.head(max_rows).to_dict(orient="records")
    lines = [equivalence_row(r, result, style, short=short) for r in rows]
    if short:
        return lines + _more(frame, max_rows)
    head = tested_sentences(result)
    if "decision" in frame.columns:
        head.append(f"Decisions: {decision_counts(frame, result.info.get('decisions'))}.")
    return head + lines + _more(frame, max_rows) + cautions(result)


def estimate_row(
    row: Mapping[str, Any], result: Any, style: NumberStyle, what: str, *, short: bool = False
) -> str:
    """Sentence of one estimate with its interval."""
    frame = result.table
    d = scale_decimals(frame, style)
    where = place(row, frame)
    interval = _interval(row, style, d, result.info)
    subject = _measured_of(row, frame, what)
    bracket = ", ".join(
        (
            [f"{sym('SE')} = {style.number(row['std_error'], d)}"]
            if pd.notna(row.get("std_error"))
            else []
        )
        + ([interval] if interval else [])
        + (
            [style.p(row["p_below"], " (below the ceiling, one-sided)")]
            if pd.notna(row.get("p_below"))
            else []
        )
    )
    value = style.number(row["estimate"], d)
    tail = f" ({bracket})" if bracket else ""
    if short:
        return (
            capital(f"{where}: " if where else "")
            + f"{subject} = {value}"
            + (f", {bracket}" if bracket else "")
        )
    return capital(f"{where + ', ' if where else ''}the {subject} was {value}{tail}.")


def _measured_of(row: Mapping[str, Any], frame: pd.DataFrame, what: str) -> str:
    """What was measured, of whom: ``lower noise ceiling of model_01``."""
    first = frame.columns[: list(frame.columns).index("estimate")]
    keys = [k for k in first if k not in (*KEYS, "bound", "kind") and _said(row[k])]
    # the value of a covariate is named with it: a mean at nitro = 0.2
    shown = {k: f"{k} = {row[k]:.6g}" if isinstance(row[k], float) else str(row[k]) for k in keys}
    if keys and isinstance(row[keys[0]], float) and "term" in shown:
        del shown["term"]
    who = ", ".join(name(v) for v in dict.fromkeys(shown.values()))
    if "part" in frame.columns and "model" in row:
        who = part_words(row)
    bound = f"{row['bound']} " if "bound" in row and frame["bound"].nunique() > 1 else ""
    who = "the brain" if who == name("brain") else who
    if what == ", ".join(dict.fromkeys(str(row[k]) for k in keys)):
        who = ""  # "the mean", not "the mean of mean"
    if len(keys) == 1 and str(row[keys[0]]).startswith(f"{what}["):
        return f"{bound}{who}"  # the first of several statistics: its name holds theirs
    return f"{bound}{what}" + (f" of {who}" if who else "")


def _said(value: Any) -> bool:
    """Whether a key has a value; a layer that is not there is written as a dash."""
    return not (value is None or str(value) in ("", "-", "nan", "None", "<NA>"))


def _more(frame: pd.DataFrame, max_rows: int) -> list[str]:
    left = len(frame) - max_rows
    return [f"{_left(left, 'row')} in the table (tidy())."] if left > 0 else []


def _left(count: int, noun: str) -> str:
    return f"{counted(count, f'more {noun}')} {'is' if count == 1 else 'are'}"


def told_by(write: RowWriter, *once: str) -> Maker:
    """Sentences by one writer of rows; ``once``: rows that agree in these columns are told once."""

    def make(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
        frame, info = result.table, result.info
        known = [c for c in once if c in frame.columns]
        kept = frame.drop_duplicates(known) if known else frame
        rows = kept.head(max_rows).to_dict(orient="records")
        lines = [write(r, frame, info, style) + ("" if short else ".") for r in rows]
        lines += _more(kept, max_rows)
        return lines if short else [*head_sentences(result), *lines, *cautions(result)]

    return make


def estimates(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Estimates with their intervals."""
    frame, info = result.table, result.info
    rows = frame.head(max_rows).to_dict(orient="records")
    lines = [estimate_row(r, result, style, info.estimand, short=short) for r in rows]
    lines += _more(frame, max_rows)
    if short:
        return lines
    return [*head_sentences(result), *lines, *cautions(result)]


def cells(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Any table: one line per row, ``column = value``."""
    block = table_block("any", "", result.table, style)
    lines = []
    for row in block.rows(max_rows):
        cells = [
            f"{c.label} = {t}"
            for c, t in zip(block.columns, row, strict=True)
            if plain(t) not in ("", "\u2013")
        ]
        lines.append("; ".join(cells) + ("" if short else "."))
    if short:
        return lines + _more(result.table, max_rows)
    return [*head_sentences(result), *lines, *_more(result.table, max_rows), *cautions(result)]


def set_sentences(result: Any) -> list[str]:
    """One sentence per cell: the members of the set."""
    frame = result.table
    compared = "level" if "level" in frame.columns else "model"
    bounded = "bound_low" in frame.columns and bool(frame["bound_low"].notna().any())
    among = KEYS if compared == "model" else ("model", *KEYS)
    cells = [k for k in among if k in frame.columns and frame[k].nunique() > 1]
    parts = [((), frame)] if not cells else list(frame.groupby(cells, sort=False))
    lines = []
    for _, part in parts:
        where = place(part.iloc[0].to_dict(), frame)
        members = [name(m) for m in part.loc[part["in_set"].astype(bool), compared]]
        of = f"{len(members)} of {len(part)}"
        lead = f"{capital(where)}, " if where else ""
        if bounded:
            noun = "level" if compared == "level" else "model"
            shown = "was" if len(members) < 2 else "were"
            told = (
                f"{joined(members)} {shown} shown to be close to the best ({of})"
                if members
                else f"no {noun} could be shown to be close to the best ({of})"
            )
        else:
            told = f"{joined(members)} cannot be excluded from being best ({of})"
        lines.append(f"{lead}{told}." if lead else f"{capital(told)}.")
    return lines


def sets(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Sets of models, a sentence per cell."""
    info, lines = result.info, set_sentences(result)
    left = len(lines) - max_rows
    lines = lines[:max_rows] + (
        [f"{_left(left, 'cell')} in the table (tidy())."] if left > 0 else []
    )
    if short:
        return lines
    n = f" ({sym('n')} = {info.n_subject})" if info.n_subject else ""
    head = [f"Sets of models by {name(info.method or 'comparison with the best')}{n}."]
    head += (
        [margin_sentence(info)]
        if info.margin
        else ["No margin was stated: a set holds what cannot be excluded from being the best."]
    )
    promise = str(info.get("promise", ""))
    head += [sentence(promise)] if promise else []
    return head + made_sentences(info) + lines + cautions(result)


def posteriors(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Posterior draws and coefficients against a region, or quantities of a Bayesian model."""
    frame, info = result.table, result.info
    d = scale_decimals(frame, style)
    write = coefficient_rule_row if "overlap" in frame.columns else rope_row
    if "r_hat" in frame.columns:
        write = posterior_row
    rows = named_terms(result).head(max_rows).to_dict(orient="records")
    lines = [write({str(k): v for k, v in r.items()}, style, d, short=short) for r in rows] + _more(
        frame, max_rows
    )
    if short:
        return lines
    terms = dict(zip(frame["term"], named_terms(result)["term"], strict=True))
    head = [f"{name(capital(str(info.method)))}."] if info.method else []
    head += [margin_sentence(info)] if info.margin else []
    return [
        *head,
        *sampling_sentence(info, terms),
        *settings_sentences(info),
        *lines,
        *cautions(result),
    ]


def by_columns(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Sentences of a result whose columns say what its rows are."""
    columns = set(result.table.columns)
    words = "contrast" in columns and not pd.api.types.is_numeric_dtype(result.table["contrast"])
    named = words or {"model", "reference"} <= columns
    make = cells
    if named and {"estimate", "p_value_equiv", "bound_low", "bound_high"} <= columns:
        make = equivalence
    elif named and {"estimate", "p_value"} <= columns:
        make = contrasts
    elif {"term", "estimate", "statistic", "p_value"} <= columns:
        make = coefficients
    elif {"statistic", "df", "p_value"} <= columns and not {"term", "estimate"} & columns:
        make = omnibus
    return make(result, style, short, max_rows)
