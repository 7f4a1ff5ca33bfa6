"""What a ``study.toml`` may hold, and messages that name file, line and key where it does not."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from apastats.errors import StudyError

__all__ = ["StudyFile", "parse_study"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StudySection(_Section):
    """Name, title and seed."""

    name: str = Field(
        default="study", pattern=r"^[A-Za-z0-9._-]+$", description="folder name of the output"
    )
    title: str = ""
    seed: int = Field(default=1, ge=0)


class TableInput(_Section):
    """One table of scores."""

    path: str
    rename: dict[str, str] | None = None
    defaults: dict[str, str] | None = None
    wide: Literal["model", "subject", "roi"] | None = None


class RDMInput(_Section):
    """One more file of model RDMs."""

    path: str
    layout: list[dict[str, Any]] | None = None


class Inputs(_Section):
    """Where the data are: score tables or sheets, or RDMs."""

    scores: str | None = None
    tables: dict[str, TableInput] = Field(default_factory=dict)
    rdms: str | None = None
    models: str | None = None
    rdms_layout: list[dict[str, Any]] | None = None
    models_layout: list[dict[str, Any]] | None = None
    more_models: dict[str, RDMInput] = Field(default_factory=dict)
    rois: list[str] | None = None
    streams: dict[str, list[str]] = Field(default_factory=dict)
    cache: str | None = None

    @model_validator(mode="after")
    def _something(self) -> Inputs:
        if self.scores is None and not self.tables and self.rdms is None:
            raise ValueError("one of scores, tables or rdms is needed")
        if (self.models is not None or self.more_models) and self.rdms is None:
            raise ValueError("models without rdms: the brain's RDMs are needed")
        return self


class ScoreSection(_Section):
    """How RDMs are compared."""

    method: str = "corr"


class SelectLayerSection(_Section):
    """What the layer of a model is chosen on."""

    on: Literal["auto", "train", "cross_subject"] = "auto"


class CeilingSection(_Section):
    """Which noise ceilings are computed, where the data allow."""

    kinds: tuple[Literal["leave_one_out", "subject_to_subject", "nili"], ...] = (
        "leave_one_out",
        "subject_to_subject",
        "nili",
    )


class AgreementSection(_Section):
    """Pattern agreement."""

    run: bool = True
    reference: str = "leave_one_out"
    similarity: str = "pearson"


class BootstrapSection(_Section):
    """Subject bootstrap of means."""

    n_resamples: int | Literal["auto", "exact"] = "auto"
    interval: str = "studentized"
    conf_level: float = Field(default=0.95, gt=0, lt=1)
    n_jobs: int = 1


class EquivalenceSection(_Section):
    """Equivalence test; there is no default margin."""

    bounds: float | list[float] | dict[str, Any]
    reference: str | None = "best"
    adjust: str = "holm"
    alpha: float = Field(default=0.05, gt=0, lt=0.5)

    @field_validator("bounds")
    @classmethod
    def _share_of(cls, value: Any) -> Any:
        if isinstance(value, dict) and (
            set(value) != {"share", "of"} or not isinstance(value["share"], (int, float))
        ):
            raise ValueError(
                "a margin is a number, a pair [low, high], or { share = 0.1, of = 'leave_one_out' }"
            )
        return tuple(value) if isinstance(value, list) else value


class FollowSection(_Section):
    """A method called on the result of an analysis."""

    method: str
    options: dict[str, Any] = Field(default_factory=dict)


class AnalysisSection(_Section):
    """One further analysis: any verb on any earlier result."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    verb: str
    data: str
    formula: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    then: list[FollowSection] = Field(default_factory=list)


class ReportSection(_Section):
    """What is written."""

    formats: tuple[Literal["html", "md", "tex", "docx"], ...] = ("html",)
    figures: tuple[Literal["svg", "png", "pdf"], ...] = ("svg",)


class StudyFile(_Section):
    """The whole file."""

    study: StudySection = Field(default_factory=StudySection)
    inputs: Inputs
    score: ScoreSection = Field(default_factory=ScoreSection)
    select_layer: SelectLayerSection = Field(default_factory=SelectLayerSection)
    ceiling: CeilingSection = Field(default_factory=CeilingSection)
    agreement: AgreementSection = Field(default_factory=AgreementSection)
    bootstrap: BootstrapSection = Field(default_factory=BootstrapSection)
    equivalence: EquivalenceSection | None = None
    equivalence_agreement: EquivalenceSection | None = None
    analysis: list[AnalysisSection] = Field(default_factory=list)
    report: ReportSection = Field(default_factory=ReportSection)


_PATH_KEYS = ("scores", "rdms", "models", "cache")


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
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read ({error})") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from error
    _absolute(content, path.parent.resolve())
    assigned: list[tuple[str, ...]] = []
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        keys = tuple(key.strip().split("."))
        if not equals or not all(keys):
            raise StudyError(f"--set {assignment}: allowed is KEY=VALUE, e.g. inputs.scores=DIR")
        _assign(content, keys, _value(value.strip()), assignment)
        assigned.append(keys)
    if assignments:
        text = (
            text.rstrip("\n")
            + "\n\n# run with: "
            + " ".join(f"--set {a}" for a in assignments)
            + "\n"
        )
    try:
        parsed = StudyFile.model_validate(content)
    except ValidationError as error:
        raise StudyError(_explain(error, path, text, assigned)) from error
    return parsed, text


def _absolute(content: dict[str, Any], base: Path) -> None:
    """Make the input paths of the file absolute."""
    inputs = content.get("inputs")
    if not isinstance(inputs, dict):
        return
    for key in _PATH_KEYS:
        if isinstance(inputs.get(key), str):
            inputs[key] = str(base / inputs[key])
    for group in ("tables", "more_models"):
        entries = inputs.get(group)
        for entry in entries.values() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                entry["path"] = str(base / entry["path"])


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _assign(content: dict[str, Any], keys: tuple[str, ...], value: Any, assignment: str) -> None:
    place = content
    for key in keys[:-1]:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise StudyError(f"--set {assignment}: {key!r} is not a section")
    is_path = keys[:1] == ("inputs",) and (keys[-1] in (*_PATH_KEYS, "path"))
    place[keys[-1]] = str(Path(str(value)).expanduser().resolve()) if is_path else value


def _explain(error: ValidationError, path: Path, text: str, assigned: list[tuple[str, ...]]) -> str:
    lines = []
    for problem in error.errors():
        keys = tuple(
            str(k)
            for k in problem["loc"]
            if not str(k).startswith(("function-", "float", "list[", "dict["))
        )
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key; allowed: {', '.join(_allowed(keys[:-1]))}"
        elif problem["type"] == "missing":
            message = "is missing"
            if keys and keys[-1] == "bounds":
                message = "is missing: no margin is ever implied; state the smallest difference that matters"
        elif "input" in problem and not isinstance(problem["input"], dict):
            message = f"{message}; got {problem['input']!r}"
        where = "--set" if keys in assigned else f"line {_line_of(text, keys)}"
        lines.append(f"{path}, {where}, {'.'.join(keys)}: {message}")
    return "\n".join(dict.fromkeys(lines))


def _allowed(keys: tuple[str, ...]) -> list[str]:
    """Names allowed at a place of the file."""
    model: Any = StudyFile
    for key in keys:
        field = getattr(model, "model_fields", {}).get(key)
        if field is None:
            return ["(see the documentation)"]
        found = [
            a
            for a in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if hasattr(a, "model_fields")
        ]
        if not found:
            return ["(see the documentation)"]
        model = found[0]
    return list(model.model_fields)


def _line_of(text: str, keys: tuple[str, ...]) -> int:
    """Line of a key in the file, or of the nearest section above it."""
    best, section = 1, ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?", line)
        if header and "=" not in line.split("]")[0]:
            section = header.group(1)
            full = tuple(section.split("."))
        else:
            name = re.match(r"\s*([A-Za-z0-9_.-]+)\s*=", line)
            if not name:
                continue
            full = tuple([*section.split(".")] if section else []) + tuple(name.group(1).split("."))
        if full == keys:
            return number
        if full == keys[: len(full)]:
            best = number
    return best
