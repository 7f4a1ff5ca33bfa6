"""Three leaderboards: ``python analyses/leaderboards/run.py DATA OUT``; see README.md for DATA."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

import apastats as apa
from apastats.errors import ApaWarning

SEED = 1
SHOWN = [
    "model",
    "estimate",
    "std_error",
    "place",
    "place_low",
    "place_high",
    "can_be_best",
    "filled",
]


def gokce(data: Path) -> dict[str, Any]:
    """Configurations of networks by five benchmarks; seeds of training are repeats."""
    frame = pd.read_csv(data / "gokce2024_scaling_scores" / "scores_by_region.csv.gz")
    frame["model"] = frame["model_id"].str.replace(r"_seed-\d+", "", regex=True)
    frame = frame.rename(columns={"region": "benchmark"})
    frame = frame[["model", "seed", "benchmark", "score"]].assign(subject="pooled", roi="all")
    table = apa.ScoreTable(frame)
    again = apa.leaderboard(table, item="benchmark", repeat="seed", rng=SEED)
    means = frame.groupby(["model", "benchmark"], as_index=False)["score"].mean()
    further = apa.leaderboard(
        apa.ScoreTable(means.assign(subject="pooled", roi="all")), item="benchmark", rng=SEED
    )
    return {
        "gokce2024_retrained": again,
        "gokce2024_benchmarks": further,
        "gokce2024_items": further.items(),
        "gokce2024_responses": further.response_model(),
        "gokce2024_missing": again.missing(delta=[-2.0, -1.0, 0.0]),
    }


def deepnsd(data: Path) -> dict[str, Any]:
    """Networks by three metrics, each in SDs over networks; and 55 networks by four people."""
    folder = data / "deepnsd_scores"
    frame = pd.read_csv(folder / "scores_group_mean.csv.gz")
    frame = frame[["model_string", "metric", "score"]].rename(columns={"model_string": "model"})
    # the metrics have different scales
    groups = frame.groupby("metric")["score"]
    frame["score"] = (frame["score"] - groups.transform("mean")) / groups.transform("std")
    table = apa.ScoreTable(frame.assign(subject="mean", roi="OTC"))
    metrics = apa.leaderboard(table, item="metric", rng=SEED)
    people = pd.read_csv(folder / "scores_by_subject.csv.gz")
    people = people[people["figure"].astype(str) == "2"]
    people = people[["model", "subject", "roi", "metric", "score"]]
    by_person = apa.leaderboard(apa.ScoreTable(people), item="subject", by="metric", rng=SEED)
    return {
        "deepnsd_metrics": metrics,
        "deepnsd_items": metrics.items(),
        "deepnsd_responses": metrics.response_model(),
        "deepnsd_people": by_person,
    }


def simulated() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth ``[524]``, scores ``[524, 99]`` with 43 % holes at random, and the same with holes where models fail.

    At random: the chance of a hole depends on model and item (strong models are run on hard items), not on the error.
    """
    rng = np.random.default_rng(17)
    truth = np.sort(rng.normal(0.35, 0.06, 524))[::-1]
    ease = rng.normal(0, 0.12, 99)
    error = rng.normal(size=(524, 99)) * np.exp(rng.normal(np.log(0.07), 0.3, 99))
    y = truth[:, None] + ease + error
    z = (truth - truth.mean()) / truth.std()
    taste = 0.8 * z[:, None] * (ease / ease.std()) + rng.logistic(size=y.shape)
    random = np.where(taste > np.quantile(taste, 0.57), np.nan, y)
    failed = -1.0 * error / error.std(axis=0) + rng.logistic(size=y.shape)
    not_random = np.where(failed > np.quantile(failed, 0.57), np.nan, y)
    return truth, random, not_random


def as_table(y: np.ndarray) -> apa.ScoreTable:
    i, j = np.nonzero(np.isfinite(y))
    frame = pd.DataFrame(
        {"model": np.char.mod("m%03d", i + 1), "benchmark": np.char.mod("b%02d", j + 1)}
    )
    return apa.ScoreTable(frame.assign(score=y[i, j], subject="all", roi="all"))


def against_truth(name: str, board: Any, y: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """How well a leaderboard, and plain means of the scores there are, find the truth."""
    table = board.table.sort_values("model")
    naive = np.nanmean(y, axis=1)
    first = 1 + (truth[None] > truth[:, None]).sum(axis=1)
    joint = (table["place_low"] <= first) & (first <= table["place_high"])
    each = (table["place_low_marginal"] <= first) & (first <= table["place_high_marginal"])
    slope = [np.polyfit(truth - truth.mean(), v - truth, 1)[0] for v in (table["estimate"], naive)]
    return {
        "table": name,
        "tau": kendalltau(table["estimate"], truth).statistic,
        "tau_plain_mean": kendalltau(naive, truth).statistic,
        "bias_slope": slope[0],
        "bias_slope_plain_mean": slope[1],
        "joint_intervals_hold": bool(joint.all()),
        "marginal_intervals_that_hold": each.mean(),
        "best_is_kept": bool(table["can_be_best"].to_numpy()[int(truth.argmax())]),
    }


def simulation() -> tuple[dict[str, Any], pd.DataFrame]:
    truth, random, not_random = simulated()
    boards, rows = {}, []
    for name, y in (("simulated_at_random", random), ("simulated_not_at_random", not_random)):
        boards[name] = apa.leaderboard(as_table(y), item="benchmark", rng=SEED)
        rows.append(against_truth(name, boards[name], y, truth))
    first = boards["simulated_at_random"]
    more = {"simulated_items": first.items(), "simulated_missing": first.missing()}
    return boards | more, pd.DataFrame(rows)


def summary(results: dict[str, Any], truth: pd.DataFrame) -> str:
    """The report, Markdown."""
    lines = [
        "# Leaderboards",
        "",
        "Made by `analyses/leaderboards/run.py`; the tables are beside.",
        "",
    ]
    for name, result in results.items():
        lines += [f"## {name.replace('_', ' ')}", ""]
        if result.kind == "leaderboard":
            by = list(result.info.by)
            table = result.table
            top = table.groupby(by).head(5) if by else table.head(5)
            lines += [markdown(result.counts().drop(columns=["steps", "n_draw"])), ""]
            lines += [markdown(top[[*by, *SHOWN]]), ""]
            lines += [f"{result.info.method}. Assumed: {result.info.extra['assumes']}.", ""]
        else:
            lines += [markdown(result.table.head(12)), ""]
            if "effective_items" in result.info.extra:
                found = result.info.extra["effective_items"]
                told = ", ".join("not known" if v is None else f"{v:.1f}" for v in found)
                lines += [f"Effective number of items: {told}.", ""]
        lines += [*(f"Note: {n}." for n in result.notes), ""] if result.notes else []
    lines += ["## Against the truth of the simulation", "", markdown(truth), ""]
    return "\n".join(lines)


def markdown(frame: pd.DataFrame) -> str:
    """A small table, numbers to three digits."""

    def cell(v: Any) -> str:
        if isinstance(v, float):
            return "" if np.isnan(v) else f"{v:.3g}"
        return "" if v is None else str(v)

    head = [
        "| " + " | ".join(map(str, frame.columns)) + " |",
        "| " + " | ".join("---" for _ in frame.columns) + " |",
    ]
    rows = ["| " + " | ".join(cell(v) for v in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join(head + rows)


def main(data: Path, out: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)  # they are notes of the results
        results = gokce(data) | deepnsd(data)
        boards, truth = simulation()
    results |= boards
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        result.tidy().to_csv(out / "tables" / f"{name}.csv", index=False)
        if "effective_items" in result.info.extra:
            found = pd.DataFrame({"effective_items": result.info.extra["effective_items"]})
            found.to_csv(out / "tables" / f"{name}_effective.csv", index=False)
        if result.kind == "leaderboard":
            result.counts().to_csv(out / "tables" / f"{name}_counts.csv", index=False)
            result.page(out / f"{name}.html", title=name.replace("_", " "), overwrite=True)
    truth.to_csv(out / "tables" / "simulated_truth.csv", index=False)
    (out / "leaderboards.md").write_text(summary(results, truth), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
