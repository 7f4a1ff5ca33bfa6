"""Stimuli for networks from what people have: folders of pictures, paths, PIL images, arrays, DataLoaders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apastats.arguments import path
from apastats.errors import InputError, ReadError

__all__ = ["Stimuli", "batches_of", "turned"]

COLOURS = (1, 3, 4)
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def tensor_of(value: Any, torch: Any) -> Any:
    """Tensor of an array, a tensor or a picture."""
    if torch.is_tensor(value):
        return value
    if hasattr(value, "convert") and hasattr(value, "getbands"):
        return torch.from_numpy(np.moveaxis(np.array(value.convert("RGB"), "f4"), -1, 0) / 255)
    try:
        array = np.array(value)  # a copy: torch takes no read-only arrays
        return torch.from_numpy(array)
    except (TypeError, ValueError) as error:
        raise InputError(
            "stimuli",
            type(value).__name__,
            "pictures (paths, PIL images), arrays or tensors of numbers",
        ) from error


class Stimuli:
    """Stimuli of any source one by one, and the names of those that came from files.

    Parameters
    ----------
    source : path, iterable or DataLoader
    torch : module
    """

    def __init__(self, source: Any, torch: Any) -> None:
        self.torch, self.names = torch, list[str]()
        if isinstance(source, (str, Path)):
            source = _pictures(Path(source))
        loader = getattr(torch.utils.data, "DataLoader", None)
        self.batched = loader is not None and isinstance(source, loader)
        if self.batched and isinstance(source.sampler, torch.utils.data.RandomSampler):
            raise InputError("stimuli", "a DataLoader that shuffles", "one with shuffle=False")
        if not hasattr(source, "__iter__") and not hasattr(source, "__getitem__"):
            raise InputError(
                "stimuli", type(source).__name__, "a folder, an iterable or a DataLoader"
            )
        self.source = source

    def __iter__(self) -> Iterator[Any]:
        if self.batched:
            for batch in self.source:
                first = batch[0] if isinstance(batch, (list, tuple)) else batch
                if not self.torch.is_tensor(first):
                    raise InputError(
                        "stimuli",
                        type(first).__name__,
                        "batches of a DataLoader that are or begin with a tensor",
                    )
                yield from first
            return
        try:
            each = iter(self.source)
        except TypeError as error:
            raise InputError("stimuli", self.source, "stimuli, one after the other") from error
        for item in each:
            if isinstance(item, (str, Path)):
                self.names.append(Path(item).name)
                yield _picture(Path(item))
            else:
                yield item


def _pictures(source: Path) -> list[Path]:
    """Pictures of a folder in the order of their names; an npy file of stimuli is no folder."""
    source = path("stimuli", source)
    if source.is_file() and source.suffix.lower() in PICTURES:
        return [source]
    if not source.is_dir():
        raise ReadError(source, f"no folder of pictures ({', '.join(PICTURES)})")
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in PICTURES)
    if not found:
        raise ReadError(source, f"a folder without pictures ({', '.join(PICTURES)})")
    return found


def _picture(path: Path) -> Any:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ReadError(path, f"no picture that can be read ({error})") from error


def turned(shape: tuple[int, ...]) -> str:
    """What to do where the colours of images stand last."""
    if len(shape) < 4 or shape[-1] not in COLOURS or shape[-3] in COLOURS:
        return ""
    order = (*range(len(shape) - 3), len(shape) - 1, len(shape) - 3, len(shape) - 2)
    return (
        f"The last axis ({shape[-1]}) looks like the colours, which come before height and width here: "
        f"images.transpose{order} turns them."
    )


def batches_of(
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
        tensor = tensor_of(value, torch)
        dims = 3 if frames is None else 4
        if tensor.ndim != dims and not (frames is None and tensor.ndim == 1):
            tokens = " (or 1: tokens, vectors)" if frames is None else ""
            raise InputError(
                "stimuli", tuple(tensor.shape), f"{dims} dimensions{tokens} with frames={frames!r}"
            )
        if tensor.ndim > 1 and not tensor.is_floating_point():
            tensor = tensor.float()
        if held and frames != "each" and tensor.shape != held[0].shape:
            raise InputError(
                "stimuli",
                tuple(tensor.shape),
                f"all of one shape, as {tuple(held[0].shape)}",
                hint="Give transform= to bring them to one size (pad tokens to one length).",
            )
        held.append(tensor)
        if len(held) == batch_size:
            yield packed()
            held = []
    if held:
        yield packed()
