"""One valid call of every public function that gives no result of its own, and another valid value of every option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from tests.verb_calls import _BACKEND, Call, Other, needing
from tests.verb_data import (
    ROIS,
    STREAMS,
    best,
    brains,
    ceiling,
    files,
    folder,
    images,
    layers,
    network,
    new_folder,
    numbers,
    patterns,
    rdm_scores,
    rdms,
    repeats,
    study,
    tested,
    timed_brains,
    timed_rdms,
    two_bounds,
    unit_ceilings,
)

P = [0.01, 0.02, 0.2]

BASE: dict[str, Callable[[], Call]] = {
    "activations": lambda: {
        "model": network(),
        "layers": ["0"],
        "stimuli": images(),
        "folder": folder("activations"),
        "overwrite": True,
    },
    "adjust_p": lambda: {"p": P},
    "banded_ridge": lambda: {
        "brain": brains(),
        "bands": {str(k): numbers(30, 3, seed=k) for k in range(2)},
        "n_fold": 3,
        "n_try": 3,
    },
    "closed_p": lambda: {"p": P},
    "cluster": lambda: {"client": "tcp://127.0.0.1:9"},
    "compact_letters": lambda: {"labels": ["a", "b"], "different": [("a", "b")]},
    "concat": lambda: {"tables": (best().where(roi="V1"), best().where(roi="V2"))},
    "commonality": lambda: {"brain": rdms().brain, "models": rdms().models},
    "regression_rsa": lambda: {"brain": rdms().brain, "models": rdms().models},
    "partial_similarity": lambda: {"brain": rdms().brain, "models": rdms().models},
    "fitted": lambda: {"kind": "weighted", "members": rdms().models},
    "hierarchical_p": lambda: {"p": P, "groups": ["a", "a", "b"]},
    "hyperalign": lambda: {"brain": {k: (v, v + 0.1) for k, v in brains().items()}},
    "linear_predictivity": lambda: {"brain": brains(), "models": layers(), "n_fold": 3},
    "load_result": lambda: {"path": f"{files()}/result"},
    "margin": lambda: {"value": 0.1},
    "measure": lambda: {"what": "mutual-knn"},
    "ncsnr": lambda: {"repeats": repeats()},
    "normalize_encoding": lambda: {
        "table": apa.linear_predictivity(brains(), layers(), n_fold=3),
        "ceilings": {key: 0.6 for key in brains()},
        "scale": "r2",
    },
    "normalized_rows": lambda: {"table": best(), "ceiling": ceiling()},
    "pattern_agreement": lambda: {"patterns": patterns()},
    "pattern_similarity": lambda: {"x": numbers(6, 3).T, "y": numbers(6, 3, seed=1).T},
    "random_feature_models": lambda: {
        "like": rdms().brain,
        "n_model": 3,
        "n_feature": 20,
        "rng": 1,
    },
    "rdm_similarity": lambda: {"x": rdms().brain.vectors, "y": rdms().models.vectors},
    "rdms_from_patterns": lambda: {"patterns": brains()},
    "read": lambda: {"source": f"{files()}/scores.csv"},
    "read_patterns": lambda: {"source": f"{files()}/patterns.npz"},
    "read_rdms": lambda: {"source": f"{files()}/rdms.npz"},
    "read_regions": lambda: {"source": f"{files()}/regions.csv"},
    "references": lambda: {"results": (tested(),)},
    "report": lambda: {"results": (tested(),)},
    "run_study": lambda: {
        "study": f"{files()}/study.toml",
        "output": folder("study"),
        "overwrite": True,
    },
    "score": lambda: {"brain": rdms().brain, "models": rdms().models},
    "score_patterns": lambda: {"brain": brains(), "models": layers()},
    "select_layer": lambda: {"table": study().scores},
    "selected_rows": lambda: {"table": study().scores, "selection": best()},
    "sequential_p": lambda: {"p": P},
    "signal_power": lambda: {"repeats": repeats()},
    "simulate": lambda: {"n_subject": 4, "n_model": 3, "n_layer": 2, "rois": ROIS, "rng": 1},
    "simulate_rdms": lambda: {
        "n_subject": 3,
        "n_stimulus": 8,
        "rois": ROIS,
        "n_model": 2,
        "rng": 1,
    },
    "simulate_stimuli": lambda: {"n_stimulus": 4, "size": 8, "rng": 1},
    "split_half": lambda: {"repeats": repeats(), "n_split": 10, "rng": 1},
}

SPECIAL: dict[str, dict[str, Any]] = {
    "commonality": {
        "method": "pearson",
        "groups": lambda: {
            str(m): [f"{m} {x}" for x in part["layer"]]
            for m, part in rdms().models.labels.groupby("model")
        },
    },
    "regression_rsa": {"method": "pearson", "nonnegative": True, "standardized": False},
    "partial_similarity": {"method": "kendall", "kind": "semipartial"},
    "fitted": {
        "name": "mine",
        "nonnegative": False,
        "ridge": 0.1,
        "groups": Other(["a", "b", "b"], {"kind": "features", "members": numbers(12, 3)}),
        "stimuli": Other(
            [f"i{k}" for k in range(12)], {"kind": "features", "members": numbers(12, 3)}
        ),
    },
    "activations": {
        "folder": lambda: folder("activations_2"),
        "batch_size": 2,
        "device": "cpu:0",
        "project": 50,
        "seed": needing(2, project=50),
        "frames": lambda: Other(
            "clip", {"frames": "each", "stimuli": clips()}, {"model": clip_network()}
        ),
        "frame_axis": lambda: needing(2, stimuli=clips(), frames="clip", model=clip_network()),
        "transform": lambda: np.negative,
        "element": lambda: {"0": None},
        # the other folder is not there yet
        "overwrite": lambda: Other(False, {}, {"folder": new_folder()}),
    },
    "adjust_p": {"adjust": "bh", "family_size": 5},
    "banded_ridge": {
        **_BACKEND,
        "kernels": "rbf",
        "alphas": [1.0, 10.0],
        "n_try": 4,
        "per": "set",
        "folds": "contiguous",
        "groups": [i // 3 for i in range(30)],
        "delays": [0, 1],
        "average": "median",
        "by_unit": True,
        "ceilings": lambda: needing(unit_ceilings(), by_unit=True),
        "batch": 2,
        "n_fold": 4,
        "seed": 2,
    },
    "closed_p": {"local": "bonferroni"},
    "hierarchical_p": {"local": "bonferroni"},
    "hyperalign": {"n_component": 2, "n_iteration": 3},
    "linear_predictivity": {
        "models": lambda: layers() | {("m3", "l1"): numbers(30, 5)},
        "references": ["leave_one_out"],
        "alphas": [1.0, 10.0],
        "folds": "contiguous",
        "groups": [i // 3 for i in range(30)],
        "score": "r",
        "per": "unit",
        "delays": [0, 1],
        "average": "median",
        "across_time": lambda: needing(True, brain=timed_brains(), references=["leave_one_out"]),
        "by_unit": True,
        "ceilings": lambda: needing(unit_ceilings(), by_unit=True),
        "n_fold": 4,
        "seed": 2,
    },
    "margin": {
        "of": "sd",
        "unit": lambda: needing("spread", of=apa.noise_ceiling(study().scores)),
        "bound": lambda: needing(
            "upper", of=apa.noise_ceiling(rdms().brain, kind="nili"), bound="lower"
        ),
    },
    "measure": {"name": "neighbours"},
    "ncsnr": {"n_average": 2},
    "normalize_encoding": {
        "ceilings": {key: 0.5 for key in brains()},
        "scale": "r",
        "minimum": 0.1,
    },
    "normalized_rows": {
        "how": "ratio_of_means",
        "bound": lambda: needing(
            "upper", table=rdm_scores(), ceiling=two_bounds(), bound="lower", on_low="nan"
        ),
        "on_low": "nan",
    },
    "pattern_similarity": {"similarity": "cosine"},
    "random_feature_models": {"n_model": 4, "n_feature": 30, "rng": 2},
    "rdm_similarity": {
        **_BACKEND,
        "method": "spearman",
        "sigma_k": lambda: needing(np.linspace(1, 2, 12), method="corr_cov"),
        "batch": 2,
    },
    "rdms_from_patterns": {
        **_BACKEND,
        "names": ["person", "region"],
        "method": "euclidean",
        "stimuli": [f"stimulus {i}" for i in range(30)],
        "noise": lambda: needing(np.eye(5) * 2, method="mahalanobis", noise=np.eye(5)),
        "cv_descriptor": lambda: needing(
            [i // 6 for i in range(30)],
            method="crossnobis",
            stimuli=[f"stimulus {i % 3}" for i in range(30)],
            cv_descriptor=[i // 3 for i in range(30)],
        ),
    },
    "read": {
        "layout": "tidy",
        "rename": lambda: {"stream": "area"},
        "defaults": {"kind": "model"},
        "wide": lambda: Other("model", {}, {"source": wide()}),
        "rois": ["V1", "V2"],
        "keys": ["stream"],
        "covariates": ["stream"],
        "ignore": ["stream"],
        "sep": ",",
        "decimal": ".",
        "encoding": "utf-8",
        "comment": "#",
        "sheet": "scores",
        "on_duplicate": "first",
        "cache": lambda: f"{folder('cache')}/scores.parquet",
    },
    "read_patterns": {"model": "net"},
    "read_rdms": {
        "layout": lambda: needing(
            [{"array": "rdms", "axes": ["subject"]}], source=f"{files()}/stack.npz"
        ),
        "labels": {"session": "a"},
        "stimuli": [f"picture {i}" for i in range(12)],
        "pattern_descriptor": lambda: needing("index", source=rdms().brain.to_rsatoolbox()),
    },
    "read_regions": {
        "rename": {"group": "stream"},
        "sep": ",",
        "decimal": ".",
        "encoding": "utf-8",
        "sheet": lambda: Other("regions", {}, {"source": region_sheet()}),
    },
    "report": {
        "truth": lambda: (
            apa.simulate(n_subject=3, n_model=2, n_layer=1, rois=["V1", "V4"], rng=1).truth
        ),
        "title": "Another title",
        "study_text": "[study]",
        "command": "apastats run study.toml",
        "notes": ["a note"],
        "style": "nature",
        "interactive": True,
        "max_rows": 3,
        "headings": ["A heading"],
    },
    "run_study": {
        "assignments": ["study.seed=4"],
        "output": lambda: new_folder(),
        "overwrite": lambda: Other(False, {}, {"output": new_folder()}),
        "progress": lambda: print,
    },
    "score": {
        **_BACKEND,
        "models": lambda: rdms().models.select(model="model_01"),
        "method": "spearman",
        "references": ["leave_one_out"],
        "sigma_k": lambda: needing(np.linspace(1, 2, 12), method="corr_cov"),
        "rerank": needing(True, method="spearman"),
        "across_time": lambda: needing(True, brain=timed_rdms()),
        "split": "train",
        "batch": 1,
    },
    "score_patterns": {
        **_BACKEND,
        "measure": "cka-debiased",
        "batch": 2,
        "models": lambda: layers() | {("m3", "l1"): numbers(30, 5)},
        "distance": "euclidean",
        "method": "spearman",
        "references": ["leave_one_out"],
        "reference_from": "pooled_rdms",
        "across_time": lambda: needing(True, brain=timed_brains()),
        "stimuli": [f"stimulus {i}" for i in range(30)],
        "split": "train",
    },
    "select_layer": {
        "on": "cross_subject",
        "split": needing("train", on="cross_subject", split="test"),
        "outcome": lambda: needing("z", table=all_agreement(), on="cross_subject"),
    },
    "simulate": {
        "n_subject": 5,
        "n_model": 4,
        "n_layer": 3,
        "models": ["a", "b", "c"],
        "n_tied": 2,
        "gap": 0.2,
        "rois": ROIS[:3],
        "streams": STREAMS,
        "metrics": ["rsa", "encoding"],
        "n_partner": 2,
        "mimic": True,
        "subject_sd": 0.3,
        "roi_subject_sd": 0.2,
        "model_subject_sd": 0.05,
        "noise_sd": 0.02,
        "rng": 2,
    },
    "simulate_rdms": {
        "n_subject": 4,
        "n_stimulus": 9,
        "n_model": 3,
        "n_layer": 2,
        "rois": ROIS[:3],
        "streams": STREAMS,
        "reliability": 0.4,
        "model_noise": 0.4,
        "rng": 2,
    },
    "simulate_stimuli": {"n_stimulus": 5, "size": 9, "n_frame": 3, "rng": 2},
    "split_half": {"n_split": 20, "rng": 2},
}


def all_agreement() -> apa.ScoreTable:
    """Agreement of all layers."""
    return apa.pattern_agreement(patterns())


def region_sheet() -> str:
    """A workbook of regions."""
    made = f"{folder('sheets')}/regions.xlsx"
    pd.DataFrame({"name": ["V1", "MT"]}).to_excel(made, sheet_name="regions", index=False)
    return made


def wide() -> Any:
    """Scores with one column per model."""
    frame = best().frame
    return frame.pivot_table(
        index=["subject", "roi"], columns="model", values="score"
    ).reset_index()


def clips() -> np.ndarray:
    """Clips ``[stimulus, frame, channel, height, width]``."""
    return np.stack([images()] * 3, axis=1)


def clip_network() -> Any:
    """A network that takes clips whole."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv3d(3, 2, 2))
