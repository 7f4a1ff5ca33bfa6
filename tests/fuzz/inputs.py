"""Inputs of four kinds: damaged files, tables as people write them wrong, formulas, study files."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

import apastats as apa
from apastats.studies.inputs import load_array
from apastats.studies.schema import parse_study

#: one good file of each kind, and what reads it
FILES: dict[str, Callable[[Path], Any]] = {
    "t.csv": apa.read,
    "t.csv.gz": apa.read,
    "t.parquet": apa.read,
    "t.feather": apa.read,
    "t.xlsx": apa.read,
    "t.jsonl": apa.read,
    "p.npz": apa.read_patterns,
    "r.npz": apa.read_rdms,
    "r.h5": apa.read_rdms,
    "r.mat": apa.read_rdms,
    "r.csv": apa.read_rdms,
    "a.npy": lambda path: load_array(str(path)),
    "result/arrays.npz": lambda path: apa.load_result(path.parent),
    "result/table.parquet": lambda path: apa.load_result(path.parent),
    "result/result.json": lambda path: apa.load_result(path.parent),
}


def write_files(base: Path) -> None:
    """One good file of each kind of :data:`FILES`."""
    import h5py
    import pandas as pd
    import scipy.io

    frame = apa.simulate(n_subject=3, n_model=2, n_tied=2, n_layer=1, rng=1).scores.frame.head(60)
    frame.to_csv(base / "t.csv", index=False)
    frame.to_csv(base / "t.csv.gz", index=False)
    frame.to_parquet(base / "t.parquet", index=False)
    frame.to_feather(base / "t.feather")
    frame.to_excel(base / "t.xlsx", index=False)
    frame.to_json(base / "t.jsonl", orient="records", lines=True)
    np.savez_compressed(base / "p.npz", **{"s1/V1": np.eye(5), "s2/V1": np.eye(5)})
    names = [f"stim{i}" for i in range(5)]
    rdm = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    np.savez_compressed(base / "r.npz", rdm=rdm, rdm2=rdm)
    with h5py.File(base / "r.h5", "w") as file:
        file["dissimilarities"] = rdm[np.triu_indices(5, 1)][None]
    scipy.io.savemat(base / "r.mat", {"RDM": rdm})
    pd.DataFrame(rdm, names, names).to_csv(base / "r.csv")
    np.save(base / "a.npy", np.eye(4))
    apa.tost([0.1, 0.2, 0.3, 0.1], bounds=0.5).save(base / "result")


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut off, flipped, repeated, overwritten or shortened at one or two places."""
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            content = content[:at]
        elif kind == 1 and content:
            flipped = content[at] ^ (1 << draw(st.integers(0, 7)))
            content = content[:at] + bytes([flipped]) + content[at + 1 :]
        elif kind == 2:
            content = content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at + 8 :]
        elif kind == 3:
            content = content[:at] + content[at : at + 40] + content[at:]
        elif kind == 4:
            content = content[:at] + content[at + draw(st.integers(1, 30)) :]
        else:
            content = content[:at] + b"\0" * 16 + content[at + 16 :]
    return content


HEADERS = [
    *(
        "subject",
        "sub",
        "participant_id",
        "roi",
        "region",
        "model",
        "network",
        "score",
        "r",
        "value",
    ),
    *(
        "layer",
        "split",
        "kind",
        "metric",
        "se",
        "n",
        "p_value",
        "ceiling",
        "",
        " roi",
        "Subject",
        "é",
    ),
    *("score.1", "date", "hemi", "Unnamed: 0", "=1+1", "index", "train", "test"),
]
CELLS = st.one_of(
    st.sampled_from(
        ["s1", "s2", "V1", "V4", "alexnet", "001", "1.10", "", "NA", "n/a", ".", "-", "nan", "None"]
    ),
    st.sampled_from(
        ["0.1", "0,1", ".2", "1e-3", "-0.3", "\u22120.3", "1 000", "3 %", "inf", "1e999"]
    ),
    st.sampled_from(
        ["true", "2026-01-01", "=cmd()", "\x1b[31m", '"', "a\nb", "\t", "\u00a0", "#", "0x1"]
    ),
    st.floats(-1, 1).map(repr),
    st.text(max_size=4),
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A text table: columns of many names, cells of many kinds, any separator and encoding."""
    header = draw(st.lists(st.sampled_from(HEADERS), min_size=1, max_size=7))
    if draw(st.booleans()):  # near to a right one
        header = ["subject", "roi", "model", "score", *header[:2]]
    rows = []
    for i in range(draw(st.integers(0, 8))):
        plain = [f"s{i % 3}", f"V{i % 2}", f"m{i % 4}", f"0.{i}"]
        row = [plain[k] if k < 4 and len(header) > 4 else draw(CELLS) for k in range(len(header))]
        if draw(st.integers(0, 3)) == 0:
            row[draw(st.integers(0, len(row) - 1))] = draw(CELLS)
        rows.append(row if draw(st.integers(0, 9)) else row[:-1])
    text = io.StringIO()
    separator = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    writer = csv.writer(
        text, delimiter=separator, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
    )
    writer.writerows([header, *rows])
    before = draw(st.sampled_from(["", "", "", "# made by hand\n", "\n", "Table 1\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return (before + text.getvalue()).encode(encoding, errors="replace")


PIECES = [
    *(
        "score",
        "model",
        "roi",
        "subject",
        "x",
        "1",
        "0",
        "~",
        "+",
        "-",
        "*",
        ":",
        "|",
        "(",
        ")",
        "/",
    ),
    *(
        "log(x)",
        "sqrt(x)",
        "exp(x * 1000)",
        "poly(x, 3)",
        "C(model)",
        "I(1 / x)",
        "^",
        "**",
        ",",
        "=",
    ),
    *(
        "`",
        "(1 | subject)",
        "(x | subject)",
        "(1 | roi:subject)",
        "(1 || roi)",
        "scale(x)",
        "bs(x, df=4)",
    ),
    *(
        "__import__('os')",
        "é",
        "99999999999",
        "\n",
        ".",
        "offset(x)",
        "mm(roi)",
        "`x`",
        "%in%",
        "x:x",
    ),
]
FORMULAS = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(" ".join),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(
        lambda p: "score ~ " + " ".join(p)
    ),
    st.text(max_size=20),
)
FORMULA_CORPUS = [
    "score ~ log(x) + (1 | subject)",
    "score ~ exp(x * 10000) + (1 | subject)",
    "score ~ poly(x, 99) + (1 | roi)",
    "score ~ sqrt(x)",
    "",
    "~",
    "score ~ " + "(" * 500 + "x" + ")" * 500,
    "score ~ " + " + ".join(["x"] * 3000),
]

STUDY = b"""[study]
name = "s"
seed = 3
[inputs]
scores = { path = "t.csv", keys = ["a"] }
rois = ["V1"]
[inputs.tables.more]
path = "u.csv"
[select_layer]
on = "train"
[ceiling]
kinds = ["leave_one_out"]
[bootstrap]
n_resamples = 100
[equivalence]
bounds = { share = 0.1, of = "leave_one_out" }
[[analysis]]
name = "x"
verb = "lmm"
formula = "score ~ model + (1 | subject)"
options = { df = "satterthwaite" }
[[claims]]
name = "c"
statement = "a is better"
"""
_LINES = STUDY.splitlines(keepends=True)
_SECTIONS = ["study", "inputs", "bootstrap", "equivalence", "ceiling", "agreement", "report", "x"]
_VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "0.5",
        '""',
        '"x"',
        "[]",
        "{}",
        "true",
        "nan",
        "inf",
        "1e400",
        '["a", 1]',
        "2026-01-01",
    ]
)
_BLOCKS = [part + b"\n" for part in re.split(rb"\n(?=\[)", STUDY.rstrip(b"\n"))]
STUDIES = st.one_of(
    # whole sections, in any order
    st.lists(st.sampled_from(_BLOCKS), min_size=1, unique=True).map(b"".join),
    damaged(STUDY),
    st.lists(st.sampled_from(_LINES), min_size=1, max_size=len(_LINES), unique=True).map(b"".join),
    st.tuples(
        st.sampled_from(_SECTIONS),
        st.sampled_from(["name", "scores", "bounds", "n_resamples", "kinds", "seed", "y", "rois"]),
        _VALUES,
    ).map(lambda v: f"[{v[0]}]\n{v[1]} = {v[2]}\n".encode()),
    st.integers(0, len(_LINES) - 1).flatmap(
        lambda k: _VALUES.map(
            lambda v: b"".join(
                line
                if j != k or b"=" not in line
                else line.split(b"=")[0] + b"= " + v.encode() + b"\n"
                for j, line in enumerate(_LINES)
            )
        )
    ),
    st.binary(max_size=40),
)
STUDY_CORPUS = [
    b'inputs = "s.csv"\n',
    b"",
    b"\xff",
    b"inputs = []",
    b"analysis = 3",
    b"[a.b.c]\nd=1",
]


def parse(content: bytes, folder: Path) -> None:
    """Read a study file; what is not TOML at all is fine as a file of bytes."""
    path = folder / "study.toml"
    path.write_bytes(content)
    parse_study(path)


def is_toml(content: bytes) -> bool:
    """Whether a study file gets past the parser of TOML, to ours."""
    try:
        tomllib.loads(content.decode())
    except ValueError:
        return False
    return True
