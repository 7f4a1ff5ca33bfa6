"""References of the methods, and which of them a result has used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apastats.errors import InputError, OutputExistsError
from apastats.reporting.works import WORKS, Reference

__all__ = ["Bibliography", "keys_of", "references"]


# what a result says about itself -> what that is from; matched against kind, words and method column
_RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # (kinds, pattern in the words, keys)
    ("^equivalence$|^margin_curve|^strict_alignment", r"", ("schuirmann1987",)),
    ("^emmeans_contrasts", r"equivalence of contrasts", ("schuirmann1987",)),
    ("^equivalence_set", r"\bmargin=(?!none)", ("schuirmann1987",)),
    ("^equivalence$", r"paired t|two one-sided", ("lakens2017",)),
    ("^equivalence$|comparison", r"trimmed", ("yuen1974",)),
    ("^equivalence$", r"correlation", ("goertzen2010",)),
    ("", r"williams|steiger", ("steiger1980",)),
    ("", r"hesterberg", ("hesterberg2015",)),
    ("", r"adjust=(fdr_)?bh\b", ("benjamini1995",)),
    ("", r"adjust=(fdr_)?by\b", ("benjamini2001",)),
    ("", r"adjust=holm\b(?!-)", ("holm1979",)),
    ("discriminability", r"with holm", ("holm1979",)),
    ("", r"adjust=holm-sidak\b", ("holm1979", "sidak1967")),
    ("", r"adjust=sidak\b", ("sidak1967",)),
    ("", r"adjust=bonferroni\b", ("dunn1961",)),
    ("", r"adjust=hochberg\b", ("hochberg1988",)),
    ("", r"adjust=hommel\b", ("hommel1988",)),
    ("", r"adjust=(closed|hierarchical)\b", ("marcus1976",)),
    ("", r"adjust=max-\|?t", ("westfall1993",)),
    ("", r"adjust=max-t-step-down", ("romano2005",)),
    ("rank", r"friedman", ("friedman1937",)),
    ("rank", r"quade", ("quade1979",)),
    ("rank", r"nemenyi", ("demsar2006",)),
    ("noise_ceiling", r"ceiling_kind=nili", ("nili2014",)),
    ("noise_ceiling", r"ceiling_kind=(leave_one_out|subject_to_subject)", ("hoefling2026",)),
    ("rdm_evaluation", r"", ("kriegeskorte2008", "nili2014")),
    ("bootstrap|compare", r"interval=(studentized|percentile|basic|normal)", ("davison1997",)),
    ("", r"interval=bca", ("efron1987",)),
    ("bootstrap", r"exact=True", ("fisher1991",)),
    ("", r"bayesian bootstrap", ("rubin1981",)),
    ("normalized", r"fieller", ("fieller1954",)),
    ("", r"sign.?flip|permut", ("phipson2010",)),
    ("", r"\bmcb\b|comparisons? with the best|\bhsu\b", ("hsu1984",)),
    ("", r"\bmcs\b|model confidence set", ("hansen2011",)),
    ("", r"rank (sets?|intervals?|confidence)", ("mogstad2024",)),
    ("", r"compact letter", ("piepho2004",)),
    ("disattenuated", r"", ("spearman1904",)),
    ("", r"spearman.brown", ("spearman1904",)),
    ("effect_size", r"hedges", ("hedges1981",)),
    ("alignment_patterns|agreement|pattern", r"", ("hoefling2026",)),
    ("^lmm", r"", ("bates2015",)),
    ("^lmm", r"reml", ("patterson1971",)),
    ("^lmm|emmeans", r"satterthwaite", ("giesbrecht1985", "kuznetsova2017")),
    ("^lmm|emmeans", r"kenward", ("kenward1997",)),
    ("emmeans", r"", ("searle1980",)),
    ("bayes_lmm", r"", ("capretto2022", "vehtari2021")),
    ("bayes_lmm|^rope", r"rope|region of practical", ("kruschke2018",)),
    ("^power", r"tost|equivalence|bounds", ("phillips1990",)),
)
_ALWAYS = ("apastats", "harris2020", "virtanen2020")


def words_of(result: Any) -> str:
    """All words a result says about itself, lower case, settings as ``key=value``."""
    info = getattr(result, "info", {})
    parts = [f"{k}={v}" for k, v in info.items()]
    table = getattr(result, "table", None)
    if table is not None and "method" in table.columns:
        parts += [str(m) for m in table["method"].unique()[:5]]
    if getattr(result, "kind", "") == "effect_size" and table is not None:
        parts += [f"term={m}" for m in table["term"].unique()[:20]]
    return " ; ".join(parts)


def keys_of(result: Any) -> list[str]:
    """Keys of the works one result (or table of agreement) rests on, in order of the rules."""
    kind = getattr(result, "kind", None)
    if kind is None and hasattr(result, "outcomes"):
        kind = result.quantity
        metrics = (
            {str(m).lower() for m in result.frame["metric"].unique()}
            if hasattr(result, "frame")
            else set()
        )
        return (["hoefling2026"] if kind == "agreement" else []) + (
            ["kriegeskorte2008"] if "rsa" in metrics else []
        )
    words, found = words_of(result), []
    for kinds, pattern, keys in _RULES:
        if re.search(kinds, str(kind)) and re.search(pattern, words, flags=re.IGNORECASE):
            found += [k for k in keys if k not in found]
    return found


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

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the ``.bib`` file.

        Raises
        ------
        OutputExistsError
            If it exists and ``overwrite`` is False.
        """
        target = Path(path)
        if target.exists() and not overwrite:
            raise OutputExistsError(
                f"{target} exists and is kept; pass overwrite=True to replace it"
            )
        target.write_text(self.bibtex(), "utf-8")
        return target


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
