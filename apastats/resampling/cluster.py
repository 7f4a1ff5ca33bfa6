"""``cluster``: run the tasks of a ``with`` block on a dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apastats.arguments import checked, instance
from apastats.errors import InputError, MissingExtraError

__all__ = ["cluster"]


@checked
def cluster(client: Any) -> Any:
    """Run resampling, refits, simulated studies and scoring on a dask cluster inside a ``with`` block.

    Parameters
    ----------
    client : dask.distributed.Client or str
        A client, or the address of a scheduler such as ``"tcp://node:8786"``. For SLURM:
        ``Client(dask_jobqueue.SLURMCluster(...))``.

    Returns
    -------
    context manager

    Raises
    ------
    InputError
        If ``client`` is neither.
    MissingExtraError
        If dask.distributed is not installed.

    See Also
    --------
    bootstrap, run_study

    Notes
    -----
    Taken by every verb with ``n_jobs`` (bootstraps, refits of mixed models, ``calibrate``), by ``power_study``, by all
    scoring (``score``, ``score_patterns``, ``evaluate_rdms``, ``rdm_similarity``, ``linear_predictivity``; products
    that one block of memory holds, and ``neg_riem_dist``, are made here) and by ``activations`` (the network is sent
    with each batch).
    This is joblib's dask backend; any other backend of joblib works by ``joblib.parallel_config``. The
    numbers are those of one process, also when workers are lost and their tasks run again elsewhere.

    References
    ----------
    .. [1] Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. Cambridge
       University Press. https://doi.org/10.1017/CBO9780511802843

    Examples
    --------
    ::

        from dask.distributed import Client, LocalCluster

        with LocalCluster(n_workers=8) as local, Client(local) as client, apa.cluster(client):
            found = apa.bootstrap("score ~ model | roi", brain, models=models, cluster="stimulus")
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("dask.distributed", "cluster") from error
    if isinstance(client, str):
        return _connected(Client, client)
    instance("client", client, Client, "a dask.distributed Client or the address of a scheduler")
    return _configured(client)


@contextmanager
def _connected(make: Any, address: str) -> Iterator[Any]:
    """Connect to a scheduler for the time of the block."""
    try:
        opened = make(address)
    except (ValueError, TypeError, OSError) as error:
        said = str(error) or type(error).__name__
        allowed = f"the address of a running scheduler, e.g. tcp://node:8786 ({said})"
        raise InputError("client", address, allowed) from error
    with opened as client, _configured(client):
        yield client


@contextmanager
def _configured(client: Any) -> Iterator[Any]:
    """Make the cluster joblib's backend for the time of the block."""
    from joblib import parallel_config

    with parallel_config("dask", n_jobs=-1, client=client, wait_for_workers_timeout=60):
        yield client
