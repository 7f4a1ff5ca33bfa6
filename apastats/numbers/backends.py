"""Array backends: the kernels are written once, against the namespace found here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.arguments import choice
from apastats.errors import InputError, MissingExtraError

__all__ = ["Backend", "get_backend"]

BACKENDS = ("numpy", "torch")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Backend:
    """Array namespace, device and floating type of a computation.

    Attributes
    ----------
    name : {"numpy", "torch"}
    xp : module
        Array-API namespace (array-api-compat).
    device : str
    dtype : str
    """

    name: str
    xp: Any
    device: str
    dtype: str

    @property
    def float(self) -> Any:
        """The floating type, as the namespace knows it."""
        return getattr(self.xp, self.dtype)

    def array(self, values: Any) -> Any:
        """Floating array on the device; arrays that are there already, of the right type, are not copied."""
        if self.name == "numpy":
            return np.asarray(values, dtype=self.dtype)
        if hasattr(values, "detach"):
            return values.detach().to(device=self.device, dtype=self.float)
        # torch takes no read-only numpy arrays
        host = np.require(values, dtype=self.dtype, requirements=["C", "W"])
        return self.xp.asarray(host, device=self.device)

    def numpy(self, values: Any) -> np.ndarray:
        """Numpy array of a result, in float64."""
        if self.name == "numpy":
            return np.asarray(values, dtype="f8")
        return np.asarray(values.detach().cpu().numpy(), dtype="f8")

    def indices(self, values: np.ndarray) -> Any:
        """Index array on the device."""
        return values if self.name == "numpy" else self.xp.asarray(values, device=self.device)

    def running_max(self, values: Any) -> Any:
        """Running maximum along the last axis."""
        if self.name == "numpy":
            return np.maximum.accumulate(values, axis=-1)
        return self.xp.cummax(values, dim=-1).values

    def scatter_rows(self, index: Any, values: Any) -> Any:
        """``out[i, index[i, k]] = values[i, k]`` for a permutation ``index`` of every row."""
        if self.name == "numpy":
            rows, n = index.shape
            out = np.empty(rows * n, dtype=values.dtype)
            out[(index + (np.arange(rows) * n)[:, None]).ravel()] = values.ravel()
            return out.reshape(rows, n)
        return self.xp.empty_like(values).scatter_(-1, index, values)


NUMPY = Backend("numpy", np, "cpu", "float64")


def get_backend(backend: str = "numpy", device: str = "cpu", dtype: str = "float64") -> Backend:
    """Backend by name.

    Parameters
    ----------
    backend : {"numpy", "torch"}
    device : str
        "cpu", or for torch any device it has ("cuda", "cuda:1").
    dtype : {"float64", "float32"}

    Returns
    -------
    Backend

    Raises
    ------
    InputError
        Unknown names, or a device that is not there.
    MissingExtraError
        If torch is asked for and not installed.

    Examples
    --------
    >>> get_backend("numpy").dtype
    'float64'
    """
    choice("backend", backend, BACKENDS)
    choice("dtype", dtype, DTYPES)
    if backend == "numpy":
        if device != "cpu":
            raise InputError(
                "device", device, "'cpu' with backend='numpy'", hint="Use backend='torch'."
            )
        # numpy itself is array-API compatible; the compat namespace only costs time
        return NUMPY if dtype == "float64" else Backend("numpy", np, "cpu", dtype)
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch") from error
    import array_api_compat.torch as xp

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError("device", device, f"a device torch can use here ({error})") from error
    return Backend("torch", xp, device, dtype)
