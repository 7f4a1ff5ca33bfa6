"""Parts of held-out variance by bands of features under resamples of stimuli, or of subjects and stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apastats import arguments
from apastats.arguments import applies
from apastats.bootstrapping.bootstrap_rdms import stimulus_cells, stimulus_plans
from apastats.errors import InputError
from apastats.resampling.plans import Plan, Resamples
from apastats.scoring.folds import delayed, parse_delays
from apastats.scoring.measures.measure import MEASURES, measure
from apastats.scoring.response_patterns import check_same_rows, checked_patterns, rows_by_name
from apastats.scoring.stimuli.measured import WeightKernel
from apastats.scoring.stimuli.stimuli import StimulusSetup
from apastats.scoring.unique_kernel import Question

__all__ = ["check_stimuli_drawn", "parts_by_stimulus"]


def check_stimuli_drawn(
    drawn: tuple[str, ...], fit: str, options: Mapping[str, Any], split: str | None
) -> None:
    """Refuse what has no weights of stimuli.

    Raises
    ------
    InputError
        Banded fits, a penalty per unit, the test split, delays without groups.
    """
    if "stimulus" not in drawn:
        return
    given: dict[str, Any] = {"chosen": " + ".join(drawn), "by": "cluster", "to": ["subject"]}
    applies("fit", fit, default="ridge", **given)
    applies("per", options["per"], default="set", **given)
    if split == "test":
        raise InputError("split", split, "'train' where stimuli are drawn: folds hold them out")
    delays = arguments.items("delays", options["delays"], "a list of whole numbers, each once")
    if list(delays) != [0] and options["groups"] is None:
        allowed = "[0] where rows are drawn one by one; groups= (runs) are drawn together"
        raise InputError("delays", options["delays"], allowed)


def parts_by_stimulus(
    brain: Mapping[tuple[str, str], Any],
    sets: Mapping[int, Any],
    question: Question,
    options: Mapping[str, Any],
    drawn: tuple[str, ...],
    labels: tuple[list[str], list[str]],
    n_resamples: Resamples,
    root: np.random.SeedSequence,
) -> tuple[dict[str, np.ndarray], Plan]:
    """Replicates of the parts in every ROI, cells in the order part, ROI; those that are tested under ``test_``.

    Parameters
    ----------
    brain : mapping
        As in :func:`apastats.variance_partitioning`.
    sets : mapping
        Number of a mask -> features of its bands, side by side.
    question : Question
    options : mapping
        ``alphas, n_fold, seed, folds, groups, delays``.
    drawn : tuple of str
        Factors that are drawn, stimuli among them.
    labels : tuple of list of str
        Subjects and ROIs, in the order of the result.
    n_resamples, root
        See :func:`apastats.bootstrapping.bootstrap_rdms.stimulus_plans`.

    Notes
    -----
    R2 of each set of bands is linear in the weights of the stimuli (:mod:`apastats.scoring.measures.held_out`), parts
    are sums and differences of these.
    """
    models = {(str(j), "-"): features for j, features in sets.items()}
    given, joined, _ = rows_by_name(brain, models)
    data = checked_patterns(given, "brain", pairs=True)
    features = checked_patterns(joined, "bands", pairs=True)
    check_same_rows(data, features)
    n = len(next(iter(data.values())).train)
    late = parse_delays(options["delays"], n)
    bands = {int(k[0]): delayed(p.compact().train, late) for k, p in features.items()}
    subjects, rois = labels
    units, plan, others = stimulus_plans(
        drawn, n, options["groups"], len(subjects), n_resamples, root, False
    )
    chosen = {k: v for k, v in options.items() if k in MEASURES["ridge"].rules}
    ridge = measure("ridge", **chosen | {"alphas": np.atleast_1d(options["alphas"]).tolist()})
    setups = []
    for roi in rois:
        people = [s for s in subjects if (s, roi) in data]
        x = [data[s, roi].compact().train for s in people]
        kernel = _PartKernel(
            [WeightKernel(ridge, x, [f], ()) for f in bands.values()], list(bands), question
        )
        places = np.array([subjects.index(s) for s in people])
        setups.append(
            StimulusSetup(
                np.zeros((len(people), 1)), np.zeros((len(question.sets), 1)), "cosine", plan, others, places, units,
                False, False, joint=kernel.itself,
            )
        )  # fmt: skip
    arrays = stimulus_cells(setups, len(question.sets), False, 1, None)
    kept = [j for j, p in enumerate(question.sets) if p[0] != "shared"]
    cells = np.concatenate([np.arange(j * len(rois), (j + 1) * len(rois)) for j in kept])
    names = ("replicates", "estimate", "std_error", "df")
    return arrays | {f"test_{k}": arrays[k][..., cells] for k in names}, plan


class _PartKernel:
    """Parts of R2 of one ROI: kernels of the sets of bands, by the number of the mask."""

    def __init__(
        self, kernels: Sequence[WeightKernel], masks: Sequence[int], question: Question
    ) -> None:
        self.kernels, self.masks, self.question = kernels, masks, question
        self.n = kernels[0].n

    def itself(self, x: np.ndarray, y: np.ndarray) -> Any:
        """The kernel; its data are in it."""
        return self

    def values(self, counts: np.ndarray, *, ceiling: bool = False) -> np.ndarray:
        """Parts ``[b, S, n_part]``; R2 of no band is 0."""
        found = {
            j: k.values(counts, ceiling=False)[..., 0]
            for j, k in zip(self.masks, self.kernels, strict=True)
        }
        none = np.zeros_like(next(iter(found.values())))
        masks = range(len(self.question.masks))
        return self.question.parts_of(np.stack([found.get(j, none) for j in masks], axis=2))
