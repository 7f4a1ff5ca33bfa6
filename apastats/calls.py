"""A call that does not fit a signature, in words: which argument is meant, and what it is named here."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from apastats.elsewhere import ARGUMENTS, INSTEAD, METHODS, VERBS, WORDS
from apastats.errors import CallError, InputError, shown

__all__ = ["Tabled", "alike", "instead", "misfit", "nearest", "not_among"]

NO_MARGIN = "There is no default margin: give the smallest difference that matters."
_FORMULA_FIRST = "The formula comes first: {}('score ~ model | roi', data)."


def instead(name: str) -> str:
    """A hint for a name that the package does not have.

    Examples
    --------
    >>> instead("calc_rdm"), instead("equivalance"), instead("plot")
    ('Did you mean rdms_from_patterns?', 'Did you mean equivalence?', 'plot() is a method of results.')
    """
    from apastats import EXPORTS

    low = name.lower()
    meant = next((v for v, others in VERBS.items() if low in others), None)
    if meant is None:
        if low in METHODS or low in ("glance", "to_markdown", "to_html", "to_word"):
            return f"{low}() is a method of results."
        close = difflib.get_close_matches(low, [v.lower() for v in EXPORTS], n=1, cutoff=0.75)
        meant = next((v for v in EXPORTS if close and v.lower() == close[0]), None)
    return f"Did you mean {meant}?" if meant else "dir(apastats) lists the verbs."


class Tabled:
    """What has a table and is none: a name it lacks, or its use as a sequence, ends in what is meant."""

    table_by: ClassVar[str] = "tidy()"  # how the table is had

    if not TYPE_CHECKING:  # a checker would take every name for one that is there

        def __getattr__(self, name):
            if name.startswith("_"):  # asked by copy, pickle and consoles
                raise AttributeError(name)
            raise AttributeError(_no_attribute(self, name, self.table_by))

        def __getitem__(self, key):
            raise TypeError(f"a {type(self).__name__} is no table: {self.table_by}[{key!r}]")

        __iter__ = None  # list(...) is an error, not a search by number

        def __array__(self, dtype=None, copy=None):
            # one object: by __getitem__ numpy would take it for a sequence of rows
            out = np.empty((), dtype=object)
            out[()] = self
            return out


def _no_attribute(owner: Any, name: str, table: str) -> str:
    """What is said of an attribute that is not there."""
    said = f"{type(owner).__name__!r} object has no attribute {name!r}."
    frame = vars(owner).get(table.strip("()."), vars(owner).get("table"))
    low = name.lower()
    methods = [m for m in dir(type(owner)) if not m.startswith("_")]
    meant = [m for m in methods if low in METHODS.get(m, ())] or difflib.get_close_matches(
        low, methods, n=1, cutoff=0.75
    )
    if frame is not None and name in getattr(frame, "columns", ()):
        return f"{said} It is a column: {table}[{name!r}]."
    if meant:
        return f"{said} Did you mean {meant[0]}?"
    if hasattr(type(frame), name):
        return f"{said} The table is a pandas frame: {table}.{name}."
    return f"{said} {table} is its table; it has {', '.join(methods)}."


def nearest(name: str, allowed: Sequence[str]) -> str | None:
    """The allowed name that is meant by another one: the same thing elsewhere, or nearly the same letters.

    Examples
    --------
    >>> (
    ...     nearest("n_boot", ["alpha", "n_resamples"]),
    ...     nearest("Alpha", ["alpha"]),
    ...     nearest("colour", ["alpha"]),
    ... )
    ('n_resamples', 'alpha', None)
    """
    low = name.lower()
    known = [own for own in ARGUMENTS if own in allowed and low in ARGUMENTS[own]]
    if known:
        return known[0]
    close = difflib.get_close_matches(low, [own.lower() for own in allowed], n=1, cutoff=0.6)
    return next((own for own in allowed if own.lower() == close[0]), None) if close else None


def alike(value: Any, allowed: Iterable[Any]) -> str:
    """The allowed word that another spelling stands for, as a hint; "" where none does.

    Examples
    --------
    >>> alike("rho_a", ["corr", "rho-a"]), alike("hedges_g", ["d", "g"]), alike("x", ["corr"])
    ("Did you mean 'rho-a'?", "Did you mean 'g'?", '')
    >>> alike("cka-debiasd", ["cka", "cka-debiased"])
    "Did you mean 'cka-debiased'?"
    """
    words = [str(v) for v in allowed]
    plain = {"".join(_parts(w)): w for w in reversed(words)}
    parts = _parts(value) if isinstance(value, (str, int)) else []
    wrote = "".join(parts)
    if not wrote:
        return ""
    begun = [w for k, w in plain.items() if len(wrote) > 2 and k.startswith(wrote)]
    if begun and all(w.startswith(min(begun, key=len)) for w in begun):
        begun = [min(begun, key=len)]  # cosine of cosine and cosine_cov
    same = [w for w in words if wrote in WORDS.get(w, ())]
    whole = [w for w in words if w.casefold() in parts]
    # a letter or two wrong, then a beginning or a part, then what is a little like it
    near, close = (
        [plain[k] for k in difflib.get_close_matches(wrote, list(plain), n=1, cutoff=cutoff)]
        for cutoff in (0.9, 0.75)
    )
    exact = [plain[wrote]] if wrote in plain else []
    found = next((c[0] for c in (exact, same, near, begun, whole, close) if len(c) == 1), None)
    return f"Did you mean {found!r}?" if found is not None else ""


def not_among(argument: str, value: Any, allowed: Iterable[Any]) -> InputError:
    """The error of a value that is none of those allowed, with the one that is meant.

    Examples
    --------
    >>> print(not_among("roi", "v1", ["V1", "V4"]))
    roi: got 'v1'; allowed: one of ['V1', 'V4']. Did you mean 'V1'?
    """
    words = list(allowed)
    return InputError(argument, value, f"one of {words}", hint=alike(value, words))


def _parts(value: Any) -> list[str]:
    """Letters and digits between other marks, in small letters."""
    return ["".join(g) for plain, g in groupby(str(value).casefold(), str.isalnum) if plain]


def misfit(
    function: Any, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> CallError:
    """The error of a call that :meth:`inspect.Signature.bind` refuses.

    Parameters
    ----------
    function : callable
        What was called.
    signature : inspect.Signature
        Its signature.
    args, kwargs
        What it was called with.

    Returns
    -------
    CallError
        Of the first that holds: an argument it does not have, too many by position, one given twice, one missing.
    """
    name = function.__name__
    parameters = {k: p for k, p in signature.parameters.items() if k not in ("self", "cls")}
    given = list(args[len(signature.parameters) - len(parameters) :])
    kinds = {p.kind for p in parameters.values()}
    takes = ", ".join(parameters) or "nothing"
    unknown = next((k for k in kwargs if k not in parameters), None)
    if unknown is not None and inspect.Parameter.VAR_KEYWORD not in kinds:
        return _unknown(name, unknown, kwargs, list(parameters))
    places = [k for k, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_place = f"{', '.join(places)} by position" if places else "nothing by position"
    if len(given) > len(places) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        named = [f"{k}=" for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
        allowed = f"{by_place}, by name {', '.join(named)}" if named else by_place
        fault = f"by position is number {len(given)}"
        return CallError(name, "an argument", given[-1], fault, allowed)
    twice = next((k for k in places[: len(given)] if k in kwargs), None)
    if twice is not None:
        fault = (
            f"is given twice, by name and by position as {shown(given[places.index(twice)], 60)}"
        )
        return CallError(name, twice, kwargs[twice], fault, by_place)
    there = {*kwargs, *places[: len(given)]}
    missing = [k for k, p in parameters.items() if _needed(p) and k not in there]
    fault = "is missing" if len(missing) == 1 else "are missing"
    hint = _of_missing(name, missing, given, parameters)
    return CallError(name, ", ".join(missing), None, fault, takes, hint=hint)


def _of_missing(
    name: str, missing: Sequence[str], given: Sequence[Any], parameters: Mapping[str, Any]
) -> str:
    """That there is no default margin, and that a formula comes before the data."""
    hint = NO_MARGIN if "bounds" in missing else ""
    first = given[0] if given else ""
    if "data" in missing and "formula" in parameters and not isinstance(first, str):
        return f"{_FORMULA_FIRST.format(name)} {hint}".strip()
    return hint


def _unknown(
    function: str, name: str, kwargs: Mapping[str, Any], allowed: Sequence[str]
) -> CallError:
    meant = nearest(name, [k for k in allowed if k not in kwargs])
    methods = [] if meant else _methods(function, name)
    beside = [] if meant or methods else _siblings(function, name)
    hint = f"Did you mean {meant}=?" if meant else INSTEAD.get(name.lower(), "")
    if methods:
        hint = f"{name}= is an argument of {function}(...).{methods[0]}()."
    elif beside:
        hint = f"{name}= is an argument of {' and '.join(beside)}."
    listed = ", ".join(allowed) or "nothing"
    return CallError(function, name, kwargs[name], "is no argument", listed, hint=hint)


def _methods(function: str, argument: str) -> list[str]:
    """Methods of a verb's result that have an argument of this name."""
    import apastats

    verb = getattr(apastats, function, None) if function in apastats.EXPORTS else None
    made = getattr(inspect.unwrap(verb), "__annotations__", {}).get("return") if verb else None
    kind = getattr(inspect.getmodule(inspect.unwrap(verb)), str(made), None) if verb else None
    if not (inspect.isclass(kind) and hasattr(kind, "tidy")):
        return []
    own = {n: m for n, m in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")}
    return [
        n
        for n, m in own.items()
        if not m.__module__.endswith(".results") and argument in inspect.signature(m).parameters
    ]


def _siblings(function: str, argument: str) -> list[str]:
    """Verbs that a verb's docstring sends the reader to, of those that have an argument of this name."""
    import apastats

    if function not in apastats.EXPORTS:
        return []
    text = inspect.getdoc(getattr(apastats, function)) or ""  # none under python -OO
    part = text.partition("See Also\n--------\n")[2].split("\n\n")[0]
    named = [w for w in re.findall(r"\w+", part) if w in apastats.EXPORTS]
    verbs = {w: getattr(apastats, w) for w in named}
    found = {w: inspect.signature(v).parameters for w, v in verbs.items() if inspect.isfunction(v)}
    return [w for w, parameters in found.items() if argument in parameters]


def _needed(parameter: inspect.Parameter) -> bool:
    variable = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variable
