"""`claims`: statements of a paper or a plan, each with its verdict, and what would decide it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats import arguments
from apastats.errors import InputError
from apastats.numbers.noncentral import noncentral_t_cdf, tost_power
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.table import ScoreTable
from apastats.words import Held, Info

__all__ = ["Claims", "claims"]

SUPPORTED, REFUTED, UNDECIDED, MUTE = "supported", "refuted", "undecided", "not testable here"
SAYS = ("above", "below", "within", "p")
ROWS = ("all", "any", "most")
_JOINT = (("conf_low_joint", "conf_high_joint"), ("joint_low", "joint_high"))
_MOST_PEOPLE = 100_000


class Claims(Result):
    """Claims and their verdicts.

    ``table``: ``claim`` (its name), ``statement, estimand, margin, test`` (what was asked of the rows), ``verdict``
    ("supported", "refuted", "undecided", "not testable here"), ``estimate, conf_low, conf_high`` (of the one row, or
    of the row that comes nearest to the other verdict), ``n_shown, n_against, n_row, n_subject, n_needed`` (people
    with which it would be decided), ``reading, decides`` (what would decide it), ``method``. A claim of several tests
    has a row for each, ``part`` counts them, and the verdict stands in each.
    """

    kind: ClassVar[str] = "claims"

    def verdicts(self) -> pd.DataFrame:
        """One row per claim: ``claim, statement, verdict, reading, decides``."""
        first = self.table.groupby("claim", sort=False).agg(
            statement=("statement", "first"),
            verdict=("verdict", "first"),
            reading=("reading", "; ".join),
            decides=("decides", lambda d: _decided_by(self.table.loc[d.index])),
        )
        return first.reset_index()


def _decided_by(rows: pd.DataFrame) -> str:
    """What would decide a claim: of several numbers of people the largest, as all its tests have to be decided."""
    needed = rows["n_needed"].to_numpy("f8")
    most = int(np.nanargmax(needed)) if np.isfinite(needed).any() else -1
    told = [
        str(text)
        for i, text in enumerate(rows["decides"])
        if text and (i == most or not np.isfinite(needed[i]))
    ]
    return "; ".join(dict.fromkeys(told))


@dataclass(frozen=True)
class _Test:
    """What is asked of the rows of one result."""

    result: str
    says: str = "above"
    value: Any = 0.0
    where: Mapping[str, Any] = field(default_factory=dict)
    rows: Any = "all"
    together: bool = False
    column: str = ""
    estimand: str = ""
    needs: str = ""


@verb
def claims(
    stated: Sequence[Mapping[str, Any]],
    results: Mapping[str, Any],
    *,
    power: float = 0.8,
) -> Claims:
    """Judge stated claims by the results at hand.

    Parameters
    ----------
    stated : sequence of mapping
        One per claim: ``name``, ``statement``, and one test or ``tests``, a list of them, all of which the claim needs.
        A test: ``result`` (a name among ``results``), ``where`` (levels of its columns that pick rows), ``says``
        ("above" or "below" ``value``, "within" plus and minus ``value`` or a pair, or "p", a p-value of at most
        ``value``), ``rows`` ("all", "any", "most" or a share: of how many rows it must hold), ``estimand`` (in words),
        ``needs`` (the data that would make it testable), ``together`` (True: the intervals of the rows hold together
        as they are) and ``column`` (the estimate, or the p-value, where it has another name).
    results : mapping
        Results, or data frames with ``estimate, conf_low, conf_high``, by name.
    power : float
        Wanted probability that an undecided claim is decided, for ``n_needed``.

    Returns
    -------
    Claims

        Columns: ``claim`` (claim), ``part`` (part of the claim), ``statement`` (the claim in words),
        ``estimand`` (what it is about), ``margin`` (margin), ``test`` (test), ``verdict`` (supported,
        refuted, undecided or not testable), ``estimate`` (what is estimated, from the data themselves),
        ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval), ``n_shown``
        (rows that show it), ``n_against`` (rows that speak against it), ``n_row`` (rows), ``n_subject``
        (subjects), ``n_needed`` (rows needed), ``reading`` (how the rule is read), ``decides`` (the number
        that decides), ``method`` (how the interval or test was made), ``part_verdict`` (verdict of the part).

    Raises
    ------
    InputError
        If a claim is stated wrongly, a result lacks a column, or limits that hold for all rows together cannot be made.

    See Also
    --------
    equivalence, compare, report

    Notes
    -----
    A row shows the claim where its whole interval lies on the claimed side of ``value``, and speaks against it where
    the whole interval lies on the other side. That something holds in **all** rows is shown by each row's own interval
    (an intersection-union test, Berger 1982) and refuted by one row of limits that hold for all rows together; **any**
    is the mirror image; **most** and shares use limits that hold together on both sides. These are the joint limits of
    the result, or Bonferroni's from ``std_error`` and ``df`` (or ``n_subject``). An interval that straddles ``value``
    decides nothing, whatever its p-value, and nothing is ever refuted by a p-value. ``n_needed`` takes the estimate
    and its spread to be true (exact power of t), so it is rough.

    References
    ----------
    .. [1] Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance sampling. Technometrics,
       24(4), 295–300. https://doi.org/10.1080/00401706.1982.10487790

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> pairs = apa.compare("score ~ model", scores, within="roi", reference="model_01")
    >>> stated = [
    ...     {
    ...         "name": "1",
    ...         "statement": "model_08 is worse than model_01",
    ...         "result": "pairs",
    ...         "where": {"model": "model_08"},
    ...         "says": "below",
    ...     },
    ... ]
    >>> apa.claims(stated, {"pairs": pairs}).tidy()["verdict"].item()
    'supported'
    """
    power = arguments.level("power", power)
    if not isinstance(stated, (list, tuple)) or not stated:
        raise InputError("stated", stated, "a list of claims, at least one")
    parts = [_parsed(one, i) for i, one in enumerate(stated)]
    names = [name for name, _, _ in parts]
    if len(set(names)) < len(names):
        raise InputError("stated", names, "claims with different names")
    rows: list[dict[str, Any]] = []
    for name, statement, tests in parts:
        judged = [_judge(t, results, power) for t in tests]
        if len(tests) > 1:  # which reading is of what
            judged = [
                j | {"reading": f"{_about(t)}: {j['reading']}"}
                for t, j in zip(tests, judged, strict=True)
            ]
        verdict = _joined([str(j["verdict"]) for j in judged])
        for part, found in enumerate(judged, start=1):
            head = {"claim": name, "part": part, "statement": statement}
            rows.append(head | found | {"verdict": verdict, "part_verdict": found["verdict"]})
    used = [results[t.result] for *_, tests in parts for t in tests if t.result in results]
    hashes = {r.provenance.data_hash for r in used if isinstance(r, Result)}
    info = Info(
        method="claims judged by intervals: shown where the whole interval lies on the claimed side",
        estimand="verdict",
        rule=(
            "a claim on all rows was judged by each interval on its own, one on any or most rows by limits that hold "
            "for the rows together; a claim whose interval straddles the value is undecided"
        ),
        held_fixed=(Held("what the results hold fixed", "what the results hold fixed"),),
        not_concluded="an undecided claim is neither true nor false",
        extra={"power": power},
    )
    only = hashes.pop() if len(hashes) == 1 else ""
    return Claims(pd.DataFrame(rows), info, Provenance(data_hash=only))


def _parsed(stated: Any, i: int) -> tuple[str, str, list[_Test]]:
    place = f"stated[{i}]"
    given = dict(arguments.mapping(place, stated, "a mapping with name, statement and a test"))
    name = arguments.text(f"{place}.name", str(given.pop("name", i + 1)))
    statement = arguments.text(
        f"{place}.statement", given.pop("statement", None), "the claim in words"
    )
    tests = given.pop("tests", None)
    if tests is None:
        tests = [given]
    elif given:
        raise InputError(f"{place}.{sorted(given)[0]}", given[sorted(given)[0]], "inside tests")
    out = []
    for test in tests:
        unknown = [
            k for k in arguments.mapping(f"{place}.tests", test) if k not in _Test.__annotations__
        ]
        if unknown:
            raise InputError(place, unknown[0], f"keys among {list(_Test.__annotations__)}")
        if "result" not in test:
            raise InputError(f"{place}.result", None, "the name of a result")
        t = _Test(**{k: v for k, v in test.items() if v is not None})
        arguments.choice(f"{place}.says", t.says, SAYS)
        arguments.mapping(f"{place}.where", t.where)
        if not (isinstance(t.rows, str) and t.rows in ROWS):
            arguments.number(
                f"{place}.rows", t.rows, above=0, most=1, allowed=f"one of {list(ROWS)} or a share"
            )
        out.append(t)
    if not out:
        raise InputError(f"{place}.tests", tests, "at least one test")
    return name, statement, out


def _joined(verdicts: list[str]) -> str:
    """Verdict of a claim that needs all its tests."""
    for decisive in (REFUTED, MUTE, UNDECIDED):
        if decisive in verdicts:
            return decisive
    return SUPPORTED


def _limits(value: Any, says: str) -> tuple[float, float]:
    """The region of the claim."""
    if says == "within":
        pair = (
            value
            if isinstance(value, (list, tuple))
            else (-arguments.number("value", value, above=0), value)
        )
        low, high = arguments.numbers("value", list(pair))
        if not low < high:
            raise InputError("value", value, "a number above 0, or a pair low < high")
        return low, high
    number = arguments.number("value", value)
    return (number, np.inf) if says == "above" else (-np.inf, number)


def _judge(test: _Test, results: Mapping[str, Any], power: float) -> dict[str, Any]:
    """Verdict of one test, with what it read."""
    empty = {
        "estimand": test.estimand, "margin": _margin(test), "test": _test_words(test), "verdict": MUTE,
        "estimate": np.nan, "conf_low": np.nan, "conf_high": np.nan, "n_shown": 0, "n_against": 0, "n_row": 0,
        "n_subject": np.nan, "n_needed": np.nan, "reading": "", "decides": test.needs, "method": "intervals",
    }  # fmt: skip
    if test.result not in results:
        reading = "not in these data"
        return empty | {
            "reading": reading,
            "decides": test.needs or f"data that give {test.result}",
        }
    frame, said = _frame(results[test.result])
    for column, level in test.where.items():
        arguments.column("where", column, frame.columns)
        wanted = level if isinstance(level, (list, tuple)) else [level]
        frame = frame[frame[column].astype(str).isin([str(v) for v in wanted])]
    if frame.empty:
        return empty | {"reading": "not in these data: no such rows"}
    empty["estimand"] = test.estimand or said
    return empty | (_by_p(frame, test) if test.says == "p" else _by_interval(frame, test, power))


def _verdict(shown: np.ndarray, against: np.ndarray, share: float) -> str:
    """Supported in more than the share of the rows (all of them where it is 1), refuted where that cannot be."""
    n = len(shown)
    if shown.sum() >= _enough(share, n, True):
        return SUPPORTED
    return REFUTED if against.sum() >= _enough(share, n, False) else UNDECIDED


def _counts(
    frame: pd.DataFrame, shown: np.ndarray, against: np.ndarray, verdict: str
) -> dict[str, Any]:
    people = _column(frame, "n_subject")
    return {
        "verdict": verdict,
        "n_shown": int(shown.sum()),
        "n_against": int(against.sum()),
        "n_row": len(frame),
        "n_subject": np.nanmax(people) if np.isfinite(people).any() else np.nan,
    }


def _tally(found: Mapping[str, Any]) -> str:
    if found["n_row"] == 1:
        return ""
    against = "none" if not found["n_against"] else found["n_against"]
    return f"shown in {found['n_shown'] or 'none'} of {found['n_row']} rows and contradicted in {against}"


def _decides(test: _Test, verdict: str, needed: float, power: float) -> str:
    """What would decide an undecided claim."""
    if verdict != UNDECIDED:
        return ""
    if test.needs or not np.isfinite(needed):
        return test.needs or "more people; how many these data cannot say"
    return (
        f"about {int(needed)} people (power {100 * power:.0f} %, estimate and spread taken as true)"
    )


def _by_interval(frame: pd.DataFrame, test: _Test, power: float) -> dict[str, Any]:
    """By where the intervals lie."""
    middle, own, joint = _intervals(frame, test)
    low, high = own
    region, share = _limits(test.value, test.says), _share(test)
    # that all rows hold is an intersection of claims: each by its own interval; one row that speaks against it is
    # picked among all, so it needs the joint limits. "any" is the mirror image, shares pick on both sides
    support, oppose = own if share == 1 else joint, own if share == 0 else joint
    shown = (support[0] >= region[0]) & (support[1] <= region[1])
    against = (oppose[1] < region[0]) | (oppose[0] > region[1])
    verdict = _verdict(shown, against, share)
    needed = np.nan
    if verdict == UNDECIDED:
        needed = _people(frame, middle, low, high, region, shown, against, share, power)
    found = _counts(frame, shown, against, verdict)
    i = _telling(middle, test, verdict)
    told = f"{_number(middle[i])} [{_number(low[i])}, {_number(high[i])}]"
    if len(frame) > 1:
        told = f"{_tally(found)}; closest to the limit was {_name(frame, i, test)} with {told}"
    return found | {
        "estimate": middle[i],
        "conf_low": low[i],
        "conf_high": high[i],
        "n_needed": needed,
        "reading": told,
        "decides": _decides(test, verdict, needed, power),
    }


def _by_p(frame: pd.DataFrame, test: _Test) -> dict[str, Any]:
    """By p-values, which never refute."""
    column = test.column or (
        "p_value_adjusted" if "p_value_adjusted" in frame.columns else "p_value"
    )
    arguments.column("column", column, frame.columns)
    p = frame[column].to_numpy("f8")
    joint = "adjusted" in column or test.together or test.rows == "all"
    limit = arguments.level("value", test.value) / (1 if joint else len(p))
    shown, against = p <= limit, np.zeros(len(p), dtype=bool)
    verdict = _verdict(shown, against, _share(test))
    found = _counts(frame, shown, against, verdict)
    return found | {
        "reading": _tally(found) or f"p = {float(p[0]):.4g}",
        "decides": _decides(test, verdict, np.nan, power=np.nan),
    }


def _share(test: _Test) -> float:
    """Share of the rows in which it must hold."""
    return float({"all": 1.0, "any": 0.0, "most": 0.5}.get(test.rows, test.rows))


def _frame(result: Any) -> tuple[pd.DataFrame, str]:
    if isinstance(result, Result):
        return result.table, result.info.estimand
    if isinstance(result, ScoreTable):
        return result.frame, ""
    return arguments.instance("results", result, pd.DataFrame, "results or data frames"), ""


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy("f8")


def _intervals(frame: pd.DataFrame, test: _Test) -> tuple[Any, ...]:
    """Estimates, the interval of each, and limits that hold for all rows together."""
    column = test.column or "estimate"
    lacking = [c for c in (column, "conf_low", "conf_high") if c not in frame.columns]
    if lacking:
        raise InputError(
            "results",
            f"{test.result} without {lacking[0]}",
            "a table with an estimate and its interval",
        )
    own = (_column(frame, "conf_low"), _column(frame, "conf_high"))
    middle = frame[column].to_numpy("f8")
    names = next((pair for pair in _JOINT if pair[0] in frame.columns), None)
    if test.together or len(frame) == 1:
        joint = own
    elif names is not None:
        joint = (_column(frame, names[0]), _column(frame, names[1]))
    else:
        error, df = _column(frame, "std_error"), _df(frame)
        if not np.isfinite(error).any() or not np.isfinite(df).any():
            hint = "together=True says that the intervals are joint already."
            raise InputError(
                "results", test.result, "joint limits, or std_error with df or n_subject", hint=hint
            )
        t = stdtrit(df, 1 - (1 - _level(frame)) / (2 * len(frame)))
        joint = (middle - t * error, middle + t * error)
    return middle, own, joint


def _df(frame: pd.DataFrame) -> np.ndarray:
    df = _column(frame, "df")
    return np.where(np.isfinite(df), df, _column(frame, "n_subject") - 1.0)


def _level(frame: pd.DataFrame) -> np.ndarray:
    return np.where(np.isfinite(_column(frame, "conf_level")), _column(frame, "conf_level"), 0.95)


def _telling(middle: np.ndarray, test: _Test, verdict: str) -> int:
    """The row that comes nearest to the other verdict."""
    low, high = _limits(test.value, test.says)
    inside = np.minimum(middle - low, high - middle)
    first = (
        np.nanargmin(inside) if verdict != REFUTED or test.rows == "all" else np.nanargmax(inside)
    )
    return int(first)


def _people(
    frame: pd.DataFrame,
    middle: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    region: tuple[float, float],
    shown: np.ndarray,
    against: np.ndarray,
    share: float,
    power: float,
) -> float:
    """People with which the claim would be decided if estimates and spreads are what they seem."""
    n, k = _column(frame, "n_subject"), len(frame)
    level = _level(frame)
    error = _column(frame, "std_error")
    with np.errstate(invalid="ignore"):
        error = np.where(
            np.isfinite(error), error, (high - low) / (2 * stdtrit(n - 1, (1 + level) / 2))
        )
    inside = (middle > region[0]) & (middle < region[1])
    one = (1 - level) / 2
    for_, against_ = (
        (one, one / k) if share == 1 else (one / k, one) if share == 0 else (one / k, one / k)
    )
    need = np.array([
        _needed(m, e * np.sqrt(c), region, float(a if i else b), power)
        for m, e, c, i, a, b in zip(middle, error, n, inside, for_, against_, strict=True)
    ])  # fmt: skip
    more = {
        True: _enough(share, k, True) - shown.sum(),
        False: _enough(share, k, False) - against.sum(),
    }
    decided = {True: shown, False: against}
    counts = []
    for side in (True, False):
        left = np.sort(need[(inside == side) & ~decided[side] & np.isfinite(need)])
        if 0 < more[side] <= len(left):
            counts.append(left[more[side] - 1])
    return float(min(counts)) if counts else np.nan


def _enough(share: float, n: int, supporting: bool) -> int:
    """Rows that must be shown (or spoken against) for a verdict."""
    if supporting:
        return n if share == 1 else int(np.floor(share * n + 1e-9)) + 1
    return 1 if share == 1 else n if share == 0 else int(np.ceil((1 - share) * n - 1e-9))


def _needed(
    truth: float, sd: float, region: tuple[float, float], alpha: float, power: float
) -> float:
    """Smallest number of people with the wanted power that the interval lies on one side."""
    if not np.isfinite(truth) or not sd > 0 or truth in region:
        return np.nan
    inside = region[0] < truth < region[1]
    bounded = inside and np.isfinite(region).all()

    def reached(n: int) -> bool:
        error, df = sd / np.sqrt(n), n - 1.0
        if bounded:
            return bool(
                tost_power(error, df, truth, region[0], region[1], alpha, "equivalence") >= power
            )
        gap = min(abs(truth - b) for b in region)
        return bool(1 - noncentral_t_cdf(stdtrit(df, 1 - alpha), df, gap / error) >= power)

    low, high = 1, 2
    while not reached(high):
        low, high = high, 2 * high
        if high > _MOST_PEOPLE:
            return np.nan
    while high - low > 1:
        mid = (low + high) // 2
        low, high = (low, mid) if reached(mid) else (mid, high)
    return float(high)


def _margin(test: _Test) -> str:
    """The limit as a table holds it: in plain characters, so that whoever reads a csv can make a number of it."""
    if test.says == "p":
        return ""
    low, high = _limits(test.value, test.says)
    if test.says == "within":
        return f"{low:g} to {high:g}"
    return f"{low if test.says == 'above' else high:g}"


def _test_words(test: _Test) -> str:
    rows = {"all": "in all rows", "any": "in some row", "most": "in most rows"}.get(
        test.rows,
        f"in more than {100 * test.rows:.0f} % of the rows"
        if not isinstance(test.rows, str)
        else "",
    )
    what = (
        f"p at most {test.value:g}"
        if test.says == "p"
        else f"interval {test.says} {_minus(_margin(test))}"
    )
    return f"{_about(test)}: {what}, {rows}"


def _number(value: float) -> str:
    return _minus(f"{value:.3g}")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def _about(test: _Test) -> str:
    """What a test is about, in words."""
    return test.estimand or test.result.replace("_", " ")


def _name(frame: pd.DataFrame, i: int, test: _Test) -> str:
    """Row by what tells it from the others: ``clip minus vjepa in V1``."""
    row = frame.iloc[i]
    told = [
        c
        for c in ("model", "roi", "metric", "term", "criterion", "contrast")
        if c in frame.columns and frame[c].nunique() > 1 and pd.notna(row[c])
    ]
    if {"model", "contrast"} <= set(told):
        told.remove("contrast")  # it names the model once more
    return ", ".join(str(row[c]) for c in told[:2]) or "a row"
