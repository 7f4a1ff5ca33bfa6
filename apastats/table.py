"""ScoreTable: the one tidy type of the package, the formulas that address it, and its dense block view."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import checked, choice, names, text
from apastats.calls import Tabled, alike
from apastats.errors import DesignError, FormulaError, InputError
from apastats.memory import reserve
from apastats.printable import counted
from apastats.rows import DEFAULTS, KEY_COLUMNS, KINDS, REGION, TIME, joined_cells, standardise
from apastats.words import Facts, Outcome

__all__ = ["KEY_COLUMNS", "KINDS", "Block", "CellFormula", "ScoreTable", "parse_formula"]

Kinds = str | Sequence[str] | None  # kinds of the rows that enter; None takes all
BRAIN = "brain"  # level of `model` that stands for the brain in agreement tables


@dataclass(frozen=True)
class CellFormula:
    """``outcome ~ compare | by``: what is compared, and separately within what.

    Attributes
    ----------
    outcome : str
        Column on the left.
    compare : tuple of str
        Columns on the right, whose level combinations are compared.
    by : tuple of str
        Columns after the bar, within whose levels everything is done separately.
    """

    outcome: str
    compare: tuple[str, ...]
    by: tuple[str, ...]

    def __str__(self) -> str:
        right = " + ".join(self.compare) or "1"
        return f"{self.outcome} ~ {right}" + (f" | {' + '.join(self.by)}" if self.by else "")


def parse_formula(formula: str) -> CellFormula:
    """Read ``outcome ~ a + b | c + d``.

    Parameters
    ----------
    formula : str
        Column names joined by ``+``; ``1`` on the right compares nothing. ``(1 | g)`` terms belong
        to :func:`apastats.lmm`.

    Returns
    -------
    CellFormula

    Raises
    ------
    FormulaError
        With the position of the fault.

    Examples
    --------
    >>> parse_formula("score ~ model | roi + metric")
    CellFormula(outcome='score', compare=('model',), by=('roi', 'metric'))
    """
    formula = text("formula", formula, "a string such as 'score ~ model | roi'")
    if "(" in formula:
        where = formula.index("(")
        raise FormulaError(formula, "terms in parentheses belong to lmm() alone", position=where)
    tilde = formula.find("~")
    if tilde < 0 or "~" in formula[tilde + 1 :]:
        where = len(formula) if tilde < 0 else formula.index("~", tilde + 1)
        raise FormulaError(
            formula, "exactly one '~' is needed, as in 'score ~ model | roi'", position=where
        )
    bar = formula.find("|", tilde)
    if bar >= 0 and "|" in formula[bar + 1 :]:
        where = formula.index("|", bar + 1)
        raise FormulaError(formula, "at most one top-level '|' is allowed", position=where)
    end = len(formula) if bar < 0 else bar

    def names(start: int, stop: int, what: str) -> tuple[str, ...]:
        out: list[str] = []
        position = start
        for part in formula[start:stop].split("+"):
            name = part.strip()
            offset = position + len(part) - len(part.lstrip())
            if not name or not all(c.isalnum() or c in "_." for c in name):
                raise FormulaError(
                    formula, f"{what}: a column name is expected here", position=offset
                )
            if name in out:
                raise FormulaError(formula, f"{what}: {name!r} is given twice", position=offset)
            out.append(name)
            position += len(part) + 1
        return tuple(out)

    left = names(0, tilde, "left side")
    if len(left) != 1:
        raise FormulaError(formula, "one outcome is allowed on the left side", position=0)
    compare = names(tilde + 1, end, "right side")
    if "1" in compare:
        if compare != ("1",):
            raise FormulaError(formula, "'1' stands alone on the right side", position=tilde + 1)
        compare = ()
    by = names(bar + 1, len(formula), "after '|'") if bar >= 0 else ()
    both = set(compare) & set(by)
    if both:
        raise FormulaError(
            formula, f"{sorted(both)[0]!r} stands on both sides of '|'", position=bar
        )
    return CellFormula(left[0], compare, by)


@dataclass(frozen=True, eq=False)
class Block:
    """Dense view of a table: one value per cluster, compared group and by-cell.

    Attributes
    ----------
    values : numpy.ndarray
        ``[n_cluster, n_group, n_cell]``, NaN where the table has no finite value.
    clusters : list
        Labels of the first axis (subjects), sorted.
    groups : pandas.DataFrame
        One row per entry of the second axis; columns of the right side of the formula.
    cells : pandas.DataFrame
        One row per entry of the third axis; columns after the bar (no column, one row, if none).
    formula : CellFormula
    cluster : str
        Name of the cluster column.
    """

    values: np.ndarray
    clusters: list[Any]
    groups: pd.DataFrame
    cells: pd.DataFrame
    formula: CellFormula
    cluster: str

    @property
    def mask(self) -> np.ndarray:
        """Boolean, same shape as ``values``: True where there is a value."""
        return np.isfinite(self.values)

    @property
    def group_column(self) -> str:
        """Name of the column of results that holds what is compared: ``model``, or ``level`` where models are cells."""
        return "level" if "model" in self.cells.columns else "model"

    def group_labels(self) -> list[str]:
        """One text per group."""
        return [" / ".join(str(v) for v in row) for row in self.groups.itertuples(index=False)]

    def group_index(self, label: str, *, argument: str = "reference") -> int:
        """Position of a group by its text; an InputError that lists the groups otherwise."""
        labels = self.group_labels()
        choice(argument, label, labels)
        return labels.index(label)


@dataclass(frozen=True, eq=False)
class ScoreTable(Tabled):
    """Scores in tidy form: one row per predictor, subject, ROI, metric and split.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``subject, roi, model, score`` and optionally ``kind, layer, metric, split`` (missing
        ones get ``"model", "-", "score", "test"``); other columns are kept as covariates. For brain
        rows ``model`` is the predicting subject (``others`` for leave_one_out), ``layer`` its ROI.
    outcomes : tuple of str
        The outcome columns; every other column that is no covariate is part of the key.
    covariates : tuple of str
        Columns that describe rows and are no part of the key; rows that differ in them alone are repeats.
    on_duplicate : {"error", "first"}
        What to do about rows with the same key.
    log : tuple of str
        What reading did.
    source : str
        Where the data came from, for messages.
    measures : mapping of str to Outcome
        What an outcome column holds where its name does not say it: verbs that make agreement tell it here.
    facts : Facts
        What later verbs and reports ask of how the table was made.

    Raises
    ------
    DataError
        Missing columns, an unknown kind, a missing label, non-numeric scores, duplicate keys (the
        first five are shown).

    Examples
    --------
    >>> import pandas as pd
    >>> f = pd.DataFrame({"subject": ["s1", "s2"], "roi": "V1", "model": "m", "score": [0.1, 0.2]})
    >>> ScoreTable(f).frame.columns.tolist()
    ['kind', 'model', 'layer', 'subject', 'roi', 'metric', 'split', 'score']
    """

    made_by: ClassVar[str] = "apa.read"
    table_by: ClassVar[str] = "frame"

    frame: pd.DataFrame
    outcomes: tuple[str, ...] = ("score",)
    on_duplicate: str = "error"
    log: tuple[str, ...] = ()
    source: str = "data"
    measures: Mapping[str, Outcome] = field(default_factory=dict)
    covariates: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
    _hash: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        covariates = tuple(c for c in self.covariates if c not in self.outcomes)
        if isinstance(self.frame, pd.DataFrame):
            covariates = tuple(c for c in covariates if c in self.frame.columns)
        object.__setattr__(self, "covariates", covariates)
        frame, log, n_duplicate, differ = standardise(
            self.frame, self.outcomes, covariates, self.on_duplicate, self.source
        )
        # readers hand over numbers in memory of their own, which could not be written to
        numbers = {
            c: np.array(frame[c], dtype="f8") for c in frame.columns if frame[c].dtype == "f8"
        }
        object.__setattr__(self, "frame", frame.assign(**numbers))
        object.__setattr__(self, "log", (*self.log, *log))
        dropped = self.facts.n_duplicate + n_duplicate
        told = tuple(dict.fromkeys([*self.facts.differ, *differ]))
        object.__setattr__(self, "facts", replace(self.facts, n_duplicate=dropped, differ=told))
        object.__setattr__(self, "_hash", [])

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        f = self.frame
        return (
            f"<ScoreTable: {counted(len(f), 'row')}; {counted(f['subject'].nunique(), 'subject')}, "
            f"{counted(f['roi'].nunique(), 'ROI')}, "
            f"{counted(f.loc[f['kind'] == 'model', 'model'].nunique(), 'model')}; "
            f"outcomes {', '.join(self.outcomes)}>"
        )

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(repr(self))}</p>{self.frame.head(10).to_html(index=False, escape=True)}"

    @property
    def n_missing(self) -> int:
        """Rows whose first outcome is NaN; they are kept and masked."""
        return int(self.frame[self.outcomes[0]].isna().sum())

    @property
    def hash(self) -> str:
        """SHA-256 over sorted keys and float64 bytes, first 16 hex digits; row order does not matter."""
        if not self._hash:
            keys = [c for c in self.frame.columns if c not in self.outcomes]
            columns = sorted(keys)
            ordered = self.frame.sort_values(columns, kind="stable")
            digest = hashlib.sha256()
            for c in columns:
                codes, levels = pd.factorize(ordered[c], sort=True)
                digest.update(f"{c}:{[str(v) for v in levels]}".encode())
                digest.update(np.ascontiguousarray(codes, dtype="<i8").tobytes())
            for c in sorted(self.outcomes):
                digest.update(c.encode())
                digest.update(
                    np.ascontiguousarray(ordered[c].to_numpy("f8"), dtype="<f8").tobytes()
                )
            self._hash.append(digest.hexdigest()[:16])
        return self._hash[0]

    @checked
    def outcome(self, column: str) -> Outcome:
        """What a column holds, with the metric where the table has a single one."""
        known = self.measures.get(column, Outcome(column))
        metrics = self.frame["metric"].unique()
        named = len(metrics) == 1 and metrics[0] != DEFAULTS["metric"]
        return replace(known, metric=metrics[0] if named else "")

    @property
    def quantity(self) -> str:
        """What the first outcome is: ``score``, ``agreement``, or the name of its column."""
        return self.outcome(self.outcomes[0]).quantity

    def where(self, **conditions: Any) -> ScoreTable:
        """Rows in which each named column equals a value or is among the values given.

        Raises
        ------
        InputError
            If a column or a value does not exist (so a misspelt ROI is never silently nothing).
        """
        keep = np.ones(len(self.frame), dtype=bool)
        for column, wanted in conditions.items():
            if column not in self.frame.columns:
                allowed = f"one of {list(self.frame.columns)}"
                raise InputError("column", column, allowed, hint=self._meant(column))
            values = (
                [wanted]
                if isinstance(wanted, str) or not isinstance(wanted, Iterable)
                else list(wanted)
            )
            known = self.frame[column].unique().tolist()
            unknown = [v for v in values if v not in known]
            if unknown:
                allowed = f"one of {sorted(map(str, known))}"
                raise InputError(column, unknown[0], allowed, hint=alike(unknown[0], known))
            keep &= self.frame[column].isin(values).to_numpy()
        return self.with_frame(self.frame[keep])

    def _meant(self, name: str) -> str:
        """What a column that is not there was taken for when it was read, or which is spelt nearly so."""
        taken = dict(self.facts.taken).get(name)
        if taken is not None:
            return f"It was read as {taken!r}."
        return alike(name, self.frame.columns)

    @checked
    def with_frame(
        self, frame: pd.DataFrame, *, outcomes: Sequence[str] | None = None, log: Sequence[str] = ()
    ) -> ScoreTable:
        """New table with another frame, the log continued."""
        names = self.outcomes if outcomes is None else tuple(outcomes)
        return replace(
            self, frame=frame, outcomes=names, log=(*self.log, *log), on_duplicate="error"
        )

    def assign(self, **columns: Mapping[Any, Any]) -> ScoreTable:
        """Add covariates by a mapping from ROIs, models or subjects.

        Each mapping is applied to the column (``roi``, ``model``, ``subject``, ``layer``) whose levels it
        covers completely.

        Examples
        --------
        >>> import pandas as pd
        >>> f = pd.DataFrame({"subject": ["s1"], "roi": "V1", "model": "m", "score": [0.1]})
        >>> ScoreTable(f).assign(stream={"V1": "early"}).frame["stream"].tolist()
        ['early']
        """
        frame = self.frame
        for name, mapping in columns.items():
            for column in ("roi", "model", "subject", "layer"):
                if set(frame[column].unique()) <= set(mapping):
                    frame = frame.assign(**{name: frame[column].map(dict(mapping))})
                    break
            else:
                raise InputError(
                    name, mapping, "a mapping that covers all ROIs, all models or all subjects"
                )
        return self.with_frame(frame)

    @checked
    def cells(self, *columns: str) -> ScoreTable:
        """Table whose ROIs are the cells of ROI and further columns: ``V1 @ 100`` of ``time`` 100.

        Alignment patterns, ceilings and tests over ROIs are then those over region x time. The predicting brain's own
        label is taken from the column ``predictor_time`` where there is one, else it is that of the target. The ROI is
        kept as the covariate ``region``, the columns stay.

        Examples
        --------
        >>> import pandas as pd
        >>> f = pd.DataFrame(
        ...     {"subject": "s1", "roi": "V1", "model": "m", "score": 0.1}, index=range(2)
        ... )
        >>> ScoreTable(f.assign(time=["0", "50"])).cells("time").levels("roi")
        ['V1 @ 0', 'V1 @ 50']
        """
        for c in columns:
            choice("columns", c, [k for k in self.frame.columns if k not in KEY_COLUMNS])
        return replace(
            self,
            frame=joined_cells(self.frame, columns),
            covariates=(*self.covariates, *columns, REGION),
            on_duplicate="error",
        )

    def in_cells(self) -> ScoreTable:
        """Table of cells of ROI and time where it has several time points, itself otherwise."""
        columns = self.frame.columns
        several = TIME in columns and self.frame[TIME].nunique() > 1
        return self.cells(TIME) if several and REGION not in columns else self

    @checked
    def levels(self, column: str) -> list[Any]:
        """Distinct values of a column in order of appearance."""
        choice("column", column, self.frame.columns)
        return list(self.frame[column].unique())

    @checked
    def block(
        self, formula: str | CellFormula, *, cluster: str = "subject", kind: Kinds = "model"
    ) -> Block:
        """Dense block ``[cluster, group, cell]`` of one outcome.

        Parameters
        ----------
        formula : str or CellFormula
            ``outcome ~ compare | by``.
        cluster : str
            Column of the independent units.
        kind : str, sequence of str or None
            Rows of this kind (of these kinds) enter, and rows of the level ``brain`` of ``model``; None takes all rows.

        Returns
        -------
        Block

        Raises
        ------
        InputError
            If a column does not exist.
        DesignError
            If a cell holds more than one row: the columns that vary inside it are named.
        """
        f = formula if isinstance(formula, CellFormula) else parse_formula(formula)
        frame = self.frame
        for c in (f.outcome, cluster, *f.compare, *f.by):
            if c not in frame.columns:
                raise InputError(
                    "formula",
                    str(f),
                    f"columns among {list(frame.columns)}",
                    hint=f"{c!r} is not a column. {self._meant(c)}".strip(),
                )
        if cluster in (*f.compare, *f.by):
            raise InputError(
                "formula",
                str(f),
                f"columns other than {cluster!r}",
                hint=f"Each {cluster} is one independent observation; it can be neither compared nor a cell.",
            )
        if f.outcome not in self.outcomes:
            raise InputError(
                "formula", str(f), f"an outcome among {list(self.outcomes)} on the left side"
            )
        if kind is not None:
            frame = frame[of_kinds(frame, kind) | (frame["model"] == BRAIN)]
            if frame.empty:
                raise DesignError(f"{self.source}: there is no row of kind {kind!r}")
        keys = [cluster, *f.compare, *f.by]
        repeated = frame.duplicated(keys, keep=False)
        if repeated.any():
            first = frame.loc[repeated, keys].iloc[0]
            same = frame[(frame[keys] == first).all(axis=1)]
            fixed = {*keys, *self.outcomes, *self.covariates}
            varying = [c for c in same.columns if c not in fixed and same[c].nunique() > 1]
            raise DesignError(
                f"{f}: {len(same)} rows share {dict(first)}; they differ in {varying}. Choose a layer or a split "
                f"first (select_layer, where), or put the column into the formula."
            )
        axes = [_codes(frame, columns) for columns in ([cluster], list(f.compare), list(f.by))]
        shape = tuple(len(levels) for _, levels in axes)
        reserve(
            f"a block of {shape[0]:,} x {shape[1]:,} x {shape[2]:,} scores ({cluster} x {' x '.join(f.compare)} x "
            f"{' x '.join(f.by) or 'one cell'})",
            16.0 * math.prod(shape),
            "fewer groups or cells at once",
        )
        values = np.full(shape, np.nan)
        values[tuple(codes for codes, _ in axes)] = frame[f.outcome].to_numpy("f8")
        order = np.argsort(np.asarray([str(v) for v in axes[0][1][cluster]]), kind="stable")
        clusters = [axes[0][1][cluster].iloc[i] for i in order]
        return Block(values[order], clusters, axes[1][1], axes[2][1], f, cluster)


def averaged_block(
    data: ScoreTable, formula: str | CellFormula, *, cluster: str, within: Any, kind: Kinds
) -> Block:
    """Block of the formula, the levels of ``within`` averaged inside each cluster (NaN if one is missing)."""
    f = formula if isinstance(formula, CellFormula) else parse_formula(formula)
    if within is None:
        return data.block(f, cluster=cluster, kind=kind)
    columns = names("within", within)
    taken = {f.outcome, cluster, *f.compare, *f.by}
    if set(columns) & taken:
        raise InputError(
            "within", within, "columns that are neither in the formula nor the cluster"
        )
    full = data.block(replace(f, by=(*f.by, *columns)), cluster=cluster, kind=kind)
    by = list(f.by)
    if by:
        codes = full.cells.groupby(by, sort=False, observed=True).ngroup().to_numpy()
        cells = full.cells[by].drop_duplicates().reset_index(drop=True)
    else:
        codes, cells = np.zeros(len(full.cells), dtype=int), pd.DataFrame(index=range(1))
    values = np.stack(
        [full.values[:, :, codes == j].mean(axis=2) for j in range(len(cells))], axis=2
    )
    return Block(values, full.clusters, full.groups, cells, f, cluster)


def of_kinds(frame: pd.DataFrame, kind: str | Sequence[str]) -> pd.Series:
    """Rows of one kind or of several; a kind that no row has is an error, so that none is silently nothing."""
    wanted = names("kind", kind)
    known = frame["kind"].unique().tolist()
    lacking = [k for k in wanted if k not in known] if len(wanted) > 1 else []
    if lacking:
        raise InputError("kind", lacking[0], f"kinds of the rows, {known}")
    return frame["kind"].isin(wanted)


def outcome_in(data: ScoreTable | pd.DataFrame, column: str) -> Outcome:
    """What a column of a table or a frame holds, as far as that is known."""
    if isinstance(data, ScoreTable) and column in data.outcomes:
        return data.outcome(column)
    return Outcome(column)


def in_order_of(frame: pd.DataFrame, original: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``frame`` sorted so that models, ROIs and metrics come in the order of ``original``.

    Groups and cells of a block, and so tables and figures, follow the order of appearance; a choice of
    rows must not scramble it.
    """
    ranks = {}
    for column in ("model", "roi", "metric"):
        order = {v: i for i, v in enumerate(original[column].unique())}
        ranks[f"_{column}"] = frame[column].map(order)
    ranked = frame.assign(**ranks).sort_values(list(ranks), kind="stable")
    return ranked.drop(columns=list(ranks)).reset_index(drop=True)


def _codes(frame: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """Integer codes of the level combinations in order of appearance, and one row per level."""
    if not columns:
        return np.zeros(len(frame), dtype=np.intp), pd.DataFrame(index=range(1))
    codes = frame.groupby(columns, sort=False, observed=True, dropna=False).ngroup().to_numpy()
    levels = frame[columns].drop_duplicates().reset_index(drop=True)
    return codes, levels
