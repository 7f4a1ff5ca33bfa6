"""Read RDMs from files and objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import (
    DataError,
    InputError,
    ReadError,
)
from apastats.io.rdm_files import (
    read_h5,
    read_npz,
    vectors_of,
)
from apastats.io.rdm_set import STIMULUS_NAMES, RDMSet, canonical_labels


def read_rdms(
    source: Any,
    *,
    layout: Sequence[Mapping[str, Any]] | None = None,
    labels: Mapping[str, Any] | None = None,
    stimuli: Sequence[Any] | None = None,
    pattern_descriptor: str | None = None,
) -> RDMSet:
    """Read RDMs from a file, from arrays or from rsatoolbox objects.

    Parameters
    ----------
    source : path, array, mapping, rsatoolbox RDMs or models
        * ``.npz``: every array whose last two axes are square is a stack of RDMs; its leading axes
          are named by the one-dimensional arrays of the same length (``subject``, ``roi``, ``model``,
          ``layer``, ...; ``network`` and ``predictor`` are read as ``model``). Several stacks are
          concatenated. An array ``stimulus`` names the stimuli.
        * ``.h5``: as written by ``RDMs.save`` of rsatoolbox, or by :meth:`RDMSet.save`.
        * array: ``[n, n]``, ``[n_rdm, n, n]`` or vectors ``[n_rdm, n_pair]``.
        * mapping from model names to arrays; rsatoolbox ``RDMs``; an object with ``predict_rdm``, or a
          list of such.
    layout : sequence of mappings, optional
        For npz files whose axes cannot be inferred, one mapping per stack: ``array`` (its name),
        ``axes`` (the label array of each leading axis), ``constant`` (a mapping of columns with one
        value), and ``column = "label array"`` for further columns, as in
        ``{"array": "network_rdms", "axes": ["network"], "model": "network", "layer": "layer"}``.
    labels : mapping, optional
        Label columns to add or replace: one value, or one per RDM.
    stimuli : sequence, optional
        Names of the stimuli, replacing those found.
    pattern_descriptor : str, optional
        For rsatoolbox data: the descriptor that names the stimuli.

    Returns
    -------
    RDMSet

    Raises
    ------
    ReadError
        Unreadable file, pickled content (refused), axes that cannot be inferred, an RDM that is not
        square, not symmetric (beyond float32 rounding), with a diagonal that is not zero, or NaN
        everywhere: file and entry are named.
    InputError
        If ``source`` or an argument is of no known form.

    Examples
    --------
    >>> import numpy as np
    >>> rdm = np.array([[0, 1, 2.0], [1, 0, 3], [2, 3, 0]])
    >>> read_rdms({"m1": rdm, "m2": rdm**2}).labels["model"].tolist()
    ['m1', 'm2']
    """
    found = _read_any(source, layout, pattern_descriptor)
    if labels is not None:
        frame = found.labels.copy()
        for column, values in labels.items():
            listed = not isinstance(values, str) and isinstance(values, Iterable)
            values = list(values) if listed else [values] * len(found)
            if len(values) != len(found):
                raise InputError(f"labels[{column!r}]", len(values), f"one value, or {len(found)}")
            frame[column] = values
        if set(frame.columns) > {"rdm"}:
            frame = frame.drop(columns="rdm", errors="ignore")
        found = replace(found, labels=frame)
    if stimuli is not None:
        found = replace(found, stimuli=tuple(map(str, stimuli)), named=True)
    return found


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
        return read_rdms(data)
    except InputError as error:
        raise InputError(argument, error.value, error.allowed) from error


def _read_any(source: Any, layout: Any, pattern_descriptor: str | None) -> RDMSet:
    if isinstance(source, RDMSet):
        return source
    if isinstance(source, (str, Path)):
        path = Path(source)
        if layout is not None and path.suffix != ".npz":
            raise InputError("layout", layout, "None, unless the file is an npz")
        if path.suffix in (".h5", ".hdf5"):
            raw = read_h5(path, pattern_descriptor, STIMULUS_NAMES)
        else:
            raw = read_npz(path, layout)
        try:
            return RDMSet(
                raw.vectors, canonical_labels(raw.labels), raw.stimuli, raw.measure, str(path)
            )
        except ReadError:
            raise
        except DataError as error:
            raise ReadError(path, str(error).removeprefix(f"{path}: ")) from error
    if layout is not None:
        raise InputError("layout", layout, "None, unless the source is an npz file")
    if hasattr(source, "predict_rdm"):
        return _from_models([source])
    if hasattr(source, "dissimilarities") and hasattr(source, "rdm_descriptors"):
        return RDMSet.from_rsatoolbox(source, pattern_descriptor=pattern_descriptor)
    if isinstance(source, Mapping) and source:
        stacks = {str(k): vectors_of(np.asarray(v), "data", str(k)) for k, v in source.items()}
        for name, stack in stacks.items():
            if len(stack) != 1 or stack.shape[1] != next(iter(stacks.values())).shape[1]:
                raise InputError(
                    "source", {name: stack.shape}, "one RDM per name, all of the same size"
                )
        return RDMSet(np.concatenate(list(stacks.values())), pd.DataFrame({"model": list(stacks)}))
    if (
        isinstance(source, (list, tuple))
        and source
        and all(hasattr(m, "predict_rdm") for m in source)
    ):
        return _from_models(source)
    if isinstance(source, np.ndarray):
        vectors = vectors_of(source, "data", "array")
        return RDMSet(vectors, canonical_labels(pd.DataFrame(index=range(len(vectors)))))
    raise InputError(
        "source",
        type(source).__name__,
        "a path, an array, a mapping of arrays, rsatoolbox RDMs, or objects with predict_rdm",
    )


def _from_models(models: Sequence[Any]) -> RDMSet:
    """RDMs predicted by rsatoolbox models, at their default parameters."""
    names = [str(m.name) for m in models]
    if len(set(names)) != len(names):
        raise InputError("models", names, "models with distinct names")
    parts = [RDMSet.from_rsatoolbox(m.predict_rdm()) for m in models]
    for name, part in zip(names, parts, strict=True):
        if len(part) != 1 or part.stimuli != parts[0].stimuli:
            raise InputError(
                "models", name, "models that predict one RDM each, on the same stimuli"
            )
    return RDMSet(
        np.concatenate([p.vectors for p in parts]),
        pd.DataFrame({"model": names}),
        parts[0].stimuli if parts[0].named else (),
        parts[0].measure,
        "rsatoolbox models",
    )
