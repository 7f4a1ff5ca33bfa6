"""Stages of a computation on disk: kept whole, used again only if inputs, options and code are the same."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
        module: Any,
        **options: Any,
    ) -> Path:
        """Folder of a stage: as it is where its key is the same, made anew otherwise.

        ``make(folder)`` writes the stage; it appears under its name when it is complete. The key holds the options,
        the keys of the stages it reads, and the source of the module that makes it.
        """
        key = hashlib.sha256(
            json.dumps(
                [
                    name,
                    options,
                    [(p / "key").read_text() for p in inputs],
                    inspect.getsource(module),
                ],
                sort_keys=True,
            ).encode()
        ).hexdigest()
        place = self.folder / name
        if (place / "key").is_file() and (place / "key").read_text() == key:
            return place
        part = self.folder / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part)
        (part / "key").write_text(key)
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
        self.made.append(name)
        return place
