"""Valid calls to start from: every public function, also with each option at another value, and methods of results."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import apastats as apa
from tests import verb_data, verbs

Start = tuple[Callable[..., Any], Mapping[str, Any]]  # function, arguments by name

SLOW = ("bayes_lmm", "run_study")  # many seconds per valid call
OWNERS: dict[str, Callable[[], Any]] = {
    "table": verb_data.best,
    "rdms": lambda: verb_data.rdms().brain,
    "equivalence": verb_data.tested,
    "bootstrap": verb_data.with_ceilings,
    "lmm": verb_data.fit,
    "emmeans": verb_data.means,
    "contrasts": verb_data.contrasts,
    "power": lambda: apa.power_t(n=[5, 8], difference=1.0),
    "patterns": verb_data.patterns,
    "set": lambda: apa.equivalence_set("score ~ model | roi", verb_data.best()),
    "bibliography": lambda: apa.references(verb_data.tested()),
    "models": lambda: apa.models,
}


def starts(*, without: tuple[str, ...] = SLOW) -> dict[str, Start]:
    """Name -> function and arguments of a valid call."""
    out: dict[str, Start] = {}
    for name, function in verbs.functions().items():
        if name not in without:
            out[name] = function, verbs.base(name)
    for name, option in verbs.all_cases():
        if name not in without:
            with contextlib.suppress(verbs.Missing):  # the laws over all verbs ask for these
                out[f"{name} with {option}"] = verbs.functions()[name], verbs.other(name, option)[1]
    for kind, owner in OWNERS.items():
        for name, method in inspect.getmembers(owner(), inspect.ismethod):
            if not name.startswith("_") and inspect.signature(method).parameters:
                out[f"{kind}.{name}"] = method, _needed(method)
    return out


def _needed(method: Callable[..., Any]) -> Mapping[str, Any]:
    """A value for each parameter without default; it is replaced, or refused."""
    parameters = inspect.signature(method).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: "roi" for p in parameters if p.kind in plain and p.default is p.empty}
