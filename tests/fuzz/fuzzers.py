"""Fuzzers by name: so many inputs each, what they came to, and an input of each kind that must not be."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import apastats as apa
from apastats.errors import ApaError
from tests.fuzz import inputs
from tests.fuzz.absurd import attempt, cases
from tests.fuzz.calls import starts
from tests.fuzz.outcomes import WRONG, Found, tried

#: inputs of the long form: at least those of the first measurement
LONG = {
    "arguments": 100_000,
    "files": 30_000,
    "tables": 10_000,
    "formulas": 30_000,
    "studies": 20_000,
}
SHORT = 2_000


def arguments(number: int, folder: Path, seed: int | None = None) -> Found:
    """Absurd values for the arguments of every verb; the working folder changes, absurd paths are made there."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        known = starts()
        counts, kinds = Counter[str](), {}
        for name, changes in islice(cases(known, 20_261_129 if seed is None else seed), number):
            outcome = attempt(known[name], changes)
            counts[outcome.what] += 1
            if outcome.what in WRONG:
                kinds.setdefault(outcome, (name, changes))
    finally:
        os.chdir(here)
    return Found(counts, kinds)


def files(number: int, folder: Path, seed: int | None = None) -> Found:
    """Damaged bytes of every kind of file that is read."""
    inputs.write_files(folder)
    total = Found(Counter(), {})
    for name, read in inputs.FILES.items():
        place = folder / f"damaged {name.replace('/', ' ')}"
        if "/" in name:
            shutil.copytree(folder / "result", place)
        else:
            place.mkdir()
        path = place / Path(name).name

        def call(content: bytes, path: Path = path, read: Callable[[Path], Any] = read) -> None:
            path.write_bytes(content)
            read(path)

        found = tried(
            inputs.damaged((folder / name).read_bytes()),
            call,
            max(1, number // len(inputs.FILES)),
            corpus=[b""],
            start=seed,
        )
        total.counts.update(found.counts)
        total.kinds.update({o: (name, content) for o, content in found.kinds.items()})
    return total


def tables(number: int, folder: Path, seed: int | None = None) -> Found:
    """Text tables with the faults people make."""
    path = folder / "table.csv"

    def call(content: bytes) -> None:
        path.write_bytes(content)
        apa.check(apa.read(path))

    return tried(inputs.tables(), call, number, start=seed)


def formulas(number: int, folder: Path, seed: int | None = None) -> Found:
    """Formulas of cells and of mixed models."""
    made = apa.simulate(n_subject=4, n_model=3, n_tied=2, n_layer=1, rois=["V1", "V3", "V4"], rng=1)
    table = apa.select_layer(made.scores, on="train")
    frame = table.frame.assign(x=np.linspace(-1, 1, len(table.frame)))
    table = apa.ScoreTable(frame, table.outcomes, covariates=("x",))

    def both(formula: str) -> None:
        try:
            apa.equivalence(formula, table, bounds=0.1)
        except ApaError:
            apa.lmm(formula, table)

    return tried(inputs.FORMULAS, both, number, corpus=inputs.FORMULA_CORPUS, start=seed)


def studies(number: int, folder: Path, seed: int | None = None) -> Found:
    """Study files."""
    return tried(
        inputs.STUDIES,
        lambda content: inputs.parse(content, folder),
        number,
        corpus=inputs.STUDY_CORPUS,
        start=seed,
    )


FUZZERS: Mapping[str, Callable[..., Found]] = {
    "arguments": arguments,
    "files": files,
    "tables": tables,
    "formulas": formulas,
    "studies": studies,
}
