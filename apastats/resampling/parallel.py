"""The joblib seam: independent tasks, in order, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from apastats.errors import InputError

__all__ = ["check_jobs", "run_tasks"]


def check_jobs(n_jobs: int, batch: int | None) -> None:
    """Raise InputError unless ``n_jobs`` and ``batch`` are allowed."""
    whole = isinstance(n_jobs, (int, np.integer)) and not isinstance(n_jobs, bool)
    if not whole or n_jobs == 0:
        raise InputError("n_jobs", n_jobs, "a whole number above 0, or below 0 as in joblib")
    if batch is None:
        return
    whole = isinstance(batch, (int, np.integer)) and not isinstance(batch, bool)
    if not whole or batch < 1:
        raise InputError("batch", batch, "a whole number above 0, or None")


def run_tasks(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int = 1
) -> Iterator[Any]:
    """Results of ``function(*task)`` for all tasks, in their order.

    With ``n_jobs=1`` and no joblib backend set by the caller, everything runs here and joblib is not
    imported.
    """
    if n_jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield function(*task)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    yield from parallel(delayed(function)(*task) for task in tasks)
