"""Every public verb and every option of it: one valid call per verb, and another valid value per option.

Laws over "every verb, every option" take their cases from here; a new verb or option without an entry fails them:

>>> sorted(verbs())[:3]
['BootstrapResult.below_ceiling', 'BootstrapResult.ceilings', 'ContrastResult.test']
>>> options("tost_summary")[:4]
['mean_y', 'sd_y', 'n_y', 'bounds']
>>> base("tost_summary")["bounds"], other("tost_summary", "bounds")[1]["bounds"]
(0.1, 0.2)
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import apastats as apa
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.unique_result import UniqueVariance
from apastats.comparing.leaderboard_result import LeaderboardResult
from apastats.errors import ApaWarning
from apastats.mixed.contrasts import ContrastResult
from apastats.mixed.emmeans import EmmeansResult
from apastats.mixed.lmm_result import LmmResult
from apastats.mixed.models import Presets
from apastats.results import Result
from tests import function_calls, verb_calls
from tests.verb_calls import Call, Other

# methods of results that give results; those of results that give frames belong to their class
METHODS = {
    "BootstrapResult.below_ceiling": BootstrapResult.below_ceiling,
    "BootstrapResult.ceilings": BootstrapResult.ceilings,
    "ContrastResult.contrast": ContrastResult.contrast,
    "ContrastResult.test": ContrastResult.test,
    "EmmeansResult.contrast": EmmeansResult.contrast,
    "EmmeansResult.effect_size": EmmeansResult.effect_size,
    "EmmeansResult.pairs": EmmeansResult.pairs,
    "LeaderboardResult.items": LeaderboardResult.items,
    "LeaderboardResult.missing": LeaderboardResult.missing,
    "LeaderboardResult.response_model": LeaderboardResult.response_model,
    "LmmResult.influence": LmmResult.influence,
    "LmmResult.refit": LmmResult.refit,
    "Presets.agreement": Presets.agreement,
    "Presets.scores": Presets.scores,
    "UniqueVariance.ceilings": UniqueVariance.ceilings,
    "UniqueVariance.test": UniqueVariance.test,
}


class Missing(LookupError):
    """A verb or an option has no case here: write one."""


def verbs() -> dict[str, Callable[..., Any]]:
    """Public functions that give a result, and methods that do, by name."""
    found = {
        name: getattr(apa, name)
        for name in apa.EXPORTS
        if inspect.isfunction(getattr(apa, name)) and _gives_result(getattr(apa, name))
    }
    del found["load_result"]  # gives what another verb made
    return found | METHODS


def functions() -> dict[str, Callable[..., Any]]:
    """All public functions, those of :func:`verbs` first."""
    public = {name: getattr(apa, name) for name in apa.EXPORTS}
    return verbs() | {name: f for name, f in public.items() if inspect.isfunction(f)}


def _gives_result(function: Callable[..., Any]) -> bool:
    given = inspect.signature(function).return_annotation
    return given in {"Result", *(c.__name__ for c in _below(Result))}


def _below(cls: type) -> list[type]:
    return [s for c in cls.__subclasses__() for s in (c, *_below(c))]


def options(verb: str) -> list[str]:
    """Options of a verb: parameters by keyword only, and those with a default."""
    parameters = inspect.signature(functions()[verb]).parameters.values()
    return [
        p.name
        for p in parameters
        if p.kind is not p.VAR_KEYWORD and (p.kind is p.KEYWORD_ONLY or p.default is not p.empty)
    ]


def cases() -> list[tuple[str, str]]:
    """Every option of every verb."""
    return [(verb, option) for verb in verbs() for option in options(verb)]


def all_cases() -> list[tuple[str, str]]:
    """Every option of every public function."""
    return [(name, option) for name in functions() for option in options(name)]


def base(verb: str) -> Call:
    """One valid call."""
    found = (verb_calls.BASE | function_calls.BASE).get(verb)
    if found is None:
        raise Missing(f"tests/verb_calls.py, tests/function_calls.py: no call of {verb}")
    return dict(found())


def other(verb: str, option: str) -> tuple[Call, Call]:
    """Two valid calls that differ in one option."""
    special = (verb_calls.SPECIAL | function_calls.SPECIAL).get(verb, {})
    known = verb_calls.OTHERS | special
    if option not in known:
        raise Missing(f"tests/verb_calls.py: no other value of {verb}({option}=)")
    found = known[option]
    if inspect.isfunction(found) and found.__name__ == "<lambda>":
        found = found()
    change = found if isinstance(found, Other) else Other(found, {})
    first = base(verb) | dict(change.needs)
    return first, first | {option: change.value} | dict(change.along)


def run(verb: str, call: Call) -> Any:
    """Make a call; positional parameters go by position, warnings of the package are let pass."""
    function = functions()[verb]
    positional, named = [], dict(call)
    for p in inspect.signature(function).parameters.values():
        if p.name not in named or p.kind is p.KEYWORD_ONLY:
            break
        value = named.pop(p.name)
        positional += value if p.kind is p.VAR_POSITIONAL else [value]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        return function(*positional, **named)
