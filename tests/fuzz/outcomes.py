"""What a call came to: a result, an error of the package, or one of the three things that must not be."""

from __future__ import annotations

import contextlib
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from hypothesis.strategies import SearchStrategy

from apastats.errors import ApaError

LIMIT = 20  # seconds a call may work
STARVED = 30  # on a machine that others use, a call may wait so many times as long
LONGEST = 2000  # characters of a message
WRONG = ("escaped", "hang")


class Outcome(NamedTuple):
    """``what``: result, refused, escaped or hang; ``where``: innermost line of the package."""

    what: str
    error: str = ""
    where: str = ""


class HangError(BaseException):
    """A call took longer than LIMIT."""


@contextlib.contextmanager
def limited(seconds: float = LIMIT) -> Iterator[None]:
    """Stop what works longer, and what waits for something that does not come."""

    def stop(*_: Any) -> None:
        raise HangError

    timers = {
        (signal.SIGPROF, signal.ITIMER_PROF): seconds,
        (signal.SIGALRM, signal.ITIMER_REAL): seconds * STARVED,
    }
    before = {name: signal.signal(name, stop) for name, _ in timers}
    for (_, timer), length in timers.items():
        signal.setitimer(timer, length)
    try:
        yield
    finally:
        for _, timer in timers:
            signal.setitimer(timer, 0)
        for name, handler in before.items():
            signal.signal(name, handler)


def outcome_of(call: Callable[[], Any]) -> Outcome:
    """Call, within the time it may take."""
    try:
        with limited(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            call()
    except ApaError as error:
        long = len(str(error)) > LONGEST
        return Outcome("escaped", "message too long", _where(error)) if long else Outcome("refused")
    except HangError as error:
        return Outcome("hang", "", _where(error))
    except Exception as error:
        return Outcome("escaped", f"{type(error).__name__}: {str(error)[:80]}", _where(error))
    return Outcome("result")


class Found(NamedTuple):
    """Counts of outcomes, and an input of each kind that must not be."""

    counts: Counter[str]
    kinds: dict[Outcome, Any]


def tried(
    inputs: SearchStrategy[Any],
    call: Callable[[Any], Any],
    number: int,
    *,
    corpus: Sequence[Any] = (),
    start: int | None = None,
) -> Found:
    """Call with every input of the corpus, and with so many that are generated.

    ``start`` is the seed; without one the inputs are the same every time.
    """
    counts, kinds = Counter[str](), {}

    def attempt(value: Any) -> None:
        outcome = outcome_of(lambda: call(value))
        counts[outcome.what] += 1
        if outcome.what in WRONG:
            kinds.setdefault(outcome, value)

    test = given(inputs)(attempt)
    for value in corpus:
        test = example(value)(test)
    test = settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=start is None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )(test)
    if start is not None:
        test = seed(start)(test)
    test()
    return Found(counts, kinds)


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/apastats/" in f.filename and "arguments.py" not in f.filename]
    last = own[-1] if own else frames[-1]
    return f"{last.filename.split('/apastats/')[-1]}:{last.lineno} {last.name}"
