"""The joblib seam: independent tasks in order, on any backend, resumable, with a bar at a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from apastats.resampling.store import BlockStore

__all__ = ["elsewhere", "run_tasks"]

Arrays = dict[str, np.ndarray]

_PATIENCE = 2.0  # seconds of work before a progress bar appears


def run_tasks(
    function: Callable[..., Arrays],
    tasks: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int = 1,
    store: BlockStore | None = None,
    label: str = "resampling",
) -> Iterator[Arrays]:
    """Results of ``function(*task)`` for all tasks, in their order.

    Parameters
    ----------
    function : callable
        Returns a dict of arrays; depends on its arguments only.
    tasks : sequence of tuple
        Arguments.
    n_jobs : int
        Workers of joblib. With 1, and no joblib backend configured by the caller, everything runs
        here and joblib is not imported.
    store : BlockStore, optional
        Finished tasks are read from there and new ones written.
    label : str
        Shown beside the bar.

    Notes
    -----
    BLAS runs with one thread: two would round differently, and workers would fight for cores.
    """
    done = [store.load(i) if store else None for i in range(len(tasks))]
    todo = [i for i, found in enumerate(done) if found is None]
    with threadpool_limits(1, "blas"), _Bar(len(tasks), len(tasks) - len(todo), label) as bar:
        fresh = _results(function, [tasks[i] for i in todo], n_jobs)
        for i, found in enumerate(done):
            if found is None:
                found = next(fresh)
                if store:
                    store.save(i, found)
                bar.step()
            else:
                done[i] = None
            yield found


def _results(
    function: Callable[..., Arrays], tasks: list[tuple[Any, ...]], n_jobs: int
) -> Iterator[Arrays]:
    """Results in order, here or through joblib."""
    configured = elsewhere()
    if (n_jobs == 1 and not configured) or not tasks:
        for task in tasks:
            yield function(*task)
        return
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    jobs = None if n_jobs == 1 else n_jobs
    streams = getattr(get_active_backend()[0], "supports_return_generator", False)
    parallel = Parallel(
        n_jobs=jobs, return_as="generator" if streams else "list", pre_dispatch="3 * n_jobs"
    )
    yield from parallel(delayed(_single_threaded)(function, task) for task in tasks)


def _single_threaded(function: Callable[..., Arrays], task: tuple[Any, ...]) -> Arrays:
    """One task in a worker process, BLAS limited there too; what it calls sends no tasks of its own."""
    from joblib import parallel_config

    with threadpool_limits(1, "blas"), parallel_config("sequential"):
        return function(*_aligned(task))


def _aligned(task: tuple[Any, ...]) -> tuple[Any, ...]:
    """The task, arrays at even places of memory: dask sends them at any, where BLAS is left out and sums round anew."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return task
    try:
        distributed.get_worker()
    except ValueError:  # no worker of a cluster
        return task
    import cloudpickle

    copied: tuple[Any, ...] = cloudpickle.loads(cloudpickle.dumps(task, protocol=4))
    return copied


def elsewhere() -> bool:
    """Whether the caller chose a joblib backend or a number of jobs by ``parallel_config``."""
    if "joblib" not in sys.modules:
        return False
    from joblib.parallel import get_active_backend

    backend, jobs = get_active_backend()
    return jobs not in (None, 1) or type(backend).__name__ not in (
        "LokyBackend",
        "SequentialBackend",
    )


class _Bar:
    """Progress bar on stderr: at a terminal only, and only for work that takes a while."""

    def __init__(self, total: int, done: int, label: str) -> None:
        self.total, self.done, self.label = total, done, label
        self.start = time.monotonic()
        self.progress: Any = None
        self.task: Any = None

    def __enter__(self) -> _Bar:
        return self

    def step(self) -> None:
        """One more task is finished."""
        self.done += 1
        if self.progress is None:
            if time.monotonic() - self.start < _PATIENCE or not sys.stderr.isatty():
                return
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(stderr=True), transient=True)
            self.progress.start()
            self.task = self.progress.add_task(self.label, total=self.total)
        self.progress.update(self.task, completed=self.done)

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()
