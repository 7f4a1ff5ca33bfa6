"""Memory asked for before it is taken: a need beyond the machine's ends in a sentence, not in a kill."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from apastats.errors import MemoryNeedError

__all__ = ["available", "budget", "reserve", "way_out"]

#: what is smaller is taken without a look at the machine
SMALL = 2**28
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def available() -> int | None:
    """Bytes this process may still take: of the machine, of its container, of its own limit; None if unknown."""
    found = [v for v in (_machine(), _container(), _limit()) if v is not None]
    return min(found) if found else None


def reserve(what: str, n_bytes: float, way_out: str) -> None:
    """Refuse an array that does not fit into the memory that is left.

    Parameters
    ----------
    what : str
        The array in words, as ``"differences of 12,497,500 pairs of models"``.
    n_bytes : float
        Its size, with the copies that are made of it.
    way_out : str
        What would need less.

    Raises
    ------
    MemoryNeedError
        If less is left.

    Examples
    --------
    >>> reserve("a million numbers", 8e6, "fewer of them")
    """
    if n_bytes < SMALL:
        return
    left = available()
    if left is not None and n_bytes > left:
        raise MemoryNeedError(
            f"{what} would take {_amount(n_bytes)} of memory, {_amount(left)} are left: {way_out}"
        )


@contextmanager
def budget(way_out: str) -> Iterator[None]:
    """A MemoryError in between becomes one that says what would need less."""
    try:
        yield
    except MemoryNeedError:
        raise
    except MemoryError as error:
        said = f" ({error})" if str(error) else ""
        raise MemoryNeedError(f"there is not enough memory{said}: {way_out}") from error


def way_out(options: Container[str]) -> str:
    """What a verb with these options offers to one whose memory is short.

    Examples
    --------
    >>> way_out(["n_resamples", "rng"])
    'fewer n_resamples, or fewer data at once'
    """
    known = {
        "batch": "a smaller batch=",
        "n_resamples": "fewer n_resamples",
        "reference": "reference= in place of all pairs",
    }
    return ", or ".join([*(v for k, v in known.items() if k in options), "fewer data at once"])


def _amount(n_bytes: float) -> str:
    """Bytes in a unit that people read.

    Examples
    --------
    >>> _amount(3.2e9)
    '3.2 GB'
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f} {unit}"
    return f"{n_bytes / 1e6:,.0f} MB"


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # elsewhere: all there is, an upper bound
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _container() -> int | None:
    for limit, used in _CGROUPS:
        try:
            return int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):  # no such file; "max": no limit
            continue
    return None


def _limit() -> int | None:
    try:
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        if soft == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return soft - pages * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return None
