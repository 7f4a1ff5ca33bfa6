"""The border: one validator for each kind of argument, and the check of a verb by its own signature.

A validator returns the value in its plain form (``float``, ``int``, ``bool``, ``str``, float64 array) or raises an
:class:`~apastats.errors.InputError`. Code behind the border does not check again.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from apastats.calls import alike, misfit, not_among
from apastats.errors import DataError, DesignError, InputError
from apastats.memory import budget, way_out
from apastats.seeds import RngLike
from apastats.threads import one_thread

__all__ = [
    "applies",
    "array",
    "border",
    "checked",
    "choice",
    "column",
    "flag",
    "instance",
    "items",
    "jobs",
    "level",
    "mapping",
    "names",
    "number",
    "numbers",
    "off_device",
    "p_values",
    "path",
    "resamples",
    "rng",
    "samples",
    "text",
    "whole",
]

P = ParamSpec("P")
R = TypeVar("R")
Rule = Callable[[str, Any], Any]

MOST = 10**9  # no count of things (subjects, stimuli, rows to print) is larger
MOST_RESAMPLES = 10**7
MOST_TEXT = 4000


def choice(argument: str, value: Any, allowed: Iterable[str]) -> str:
    """One of a few words."""
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise not_among(argument, value, words)
    return str(value)


def column(argument: str, value: Any, columns: Iterable[Any]) -> str:
    """The name of a column that is there."""
    there = [str(c) for c in columns]
    if not isinstance(value, str) or value not in there:
        raise InputError(argument, value, f"columns among {there}", hint=alike(value, there))
    return str(value)


def flag(argument: str, value: Any) -> bool:
    """True or False; words and numbers are not taken for them (``"no"`` would be true)."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(argument, value, "True or False")
    return bool(value)


def _range(kind: str, above: Any, least: Any, below: Any, most: Any) -> str:
    if above is not None and below is not None:
        return f"{kind} between {above} and {below}"
    words = {"above": above, "from": least, "up to (not including)": below, "up to": most}
    if least is None and above is None and below is not None:
        words = {"below": below}
    return " ".join([kind, *(f"{word} {end}" for word, end in words.items() if end is not None)])


def number(
    argument: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    allowed: str = "",
) -> float:
    """A finite real number within the ends given."""
    real = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    try:
        out = float(value) if real else math.nan
    except OverflowError:  # an int beyond the largest float
        out = math.inf
    inside = math.isfinite(out) and not (
        (above is not None and not out > above)
        or (least is not None and not out >= least)
        or (below is not None and not out < below)
        or (most is not None and not out <= most)
    )
    if not inside:
        allowed = allowed or _range("a finite number", above, least, below, most)
        raise InputError(argument, value, allowed)
    return out


def level(argument: str, value: Any) -> float:
    """A probability strictly between 0 and 1: 0.95, not 95."""
    # closer to an end no distribution has a quantile that double precision holds
    allowed = "a number between 0 and 1, at least 1e-12 from both"
    return number(argument, value, above=1e-12, below=1 - 1e-12, allowed=allowed)


def whole(
    argument: str, value: Any, *, least: int | None = None, most: int = MOST, allowed: str = ""
) -> int:
    """A whole number within the ends given; ``3.0`` is not one."""
    integral = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))
    if not integral or not (-most if least is None else least) <= int(value) <= most:
        shown = None if most == MOST else most
        allowed = allowed or _range("a whole number", None, least, None, shown)
        raise InputError(argument, value, allowed)
    return int(value)


def text(argument: str, value: Any, allowed: str = "") -> str:
    """A text of a length that a message can still show."""
    usable = isinstance(value, str) and len(value) <= MOST_TEXT
    if not usable or any("\ud800" <= c <= "\udfff" for c in value):  # halves of characters
        allowed = allowed or f"a text (up to {MOST_TEXT:,} characters)"
        table = argument == "formula" and not isinstance(value, str)
        hint = "The formula comes first: ('score ~ model | roi', data)." if table else ""
        raise InputError(argument, value, allowed, hint=hint)
    return str(value)


def names(argument: str, value: Any, *, least: int = 1, once: bool = True) -> tuple[str, ...]:
    """Names (each once), from one name or a sequence of them."""
    found = (value,) if isinstance(value, str) else value
    out = items(argument, found, "a name or a list of names")
    if not all(isinstance(n, str) for n in out):
        raise InputError(argument, value, "a name or a list of names")
    out = tuple(text(argument, n) for n in out)
    if len(out) < least or (once and len(set(out)) < len(out)):
        raise InputError(argument, value, once * "distinct " + f"names, at least {least}")
    return out


def items(
    argument: str, value: Any, allowed: str = "a list", *, length: int | None = None
) -> tuple[Any, ...]:
    """Hashable labels in their order: of a list, tuple, one-dimensional array, Series or Index."""
    ordered = isinstance(value, (Sequence, np.ndarray, pd.Series, pd.Index))
    try:
        if not ordered or isinstance(value, (str, bytes)) or np.ndim(value) > 1:
            raise TypeError
        out = tuple(v.item() if isinstance(v, np.generic) else v for v in value)
        hash(out)
    except (TypeError, ValueError):  # not iterable, ragged, or not hashable
        raise InputError(argument, value, allowed) from None
    if length is not None and len(out) != length:
        raise InputError(argument, f"{len(out)} values", f"{length} values, {allowed}")
    return out


def labels(argument: str, value: Any, allowed: str = "a list") -> tuple[Any, ...]:
    """Labels of rows, none of them missing: a missing one would be a group of its own, or one with all others."""
    found = items(argument, value, allowed)
    missing = [k for k, v in enumerate(found) if v is None or v != v]
    if missing:
        raise InputError(argument, f"no label in row {missing[0]}", f"{allowed}, none missing")
    return found


def path(argument: str, value: Any) -> Path:
    """A path, of a file or folder that need not exist."""
    try:
        out = Path(value)
        encoded = str(out).encode()  # what no file system takes is refused before it is asked
        if str(value) and b"\0" not in encoded and max(map(len, encoded.split(b"/"))) <= 255:
            return out
    except (TypeError, ValueError):
        pass
    raise InputError(argument, value, "a path")


def resamples(argument: str, value: Any) -> int | str:
    """``"auto"``, ``"exact"`` or how many."""
    if isinstance(value, str) and value in ("auto", "exact"):
        return str(value)
    allowed = f"'auto', 'exact' or a whole number above 0 (up to {MOST_RESAMPLES:,})"
    return whole(argument, value, least=1, most=MOST_RESAMPLES, allowed=allowed)


def jobs(argument: str, value: Any) -> int:
    """Workers, as joblib counts them."""
    allowed = "a whole number above 0, or below 0 as in joblib"
    if (out := whole(argument, value, allowed=allowed)) == 0:
        raise InputError(argument, value, allowed)
    return out


def rng(argument: str, value: Any) -> RngLike:
    """A seed or a source of random numbers; nothing is drawn."""
    seed = (
        isinstance(value, Integral) and not isinstance(value, (bool, np.bool_)) and int(value) >= 0
    )
    if seed or isinstance(value, (np.random.Generator, np.random.SeedSequence)):
        return value
    allowed = "a non-negative int, a numpy Generator or SeedSequence, or None"
    raise InputError(argument, value, allowed)


def mapping(argument: str, value: Any, allowed: str = "a mapping") -> Mapping[Any, Any]:
    """A mapping."""
    if not isinstance(value, Mapping):
        keys = {"brain": ("sub-01", "V1"), "models": ("net", "layer")}.get(argument)
        hint = f"By name: {{{keys}: array [stimulus, unit], ...}}." if keys else ""
        raise InputError(argument, value, allowed, hint=hint)
    return value


def instance(argument: str, value: Any, kinds: type | tuple[type, ...], allowed: str = "") -> Any:
    """An object of a class."""
    if not isinstance(value, kinds):
        classes = kinds if isinstance(kinds, tuple) else (kinds,)
        raise InputError(argument, value, allowed or " or ".join(_called(k) for k in classes))
    return value


def _called(kind: type) -> str:
    article = "an" if kind.__name__.startswith(("A", "E", "I", "O", "RDM")) else "a"
    made = getattr(kind, "made_by", "")
    return f"{article} {kind.__name__}" + (f" ({made} makes one)" if made else "")


def array(
    argument: str,
    value: Any,
    *,
    ndim: int | tuple[int, ...] | None = None,
    missing: bool = True,
    infinite: bool = False,
    allowed: str = "an array of numbers",
) -> np.ndarray:
    """Real numbers as a float64 array; NaN and infinite values only where the caller deals with them."""
    try:
        raw = np.asarray(off_device(value))
        if raw.dtype.kind == "O" and any(isinstance(v, (str, bytes)) for v in raw.flat):
            raise TypeError("text")
        out = raw.astype(np.float64) if raw.dtype.kind in "biufO" else None
    except Exception:  # conversion runs foreign code (__array__, __float__)
        out = None
    if out is None:
        table = hasattr(value, "columns") or (isinstance(value, str) and "~" in value)
        hint = (
            "Tables with a formula are taken by equivalence, compare and bootstrap."
            if table
            else ""
        )
        raise InputError(argument, value, allowed, hint=hint)
    if ndim is not None and out.ndim not in (ndim if isinstance(ndim, tuple) else (ndim,)):
        raise InputError(argument, f"an array of shape {out.shape}", allowed)
    if not infinite and np.isinf(out).any():
        raise InputError(argument, "an infinite value", "finite numbers, NaN for missing")
    if not missing and np.isnan(out).any():
        raise InputError(argument, "a missing value", "finite numbers")
    return out


def off_device(value: Any) -> Any:
    """A tensor of torch as one that numpy takes: without its graph, on the CPU, half precision as single."""
    if not all(hasattr(value, name) for name in ("detach", "cpu", "dtype")):
        return value
    tensor = value.detach().cpu()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def numbers(argument: str, value: Any, **ends: Any) -> list[float]:
    """Finite numbers within the ends of :func:`number`, from one of them or a list."""
    allowed = "a number or a list of numbers"
    found = np.atleast_1d(array(argument, value, ndim=(0, 1), missing=False, allowed=allowed))
    if not found.size:
        raise InputError(argument, value, allowed)
    return [number(argument, v, **ends) for v in found.tolist()]


def p_values(
    argument: str, value: Any, *, ndim: int | None = 1, missing: bool = False
) -> np.ndarray:
    """Numbers between 0 and 1; NaN only where ``missing``."""
    allowed = "a list of numbers between 0 and 1"
    out = array(argument, value, ndim=ndim, missing=missing, allowed=allowed)
    outside = (out < 0) | (out > 1)
    if outside.any():
        raise InputError(argument, float(out[outside].flat[0]), "numbers between 0 and 1")
    return out


def samples(x: Any, y: Any, paired: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """One or two samples without missing values; pairs are dropped together."""
    line = "a one-dimensional array of numbers"
    first = array("x", x, ndim=1, allowed=line)
    second = None if y is None else array("y", y, ndim=1, allowed=line)
    if second is not None and flag("paired", paired):
        if len(first) != len(second):
            found, wanted = f"{len(second)} values", f"{len(first)} values, as many as x"
            raise InputError("y", found, wanted, hint="Or paired=False.")
        keep = ~(np.isnan(first) | np.isnan(second))
        first, second = first[keep], second[keep]
    else:
        first = first[~np.isnan(first)]
        second = None if second is None else second[~np.isnan(second)]
    for name, sample in (("x", first), ("y", second)):
        if sample is not None and len(sample) < 2:
            raise DesignError(f"{name}: {len(sample)} values; at least 2 are needed")
    return first, second


def applies(
    option: str,
    value: Any,
    *,
    to: Iterable[str],
    chosen: str,
    by: str = "test",
    default: Any = None,
) -> None:
    """Refuse an option that the chosen method would never read.

    Parameters
    ----------
    option : str
        Name of the option.
    value : object
        Its value; the default stands for "not given".
    to : iterable of str
        The methods it belongs to.
    chosen : str
        The method chosen.
    by : str
        The option that chooses the method.
    default : object
        Default of the option.

    Raises
    ------
    InputError
        If the option is given and does not belong to the method.
    """
    methods = list(to)
    if value is None or value is default or chosen in methods:
        return
    if isinstance(value, (str, bool, int, float)) and value == default:
        return
    hint = f"{option} is an option of {by} among {methods}."
    raise InputError(option, value, f"its default ({default!r}) with {by}={chosen!r}", hint=hint)


READER = "apa.read"  # what makes a table of scores, and so what a frame goes through

# what a name means wherever it stands: the same words and the same check in every verb
COMMON: dict[str, Rule] = {
    "adjust": lambda argument, value: None if value is None else text(argument, value),
    "alpha": level,
    "conf_level": level,
    "n_resamples": resamples,
    "n_jobs": jobs,
    "rng": rng,
    "study_text": lambda argument, value: instance(argument, value, (str, type(None)), "a text"),
    "batch": functools.partial(whole, least=1, allowed="a whole number above 0, or None"),
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: its arguments pass its :func:`border` first."""
    plain = border(function)
    less = way_out(inspect.signature(function).parameters)

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        args_, kwargs_ = plain(args, kwargs)
        with one_thread(), budget(less):
            return function(*args_, **kwargs_)

    return run


def border(function: Callable[..., Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Check of the arguments of a function by their names (:data:`COMMON`) and annotations.

    What an annotation cannot say (the words of a choice, a range) the function checks in its first lines.

    Returns
    -------
    callable
        ``(args, kwargs)`` to the same in their plain form: ``numpy.int64(3)`` as ``3``. Values at their default pass.
    """
    signature = inspect.signature(function)

    @functools.cache
    def rules() -> dict[str, Rule]:
        # annotations are read at the first call: their classes need not be loaded at import
        hints = _hints(function)
        named = (p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD)
        found = {p.name: _rule(p.name, hints.get(p.name, Any)) for p in named}
        return {name: rule for name, rule in found.items() if rule is not None}

    def plain(args: Any, kwargs: Any) -> tuple[Any, Any]:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            raise misfit(function, signature, args, kwargs) from None
        for name, rule in rules().items():
            if name in bound.arguments:
                value, parameter = bound.arguments[name], signature.parameters[name]
                if parameter.kind is parameter.VAR_POSITIONAL:
                    bound.arguments[name] = tuple(rule(name, v) for v in value)
                elif value is not parameter.default:
                    bound.arguments[name] = rule(name, value)
        return bound.args, bound.kwargs

    return plain


class _Names(dict[str, Any]):
    """Names of a module; those that only type checkers import stand for anything."""

    def __missing__(self, name: str) -> Any:
        return Any


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    names_there = _Names({**vars(builtins), **function.__globals__})
    return typing.get_type_hints(function, function.__globals__, names_there)


def _rule(name: str, hint: Any) -> Rule | None:
    """Validator of one parameter; None where everything may pass."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = list(typing.get_args(hint)) if union else [hint]
    optional = type(None) in kinds
    if name in COMMON:
        rule = COMMON[name]
    else:
        paths = Path in kinds  # a text is then a path too
        # a frame stands for the table that its reader makes of it, unless the verb takes frames or reads by itself
        frames = any(getattr(k, "made_by", "") == READER for k in kinds)
        if frames and not paths and pd.DataFrame not in kinds:
            rules = [_of_kind(k) for k in kinds if k is not type(None)]
            each = [r for r in rules if r is not None]
            other = functools.partial(_either, rules=each) if len(each) == len(rules) else None
            return functools.partial(_or_read, rule=other, optional=optional)
        kinds = [k for k in kinds if k is not type(None) and not (paths and k is str)]
        found = [_of_kind(kind) for kind in kinds]
        known = [r for r in found if r is not None]
        if len(known) < len(found) or not known:
            return None  # one of the kinds may be anything
        rule = known[0] if len(known) == 1 else functools.partial(_either, rules=known)
    return functools.partial(_or_none, rule=rule) if optional else rule


def _of_kind(kind: Any) -> Rule | None:
    """Validator of a plain annotation; None for those a verb checks itself (arrays, anything)."""
    origin = typing.get_origin(kind) or kind
    if origin is typing.Literal:
        return functools.partial(choice, allowed=typing.get_args(kind))
    if origin in (Sequence, tuple, list) and str in typing.get_args(kind):
        return _texts
    if origin is Mapping or origin is dict:
        return mapping
    if origin is Callable:
        return _function
    plain: dict[Any, Rule] = {bool: flag, int: whole, float: number, str: text, Path: path}
    if origin in plain:
        return plain[origin]
    own = isinstance(origin, type) and origin.__module__.startswith(("apastats", "pandas"))
    return functools.partial(instance, kinds=origin) if own else None


def _texts(argument: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):  # a sequence of letters
        raise InputError(argument, value, "a list of names")
    return names(argument, value, least=0, once=False)


def _function(argument: str, value: Any) -> Any:
    if not callable(value):
        raise InputError(argument, value, "a function")
    return value


def _or_none(argument: str, value: Any, *, rule: Rule) -> Any:
    return None if value is None else rule(argument, value)


def _or_read(argument: str, value: Any, *, rule: Rule | None, optional: bool) -> Any:
    """The table that ``apastats.read`` makes of a frame; anything else as it is."""
    if isinstance(value, pd.DataFrame):
        import apastats

        try:
            return apastats.read(value)
        except DataError as error:
            told = str(error).partition("\nOn the command line:")[0]
            way = (
                f"Read it with these options and give the table: {argument} = apa.read(frame, ...)"
            )
            raise DataError(f"{told}\n{way}") from error
    return value if rule is None or (optional and value is None) else rule(argument, value)


def _either(argument: str, value: Any, *, rules: Sequence[Rule]) -> Any:
    allowed = []
    for rule in rules:
        try:
            return rule(argument, value)
        except InputError as error:
            allowed.append(error.allowed)
    raise InputError(argument, value, " or ".join(allowed))
