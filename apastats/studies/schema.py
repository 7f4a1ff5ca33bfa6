"""Reading a ``study.toml``: paths made absolute, assignments applied, mistakes told with file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from apastats.calls import alike, nearest
from apastats.errors import InputError, StudyError, shown
from apastats.studies.sections import StudyFile

__all__ = ["Locator", "is_path", "locate_study", "naming", "parse_study"]

_LONGEST = 1500  # characters of what is told of one file
_FILES = ("scores", "rdms", "models", "repeats", "patterns", "regions", "cache")
_NAMED_FILES = ("tables", "more_models", "model_patterns")
_NETWORK_FILES = ("code", "weights", "stimuli", "test_stimuli", "transform")
_OTHER_FILES = {
    ("score", "sigma_k"),
    ("rdms_from_patterns", "noise"),
    ("bootstrap", "workdir"),
    ("fitted", "sigma_k"),
}


def is_path(keys: tuple[str, ...]) -> bool:
    """Whether the text at a key of the file is a path."""
    if keys in _OTHER_FILES:
        return True
    if keys[:2] == ("fitted", "models"):
        return len(keys) == 4 and keys[3] == "array"
    if len(keys) < 2 or keys[0] != "inputs":
        return False
    if keys[1:2] == ("networks",):
        return len(keys) == 4 and keys[3] in _NETWORK_FILES
    named = len(keys) > 2 and keys[1] in _NAMED_FILES
    rest = keys[3:] if named else keys[2:]
    return (named or keys[1] in _FILES) and rest in ((), ("path",))


class Locator:
    """Where a key of a study stands: file and line, or that it was assigned on the command line.

    Parameters
    ----------
    path : pathlib.Path
        The study file.
    text : str
        Its text.
    assigned : sequence of tuple of str
        Keys that were given with ``--set``.
    """

    def __init__(self, path: Path, text: str, assigned: Sequence[tuple[str, ...]] = ()) -> None:
        self.path, self.text, self.assigned = path, text, tuple(assigned)

    def __call__(self, keys: tuple[str, ...]) -> str:
        """``study.toml, line 12, equivalence.adjust``."""
        given = any(keys[: len(a)] == a for a in self.assigned)
        where = "--set" if given else f"line {_line_of(self.text, keys)}"
        return f"{self.path}, {where}" + (f", {'.'.join(keys)}" if keys else "")


@contextmanager
def naming(locate: Locator | None, section: str) -> Iterator[None]:
    """A wrong option of a verb becomes an error that names the key of the section it was given under."""
    try:
        yield
    except InputError as error:
        key = getattr(error, "argument", "").split("[")[0]
        model = next(_models(StudyFile.model_fields[section].annotation))
        if locate is None or key not in model.model_fields:
            raise
        raise StudyError(f"{locate((section, key))}: {error}") from error


def parse_study(path: Path, assignments: Sequence[str] = ()) -> tuple[StudyFile, str]:
    """Read and validate a study file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    assignments : sequence of str
        ``key=value`` texts; a value is read as TOML where it is TOML, as text otherwise.

    Returns
    -------
    study : StudyFile
        With absolute input paths.
    text : str
        The study as it was run, assignments noted at its end.

    Raises
    ------
    StudyError
        With file, line and key.
    """
    study, text, _ = locate_study(path, assignments)
    return study, text


def locate_study(path: Path, assignments: Sequence[str] = ()) -> tuple[StudyFile, str, Locator]:
    """As :func:`parse_study`, and where each key stands."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read ({error})") from error
    return study_of(text, path, assignments, base=path.parent.resolve(), here=Path.cwd())


def study_of(
    text: str, path: Path, assignments: Sequence[str], *, base: Path, here: Path
) -> tuple[StudyFile, str, Locator]:
    """As :func:`locate_study`, of a text; its paths are relative to ``base``, assigned ones to ``here``."""
    try:
        content = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # also of numbers and nests beyond what Python takes
        raise StudyError(f"{path}: not valid TOML: {error}") from error
    content = _absolute(content, (), base)
    assigned = [_assign(content, a, here) for a in assignments]
    locator = Locator(path, text, assigned)
    if assignments:
        noted = " ".join(f"--set {a}" for a in assignments)
        text = f"{text.rstrip(chr(10))}\n\n# run with: {noted}\n"
    try:
        parsed = StudyFile.model_validate(content)
    except ValidationError as error:
        raise StudyError(_explain(error, content, locator)) from error
    return parsed, text, locator


def _absolute(value: Any, keys: tuple[str, ...], base: Path) -> Any:
    """The same content with absolute paths."""
    if isinstance(value, dict):
        return {k: _absolute(v, (*keys, k), base) for k, v in value.items()}
    if isinstance(value, list) and is_path(keys):
        return [_absolute(v, keys, base) for v in value]
    return str(base / value) if isinstance(value, str) and is_path(keys) else value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):
        return text


def _assign(content: dict[str, Any], assignment: str, here: Path) -> tuple[str, ...]:
    """Put a value given on the command line into the content; its paths are relative to ``here``."""
    key, equals, text = assignment.partition("=")
    keys = tuple(key.strip().split("."))
    if not equals or not all(keys):
        raise StudyError(f"--set {assignment}: allowed is KEY=VALUE, e.g. inputs.scores=DIR")
    value = str(Path(text.strip()).expanduser()) if is_path(keys) else _value(text.strip())
    if is_path(keys) and text.strip().startswith(("{", "[", '"', "'")):
        value = _value(text.strip())
    value = _absolute(value, keys, here)
    place: Any = content
    for depth, k in enumerate(keys[:-1]):
        if isinstance(place, list):
            place = _entry(place, k, assignment)
            continue
        inner = place.setdefault(k, {})
        if isinstance(inner, str | list) and is_path((*keys[:depth], k)):
            inner = place[k] = {"path": inner}  # an option beside a path that stood alone
        place = inner
        if not isinstance(place, (dict, list)):
            raise StudyError(f"--set {assignment}: {k!r} is not a section")
    if isinstance(place, list):
        raise StudyError(f"--set {assignment}: name the entry and its key, e.g. analysis.0.verb")
    last = keys[-1]
    if isinstance(value, str) and is_path(keys) and isinstance(place.get(last), dict):
        place[last]["path"] = value  # the options of the file stay
    else:
        place[last] = value
    return keys


def _entry(entries: list[Any], key: str, assignment: str) -> Any:
    """Entry of a list by its number, or by its name."""
    for i, entry in enumerate(entries):
        if key == str(i) or (isinstance(entry, dict) and entry.get("name") == key):
            return entry
    known = [e.get("name") for e in entries if isinstance(e, dict)]
    raise StudyError(f"--set {assignment}: no entry {key!r}; there are {known}")


def _explain(error: ValidationError, content: dict[str, Any], locator: Locator) -> str:
    """One line per key, with all that is allowed there."""
    found: dict[tuple[str, ...], list[str]] = {}
    got: dict[tuple[str, ...], str] = {}
    allowed_here: dict[tuple[str, ...], dict[str, None]] = {}
    hints: dict[tuple[str, ...], str] = {}
    for problem in error.errors():
        kind = problem["type"]
        keys = _keys(problem["loc"], content, missing=kind == "missing")
        message = problem["msg"].removeprefix("Value error, ")
        if kind == "extra_forbidden":
            allowed = _allowed(keys[:-1])
            meant = nearest(keys[-1], allowed)
            message = f"unknown key; allowed: {', '.join(allowed)}"
            message += f"; did you mean {meant}?" if meant else ""
        elif kind == "missing":
            message = "is missing"
            if keys and keys[-1] == "bounds":
                message += (
                    ": no margin is ever implied; state the smallest difference that matters, "
                    f"in the file or by --set {'.'.join(keys)}=0.02"
                )
        elif kind != "value_error":
            allowed_here.setdefault(keys, {})[_in_words(problem)] = None
            got[keys] = shown(problem["input"], 80)
            hints.setdefault(keys, _hint(keys, problem))
            continue
        elif not isinstance(problem["input"], (dict, StudyFile)):
            message += f"; got {shown(problem['input'], 80)}"
        found.setdefault(keys, []).append(message)
    lines = [f"{locator(keys)}: {', or '.join(dict.fromkeys(m))}" for keys, m in found.items()]
    for keys, words in allowed_here.items():
        line = f"{locator(keys)}: got {got[keys]}; allowed: {', or '.join(words)}"
        lines.append(f"{line}. {hints[keys]}".rstrip(". "))
    told = list(takewhile(lambda k: sum(map(len, lines[: k + 1])) < _LONGEST, range(len(lines))))
    more = len(lines) - max(1, len(told))
    return "\n".join([*lines[: max(1, len(told))], *([f"and {more} more"] if more else [])])


_ALLOWED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table of keys",
    "model": "a table of keys",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "finite": "a finite number",
    "too_short": "a list of {min_length} or more",
    "too_long": "a list of at most {max_length}",
    "literal": "{expected}",
    "none": "nothing",
}
_TEXTS = {r"^[A-Za-z0-9._-]+$": "a name of letters, digits, '.', '_' and '-'"}  # others are of code


def _in_words(problem: Mapping[str, Any]) -> str:
    """What is allowed where pydantic refused a value."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _TEXTS.get(context["pattern"], "FILE.py:NAME, a name in a file of Python")
    begun = [k for k in _ALLOWED if kind.startswith(k)]
    return _ALLOWED[max(begun, key=len)].format(**context) if begun else "another value"


def _hint(keys: tuple[str, ...], problem: Mapping[str, Any]) -> str:
    """The word that is meant, or how a margin is written."""
    if "bounds" in keys[-1:] and isinstance(problem["input"], str):
        return (
            "The margin is the smallest difference that matters: bounds = 0.02, or as a share "
            "bounds = { share = 0.1, of = 'leave_one_out' }"
        )
    if problem["type"] != "literal_error":
        return ""
    return alike(problem["input"], re.findall(r"'([^']*)'", problem["ctx"]["expected"]))


def _keys(loc: Sequence[Any], content: Any, *, missing: bool) -> tuple[str, ...]:
    """Keys of the file in a location of pydantic's, which also names the members of unions."""
    keys: list[str] = []
    node = content
    for i, part in enumerate(loc):
        here = isinstance(node, dict) and part in node
        here = here or (isinstance(node, list) and isinstance(part, int) and part < len(node))
        if here:
            node = node[part]
        elif not (missing and i == len(loc) - 1):
            continue
        keys.append(str(part))
    return tuple(keys)


def _models(annotation: Any) -> Iterator[Any]:
    """Sections in a type, however deep."""
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _allowed(keys: tuple[str, ...]) -> list[str]:
    """Names allowed at a place of the file."""
    model: Any = StudyFile
    for key in keys:
        field = model.model_fields.get(key)
        if field is None:
            continue  # the name of a table, or the number of an entry
        model = next(_models(field.annotation), model)
    return list(model.model_fields)


def _line_of(text: str, keys: tuple[str, ...]) -> int:
    """Line of a key in the file, or of the nearest section above it."""
    best, section = 1, tuple[str, ...]()
    entries: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$", line)
        if header and "=" not in line.split("]")[0]:
            section = tuple(k.strip().strip("\"'") for k in header.group(2).split("."))
            if header.group(1) == "[[":
                entries[header.group(2)] = entries.get(header.group(2), -1) + 1
                section = (*section, str(entries[header.group(2)]))
            full = section
        else:
            name = re.match(r"\s*([A-Za-z0-9_.-]+)\s*=", line)
            if not name:
                continue
            full = (*section, *name.group(1).split("."))
        if full == keys:
            return number
        if full == keys[: len(full)]:
            best = number
    return best
