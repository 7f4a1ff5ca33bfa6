"""Sets of RDMs: one labelled, frozen container, and the verb that reads it from anything."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked, choice
from apastats.calls import not_among
from apastats.errors import (
    DataError,
    DesignError,
    InputError,
)
from apastats.folders import refuse_file, replacing
from apastats.io.rdm_labels import RawRDMs, Texts, canonical_labels, stimulus_names, text
from apastats.io.rdm_vectors import like_similarities, n_stimulus, without_rounding
from apastats.rows import REGION, SEPARATOR

__all__ = [
    "RDMSet",
]


@dataclass(frozen=True, eq=False)
class RDMSet:
    """RDMs over the same stimuli, one row each.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``[n_rdm, n_pair]`` upper triangles, row-major; NaN where a stimulus (or a pair) is missing.
        float32 is kept, everything else becomes float64.
    labels : pandas.DataFrame
        One row per RDM: ``subject, roi`` for brains, ``model, layer`` for predictors; other columns
        are carried along. Labels become text, and a row of labels occurs once.
    stimuli : sequence, optional
        Names of the ``n_stimulus`` stimuli. Without names two sets match by position, and only if
        they have the same number.
    measure : str, optional
        Dissimilarity measure, in words.
    source : str
        Where the data came from, for messages.
    log : tuple of str
        What reading took names for, left out or changed.
    calls : tuple of str
        The public calls that made them, as text; tables scored from them go on with these.

    Raises
    ------
    DataError
        Wrong shape, infinite or all-NaN entries, repeated labels or stimuli.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> labels = pd.DataFrame({"subject": ["s1", "s2"], "roi": "V1"})
    >>> RDMSet(np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0]]), labels, ["a", "b", "c"])
    <RDMSet: 2 RDMs of 3 stimuli; subject (2), roi (1)>
    """

    vectors: np.ndarray
    labels: pd.DataFrame
    stimuli: tuple[str, ...] = ()
    measure: str | None = None
    source: str = "data"
    named: bool = field(default=True, repr=False)
    log: tuple[str, ...] = field(default=(), repr=False)
    named_by: str = field(default="", repr=False)
    calls: tuple[str, ...] = field(default=(), repr=False)
    _hash: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors)
        if vectors.dtype.kind not in "fiub":
            try:
                vectors = _kept(vectors.astype("f8"))
            except (TypeError, ValueError) as error:
                raise DataError(f"{self.source}: RDMs must be numbers ({error})") from error
        if vectors.ndim != 2 or not vectors.size:
            raise DataError(
                f"{self.source}: vectors of RDMs have shape {vectors.shape}; allowed: [n_rdm, n_pair]"
            )
        n = n_stimulus(vectors.shape[1])
        if n * (n - 1) // 2 != vectors.shape[1]:
            raise DataError(
                f"{self.source}: {vectors.shape[1]} pairs are no upper triangle; allowed: n (n - 1) / 2. "
                "Patterns [stimulus, unit] go to score_patterns, or to rdms_from_patterns first"
            )
        labels = _text_labels(self.labels, len(vectors), self.source)
        named = self.named and len(self.stimuli) > 0
        stimuli = tuple(text(self.stimuli)) if len(self.stimuli) else tuple(map(str, range(n)))
        if len(stimuli) != n:
            raise DataError(f"{self.source}: {len(stimuli)} stimulus names for RDMs of {n} stimuli")
        if len(set(stimuli)) != n:
            twice = next(s for s in stimuli if stimuli.count(s) > 1)
            raise DataError(
                f"{self.source}: stimulus {twice!r} occurs {stimuli.count(twice)} times"
            )
        # the numbers come last: passes over them put all else out of the cache
        if vectors.dtype != np.float32 and not _is_kept(vectors):
            vectors = _kept(vectors.astype("f8"))
        for i in np.flatnonzero(~np.isfinite(vectors.sum(axis=1))).tolist():
            row = vectors[i]
            if np.isinf(row).any():
                which = _row_text(_columns(labels), i)
                raise DataError(f"{self.source}: RDM {which} has an infinite entry")
            if np.isnan(row).all():
                which = _row_text(_columns(labels), i)
                raise DataError(f"{self.source}: RDM {which} is NaN everywhere")
        vectors = vectors.view()
        vectors.flags.writeable = False
        if isinstance(labels, Texts):
            object.__delattr__(self, "labels")  # made when it is asked for
            object.__setattr__(self, "_texts", labels.columns)
        else:
            object.__setattr__(self, "labels", labels)
        for name, value in (
            ("vectors", vectors),
            ("stimuli", stimuli),
            ("named", named),
            ("_hash", []),
        ):
            object.__setattr__(self, name, value)

    if not TYPE_CHECKING:  # a checker would take every name for one that is there

        def __getattr__(self, name):
            """The frame of labels, made when it is first asked for."""
            texts = self.__dict__.get("_texts")
            if name != "labels" or texts is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            frame = pd.DataFrame(texts, index=range(len(self.vectors)))
            object.__setattr__(self, "labels", frame)
            return frame

    @property
    def texts(self) -> dict[str, list[str]]:
        """Labels as lists, by column."""
        made = self.__dict__.get("labels")
        return dict(self.__dict__["_texts"]) if made is None else _columns(made)

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{c} ({len(set(v))})" for c, v in self.texts.items())
        return f"<RDMSet: {len(self)} RDMs of {len(self.stimuli)} stimuli; {sizes}>"

    @property
    def hash(self) -> str:
        """SHA-256 over sorted labels and float64 bytes, first 16 hex digits; order does not matter."""
        if not self._hash:
            columns = dict(sorted(self.texts.items()))
            rows = list(zip(*columns.values(), strict=True))
            order = sorted(range(len(self)), key=rows.__getitem__)
            digest = hashlib.sha256(
                repr(self.stimuli if self.named else len(self.stimuli)).encode()
            )
            for c in columns:
                digest.update(f"{c}:{[columns[c][i] for i in order]}".encode())
            for i in order:
                digest.update(np.ascontiguousarray(self.vectors[i], dtype="<f8").data)
            self._hash.append(digest.hexdigest()[:16])
        return self._hash[0]

    def matrices(self) -> np.ndarray:
        """Square form ``[n_rdm, n_stimulus, n_stimulus]``, zero diagonal."""
        n = len(self.stimuli)
        i, j = np.triu_indices(n, 1)
        out = np.zeros((len(self), n, n), dtype=self.vectors.dtype)
        out[:, i, j] = out[:, j, i] = self.vectors
        return out

    @checked
    def with_labels(self, labels: pd.DataFrame) -> RDMSet:
        """Same RDMs under other labels, one row per RDM."""
        out = copy.copy(self)
        object.__setattr__(out, "labels", _text_labels(labels, len(self), self.source))
        object.__setattr__(out, "_hash", [])
        return out

    def relabelled(self, labels: pd.DataFrame) -> RDMSet:
        """Same RDMs under the same labels, but for new names of columns and columns of one text; not checked again."""
        out = copy.copy(self)
        object.__setattr__(out, "labels", labels)
        object.__setattr__(out, "_hash", [])
        return out

    @checked
    def logged(self, lines: Sequence[str]) -> RDMSet:
        """Same RDMs with these lines as their log, each once."""
        out = copy.copy(self)
        object.__setattr__(out, "log", tuple(dict.fromkeys(lines)))
        return out

    def cells(self, column: str = "time") -> RDMSet:
        """Same RDMs whose ROIs are the cells of ROI and another label: ``V1 @ 100``; the label and ``region`` go along.

        Every verb of RDMs then works on region x time (``bootstrap``, ``evaluate_rdms``, ...).
        """
        arguments.choice(
            "column", column, [c for c in self.labels.columns if c not in ("subject", "roi")]
        )
        roi = self.labels["roi"].astype(str)
        joined = (roi + SEPARATOR + self.labels[column].map(str)).astype("str")
        return self.relabelled(self.labels.assign(roi=joined, **{REGION: roi}))

    @checked
    def take(self, rows: Any) -> RDMSet:
        """RDMs of these positions (or of a boolean mask), in that order."""
        rows = np.asarray(arguments.items("rows", rows, "a list of positions"))
        inside = rows.dtype.kind in "iu" and bool((np.abs(rows + 0.5) < len(self)).all())
        mask = rows.dtype == bool and rows.shape == (len(self),)
        if rows.ndim != 1 or (rows.size and not inside and not mask):
            raise InputError("rows", rows, f"positions among {len(self)} RDMs, or a mask of them")
        rows = np.flatnonzero(rows) if mask else rows
        if not rows.size:
            raise DataError(f"{self.source}: no RDM is left")
        labels = self.labels.iloc[rows].reset_index(drop=True)
        return replace(self, vectors=_kept(self.vectors[rows]), labels=labels)

    def select(self, **conditions: Any) -> RDMSet:
        """RDMs whose labels equal a value or are among the values given; their order is kept.

        Raises
        ------
        InputError
            If a label column or a value does not exist.
        """
        keep = np.ones(len(self), dtype=bool)
        for column, wanted in conditions.items():
            choice("column", column, self.labels.columns)
            single = isinstance(wanted, str) or not isinstance(wanted, Iterable)
            values = [str(v) for v in ([wanted] if single else wanted)]
            known = set(self.labels[column])
            unknown = [v for v in values if v not in known]
            if unknown:
                raise not_among(column, unknown[0], sorted(known))
            keep &= self.labels[column].isin(values).to_numpy()
        return self.take(keep)

    @checked
    def average(self, *, over: str) -> RDMSet:
        """Mean RDM over the levels of a label column (sessions, say); NaN entries are left out.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> labels = pd.DataFrame({"subject": "s1", "session": ["a", "b"]})
        >>> RDMSet(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), labels).average(
        ...     over="session"
        ... ).vectors
        array([[2., 2., 2.]])
        """
        choice("over", over, self.labels.columns)
        keys = [c for c in self.labels.columns if c != over]
        if not keys:
            raise InputError("over", over, "a column that is not the only label")
        codes = self.labels.groupby(keys, sort=False).ngroup().to_numpy()
        present = np.isfinite(self.vectors)
        total = np.zeros((codes.max() + 1, self.vectors.shape[1]))
        count = np.zeros_like(total)
        np.add.at(total, codes, np.where(present, self.vectors, 0.0))
        np.add.at(count, codes, present)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        labels = self.labels[keys].drop_duplicates().reset_index(drop=True)
        return replace(self, vectors=_kept(mean), labels=labels)

    @checked
    def on_stimuli(self, stimuli: Sequence[str]) -> RDMSet:
        """RDMs over these stimuli in this order; stimuli the set does not have are NaN."""
        if stimuli == self.stimuli:
            return self
        wanted = arguments.names("stimuli", stimuli, least=2)
        if wanted == self.stimuli:
            return self
        position = {s: k for k, s in enumerate(self.stimuli)}
        index = np.array([position.get(s, -1) for s in wanted])
        n, m = len(self.stimuli), len(wanted)
        i, j = np.triu_indices(m, 1)
        a, b = np.minimum(index[i], index[j]), np.maximum(index[i], index[j])
        column = a * n - a * (a + 1) // 2 + (b - a - 1)
        known = a >= 0
        vectors = np.full((len(self), len(i)), np.nan, dtype=self.vectors.dtype)
        vectors[:, known] = self.vectors[:, column[known]]
        return replace(self, vectors=_kept(vectors), stimuli=wanted)

    @classmethod
    def from_rsatoolbox(cls, rdms: Any, *, pattern_descriptor: str | None = None) -> RDMSet:
        """Container of an ``rsatoolbox.rdm.RDMs`` object.

        Parameters
        ----------
        rdms : rsatoolbox.rdm.RDMs
            Its rdm descriptors become labels.
        pattern_descriptor : str, optional
            Pattern descriptor that names the stimuli; by default the one with a distinct value for each
            of them, whatever it is called. An ``index`` that counts 0, 1, 2, ... is no name.

        Raises
        ------
        DataError
            If several descriptors could be the names.
        """
        return cls.from_raw(raw_of_rsatoolbox(rdms), pattern_descriptor, "rsatoolbox RDMs")

    @classmethod
    def from_raw(cls, raw: RawRDMs, stimuli: Any = None, source: str = "data") -> RDMSet:
        """Container of what a reader found; ``stimuli`` are names, or the descriptor that holds them."""
        arguments.instance("raw", raw, RawRDMs)
        known = None if raw.columns is None else Texts.of(raw.columns)
        labels, taken = (known, []) if known else canonical_labels(raw.frame())
        vectors, rounded = (raw.vectors, []) if raw.looked else without_rounding(raw.vectors)
        n = n_stimulus(raw.vectors.shape[1]) if raw.vectors.ndim == 2 else 0
        if stimuli is None or isinstance(stimuli, str):
            names, named_by, said = stimulus_names(raw.patterns, n, stimuli)
        else:
            names, named_by, said = tuple(text(stimuli)), "", []
        like = [] if raw.looked else like_similarities(vectors, raw.measure)
        log = (*raw.log, *taken, *said, *rounded, *like)
        given = cast(pd.DataFrame, labels)  # or texts, of which a set makes its frame
        return cls(vectors, given, names, raw.measure, source, log=log, named_by=named_by)

    def to_rsatoolbox(self) -> Any:
        """``rsatoolbox.rdm.RDMs`` with the labels as rdm descriptors, stimuli as ``stimulus``."""
        from rsatoolbox.rdm import RDMs

        return RDMs(
            np.array(self.vectors, dtype="f8"),
            dissimilarity_measure=self.measure,
            rdm_descriptors={c: self.labels[c].tolist() for c in self.labels.columns},
            pattern_descriptors={"stimulus": list(self.stimuli)} if self.named else {},
        )

    @checked
    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``.npz`` (plain arrays) or ``.h5`` (as rsatoolbox reads it).

        Raises
        ------
        OutputExistsError
            If the file exists and ``overwrite`` is False.
        InputError
            If the ending is neither.
        """
        target = Path(path)
        if target.suffix not in (".npz", ".h5", ".hdf5"):
            raise InputError("path", str(path), "a file ending in .npz, .h5 or .hdf5")
        refuse_file(target, overwrite)
        from apastats.io.rdm_files import write_npz
        from apastats.io.rdm_hdf5 import write_h5

        write = write_npz if target.suffix == ".npz" else write_h5
        names = self.stimuli if self.named else ()
        with replacing(target) as (part,):
            write(part, np.asarray(self.vectors), self.labels, names, self.measure)
        return target


NO_LABELS = pd.DataFrame()


def raw_of_rsatoolbox(rdms: Any) -> RawRDMs:
    """What an ``rsatoolbox.rdm.RDMs`` object holds."""
    from apastats.io.rdm_hdf5 import descriptors

    if not hasattr(rdms, "dissimilarities"):
        raise InputError("rdms", rdms, "RDMs of rsatoolbox")
    vectors = np.asarray(rdms.dissimilarities)
    columns, log = descriptors(rdms.rdm_descriptors, rdms.descriptors, len(vectors))
    patterns = dict(rdms.pattern_descriptors)
    return RawRDMs(vectors, NO_LABELS, patterns, rdms.dissimilarity_measure, log, columns)


def _kept(vectors: np.ndarray) -> np.ndarray:
    """An array just made, that nobody writes to: a set takes it without a copy."""
    vectors.flags.writeable = False
    return vectors


def _is_kept(vectors: np.ndarray) -> bool:
    """Whether an array of double precision, and the one it is a view of, cannot be written to."""
    owner = vectors if vectors.base is None else vectors.base
    kept = isinstance(owner, np.ndarray) and owner.base is None and not owner.flags.writeable
    return kept and vectors.dtype == np.float64 and not vectors.flags.writeable


def _text_labels(labels: pd.DataFrame | Texts, n: int, source: str) -> pd.DataFrame | Texts:
    """Labels as texts, each row once; the frame is not made where only its texts are there."""
    frame = labels.frame if isinstance(labels, Texts) else labels
    if isinstance(labels, Texts) and frame is None:
        fits = all(len(values) == n for values in labels.columns.values())
    else:
        fits = isinstance(frame, pd.DataFrame) and len(frame) == n and len(frame.columns) > 0
    if not fits:
        raise DataError(
            f"{source}: labels must be a DataFrame with a column and {n} rows, one per RDM"
        )
    if frame is not None and not _counted(frame):
        frame = frame.reset_index(drop=True)
    columns: Mapping[str, list[str]]
    if isinstance(labels, Texts):
        columns = labels.columns
    else:
        frame, columns = _as_text(cast(pd.DataFrame, frame), source)
    # a set of rows is a third of the cost of pandas' search, which is then for the message
    if len(set(zip(*columns.values(), strict=True))) < n:
        repeated = pd.DataFrame(columns).duplicated()
        first = int(repeated.to_numpy().argmax())
        raise DataError(
            f"{source}: {int(repeated.sum())} RDMs repeat labels, first {_row_text(columns, first)}"
        )
    return labels if frame is None else frame


def _counted(frame: pd.DataFrame) -> bool:
    return isinstance(frame.index, pd.RangeIndex) and frame.index.start == 0


def _as_text(labels: pd.DataFrame, source: str) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Labels as texts, none missing, and their columns as lists."""
    names = list(map(str, labels.columns))
    if len(set(names)) < len(names):
        twice = next(c for c in names if names.count(c) > 1)
        raise DataError(f"{source}: two columns of labels are named {twice!r}")
    columns: dict[str, list[Any]] = {}
    plain = True
    # by position: a column asked by name makes pandas index the names first
    for c, column in labels.items():
        values = column.to_numpy(dtype=object)
        columns[str(c)] = values.tolist()
        missing = pd.isna(values)
        if missing.any():
            raise DataError(f"{source}: label {c!r} is missing for RDM {int(missing.argmax())}")
        plain = plain and isinstance(column.dtype, pd.StringDtype)
    if not all(isinstance(c, str) for c in labels.columns):
        labels = labels.rename(columns=str)
    if not plain:
        labels = labels.assign(**{c: text(values) for c, values in columns.items()}).astype(str)
        columns = _columns(labels)
    return labels, columns


def _columns(labels: pd.DataFrame | Texts) -> dict[str, list[str]]:
    """Labels as lists, by column."""
    if isinstance(labels, Texts):
        return dict(labels.columns)
    return {str(c): column.to_numpy(dtype=object).tolist() for c, column in labels.items()}


def _row_text(columns: Mapping[str, list[str]], i: int) -> str:
    return f"{i} ({', '.join(f'{c}={values[i]}' for c, values in columns.items())})"


MIN_STIMULI = 3
BY_POSITION = "stimuli are matched by position: neither brain nor models name them, so their order has to be the same"


def aligned(brain: RDMSet, models: RDMSet | None) -> tuple[RDMSet, RDMSet | None, list[str]]:
    """Both sides on the stimuli they share, in the brains' order.

    Raises
    ------
    DataError
        If they share too few; if one side names its stimuli and the other does not, for which position
        would be a guess; or if neither does and they have different numbers.
    """
    n_brain = len(brain.stimuli)
    log = [*brain.log, *(() if models is None else models.log)]
    both = models is not None and brain.named and models.named
    if models is not None and not both and n_brain != len(models.stimuli):
        raise DataError(
            f"brain has {n_brain} stimuli, models have {len(models.stimuli)}; without names on both sides they are "
            f"matched by position and need the same number. Name them by read_rdms(..., stimuli=[...])"
        )
    if models is not None and brain.named != models.named:
        with_names, without = (("brain", "models"), ("models", "brain"))[models.named]
        named, bare = (brain, models) if brain.named else (models, brain)
        shown = ", ".join(named.stimuli[:3])
        raise DataError(
            f"{with_names}: stimuli have names ({shown}, ...), those of {without} ({bare.source}) have none, and by "
            f"position they could be in another order. Name them: read_rdms(..., stimuli=[...])"
        )
    if models is not None and both:
        shared = [s for s in brain.stimuli if s in set(models.stimuli)]
        if len(shared) < MIN_STIMULI:
            raise DataError(
                f"brain and models share {len(shared)} stimuli, at least {MIN_STIMULI} are needed; brain has "
                f"{list(brain.stimuli[:3])}..., models have {list(models.stimuli[:3])}..."
            )
        if len(shared) < max(n_brain, len(models.stimuli)):
            log.append(
                f"{len(shared)} stimuli are in both; left out: {n_brain - len(shared)} of brain, "
                f"{len(models.stimuli) - len(shared)} of models"
            )
        brain, models = brain.on_stimuli(shared), models.on_stimuli(shared)
    elif models is not None:
        log.append(BY_POSITION)
    if len(brain.stimuli) < MIN_STIMULI:
        raise DesignError(
            f"brain has {len(brain.stimuli)} stimuli; at least {MIN_STIMULI} are needed"
        )
    return brain, models, log


def joined(sets: Sequence[RDMSet], source: str = "joined RDMs") -> RDMSet:
    """Sets of RDMs below each other, over all stimuli any of them has.

    Sets that name their stimuli are put into the order of the first by name; RDMs of a set that lacks
    stimuli are NaN there. Labels a set lacks are "-".

    Raises
    ------
    DataError
        If only some sets name their stimuli, unnamed ones differ in number, or labels repeat.
    """
    first = sets[0]
    log = [line for s in sets for line in s.log] + by_position(sets, source)
    stimuli = list(dict.fromkeys(name for s in sets for name in s.stimuli))
    lacking = [s for s in sets if len(s.stimuli) < len(stimuli)]
    if lacking:
        log.append(
            f"{len(lacking)} of {len(sets)} sets lack some of the {len(stimuli)} stimuli (NaN)"
        )
    if any(s.stimuli != first.stimuli and len(s.stimuli) == len(stimuli) for s in sets):
        log.append("stimuli of joined sets are in different orders, and were matched by name")
    one_order = tuple(stimuli)
    vectors = _kept(np.concatenate([s.on_stimuli(one_order).vectors for s in sets]))
    columns = list(dict.fromkeys(c for s in sets for c in s.labels.columns))
    if any(list(s.labels.columns) != ["rdm"] for s in sets) and "rdm" in columns:
        columns.remove("rdm")
    labels = pd.concat([s.labels.reindex(columns=columns) for s in sets], ignore_index=True)
    if columns == ["rdm"]:
        labels["rdm"] = range(len(labels))
    measures = {s.measure for s in sets}
    return RDMSet(
        vectors,
        labels.fillna("-"),
        one_order if first.named else (),
        first.measure if len(measures) == 1 else None,
        source,
        log=tuple(dict.fromkeys(log)),
        named_by=first.named_by if len({s.named_by for s in sets}) == 1 else "",
    )


def by_position(sets: Sequence[RDMSet], source: str) -> list[str]:
    """What joining sets without names of stimuli means; refused where positions cannot say which is which."""
    bare = [s for s in sets if not s.named]
    if not bare:
        return []
    if len(bare) < len(sets):
        raise DataError(
            f"{bare[0].source}: stimuli have no names, those of other sets have; name them by "
            f"read_rdms(..., stimuli=[...])"
        )
    sizes = sorted({len(s.stimuli) for s in sets})
    if len(sizes) > 1:
        raise DataError(
            f"{source}: sets of {sizes} stimuli without names cannot be joined; "
            f"name them by read_rdms(..., stimuli=[...])"
        )
    if len(sets) == 1:
        return []
    return ["sets of RDMs are joined by the position of their stimuli: none names them"]
