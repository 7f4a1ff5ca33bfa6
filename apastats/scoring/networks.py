"""Activations of torch networks, layer by layer to disk, with a sparse random projection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import DataError, InputError, MissingExtraError, OutputExistsError

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
    transform: Callable[[Any], Any] | None = None,
    overwrite: bool = False,
) -> Activations:
    """Activations of chosen layers of a torch module, streamed to disk.

    Parameters
    ----------
    model : torch.nn.Module
        Called in evaluation mode without gradients; its mode is restored.
    layers : sequence of str
        Names of submodules, as in ``model.named_modules()``.
    stimuli : iterable
        Arrays or tensors, one per stimulus: images ``[channel, height, width]``, or with ``frames``
        clips ``[frame, channel, height, width]``. They are read once, ``batch_size`` at a time.
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
        activations are averaged over frames. "clip": the clip goes through whole, and the model's own
        output is taken.
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
        A layer whose output is not one tensor, that is not reached, or that is reached several times
        in one pass.
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
    target = Path(folder)
    if target.exists() and not overwrite:
        raise OutputExistsError(
            f"{target} exists and is kept; pass overwrite=True to write into it"
        )
    target.mkdir(parents=True, exist_ok=True)

    streams = {
        name: _Stream(target / _file_name(k), project, seed) for k, name in enumerate(wanted)
    }
    found: dict[str, list[Any]] = {name: [] for name in wanted}
    handles = [modules[n].register_forward_hook(_hook(n, found)) for n in wanted]
    was_training = model.training
    model.eval()
    model.to(device)
    count = 0
    try:
        with torch.inference_mode(), _full_precision(torch):
            for batch, sizes in _batches(stimuli, batch_size, frames, transform, torch):
                for kept in found.values():
                    kept.clear()
                model(batch.to(device))
                count += len(sizes)
                for name in wanted:
                    streams[name].write(
                        _features(name, found[name], len(batch), sizes, frames, torch)
                    )
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
        for stream in streams.values():
            stream.close()
    if count == 0:
        raise InputError("stimuli", "nothing", "at least one stimulus")
    for stream in streams.values():
        stream.finish()
    index = {
        "layers": list(wanted),
        "n_stimulus": count,
        "project": project,
        "seed": seed,
        "frames": frames,
    }
    (target / "index.json").write_text(json.dumps(index, indent=1), "utf-8")
    return Activations(target, wanted, count)


def _full_precision(torch: Any) -> Any:
    """Convolutions of a GPU in float32: by default they round to 10 bits, and features depend on the device."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False)


def _file_name(k: int) -> str:
    return f"layer_{k:03d}.npy"


def _hook(name: str, found: dict[str, list[Any]]) -> Callable[..., None]:
    def keep(module: Any, inputs: Any, output: Any) -> None:
        found[name].append(output)

    return keep


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


def _features(
    name: str, outputs: list[Any], rows: int, sizes: list[int], frames: str | None, torch: Any
) -> np.ndarray:
    """Flat features per stimulus, averaged over its frames."""
    if len(outputs) != 1 or not torch.is_tensor(outputs[0]) or len(outputs[0]) != rows:
        what = "was not reached" if not outputs else f"was reached {len(outputs)} times in one pass"
        if len(outputs) == 1:
            what = "does not put out one tensor with the batch first"
        raise DataError(f"layer {name!r} {what}; choose another layer")
    flat = outputs[0].detach().flatten(1).float().cpu().numpy()
    if frames != "each":
        return np.asarray(flat)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    summed = np.add.reduceat(flat, starts, axis=0)
    return np.asarray(summed / np.asarray(sizes, dtype=np.float32)[:, None])


class _Stream:
    """One layer's features, appended to a raw file and given an npy header at the end."""

    def __init__(self, path: Path, project: int | None, seed: int) -> None:
        self.path, self.project, self.seed = path, project, seed
        self.raw = path.with_suffix(".part")
        self.handle = self.raw.open("wb")
        self.rows = 0
        self.columns = 0
        self.matrix: Any = None

    def write(self, features: np.ndarray) -> None:
        if self.project is not None and features.shape[1] > self.project:
            if self.matrix is None:
                self.matrix = sparse_projection(features.shape[1], self.project, self.seed)
            features = np.asarray(self.matrix @ features.T).T
        self.columns = features.shape[1]
        self.rows += len(features)
        self.handle.write(np.ascontiguousarray(features, dtype="<f4").tobytes())

    def close(self) -> None:
        self.handle.close()

    def finish(self) -> None:
        """Copy the raw rows behind an npy header, block by block."""
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
