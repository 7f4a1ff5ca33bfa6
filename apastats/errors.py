"""Errors and warnings: every mistake a user can make ends in one of these classes.

A message says which argument or file is meant, what was found, and what is allowed.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

__all__ = [
    "ApaError",
    "ApaWarning",
    "CallError",
    "CeilingError",
    "CeilingWarning",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "DegenerateWarning",
    "DesignError",
    "DirectionWarning",
    "FormulaError",
    "InputError",
    "MarginError",
    "MemoryNeedError",
    "MissingExtraError",
    "MonteCarloWarning",
    "OutputExistsError",
    "ReadError",
    "RepeatedRowsError",
    "SingularFitWarning",
    "SmallSampleWarning",
    "StudyError",
    "warn",
]


class ApaError(Exception):
    """Base class of all errors raised on purpose by apastats."""


def shown(value: Any, limit: int = 200) -> str:
    """A value as messages show it: one that is long, large or cannot show itself is described."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape:
        return f"an array of shape {value.shape} and type {value.dtype}"
    if hasattr(value, "columns") and hasattr(value, "shape"):
        return f"a {type(value).__name__} of shape {value.shape}"
    if isinstance(value, (dict, list, tuple)) and any(map(_holds_arrays, _items(value))):
        begins = f", the first {next(iter(value))!r}" if isinstance(value, dict) else ""
        return f"a {type(value).__name__} of {len(value)} arrays{begins}"
    try:
        text = repr(value)
    except Exception:  # another's __repr__; an int of more digits than Python prints
        text = f"a {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _holds_arrays(value: Any) -> bool:
    inside = value if isinstance(value, tuple) else (value,)
    return any(hasattr(v, "dtype") and getattr(v, "shape", ()) for v in inside)


class InputError(ApaError, ValueError):
    """An argument has a value that is not allowed.

    Parameters
    ----------
    argument : str
        Name of the argument.
    value : object
        The value got.
    allowed : str
        What is allowed, in words.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> print(InputError("alpha", 2, "a number between 0 and 1"))
    alpha: got 2; allowed: a number between 0 and 1.
    """

    def __init__(self, argument: str, value: Any, allowed: str, *, hint: str = "") -> None:
        self.argument, self.value, self.allowed, self.hint = argument, value, allowed, hint
        message = f"{argument}: got {shown(value)}; allowed: {allowed}."
        super().__init__(f"{message} {hint}".strip())


class CallError(InputError, TypeError):
    """A call does not fit: an argument that the verb does not have, one too many, one twice, or one that is missing.

    Parameters
    ----------
    function : str
        What was called.
    argument : str
        Name of the argument.
    value : object
        The value got; None where there is none.
    fault : str
        What is wrong with it, in words.
    allowed : str
        What is allowed, in words.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> print(
    ...     CallError(
    ...         "tost", "bound", 0.1, "is no argument", "x, y, bounds", hint="Did you mean bounds=?"
    ...     )
    ... )
    tost: bound is no argument (got 0.1). Did you mean bounds=? Allowed: x, y, bounds.
    """

    def __init__(
        self, function: str, argument: str, value: Any, fault: str, allowed: str, *, hint: str = ""
    ) -> None:
        self.function, self.argument, self.value = function, argument, value
        self.allowed, self.hint = allowed, hint
        got = "" if value is None else f" (got {shown(value)})"
        parts = (f"{function}: {argument} {fault}{got}.", hint, f"Allowed: {allowed}.")
        ApaError.__init__(self, " ".join(part for part in parts if part))


class MarginError(InputError):
    """A margin is missing or impossible."""


class FormulaError(InputError):
    """A formula does not parse; the position of the fault is shown under it.

    Parameters
    ----------
    formula : str
        The formula as given.
    message : str
        What is wrong, and what is allowed.
    position : int, optional
        Index of the character the fault was seen at.
    """

    def __init__(self, formula: str, message: str, *, position: int | None = None) -> None:
        self.formula, self.position = formula, position
        start = max(0, (position or 0) - 60)  # of a long formula: the part around the fault
        part = formula[start : start + 120]
        pointer = "" if position is None else f"\n  {part}\n  {' ' * (position - start)}^"
        ApaError.__init__(self, f"formula: {shown(formula)}: {message}{pointer}")


class DataError(ApaError, ValueError):
    """The data contradict themselves or lack something that is needed."""


class ReadError(DataError):
    """A file cannot be read; the message begins with its path."""

    def __init__(self, path: Any, message: str) -> None:
        self.path = str(path)
        super().__init__(f"{path}: {message}")


class RepeatedRowsError(DataError):
    """Rows repeat the key of others.

    Parameters
    ----------
    message : str
        What is wrong.
    rows : tuple of int
        Numbers of the rows (from 0) that share the first repeated key.
    """

    def __init__(self, message: str, rows: tuple[int, ...]) -> None:
        self.rows = rows
        super().__init__(message)


class DesignError(DataError):
    """The design (subjects, ROIs, models) is too small or too ragged for what was asked."""


class CeilingError(DataError):
    """A noise ceiling is too close to zero, or unfit for what was asked."""


class ConvergenceError(ApaError, RuntimeError):
    """An iterative fit did not converge; the message says what was tried."""


class MemoryNeedError(ApaError, MemoryError):
    """More memory is needed than there is; the message says for what, and what would need less."""


class StudyError(ApaError, ValueError):
    """A study file is wrong; the message names file, line and key."""


class OutputExistsError(ApaError, FileExistsError):
    """The output exists already and is kept."""


class MissingExtraError(ApaError, ImportError):
    """An optional dependency is needed.

    Parameters
    ----------
    package : str
        The package that is missing.
    extra : str
        The extra of apastats that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; install it with: pip install 'apastats[{extra}]'"
        )


class ApaWarning(UserWarning):
    """Base class of all warnings given by apastats."""


class DegenerateWarning(ApaWarning):
    """Input without variation or without data gave NaN."""


class DirectionWarning(ApaWarning):
    """Scores point the wrong way: one side seems to hold similarities, not dissimilarities."""


class MonteCarloWarning(ApaWarning):
    """Monte-Carlo error is large enough to change a printed digit."""


class SmallSampleWarning(ApaWarning):
    """So few subjects that a procedure cannot do what its name promises."""


class AssumptionWarning(ApaWarning):
    """The data speak against what an interval or test takes for granted; it may be off its level."""


class CeilingWarning(ApaWarning):
    """A noise ceiling is low, or a score lies above it."""


class SingularFitWarning(ApaWarning):
    """A variance component is estimated on the boundary."""


class PseudoreplicationWarning(ApaWarning):
    """A fixed effect varies over the levels of a grouping, and the model has no term for it."""


class AliasedWarning(ApaWarning):
    """Fixed columns can be written by others (an empty combination of levels); they are left out."""


class ConvergenceWarning(ApaWarning):
    """A fit or a chain did not converge as it should."""


class ReproducibilityWarning(ApaWarning):
    """A study was made by another machine or other versions: digits beyond the printed ones are not compared."""


def warn(message: str, category: type[ApaWarning]) -> None:
    """Warn at the line that called into the package, however many of its own calls lie between."""
    own, level = str(Path(__file__).parent) + os.sep, 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(own):
        frame, level = frame.f_back, level + 1
    warnings.warn(category(message), stacklevel=level + 1)
