"""Results of a study on disk, one by one: complete or absent, so that an interrupted run continues."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apastats.errors import ApaWarning, ReadError
from apastats.folders import clear, mark, ours, remove, write_whole
from apastats.io.arrays import first_line
from apastats.io.load_result import load_result, read_parquet
from apastats.results import jsonable, package_versions
from apastats.studies.sections import StudyFile
from apastats.table import ScoreTable
from apastats.words import Facts, Outcome, read_json

__all__ = ["Store", "fingerprint", "load", "save"]


def save(folder: Path, name: str, value: Any, messages: list[str]) -> None:
    """Write one result; ``NAME.json`` comes last and says that it is complete."""
    done = folder / f"{name}.json"
    done.unlink(missing_ok=True)
    if isinstance(value, ScoreTable):
        value.frame.to_parquet(folder / f"{name}.parquet", index=False)
        measures = {k: vars(v) for k, v in value.measures.items()}
        kind: Any = {
            "outcomes": value.outcomes, "log": value.log, "source": value.source, "measures": measures,
            "covariates": value.covariates, "facts": value.facts.as_dict(),
        }  # fmt: skip
    else:
        if (folder / name).is_dir():  # of a run that was killed while it wrote
            shutil.rmtree(folder / name)
        value.save(folder / name)
        kind = value.kind
    _complete(folder, name, kind, messages)


def _complete(folder: Path, name: str, kind: Any, messages: list[str]) -> None:
    """Say that a result is complete."""
    done = folder / f"{name}.json"
    text = json.dumps(jsonable({"kind": kind, "warnings": messages}), ensure_ascii=False)
    write_whole(done, text)


def load(folder: Path, name: str) -> tuple[Any, list[str]]:
    """One result and the warnings it came with.

    Raises
    ------
    ReadError
        If it is not there, or not complete.
    """
    try:
        found = read_json(folder / f"{name}.json")
        kind, messages = found["kind"], list(found["warnings"])
        if isinstance(kind, str):
            return load_result(folder / name), messages
        table = ScoreTable(
            read_parquet(folder / f"{name}.parquet"),
            tuple(kind["outcomes"]),
            log=tuple(kind["log"]),
            source=kind["source"],
            measures={k: Outcome(**v) for k, v in kind["measures"].items()},
            covariates=tuple(kind["covariates"]),
            facts=Facts.from_dict(kind["facts"]),
        )
    except ReadError:
        raise
    except Exception as error:  # whatever damaged files raise in json, parquet, or the table
        raise ReadError(folder / name, f"not a complete result ({first_line(error)})") from error
    return table, messages


def fingerprint(study: StudyFile, data_hashes: list[str]) -> str:
    """Hash of everything the results depend on: the study, the data, the versions."""
    content = {
        "study": jsonable(study.model_dump()),
        "data": data_hashes,
        "versions": package_versions(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def collect(make: Callable[[], Any]) -> tuple[Any, list[str]]:
    """A result and the texts of our own warnings given while it was made."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = make()
    ours = (str(w.message) for w in caught if issubclass(w.category, ApaWarning))
    return value, list(dict.fromkeys(ours))


@dataclass
class Store:
    """Keeps results in ``folder`` as they are computed; without a folder it only collects warnings."""

    folder: Path | None = None
    messages: list[str] = field(default_factory=list)
    _kept: dict[str, Any] = field(default_factory=dict)

    def begin(self, stamp: str) -> None:
        """Drop what an earlier run left unless it had the same fingerprint."""
        if self.folder is None:
            return
        manifest = self.folder / "manifest"
        same = manifest.is_file() and manifest.read_bytes() == stamp.encode()
        if not same or not ours(self.folder):
            clear(self.folder)
        if not same:
            self.folder.mkdir(parents=True)
            mark(self.folder)
            manifest.write_text(stamp, "utf-8")

    def drop(self) -> None:
        """Remove what was kept."""
        if self.folder is not None and ours(self.folder):
            remove(self.folder)

    def forget(self, name: str) -> None:
        """Make the result of that name anew, even if an interrupted run had finished it."""
        if self.folder is not None:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """The result of that name: read back if an interrupted run had finished it, made otherwise."""
        if self.folder is not None and (self.folder / f"{name}.json").exists():
            value, messages = load(self.folder, name)
        else:
            value, messages = collect(make)
            if self.folder is not None:
                save(self.folder, name, value, messages)
        self._kept[name] = value
        self.messages += [m for m in messages if m not in self.messages]
        return value

    def copy(self, folder: Path, name: str, value: Any) -> bool:
        """Copy a result to another folder instead of writing it again; False where this is not what was kept."""
        if self.folder is None or self._kept.get(name) is not value:
            return False
        source = self.folder / f"{name}.json"
        if not source.exists():
            return False
        if isinstance(value, ScoreTable):
            shutil.copyfile(self.folder / f"{name}.parquet", folder / f"{name}.parquet")
        else:
            shutil.copytree(self.folder / name, folder / name, dirs_exist_ok=True)
        _complete(folder, name, read_json(source)["kind"], [])
        return True
