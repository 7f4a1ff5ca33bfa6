"""The report of a study, from results that are given to it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from apastats.arguments import checked, choice, flag, instance, items, whole
from apastats.errors import InputError
from apastats.folders import refuse_file, write_whole
from apastats.printable import csv_text, finding
from apastats.reporting import summary
from apastats.reporting.answer import answer, results_of
from apastats.reporting.blocks import FigureBlock, Listing, Section
from apastats.reporting.drawing import Drawings
from apastats.reporting.interactive import runtime
from apastats.reporting.lead import lead_figure
from apastats.reporting.margins import margins_of
from apastats.reporting.markup import name, plain
from apastats.reporting.numbers import as_style
from apastats.reporting.phrases import sentence
from apastats.reporting.references import Bibliography, references
from apastats.reporting.tables import table_block
from apastats.reporting.to_docx import write_docx
from apastats.reporting.to_typst import render_typst, write_pdf
from apastats.reporting.topics import Context, topic_sections
from apastats.reporting.truth import truth_sentences

__all__ = ["Report", "report"]

SUFFIXES = (".html", ".md", ".tex", ".docx", ".pdf")
PAPER_ROWS = 40  # rows of a table on paper; a page folds longer ones
FIGURE_FORMATS = ("pdf", "svg", "png")


class Report:
    """Report of results; made by :func:`report`.

    Attributes
    ----------
    title : str
    items : tuple
        Results and score tables, in the order given.
    sections : list of Section
        What it consists of, whatever it is rendered to.
    """

    def __init__(
        self,
        items: Sequence[Any],
        *,
        title: str,
        study_text: str | None,
        command: str | None,
        notes: Sequence[str],
        style: Any,
        max_rows: int,
        headings: Sequence[str | None] = (),
        truth: pd.DataFrame | None = None,
        interactive: bool = False,
    ) -> None:
        self.interactive = interactive
        self.items, self.title = tuple(items), title
        self.study_text, self.command, self.notes = study_text, command, tuple(notes)
        self.style, self.max_rows = as_style(style), max_rows
        pairs = zip(self.items, headings or (None,) * len(self.items), strict=True)
        self.headings = {id(item): text for item, text in pairs if text}
        self.truth = truth
        self._drawings = Drawings()

    def __repr__(self) -> str:
        return f"<Report: {self.title!r}; {len(self.items)} results>"

    @cached_property
    def answer(self) -> str:
        """The main results in one paragraph of at most 120 words, as plain text."""
        return plain(self._answer)

    @cached_property
    def _answer(self) -> str:
        return answer(self.items, self.style, truth_sentences(self.items, self.truth))

    @cached_property
    def margin(self) -> str:
        """The margins that claims of equivalence rest on, inline text."""
        return margins_of(self.items, self.headings)

    @property
    def lead(self) -> FigureBlock | None:
        """The figure that carries the result."""
        return self._lead_and_sections[0]

    @property
    def sections(self) -> list[Section]:
        """Sections in reading order, after the answer and the leading figure."""
        return self._lead_and_sections[1]

    @cached_property
    def _lead_and_sections(self) -> tuple[FigureBlock | None, list[Section]]:
        from apastats.plots.style import model_colors

        colors = model_colors(self._models())
        context = Context(self.items, self.style, colors, headings=self.headings)
        context.slugs |= {"main", "live", "theme", "answer", "figure-answer", "references"}
        lead, topics = lead_figure(self.items, topic_sections(context))
        limits = Section(
            context.slug("limitations"), "Limitations", tuple(summary.limitations(self.items))
        )
        warnings = self._warnings()
        noted = (
            [Section(context.slug("warnings"), "Warnings", (Listing(warnings),))]
            if warnings
            else []
        )
        methods = summary.methods_section(self.items, context.slug)
        made: list[Any] = [summary.origin(self.items, self.command)]
        rows = pd.DataFrame(summary.provenance_rows(self.items))
        if len(rows):
            provenance = table_block(
                context.slug("table-provenance"),
                "Provenance of each result.",
                rows,
                self.style,
                only=["result", "call", "data_hash", "seed", "created"],
            )
            made += summary.recipe(self.study_text, self.command, provenance)
        origin = Section(
            context.slug("provenance"), "Provenance and how to run it again", tuple(made)
        )
        return lead, [*topics, limits, *noted, methods, origin]

    def _warnings(self) -> tuple[str, ...]:
        # notes of results stand with the results
        own = {n for r in results_of(self.items) for n in r.notes}
        return tuple(sentence(name(finding(n))) for n in summary.unique(self.notes) if n not in own)

    def _models(self) -> list[str]:
        """Models in order of appearance, the brain included, so that colours agree between figures."""
        found: list[str] = []
        for item in self.items:
            frame = getattr(item, "frame", getattr(item, "table", None))
            if frame is None or "model" not in frame.columns:
                continue
            if "kind" in frame.columns:
                frame = frame[frame["kind"] == "model"]
            found += [str(m) for m in frame["model"].unique()]
        return list(dict.fromkeys(found))

    @property
    def references(self) -> Bibliography:
        """References of exactly the methods used."""
        return references(*self.items)

    def figure_blocks(self) -> list[FigureBlock]:
        """All figures in reading order."""
        out: list[FigureBlock] = [] if self.lead is None else [self.lead]
        for section in self.sections:
            for part in (section, *section.children):
                out += [b for b in part.blocks if isinstance(b, FigureBlock)]
        return out

    def html(self) -> str:
        """One HTML page that loads nothing."""
        from apastats import __version__
        from apastats.reporting.to_html import render_html

        return render_html(
            **self._parts(),
            version=__version__,
            drawings=self._drawings,
            interactive=self.interactive,
        )

    def markdown(self, figures: Mapping[str, str] | None = None) -> str:
        """Markdown text.

        Parameters
        ----------
        figures : mapping of str to str, optional
            Path of each figure by its slug; figures without one are represented by their captions.
        """
        from apastats.reporting.to_markdown import render_markdown

        return render_markdown(**self._parts(), figures=figures or {})

    def latex(self, figures: Mapping[str, str] | None = None) -> str:
        """LaTeX document that compiles with pdfLaTeX, XeLaTeX and LuaLaTeX.

        Parameters
        ----------
        figures : mapping of str to str, optional
            Path of each figure by its slug; a box stands for figures without one.
        """
        from apastats.reporting.to_latex import render_latex

        return render_latex(**self._parts(), figures=figures or {})

    def _parts(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "answer": self._answer,
            "lead": self.lead,
            "margin": self.margin,
            "sections": self.sections,
            "bibliography": self.references,
            "max_rows": self.max_rows,
        }

    def _repr_html_(self) -> str:
        import html

        page = html.escape(self.html(), quote=True)
        title = html.escape(self.title, quote=True)
        style = "width:100%;height:720px;border:1px solid #d0d7de"
        return f'<iframe srcdoc="{page}" title="{title}" style="{style}"></iframe>'

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the report; the suffix says the format.

        Parameters
        ----------
        path : str or path
            Ends in ``.html``, ``.md``, ``.tex``, ``.docx`` (extra ``docx``) or ``.pdf`` (extra ``pdf``). Markdown and
            LaTeX put their figures into ``<name>_figures`` beside them, LaTeX its references into ``<name>.bib``.
        overwrite : bool
            Whether an existing file may be replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        InputError
            If the suffix is unknown.
        OutputExistsError
            If the file exists and ``overwrite`` is False.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            raise InputError("path", str(path), f"a name that ends in one of {list(SUFFIXES)}")
        refuse_file(target, overwrite)
        for other in self._beside(target):
            refuse_file(other, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".html":
            write_whole(target, self.html())
        elif suffix == ".pdf":
            with tempfile.TemporaryDirectory() as folder:
                paths = self._figure_files(Path(folder), "figures", "pdf")
                parts = self._parts() | {"max_rows": min(self.max_rows, PAPER_ROWS)}
                write_pdf(render_typst(**parts, figures=paths), Path(folder), target)
        elif suffix == ".docx":
            with tempfile.TemporaryDirectory() as folder:
                paths = self._figure_files(Path(folder), "figures", "png")
                write_docx(self.markdown(paths), Path(folder), target)
        else:
            kind = "pdf" if suffix == ".tex" else "png"
            paths = self._figure_files(target.parent, f"{target.stem}_figures", kind)
            write_whole(target, self.latex(paths) if suffix == ".tex" else self.markdown(paths))
            if suffix == ".tex":
                write_whole(target.with_suffix(".bib"), self.references.bibtex())
        return target

    def _beside(self, target: Path) -> list[Path]:
        """Files that a format puts beside the report."""
        suffix = target.suffix.lower()
        if suffix not in (".tex", ".md"):
            return []
        folder, kind = (
            target.with_name(f"{target.stem}_figures"),
            "pdf" if suffix == ".tex" else "png",
        )
        drawn = [folder / f"{_stem(b)}.{kind}" for b in self.figure_blocks()]
        return [*drawn, target.with_suffix(".bib")] if suffix == ".tex" else drawn

    def _figure_files(self, folder: Path, name: str, suffix: str) -> dict[str, str]:
        """Write the figures into ``folder/name`` and return their paths relative to ``folder``."""
        paths: dict[str, str] = {}
        for block in self.figure_blocks():
            file = f"{name}/{_stem(block)}.{suffix}"
            write_whole(folder / file, self._drawings.get(block, suffix)[suffix])
            paths[block.slug] = file
        return paths

    def figures(
        self,
        folder: str | Path,
        *,
        formats: Sequence[str] = ("pdf", "svg", "png"),
        overwrite: bool = False,
    ) -> list[Path]:
        """Write every figure, and its data as csv, into a folder.

        Parameters
        ----------
        folder : str or path
            Made where it does not exist.
        formats : sequence of {"pdf", "svg", "png"}
            Formats of each figure.
        overwrite : bool
            Whether existing files may be replaced.

        Returns
        -------
        list of pathlib.Path
            The files written.

        Raises
        ------
        InputError
            If a format is unknown.
        OutputExistsError
            If a file exists and ``overwrite`` is False.
        """
        wanted = (formats,) if isinstance(formats, str) else tuple(formats)
        for f in wanted:
            choice("formats", f, FIGURE_FORMATS)
        target = Path(folder)
        blocks = self.figure_blocks()
        files = [target / f"{_stem(b)}.{s}" for b in blocks for s in (*wanted, "csv")]
        for file in files:
            refuse_file(file, overwrite)
        target.mkdir(parents=True, exist_ok=True)
        for block in blocks:
            for suffix, data in self._drawings.get(block, *wanted).items():
                write_whole(target / f"{_stem(block)}.{suffix}", data)
            write_whole(target / f"{_stem(block)}.csv", csv_text(block.data))
        return files


def _stem(block: Any) -> str:
    """Name of the files of a figure."""
    return str(block.slug).removeprefix("figure-")


@checked
def report(
    *results: Any,
    title: str = "Brain-model alignment",
    study_text: str | None = None,
    command: str | None = None,
    notes: Sequence[str] = (),
    style: Any = "apa",
    max_rows: int = 200,
    headings: Sequence[str | None] | None = None,
    truth: pd.DataFrame | None = None,
    interactive: bool = False,
) -> Report:
    """Report of results: words, figures, tables, methods, references and recipe, from the same numbers.

    Parameters
    ----------
    *results : Result or ScoreTable
        What was computed; each appears in the report.
    title : str
        Title.
    study_text : str, optional
        Text of the study file, shown in the recipe.
    command : str, optional
        Command line that made the results.
    notes : sequence of str
        Warnings given on the way.
    style : {"apa", "nature"} or dict
        How numbers are written.
    max_rows : int
        Rows of a table shown at most; its csv has all.
    headings : sequence of str or None, optional
        Heading of each result, in their order; None where it names itself.
    truth : pandas.DataFrame, optional
        Truth of a simulated study (:class:`apastats.SimulatedStudy`): the report then says how often it was found.
    interactive : bool
        Whether forests, matrices of scores and agreement, and places of a leaderboard have a Vega-Lite chart beside
        them on the page: rows are named by hovering, searched, exported. The charts and their runtime (0.9 MB, once)
        are in the file; paper and other formats have the static figures alone. Needs the extra ``interactive``.

    Returns
    -------
    Report
        With ``save, html, figures, references``.

    Raises
    ------
    InputError
        If there is no result, or an argument is not allowed.
    MissingExtraError
        If the extra ``interactive`` is asked for and not installed.

    See Also
    --------
    references, run_study, load_result

    References
    ----------
    .. [1] The apastats developers (2026). apastats: Statistics for brain-model alignment. Python package.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rng=1)
    >>> doc = apa.report(apa.noise_ceiling(study.scores), title="Ceilings")
    >>> "Ceilings" in doc.html()
    True
    """
    if not results:
        raise InputError("results", results, "at least one result or score table")
    for r in results:
        if not (hasattr(r, "table") and hasattr(r, "info")) and not (
            hasattr(r, "frame") and hasattr(r, "outcomes")
        ):
            hint = "Of a frame: report(apa.read(frame))." if hasattr(r, "columns") else ""
            allowed = "results and score tables of apastats"
            raise InputError("results", type(r).__name__, allowed, hint=hint)
    if not isinstance(title, str) or not title.strip():
        raise InputError("title", title, "a text")
    whole("max_rows", max_rows, least=1)
    if flag("interactive", interactive):
        runtime()
    if headings is not None:
        for heading in items("headings", headings, "one text per result", length=len(results)):
            if heading is not None:
                instance("headings", heading, str, "texts or None")
    if truth is not None:
        instance("truth", truth, pd.DataFrame, "the truth of a simulated study, a table")
        for column in ("kind", "model", "layer", "roi", "metric", "split", "truth"):
            if column not in truth.columns:
                raise InputError("truth", list(truth.columns), f"a table with a column {column!r}")
    return Report(
        results,
        title=title,
        study_text=study_text,
        command=command,
        notes=notes,
        style=style,
        max_rows=max_rows,
        headings=headings or (),
        truth=truth,
        interactive=interactive,
    )
