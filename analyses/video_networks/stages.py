"""Stages of a computation on disk: kept whole, used again only if inputs, options and code are the same."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apastats


class Stages:
    """Folders of finished stages below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[str] = []

    def run(
        self,
        name: str,
        make: Callable[[Path], None],
        inputs: list[Path],
        *code: Any,
        keep_part: bool = False,
        **options: Any,
    ) -> Path:
        """Folder of a stage: as it is where its key is the same, made anew otherwise.

        ``make(folder)`` writes the stage; it appears under its name when it is complete. The key holds the options,
        the keys of the stages it reads, the sources of the modules (and the texts) that make it, and the version of
        the package. ``keep_part``: what a killed run left is there when ``make`` goes on.
        """
        key = hashlib.sha256(
            json.dumps(
                [
                    name,
                    options,
                    [(p / "key").read_text() for p in inputs],
                    [c if isinstance(c, str) else inspect.getsource(c) for c in code],
                    apastats.__version__,
                ],
                sort_keys=True,
            ).encode()
        ).hexdigest()
        place = self.folder / name
        if (place / "key").is_file() and (place / "key").read_text() == key:
            return place
        part = self.folder / f"{name}.part"
        begun = part / "begun"
        if not (keep_part and begun.is_file() and begun.read_text() == key):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            begun.write_text(key)
        make(part)
        (part / "key").write_text(key)
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
        self.made.append(name)
        return place
