"""A commented ``study.toml`` to start from, written from the data it is pointed at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from apastats.arguments import number
from apastats.ceilings.check import is_table
from apastats.errors import InputError
from apastats.folders import refuse_file, write_whole
from apastats.io.bmd import BMD_STREAMS
from apastats.printable import counted
from apastats.studies.study_schema import schema_path
from apastats.studies.words import commented, keys_of_study
from apastats.table import ScoreTable

__all__ = ["starter_text", "toml_value", "typed_margin", "write_starter"]


def write_starter(
    data: str | Path | Sequence[str | Path],
    target: str | Path,
    *,
    models: str | Path | None = None,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
    bounds: float | None = None,
    full: bool = False,
) -> Path:
    """Write a starter study for scores or RDMs.

    Parameters
    ----------
    data : str, path, or list of them
        Scores (file, folder, pattern, files) or RDMs of the brain.
    target : str or path
        The study file to write.
    models : str or path, optional
        RDMs of models.
    overwrite : bool
        Whether an existing file may be replaced.
    options : mapping, optional
        Options of the reader, which the study then states.
    bounds : float, optional
        Margin of the equivalence test; without one the study asks for it when it is run.
    full : bool
        Whether every key is shown, with its default as a comment.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OutputExistsError
        If the file exists.
    ReadError
        If the data cannot be read.
    """
    target = Path(target)
    refuse_file(target, overwrite)
    text = starter_text(data, models, options or {}, bounds=bounds, full=full)
    write_whole(target, text)
    return target


def starter_text(
    data: str | Path | Sequence[str | Path],
    models: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    bounds: float | None = None,
    full: bool = False,
) -> str:
    """Text of the starter study; a margin must be stated by its user, here or in the file."""
    options = dict(options or {})
    paths = [Path(data)] if isinstance(data, str | Path) else [Path(p) for p in data]
    source: Any = paths[0] if len(paths) == 1 else paths
    rdms = not is_table(source)
    found = _describe_rdms(source, models, options) if rdms else _describe_scores(source, options)
    stem = re.sub(r"[*?\[\]]+", "", paths[0].stem)
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in stem) or "study"
    where = [_text(p.resolve()) for p in paths]
    stated_path = where[0] if len(where) == 1 else f"[{', '.join(where)}]"
    inputs = {"rdms" if rdms else "scores": _with_options(stated_path, options)}
    if models is not None:
        inputs["models"] = _text(Path(models).resolve())
    stated: dict[str, dict[str, str]] = {
        "study": {"name": _text(name), "title": '""', "seed": "1"},
        "inputs": inputs,
        **({"score": {"method": '"spearman"'}} if rdms else {}),
        "select_layer": {"on": f"{_text(found['on'])}    # {found['why']}"},
        "ceiling": {"kinds": _list(found["ceilings"])},
        "agreement": {
            "run": f"{_text(found['patterns'])}    # needs brain rows between ROIs, and three ROIs or more"
        },
        **({"bootstrap": {"n_resamples": '"auto"', "interval": '"studentized"'}} if full else {}),
        "equivalence": {"reference": '"best"'}
        | ({} if bounds is None else {"bounds": f"{bounds}"}),
    }
    head = [f"#:schema {schema_path().as_uri()}", f"# Study of {paths[0].name}: {found['what']}."]
    if not full:
        head += [
            "# Run:  apastats run THIS_FILE        Every key there is:  apastats init --full",
            "",
        ]
        return "\n".join([*head, *_short(stated, found, bounds), ""])
    lines = [
        *head,
        "# Run:  apastats run THIS_FILE        What is commented shows the defaults; ... stands for nothing.",
        "",
    ]
    for section in keys_of_study():
        if section in ("inputs.networks.NAME", "fitted.models.NAME", "analysis", "claims"):
            continue
        lines += _section(section, stated.get(section))
        if section == "inputs":
            lines += [f"# ROIs of the data: {_list(found['rois'])}", "", *_streams(found["rois"])]
    return "\n".join([*lines, *_MORE])


def _short(
    stated: Mapping[str, Mapping[str, str]], found: Mapping[str, Any], bounds: float | None
) -> Iterator[str]:
    """The sections that decide something, in the order of the analysis."""
    for section, keys in stated.items():
        yield f"[{section}]"
        yield from (f"{k} = {v}" for k, v in keys.items())
        if section == "equivalence" and bounds is None:
            yield from _MARGIN
        if section == "inputs":
            yield f"# ROIs of the data: {_list(found['rois'])}"
            yield from (f"streams.{line}" for line in _streams(found["rois"])[1:-1])
        yield ""
    yield "# [equivalence_agreement]    # the same for agreement with the brain's pattern, in Fisher z"
    yield "# bounds = 0.1"
    yield ""
    yield "[report]"
    yield 'formats = ["html"]    # also md, tex, docx, pdf'


_MARGIN = [
    "# The smallest difference that matters must be stated before looking; there is no default.",
    "# Either a number on the scale of the scores, or a share of a noise ceiling (take away one #):",
    "# bounds = 0.02",
    '# bounds = { share = 0.1, of = "leave_one_out" }',
]
_MORE = [
    "# Further analyses: any verb on any input or earlier result; see the page of the study file.",
    "# [[analysis]]",
    '# name = "set"',
    '# title = "Models that tie with the best"',
    '# verb = "equivalence_set"',
    '# formula = "score ~ model | roi"',
    '# data = "selected"',
    "# options = { bounds = 0.02 }",
    "# Claims, each with a verdict in the report: supported, refuted, undecided, or not testable here.",
    "# [[claims]]",
    '# name = "1"',
    '# statement = "Some model is within 0.02 of the best in most regions"',
    '# tests = [{ result = "equivalence_score", says = "within", value = 0.02, rows = "most" }]',
    "",
]


def _section(section: str, stated: dict[str, str] | None) -> list[str]:
    """A section with what is stated, and its other keys as comments; commented whole where nothing is."""
    head = f"[{section}]" if stated else f"# [{section}]"
    margin = section.startswith("equivalence")
    shown = tuple(stated or ()) + (("bounds",) if margin else ())
    return [
        head,
        *(f"{k} = {v}" for k, v in (stated or {}).items()),
        *(
            _MARGIN
            if section == "equivalence" and "bounds" not in (stated or {})
            else ["# bounds = ..."]
            if margin
            else []
        ),
        *commented(section, shown),
        "",
    ]


def _with_options(path: str, options: Mapping[str, Any]) -> str:
    """A path alone, or an inline table of the path and the options of its reader."""
    if not options:
        return path
    parts = [f"path = {path}", *(f"{k} = {toml_value(v)}" for k, v in options.items())]
    return "{ " + ", ".join(parts) + " }"


def toml_value(value: Any) -> str:
    """An option as TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_text(k)} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def typed_margin(text: str) -> float | None:
    """A margin as it was typed; None where nothing was."""
    if not text.strip():
        return None
    try:
        typed = float(text.replace(",", "."))
    except ValueError:
        raise InputError(
            "bounds", text, "a finite number above 0",
            hint="A share of a ceiling is written in the study file: "
            "equivalence.bounds = { share = 0.1, of = 'leave_one_out' }.",
        ) from None  # fmt: skip
    return number("bounds", typed, above=0)


def _describe_scores(source: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    from apastats.io.read import read

    table: ScoreTable = read(source, **options)
    kinds = table.levels("kind")
    train = "train" in table.levels("split")
    rois = table.levels("roi")
    brain = [k for k in ("leave_one_out", "subject_to_subject") if k in kinds]
    return {
        "what": f"{counted(table.frame['subject'].nunique(), 'subject')}, {counted(len(rois), 'ROI')}, "
        + counted(table.frame.loc[table.frame["kind"] == "model", "model"].nunique(), "model"),
        "rois": rois,
        "on": "train" if train else "cross_subject",
        "why": "there is a train split"
        if train
        else "no train split: each subject's layer is chosen on the others",
        "ceilings": brain,
        "patterns": len(rois) >= 3 and _between_rois(table, brain, rois),
    }


def _between_rois(table: ScoreTable, brain: list[str], rois: list[str]) -> bool:
    """Whether other ROIs predict a ROI, which patterns are made of."""
    rows = table.frame[table.frame["kind"].isin(brain)]
    return bool((rows["layer"].isin(rois) & (rows["layer"] != rows["roi"])).any())


def _describe_rdms(
    source: Any, models: str | Path | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    from apastats.io.read_rdms import read_rdms

    brain = read_rdms(source, **options)
    rois = list(brain.labels["roi"].unique()) if "roi" in brain.labels else ["-"]
    n = brain.labels["subject"].nunique() if "subject" in brain.labels else 1
    what = ", ".join(
        (counted(n, "subject"), counted(len(rois), "ROI"), f"{len(brain.stimuli)} stimuli")
    )
    if models is not None:
        what += f", {len(read_rdms(models))} model RDMs"
    return {
        "what": what,
        "rois": rois,
        "on": "cross_subject",
        "why": "RDMs have no train split: each subject's layer is chosen on the others",
        "ceilings": ["leave_one_out", "subject_to_subject", "nili"],
        "patterns": len(rois) >= 3,
    }


def _streams(rois: list[str]) -> list[str]:
    """Streams of the known regions; nothing for others."""
    known = {s: [r for r in members if r in rois] for s, members in BMD_STREAMS.items()}
    if sum(map(len, known.values())) != len(rois):
        return []
    return ["[inputs.streams]", *(f"{s} = {_list(m)}" for s, m in known.items() if m), ""]


def _text(value: Any) -> str:
    # json strings and booleans are valid TOML
    return json.dumps(value if isinstance(value, bool) else str(value), ensure_ascii=False)


def _list(values: list[str]) -> str:
    return "[" + ", ".join(_text(v) for v in values) + "]"
