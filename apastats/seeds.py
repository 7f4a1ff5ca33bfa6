"""Random numbers: one rule for the whole package.

``rng`` is an int, a Generator, a SeedSequence or None. It becomes one SeedSequence; blocks of work
draw from children addressed by their index, so results do not depend on who computes what when.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from apastats.errors import InputError

RngLike: TypeAlias = int | np.random.Generator | np.random.SeedSequence | None

__all__ = ["RngLike", "block_generator", "recorded_seed", "seed_sequence"]


def seed_sequence(rng: RngLike) -> np.random.SeedSequence:
    """Turn ``rng`` into a SeedSequence; None draws fresh entropy (which is then recorded).

    Parameters
    ----------
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        A Generator is advanced by one draw of 128 bits.

    Returns
    -------
    numpy.random.SeedSequence

    Raises
    ------
    InputError
        If ``rng`` is something else, a bool, or negative.

    Examples
    --------
    >>> seed_sequence(7).entropy
    7
    """
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        words = rng.integers(0, 2**32, size=4, dtype=np.uint64)
        return np.random.SeedSequence([int(w) for w in words])
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0:
        raise InputError(
            "rng", rng, "a non-negative int, a numpy Generator or SeedSequence, or None"
        )
    return np.random.SeedSequence(int(rng))


def block_generator(sequence: np.random.SeedSequence, *index: int) -> np.random.Generator:
    """Generator of the block with this index: independent of all others, whoever asks and when.

    Parameters
    ----------
    sequence : numpy.random.SeedSequence
        The root, never advanced.
    *index : int
        Address of the block.

    Returns
    -------
    numpy.random.Generator
    """
    key = (*sequence.spawn_key, *index)
    return np.random.default_rng(np.random.SeedSequence(sequence.entropy, spawn_key=key))


def recorded_seed(sequence: np.random.SeedSequence) -> str:
    """Seed as text for the provenance: the entropy, with the spawn key where there is one."""
    key = f" spawn_key={tuple(sequence.spawn_key)}" if sequence.spawn_key else ""
    return f"{sequence.entropy}{key}"
