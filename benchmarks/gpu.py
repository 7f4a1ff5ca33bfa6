"""The array backends: torch (on a GPU where there is one, else on the CPU) against numpy on the CPU."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import Row, difference
from benchmarks.scoring import data

CONDITIONS = (
    "Wall time, the device waited for, after a call to warm up; all cores of the CPU. "
    '"theirs" is numpy on the CPU unless the note says otherwise. Differences are relative to the largest value.'
)
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
LONG = {"float64": 1e-12, "float32": 1e-4}  # sums of half a million products
METHODS = ("cosine", "corr", "spearman", "rho-a", "cosine_cov", "corr_cov")


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Agreement of every kernel with a backend, then times."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    quick = quick or device == "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "no GPU here"
    tasks: dict[str, Callable[[str, bool], Iterator[Row]]] = {
        "agreement": agreement,
        "activations": networks,
        "102 stimuli": small,
        "layers x": large,
        "RDMs from patterns": patterns,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not only:
            yield Row(
                f"device: {device}",
                note=f"{name}; torch {torch.__version__}; {os.cpu_count()} cores",
            )
        for task, function in tasks.items():
            if only not in task:
                continue
            try:
                yield from function(device, quick)
            except (RuntimeError, ImportError, TypeError) as error:
                # time on a device is short: the other tasks go on, and the command fails at the end
                yield Row(f"{task}: failed", difference=float("inf"), note=repr(error)[:200])


def wait(device: str) -> None:
    """Until the device is done."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def wall_time(function: Callable[[], Any], device: str, repeat: int = 3) -> tuple[float, Any]:
    """Least wall time of some calls after a first one (or of one call, where repeat is 0), and the answer."""
    answer = function() if repeat else None
    times = []
    for _ in range(max(repeat, 1)):
        wait(device)
        start = time.perf_counter()
        answer = function()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times), answer


def relative(expected: Any, found: Any) -> float:
    """Largest difference over the largest value; infinite where NaN differ."""
    size = float(np.nanmax(np.abs(np.asarray(expected, "f8")), initial=0.0))
    return difference(expected, found) / (size or 1.0)


def agreement(device: str, quick: bool) -> Iterator[Row]:
    """Every kernel that takes a backend: ties, missing stimuli and covariances included."""
    import apastats as apa
    from apastats.io.rdm_set import RDMSet
    from apastats.numbers.backends import NUMPY, get_backend
    from apastats.scoring.fixed import fixed_scores
    from apastats.scoring.rdms_from_patterns import distances
    from apastats.scoring.similarity import mid_ranks

    n = 30 if quick else 102
    x, y = data(6, n, 12)
    x[1], y[1] = np.round(x[1]), np.round(y[1])  # ties
    holes = x.copy()
    i, j = np.triu_indices(n, 1)
    holes[0, (i == 3) | (j == 3)] = np.nan
    a = np.random.default_rng(1).standard_normal((n, 2 * n))
    sigma = a @ a.T / n
    points = np.random.default_rng(2).standard_normal((4, n, 50))
    brain = RDMSet(x, pd.DataFrame({"subject": range(len(x)), "roi": "V1"}))
    models = RDMSet(y, pd.DataFrame({"model": range(len(y))}))

    kernels: dict[str, Callable[[Any, dict[str, str]], Any]] = {}
    for m in METHODS:
        kernels[f"rdm_similarity {m}"] = lambda e, o, m=m: apa.rdm_similarity(y, x, method=m, **o)
        kernels[f"rdm_similarity {m}, a stimulus missing"] = lambda e, o, m=m: apa.rdm_similarity(
            y, holes, method=m, **o
        )
        kernels[f"fixed_scores {m}"] = lambda e, o, m=m: np.concatenate(
            [v.ravel() for v in fixed_scores(x, y, method=m, backend=e)]
        )
        if m.endswith("_cov"):
            for label, s in (("variances", np.diag(sigma)), ("covariance", sigma)):
                kernels[f"rdm_similarity {m}, {label}"] = lambda e, o, m=m, s=s: apa.rdm_similarity(
                    y, x, method=m, sigma_k=s, **o
                )
    for m in ("spearman", "rho-a"):
        kernels[f"fixed_scores {m}, pools ranked again"] = lambda e, o, m=m: np.concatenate(
            [v.ravel() for v in fixed_scores(x, y, method=m, rerank=True, backend=e)]
        )
    # rounded so that float32 holds the values: otherwise it ties what float64 tells apart
    kernels["mid_ranks"] = lambda e, o: e.numpy(mid_ranks(e.array(np.round(64 * y) / 64), e))
    for m in ("correlation", "euclidean", "cosine"):
        kernels[f"distances {m}"] = lambda e, o, m=m: distances(points, m, backend=e)
    kernels["rdms_from_patterns"] = lambda e, o: (
        apa.rdms_from_patterns({k: p for k, p in enumerate(points)}, names="subject", **o).vectors
    )
    kernels["score"] = lambda e, o: apa.score(brain, models, **o).frame["score"]
    kernels["evaluate_rdms"] = lambda e, o: apa.evaluate_rdms(brain, models, **o).table["estimate"]
    for dtype in ("float64", "float32"):
        options = {"backend": "torch", "device": device, "dtype": dtype}
        engine = get_backend(**options)
        for name, kernel in kernels.items():
            yield Row(
                f"agreement, {dtype}, {name}",
                difference=relative(kernel(NUMPY, {}), kernel(engine, options)),
                tolerance=TOLERANCE[dtype],
            )


def networks(device: str, quick: bool) -> Iterator[Row]:
    """Activations of a convolutional network."""
    import torch

    import apastats as apa

    torch.manual_seed(0)
    width, size, count = (16, 64, 16) if quick else (64, 224, 128)
    layers: list[Any] = [torch.nn.Conv2d(3, width, 7, stride=2, padding=3)]
    for _ in range(6):
        layers += [torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
        layers += [torch.nn.Conv2d(width, width, 3, padding=1)]
    net = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten())
    images = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))
    names = ["0", "9", str(len(net) - 1)]

    def run(where: str) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            found = apa.activations(
                net,
                names,
                images,
                folder=folder + "/net",
                batch_size=32,
                device=where,
                project=1000,
            )
            return np.concatenate([np.array(found[name]) for name in names], axis=1)

    # the matrix of the projection is made in every call, on both sides
    cpu, expected = wall_time(lambda: run("cpu"), "cpu", 0)
    ours, found = wall_time(lambda: run(device), device, 2)
    yield Row(
        f"activations, {count} images of {size} x {size}, 3 layers",
        cpu,
        ours,
        relative(expected, found),
        TOLERANCE["float32"],
        note="files and projection to 1,000 dimensions included",
    )


def small(device: str, quick: bool) -> Iterator[Row]:
    """50 models x 10 subjects at 102 stimuli, from arrays of the host and back."""
    import apastats as apa

    x, y = data()
    for dtype in ("float64", "float32"):
        for m in METHODS:
            cpu, expected = wall_time(
                lambda m=m, dtype=dtype: apa.rdm_similarity(y, x, method=m, dtype=dtype), "cpu", 5
            )
            ours, found = wall_time(
                lambda m=m, dtype=dtype: apa.rdm_similarity(
                    y, x, method=m, backend="torch", device=device, dtype=dtype
                ),
                device,
                5,
            )
            yield Row(
                f"{m}, 102 stimuli, 50 models x 10 subjects, {dtype}",
                cpu,
                ours,
                relative(expected, found),
                TOLERANCE[dtype],
            )


def large(device: str, quick: bool) -> Iterator[Row]:
    """1,000 layers x 400 ROI-subjects at 1,000 stimuli, and a part of them by methods that prepare more."""
    n, layers, targets = (150, 100, 40) if quick else (1000, 1000, 400)
    d = n * (n - 1) // 2
    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(0)
        common = rng.random(d, dtype=np.dtype(dtype).type)
        x, y = (rng.random((k, d), dtype=common.dtype) + common for k in (targets, layers))
        label = f"{n:,} stimuli, {dtype}"
        yield from _against_bare(x, y, label, device, dtype)
        few = (20, 10) if quick else (100, 40)
        for method in ("spearman", "corr_cov"):
            yield _from_host(x[: few[1]], y[: few[0]], method, label, device, dtype)


def _from_host(
    x: np.ndarray, y: np.ndarray, method: str, label: str, device: str, dtype: str
) -> Row:
    """The public call on arrays of the host, which are copied to the device."""
    import apastats as apa

    def call(**options: str) -> np.ndarray:
        return apa.rdm_similarity(y, x, method=method, dtype=dtype, **options)

    cpu, expected = wall_time(call, "cpu", 0)
    ours, found = wall_time(lambda: call(backend="torch", device=device), device, 2)
    task = f"{method}, {len(y):,} layers x {len(x)} ROI-subjects, {label}"
    return Row(task, cpu, ours, relative(expected, found), LONG[dtype], note="from the host")


def _against_bare(
    x: np.ndarray, y: np.ndarray, label: str, device: str, dtype: str
) -> Iterator[Row]:
    """The kernel on arrays of the device against the bare product of the same arrays."""
    from apastats.numbers.backends import get_backend
    from apastats.scoring.similarity import features

    yield _from_host(x, y, "corr", label, device, dtype)
    engine = get_backend("torch", device, dtype)
    a, b = engine.array(x), engine.array(y)
    copied, _ = wall_time(lambda: (engine.array(x), engine.array(y)), device, 1)
    bare, _ = wall_time(lambda: b @ a.T, device)
    ours, product = wall_time(
        lambda: features(b, "corr", backend=engine) @ features(a, "corr", backend=engine).T, device
    )
    expected = np.array([[np.corrcoef(p, q)[0, 1] for q in x[:4]] for p in y[:3]])
    yield Row(
        f"corr, {len(y):,} layers x {len(x)} ROI-subjects, {label}: on the device",
        bare,
        ours,
        relative(expected, engine.numpy(product)[:3, :4]),
        LONG[dtype],
        note=f"theirs = bare product on the device; ours is {ours / bare:.2f} of it, "
        f"{2e-12 * product.shape[0] * x.size / ours:.1f} TFLOP/s; copying from the host takes {copied:.2f} s",
    )


def patterns(device: str, quick: bool) -> Iterator[Row]:
    """Distances between patterns."""
    from apastats.numbers.backends import get_backend
    from apastats.scoring.rdms_from_patterns import distances

    shape = (4, 100, 500) if quick else (20, 1000, 5000)
    x = np.random.default_rng(0).standard_normal(shape)
    for dtype in ("float64", "float32"):
        host, engine = get_backend(dtype=dtype), get_backend("torch", device, dtype)
        cpu, expected = wall_time(lambda host=host: distances(x, backend=host), "cpu", 0)
        ours, found = wall_time(lambda engine=engine: distances(x, backend=engine), device, 2)
        yield Row(
            f"RDMs from patterns, correlation, {shape[0]} x {shape[1]:,} x {shape[2]:,}, {dtype}",
            cpu,
            ours,
            relative(expected, found),
            TOLERANCE[dtype],
        )
