"""References of the methods, and which of them a result has used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apastats.arguments import checked
from apastats.errors import InputError
from apastats.folders import refuse_file, write_whole
from apastats.reporting.kinds import keys_of
from apastats.reporting.works import WORKS, Reference

__all__ = ["Bibliography", "references"]


_ALWAYS = ("apastats", "harris2020", "virtanen2020")


@dataclass(frozen=True)
class Bibliography:
    """References in alphabetical order.

    Attributes
    ----------
    entries : tuple of Reference
    """

    entries: tuple[Reference, ...]

    def __iter__(self) -> Any:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def keys(self) -> list[str]:
        """BibTeX keys."""
        return [e.key for e in self.entries]

    def bibtex(self) -> str:
        """Text of a ``.bib`` file."""
        return "\n\n".join(e.bibtex() for e in self.entries) + "\n"

    def text(self) -> str:
        """Reference list, one entry per line."""
        return "\n".join(e.full() for e in self.entries)

    def __str__(self) -> str:
        return self.text()

    @checked
    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the ``.bib`` file.

        Raises
        ------
        OutputExistsError
            If it exists and ``overwrite`` is False.
        """
        target = Path(path)
        refuse_file(target, overwrite)
        write_whole(target, self.bibtex())
        return target


@checked
def references(*results: Any) -> Bibliography:
    """References of exactly the methods that the results used.

    Parameters
    ----------
    *results : Result or ScoreTable
        What was computed.

    Returns
    -------
    Bibliography
        With ``.bibtex()``, ``.text()``, ``.keys`` and ``.save(path)``.

    Raises
    ------
    InputError
        If one of them is neither a result nor a score table.

    See Also
    --------
    report

    References
    ----------
    .. [1] The apastats developers (2026). apastats: Statistics for brain-model alignment. Python package.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rng=1)
    >>> "hoefling2026" in apa.references(apa.noise_ceiling(study.scores)).keys
    True
    """
    found: set[str] = set(_ALWAYS)
    for r in results:
        if not hasattr(r, "table") and not hasattr(r, "frame"):
            raise InputError("results", type(r).__name__, "results and score tables")
        found.update(keys_of(r))
    return bibliography(found)


def bibliography(keys: Iterable[str]) -> Bibliography:
    """Bibliography of these keys, sorted by author and year."""
    works = [WORKS[k] for k in set(keys)]
    return Bibliography(tuple(sorted(works, key=lambda w: (w.short().lower(), w.key))))
