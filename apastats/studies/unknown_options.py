"""What is said to an option or a command that is not there: which one is meant, or where it is written."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from typer.core import TyperGroup

from apastats.calls import nearest
from apastats.elsewhere import ARGUMENTS

__all__ = ["Commands", "study_keys"]

# commands by the words of other programs
_WORDS = {
    "init": ("new", "start", "create", "setup", "configure"),
    "run": ("execute", "analyse", "analyze", "fit", "test"),
    "check": ("validate", "inspect", "describe", "info", "read", "lint", "summary"),
    "view": ("open", "show", "browse", "display"),
    "verify": ("reproduce", "compare", "diff"),
    "report": ("render", "export", "build"),
    "cite": ("references", "citation", "bibtex"),
    "demo": ("example", "tutorial", "tour"),
}


class Commands(TyperGroup):
    """The commands; their errors of unknown options and commands say what is meant."""

    def invoke(self, ctx: Any) -> Any:
        """As of every group."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # typer brings a click of its own, or uses the one that is installed: known by what it carries
            if hasattr(error, "option_name") and hasattr(error, "possibilities"):
                _explain_option(error)
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As of every group."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            if hasattr(error, "message"):
                error.message = _no_command(args[0], self.list_commands(ctx))
            raise


def _explain_option(error: Any) -> None:
    command = error.ctx.command if error.ctx else None
    own = [o[2:] for p in command.params for o in p.opts if o.startswith("--")] if command else []
    hint = _hint(error.option_name.lstrip("-"), own, command.name if command else "")
    error.message = f"No such option: {error.option_name}. {hint}".strip()
    error.possibilities = None


def _hint(name: str, own: Sequence[str], command: str) -> str:
    plain = name.replace("-", "_")
    options = {o.replace("-", "_"): o for o in own}
    keys = study_keys() if command in ("init", "run", "plan") else {}
    named = [o for o in options if plain in ARGUMENTS.get(o, ())]
    close = named[0] if named else None if plain in keys else nearest(plain, list(options))
    if close:
        return f"Did you mean --{options[close]}?"
    key = plain if plain in keys else nearest(plain, list(keys))
    if not key:
        return ""
    places = keys[key]
    also = f" (also {', '.join(places[1:4])})" if len(places) > 1 else ""
    how = "write it there" if command == "init" else f"--set {places[0]}=VALUE replaces it"
    return f"{places[0]} is a key of the study{also}: {how}."


@functools.cache
def study_keys() -> dict[str, tuple[str, ...]]:
    """Names of the keys of a study, and the places that bear them, the test of equivalence first."""
    from apastats.studies.sections import StudyFile

    found: dict[str, list[str]] = {}
    for section, field in StudyFile.model_fields.items():
        for model in _models(field.annotation):
            for key in model.model_fields:
                found.setdefault(key, []).append(f"{section}.{key}")
            break
    return {
        k: tuple(sorted(v, key=lambda p: not p.startswith("equivalence.")))
        for k, v in found.items()
    }


def _models(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _no_command(name: str, commands: Sequence[str]) -> str:
    from apastats import EXPORTS

    listed = f"commands: {', '.join(commands)}"
    if name in EXPORTS:
        return (
            f"No such command: {name} is a verb of Python (apa.{name}); here a study calls it "
            f"(apastats init, then run). {listed}"
        )
    low = name.lower()
    meant = [c for c in commands if low in _WORDS.get(c, ())]
    meant = meant or difflib.get_close_matches(low, commands, n=1)
    return f"No such command: {name}. " + (
        f"Did you mean {meant[0]}? {listed}" if meant else listed
    )
