"""Markdown, LaTeX, docx and the folder of figures."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import apastats as apa
from apastats.errors import InputError, OutputExistsError
from apastats.reporting.markup import clean
from tests.reporting.conftest import HOSTILE, Study
from tests.reporting.test_markup import unescape_markdown


def test_markdown_has_all_parts(study: Study, tmp_path: Path) -> None:
    path = study.report.save(tmp_path / "report.md")
    text = path.read_text("utf-8")
    for heading in (
        "# A small study",
        "## Methods",
        "## Provenance and how to run it again",
        "## References",
    ):
        assert f"\n{heading}\n" in f"\n{text}"
    figures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert len(figures) == len(study.report.figure_blocks())
    assert all((tmp_path / f).stat().st_size > 1000 for f in figures)
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.strip().split("\n")}
        assert len(widths) == 1, block[:300]


def test_markdown_of_hostile_names(hostile: Study) -> None:
    text = hostile.report.markdown()
    bare = unescape_markdown(text).replace("\u2068", "").replace("\u2069", "")
    for name in HOSTILE:
        assert clean(name) in bare
    assert "<script>" not in text
    assert "](http" not in text


def test_code_fences_hold(study: Study) -> None:
    text = apa.report(study.means, study_text="````\n# not a heading\n").markdown()
    assert "`````text" in text


def braces_balance(tex: str) -> bool:
    depth = 0
    for c in re.sub(r"\\[\\{}]", "", tex):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth < 0:
            return False
    return depth == 0


def compile_latex(folder: Path, name: str) -> None:
    """Compile where pdflatex is installed."""
    if shutil.which("pdflatex") is None:
        return
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    log = done.stdout.decode("latin-1")
    assert done.returncode == 0, "\n".join(
        line for line in log.split("\n") if line.startswith(("!", "l."))
    )
    assert (folder / name).with_suffix(".pdf").stat().st_size > 20_000


def test_latex(study: Study, tmp_path: Path) -> None:
    path = study.report.save(tmp_path / "report.tex")
    tex = path.read_text("utf-8")
    assert braces_balance(tex)
    opened, closed = re.findall(r"\\begin\{(\w+)\}", tex), re.findall(r"\\end\{(\w+)\}", tex)
    assert sorted(opened) == sorted(closed)
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert rule in tex
    cited = {k for group in re.findall(r"\\cite\{([^}]+)\}", tex) for k in group.split(",")}
    listed = set(re.findall(r"\\bibitem\[[^]]*\]\{(\w+)\}", tex))
    assert cited <= listed == set(study.report.references.keys)
    for graphic in re.findall(r"\\apafigure\{([^}#]+)\}", tex):
        assert (tmp_path / graphic).read_bytes().startswith(b"%PDF")
    assert tex.count(r"\apafigure{report_figures/") == len(study.report.figure_blocks())
    compile_latex(tmp_path, "report.tex")


def test_latex_of_hostile_names(hostile: Study, tmp_path: Path) -> None:
    path = hostile.report.save(tmp_path / "report.tex")
    assert braces_balance(path.read_text("utf-8"))
    compile_latex(tmp_path, "report.tex")


@pytest.mark.parametrize("which", ["study", "hostile"])
def test_docx_round_trip(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    pypandoc = pytest.importorskip("pypandoc", reason="extra docx is not installed")
    example: Study = request.getfixturevalue(which)
    path = example.report.save(tmp_path / "report.docx")
    with zipfile.ZipFile(path) as archive:
        root = ElementTree.fromstring(archive.read("word/document.xml"))
        pictures = [n for n in archive.namelist() if n.startswith("word/media/")]
    space = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    assert len(list(root.iter(f"{space}tbl"))) > 8
    assert len(pictures) == len(example.report.figure_blocks())
    back = re.sub(
        r"\s+", " ", pypandoc.convert_file(str(path), "plain", extra_args=["--wrap=none"])
    )
    assert "how to run it again" in back
    if which == "hostile":
        written = "".join(t.text or "" for t in root.iter(f"{space}t"))
        for name in HOSTILE:
            wanted = re.sub(r"\s+", "", clean(name).replace("\n", "\u21b5"))
            assert wanted in re.sub(r"[\s\u2068\u2069]+", "", written), name


def test_pages_of_a_pdf_are_filled(study: Study, tmp_path: Path) -> None:
    """No page but the last has a third of its height without ink."""
    import typst
    from PIL import Image

    from apastats.reporting.to_typst import render_typst

    Image.new("L", (340, 240), 90).save(tmp_path / "half.png")  # half a page each
    paths = {b.slug: "half.png" for b in study.report.figure_blocks()}
    source = render_typst(**study.report._parts() | {"max_rows": 40}, figures=paths)

    def empty(text: str, prefix: str) -> list[float]:
        (tmp_path / "report.typ").write_text(text, "utf-8")
        out = str(tmp_path / f"{prefix}{{0p}}.png")
        typst.compile(str(tmp_path / "report.typ"), output=out, format="png", ppi=24.0)
        found = []
        for page in sorted(tmp_path.glob(f"{prefix}*.png")):
            shade = np.asarray(Image.open(page).convert("L"))
            body = shade[: int(0.93 * len(shade))]  # the number of the page stands below
            inked = np.flatnonzero((body < 200).any(axis=1))
            found.append(float(np.diff(np.r_[0, inked, len(body)]).max()) / len(shade))
        return found

    filled = empty(source, "floating")
    assert len(filled) > 3
    assert max(filled[:-1]) < 1 / 3
    fixed = empty(source.replace("placement: auto, ", ""), "fixed")
    assert len(fixed) >= len(filled)
    assert max(fixed[:-1]) > max(filled[:-1]), "pictures that do not float leave holes"


@pytest.mark.parametrize("which", ["study", "hostile"])
def test_pdf(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Every block reaches the PDF, whatever names hold; the same report gives the same source."""
    from apastats.reporting.to_typst import render_typst

    example: Study = request.getfixturevalue(which)
    path = example.report.save(tmp_path / "report.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    assert [p.name for p in tmp_path.iterdir()] == ["report.pdf"]
    source = render_typst(**example.report._parts(), figures={})
    assert source == render_typst(**example.report._parts(), figures={})
    tables = [
        b
        for s in example.report.sections
        for p in (s, *s.children)
        for b in p.blocks
        if hasattr(b, "columns")
    ]
    assert source.count("kind: table, caption") == len(tables) > 3


def test_figures_folder(study: Study, tmp_path: Path) -> None:
    files = study.report.figures(tmp_path / "figures")
    assert len(files) == 4 * len(study.report.figure_blocks())
    starts = {".pdf": b"%PDF", ".png": b"\x89PNG", ".svg": b"<?xml"}
    for file in files:
        assert file.read_bytes().startswith(starts.get(file.suffix, b"")), file
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        study.report.figures(tmp_path / "figures")
    study.report.figures(tmp_path / "figures", formats="svg", overwrite=True)


def test_figures_are_the_same_every_time(study: Study, tmp_path: Path) -> None:
    again = apa.report(*study.results.values(), title="other title")
    first = study.report.figures(tmp_path / "a")
    second = again.figures(tmp_path / "b")
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


def test_files_are_kept(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine", "utf-8")
    with pytest.raises(OutputExistsError, match=r"report\.html exists and is kept"):
        study.report.save(path)
    assert path.read_text("utf-8") == "mine"
    study.report.save(path, overwrite=True)
    assert path.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda s: apa.report(), "results: got .*at least one"),
        (lambda s: apa.report(3), "results: got 'int'"),
        (lambda s: apa.report(s.means, title=" "), "title: got ' '"),
        (lambda s: apa.report(s.means, max_rows=0), "max_rows: got 0"),
        (lambda s: apa.report(s.means, style="x"), "style: got 'x'"),
        (
            lambda s: s.report.save("report.odt"),
            "path: got 'report.odt'; allowed: a name that ends in one of",
        ),
        (lambda s: s.report.figures("x", formats=("gif",)), "formats: got 'gif'"),
        (lambda s: apa.references(3), "results: got 'int'"),
    ],
)
def test_bad_input(study: Study, call: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call(study)  # type: ignore[operator]
