"""``read``: score tables from files, folders and objects; what each column is taken for is said, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import checked, choice, mapping
from apastats.errors import DataError, InputError, RepeatedRowsError
from apastats.io.cache import read_cache, write_cache
from apastats.io.cells import constant, labels, look, numbers, void
from apastats.io.columns import Column, Plan, canonical, plan_columns, refuse
from apastats.io.formats import SUFFIXES, FileOptions, read_files
from apastats.io.frames import Part, from_object
from apastats.io.joined_parts import join_parts, same_cells, with_entities
from apastats.io.sources import expand, is_paths
from apastats.rows import DEFAULTS, KEY_COLUMNS
from apastats.table import ScoreTable

__all__ = ["Found", "look_into", "read"]

_NESTED = (list, dict, tuple, set, np.ndarray)
_ROW = "\0row"  # a name that no file has


@dataclass(frozen=True)
class Found:
    """What stands in a source before it becomes a table.

    Attributes
    ----------
    what : list of str
        Kinds of files or objects.
    plan : Plan
        What each column is taken for.
    frame : pandas.DataFrame
        All rows, as they stand.
    source : str
    locate : callable
        From the number of a row to words.
    log : list of str
    decimal : str
    evaluations : bool
        Whether the first part says itself that it holds scores.
    """

    what: list[str]
    plan: Plan
    frame: pd.DataFrame
    source: str
    locate: Callable[[int], str]
    log: list[str]
    decimal: str
    evaluations: bool = False


@checked
def read(
    source: Any,
    *,
    layout: str = "auto",
    rename: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    wide: str | Mapping[str, Sequence[str]] | None = None,
    keys: Sequence[str] = (),
    covariates: Sequence[str] = (),
    ignore: Sequence[str] = (),
    sep: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    comment: str | None = None,
    sheet: str | int | None = None,
    rois: Sequence[str] | str | None = None,
    on_duplicate: str = "error",
    cache: str | Path | None = None,
) -> ScoreTable:
    """Read alignment scores from a file, a folder, a list of files, or an object that holds a table.

    Columns are known by the names people use (``participant_id``, ``Region``, ``RSA (Spearman rho)``); labels
    are text, to the letter; numbers may be missing under the codes of ``apastats formats``. What was taken for
    what stands in ``log``. What could be read in two ways is refused with the argument that decides.

    Parameters
    ----------
    source : path, list of paths, or table
        A file (text with any separator, workbooks, JSON lines, parquet, feather, netCDF; ``apastats formats`` lists
        them), a folder or pattern (``"scores/sub-*_scores.tsv"``, whose entities become columns), a folder of
        published score sheets; or a pandas, polars, arrow or xarray table, a Series, a dict of columns, a list
        of dicts.
    layout : {"auto", "tidy", "scoresheets"}
        ``auto`` recognises score sheets by their folders.
    rename : mapping, optional
        Column names in the data -> names of :class:`ScoreTable`.
    defaults : mapping, optional
        Values of columns that the data lack, e.g. ``{"kind": "leave_one_out", "metric": "rsa"}``.
    wide : str or mapping, optional
        Column (``"model"``, ``"subject"``, ``"roi"``, ...) whose levels are spread over columns of the data; or
        ``{"model": [columns]}``, which names them. Whole numbers and known names (counts, errors, ceilings,
        row numbers) are never levels unless they are named.
    keys : sequence of str
        Further columns that tell rows apart (a condition, a dataset); labels.
    covariates : sequence of str
        Columns kept beside the scores; rows that differ in them alone are repeats.
    ignore : sequence of str
        Columns left out.
    sep, decimal, encoding, comment : str, optional
        How text is written: separator, decimal mark (where it is said, the other mark parts thousands), encoding,
        what comment lines begin with. Found out if None.
    sheet : str or int, optional
        Sheet of a workbook (xlsx, xls, xlsb, ods).
    rois : sequence of str or "all", optional
        ROIs to keep, in this order. By default all; for score sheets the 19 analysis regions.
    on_duplicate : {"error", "first"}
        What to do about rows with the same key; score sheets drop the known doubled V7 by themselves.
    cache : path, optional
        Parquet file: written after reading, and read instead as long as sources and arguments are unchanged.

    Returns
    -------
    ScoreTable
        Its ``log`` says what reading did.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``stream`` (stream of the region), ``score`` (score).

    Raises
    ------
    ReadError
        If a file cannot be read; the message names it. Pickles are refused.
    DataError
        If columns are missing, unknown or claimed twice, a label is empty, or keys are repeated.
    InputError
        If an argument is not allowed.
    MissingExtraError
        If a format needs a package that is not installed.

    See Also
    --------
    check, concat, read_rdms, read_patterns

    References
    ----------
    .. [1] The apastats developers (2026). apastats: Statistics for brain-model alignment. Python package.

    Examples
    --------
    >>> import pandas as pd
    >>> t = read(pd.DataFrame({"sub": [1, 2], "Region": "V1", "DNN": "m", "r": [0.1, 0.2]}))
    >>> t.levels("subject")
    ['1', '2']
    >>> t.log[0]
    "columns taken: 'sub' as subject, 'Region' as roi, 'DNN' as model, 'r' as score"
    """
    choice("layout", layout, ("auto", "tidy", "scoresheets"))
    if isinstance(rois, str) and rois != "all":
        raise InputError("rois", rois, "a list of ROI names, or 'all'")
    choice("on_duplicate", on_duplicate, ("error", "first"))
    shape: dict[str, Any] = {
        **{"rename": rename, "defaults": defaults, "wide": wide},
        **{"keys": keys, "covariates": covariates, "ignore": ignore},
        **{
            "sep": sep,
            "decimal": decimal,
            "encoding": encoding,
            "comment": comment,
            "sheet": sheet,
        },
    }
    if isinstance(source, ScoreTable):
        if any(v not in (None, ()) for v in shape.values()):
            raise InputError("source", source, "a table that is not read yet, with these arguments")
        return _keep(source, rois)
    paths = _paths_of(source)
    arguments = shape | {"layout": layout, "on_duplicate": on_duplicate}
    arguments["rois"] = rois if rois is None else list(rois)
    if cache is not None and paths is not None:
        found = read_cache(Path(cache), paths, arguments)
        if found is not None:
            return found
    if layout == "scoresheets" or (
        layout == "auto" and paths and len(paths) == 1 and is_scoresheets(paths[0])
    ):
        from apastats.io.scoresheets import read_scoresheets

        if any(v not in (None, ()) for v in shape.values()):
            raise InputError(
                "layout", "scoresheets", "no options but rois and on_duplicate with score sheets"
            )
        if paths is None:
            raise InputError("layout", "scoresheets", "the path of a folder of score sheets")
        table = read_scoresheets(paths[0], rois=rois, on_duplicate=on_duplicate)
    else:
        table = _table(look_into(source, **shape), shape, rois, on_duplicate)
    if cache is not None and paths is not None:
        write_cache(Path(cache), paths, arguments, table)
    return table


def _paths_of(source: Any) -> list[Path] | None:
    """The paths that a source is, None where it is an object."""
    if not is_paths(source) or source == "":
        return None
    return [Path(p) for p in ([source] if isinstance(source, (str, Path)) else source)]


def is_scoresheets(path: Path) -> bool:
    """Whether a folder has the layout of the published score sheets."""
    try:
        folder = path.is_dir()
    except OSError:  # a name that no file system takes
        return False
    return folder and any(
        (path / kind).is_dir() for kind in ("benchmark", "intersubject", "pairwise")
    )


def look_into(source: Any, **options: Any) -> Found:
    """What stands in a source, and what each column would be taken for; problems are listed, not raised.

    Parameters
    ----------
    source : object
        As in :func:`read`.
    **options
        Those of :func:`read` about columns and files.

    Returns
    -------
    Found
    """
    given = _column_options(options)
    rename, defaults = dict(given["rename"] or {}), dict(options.get("defaults") or {})
    files, log = _parts(source, options, given)
    parts = [with_entities(p, set(defaults), set(given["ignore"])) for p in files]
    # what the names of files state in place of a column is not left out again
    stated = {k for p in parts for k in p.entities}
    given["ignore"] = [c for c in given["ignore"] if c not in stated]
    frame, locate, source_name = join_parts(parts)
    decimals = {p.decimal for p in parts}
    decimal = decimals.pop() if len(decimals) == 1 else "."
    if options.get("decimal") is not None:  # said: the other mark can only part thousands
        decimal = {".": ".,", ",": ",."}.get(options["decimal"], decimal)
    looks = _looks(frame, given, decimal)
    same = {c for c in frame.columns if "." in c and c.rsplit(".", 1)[0] in frame.columns
            and same_cells(frame[c], frame[c.rsplit(".", 1)[0]])}  # fmt: skip
    plan = plan_columns(
        looks, rename=rename, wide=given["wide"], keys=given["keys"], covariates=given["covariates"],
        ignore=given["ignore"], given=set(defaults), same=same, n_file=sum(p.n_file for p in parts),
    )  # fmt: skip
    what = list(dict.fromkeys(p.what for p in parts))
    if is_paths(source):
        n = sum(p.n_file for p in parts)
        log.insert(0, f"read {n} file{'s' * (n != 1)}, {len(frame)} rows: {'; '.join(what)}")
    log += dict.fromkeys(note for p in parts for note in p.notes)
    return Found(what, plan, frame, source_name, locate, log, decimal, parts[0].evaluations)


def _column_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options about columns, of the types they must have."""
    given: dict[str, Any] = {k: options.get(k) for k in ("rename", "wide")}
    for name in ("keys", "covariates", "ignore"):
        value = given[name] = options.get(name) or ()
        if isinstance(value, str) or not all(isinstance(v, str) for v in value):
            raise InputError(name, value, "a list of column names")
    for name in ("rename", "defaults"):
        value = options.get(name) or {}
        mapping(name, value, "a mapping of names, e.g. {'r': 'score'}")
        wrong = [v for v in [*value, *value.values()] if not isinstance(v, (str, int, float))]
        if wrong or not all(
            isinstance(v, str) for v in (value.values() if name == "rename" else value)
        ):
            raise InputError(name, value, "a mapping of text to text")
    return given


def _looks(frame: pd.DataFrame, given: Mapping[str, Any], decimal: str) -> dict[str, str]:
    """What every column holds; names of labels and scores need no look."""
    plain = KEY_COLUMNS if given["wide"] is not None else (*KEY_COLUMNS, "score")
    rename = given["rename"] or {}
    looks: dict[str, str] = {}
    for c in map(str, frame.columns):
        role = canonical(rename.get(c, c))
        if role == "further label" or c in given["keys"]:
            looks[c] = "empty" if void(frame[c]).all() else "text"
        else:
            looks[c] = "known" if role in plain else look(frame[c], decimal)
    return looks


def _parts(
    source: Any, options: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[list[Part], list[str]]:
    """Tables of the source, and what was left unread."""
    wide = given["wide"]
    level = wide if isinstance(wide, str) else None
    rename = given["rename"] or {}
    known = {
        *rename,
        *given["keys"],
        *given["covariates"],
        *given["ignore"],
        *(options.get("defaults") or {}),
    }
    text = {k for k, v in rename.items() if canonical(v) in KEY_COLUMNS} | set(given["keys"])
    file_options = FileOptions(
        **{k: options.get(k) for k in ("sep", "decimal", "encoding", "comment", "sheet")},
        known=known | ({level} if level else set()),
        labels=text,
    )
    if not is_paths(source):
        if isinstance(source, str):
            raise InputError("source", source, "the path of a file or folder")
        wrong = [k for k in ("sep", "encoding", "comment", "sheet") if options.get(k) is not None]
        if wrong:
            raise InputError(wrong[0], options[wrong[0]], "nothing where source is no file")
        return [from_object(source)], []
    paths, notes = expand(source, SUFFIXES)
    return list(read_files(paths, file_options)), notes


def _table(
    found: Found, shape: Mapping[str, Any], rois: Sequence[str] | str | None, on_duplicate: str
) -> ScoreTable:
    """The rows of a source as a table of scores."""
    plan, log = found.plan, [*found.log, *found.plan.log()]
    refuse(plan, found.source)
    frame, rows, blank = _filled(found.frame, plan)
    if blank:
        log.append(f"{blank} blank rows left out")
    if frame.empty:
        raise DataError(f"{found.source}: there are no rows")

    def where(row: int) -> str:
        return found.locate(int(row if rows is None else rows[row]))

    columns: dict[str, Any] = {}
    for column in plan.columns:
        if column.target is None or column.role == "level":
            continue
        values = frame[column.name]
        if column.target in plan.keys:
            columns[column.target], notes = labels(values, column.target, where)
            log += notes
        elif column.target == "score":
            columns["score"], notes = numbers(values, column.name, where, found.decimal)
            log += notes
            infinite = np.isinf(columns["score"].to_numpy())
            if infinite.any():
                row = where(int(infinite.argmax()))
                raise DataError(
                    f"{row}: column {column.name!r} is infinite; scores are finite or missing"
                )
        elif _are_numbers(column, look(values, found.decimal)):
            columns[column.target], notes = numbers(
                values, column.name, where, found.decimal, score=False
            )
            log += notes
        elif values.dtype == object and any(isinstance(v, _NESTED) for v in values):
            columns[column.target] = values.map(str)  # lists and dicts in cells
            log.append(f"{column.name}: cells hold several values each, kept as text")
        else:
            columns[column.target] = values
    made = pd.DataFrame(columns, index=range(len(frame)), copy=False)
    levels = plan.of("level")
    if levels:
        made, notes = _melted(
            made, frame, [(c.name, levels[0].target or "") for c in levels], where, found.decimal
        )
        log += notes
    for name, value in (shape["defaults"] or {}).items():
        if name not in made.columns:
            made[name] = constant(str(value), len(made))
    numbered = np.arange(len(made))
    if rois is not None and not isinstance(rois, str):
        from apastats.io.bmd import keep_rois

        made, dropped = keep_rois(made.assign(**{_ROW: numbered}), list(rois), found.source)
        log += dropped
        numbered = made.pop(_ROW).to_numpy()
    other = [c.target for c in plan.of("other label") if c.target is not None]
    if other:
        _ask_for_keys(made, plan, other, found.source)
    made, numbered, notes = _in_order(made, numbered, frame, plan)
    log += notes
    try:
        table = ScoreTable(made, on_duplicate=on_duplicate, log=tuple(log), source=found.source,
                           covariates=tuple(plan.covariates))  # fmt: skip
        return replace(table, facts=replace(table.facts, taken=plan.taken))
    except RepeatedRowsError as error:
        raise DataError(
            f"{error}\n{_places(numbered[list(error.rows)], levels, len(frame), where)}"
        ) from error


def _in_order(
    made: pd.DataFrame, numbered: np.ndarray, frame: pd.DataFrame, plan: Plan
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Rows, and their numbers, so that ordered categories of labels first appear in their order; a note where moved."""
    columns = [c for c in plan.columns if c.target in plan.keys]
    ordered = {
        str(c.name): frame[c.name].cat.codes.to_numpy()
        for c in columns
        if isinstance(frame[c.name].dtype, pd.CategoricalDtype) and frame[c.name].cat.ordered
    }
    if not ordered or len(made) != len(frame):
        return made, numbered, []
    order = np.lexsort(list(ordered.values())[::-1])
    if (order == np.arange(len(order))).all():
        return made, numbered, []
    note = f"rows in the order of the categories of {', '.join(ordered)}"
    return made.iloc[order].reset_index(drop=True), numbered[order], [note]


def _places(rows: np.ndarray, levels: Sequence[Column], n: int, where: Callable[[int], str]) -> str:
    """Where the rows of the first repeated key stand: file and line, and column of a wide sheet."""
    shown = [
        where(row % n) + (f", column {levels[row // n].name!r}" if levels else "")
        for row in rows[:5]
    ]
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"The first key stands in: {'; '.join(shown)}{more}"


def _are_numbers(column: Column, held: str) -> bool:
    """Whether a column beside the scores is numbers; one odd code must not turn a covariate into text."""
    covariate = column.role in ("covariate", "beside the score")
    return held in ("whole", "number") or (held == "mixed" and covariate)


def _filled(frame: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, np.ndarray | None, int]:
    """Rows that hold something, their numbers (None: all rows), and how many are blank."""
    used = [c.name for c in plan.columns if c.target is not None and c.role != "index"]
    blank = np.ones(len(frame), dtype=bool)
    for name in used:
        blank &= void(frame[name])
        if not blank.any():
            return frame, None, 0
    rows = np.flatnonzero(~blank)
    return frame.iloc[rows].reset_index(drop=True), rows, int(blank.sum())


def _melted(
    fixed: pd.DataFrame,
    frame: pd.DataFrame,
    levels: Sequence[tuple[str, str]],
    where: Callable[[int], str],
    decimal: str,
) -> tuple[pd.DataFrame, list[str]]:
    """One row per entry of the columns that are levels, and what was done to their numbers."""
    names = [name.strip() for name, _ in levels]
    n = len(frame)
    read_as = [numbers(frame[name], name, where, decimal) for name, _ in levels]
    scores = [values.to_numpy() for values, _ in read_as]
    rows = np.tile(np.arange(n), len(names))
    out = fixed.iloc[rows].reset_index(drop=True)
    codes = np.repeat(np.arange(len(names), dtype=np.int32), n)
    out[levels[0][1]] = pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))
    out["score"] = np.concatenate(scores)
    return out, [note for _, notes in read_as for note in notes]


def _ask_for_keys(frame: pd.DataFrame, plan: Plan, other: Sequence[str], source: str) -> None:
    """Rows that repeat the key and differ in text nobody named: ask whether it is part of the key."""
    key = [*plan.keys, *(c for c in KEY_COLUMNS if c in frame.columns and c not in plan.keys)]
    repeated = frame.duplicated(key, keep=False)
    if not repeated.any():
        return
    part = frame.loc[repeated]
    tells = [c for c in other if not part.duplicated([*key, c]).any()]
    if tells:
        first = part.iloc[0][[c for c in key if c not in DEFAULTS or c in ("layer",)]].to_dict()
        count = int((part[list(first)] == pd.Series(first)).all(axis=1).sum())
        raise DataError(
            f"{source}: {int(repeated.sum())} rows share their key with others, e.g. {count} rows of {first}; they "
            f"differ in {tells}. keys={[tells[0]]!r} makes it part of the key, ignore={[tells[0]]!r} leaves it out"
        )


def _keep(table: ScoreTable, rois: Sequence[str] | str | None) -> ScoreTable:
    if rois is None or isinstance(rois, str):
        return table
    from apastats.io.bmd import keep_rois

    frame, log = keep_rois(table.frame, list(rois), table.source)
    return table.with_frame(frame, log=log)
