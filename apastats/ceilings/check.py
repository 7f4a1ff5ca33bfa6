"""``check``: what is in the data (design, balance, missing cells, ceilings near zero), without analysing it."""

from __future__ import annotations

import glob
import inspect
import re
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.ceilings.check_patterns import pattern_rows
from apastats.errors import ApaError, ApaWarning, InputError
from apastats.io.columns import canonical
from apastats.io.described import NOTE, OK, PROBLEM, Row, describe_source
from apastats.io.formats import SUFFIXES
from apastats.io.read import look_into
from apastats.io.read_patterns import PatternSets, read_patterns
from apastats.io.sources import is_paths
from apastats.printable import counted
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.table import ScoreTable
from apastats.words import Info

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = ["DesignCheck", "check", "is_table"]

RDM_SUFFIXES = (".npz", ".npy", ".mat")
EITHER = (".csv", ".tsv", ".txt", ".json", ".nc", ".nc4", ".h5", ".hdf5")  # scores or RDMs
_TWICE = 1 << 26


class DesignCheck(Result):
    """What is in the data: ``table`` has ``item, value, status`` (ok, note, problem) and ``detail``."""

    kind: ClassVar[str] = "design"

    @property
    def problems(self) -> pd.DataFrame:
        """Rows whose status is ``problem``."""
        return self.table[self.table["status"] == PROBLEM]


@verb
def check(data: ScoreTable | RDMSet | str | Path | Any, **options: Any) -> DesignCheck:
    """Describe the design of scores, RDMs or response patterns, and point at what will trouble an analysis.

    For a source that is not read yet, in this order: what it is, what each column is taken for, what is in it
    and what is wrong, and the line to type next.

    Parameters
    ----------
    data : ScoreTable, RDMs, path, or table
        Anything that :func:`apastats.read`, :func:`apastats.read_rdms` or :func:`apastats.read_patterns` takes. A
        file that may be several is read as scores, unless it is refused as such, then as RDMs, then as patterns.
    **options
        Passed to the reader.

    Returns
    -------
    DesignCheck

        Columns: ``item`` (item), ``value`` (value), ``status`` (ok, note or problem), ``detail`` (what was
        found).

    Raises
    ------
    ReadError
        If the path cannot be read.

    See Also
    --------
    read, read_rdms, noise_ceiling

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553
    .. [2] Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis –
       connecting the branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.
       https://doi.org/10.3389/neuro.06.004.2008

    Examples
    --------
    >>> import apastats as apa
    >>> found = apa.check(apa.simulate(n_subject=4, n_model=2, n_tied=1, rng=0).scores)
    >>> found.tidy().set_index("item").loc["subjects", "value"]
    '4'
    """
    log: Sequence[str] = ()
    data_hash = ""
    if isinstance(data, ScoreTable):
        if options:
            raise InputError("options", sorted(options), "nothing where data are a table already")
        rows, log, data_hash = _check_scores(data), data.log, data.hash
    elif not isinstance(data, PatternSets) and is_table(data):
        before, scores, after = describe_source(data, options)
        rows = [*before, *([] if scores is None else _check_scores(scores)), *after]
        if scores is not None:
            log, data_hash = scores.log, scores.hash
    else:
        rows, log, data_hash = _arrays(data, options)
    table = pd.DataFrame(rows, columns=["item", "value", "status", "detail"])
    info = Info(
        method="description of the data; nothing is estimated",
        extra={
            "n_problem": int((table["status"] == PROBLEM).sum()),
            "n_note": int((table["status"] == NOTE).sum()),
            "reading": list(log),
            "refused": not data_hash,
        },
    )
    return DesignCheck(table, info, Provenance(data_hash=data_hash))


def is_table(data: Any) -> bool:
    """Whether data are scores in a file, folder or table, rather than RDMs."""
    if isinstance(data, pd.DataFrame):
        return list(data.index) != list(data.columns)
    if not is_paths(data):
        return _holds_columns(data)
    endings = _endings(data)
    if endings and endings <= set(RDM_SUFFIXES):
        return False
    if endings and not endings <= {*RDM_SUFFIXES, *EITHER}:
        return True
    # a table, unless it is refused as one and read as RDMs
    try:
        found = look_into(data)
        if not found.plan.problems or found.evaluations:
            return True
    except ApaError:
        pass
    try:
        _as_rdms(data, {})
    except ApaError:
        return _patterns_of(data, {}) is None
    return False


def _holds_columns(data: Any) -> bool:
    """Whether an object holds columns of scores; sets and mappings of RDMs do not."""
    if hasattr(data, "evaluations") and hasattr(data, "cv_method"):
        return True  # an rsatoolbox Result
    if hasattr(data, "coords"):  # of xarray: axes of scores are labels, those of RDMs stimuli too
        return hasattr(data, "data_vars") or all(
            canonical(str(d)) is not None or str(d) == "aggregation" for d in data.dims
        )
    if isinstance(data, ScoreTable | pd.Series) or getattr(
        getattr(data, "dtype", None), "names", None
    ):
        return True
    if isinstance(data, Mapping):
        return sum(canonical(str(k)) is not None for k in data) > 1
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(row, Mapping) for row in data)
    # frames of any kind have names of columns; RDM sets do not
    return hasattr(type(data), "columns") or hasattr(type(data), "column_names")


def _endings(data: Any) -> set[str]:
    """Endings of all files of a source; none where it holds a file too large to be read twice."""
    paths = [arguments.path("data", p) for p in ([data] if isinstance(data, str | Path) else data)]
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += [p for p in path.rglob("*") if p.is_file() and p.name[0] != "."]
        else:
            files += (
                map(Path, glob.glob(str(path), recursive=True)) if not path.exists() else [path]
            )
    files = [p for p in files if p.is_file()]
    if sum(p.stat().st_size for p in files if p.suffix.lower() in EITHER) > _TWICE:
        return set()
    return {p.suffix.lower() for p in files if p.suffix.lower() in (*RDM_SUFFIXES, *SUFFIXES)}


def _arrays(data: Any, options: dict[str, Any]) -> tuple[list[Row], Sequence[str], str]:
    """Rows, log and hash of RDMs, or of patterns where data are no RDMs."""
    if isinstance(data, PatternSets):
        if options:
            raise InputError("options", sorted(options), "nothing where data are patterns already")
        return pattern_rows(data, data), data.log, data.hash
    try:
        rdms = _as_rdms(data, options)
    except ApaError:
        if (sets := _patterns_of(data, options)) is None:
            raise
        return pattern_rows(sets, data), sets.log, sets.hash
    return [*_check_rdms(rdms), _next_of_rdms(data, rdms)], rdms.log, rdms.hash


def _patterns_of(data: Any, options: dict[str, Any]) -> PatternSets | None:
    """Patterns, where a file, a folder or an xarray object holds them."""
    if not (is_paths(data) or hasattr(data, "coords")) or not set(options) <= {"model"}:
        return None
    try:
        return read_patterns(data, **options)
    except ApaError:
        return None


def _next_of_rdms(source: Any, rdms: RDMSet) -> Row:
    """The line to type next: a study of brain RDMs, or scores by these models."""
    brain = "subject" in rdms.labels.columns
    if not is_paths(source):
        call = "apa.score(rdms, models)" if brain else "apa.score(brain, rdms)"
        return ("next", call, OK, "scores of models on the brain's RDMs")
    paths = source if isinstance(source, list | tuple) else [source]
    given = " ".join(shlex.quote(str(p)) for p in paths)
    if brain:
        return (
            "next",
            f"apastats init {given} --models MODELS",
            OK,
            "a study, with RDMs of models",
        )
    return (
        "next",
        f"apastats init BRAIN --models {given}",
        OK,
        "a study, with RDMs of the brain labelled with subject",
    )


def _as_rdms(data: Any, options: dict[str, Any]) -> RDMSet:
    from apastats.io.read_rdms import as_rdms, read_rdms

    if isinstance(data, str | Path | list | tuple):
        known = inspect.signature(read_rdms).parameters
        foreign = [o for o in options if o not in known]
        if foreign:
            raise InputError(
                "options", foreign[0], f"options of read_rdms, {[*known][1:]}: these are RDMs"
            )
        return read_rdms(data, **options)
    if options:
        raise InputError("options", sorted(options), "nothing where data are RDMs already")
    return as_rdms(data, "data")


def _names(values: Any, limit: int = 12) -> str:
    names = [str(v) for v in values]
    return ", ".join(names[:limit]) + (f" ... ({len(names)})" if len(names) > limit else "")


def _check_scores(data: ScoreTable) -> list[Row]:
    frame, outcome = data.frame, data.outcomes[0]
    rows: list[Row] = [("rows", str(len(frame)), OK, f"outcomes: {', '.join(data.outcomes)}")]
    if n := data.facts.n_duplicate:
        detail = f"{counted(n, 'row')} repeated the key of another and {'was' if n == 1 else 'were'} left out"
        if data.facts.differ:
            differ = ", ".join(data.facts.differ)
            detail += f"; they differ in {differ}; in Python: keys= makes a column part of the key"
        rows.append(("duplicates", str(n), PROBLEM, detail))
    rows += _check_labels(frame)
    n_subject = frame["subject"].nunique()
    few = "fewer than 8: several procedures have little power or none" if n_subject < 8 else ""
    status = PROBLEM if n_subject < 2 else NOTE if few else OK
    rows.append(
        ("subjects", str(n_subject), status, few or _names(sorted(frame["subject"].unique())))
    )
    rows.append(("ROIs", str(frame["roi"].nunique()), OK, _names(frame["roi"].unique())))
    models = frame.loc[frame["kind"] == "model", "model"]
    status = OK if models.nunique() > 1 or models.empty else NOTE
    rows.append(("models", str(models.nunique()), status, _names(models.unique())))
    for column in ("metric", "split", "kind"):
        rows.append(
            (f"{column}s", str(frame[column].nunique()), OK, _names(frame[column].unique()))
        )
    if "train" not in list(frame["split"].unique()) and _most_layers(frame) > 1:
        detail = "no train split: choose layers across subjects; in Python: select_layer(on='cross_subject')"
        rows.append(("train split", "none", NOTE, detail))
    rows += _check_layers(frame) + _check_balance(frame) + _check_values(frame, outcome)
    rows += _check_pairs(frame, outcome) + _check_ceilings(data)
    return rows


def _check_labels(frame: pd.DataFrame) -> list[Row]:
    """Labels that differ in capitals, blanks, dashes or leading zeros alone: perhaps one and the same."""
    from apastats.io.cells import plain_label

    rows: list[Row] = []
    for column in ("model", "layer", "subject", "roi"):
        alike: dict[str, list[str]] = {}
        for label in frame[column].unique():
            plain = re.sub(r"(?<!\d)0+(?=\d)", "", plain_label(label))
            alike.setdefault(plain, []).append(label)
        found = [" and ".join(map(repr, v)) for v in alike.values() if len(v) > 1]
        if found:
            detail = "kept apart, to the letter; perhaps one and the same"
            rows.append(
                (f"{column}s nearly alike", str(len(found)), NOTE, f"{_names(found, 5)}: {detail}")
            )
    return rows


def _most_layers(frame: pd.DataFrame) -> int:
    """Layers of the model with most of them; a choice among one is none."""
    layers = frame[frame["kind"] == "model"].groupby("model", sort=False)["layer"].nunique()
    return int(layers.max()) if len(layers) else 0


def _check_layers(frame: pd.DataFrame) -> list[Row]:
    models = frame[frame["kind"] == "model"]
    if models.empty:
        return []
    layers = models.groupby("model", sort=False)["layer"].nunique()
    even = layers.min() == layers.max()
    detail = (
        ""
        if even
        else f"fewest: {layers.idxmin()}, most: {layers.idxmax()}; more layers to choose from raise the maximum"
    )
    value = str(layers.min()) if even else f"{layers.min()} to {layers.max()}"
    return [("layers per model", value, OK if even else NOTE, detail)]


def _check_balance(frame: pd.DataFrame) -> list[Row]:
    """Cells (kind, model, layer, roi, metric, split) that some subjects lack; pair rows apart."""
    rows: list[Row] = []
    for kind in ("model", "leave_one_out"):
        part = frame[frame["kind"] == kind]
        if part.empty:
            continue
        keys = ["model", "layer", "roi", "metric", "split"]
        cells = part.drop_duplicates(keys).shape[0]
        n_subject = part["subject"].nunique()
        absent = cells * n_subject - len(part.drop_duplicates([*keys, "subject"]))
        detail = "every subject has every cell"
        if absent:
            counts = part.groupby("subject")["score" if "score" in part else keys[0]].size()
            detail = f"{absent} of {cells * n_subject} cells missing; fewest rows: {counts.idxmin()} ({counts.min()})"
        rows.append(
            (
                f"balance, {kind}",
                "complete" if not absent else f"{absent} missing",
                NOTE if absent else OK,
                detail,
            )
        )
    return rows


def _check_values(frame: pd.DataFrame, outcome: str) -> list[Row]:
    values = frame[outcome].to_numpy()
    n_nan = int(np.isnan(values).sum())
    rows: list[Row] = []
    detail = ""
    if n_nan:
        where = frame[np.isnan(values)]
        detail = f"ROIs: {_names(where['roi'].unique(), 6)}; subjects: {_names(sorted(where['subject'].unique()), 6)}"
    rows.append(("NaN values", str(n_nan), NOTE if n_nan else OK, detail))
    if n_nan < len(values):
        low, high = np.nanmin(values), np.nanmax(values)
        beyond = outcome == "score" and max(-low, high) > 2
        detail = f"{int((values < 0).sum())} negative values" + (
            "; scores beyond 2: percent, or a code for missing values (-999)?" if beyond else ""
        )
        rows.append(("range", f"{low:.4g} to {high:.4g}", NOTE if beyond else OK, detail))
    empty = (
        frame.assign(_nan=np.isnan(values))
        .groupby(["kind", "model", "roi", "metric"], sort=False)["_nan"]
        .all()
    )
    if empty.any():
        rows.append(
            (
                "cells without any value",
                str(int(empty.sum())),
                PROBLEM,
                _names(empty[empty].index.tolist(), 5),
            )
        )
    return rows


def _span(counts: pd.Series, noun: str) -> str:
    """``2 partners``, ``1 to 3 partners``."""
    low, high = counts.min(), counts.max()
    return counted(high, noun) if low == high else f"{low} to {counted(high, noun)}"


def _check_pairs(frame: pd.DataFrame, outcome: str) -> list[Row]:
    pairs = frame[frame["kind"] == "subject_to_subject"]
    if pairs.empty:
        return []
    design = pairs[["model", "subject"]].drop_duplicates()
    partners = design.groupby("subject")["model"].nunique()
    uses = design.groupby("model")["subject"].nunique()
    n = len(set(design["model"]) | set(design["subject"]))
    full = len(design) == n * (n - 1)
    detail = f"each subject predicts {_span(uses, 'other')}" + ("" if full else "; not all pairs")
    value = f"{len(design)} ordered pairs, {_span(partners, 'partner')} per subject"
    rows: list[Row] = [("pair design", value, OK if full else NOTE, detail)]
    if (design["model"] == design["subject"]).any():
        rows.append(
            (
                "self pairs",
                str(int((design["model"] == design["subject"]).sum())),
                PROBLEM,
                "a subject predicts itself",
            )
        )
    turned = pairs.rename(
        columns={"model": "subject", "subject": "model", "layer": "roi", "roi": "layer"}
    )
    keys = ["model", "layer", "subject", "roi", "metric", "split"]
    both = pairs.merge(turned[[*keys, outcome]], on=keys, suffixes=("", "_turned"))
    if len(both):
        same = np.isclose(both[outcome], both[f"{outcome}_turned"], rtol=0, atol=1e-6)
        for metric, part in both.assign(same=same).groupby("metric", sort=False):
            value = (
                f"{len(part) // 2} scores in both directions, {part['same'].mean():.0%} identical"
            )
            note = "reciprocal scores are one measurement, not two" if part["same"].all() else ""
            rows.append((f"reciprocal pairs, {metric}", value, NOTE if note else OK, note))
    return rows


def _check_ceilings(data: ScoreTable) -> list[Row]:
    from apastats.ceilings.noise_ceiling import noise_ceiling

    rows: list[Row] = []
    present = set(data.frame["kind"].unique())
    for kind in ("leave_one_out", "subject_to_subject"):
        if kind not in present or data.outcomes[0] != "score":
            continue
        try:
            with (
                warnings.catch_warnings()
            ):  # few subjects, and ceilings without an interval, are told here
                warnings.simplefilter("ignore", ApaWarning)
                found = noise_ceiling(data, kind=kind)
        except ApaError as error:
            rows.append((f"ceiling, {kind}", "none", NOTE, str(error)))
            continue
        table = found.table
        low = table[~(table["conf_low"] > 0)]
        unknown = bool(table["conf_low"].isna().all())
        value = f"{table['estimate'].min():.3g} to {table['estimate'].max():.3g}"
        detail = "" if kind != "leave_one_out" else f"subjects share {found.info['shared']}"
        if len(low):
            detail = ("no interval: " if unknown else "not clearly above zero: ") + _names(
                (f"{r.roi} {r.metric} ({r.estimate:.3g})" for r in low.itertuples()), 6
            )
        rows.append((f"ceiling, {kind}", value, NOTE if len(low) else OK, detail))
    return rows


def _stimuli_said(rdms: RDMSet) -> str:
    """Number of pairs, and how stimuli will be matched with those of models."""
    if not rdms.named:
        how = "no names: matched with models by position"
    else:
        how = f"stimuli named by {rdms.named_by!r}" if rdms.named_by else "named"
        how += f" ({', '.join(rdms.stimuli[:3])}, ...)"
    return f"{rdms.vectors.shape[1]} pairs; {how}"


def _check_rdms(rdms: RDMSet) -> list[Row]:
    labels = rdms.labels
    rows: list[Row] = [
        ("RDMs", str(len(labels)), OK, f"labels: {', '.join(labels.columns)}"),
        ("stimuli", str(len(rdms.stimuli)), OK, _stimuli_said(rdms)),
    ]
    for column in labels.columns:
        rows.append(
            (f"{column}s", str(labels[column].nunique()), OK, _names(labels[column].unique()))
        )
    n_nan = int(np.isnan(rdms.vectors).sum())
    rows.append(("missing pairs", str(n_nan), NOTE if n_nan else OK, ""))
    if {"subject", "roi"} <= set(labels.columns):
        counts = labels.groupby(["subject", "roi"]).size()
        cells = labels["subject"].nunique() * labels["roi"].nunique()
        whole = len(counts) == cells and counts.max() == 1
        detail = (
            "one RDM per subject and ROI"
            if whole
            else f"{cells - len(counts)} missing, {int((counts > 1).sum())} repeated"
        )
        rows.append(("balance", "complete" if whole else "ragged", OK if whole else NOTE, detail))
        if counts.max() == 1 and labels["subject"].nunique() > 1:
            from apastats.ceilings.noise_ceiling import noise_ceiling

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ApaWarning)
                table = noise_ceiling(rdms, kind="nili", method="spearman").table
            for bound in ("lower", "upper"):
                part = table[table["bound"] == bound]
                low = part[~(part["conf_low"] > 0)]
                detail = (
                    ""
                    if low.empty
                    else "not clearly above zero: "
                    + _names((f"{r.roi} ({r.estimate:.3g})" for r in low.itertuples()), 6)
                )
                value = f"{part['estimate'].min():.3g} to {part['estimate'].max():.3g}"
                rows.append(
                    (f"noise ceiling, {bound} (Spearman)", value, NOTE if detail else OK, detail)
                )
    return rows
