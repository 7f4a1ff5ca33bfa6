"""Simulated people: regions with a planted geometry, their own vertices, noise and repeats."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

import apastats as apa

N_PERSON = 10
REPEATS = {"train": 3, "test": 10}
MOTION_ROIS = ("MT", "MST", "FST")
REGIONS = apa.read_regions(Path(__file__).with_name("regions.csv"))  # a simulated sheet
STREAM = REGIONS.table["stream"].to_dict()


def planted(latent: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Features of every region, ``[clip, feature]``: texture, colour and motion in the region's own shares."""
    phase = 2 * latent["orientation"][:, None]
    fine = np.exp(-((latent["fineness"][:, None] - np.linspace(1.5, 5, 4)) ** 2))
    texture = np.column_stack([np.cos(phase), np.sin(phase), fine])
    # direction of drift is that of the grating's normal; what stands still has none
    way = latent["direction"] * np.minimum(latent["speed"] / 0.1, 1.0)
    angle = latent["orientation"]
    speed = np.exp(-(((latent["speed"][:, None] - np.linspace(0, 0.25, 4)) / 0.08) ** 2))
    motion = np.column_stack([way * np.cos(angle), way * np.sin(angle), speed])
    parts = [standardised(p) for p in (texture, latent["colour"], motion)]
    found = {}
    for k, roi in enumerate(REGIONS.names):
        stream = STREAM[roi]
        moving = (
            0.85 if roi in MOTION_ROIS else {"early": 0.15, "ventral": 0.05, "dorsal": 0.4}[stream]
        )
        colour = {"early": 0.2, "ventral": 0.5, "dorsal": 0.05}[stream]
        shares = np.array([1.0 - moving - min(colour, 1 - moving), min(colour, 1 - moving), moving])
        shares = shares + 0.03 * np.array([k % 3, (k + 1) % 3, (k + 2) % 3])
        found[roi] = np.hstack(
            [np.sqrt(w / p.shape[1]) * p for w, p in zip(shares, parts, strict=True)]
        )
    return found


def standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def responses(
    features: dict[str, np.ndarray],
    n_train: int,
    noise: float,
    seed: int,
    people: Iterable[int] = range(N_PERSON),
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Mean responses of people, ``(person, region) -> (train, test)``, each ``[clip, vertex]``."""
    found = {}
    for p in people:
        for r, (roi, x) in enumerate(features.items()):
            rng = np.random.default_rng(np.random.SeedSequence([seed, p, r]))
            n_vertex = int(rng.integers(20, 60))
            mix = rng.standard_normal((x.shape[1], n_vertex))
            # a person's geometry is the planted one, stretched a little in a way of their own
            own = np.exp(0.15 * rng.standard_normal(x.shape[1]))
            clean = (x * own) @ mix
            sd = noise * clean.std()
            part = []
            for split, rows in (("train", slice(None, n_train)), ("test", slice(n_train, None))):
                error = sd / np.sqrt(REPEATS[split])
                signal = clean[rows]
                part.append((signal + error * rng.standard_normal(signal.shape)).astype(np.float32))
            found[f"person-{p + 1:02d}", roi] = (part[0], part[1])
    return found


def geometry(
    features: dict[str, np.ndarray], n_train: int, seed: int, n_unit: int = 200
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What all people share, as responses without noise: the features mixed into units, ``region -> (train, test)``.

    Mixed, because linear predictivity standardises every column: the features of two regions are the same columns in
    other scales, and would be one predictor.
    """
    found = {}
    for r, (roi, x) in enumerate(features.items()):
        rng = np.random.default_rng(np.random.SeedSequence([seed, N_PERSON + 1, r]))
        units = x @ rng.standard_normal((x.shape[1], n_unit))
        found[roi] = (units[:n_train], units[n_train:])
    return found
