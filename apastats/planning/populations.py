"""Populations with a known truth for calibration: generators that share no code with the verbs they judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DesignError
from apastats.io.rdm_set import RDMSet
from apastats.table import ScoreTable

__all__ = ["NOISE", "SCORES", "Population", "from_pilot", "rdm_study", "score_study"]

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _lognormal(g: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    # sigma 0.5: skewness 1.75
    mean, sd = np.exp(0.125), np.sqrt((np.exp(0.25) - 1) * np.exp(0.25))
    return np.asarray((np.exp(0.5 * g.standard_normal(shape)) - mean) / sd)


def _student(g: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(g.standard_t(3, shape) / np.sqrt(3))


# deviations of mean 0 and SD 1
NOISE: Mapping[str, Draw] = MappingProxyType(
    {
        "normal": lambda g, shape: g.standard_normal(shape),
        "skewed": _lognormal,
        "heavy": _student,
    }
)


@dataclass(frozen=True)
class Population:
    """Where people, models and regions come from.

    Attributes
    ----------
    name : str
        Name of the design.
    noise : str
        Distribution of all deviations, a key of :data:`NOISE`.
    mean : numpy.ndarray
        ``[n_roi]`` score of the best model.
    subject_sd : float
        SD over subjects of what all models share, as a share of ``mean``.
    model_sd : numpy.ndarray
        ``[n_model]`` SD over subjects of a model's own deviation, as a share of ``mean``.
    decimals : int or None
        Decimals that scores are rounded to, which makes ties.
    across : float
        Share of the variances that a subject has in common over regions.
    """

    name: str
    noise: str
    mean: np.ndarray
    subject_sd: float
    model_sd: np.ndarray
    decimals: int | None = None
    across: float = 0.5

    @property
    def rois(self) -> list[str]:
        """Names of the regions."""
        return [f"roi_{j + 1:02d}" for j in range(len(self.mean))]

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return [f"model_{i + 1:02d}" for i in range(len(self.model_sd))]


_FOUR = np.full(4, 0.06)
_BASE = Population("normal", "normal", np.array([0.4, 0.3, 0.2]), 0.2, _FOUR)
SCORES: Mapping[str, Population] = MappingProxyType(
    {
        "normal": _BASE,
        "skewed": replace(_BASE, name="skewed", noise="skewed"),
        "heavy": replace(_BASE, name="heavy", noise="heavy"),
        "unequal": replace(_BASE, name="unequal", model_sd=np.array([0.12, 0.06, 0.06, 0.06])),
        "ties": replace(_BASE, name="ties", decimals=2),
    }
)


def from_pilot(table: ScoreTable) -> Population:
    """Population with the regions, models and spreads of a table of scores.

    Means are those of the best model of each region; spreads are pooled over regions as shares of the means.

    Raises
    ------
    DesignError
        If there are fewer than two models, three subjects with all of them, or a mean that is not above 0.
    """
    rows = table.where(kind="model").frame
    wide = rows.pivot_table(index="subject", columns=["roi", "model"], values="score").dropna()
    models = list(dict.fromkeys(wide.columns.get_level_values("model")))
    places = set(wide.columns.get_level_values("roi"))
    # a model that was not run everywhere has no spread to take
    models = [m for m in models if all((r, m) in wide.columns for r in places)]
    if len(models) < 2 or len(wide) < 3:
        raise DesignError(
            f"calibrate: the pilot has {len(models)} models and {len(wide)} complete subjects; at least 2 and 3 are "
            "needed"
        )
    rois = list(dict.fromkeys(wide.columns.get_level_values("roi")))
    x = np.stack([wide[r][models].to_numpy() for r in rois], axis=2)
    n, k = x.shape[:2]
    mean = x.mean(axis=0).max(axis=0)
    if not (mean > 0).all():
        raise DesignError("calibrate: the best mean of a region of the pilot is not above 0")
    x = x / mean
    own = x - x.mean(axis=1, keepdims=True)
    own = own - own.mean(axis=0)
    spread = (own**2).sum(axis=0).mean(axis=1) / (n - 1)
    # about the mean of all models a variance v_i becomes v_i (1 - 2 / k) + (mean of v) / k
    typical = spread.mean() * k / (k - 1)
    alone = (spread - typical / k) / (1 - 2 / k) if k > 2 else np.full(k, typical)
    sd = np.sqrt(np.maximum(alone, 0.01 * typical))
    shared = x.mean(axis=1).var(axis=0, ddof=1).mean() - (sd**2).mean() / k
    return Population("pilot", "normal", mean, float(np.sqrt(max(shared, 0.0))), sd)


def score_study(
    g: np.random.Generator, population: Population, n: int, behind: np.ndarray
) -> ScoreTable:
    """Scores of n people, with ceilings of which the scores of the best model are nine tenths.

    ``behind [n_model]``: how far each model lies below the best, as a share of the ceiling.
    """
    draw = NOISE[population.noise]
    k, rois = len(population.model_sd), population.rois
    common, rest = np.sqrt(population.across), np.sqrt(1 - population.across)

    def deviations(of: int) -> np.ndarray:
        return np.asarray(common * draw(g, (n, of, 1)) + rest * draw(g, (n, of, len(rois))))

    shared = 1 + population.subject_sd * deviations(1)
    own = population.model_sd[:, None] * deviations(k)
    ceiling = population.mean * shared[:, 0] / 0.9
    score = population.mean * (shared + own - behind[:, None] / 0.9)
    if population.decimals is not None:
        score = np.round(score, population.decimals)
    people = [f"s{i + 1:03d}" for i in range(n)]
    index = pd.MultiIndex.from_product(
        [people, population.models, rois], names=["subject", "model", "roi"]
    )
    models = pd.DataFrame({"score": score.ravel()}, index=index).reset_index()
    brain = pd.DataFrame(
        {"subject": np.repeat(people, len(rois)), "roi": np.tile(rois, n), "score": ceiling.ravel()}
    )
    brain = brain.assign(kind="leave_one_out", model="others", layer=brain["roi"])
    frame = pd.concat([models.assign(kind="model", layer="layer_01"), brain], ignore_index=True)
    return ScoreTable(frame)


# reliability of a person's geometry: lowest and highest, and whether a second dimension varies over people
GEOMETRY: Mapping[str, tuple[float, float, bool]] = MappingProxyType(
    {
        "normal": (0.4, 0.8, False),
        "skewed": (0.15, 0.95, False),
        "heavy": (0.4, 0.8, False),
        "unequal": (0.05, 0.5, False),
        "ties": (0.4, 0.8, True),
    }
)


def rdm_study(
    g: np.random.Generator, population: Population, n: int, *, common: bool = False
) -> tuple[RDMSet, RDMSet, Mapping[str, Any]]:
    """RDMs of n people in several regions, and of models, so that everything people share is dyadic.

    A person's RDM is ``a T_roi + b F_roi + e``: the geometry T of the region with a reliability a of the person's own,
    a second dimension F that people follow more or less, and noise. Neighbouring regions share half of their geometry.
    Models: ``model_01`` is what the regions share with small errors of its own, ``further`` one more person drawn as
    the others, ``random`` unrelated. ``common``: all regions have the geometry of the first.
    """
    draw = NOISE[population.noise]
    rois = [f"roi_{j + 1:02d}" for j in range(max(6, len(population.mean)))]
    low, high, second = GEOMETRY.get(population.name, (0.4, 0.8, False))
    stimuli = 16
    pairs = stimuli * (stimuli - 1) // 2
    # the geometry belongs to the population: the same for every study of it
    fixed = np.random.default_rng(20_240_607)
    steps = fixed.standard_normal((len(rois) + 1, pairs))
    truth = (steps[:-1] + steps[1:]) / np.sqrt(2)
    other = fixed.standard_normal((len(rois), pairs))
    if common:
        truth, other = (np.repeat(v[:1], len(rois), axis=0) for v in (truth, other))
    a = g.uniform(low, high, (n + 1, 1, 1))
    b = 0.5 * g.standard_normal((n + 1, 1, 1)) if second else np.zeros((n + 1, 1, 1))
    noise = draw(g, (n + 1, len(rois), pairs))
    people = a * truth + b * other + np.sqrt(1 - a**2) * noise
    names = [f"s{i + 1:03d}" for i in range(n)]
    brain = RDMSet(
        people[:n].reshape(-1, pairs),
        pd.DataFrame({"subject": np.repeat(names, len(rois)), "roi": np.tile(rois, n)}),
    )
    model = np.concatenate(
        [truth + 0.5 * fixed.standard_normal(truth.shape), people[n], draw(g, (len(rois), pairs))]
    )
    labels = pd.DataFrame(
        {
            "model": np.repeat(["model_01", "further", "random"], len(rois)),
            "layer": np.tile([f"layer_{j + 1:02d}" for j in range(len(rois))], 3),
        }
    )
    return brain, RDMSet(model, labels), {"rois": rois}
