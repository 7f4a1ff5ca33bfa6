"""How a result was called, written down from the signature of its verb: nothing of it is filled in by hand."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from apastats.arguments import border
from apastats.memory import budget, way_out
from apastats.results import Result
from apastats.threads import one_thread
from apastats.words import Facts

__all__ = ["call_text", "verb"]

P = ParamSpec("P")
R = TypeVar("R")

# more numbers than this, or a longer text, are described and not written out
MAX_NUMBERS = 20
MAX_TEXT = 1000


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """Verb, or method of a result: its arguments are checked, its results carry its call as ``provenance.call``.

    A table of scores adds it to ``facts.calls``, a set of RDMs to ``calls``.

    A verb within a verb records nothing that stays: the outermost call is what the user wrote. Values that are no
    results pass through.

    Examples
    --------
    >>> import apastats as apa
    >>> apa.power_tost(n=20, sd=1, bounds=0.5, alpha=0.05).provenance.call
    'power_tost(n=20, sd=1, bounds=0.5)'
    """
    plain = border(function)
    less = way_out(inspect.signature(function).parameters)

    @wraps(function)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        checked_args, checked_kwargs = plain(args, kwargs)
        with one_thread(), budget(less):
            found = function(*checked_args, **checked_kwargs)
        if isinstance(found, Result):
            made = replace(found.provenance, call=call_text(function, *args, **kwargs))
            return replace(found, provenance=made)
        if _calls(found) is None:
            return found
        # a copy: rows are not checked again
        made_of = copy.copy(found)
        given = [c for c in map(_calls, (*args, *kwargs.values())) if c is not None]
        before = dict.fromkeys(call for calls in given for call in calls)
        calls = (*before, call_text(function, *args, **kwargs))
        facts = getattr(found, "facts", None)
        if isinstance(facts, Facts):
            object.__setattr__(made_of, "facts", replace(facts, calls=calls))
        else:
            object.__setattr__(made_of, "calls", calls)
        return made_of

    return recorded


def _calls(value: Any) -> tuple[str, ...] | None:
    """The calls that a table of scores or a set of RDMs went through; nothing else keeps any."""
    facts = getattr(value, "facts", None)
    found = facts.calls if isinstance(facts, Facts) else getattr(value, "calls", None)
    return found if isinstance(found, tuple) else None


def call_text(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> str:
    """Call as text: data by what they are, and every option that is not at its default.

    A result among the arguments stands as the call that made it; a method follows the call of its object.

    Parameters
    ----------
    function : callable
        The verb, or a method as its class has it (the first argument is then ``self``).
    *args, **kwargs
        What it was called with.

    Examples
    --------
    >>> def fit(x, y=None, *, trim=0.2, names=("a", "b")): ...
    >>> call_text(fit, np.zeros(30), trim=0.1, names=["a", "b"])
    'fit(<array (30,)>, trim=0.1)'
    """
    signature = _signature(function)
    parameters, given = signature.parameters, signature.bind(*args, **kwargs).arguments
    parts, before = [], ""
    by_name = False
    for name, parameter in parameters.items():
        kind, default = parameter.kind, parameter.default
        if name == "self":
            before = f"{describe(given[name])}."
        elif name not in given or _same(given[name], default):
            by_name = True
        elif kind is parameter.VAR_POSITIONAL:
            parts += [describe(v, data=True) for v in given[name]]
        elif kind is parameter.VAR_KEYWORD:
            parts += [f"{k}={describe(v)}" for k, v in given[name].items()]
        else:
            text = describe(given[name], data=kind is not parameter.KEYWORD_ONLY)
            bare = kind is not parameter.KEYWORD_ONLY and not by_name
            parts.append(text if bare else f"{name}={text}")
    return f"{before}{function.__name__}({', '.join(parts)})"


@lru_cache(maxsize=512)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def describe(value: Any, *, data: bool = False) -> str:
    """Value as it is written in a call, or ``<what it is>`` where it would not fit there.

    Parameters
    ----------
    value : object
        Any argument.
    data : bool
        Whether it is what the verb works on: numbers are then described by their shape, however few.
    """
    if isinstance(value, Result):
        return value.provenance.call or f"<{type(value).__name__}>"
    if hasattr(value, "as_call"):
        return str(value.as_call())
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float | complex):
        return repr(value)
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, np.ndarray):
        return _array(value, data)
    if isinstance(value, pd.DataFrame | pd.Series):
        return f"<{type(value).__name__} {value.shape}>"
    if isinstance(value, Mapping):
        items = ", ".join(f"{describe(k)}: {describe(v, data=data)}" for k, v in value.items())
        return f"{{{items}}}" if len(items) <= MAX_TEXT else f"<dict of {len(value)}>"
    if isinstance(value, list | tuple | range | set | frozenset):
        return _sequence(value, data)
    return _other(value)


def _array(value: np.ndarray, data: bool) -> str:
    if data or value.size > MAX_NUMBERS or value.dtype.hasobject:
        ends = "" if data or value.dtype.kind not in "iuf" else _ends(value.ravel())
        return f"<array {value.shape}{ends}>"
    return repr(value.tolist())


def _other(value: Any) -> str:
    """What a value that no call can hold is: a function by its name, a table by its own line."""
    if inspect.isroutine(value):
        name = value.__name__
        return "<lambda>" if name == "<lambda>" else f"<function {name}>"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"<{type(value).__name__} {tuple(shape)}>"
    # the tables of this package say what they hold in one line; others may write out all of it
    own = type(value).__module__.startswith("apastats.")
    text = repr(value) if own else ""
    one_line = text.startswith("<") and text.count("<") == 1 and "\n" not in text
    return text if one_line and " at 0x" not in text else f"<{type(value).__name__}>"


def _sequence(value: Any, data: bool) -> str:
    items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
    name = type(value).__name__
    numeric = all(isinstance(v, int | float | np.number) for v in items)
    # a pair of bounds is no data
    if numeric and items and ((data and name != "tuple") or len(items) > MAX_NUMBERS):
        return f"<{name} of {len(items)}{'' if data else _ends(items)}>"
    inside = ", ".join(describe(v, data=data) for v in items)
    if len(inside) > MAX_TEXT:
        return f"<{name} of {len(items)}>"
    left, right = ("(", ",)" if len(items) == 1 else ")") if name == "tuple" else ("[", "]")
    return f"{left}{inside}{right}"


def _ends(values: Any) -> str:
    return f" from {float(values[0]):g} to {float(values[-1]):g}"


def _same(value: Any, default: Any) -> bool:
    """Whether a value says what the default says; a list and a tuple of the same items do."""
    if value is default:
        return True
    plain = (str, int, float, list, tuple)
    if not (isinstance(value, plain) and isinstance(default, plain)):
        return False
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(_same, value, default))
    # True is 1 for Python, not for a reader
    return isinstance(value, bool) == isinstance(default, bool) and bool(value == default)
