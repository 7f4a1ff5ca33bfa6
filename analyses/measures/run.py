"""Which conclusions hold under which measures: ``python analyses/measures/run.py DATA OUT``; see README.md for DATA."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.numbers.grams import squares

HERE = Path(__file__).resolve().parent
# a report repeats the command; where the repository is the folder, without the path of a machine
FILES = Path("analyses/measures") if Path("analyses/measures/study.toml").exists() else HERE
REGIONS = ("V1", "V2", "V4", "LO", "IT")
N_SUBJECT, N_STIMULUS, N_DIM = 8, 60, 12
Sets = dict[tuple[str, str], np.ndarray]


def simulated(seed: int = 15) -> tuple[Sets, Sets]:
    """Regions that transform stimuli in turn, and models: one follows them, one stays early, one is wide and random."""
    rng = np.random.default_rng(seed)
    stages = [rng.standard_normal((N_STIMULUS, N_DIM))]
    for _ in REGIONS[1:]:
        turn = rng.standard_normal((N_DIM, N_DIM)) / np.sqrt(N_DIM)
        stages.append(np.tanh(1.5 * stages[-1] @ turn) * 1.5)
    brain = {}
    for s in range(N_SUBJECT):
        for roi, z in zip(REGIONS, stages, strict=True):
            vertices = int(rng.integers(30, 60))
            readout = rng.standard_normal((N_DIM, vertices)) / np.sqrt(N_DIM)
            brain[f"s{s + 1:02d}", roi] = z @ readout + 0.8 * rng.standard_normal(
                (N_STIMULUS, vertices)
            )
    models: Sets = {}
    for layer, k in enumerate((0, 2, 4)):
        follows = np.hstack([stages[k], rng.standard_normal((N_STIMULUS, 10))])
        models["hierarchical", f"layer{layer + 1}"] = follows
        early = stages[0] @ rng.standard_normal((N_DIM, 20)) / np.sqrt(N_DIM)
        models["early", f"layer{layer + 1}"] = early * np.abs(early) ** (0.5 * layer)
        wide = stages[0] @ rng.standard_normal((N_DIM, 300)) / np.sqrt(N_DIM)
        models["wide", f"layer{layer + 1}"] = np.maximum(
            0, wide + (1 + layer) * rng.standard_normal((N_STIMULUS, 300))
        )
    return brain, models


def points(rdms: np.ndarray) -> list[np.ndarray]:
    """Points ``[n, r]`` whose squared distances are the RDMs ``[m, n, n]`` (classical scaling).

    An RDM of 1 - r is one of squared distances of standardised patterns. What is negative of others is left out.
    """
    i, j = np.triu_indices(rdms.shape[1], 1)
    values, vectors = np.linalg.eigh(squares(rdms[:, i, j].astype("f8")))
    return [
        v[:, kept] * np.sqrt(w[kept])
        for w, v in zip(values, vectors, strict=True)
        for kept in [w > 1e-9 * w.max()]
    ]


def images92(folder: Path) -> tuple[Sets, Sets]:
    """Subjects, published models and every fifth layer of a network, trained or not."""
    with np.load(folder / "cichy2014_fmri_rdms.npz") as file:
        rdms, rois, subjects = file["rdms"], file["roi"], file["subject"]
    brain = {
        (str(s), str(roi)): x
        for s, per_subject in zip(subjects, rdms, strict=True)
        for roi, x in zip(rois, points(per_subject), strict=True)
    }
    with np.load(folder / "model_rdms.npz") as file:
        models = {
            (str(m), "-"): x for m, x in zip(file["model"], points(file["rdms"]), strict=True)
        }
    with np.load(folder / "efficientnet_lite0_rdms.npz") as file:
        for name in ("trained_grey", "untrained_grey"):
            made = points(file[name][::5])
            for layer, x in zip(file["layer"][::5], made, strict=True):
                models[f"EfficientNet {name.replace('_', ' ')}", str(layer)] = x
    return brain, models


def study(toml: Path, sets: tuple[Sets, Sets], folder: Path, output: Path) -> Any:
    """Run a study on patterns that are written first."""
    paths = [folder / f"{side}.npz" for side in ("brain", "models")]
    for path, side in zip(paths, sets, strict=True):
        np.savez(path, **{"/".join(key): value for key, value in side.items()})
    assignments = (f"inputs.patterns={paths[0]}", f"inputs.model_patterns.all.path={paths[1]}")
    return apa.run_study(toml, assignments=assignments, output=output, overwrite=True)


def conclusions(scores: apa.ScoreTable, first: str = "cka-debiased") -> pd.DataFrame:
    """What each measure says of the models of each region.

    Columns: ``decision`` (the best, worse than the best, or not told apart from it: Hsu's comparisons at 5 %
    over subjects), ``place``, ``share_of_ceiling`` (mean score over that of the mean other subject), ``order_as_first``
    (Spearman correlation of the models' means with those of the first measure).
    """
    best = apa.select_layer(scores, on="cross_subject")
    rows = []
    for metric in scores.levels("metric"):
        part = best.where(metric=metric, kind="model")
        ceiling = apa.noise_ceiling(scores.where(metric=metric), kind="leave_one_out").table
        ceiling = ceiling.set_index("roi")["estimate"]
        means = part.frame.groupby(["roi", "model"])["score"].mean()
        reference = best.where(metric=first, kind="model").frame.groupby(["roi", "model"])
        order = pd.concat([means, reference["score"].mean()], axis=1)
        found = apa.equivalence_set("score ~ model | roi", part, method="mcb").table
        for row in found.itertuples():
            mean = means[row.roi]
            same = order.loc[row.roi].corr("spearman").iloc[0, 1]
            place = int(mean.rank(ascending=False, method="min")[row.model])
            rows.append(
                {
                    "roi": row.roi,
                    "model": row.model,
                    "measure": metric,
                    "decision": "the best" if place == 1 else decision(row),
                    "place": place,
                    "share_of_ceiling": mean[row.model] / ceiling[row.roi],
                    "order_as_first": same,
                }
            )
    return pd.DataFrame(rows)


def decision(row: Any) -> str:
    """Words for a row of the set of the best."""
    return "not told apart from the best" if row.in_set else "worse than the best"


def draw(table: pd.DataFrame, path: Path) -> None:
    """Decision about every model under every measure, a panel per region."""
    import matplotlib as mpl

    from apastats.plots.decisions import sensitivity

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "measures"
    for roi, part in table.groupby("roi", sort=False):
        ax = sensitivity(part, rows="model", analysis="measure", title=str(roi))
        ax.figure.savefig(
            path.with_name(f"{path.stem}_{roi}.svg"), bbox_inches="tight", metadata={"Date": None}
        )


def main() -> None:
    """Run both studies and put what they say side by side."""
    data, output = Path(sys.argv[1]), Path(sys.argv[2])
    work = output.with_name(f"{output.name}_patterns")
    work.mkdir(exist_ok=True)
    made = study(FILES / "study.toml", simulated(), work, output)
    other = study(FILES / "images92.toml", images92(data / "images92"), work, work / "images92")
    shutil.copy(other.report_path, output / "images92.html")
    for table in (other.folder / "tables").glob("*.csv"):
        shutil.copy(table, output / "tables" / f"images92_{table.name}")
    for name, run in (("simulated", made), ("images92", other)):
        found = conclusions(run.results["scores"])
        found.to_csv(output / "tables" / f"conclusions_{name}.csv", index=False)
        draw(found, output / f"conclusions_{name}.svg")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
