"""Activations of torch networks, layer by layer to disk, with a sparse random projection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import (
    DataError,
    InputError,
    MissingExtraError,
    OutputExistsError,
    ReadError,
)

__all__ = ["Activations", "activations", "projection_size", "sparse_projection"]


@dataclass(frozen=True)
class Activations:
    """Features of the layers of one network, as files that are read when asked for.

    Attributes
    ----------
    folder : pathlib.Path
    layers : tuple of str
    n_stimulus : int
    """

    folder: Path
    layers: tuple[str, ...]
    n_stimulus: int

    @classmethod
    def open(cls, folder: str | Path) -> Activations:
        """Activations that an earlier call wrote into a folder.

        Raises
        ------
        ReadError
            If the folder holds no index of activations.
        """
        try:
            index = json.loads((Path(folder) / "index.json").read_text("utf-8"))
            return cls(Path(folder), tuple(index["layers"]), int(index["n_stimulus"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReadError(folder, f"no index of activations ({error})") from error

    def __getitem__(self, layer: str) -> np.ndarray:
        """Features ``[n_stimulus, n_feature]`` of a layer, mapped from disk (not loaded)."""
        if layer not in self.layers:
            raise InputError("layer", layer, f"one of {list(self.layers)}")
        mapped: np.ndarray = np.load(
            self.folder / _file_name(self.layers.index(layer)), mmap_mode="r"
        )
        return mapped

    def __len__(self) -> int:
        return len(self.layers)


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


def activations(
    model: Any,
    layers: Sequence[str],
    stimuli: Iterable[Any],
    *,
    folder: str | Path,
    batch_size: int = 32,
    device: str = "cpu",
    project: int | None = None,
    seed: int = 1234,
    frames: str | None = None,
    frame_axis: int | None = None,
    transform: Callable[[Any], Any] | None = None,
    overwrite: bool = False,
) -> Activations:
    """Activations of chosen layers of a torch module, streamed to disk.

    Parameters
    ----------
    model : torch.nn.Module
        Called in evaluation mode without gradients; its mode and device are restored.
    layers : sequence of str
        Names of submodules, as in ``model.named_modules()``.
    stimuli : iterable
        Arrays or tensors, one per stimulus: images ``[channel, height, width]``, or with ``frames``
        clips ``[frame, channel, height, width]``. They are read once, ``batch_size`` at a time, and
        converted to the type of the model's parameters.
    folder : path
        New folder; one npy file per layer and an index.
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
        Applied to every stimulus first.
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
        A layer whose output is not one tensor, holds NaN or infinite entries, changes its size, that is
        not reached, or that is reached several times in one pass.
    OutputExistsError
        If the folder exists and ``overwrite`` is False.

    Examples
    --------
    >>> import tempfile, torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())
    >>> with tempfile.TemporaryDirectory() as d:
    ...     found = activations(
    ...         net, ["0", "1"], torch.rand(5, 3, 8, 8), folder=d + "/net", batch_size=2
    ...     )
    ...     found["1"].shape
    (5, 144)
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch") from error
    wanted = _checked(model, layers, batch_size, project, frames, frame_axis)
    modules = dict(model.named_modules())
    target = Path(folder)
    existed = target.exists()
    if existed and not overwrite:
        raise OutputExistsError(
            f"{target} exists and is kept; pass overwrite=True to write into it"
        )
    target.mkdir(parents=True, exist_ok=True)
    layer_of = [
        _Layer(n, target / _file_name(k), project, seed, frame_axis) for k, n in enumerate(wanted)
    ]
    handles = [modules[layer.name].register_forward_hook(layer.hook) for layer in layer_of]
    own = next(iter(model.parameters()), None)
    own_device = None if own is None else own.device
    dtype = own.dtype if own is not None and own.is_floating_point() else torch.float32
    was_training = model.training
    count = 0
    try:
        model.eval()
        model.to(device)
        with torch.inference_mode(), _full_precision(torch):
            for batch, sizes in _batches(stimuli, batch_size, frames, transform, torch):
                for layer in layer_of:
                    layer.expect(len(batch), sizes if frames == "each" else None)
                model(batch.to(device=device, dtype=dtype))
                for layer in layer_of:
                    layer.check()
                count += len(sizes)
        if count == 0:
            raise InputError("stimuli", "nothing", "at least one stimulus")
        for layer in layer_of:
            layer.finish()
    except BaseException:
        for layer in layer_of:
            layer.discard()
        if not existed:
            target.rmdir()
        raise
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
        if own is not None:
            model.to(own_device)
    index = {
        "layers": list(wanted),
        "n_stimulus": count,
        "project": project,
        "seed": seed,
        "frames": frames,
        "frame_axis": frame_axis,
    }
    (target / "index.json").write_text(json.dumps(index, indent=1), "utf-8")
    return Activations(target, wanted, count)


def _checked(
    model: Any,
    layers: Sequence[str],
    batch_size: int,
    project: int | None,
    frames: str | None,
    frame_axis: int | None,
) -> tuple[str, ...]:
    """Names of the layers; InputError for what cannot be."""
    modules = dict(model.named_modules())
    wanted = (layers,) if isinstance(layers, str) else tuple(layers)
    if not wanted:
        raise InputError("layers", layers, "names of submodules")
    for name in wanted:
        if name not in modules or name == "":
            raise InputError(
                "layers", name, f"names of submodules: {[m for m in modules if m][:50]}"
            )
    if len(set(wanted)) < len(wanted):
        raise InputError("layers", layers, "distinct names")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError("batch_size", batch_size, "a positive whole number")
    if project is not None and (not isinstance(project, int) or project < 1):
        raise InputError("project", project, "a positive whole number, or None")
    if frames not in (None, "each", "clip"):
        raise InputError("frames", frames, "None, 'each' or 'clip'")
    if frame_axis is not None and (
        frames != "clip" or not isinstance(frame_axis, int) or frame_axis < 1
    ):
        raise InputError(
            "frame_axis", frame_axis, "None, or with frames='clip' a positive whole number"
        )
    return wanted


def _full_precision(torch: Any) -> Any:
    """Convolutions of a GPU in float32: by default they round to 10 bits, and features depend on the device."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False)


def _file_name(k: int) -> str:
    return f"layer_{k:03d}.npy"


def _batches(
    stimuli: Iterable[Any], batch_size: int, frames: str | None, transform: Any, torch: Any
) -> Iterable[tuple[Any, list[int]]]:
    """Batches for the model, with the number of rows every stimulus takes in them."""
    held: list[Any] = []

    def packed() -> tuple[Any, list[int]]:
        if frames == "each":
            return torch.cat(held), [len(h) for h in held]
        return torch.stack(held), [1] * len(held)

    for stimulus in stimuli:
        value = stimulus if transform is None else transform(stimulus)
        tensor = torch.as_tensor(np.asarray(value) if not torch.is_tensor(value) else value)
        tensor = tensor if tensor.is_floating_point() else tensor.float()
        dims = 3 if frames is None else 4
        if tensor.ndim != dims:
            raise InputError(
                "stimuli", tuple(tensor.shape), f"{dims} dimensions with frames={frames!r}"
            )
        if held and frames != "each" and tensor.shape != held[0].shape:
            raise InputError(
                "stimuli", tuple(tensor.shape), f"all of one shape, as {tuple(held[0].shape)}"
            )
        held.append(tensor)
        if len(held) == batch_size:
            yield packed()
            held = []
    if held:
        yield packed()


class _Layer:
    """One layer's features: taken by a hook, appended to a raw file, given an npy header at the end."""

    def __init__(
        self, name: str, path: Path, project: int | None, seed: int, frame_axis: int | None
    ) -> None:
        self.name, self.path, self.project, self.seed = name, path, project, seed
        self.frame_axis = frame_axis
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
        self._write(features)

    def check(self) -> None:
        """After a pass."""
        if self.calls == 0:
            self._fail("was not reached")

    def _fail(self, what: str) -> None:
        raise DataError(f"layer {self.name!r} {what}; choose another layer")

    def _write(self, features: np.ndarray) -> None:
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
