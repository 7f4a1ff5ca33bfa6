"""RDMs and stimuli with a known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.arguments import checked, number, numbers
from apastats.errors import InputError
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.simulation.simulate import (
    layer_weights,
    positive_int,
    regions,
    roi_similarity,
    truth_rows,
)

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = ["SimulatedRDMs", "simulate_rdms", "simulate_stimuli"]


@dataclass(frozen=True, eq=False)
class SimulatedRDMs:
    """RDMs of subjects and models with known expected correlations.

    Attributes
    ----------
    brain, models : RDMSet
        Labels ``subject, roi`` and ``model, layer``.
    truth : pandas.DataFrame
        Expected correlation per ``kind, model, layer, roi``.
    settings : mapping
    """

    brain: RDMSet
    models: RDMSet
    truth: pd.DataFrame
    settings: Mapping[str, Any]


@checked
def simulate_rdms(
    *,
    n_subject: int = 10,
    n_stimulus: int = 40,
    n_model: int = 4,
    n_layer: int = 4,
    rois: Sequence[str] | None = None,
    streams: Mapping[str, Sequence[str]] | None = None,
    reliability: float | Sequence[float] = 0.3,
    model_noise: float = 0.5,
    rng: RngLike = None,
) -> SimulatedRDMs:
    """Simulate RDMs of subjects and models whose expected correlations are known.

    Parameters
    ----------
    n_subject, n_stimulus, n_model, n_layer : int
        Sizes.
    rois, streams : optional
        As in :func:`simulate`.
    reliability : float or sequence of float
        Expected correlation of the RDMs of two subjects, one number or one per ROI, in (0, 1].
    model_noise : float
        Share of a model RDM's variance that has nothing to do with any ROI.
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    SimulatedRDMs

    See Also
    --------
    simulate, simulate_stimuli, score

    Notes
    -----
    True RDMs ``T_r`` of the ROIs are Gaussian over pairs with correlation ``K_rt``. A subject's RDM is
    ``sqrt(rel_r) T_r + sqrt(1 - rel_r) noise``, so two subjects correlate ``sqrt(rel_r rel_t) K_rt`` and the mean
    of n - 1 others correlates with the last one ``sqrt(rel_t) K_rt / sqrt(1 + (1 / rel_r - 1) / (n - 1))``.
    Vectors are shifted and scaled to look like correlation distances (mean 1, SD 0.2).

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> rdms = simulate_rdms(n_subject=3, n_stimulus=12, rois=["V1", "V2"], rng=0)
    >>> rdms.brain.vectors.shape
    (6, 66)
    """
    from apastats.io.rdm_set import RDMSet

    n_subject = positive_int("n_subject", n_subject, 2)
    n_stimulus = positive_int("n_stimulus", n_stimulus, 4)
    n_model = positive_int("n_model", n_model, 1)
    n_layer = positive_int("n_layer", n_layer, 1)
    names, streams = regions(rois, streams)
    given = numbers("reliability", reliability, above=0, most=1)
    if len(given) not in (1, len(names)):
        raise InputError(
            "reliability", reliability, f"a number, or one for each of {len(names)} ROIs"
        )
    rel = np.broadcast_to(np.array(given), (len(names),))
    number("model_noise", model_noise, least=0, below=1)
    sequence = seed_sequence(rng)
    random = block_generator(sequence, 0)
    depth, similarity = roi_similarity(names, streams)
    n_pair = n_stimulus * (n_stimulus - 1) // 2
    root = np.linalg.cholesky(similarity)
    truth = root @ random.standard_normal((len(names), n_pair))
    noise = random.standard_normal((n_subject, len(names), n_pair))
    brain = np.sqrt(rel)[None, :, None] * truth[None] + np.sqrt(1 - rel)[None, :, None] * noise

    weights = np.concatenate(
        [layer_weights(depth, n_layer, np.zeros(len(names))) for _ in range(n_model)]
    )
    size = np.sqrt(np.einsum("kr,rt,kt->k", weights, similarity, weights))
    pure = (weights / size[:, None]) @ truth
    share = np.repeat(1 - model_noise * (np.arange(n_model) + 1) / n_model, n_layer)
    models = np.sqrt(share)[:, None] * pure + np.sqrt(1 - share)[:, None] * random.standard_normal(
        pure.shape
    )
    expected = np.sqrt(share)[:, None] * (weights / size[:, None]) @ similarity * np.sqrt(rel)[None]

    subjects = [f"sub-{i + 1:02d}" for i in range(n_subject)]
    predictors = [
        (f"model_{k + 1:02d}", f"layer_{i + 1:02d}") for k in range(n_model) for i in range(n_layer)
    ]
    stimuli = tuple(f"stimulus_{i + 1:03d}" for i in range(n_stimulus))
    pair_truth = np.sqrt(np.outer(rel, rel)) * similarity
    pooled = np.sqrt(rel)[None] * similarity / np.sqrt(1 + (1 / rel[:, None] - 1) / (n_subject - 1))
    key: dict[str, str] = {}
    table = pd.concat(
        [
            truth_rows("model", predictors, names, expected, key),
            truth_rows("leave_one_out", [("others", r) for r in names], names, pooled, key),
            truth_rows("subject_to_subject", [("any", r) for r in names], names, pair_truth, key),
        ],
        ignore_index=True,
    )
    labels = pd.DataFrame(
        {"subject": np.repeat(subjects, len(names)), "roi": np.tile(names, n_subject)}
    )
    model_labels = pd.DataFrame(
        {"model": [m for m, _ in predictors], "layer": [la for _, la in predictors]}
    )
    settings = {"n_subject": n_subject, "n_stimulus": n_stimulus, "seed": recorded_seed(sequence)}
    return SimulatedRDMs(
        RDMSet(1 + 0.2 * brain.reshape(-1, n_pair), labels, stimuli),
        RDMSet(1 + 0.2 * models, model_labels, stimuli),
        table,
        settings,
    )


@checked
def simulate_stimuli(
    *, n_stimulus: int = 40, size: int = 32, n_frame: int | None = None, rng: RngLike = None
) -> np.ndarray:
    """Images or clips to run a network on: drifting gratings of random orientation with a coloured blob.

    Parameters
    ----------
    n_stimulus : int
        Number of stimuli.
    size : int
        Height and width in pixels.
    n_frame : int, optional
        Frames per clip, over which the grating drifts by one period; None makes images.
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    numpy.ndarray of float32
        ``[n_stimulus, 3, size, size]``, or ``[n_stimulus, n_frame, 3, size, size]``; values about -2.5 to 2.5.

    Raises
    ------
    InputError
        If a size is impossible.

    See Also
    --------
    simulate_rdms, simulate

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> simulate_stimuli(n_stimulus=5, size=16, n_frame=3, rng=0).shape
    (5, 3, 3, 16, 16)
    """
    n = positive_int("n_stimulus", n_stimulus, 1)
    size = positive_int("size", size, 4)
    frames = 1 if n_frame is None else positive_int("n_frame", n_frame, 1)
    random = block_generator(seed_sequence(rng), 0)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    angle, frequency = random.uniform(0, np.pi, (n, 1, 1, 1)), random.uniform(2, 8, (n, 1, 1, 1))
    phase = random.uniform(0, 2 * np.pi, (n, 1, 1, 1))
    drift = 2 * np.pi * np.arange(frames)[None, :, None, None] / frames
    along = np.cos(angle) * x + np.sin(angle) * y
    grating = np.sin(2 * np.pi * frequency * along + phase + drift)
    center = random.uniform(-0.3, 0.3, (2, n, 1, 1))
    blob = np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / 0.02)
    color = random.uniform(-1, 1, (n, 3, 1, 1))
    clips = (0.5 * grating[:, :, None] + 2 * (color * blob[:, None])[:, None]).astype("f4")
    return clips[:, 0] if n_frame is None else clips
