"""Activations of torch networks, layer by layer to disk, with a sparse random projection."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import applies, checked, choice, instance, names
from apastats.errors import (
    DataError,
    InputError,
    MissingExtraError,
    OutputExistsError,
    ReadError,
    shown,
)
from apastats.folders import write_whole
from apastats.io.arrays import first_line
from apastats.resampling.parallel import elsewhere, run_tasks
from apastats.scoring.stimulus_sources import Stimuli, batches_of, turned
from apastats.words import read_json

__all__ = ["Activations", "activations", "projection_size", "sparse_projection"]

_BATCHES = 64  # that other processes are given at a time


@dataclass(frozen=True, eq=False)
class Activations(Mapping[str, np.ndarray]):
    """Features of the layers of one network, as files that are read when asked for.

    A mapping from layers to ``[n_stimulus, n_feature]`` arrays.

    Attributes
    ----------
    folder : pathlib.Path
    layers : tuple of str
    n_stimulus : int
    stimuli : tuple of str
        Names of the files the stimuli came from; empty where they came from arrays.
    """

    folder: Path
    layers: tuple[str, ...]
    n_stimulus: int
    stimuli: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: str | Path) -> Activations:
        """Activations that an earlier call wrote into a folder.

        Raises
        ------
        ReadError
            If the folder holds no index of activations.
        """
        try:
            index = read_json(Path(folder) / "index.json")
            names = tuple(map(str, index.get("stimuli", ())))
            return cls(Path(folder), tuple(index["layers"]), int(index["n_stimulus"]), names)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReadError(folder, f"no index of activations ({error})") from error

    def __getitem__(self, layer: str) -> np.ndarray:
        """Features ``[n_stimulus, n_feature]`` of a layer, mapped from disk (not loaded)."""
        choice("layer", layer, self.layers)
        name = _file_name(self.layers.index(layer))
        mapped: np.ndarray = np.load(self.folder / name, mmap_mode="r")
        return mapped

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    @checked
    def patterns(self, model: str | None = None) -> dict[tuple[str, str], Any]:
        """Layers as :func:`apastats.score_patterns` and :func:`apastats.linear_predictivity` take models.

        Keys are ``(model, layer)``, the model being the name of the folder unless it is given; frames
        with the names of the stimuli as their index where stimuli have names.
        """
        first = self.folder.name if model is None else model
        found: dict[tuple[str, str], Any] = {(first, layer): self[layer] for layer in self.layers}
        if not self.stimuli:
            return found
        return {k: pd.DataFrame(v, index=list(self.stimuli), copy=False) for k, v in found.items()}


def projection_size(n: int, eps: float = 0.1) -> int:
    """Dimensions that keep all distances of n points within 1 +- eps (Johnson & Lindenstrauss).

    ``4 log(n) / (eps^2 / 2 - eps^3 / 3)``, the bound of Dasgupta & Gupta (2003) that scikit-learn uses.

    Examples
    --------
    >>> projection_size(998)
    5919
    """
    if n < 2 or not 0 < eps < 1:
        raise InputError("eps", (n, eps), "at least two points, and eps between 0 and 1")
    return int(4 * np.log(n) / (eps**2 / 2 - eps**3 / 3))


def sparse_projection(n_feature: int, n_component: int, seed: int = 1234) -> Any:
    """Sparse random projection matrix, the one of scikit-learn's ``SparseRandomProjection``.

    Parameters
    ----------
    n_feature, n_component : int
        Sizes; the density is ``1 / sqrt(n_feature)`` (Li, Hastie & Church 2006).
    seed : int
        Seed of the entries.

    Returns
    -------
    scipy.sparse.csr_array
        ``[n_component, n_feature]``.
    """
    from sklearn.random_projection import SparseRandomProjection

    fitted = SparseRandomProjection(n_components=n_component, random_state=seed)
    # only the number of features is taken from the data
    return fitted.fit(np.broadcast_to(np.zeros(1, dtype=np.float32), (1, n_feature))).components_


@checked
def activations(
    model: Any,
    stimuli: Any,
    layers: Any,
    *,
    folder: str | Path | None = None,
    batch_size: int = 32,
    device: str = "cpu",
    project: int | None = None,
    seed: int = 1234,
    frames: str | None = None,
    frame_axis: int | None = None,
    transform: Callable[[Any], Any] | None = None,
    element: int | str | Mapping[str, int | str] | None = None,
    overwrite: bool = False,
) -> Activations:
    """Activations of chosen layers of a torch module, streamed to disk.

    Parameters
    ----------
    model : torch.nn.Module
        Called in evaluation mode without gradients; its mode and device are restored.
    stimuli : path, iterable or DataLoader
        A folder of pictures (in the order of their names), or an iterable of: paths of pictures, PIL
        images, arrays or tensors, one per stimulus. Images are ``[channel, height, width]``, or with
        ``frames`` clips ``[frame, channel, height, width]``; one-dimensional stimuli are tokens (whole
        numbers) or vectors. Pictures become RGB from 0 to 1 unless ``transform`` takes them. Of the
        batches of a torch DataLoader (which must not shuffle) the first element is taken. Stimuli are
        read once, ``batch_size`` at a time; all but tokens get the type of the model's parameters.
    layers : sequence of str
        Names of submodules, as in ``model.named_modules()``. (``activations(model, layers, stimuli)`` is
        understood too: names of submodules are no stimuli.)
    folder : path, optional
        New folder; one npy file per layer and an index. Without it the files are temporary, and go with
        the result.
    batch_size : int
        Stimuli per call of the model; it bounds the memory. (A network that normalises over the batch
        in evaluation mode would not be a function of one stimulus; the layers of torch are.)
    device : str
        Where the model runs, for instance "cuda".
    project : int, optional
        Project features to this many dimensions by a sparse random projection (see
        :func:`projection_size`) wherever a layer has more.
    seed : int
        Seed of the projection, the same for every layer and every split of the stimuli.
    frames : {None, "each", "clip"}
        None: stimuli are images. "each": every frame of a clip goes through the model as an image, and
        activations are averaged over frames. "clip": the clip goes through whole.
    frame_axis : int, optional
        With ``frames="clip"``: axis of the layers' outputs, counted with the batch as 0, that is
        averaged over (2 for the ``[batch, channel, frame, height, width]`` of a 3-D convolution).
        Without it all of an output is taken.
    transform : callable, optional
        Applied to every stimulus first; pictures come to it as PIL images.
    element : int, str or mapping, optional
        Which element is taken where a layer puts out several (``0`` of the tuple of an LSTM or of
        attention, ``"last_hidden_state"`` of a named output), or a mapping from layers to that.
    overwrite : bool
        Whether an existing folder may be written to.

    Returns
    -------
    Activations
        ``found[layer]`` is ``[n_stimulus, n_feature]`` float32, mapped from disk.

    Raises
    ------
    MissingExtraError
        Without torch.
    InputError
        Unknown layers, no stimuli, impossible sizes.
    DataError
        A layer whose output is not one tensor (and no ``element`` chooses one), holds NaN or infinite
        entries, changes its size, that is not reached, or that is reached several times in one pass.
    ReadError
        A folder without pictures, or a picture that cannot be read.
    OutputExistsError
        If the folder exists and ``overwrite`` is False.

    See Also
    --------
    rdms_from_patterns, score_patterns, linear_predictivity

    References
    ----------
    .. [1] Conwell, C., Prince, J. S., Kay, K. N., Alvarez, G. A., & Konkle, T. (2024). A large-scale
       examination of inductive biases shaping high-level visual representation in brains and machines. Nature
       Communications, 15, 9383. https://doi.org/10.1038/s41467-024-53147-y

    Examples
    --------
    >>> import tempfile, torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())
    >>> with tempfile.TemporaryDirectory() as d:
    ...     found = activations(
    ...         net, torch.rand(5, 3, 8, 8), ["0", "1"], folder=d + "/net", batch_size=2
    ...     )
    ...     found["1"].shape
    (5, 144)
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch") from error
    modules = dict(instance("model", model, torch.nn.Module, "a torch module").named_modules())
    if _are_layers(stimuli, modules) and not _are_layers(layers, modules):
        stimuli, layers = layers, stimuli
    wanted = names("layers", layers)
    allowed = [m for m in modules if m]
    if unknown := [name for name in wanted if name not in allowed]:
        raise InputError("layers", unknown[0], f"names of submodules: {allowed[:50]}")
    arguments.whole("batch_size", batch_size, least=1)
    arguments.whole("seed", seed, least=0, most=2**32 - 1)
    if project is not None:
        arguments.whole("project", project, least=1)
    if frames is not None:
        choice("frames", frames, ("each", "clip"))
    if frame_axis is not None:
        applies("frame_axis", frame_axis, to=("clip",), chosen=str(frames), by="frames")
        arguments.whole("frame_axis", frame_axis, least=1)
    _check_device(device)
    elements = _elements(element, wanted)
    items = Stimuli(stimuli, torch)
    batches = batches_of(items, batch_size, frames, transform, torch)
    target, existed = _target(folder, type(model).__name__, overwrite)
    layer_of: list[_Layer] = []
    handles: list[Any] = []
    own = next(iter(model.parameters()), torch.zeros(0))
    own_device = own.device
    dtype = own.dtype if own.is_floating_point() else torch.float32
    was_training = model.training
    count = 0
    try:
        for k, name in enumerate(wanted):
            path = target / _file_name(k)
            layer_of.append(_Layer(name, path, project, seed, frame_axis, elements[k]))
        handles = _hooked(modules, () if elsewhere() else layer_of)
        model.eval()
        model.to(device)
        given = ((batch, sizes, sizes if frames == "each" else None) for batch, sizes in batches)
        count = _through(model, given, layer_of, device, dtype)
        if count == 0:
            raise InputError("stimuli", "nothing", "at least one stimulus")
        for layer in layer_of:
            layer.finish()
    except BaseException:
        for layer in layer_of:
            layer.discard()
        if folder is None:
            shutil.rmtree(target.parent, ignore_errors=True)
        elif not existed:
            target.rmdir()
        raise
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
        model.to(own_device)
    index = {
        "layers": list(wanted),
        "n_stimulus": count,
        "stimuli": list(items.names),
        "project": project,
        "seed": seed,
        "frames": frames,
        "frame_axis": frame_axis,
    }
    write_whole(target / "index.json", json.dumps(index, indent=1))
    found = Activations(target, wanted, count, tuple(items.names))
    if folder is None:
        weakref.finalize(found, shutil.rmtree, target.parent, ignore_errors=True)
    return found


def _check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError("device", device, f"a device of torch ({shown(error)})") from error


def _target(folder: str | Path | None, name: str, overwrite: bool) -> tuple[Path, bool]:
    """The folder that is written, made where it is not there, and whether it was there."""
    made = tempfile.mkdtemp(prefix="apastats_activations_") if folder is None else folder
    target = Path(made) / (name if folder is None else "")
    existed = target.exists()
    if existed and not (overwrite and target.is_dir()):
        raise OutputExistsError(
            f"{target} exists and is kept; pass overwrite=True to write into it"
        )
    target.mkdir(parents=True, exist_ok=True)
    return target, existed


def _run(
    model: Any, batch: Any, frames: Any, layers: Sequence[_Layer], device: str, dtype: Any
) -> None:
    """One batch through the network; ``frames`` is how many belong to each stimulus, or None."""
    import torch

    for layer in layers:
        layer.expect(len(batch), frames)
    whole = not batch.is_floating_point()
    try:
        model(batch.to(device=device, dtype=torch.int64 if whole else dtype))
    except (RuntimeError, IndexError) as error:
        shape = tuple(batch.shape)
        allowed = f"what the network takes ({first_line(error)})"
        given = f"a batch of shape {shape}"
        raise InputError("stimuli", given, allowed, hint=turned(shape)) from error
    for layer in layers:
        layer.check()


def _hooked(modules: Mapping[str, Any], layers: Sequence[_Layer]) -> list[Any]:
    """Hooks of layers, to be removed at the end."""
    return [modules[layer.name].register_forward_hook(layer.hook) for layer in layers]


def _through(
    model: Any, given: Iterable[Any], layers: Sequence[_Layer], device: str, dtype: Any
) -> int:
    """All batches through the network, here or in other processes; how many stimuli there were."""
    import torch

    if elsewhere():
        return _on_workers(model, given, layers, device, dtype)
    count = 0
    with torch.inference_mode(), _full_precision(torch):
        for batch, sizes, expected in given:
            _run(model, batch, expected, layers, device, dtype)
            count += len(sizes)
    return count


def _on_workers(
    model: Any, given: Iterable[Any], layers: Sequence[_Layer], device: str, dtype: Any
) -> int:
    """Batches through copies of the network in other processes, some at a time; how many stimuli there were."""
    takers = [(layer.name, layer.frame_axis, layer.element) for layer in layers]
    count, batches = 0, iter(given)
    while some := list(islice(batches, _BATCHES)):
        tasks = [(model, batch, e, takers, device, dtype, count) for batch, _, e in some]
        for found in run_tasks(_of_batch, tasks, label="activations"):
            for layer in layers:
                layer.write(found[layer.name])
        count += sum(len(sizes) for _, sizes, _ in some)
    return count


def _of_batch(
    model: Any, batch: Any, sizes: Any, takers: Any, device: str, dtype: Any, done: int
) -> dict[str, np.ndarray]:
    """Features of one batch by layer, in the process this runs in."""
    import torch

    layers = [_Taker(n, axis, element, done) for n, axis, element in takers]
    handles = _hooked(dict(model.named_modules()), layers)
    try:
        model.eval()
        model.to(device)
        with torch.inference_mode(), _full_precision(torch):
            _run(model, batch, sizes, layers, device, dtype)
    finally:
        for handle in handles:
            handle.remove()
    return {layer.name: np.concatenate(layer.found) for layer in layers}


def _are_layers(values: Any, modules: Mapping[str, Any]) -> bool:
    """Whether these are names of submodules."""
    listed = [values] if isinstance(values, str) else values
    return (
        isinstance(listed, (list, tuple))
        and len(listed) > 0
        and all(isinstance(v, str) and v in modules for v in listed)
    )


def _elements(element: Any, layers: Sequence[str]) -> list[int | str | None]:
    """Which element of the output of each layer is taken."""
    return [_chosen(element, layer) for layer in layers]


def _chosen(element: Any, layer: str) -> int | str | None:
    found = element.get(layer) if isinstance(element, Mapping) else element
    if isinstance(found, bool) or not (found is None or isinstance(found, (int, str))):
        raise InputError("element", found, "a number or name of an element, or a mapping to them")
    return found


def _full_precision(torch: Any) -> Any:
    """Convolutions of a GPU in float32: by default they round to 10 bits, and features depend on the device."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False)


def _file_name(k: int) -> str:
    return f"layer_{k:03d}.npy"


class _Layer:
    """One layer's features: taken by a hook, appended to a raw file, given an npy header at the end."""

    def __init__(
        self,
        name: str,
        path: Path,
        project: int | None,
        seed: int,
        frame_axis: int | None,
        element: int | str | None,
    ) -> None:
        self.name, self.path, self.project, self.seed = name, path, project, seed
        self.frame_axis, self.element = frame_axis, element
        self.raw = path.with_suffix(".part")
        self.handle = self.raw.open("wb")
        self.matrix: Any = None
        self.rows = self.columns = self.calls = self.batch = 0
        self.sizes: list[int] | None = None
        self.finishing = False

    def expect(self, batch: int, sizes: list[int] | None) -> None:
        """A pass of so many rows follows; with ``sizes`` so many of them belong to one stimulus each."""
        self.batch, self.sizes, self.calls = batch, sizes, 0

    def hook(self, module: Any, inputs: Any, output: Any) -> None:
        """Write at once: a later layer may work in place on the same memory."""
        self.calls += 1
        if self.calls > 1:
            self._fail("was reached several times in one pass")
        output = self._taken(output)
        if not hasattr(output, "detach") or output.ndim < 1 or len(output) != self.batch:
            self._fail("does not put out one tensor with the batch first")
        if self.frame_axis is not None and output.ndim > self.frame_axis:
            output = output.mean(self.frame_axis)
        features = output.detach().flatten(1).float().cpu().numpy()
        if self.sizes is not None:
            starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
            features = np.add.reduceat(features, starts, axis=0)
            features = features / np.asarray(self.sizes, dtype=np.float32)[:, None]
        if not np.isfinite(features).all():
            self._fail(f"puts out NaN or infinite values, from stimulus {self.rows} on")
        self.write(features)

    def _taken(self, output: Any) -> Any:
        """The element asked for; an output of several elements without a choice is told with what it holds."""
        if hasattr(output, "detach"):
            return output
        by_name = dict(output) if isinstance(output, Mapping) else {}
        by_name = by_name or {n: getattr(output, n) for n in getattr(output, "_fields", ())}
        listed = list(by_name.values()) or (
            list(output) if isinstance(output, (list, tuple)) else []
        )
        if self.element is not None:
            if isinstance(self.element, str) and self.element in by_name:
                return by_name[self.element]
            if isinstance(self.element, int) and -len(listed) <= self.element < len(listed):
                return listed[self.element]
        names = list(by_name) or list(range(len(listed)))
        shapes = {
            n: tuple(getattr(v, "shape", ())) or type(v).__name__
            for n, v in zip(names, listed, strict=True)
        }
        if shapes:
            raise DataError(
                f"layer {self.name!r} does not put out one tensor with the batch first but several elements, {shapes}; "
                f"choose by element={{{self.name!r}: {names[0]!r}}}"
            )
        return output

    def check(self) -> None:
        """After a pass."""
        if self.calls == 0:
            self._fail("was not reached")

    def _fail(self, what: str) -> None:
        raise DataError(f"layer {self.name!r} {what}; choose another layer")

    def write(self, features: np.ndarray) -> None:
        if self.project is not None and features.shape[1] > self.project:
            if self.matrix is None or self.matrix.shape[1] != features.shape[1]:
                self.matrix = sparse_projection(features.shape[1], self.project, self.seed)
            features = np.asarray(self.matrix @ features.T).T
        if self.rows and features.shape[1] != self.columns:
            self._fail(f"puts out {self.columns} features and then {features.shape[1]}")
        self.columns = features.shape[1]
        self.rows += len(features)
        self.handle.write(np.ascontiguousarray(features, dtype="<f4").tobytes())

    def finish(self) -> None:
        """Copy the raw rows behind an npy header, block by block."""
        self.handle.close()
        self.finishing = True
        source = np.memmap(self.raw, dtype="<f4", mode="r", shape=(self.rows, self.columns))
        out = np.lib.format.open_memmap(
            self.path, mode="w+", dtype="<f4", shape=(self.rows, self.columns)
        )
        step = max(1, 2**22 // self.columns)
        for start in range(0, self.rows, step):
            out[start : start + step] = source[start : start + step]
        out.flush()
        del source, out
        self.raw.unlink()

    def discard(self) -> None:
        """Remove what was written; a file of an earlier call stays until this one is complete."""
        self.handle.close()
        self.raw.unlink(missing_ok=True)
        if self.finishing:
            self.path.unlink(missing_ok=True)


class _Taker(_Layer):
    """A layer whose features are kept instead of written."""

    def __init__(
        self, name: str, frame_axis: int | None, element: int | str | None, done: int
    ) -> None:
        self.name, self.frame_axis, self.element = name, frame_axis, element
        self.found: list[np.ndarray] = []
        self.rows = done  # what messages count from
        self.calls = self.batch = 0
        self.sizes: list[int] | None = None

    def write(self, features: np.ndarray) -> None:
        """Keep them."""
        self.found.append(features)
