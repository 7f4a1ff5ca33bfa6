"""Names of the parts of explained variance, and how they were made, in words."""

from __future__ import annotations

from apastats.errors import InputError
from apastats.scoring.unique_kernel import Question

__all__ = ["ESTIMANDS", "ceiling_parts", "how_made", "labels_of", "metric_of", "tested_parts"]

ESTIMANDS = {
    "unique": "share of variance explained",
    "semipartial": "semipartial correlation",
    "partial": "partial correlation",
    "coefficient": "standardised coefficient",
}


def labels_of(q: Question, names: list[str], of: str = "models") -> list[list[str]]:
    """Part and model (or band) of every column; InputError where names make two parts one."""
    out = []
    for kind, members in q.sets:
        if kind == "total":
            out.append([kind, f"all {of}"])
        elif kind == "shared" and q.parts == "unique":
            out.append([kind, f"two or more {of}"])
        else:
            out.append([kind, " & ".join(names[k] for k in members)])
    if len({tuple(row) for row in out}) < len(out):
        odd = [n for n in names if " & " in n]
        raise InputError(of, odd, "names without ' & ', which parts of several have between theirs")
    return out


def tested_parts(
    q: Question, labels: list[list[str]], signed: str, drawn: tuple[str, ...]
) -> list[list[str]]:
    """Parts that can be tested, in the order of their arrays."""
    if signed != "root":
        return [p for p in labels if p[0] != "shared"]
    own = labels[: len(q.groups)]
    if drawn == ("subject",):
        return [*own, labels[-1]]
    return [p for p, g in zip(own, q.groups, strict=True) if len(g) == 1]


def ceiling_parts(q: Question, labels: list[list[str]]) -> list[list[str]] | None:
    """Parts that have a ceiling of their own: every group's, and the total."""
    if q.measure == "coefficient":
        return None
    return [*labels[: len(q.groups)], ["total", "all models"]]


def metric_of(q: Question, method: str, held_out: tuple[str, ...]) -> str:
    """Measure of the scores."""
    what = {"unique": "explained variance", "coefficient": "standardised coefficient"}
    sign = "non-negative " * q.nonnegative
    more = f", held-out {' and '.join(held_out)}" if held_out else ""
    return f"{sign}{what.get(q.measure, q.measure)} ({method}{more})"


def how_made(q: Question, method: str, held_out: tuple[str, ...], words: str) -> str:
    """What was done, in words."""
    n = len(q.groups)
    what = {
        "unique": {
            "unique": f"unique and shared variance of {n} models of RDMs",
            "all": f"commonality analysis of {n} models of RDMs",
            "ordered": f"hierarchical regression of RDMs on {n} models in the order given",
        }[q.parts],
        "semipartial": f"semipartial correlations of {n} models of RDMs",
        "partial": f"partial correlations of {n} models of RDMs",
        "coefficient": f"regression of RDMs on {n} models",
    }[q.measure]
    fitted = " with non-negative coefficients" * q.nonnegative
    whom = {"subject": "other subjects", "stimulus": "other stimuli"}
    learned = " and ".join(whom[f] for f in held_out)
    tail = f", coefficients learned from {learned}" if held_out else ""
    if q.folds is not None:
        tail += f" ({int(q.folds.max()) + 1} folds, {len(q.folds)} random partitions)"
    return f"{what} ({method}){fitted}{tail}; bootstrap of the means over {words}"
