"""Further analyses of a study, its ``[[analysis]]`` entries: any verb on any input or earlier result."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.errors import InputError, StudyError
from apastats.recording import call_text
from apastats.results import Provenance, Result
from apastats.table import ScoreTable
from apastats.words import Info

__all__ = [
    "METHODS",
    "NOT_IN_STUDIES",
    "FollowedTable",
    "needs_fit",
    "run_step",
    "stated_margin",
    "verbs",
]

# public names that are no analyses, and what stands for them in a study
NOT_IN_STUDIES = {
    "activations": "inputs.networks",
    "adjust_p": "option adjust of the tests",
    "check": "always run",
    "closed_p": "takes and gives bare p-values",
    "cluster": "apastats run --scheduler",
    "compact_letters": "method letters of a comparison",
    "concat": "inputs.tables",
    "fitted": "fitted.models",
    "hierarchical_p": "takes and gives bare p-values",
    "hyperalign": "prepares inputs.patterns",
    "load_result": "reads a saved result",
    "margin": "{ share = 0.1, of = ... }",
    "models": "formulas",
    "pattern_similarity": "option similarity of the agreement",
    "rdm_similarity": "score",
    "read": "inputs.scores",
    "read_patterns": "inputs.patterns",
    "read_rdms": "inputs.rdms",
    "read_regions": "inputs.regions",
    "references": "always written",
    "report": "report",
    "run_study": "the study itself",
    "sequential_p": "takes and gives bare p-values",
    "simulate": "apastats simulate",
    "simulate_rdms": "apastats simulate",
    "simulate_stimuli": "apastats simulate",
}
# methods that may follow on a result, e.g. emmeans -> contrast -> test
METHODS = (
    "abilities", "anova", "bands", "ceilings", "claims", "compare_best", "conf_int", "contrast", "counts",
    "decisions", "diagnostics", "icc", "items", "joint_tests", "letters", "loo", "means", "missing", "optimism",
    "pairs", "per_subject", "predictive_check", "prior_sensitivity", "random_effects", "ranks", "ranova", "refit",
    "response", "response_model", "test", "variance_components", "weights",
)  # fmt: skip
FITS = ("lmm", "bayes_lmm", "emmeans")  # hold more than is saved


class FollowedTable(Result):
    """A table that a method of a result gave, e.g. the anova of a fit."""

    kind: ClassVar[str] = "followed_table"


def verbs() -> list[str]:
    """Verbs a study may call."""
    import apastats as apa

    # names in capitals are classes
    return [v for v in apa.EXPORTS if v not in NOT_IN_STUDIES and not v[0].isupper()]


def run_step(entry: Any, known: Mapping[str, Any], seed: int, place: str) -> Any:
    """Run one ``[[analysis]]`` entry.

    Parameters
    ----------
    entry : AnalysisSection
        ``verb, data, formula, options, then``.
    known : mapping of str to Result, ScoreTable, RDMSet or patterns
        Inputs, and what was computed before; ``data`` and ``{ result = NAME }`` options refer to it.
    seed : int
        Given as ``rng`` to a verb that takes one, unless the options state it.
    place : str
        Where the entry stands, for messages.

    Returns
    -------
    Result or ScoreTable

    Raises
    ------
    StudyError
        An unknown verb, method, result or option; what is allowed is listed.
    """
    import apastats as apa

    if entry.verb not in verbs():
        raise StudyError(f"{place}.verb: got {entry.verb!r}; allowed: {', '.join(verbs())}")
    verb = getattr(apa, entry.verb)
    parameters = inspect.signature(verb).parameters
    options = {k: _resolve(v, known, f"{place}.options.{k}") for k, v in entry.options.items()}
    _check_options(options, parameters, f"{place}.options")
    if "rng" in parameters and "rng" not in options:
        options["rng"] = seed
    positional = [] if entry.data is None else [_lookup(entry.data, known, f"{place}.data")]
    takes_formula = next(iter(parameters)) == "formula"
    if takes_formula != (entry.formula is not None):
        needed = "is needed by" if takes_formula else "is not taken by"
        raise StudyError(f"{place}.formula: {needed} {entry.verb}")
    if takes_formula:
        positional.insert(0, entry.formula)
    try:
        inspect.signature(verb).bind(*positional, **options)
    except TypeError as error:
        raise StudyError(f"{place}: {entry.verb}: {error}") from error
    try:
        value = verb(*positional, **options)
    except InputError as error:
        raise StudyError(f"{place}.options: {error}") from error
    for i, follow in enumerate(entry.then):
        value = _follow(value, follow, known, f"{place}.then[{i}]")
    if not isinstance(value, (Result, ScoreTable)):
        raise StudyError(
            f"{place}.verb: {entry.verb} gives a {type(value).__name__}, no table of results; use it through inputs"
        )
    return value


def needs_fit(entry: Any, later: Sequence[Any]) -> bool:
    """Whether a later entry works on what this one fits."""
    if entry.verb not in FITS or entry.then:
        return False
    return any(
        e.data == entry.name or {"result": entry.name} in list(e.options.values()) for e in later
    )


def _follow(value: Any, follow: Any, known: Mapping[str, Any], place: str) -> Any:
    method = getattr(value, follow.method, None) if follow.method in METHODS else None
    if method is None:
        allowed = [m for m in METHODS if hasattr(value, m)]
        raise StudyError(
            f"{place}.method: got {follow.method!r}; allowed here: {', '.join(allowed)}"
        )
    options = {k: _resolve(v, known, f"{place}.{k}") for k, v in follow.options.items()}
    _check_options(options, inspect.signature(method).parameters, f"{place}.options")
    found = method(**options)
    if not isinstance(found, pd.DataFrame):
        return found
    said = value.info
    info = Info(
        method=f"{follow.method.replace('_', ' ')} of the {value.kind.replace('_', ' ')}",
        outcome=said.outcome,
        formula=said.formula,
        held_fixed=said.held_fixed,
        resampled=said.resampled,
    )
    p = value.provenance
    call = call_text(getattr(type(value), follow.method), value, **options)
    named = found.reset_index() if found.index.name or found.index.nlevels > 1 else found
    return FollowedTable(named, info, Provenance(call, p.data_hash, p.seed))


def _check_options(options: Mapping[str, Any], parameters: Mapping[str, Any], place: str) -> None:
    for name in options:
        if name not in parameters:
            raise StudyError(f"{place}: unknown option {name!r}; allowed: {', '.join(parameters)}")


def _lookup(name: str, known: Mapping[str, Any], place: str) -> Any:
    if name not in known:
        raise StudyError(f"{place}: got {name!r}; allowed: {', '.join(known)}")
    return known[name]


def _resolve(value: Any, known: Mapping[str, Any], place: str) -> Any:
    """What an option stands for.

    ``{ result = NAME }`` is that result, with ``column`` and ``where`` the numbers of a column of its table, and
    ``{ share = x, of = KIND }`` a margin of that ceiling.
    """
    if isinstance(value, list):
        found = [_resolve(v, known, place) for v in value]
        # several samples go together as a tuple of arrays, anything else is a list
        return tuple(found) if any(isinstance(v, np.ndarray) for v in found) else found
    if not isinstance(value, Mapping):
        return value
    if "result" in value and set(value) <= {"result", "column", "where"}:
        result = _lookup(value["result"], known, place)
        return result if "column" not in value else _column(result, value, place)
    if "of" in value and set(value) & {"share", "value"}:
        return stated_margin(value, known, place)
    return {k: _resolve(v, known, place) for k, v in value.items()}


def _column(found: Any, value: Mapping[str, Any], place: str) -> np.ndarray:
    """Numbers of one column of a result, of the rows that ``where`` picks."""
    frame: pd.DataFrame = found.frame if isinstance(found, ScoreTable) else found.table
    wanted = value.get("where", {})
    for key in (value["column"], *wanted):
        if key not in frame.columns:
            raise StudyError(f"{place}: no column {key!r}; there are {', '.join(frame.columns)}")
    for key, level in wanted.items():
        frame = frame[frame[key].astype(str) == str(level)]
    if frame.empty:
        raise StudyError(f"{place}: no row where {wanted}")
    return np.asarray(frame[value["column"]])


def stated_margin(value: Any, known: Mapping[str, Any], place: str) -> Any:
    """Margin as a study states it: a number or pair as it is, a dict as :func:`apastats.margin` takes it."""
    from apastats.comparing.margin import margin

    if not isinstance(value, Mapping):
        return value
    of = value["of"]
    if isinstance(of, (list, tuple)):
        of = tuple(of)
    elif of != "sd":
        ceiling = known.get(f"ceiling_{of}")
        if ceiling is None:
            names = [k.removeprefix("ceiling_") for k in known if k.startswith("ceiling_")]
            raise StudyError(
                f"{place}.of: no ceiling of kind {of!r} was computed; there are {names}"
            )
        of = ceiling
    size = value.get("share", value.get("value"))
    size = tuple(size) if isinstance(size, list) else size
    more = {k: value[k] for k in ("unit", "bound") if k in value}
    return margin(size, of=of, **more)
