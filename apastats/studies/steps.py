"""Further analyses of a study: any verb on any earlier result, as ``[[analysis]]`` entries of ``study.toml``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from apastats.errors import StudyError

__all__ = ["METHODS", "VERBS", "run_step"]

# verbs a study may call; each takes (data, ...) or (formula, data, ...)
VERBS = (
    "agreement_bootstrap",
    "agreement_sensitivity",
    "agreement_test",
    "alignment_patterns",
    "bayes_lmm",
    "bootstrap",
    "compare",
    "disattenuated_agreement",
    "discriminability",
    "emmeans",
    "equivalence",
    "equivalence_set",
    "layer_agreement",
    "lmm",
    "margin_curve",
    "matrix_agreement",
    "noise_ceiling",
    "normalize",
    "pattern_agreement",
    "pattern_identification",
    "pattern_reliability",
    "second_order_similarity",
    "select_layer",
    "strict_alignment",
)
# methods that may follow on a result, e.g. emmeans -> contrast -> test
METHODS = ("contrast", "joint_tests", "letters", "pairs", "test")


def run_step(entry: Any, results: Mapping[str, Any], seed: int, place: str) -> Any:
    """Run one ``[[analysis]]`` entry.

    Parameters
    ----------
    entry : AnalysisSection
        ``verb, data, formula, options, then``.
    results : mapping of str to Result or ScoreTable
        What was computed before; ``data`` and ``{ result = NAME }`` options refer to it.
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

    available = [v for v in VERBS if v in apa.EXPORTS]
    if entry.verb not in available:
        raise StudyError(f"{place}.verb: got {entry.verb!r}; allowed: {', '.join(available)}")
    verb = getattr(apa, entry.verb)
    parameters = inspect.signature(verb).parameters
    options = {k: _resolve(v, results, f"{place}.options.{k}") for k, v in entry.options.items()}
    _check_options(options, parameters, f"{place}.options")
    if "rng" in parameters and "rng" not in options:
        options["rng"] = seed
    positional = [_lookup(entry.data, results, f"{place}.data")]
    takes_formula = next(iter(parameters)) == "formula"
    if takes_formula != (entry.formula is not None):
        needed = "is needed by" if takes_formula else "is not taken by"
        raise StudyError(f"{place}.formula: {needed} {entry.verb}")
    if takes_formula:
        positional.insert(0, entry.formula)
    value = verb(*positional, **options)
    for i, follow in enumerate(entry.then):
        value = _follow(value, follow, results, f"{place}.then[{i}]")
    return value


def _follow(value: Any, follow: Any, results: Mapping[str, Any], place: str) -> Any:
    method = getattr(value, follow.method, None) if follow.method in METHODS else None
    if method is None:
        allowed = [m for m in METHODS if hasattr(value, m)]
        raise StudyError(
            f"{place}.method: got {follow.method!r}; allowed here: {', '.join(allowed)}"
        )
    options = {k: _resolve(v, results, f"{place}.{k}") for k, v in follow.options.items()}
    _check_options(options, inspect.signature(method).parameters, f"{place}.options")
    return method(**options)


def _check_options(options: Mapping[str, Any], parameters: Mapping[str, Any], place: str) -> None:
    for name in options:
        if name not in parameters:
            raise StudyError(f"{place}: unknown option {name!r}; allowed: {', '.join(parameters)}")


def _lookup(name: str, results: Mapping[str, Any], place: str) -> Any:
    if name not in results:
        raise StudyError(f"{place}: got {name!r}; allowed: {', '.join(results)}")
    return results[name]


def _resolve(value: Any, results: Mapping[str, Any], place: str) -> Any:
    """``{ result = NAME }`` -> that result; ``{ share = x, of = KIND }`` -> a margin of that ceiling."""
    if not isinstance(value, Mapping):
        return tuple(value) if isinstance(value, list) else value
    if set(value) == {"result"}:
        return _lookup(value["result"], results, place)
    if set(value) == {"share", "of"}:
        return share_of_ceiling(value, results, place)
    return dict(value)


def share_of_ceiling(value: Mapping[str, Any], results: Mapping[str, Any], place: str) -> Any:
    """Margin that is a share of a computed noise ceiling."""
    from apastats.margins.kinds import margin

    ceiling = results.get(f"ceiling_{value['of']}")
    if ceiling is None:
        known = [k.removeprefix("ceiling_") for k in results if k.startswith("ceiling_")]
        raise StudyError(
            f"{place}.of: no ceiling of kind {value['of']!r} was computed; there are {known}"
        )
    return margin(value["share"], of=ceiling)
