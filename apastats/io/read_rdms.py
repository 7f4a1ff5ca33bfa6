"""Read RDMs from files and objects."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked
from apastats.errors import DataError, InputError, ReadError
from apastats.io.rdm_labels import RawRDMs, text
from apastats.io.rdm_set import RDMSet, by_position, joined, raw_of_rsatoolbox
from apastats.io.rdm_vectors import vectors_of, without_rounding
from apastats.io.sources import entities

ENDINGS = (".npz", ".npy", ".h5", ".hdf5", ".mat", ".json", ".csv", ".tsv", ".txt", ".nc")
MODELS = "rsatoolbox models"  # what a list of them is called in messages
TAKEN = (
    "a path, a list of paths, a folder, a pattern ('rdms/*.npz'), an array, a square frame, a mapping of arrays or "
    "RDMs, rsatoolbox RDMs, or objects with predict_rdm"
)


@checked
def read_rdms(
    source: Any,
    *,
    layout: Sequence[Mapping[str, Any]] | None = None,
    labels: Mapping[str, Any] | None = None,
    stimuli: str | Sequence[Any] | None = None,
    pattern_descriptor: str | None = None,
) -> RDMSet:
    """Read RDMs from files, from arrays or from rsatoolbox objects.

    Parameters
    ----------
    source : path, list of paths, array, mapping, rsatoolbox RDMs or models
        A file, a list of files, a folder (all files of RDMs in it) or a pattern such as
        ``"rdms/sub-*.npz"``; files are told apart by their content:

        * ``.npz``: every array whose last two axes are square is a stack of RDMs (without any: arrays of
          upper triangles); its leading axes are named by the one-dimensional arrays of the same length
          (``subject``, ``roi``, ``model``, ``layer``, ...). Several stacks are concatenated. Files of
          Net2Brain are read (``layer_name``, ``stimuli_name``).
        * ``.npy``: one square, a stack of squares, or vectors.
        * HDF5: ``RDMs.save`` and ``Result.save`` (the RDMs of its models) of rsatoolbox.
        * ``.mat`` up to 7.3: struct arrays with a field ``RDM``, stacks ``[n, n, n_rdm]``; Meadows.
        * ``.json`` of Meadows; ``.csv`` of one square RDM; netCDF with one square variable.

        Or an object: array ``[n, n]``, ``[n_rdm, n, n]`` or vectors ``[n_rdm, n_pair]``; a square
        DataFrame; an xarray DataArray; rsatoolbox ``RDMs``; an object with ``predict_rdm``; a list of any
        of these; a mapping from names to them. A name of a mapping becomes the ``model``; it becomes the
        ``roi`` where the RDMs under it have subjects, and the ``subject`` where they have ROIs.
    layout : sequence of mappings, optional
        For npz files whose axes cannot be inferred, one mapping per stack: ``array`` (its name),
        ``axes`` (the label array of each leading axis), ``constant`` (a mapping of columns with one
        value), and ``column = "label array"`` for further columns, as in
        ``{"array": "network_rdms", "axes": ["network"], "model": "network", "layer": "layer"}``.
    labels : mapping, optional
        Label columns to add or replace: the name of a descriptor that is there
        (``{"subject": "monkey_name"}``), one value, or one value per RDM.
    stimuli : str or sequence, optional
        The descriptor that names the stimuli, or their names, replacing those found. By default the one
        descriptor (array, index, column header, coordinate) with a distinct value for every stimulus,
        whatever it is called; where several have that, this argument has to choose.
    pattern_descriptor : str, optional
        The same as ``stimuli=NAME``.

    Returns
    -------
    RDMSet
        Its ``log`` says what was taken for what.

    Raises
    ------
    ReadError
        Unreadable file, pickled content (refused), axes that cannot be inferred, an RDM that is not
        square, not symmetric (beyond float32 rounding), with a diagonal that is not zero, or NaN
        everywhere: file and entry are named.
    DataError
        Several descriptors that could name the stimuli; joined files of which only some name theirs.
    InputError
        If ``source`` or an argument is of no known form.

    See Also
    --------
    score, noise_ceiling, rdms_from_patterns

    Notes
    -----
    Files without a label are told apart by what their names say: BIDS entities
    (``sub-01_roi-V1_rdm.npz``), otherwise the name itself, as the ``model`` in :func:`apastats.score`.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> import numpy as np
    >>> rdm = np.array([[0, 1, 2.0], [1, 0, 3], [2, 3, 0]])
    >>> read_rdms({"m1": rdm, "m2": rdm**2}).labels["model"].tolist()
    ['m1', 'm2']
    """
    if pattern_descriptor is not None:
        if stimuli is not None:
            raise InputError(
                "pattern_descriptor", pattern_descriptor, "None where stimuli is given"
            )
        stimuli = pattern_descriptor
    stimuli = _checked_stimuli(stimuli)
    named = dict(labels or {}) if isinstance(labels, Mapping) or labels is None else None
    if named is None:
        raise InputError("labels", labels, "a mapping from label columns to values")
    per_rdm = {c: v for c, v in named.items() if _listed(v)}
    options = _Options(
        layout, {c: v for c, v in named.items() if c not in per_rdm}, stimuli, bool(per_rdm)
    )
    found = _read_any(source, options)
    if per_rdm:
        frame = found.labels.copy()
        for column, values in per_rdm.items():
            values = list(values)
            if len(values) != len(found):
                raise InputError(f"labels[{column!r}]", len(values), f"one value, or {len(found)}")
            frame[column] = values
        order = [c for c in frame.columns if c not in named] + [
            c for c in named if c in frame.columns
        ]
        found = found.with_labels(_without_number(frame[order]))
    return found


class _Options:
    """What every part of a source is read with."""

    def __init__(
        self,
        layout: Any,
        labels: Mapping[str, Any],
        stimuli: str | list[Any] | None,
        labelled: bool,
    ) -> None:
        self.layout, self.labels, self.stimuli, self.labelled = layout, labels, stimuli, labelled

    def finish(self, raw: RawRDMs, source: str) -> RDMSet:
        """A set from what was found, under the labels asked for."""
        if not (self.labels or self.labelled):
            return RDMSet.from_raw(raw, self.stimuli, source)
        there = raw.frame()
        frame = there.copy()
        for column, value in self.labels.items():
            value = value.item() if isinstance(value, np.ndarray) else value
            given = isinstance(value, str) and value in there.columns
            frame[column] = there[value] if given else value
            if given and value != column:
                raw.log.append(f"label {value!r} taken as {column}")
                frame = frame.drop(columns=value) if value not in self.labels else frame
        if self.labelled:  # told apart by what is still to come
            frame["rdm"] = range(len(frame))
        raw.labels, raw.columns = frame, None
        return RDMSet.from_raw(raw, self.stimuli, source)


def _checked_stimuli(stimuli: Any) -> str | list[Any] | None:
    if stimuli is None or isinstance(stimuli, str):
        return stimuli
    if not _listed(stimuli):
        raise InputError(
            "stimuli", stimuli, "names of the stimuli, or the descriptor that holds them"
        )
    return list(stimuli)


def _listed(value: Any) -> bool:
    """Whether a value is one per RDM: neither text nor a scalar (arrays without axes are scalars)."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return not isinstance(value, (str, bytes)) and isinstance(value, Iterable)


def _without_number(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the running number of RDMs that had no label."""
    return frame.drop(columns="rdm", errors="ignore") if set(frame.columns) > {"rdm"} else frame


def as_rdms(data: Any, argument: str = "data") -> RDMSet:
    """Take an RDMSet as it is, and read anything else that :func:`read_rdms` takes.

    Parameters
    ----------
    data : object
        As for :func:`read_rdms`.
    argument : str
        Name of the caller's argument, for messages.
    """
    if isinstance(data, RDMSet):
        return data
    try:
        return _read_any(data, _Options(None, {}, None, False))
    except InputError as error:
        raise InputError(
            argument, error.value, error.allowed, hint=getattr(error, "hint", "")
        ) from error


def _read_any(source: Any, options: _Options) -> RDMSet:
    if isinstance(source, (str, Path)):
        return _read_path(str(source), options)
    if isinstance(source, Mapping) and source and not hasattr(source, "dims"):
        return _read_mapping(source, options)
    listed = list(source) if isinstance(source, (list, tuple)) else None
    if listed and all(isinstance(s, (str, Path)) for s in listed):
        return _read_files([Path(s) for s in listed], options)
    if options.layout is not None:
        raise InputError("layout", options.layout, "None, unless the source is an npz file")
    if listed:
        return _read_list(listed, options)
    if isinstance(source, RDMSet):
        return _again(source, options)
    return options.finish(_raw(source), _name_of(source))


def _name_of(source: Any) -> str:
    return "rsatoolbox RDMs" if hasattr(source, "dissimilarities") else "data"


def _again(rdms: RDMSet, options: _Options) -> RDMSet:
    """A set under other labels or names."""
    if not options.labels and options.stimuli is None:
        return rdms
    patterns = {"stimulus": rdms.stimuli} if rdms.named else {}
    raw = RawRDMs(np.asarray(rdms.vectors), rdms.labels, patterns, rdms.measure, list(rdms.log))
    return options.finish(raw, rdms.source)


def _raw(source: Any) -> RawRDMs:
    """What one object holds."""
    if hasattr(source, "predict_rdm"):
        return _of_model(source)
    if hasattr(source, "dissimilarities") and hasattr(source, "rdm_descriptors"):
        return raw_of_rsatoolbox(source)
    if isinstance(source, pd.DataFrame):
        from apastats.io.rdm_grids import from_frame

        return from_frame(source)
    if hasattr(source, "dims") and hasattr(source, "coords") and hasattr(source, "values"):
        from apastats.io.rdm_grids import from_xarray

        if not hasattr(source, "dtype"):
            raise InputError("source", "an xarray Dataset", "a DataArray: read_rdms(dataset[NAME])")
        return from_xarray(source)
    if hasattr(source, "detach") and hasattr(source, "cpu"):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        vectors = vectors_of(source, "data", "array")
        return RawRDMs(vectors, pd.DataFrame(index=range(len(vectors))))
    raise InputError("source", type(source).__name__, TAKEN)


def _of_model(model: Any) -> RawRDMs:
    """RDM predicted by an rsatoolbox model without parameters, under its name."""
    raw = _predicted(model)
    raw.columns = {"model": [str(model.name)]}
    return raw


def _predicted(model: Any) -> RawRDMs:
    """The one RDM of a model, without a label; models with parameters have none before they are fitted."""
    if _flexible(model):
        name = str(getattr(model, "name", "model"))
        raise InputError(
            "models",
            f"{type(model).__name__} {name!r}",
            "models without parameters: its RDM has to be fitted first",
            hint="evaluate_fitted(brain, models) fits it and evaluates it on other data; "
            "read_rdms(model.rdm_obj) takes its members as models of their own.",
        )
    try:
        predicted = model.predict_rdm()
    except NotImplementedError as error:
        name = f"{type(model).__name__} {str(getattr(model, 'name', 'model'))!r}"
        raise InputError("models", name, "models that predict an RDM") from error
    raw = raw_of_rsatoolbox(predicted)
    if len(raw.vectors) != 1:
        raise InputError("models", model.name, "models that predict one RDM each")
    return raw


def _flexible(model: Any) -> bool:
    """Whether the prediction depends on parameters (ModelSelect, ModelWeighted, ModelInterpolate, own ones)."""
    return bool(getattr(model, "n_param", 0))


# ------------------------------------------------------------------ several
def _read_list(source: list[Any], options: _Options) -> RDMSet:
    """Objects below each other; the same as one array where they are plain lists of numbers."""
    if all(hasattr(m, "predict_rdm") for m in source):
        names = [str(m.name) for m in source]
        if len(set(names)) != len(names):
            raise InputError("models", names, "models with distinct names")
        return _read_models([_predicted(m) for m in source], names, options)
    if any(isinstance(s, (list, tuple, int, float)) for s in source):
        raise InputError("source", type(source).__name__, TAKEN)
    sets = [_read_any(s, options) for s in source]
    return joined([_numbered(s, k) if _bare(s) else s for k, s in enumerate(sets)])


def _read_models(raws: list[RawRDMs], names: list[str], options: _Options) -> RDMSet:
    """RDMs of models; those alike in all but name and numbers as one stack, others joined."""
    stacked = None if options.labels or options.labelled else _stacked(raws, names, options)
    if stacked is not None:
        return stacked
    sets = []
    for raw, name in zip(raws, names, strict=True):
        raw.columns = {"model": [name]}
        sets.append(options.finish(raw, MODELS))
    return joined(sets, MODELS)


def _stacked(raws: list[RawRDMs], names: list[str], options: _Options) -> RDMSet | None:
    """What joining models makes, in a fraction of its time; None where one of them is to be spoken of by itself."""
    first = raws[0]
    alike = all(
        (r.measure, r.log, r.vectors.shape, r.vectors.dtype)
        == (first.measure, first.log, first.vectors.shape, first.vectors.dtype)
        and _same(r.patterns, first.patterns)
        for r in raws[1:]
    )
    if not alike:
        return None
    vectors = np.concatenate([r.vectors for r in raws])
    # what reading says of a model is said of it alone, not of the stack
    unlike = any(n != n.strip() for n in names) or without_rounding(vectors)[1]
    if unlike or not _nowhere_negative(vectors):
        return None
    vectors.flags.writeable = False  # made here, and taken without a copy
    raw = replace(first, vectors=vectors, columns={"model": names}, looked=True)
    try:
        found = options.finish(raw, MODELS)
    except DataError:
        return None
    return found.logged([*found.log, *by_position([found] * len(raws), MODELS)])


def _nowhere_negative(vectors: np.ndarray) -> bool:
    least = vectors.min()
    return bool((np.nanmin(vectors) if np.isnan(least) else least) >= 0)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether descriptors of stimuli are the same, name by name."""
    return one.keys() == other.keys() and all(_equal(v, other[k]) for k, v in one.items())


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray) and a.dtype == b.dtype and a.tobytes() == b.tobytes():
        return bool(a.shape == b.shape)
    return bool(np.array_equal(a, b))


def _bare(rdms: RDMSet) -> bool:
    return list(rdms.labels.columns) == ["rdm"]


def _numbered(rdms: RDMSet, k: int) -> RDMSet:
    return rdms.with_labels(pd.DataFrame({"rdm": [f"{k}.{i}" for i in range(len(rdms))]}))


def _read_mapping(source: Mapping[Any, Any], options: _Options) -> RDMSet:
    """A set per name; the name becomes the label that the sets lack."""
    named: dict[str, RDMSet] = {}
    for key, value in source.items():
        name = text([key])[0]
        if name in named:
            raise InputError("source", list(source), "names that differ as text")
        named[name] = _read_named(name, value, options)
    plain = all(_bare(s) and len(s) == 1 for s in named.values())
    sizes = {s.vectors.shape[1] for s in named.values()}
    if plain and len(sizes) > 1 and not all(s.named for s in named.values()):
        shapes = {k: s.vectors.shape for k, s in named.items()}
        raise InputError("source", shapes, "one RDM per name, all of the same size")
    label = _label_of_names({c for s in named.values() for c in s.labels.columns})
    log = [] if label == "model" else [f"names of the mapping taken as {label}"]
    sets = []
    for name, part in named.items():
        frame = part.labels.assign(**{label: name})
        frame = _without_number(frame) if len(part) == 1 else frame
        sets.append(replace(part, labels=frame[[label, *(c for c in frame if c != label)]]))
    found = joined(sets, "data")
    return replace(found, log=(*found.log, *log))


def _read_named(name: str, value: Any, options: _Options) -> RDMSet:
    """One entry of a mapping; an error says which."""
    part = value
    if isinstance(value, (list, tuple)) and not any(map(_is_source, value)):
        try:
            part = np.asarray(value, dtype="f8")
        except (TypeError, ValueError) as error:
            raise InputError("source", {name: type(value).__name__}, TAKEN) from error
    try:
        return _read_any(part, options)
    except InputError as error:
        raise InputError(
            "source", {name: error.value}, error.allowed, hint=getattr(error, "hint", "")
        ) from error


def _label_of_names(have: set[str]) -> str:
    """What the names of a mapping stand for: the label that RDMs with these labels lack."""
    if "subject" in have and "roi" not in have:
        return "roi"
    if "roi" in have and "subject" not in have:
        return "subject"
    return "model" if "model" not in have and "subject" not in have else "name"


def _is_source(value: Any) -> bool:
    return (
        isinstance(value, (str, Path, RDMSet, np.ndarray, pd.DataFrame))
        or hasattr(value, "predict_rdm")
        or hasattr(value, "dissimilarities")
    )


# ------------------------------------------------------------------ files
def _read_path(source: str, options: _Options) -> RDMSet:
    path = arguments.path("source", source)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
        if not files:
            raise ReadError(path, f"is a folder without files of RDMs ({', '.join(ENDINGS)})")
        return _read_files(files, options, root=path)
    if glob.has_magic(source) and not path.exists():
        files = [Path(p) for p in sorted(glob.glob(source, recursive=True)) if Path(p).is_file()]
        if not files:
            raise ReadError(source, "no file fits the pattern")
        return _read_files(files, options)
    return _read_file(path, options)


def _read_file(path: Path, options: _Options) -> RDMSet:
    from apastats.io.rdm_files import read_file

    raw = read_file(path, options.layout, options.labelled)
    try:
        return options.finish(raw, str(path))
    except (ReadError, InputError):
        raise
    except DataError as error:
        raise ReadError(path, str(error).removeprefix(f"{path}: ")) from error


def _read_files(files: Sequence[Path], options: _Options, root: Path | None = None) -> RDMSet:
    """Files below each other; what their contents do not say, their names do."""
    sets = []
    for path in files:
        part = _read_file(path, options)
        if part.log:
            part = replace(part, log=tuple(f"{path.name}: {line}" for line in part.log))
        place = path.relative_to(root) if root is not None else path.name
        found = entities(str(place))
        frame = part.labels
        for label, value in found.items():
            if label not in frame.columns:
                frame = frame.assign(**{label: value})
        if not found and _bare(part):
            frame = frame.assign(name=path.stem)
        elif root is not None and "layer" in frame.columns and "model" not in frame.columns:
            # Net2Brain keeps the layers of a network in a folder of its name
            frame = frame.assign(model=path.parent.name)
        sets.append(part if frame is part.labels else part.with_labels(_only_needed(frame)))
    what = str(root) if root is not None else f"{len(files)} files"
    try:
        return joined(sets, what if len(files) > 1 else str(files[0]))
    except ReadError:
        raise
    except DataError as error:
        raise DataError(
            f"{error} (files {files[0].name} to {files[-1].name}; labels of each come from its content or its name, "
            f"as in sub-01_roi-V1.npz)"
        ) from error


def _only_needed(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the running number where another label tells the RDMs apart."""
    rest = _without_number(frame)
    return frame if rest.duplicated().any() else rest
