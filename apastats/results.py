"""Results: one frozen table of estimates, the arrays behind it, the words that go with it, and how it was made."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from apastats.arguments import checked, whole
from apastats.calls import Tabled
from apastats.errors import DataError, InputError, MissingExtraError, OutputExistsError
from apastats.folders import refuse_file, replacing, write_whole
from apastats.printable import csv_text, spreadsheet_safe
from apastats.rounding import LIMIT_ERRORS, printed_decimals
from apastats.words import Info, jsonable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Info", "Provenance", "Result", "jsonable"]

# files of a result; the last says that it is complete
SAVED = ("table.parquet", "table.csv", "arrays.npz", "result.json")

MAX_ROWS_SHOWN = 40
_PACKAGES = ("apastats", "numpy", "scipy", "pandas", "statsmodels", "rsatoolbox")


def interactive_page(result: Result, title: str) -> str:
    """HTML of a result that has a page of its own, for the room that cannot reach up to reports."""
    from apastats.reporting.leaderboard_page import leaderboard_page

    return leaderboard_page(result, title)


def package_versions() -> dict[str, str]:
    """Versions of the packages the numbers depend on, read without importing them."""
    return dict(_installed_versions())


@lru_cache(maxsize=1)
def _installed_versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Provenance:
    """How a result was made.

    Attributes
    ----------
    call : str
        The public call, as text; :func:`apastats.recording.verb` writes it from the signature.
    data_hash : str
        SHA-256 of the data (sorted keys and float64 bytes), first 16 hex digits.
    seed : str
        Entropy of the random numbers; "" where nothing was drawn.
    versions : dict
        Package versions.
    python, platform, created : str
        Interpreter, operating system, time (UTC, ISO 8601).
    """

    call: str = ""
    data_hash: str = ""
    seed: str = ""
    versions: Mapping[str, str] = field(default_factory=package_versions)
    python: str = field(default_factory=platform.python_version)
    platform: str = field(default_factory=platform.platform)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def as_dict(self) -> dict[str, Any]:
        """Plain dict, for json."""
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in vars(self).items()}


@dataclass(frozen=True, eq=False)
class Result(Tabled):
    """What every verb of the package returns.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per estimate, machine names (``estimate, std_error, conf_low, ...``), nothing rounded.
    info : Info
        The words and settings of the analysis as a whole, see :class:`apastats.words.Info`; a plain mapping is sorted
        into its fields.
    provenance : Provenance
        How it was made.
    arrays : mapping of str to numpy.ndarray
        What lies behind the table: replicates, per-subject values, joint distributions.
    notes : tuple of str
        Warnings that belong to the result; reports list them.
    """

    table: pd.DataFrame
    info: Info
    provenance: Provenance
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    kind: ClassVar[str] = "result"
    _registry: ClassVar[dict[str, type[Result]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Result._registry[cls.kind] = cls

    def __post_init__(self) -> None:
        object.__setattr__(self, "info", Info.of(self.info))

    def tidy(self) -> pd.DataFrame:
        """Table of estimates, one row each (a copy)."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """One row that describes the analysis as a whole."""
        flat = {k: v if np.isscalar(v) else _plain_text(v) for k, v in self.info.items()}
        return pd.DataFrame([{"result": self.kind, "n_row": len(self.table), **flat}])

    @checked
    def summary(self, *, digits: int = 3, max_rows: int = 30) -> str:
        """Text for the eye: what was done, the table rounded, the notes.

        Parameters
        ----------
        digits : int
            Significant digits of the numbers shown; fewer where they are simulated and Monte-Carlo error
            would change them.
        max_rows : int
            Rows shown at most.
        """
        whole("digits", digits, least=1, most=17)
        whole("max_rows", max_rows, least=1)
        lines = [f"{self.kind.replace('_', ' ')}"]
        lines += [
            f"  {k.replace('_', ' ')}: {_plain_text(v)}"
            for k, v in self.info.items()
            if v is not None
        ]
        shown = _as_settled(self.table).head(max_rows)
        lines += ["", shown.to_string(index=False, float_format=lambda v: f"{v:.{digits}g}")]
        if len(self.table) > max_rows:
            lines.append(f"... {len(self.table) - max_rows} more rows; .tidy() has all")
        lines += [f"note: {n}" for n in self.notes]
        return "\n".join(lines)

    @checked
    def plot(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the result on ``ax`` (a new figure where None) and return the Axes.

        Sizes of texts are those of ``matplotlib.rcParams``. The error that a wrong option raises lists those of the
        kind: tests with a margin and sets take ``where, order, labels, colors, interval, outcome, title``; means,
        coefficients and contrasts ``ceilings, points`` too. Of more than 60 rows the first are shown (of models the
        best), and the figure says so; ``where`` and ``order`` choose others.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; give its figure ``layout="constrained"``, so that names have room.
        where : mapping
            Rows drawn: a column and its value, ``{"roi": "V1"}``.
        order : sequence of str
            Names of the rows drawn, from top to bottom.
        labels : mapping of str to str
            What is written for names of models, regions, terms.
        colors : mapping of str to str
            Colours of models; of decisions where these are drawn.
        interval : {"deciding", "single", "joint", "difference", "joint margin"}
            Interval drawn: that of the decisions, or another one of the table.
        ceilings : NoiseCeiling or list of them
            Drawn as lines.
        points : bool
            Whether the subjects' own values are drawn.
        outcome : str
            Label of the axis of the estimates.
        title : str
            Title.
        term : str
            Of a sensitivity analysis: ``"decisions"``, or a term of the table. Of influence: a term, drawn without each
            level; Cook's distances where not given.
        model : str
            Of patterns and identification: the model (or ``"brain"``) whose matrix is drawn.
        metric : str
            Metric drawn, where there are several.
        roi : str
            Of layers: the region; the mean over regions where not given.
        numbers : bool
            Whether numbers are written into a matrix.
        kind : str
            Of patterns ``"matrix"`` or ``"lines"`` (of one ``roi``), of sets ``"rows"``, ``"ranking"`` or ``"matrix"``,
            of strict alignment ``"decisions"`` or ``"score_agreement"``; the first is drawn where none is given.
        margin : float
            Of decisions over margins: a margin, as a line.
        target : float
            Power wanted, as a line.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If an option is not one of this kind, or names what does not occur.
        """
        from apastats import plots

        return plots.draw(self, ax=ax, **options)

    @checked
    def text(self, *, style: Any = "apa", short: bool = False, max_rows: int = 12) -> str:
        """Result as sentences to paste into a paper; every number is one of :meth:`tidy`.

        Parameters
        ----------
        style : {"apa", "nature"} or dict
            How numbers are written; a dict changes ``apa`` (see :func:`apastats.reporting.numbers.as_style`).
        short : bool
            One line per row, without method and caveats.
        max_rows : int
            Rows written out at most; the rest is counted.
        """
        from apastats.reporting.kinds import text

        return text(self, style=style, short=short, max_rows=max_rows)

    @checked
    def to_latex(
        self,
        *,
        columns: Any = None,
        decimals: int | None = None,
        label: str = "",
        caption: str | None = None,
        wide: str | None = None,
        style: Any = "apa",
    ) -> str:
        r"""Table as LaTeX (booktabs), with ``\\caption`` and ``\\label``, to paste into a manuscript.

        Parameters
        ----------
        columns : sequence of str or mapping of str to str, optional
            Columns of :meth:`tidy` shown, in this order; a mapping also gives their headings. Limits of an interval
            share one column. Those that a report shows where None.
        decimals : int, optional
            Decimals of everything on the scale of the estimates; what their standard errors bear where None.
        label : str
            Label to refer to.
        caption : str, optional
            Caption; what the table holds where None.
        wide : str, optional
            Column (``"roi"``) whose levels become columns: a row per model, the best of each column in bold and, of a
            set, all models in it. The cells hold ``columns``, or the mean (else the estimate).
        style : {"apa", "nature"} or dict
            How numbers are written.

        Returns
        -------
        str

        Raises
        ------
        InputError
            If a column is unknown, or ``wide`` leaves several rows in one cell.

        Examples
        --------
        >>> import apastats as apa
        >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
        >>> means = apa.bootstrap(
        ...     "score ~ model | roi", study.scores.where(kind="model", split="test")
        ... )
        >>> print(means.to_markdown(wide="roi", decimals=2, caption="Scores").splitlines()[0])
        | model | V1 | V4 |
        """
        from apastats.reporting.result_tables import latex

        options = {"columns": columns, "decimals": decimals, "caption": caption, "wide": wide}
        return latex(self, label=label, style=style, **options)

    @checked
    def to_markdown(
        self,
        *,
        columns: Any = None,
        decimals: int | None = None,
        label: str = "",
        caption: str | None = None,
        wide: str | None = None,
        style: Any = "apa",
    ) -> str:
        """Table as Markdown (a pipe table, label as Quarto reads it); the options are those of :meth:`to_latex`."""
        from apastats.reporting.result_tables import markdown

        options = {"columns": columns, "decimals": decimals, "caption": caption, "wide": wide}
        return markdown(self, label=label, style=style, **options)

    @checked
    def to_html(
        self,
        *,
        columns: Any = None,
        decimals: int | None = None,
        label: str = "",
        caption: str | None = None,
        wide: str | None = None,
        style: Any = "apa",
    ) -> str:
        """Table as one ``table`` element of HTML, ``label`` as its id; the options are those of :meth:`to_latex`."""
        from apastats.reporting.result_tables import page

        options = {"columns": columns, "decimals": decimals, "caption": caption, "wide": wide}
        return page(self, label=label, style=style, **options)

    @checked
    def to_word(
        self,
        path: str | Path,
        *,
        columns: Any = None,
        decimals: int | None = None,
        caption: str | None = None,
        wide: str | None = None,
        style: Any = "apa",
        overwrite: bool = False,
    ) -> Path:
        """Table as a Word file (needs the extra ``docx``); the options are those of :meth:`to_latex`.

        An existing file is kept unless ``overwrite`` is True.
        """
        from apastats.reporting.result_tables import word

        options = {"columns": columns, "decimals": decimals, "caption": caption, "wide": wide}
        return word(self, Path(path), overwrite=overwrite, style=style, **options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.table)} rows; {self.provenance.call}>"

    def __str__(self) -> str:
        import shutil

        from apastats.reporting.result_tables import compact

        return compact(self, width=max(40, shutil.get_terminal_size((100, 24)).columns))

    def _repr_html_(self) -> str:
        import html

        from apastats.reporting.result_tables import page

        notes = "".join(f"<p><em>note: {html.escape(n)}</em></p>" for n in self.notes)
        return page(self, max_rows=MAX_ROWS_SHOWN) + notes

    @checked
    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the whole result as a folder, or its table or report as a file; the ending says which.

        Parameters
        ----------
        path : str or path
            Without an ending: a folder with ``table.parquet``, ``table.csv``, ``arrays.npz``, ``result.json``, which
            :func:`apastats.load_result` reads. ``.csv``, ``.parquet``, ``.xlsx`` (extra ``excel``): the table,
            nothing rounded. ``.html``, ``.md``, ``.tex``, ``.docx``: a report of this result alone.
        overwrite : bool
            Whether an existing folder or file may be replaced.

        Returns
        -------
        pathlib.Path
            The folder or file.

        Raises
        ------
        InputError
            If the ending is that of another format.
        OutputExistsError
            If it exists and ``overwrite`` is False.
        """
        folder = Path(path)
        if folder.suffix and not folder.is_dir():
            return self._save_file(folder, overwrite)
        if folder.exists() and not overwrite:
            raise OutputExistsError(
                f"{folder} exists and is kept; pass overwrite=True to replace it"
            )
        there = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        if there - set(SAVED) and SAVED[-1] not in there:
            raise OutputExistsError(
                f"{folder} holds no result and is kept, even with overwrite=True; name another folder"
            )
        # npz of plain arrays only: reading it back never unpickles
        arrays: dict[str, Any] = {k: np.asarray(v) for k, v in self.arrays.items()}
        if objects := [k for k, v in arrays.items() if v.dtype.hasobject]:
            # numpy 2.0 takes allow_pickle=False for one more array
            raise ValueError(f"arrays {objects}: Python objects, which only a pickle could hold")
        meta = {
            "kind": self.kind,
            "info": self.info.as_dict(),
            "notes": list(self.notes),
            "provenance": self.provenance.as_dict(),
        }
        text = json.dumps(meta, indent=1, ensure_ascii=False)
        with replacing(*(folder / name for name in SAVED)) as (table, csv, plain, said):
            self.table.to_parquet(table, index=False)
            csv.write_text(csv_text(self.table), "utf-8", newline="")
            np.savez_compressed(plain, **arrays)
            said.write_text(text, "utf-8")
        return folder

    def _save_file(self, file: Path, overwrite: bool) -> Path:
        """The table or the report as one file."""
        suffix = file.suffix.lower()
        tables, reports = (".csv", ".parquet", ".xlsx"), (".html", ".md", ".tex", ".docx")
        if suffix not in (*tables, *reports):
            raise InputError(
                "path", str(file), f"a folder without an ending, or a file in {[*tables, *reports]}"
            )
        refuse_file(file, overwrite)
        if suffix in reports:
            from apastats.reporting.kinds import title_of
            from apastats.reporting.report import report

            return report(self, title=title_of(self)).save(file, overwrite=overwrite)
        if suffix == ".csv":
            write_whole(file, csv_text(self.table))
            return file
        with replacing(file) as (part,):
            if suffix == ".parquet":
                self.table.to_parquet(part, index=False)
            else:
                try:
                    spreadsheet_safe(self.table).to_excel(part, index=False)
                except ImportError as error:
                    raise MissingExtraError("openpyxl", "excel") from error
        return file

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote."""
        from apastats.io.load_result import load_result

        found = load_result(path)
        if not isinstance(found, cls):
            raise DataError(f"{path}: holds a result of kind {found.kind!r}, not {cls.kind!r}")
        return found


def _as_settled(table: pd.DataFrame) -> pd.DataFrame:
    """Table with simulated limits, and their estimates, rounded to the decimals that stand."""
    if not set(LIMIT_ERRORS) <= set(table.columns):
        return table
    errors = table[list(LIMIT_ERRORS)]
    shown = table.drop(columns=[*LIMIT_ERRORS, "settled"], errors="ignore")
    if not (errors > 0).to_numpy().any():
        return shown.drop(columns="mcse", errors="ignore")
    places = printed_decimals(table["std_error"].to_numpy(), errors.to_numpy())
    columns = [c for c in ("estimate", "std_error", "conf_low", "conf_high") if c in table.columns]
    return shown.assign(**{c: table[c].round(places) for c in columns})


def _plain_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        parts = (" ".join(map(str, filter(None, v))) if isinstance(v, list) else v for v in value)
        return ", ".join(map(str, parts))
    return str(value)
