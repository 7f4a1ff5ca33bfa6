"""The whole way from clips to a report: ``python run.py OUT``.

Simulated clips (or ``--clips FOLDER`` with mp4 files or folders of frames: activations only), untrained networks,
simulated people with a planted geometry, scores, then the study in ``study.toml``. Every stage is kept in OUT and used
again where its inputs, options and code are the same, so a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import apastats as apa
from apastats.patterns.person_questions import GOOD
from apastats.scoring.activations import projection_size

sys.path.insert(0, str(Path(__file__).parent))
import brains
import clips
import networks
from stages import Stages

SPLIT = {"train": 120, "test": 48}
PLANTED, FURTHER = "planted geometry", "further person"  # models of the study that are no networks
BARE = "bare columns"


def make_clips(folder: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    latent = clips.latents(n, rng)
    np.savez(folder / "latent.npz", **latent)
    np.save(folder / "clips.npy", clips.render(latent, rng))


def make_activations(folder: Path, stimuli: np.ndarray, seed: int, n_component: int) -> None:
    for name, network in networks.networks(seed).items():
        found = apa.activations(
            network.make(),
            stimuli,
            network.layers,
            folder=folder / name,
            frames=network.frames,
            frame_axis=network.frame_axis if network.frames == "clip" else None,
            project=n_component,
            batch_size=24,
        )
        assert_layers(found, network.layers)


def assert_layers(found: apa.Activations, layers: tuple[str, ...]) -> None:
    if tuple(found.layers) != layers:
        raise RuntimeError(f"{found.layers} instead of {layers}")


def features(folder: Path, n_train: int) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Layers as ``(train, test)``."""
    found = {}
    for place in sorted(p for p in folder.iterdir() if p.is_dir()):
        sets = apa.Activations.open(place)
        for layer in sets.layers:
            x = np.asarray(sets[layer], dtype=np.float64)
            found[place.name, layer] = (x[:n_train], x[n_train:])
    return found


def scored(brain: dict, models: dict, *, linear: bool) -> apa.ScoreTable:
    """RSA of both splits, and linear predictivity."""
    tables = [
        apa.score_patterns(
            {key: v[k] for key, v in brain.items()},
            {key: v[k] for key, v in models.items()},
            references=["subject_to_subject"],
            split=split,
        )
        for k, split in enumerate(("train", "test"))
    ]
    if linear:
        tables.append(apa.linear_predictivity(brain, models, references=["subject_to_subject"]))
    return apa.concat(*tables)


def true_scores(planted: dict, models: dict, n_train: int) -> pd.DataFrame:
    """Scores without noise ``[model, region]``: RDM of a network's best layer (on train) and the planted one (test)."""
    rows = []
    exact = {("truth", roi): (x[:n_train], x[n_train:]) for roi, x in planted.items()}
    for k, split in enumerate(("train", "test")):
        table = apa.score_patterns(
            {key: v[k] for key, v in exact.items()},
            {key: v[k] for key, v in models.items()},
            references=None,
            split=split,
        )
        rows.append(table)
    best = apa.select_layer(apa.concat(*rows), on="train").frame
    return best.pivot_table(index="model", columns="roi", values="score")


def recovery(
    planted: dict,
    models: dict,
    oracle: dict,
    truth: pd.DataFrame,
    n_train: int,
    noise: float,
    seeds: range,
) -> pd.DataFrame:
    """In how many simulated studies the truth was found (RSA, short form)."""
    rows = []
    for seed in seeds:
        brain = brains.responses(planted, n_train, noise, 1000 + seed)
        table = scored(brain, models | oracle, linear=False)
        networks_only = table.where(kind="model", model=list(dict.fromkeys(m for m, _ in models)))
        best = apa.select_layer(networks_only, on="train")
        found = apa.equivalence_set("score ~ model | roi", best).table
        inside = found[found["in_set"]].groupby("roi")["model"].agg(set)
        kept = all(truth[roi].idxmax() in inside[roi] for roi in truth.columns)
        parted = apa.compare(
            "score ~ model | roi", best.where(roi=list(brains.MOTION_ROIS)), reference="still_grey"
        ).table
        motion = parted[parted["model"] == "motion_energy"]
        agreed = person_like(table)
        rows.append(
            {
                "seed": seed,
                "best_set": kept,
                "motion": bool((motion["conf_low"] > 0).all()),
                "agreement": agreed,
            }
        )
    return pd.DataFrame(rows)


def person_like(table: apa.ScoreTable) -> bool:
    """Whether the planted geometry is shown to agree with people not worse than a person does, over all regions."""
    f = table.where(split="test").frame
    own = f[(f["model"] == PLANTED) & (f["layer"].astype(str) == "of_" + f["roi"].astype(str))]
    found = apa.brain_test(
        table.where(split="test"),
        margin=0.1,
        outcome="agreement",
        over="all",
        selection=table.with_frame(own),
        n_resamples=199,
    )
    return bool(found.table["as_good"].isin(GOOD).all())


def further_person(
    planted: dict, n_train: int, noise: float, seed: int, name: str = FURTHER
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """One more person's responses, region by region, as layers of a model."""
    seen = brains.responses(planted, n_train, noise, seed, people=[brains.N_PERSON])
    return {(name, f"of_{roi}"): v for (_, roi), v in seen.items()}


def linear_levels(
    brain: dict, oracle: dict, planted: dict, table: apa.ScoreTable, noise: float, seed: int
) -> tuple[apa.ScoreTable, pd.DataFrame]:
    """The planted geometry in other forms with linear predictivity: as bare columns, and as a person has it.

    All regions have the same features in other weights. Regression weighs anew what it is given: columns in another
    scale are the same columns, and of features without noise the weak ones are as good as the strong ones once there
    are enough clips to learn from. A person's noise drowns weak features, which leaves the region's own pattern.

    Agreement of each form (rows of ``brain`` are people's own), and a value per person: the SD over predicting regions
    of the score, averaged over regions.
    """
    n_train = len(next(iter(oracle.values()))[0])
    levels = dict(oracle)
    levels |= {(BARE, f"of_{roi}"): (x[:n_train], x[n_train:]) for roi, x in planted.items()}
    for share, name in ((0.0, "person, no noise"), (0.5, "person, half the noise"), (1.0, FURTHER)):
        levels |= further_person(planted, n_train, share * noise, seed, name)
    linear = apa.linear_predictivity(brain, levels)
    own = table.where(kind="subject_to_subject", metric="linear_predictivity")
    both = apa.concat(own, linear).where(split="test")
    rows = apa.pattern_agreement(apa.alignment_patterns(both), reference="matched")
    f = rows.frame
    kept = (f["model"] == "brain") | (f["layer"].astype(str) == "of_" + f["roi"].astype(str))
    by = both.frame
    by = by.assign(model=by["model"].astype(str).where(by["kind"] == "model", "brain"))
    spread = by.groupby(["model", "subject", "layer", "roi"], observed=True)["score"].mean()
    spread = spread.groupby(["model", "subject", "roi"], observed=True).std(ddof=0)
    spread = spread.groupby(["model", "subject"], observed=True).mean().rename("sd").reset_index()
    return rows.with_frame(f[kept]), spread


def over_people(values: pd.Series) -> dict[str, float]:
    """Mean and t interval."""
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return {
        "estimate": values.mean(),
        "conf_low": low,
        "conf_high": high,
        "n_subject": len(values),
    }


def shares(found: pd.DataFrame) -> pd.DataFrame:
    """Shares of studies with exact (Clopper-Pearson) intervals."""
    rows = []
    for fact in ("best_set", "motion", "agreement"):
        interval = stats.binomtest(int(found[fact].sum()), len(found)).proportion_ci()
        rows.append({"term": fact, "estimate": found[fact].mean(), "conf_low": interval.low,
                     "conf_high": interval.high, "n": len(found)})  # fmt: skip
    return pd.DataFrame(rows)


FACTS = [
    {"name": "best set", "statement": "The set of the best holds the truly best network of all regions",
     "result": "recovery", "where": {"term": "best_set"}, "value": 0.85, "estimand": "share of simulated studies"},
    {"name": "motion", "statement": "The motion-blind network is parted from the motion-seeing one in MT, MST and FST",
     "result": "recovery", "where": {"term": "motion"}, "value": 0.85, "estimand": "share of simulated studies"},
    {"name": "agreement", "statement": "The planted geometry is shown to agree with people as a person does",
     "result": "recovery", "where": {"term": "agreement"}, "value": 0.85, "estimand": "share of simulated studies"},
    {"name": "hyperalignment", "statement": "Hyperalignment, fitted on train clips, raises the agreement of people",
     "result": "hyperalignment", "value": 0, "estimand": "difference of mean Fisher z of agreement"},
    {"name": "bare columns",
     "statement": "As bare columns in other scales the features of all regions predict alike (linear predictivity)",
     "result": "spread", "where": {"model": [BARE]}, "says": "below", "value": 0.001,
     "estimand": "SD over predicting regions of R2"},
    {"name": "no noise",
     "statement": "Without noise, mixed into units, they do not agree with people as a person does (the same)",
     "result": "linear", "where": {"model": [PLANTED]}, "says": "below", "value": -0.1,
     "estimand": "difference of mean Fisher z of agreement, over regions"},
    {"name": "further person",
     "statement": "With a person's noise they do (the same)",
     "result": "linear", "where": {"model": [FURTHER]}, "value": -0.1,
     "estimand": "difference of mean Fisher z of agreement, over regions"},
]  # fmt: skip


def aligned(brain: dict) -> pd.DataFrame:
    """Mean agreement of people over regions before and after hyperalignment, and the difference (t over people)."""
    people = {}
    for name, sets in (("before", brain), ("after", apa.hyperalign(brain, n_component=10))):
        table = apa.score_patterns(
            {k: v[1] for k, v in sets.items()}, references=["subject_to_subject"], split="test"
        )
        patterns = apa.alignment_patterns(table)
        found = apa.pattern_agreement(patterns, reference="matched").frame
        people[name] = found[found["model"] == "brain"].groupby("subject")["z_person"].mean()
    row = {"term": "agreement"} | over_people(people["after"] - people["before"])
    return pd.DataFrame([row | {k: v.mean() for k, v in people.items()}])  # fmt: skip


def main(arguments: list[str] | None = None) -> Path:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--noise", type=float, default=2.0, help="SD of a trial's noise, of the signal's"
    )
    parser.add_argument("--train", type=int, default=SPLIT["train"])
    parser.add_argument("--test", type=int, default=SPLIT["test"])
    parser.add_argument(
        "--seeds", type=int, default=40, help="simulated studies of the check of the truth"
    )
    parser.add_argument(
        "--clips", type=Path, help="read clips from here instead; only activations are made"
    )
    parser.add_argument("--no-report", action="store_true", help="stop before the report")
    chosen = parser.parse_args(arguments)
    n_train, n = chosen.train, chosen.train + chosen.test
    stages = Stages(chosen.out)
    size = min(projection_size(n_train), 2000)
    if chosen.clips is not None:
        shown = clips.read_clips(chosen.clips)
        make_activations(chosen.out / "activations_of_clips", shown, chosen.seed, size)
        return chosen.out
    made = stages.run(
        "clips", lambda f: make_clips(f, n, chosen.seed), [], clips, n=n, seed=chosen.seed
    )
    acts = stages.run(
        "activations",
        lambda f: make_activations(f, np.load(made / "clips.npy", mmap_mode="r"), chosen.seed, size),
        [made], networks, seed=chosen.seed, size=size,
    )  # fmt: skip
    planted = brains.planted(dict(np.load(made / "latent.npz")))
    nets = features(acts, n_train)
    shared = brains.geometry(planted, n_train, chosen.seed)
    oracle = {(PLANTED, f"of_{roi}"): v for roi, v in shared.items()}
    this = sys.modules[__name__]
    options = {"noise": chosen.noise, "seed": chosen.seed, "n_train": n_train}

    def make_scores(folder: Path) -> None:
        brain = brains.responses(planted, n_train, chosen.noise, chosen.seed)
        person = further_person(planted, n_train, chosen.noise, chosen.seed)
        table = scored(brain, nets | oracle | person, linear=True)
        rows, spread = linear_levels(brain, oracle, planted, table, chosen.noise, chosen.seed)
        levels = apa.equivalence(
            "z_person ~ model", rows, within="roi", bounds=0.1, reference="brain"
        )
        levels.save(folder / "linear")
        spread.to_csv(folder / "spread.csv", index=False)
        table.frame.to_csv(folder / "scores.csv", index=False)
        aligned(brain).to_csv(folder / "hyperalignment.csv", index=False)

    def make_truth(folder: Path) -> None:
        truth = true_scores(planted, nets, n_train)
        truth.to_csv(folder / "truth.csv")
        found = recovery(planted, nets, oracle, truth, n_train, chosen.noise, range(chosen.seeds))
        found.to_csv(folder / "recovery.csv", index=False)

    here = Path(__file__).parent
    regions = (here / "regions.csv").read_text("utf-8")
    scores = stages.run("scores", make_scores, [acts], brains, this, regions, **options)
    checked = stages.run(
        "truth", make_truth, [acts], brains, this, regions, **options, seeds=chosen.seeds
    )

    if chosen.no_report:
        sys.stdout.write(f"made anew: {stages.made}\n")
        return chosen.out

    def make_report(folder: Path) -> None:
        study = apa.run_study(
            os.path.relpath(here / "study.toml"),
            assignments=[f"inputs.scores={scores / 'scores.csv'}"],
            output=folder / "study",
            overwrite=True,
        )
        selected = study.results["selected"]
        levels = apa.load_result(scores / "linear")
        names = list(dict.fromkeys(m for m, _ in nets))
        best = apa.equivalence_set("score ~ model | roi + metric", selected.where(model=names))
        shown = {
            "recovery": shares(pd.read_csv(checked / "recovery.csv")),
            "hyperalignment": pd.read_csv(scores / "hyperalignment.csv"),
            "linear": levels,
            "spread": pd.DataFrame(
                {"model": m} | over_people(v)
                for m, v in pd.read_csv(scores / "spread.csv").groupby("model")["sd"]
            ),
        }
        facts = apa.claims(FACTS, shown)
        page = apa.report(
            facts,
            study.results["claims"],
            levels,
            best,
            title="What was planted, and what was found",
            headings=[
                f"How often what was planted was found: {chosen.seeds} further simulated studies",
                "Claims of this study",
                "Why linear predictivity refutes claim 4: the planted geometry as bare columns, without noise, and "
                "with the noise of a person (over regions)",
                "Networks that cannot be excluded from being the best one of a region",
            ],
        )
        page.save(folder / "truth.html", overwrite=True)
        truth = pd.read_csv(checked / "truth.csv", index_col=0)
        inside = best.table[best.table["in_set"] & (best.table["metric"] == "corr")]
        sets = inside.groupby("roi")["model"].agg(" ".join)
        pd.DataFrame({"truly_best": truth.idxmax(), "set": sets}).to_csv(
            folder / "best.csv", index_label="roi"
        )
        both = pd.concat([facts.verdicts(), study.results["claims"].verdicts()])
        both.to_csv(folder / "verdicts.csv", index=False)

    done = stages.run(
        "report",
        make_report,
        [scores, checked],
        this,
        (here / "study.toml").read_text("utf-8"),
        regions,
        keep_part=True,
        seeds=chosen.seeds,
    )
    both = pd.read_csv(done / "verdicts.csv", keep_default_na=False)
    sys.stdout.write(both.drop(columns="statement").to_string() + f"\nmade anew: {stages.made}\n")
    sys.stdout.write(f"{done / 'study' / 'report.html'}\n{done / 'truth.html'}\n")
    return chosen.out


if __name__ == "__main__":
    main()
