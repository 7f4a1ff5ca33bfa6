"""What a source of scores is, what each of its columns is taken for, what is wrong, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from apastats.errors import ApaError, DataError, ReadError
from apastats.io.columns import MISSING, NAMES, Plan
from apastats.io.dialects import COMMENTS, DECIMALS, ENCODINGS, SEPARATORS
from apastats.io.formats import FORMATS, SUFFIXES
from apastats.io.frames import OBJECTS
from apastats.io.rdm_files import FORMATS as RDM_FORMATS
from apastats.io.read import Found, look_into, read
from apastats.io.read_patterns import FORMATS as PATTERN_FORMATS
from apastats.io.sources import ENTITIES, expand, is_paths
from apastats.rows import KEY_COLUMNS
from apastats.table import ScoreTable

__all__ = ["as_options", "describe_source", "formats_page"]

Row = tuple[str, str, str, str]  # item, value, status, detail
OK, NOTE, PROBLEM = "ok", "note", "problem"
_SHOWN = 200


def describe_source(
    source: Any, options: Mapping[str, Any]
) -> tuple[list[Row], ScoreTable | None, list[Row]]:
    """Describe a source of scores; problems become rows rather than errors.

    Parameters
    ----------
    source : object
        As in :func:`apastats.read`.
    options : mapping
        Options of :func:`apastats.read`.

    Returns
    -------
    before : list of tuple
        What it is, and what each column is taken for.
    table : ScoreTable or None
        None where it is refused.
    after : list of tuple
        What is wrong, and the line to type next.

    Raises
    ------
    ReadError
        If a file cannot be read at all.
    """
    about = {
        k: v for k, v in options.items() if k not in ("layout", "rois", "on_duplicate", "cache")
    }
    sheets = options.get("layout") == "scoresheets" or _published(source)
    after: list[Row] = []
    table: ScoreTable | None = None
    try:
        found = None if sheets else look_into(source, **about)
    except ReadError as error:
        good, after = _each(source, about, error)
        found = look_into(good, **about)
    before = [("source", "published score sheets", OK, "")] if found is None else _what(found)
    if not after and (found is None or not found.plan.problems):
        try:
            # repeated rows are something to report here, not a reason to stop
            table = read(source, **({"on_duplicate": "first"} | dict(options)))
        except ReadError:
            raise
        except DataError as error:
            after.append(("reading", "refused", PROBLEM, str(error)))
    after += [] if found is None else _wrong(found.plan)
    return before, table, [*after, _next(source, options, found, table)]


def _each(source: Any, about: Mapping[str, Any], error: ReadError) -> tuple[list[str], list[Row]]:
    """The files of a source that are tables, and a row for each that is none.

    Raises
    ------
    ReadError
        The one given, if it is about a single file, or none is a table.
    """
    files = expand(source, SUFFIXES)[0] if is_paths(source) else []
    good, rows = [], []
    for file in files if len(files) > 1 else []:
        try:
            look_into(file, **about)
            good.append(file)
        except ApaError as found:
            why = str(found).removeprefix(f"{file}: ")
            rows.append(
                (f"file {file}", "no table", PROBLEM, f"{why}; move it, or name the others")
            )
    if not good or not rows:
        raise error
    return good, rows


def _published(source: Any) -> bool:
    from pathlib import Path

    from apastats.io.read import is_scoresheets

    return isinstance(source, (str, Path)) and is_scoresheets(Path(source))


def _what(found: Found) -> list[Row]:
    rows: list[Row] = [("source", "; ".join(found.what), OK, "; ".join(found.log))]
    levels = [c.name for c in found.plan.of("level")]
    for column in found.plan.columns[:_SHOWN]:
        if column.role == "level":
            continue
        value = column.target or ("not known" if column.role == "unknown" else "left out")
        if column.target is not None:
            value = {"score": "score", "other label": f"{value} (text, no part of the key)"}.get(
                column.role, value if column.role in KEY_COLUMNS else f"{value} ({column.role})"
            )
        status = PROBLEM if column.role == "unknown" else OK
        rows.append((f"column {column.name!r}", value, status, column.why))
    if levels:
        target = found.plan.of("level")[0].target
        rows.append((f"{len(levels)} columns", f"levels of {target}", OK, ", ".join(levels[:20])))
    return rows


def _wrong(plan: Plan) -> list[Row]:
    """Problems of the columns that are not told beside one of them."""
    unknown = tuple(f"column {c.name!r}:" for c in plan.of("unknown"))
    return [
        ("columns", "refused", PROBLEM, p)
        for p in plan.problems
        if not p.startswith(unknown or ("\n",))
    ]


def _next(
    source: Any, options: Mapping[str, Any], found: Found | None, table: ScoreTable | None
) -> Row:
    """The line to type next: a study of what was read, or the options that would read it."""
    ways = [] if found is None else found.plan.options
    if not is_paths(source):
        call = ", ".join(f"{k}={v!r}" for k, v in options.items())
        text = (
            f"apa.read(data{', ' + call if call else ''})"
            if table is not None
            else "apa.read(data, ...)"
        )
        return ("next", text, OK, " ".join(ways))
    paths = [source] if not isinstance(source, list | tuple) else list(source)
    given = [shlex.quote(str(p)) for p in paths] + as_options(options)
    if table is not None:
        if table.facts.n_duplicate and not options.get("on_duplicate"):
            given.append("--on-duplicate first")
        return ("next", f"apastats init {' '.join(given)}", OK, "writes a study to start from")
    return (
        "next",
        f"apastats check {' '.join([*given, *ways])}",
        NOTE,
        "or other answers to what is not known" if ways else "once the data are corrected",
    )


def as_options(options: Mapping[str, Any]) -> list[str]:
    """Options of the reader as they are typed on the command line."""
    out: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value in (None, (), [], {}):
            continue
        if isinstance(value, Mapping):
            pairs = value.items()
            out += [f"{flag} {shlex.quote(f'{k}={_joined(v)}')}" for k, v in pairs]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            out += [f"{flag} {shlex.quote(str(v))}" for v in value]
        else:
            out.append(f"{flag} {shlex.quote(str(value))}")
    return out


def _joined(value: Any) -> str:
    return value if isinstance(value, str) else ",".join(map(str, value))


def formats_page() -> str:
    """What can be read, as Markdown: from the tables that the readers themselves use."""
    lines = ["| file of scores | endings | how |", "| --- | --- | --- |"]
    lines += [f"| {k} | {' '.join(e)} | {how} |" for k, (e, how) in FORMATS.items()]
    lines += ["", "| file of RDMs | what |", "| --- | --- |"]
    lines += [f"| {k} | {what} |" for k, what in RDM_FORMATS.items()]
    lines += ["", "| file of patterns | what |", "| --- | --- |"]
    lines += [f"| {k} | {what} |" for k, what in PATTERN_FORMATS.items()]
    lines += ["", "Objects: " + "; ".join(OBJECTS) + ".", ""]
    lines += ["| text | what is known |", "| --- | --- |"]
    lines.append(f"| separators | {', '.join(SEPARATORS.values())} |")
    lines.append(f"| decimal marks | {', '.join(DECIMALS.values())} |")
    lines.append(f"| comment lines begin with | {' '.join(COMMENTS)} |")
    lines += [f"| encoding {k} | {how} |" for k, how in ENCODINGS.items()]
    codes = " ".join(f"`{c}`" if c else "(nothing)" for c in MISSING)
    lines += [f"| a missing number | {codes} |", "", "| role | names of columns |", "| --- | --- |"]
    lines += [
        f"| {role} | {', '.join(n or '(no name)' for n in names)} |"
        for role, names in NAMES.items()
    ]
    lines += ["", "| in the name of a file | column |", "| --- | --- |"]
    lines += [f"| `{key}-` | {column} |" for key, column in ENTITIES.items()]
    return "\n".join(lines) + "\n"
