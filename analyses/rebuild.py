"""Rebuild the reports of all studies into ``reports/``: ``python analyses/rebuild.py DATA [NAME ...]``.

DATA is a folder with ``castaldi2019_numerosity``, ``images92``, ``bmd_leave_one_out``, ``bmd_model_scores``,
``gokce2024_scaling_scores`` and ``deepnsd_scores`` (each study's README says how to get them). ``--check`` rebuilds
nothing: it computes every number again and compares it with the tracked tables.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
REPORTS = REPOSITORY / "reports"
SCRIPTS = ("leaderboards", "measures")  # studies of several files: run.py DATA OUT
VIDEO = "video_networks"  # simulated, minutes with torch: made anew where it is named
LARGE = (
    "scores",
    "patterns",
    "patterns_double_centred",
    "images92_scores",
)  # tables that repeat the data; not tracked

BMD = "DIR/bmd_leave_one_out/scores_rsa_test.csv"
STUDIES: dict[str, tuple[str, ...] | None] = {
    "demo": None,
    "castaldi_numerosity": (
        "inputs.rdms=DIR/castaldi2019_numerosity/rdms_taskboth.npz",
        "inputs.models=DIR/castaldi2019_numerosity/models.npz",
    ),
    "images92": (
        "inputs.rdms=DIR/images92/cichy2014_fmri_rdms.npz",
        "inputs.models=DIR/images92/model_rdms.npz",
        "inputs.more_models.network.path=DIR/images92/efficientnet_lite0_rdms.npz",
    ),
    "fitted_models": (
        "inputs.rdms=DIR/images92/cichy2014_fmri_rdms.npz",
        "inputs.models=DIR/images92/model_rdms.npz",
        "inputs.more_models.layers.path=DIR/images92/efficientnet_lite0_rdms.npz",
    ),
    "leaderboards": None,
    "measures": None,
    "hoefling2026": (
        f"inputs.tables.brain.path={BMD}",
        "inputs.tables.networks.path=DIR/bmd_model_scores",
    ),
}


@contextmanager
def workplace(data: Path) -> Iterator[Path]:
    """A scratch folder with ``analyses`` and ``DIR`` in it, so that no path of this machine gets into a report."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        (here / "analyses").symlink_to(REPOSITORY / "analyses")
        (here / "DIR").symlink_to(data.resolve())
        os.chdir(here)
        try:
            yield here
        finally:
            os.chdir(before)


def run(name: str) -> Path:
    """Run one study in the current folder."""
    from apastats.studies.run_study import run_demo, run_study

    if name in SCRIPTS:
        script = REPOSITORY / "analyses" / name / "run.py"
        subprocess.run([sys.executable, script, "DIR", name], check=True)
        return Path(name)
    assignments = STUDIES[name]
    if assignments is None:
        return run_demo("demo").folder
    folder = run_study(f"analyses/{name}/study.toml", assignments=assignments, output=name).folder
    if name == "hoefling2026":
        # the paper's claims as computed verdicts
        script = REPOSITORY / "analyses" / name / "claims.py"
        command = [sys.executable, script, "DIR", folder / "claims"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def tracked(folder: Path) -> list[Path]:
    """Tables of a finished study that are small enough to track, relative to its folder."""
    tables = [
        *sorted((folder / "tables").glob("*.csv")),
        *sorted((folder / "claims").glob("*.csv")),
    ]
    return [t.relative_to(folder) for t in tables if t.stem not in LARGE]


def rebuild(name: str) -> None:
    """Run one study and put its report, tables and recipe into ``reports/``."""
    folder, target = run(name), REPORTS / name
    if target.exists():
        shutil.rmtree(target)
    whole = map(
        Path, ("report.html", "images92.html", "study.toml", "references.bib", "leaderboards.md")
    )
    drawn = [f.relative_to(folder) for f in sorted(folder.glob("*.svg"))]
    for file in (*tracked(folder), *drawn, *(f for f in whole if (folder / f).exists())):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / file, target / file)
    if (folder / "claims").exists():
        shutil.copy(folder / "claims" / "claims.md", target / "claims")


def rebuild_video_networks() -> None:
    """Run the whole way from clips (minutes, torch) and keep its two pages and small tables; only where named."""
    subprocess.run([sys.executable, f"analyses/{VIDEO}/run.py", VIDEO], check=True)
    keep_video_networks(Path(VIDEO) / "report")


def stale_video_networks() -> list[str]:
    """What differs between what is tracked of the video networks and its numbers now.

    The whole run takes minutes, and networks of torchvision are not everywhere. So clips and activations are made anew,
    and of the tracked scores RSA of all people and linear predictivity of two, for the networks that there are (to four
    digits: other releases of torch move activations by rounding); then the study is run on the tracked scores.
    """
    import apastats as apa

    kept = pd.read_parquet(REPORTS / VIDEO / "scores.parquet")
    now = video_scores(Path(VIDEO))
    keys = ["kind", "model", "layer", "subject", "roi", "metric", "split"]
    both = now[[*keys, "score"]].merge(kept, on=keys, how="left", suffixes=("", "_then"))
    # NaN, a row that is not tracked, is not close
    off = ~np.isclose(both["score"], both["score_then"], rtol=1e-4, atol=1e-5)
    found = (
        [f"{VIDEO}/scores.parquet: {off.sum()} of {len(both)} scores differ"] if off.any() else []
    )
    kept.to_csv("scores.csv", index=False)
    folder = apa.run_study(
        f"analyses/{VIDEO}/study.toml", assignments=["inputs.scores=scores.csv"], output="study"
    ).folder
    for table in sorted((REPORTS / VIDEO / "tables").glob("*.csv")):
        a, b = (
            pd.read_csv(p, keep_default_na=False) for p in (folder / "tables" / table.name, table)
        )
        if a.shape != b.shape or list(a.columns) != list(b.columns):
            found.append(f"{VIDEO}/{table.name}: has another shape")
        else:
            found += [
                f"{VIDEO}/{table.name}: column {c} differs" for c in a if not same(a[c], b[c])
            ]
    return found


def video_scores(folder: Path) -> pd.DataFrame:
    """Scores of the video networks that can be run here, as their study has them."""
    import apastats as apa

    sys.path.insert(0, f"analyses/{VIDEO}")
    import run as video

    seed, noise, n_train = 7, 2.0, video.SPLIT["train"]
    folder.mkdir()
    video.make_clips(folder, sum(video.SPLIT.values()), seed)
    clips = np.load(folder / "clips.npy", mmap_mode="r")
    size = min(video.projection_size(n_train), 2000)
    video.make_activations(folder / "activations", clips, seed, size)
    planted = video.brains.planted(dict(np.load(folder / "latent.npz")))
    models = video.features(folder / "activations", n_train)
    geometry = video.brains.geometry(planted, n_train, seed)
    models |= {(video.PLANTED, f"of_{roi}"): v for roi, v in geometry.items()}
    models |= video.further_person(planted, n_train, noise, seed)
    brain = video.brains.responses(planted, n_train, noise, seed)
    two = {k: v for k, v in brain.items() if k[0] in ("person-01", "person-02")}
    found = apa.concat(
        video.scored(brain, models, linear=False),
        apa.linear_predictivity(two, models, references=["subject_to_subject"]),
    )
    return found.frame.astype({"model": str, "layer": str, "subject": str, "roi": str})


def keep_video_networks(made: Path) -> None:
    """Copy what is tracked of a finished run."""
    target = REPORTS / VIDEO
    shutil.rmtree(target, ignore_errors=True)
    (target / "tables").mkdir(parents=True)
    for file in ("report.html", "study.toml", "references.bib"):
        shutil.copy(made / "study" / file, target / file)
    for file in ("truth.html", "best.csv", "verdicts.csv"):
        shutil.copy(made / file, target / file)
    scores = pd.read_csv(made.parent / "scores" / "scores.csv")
    scores = scores.dropna(axis="columns", how="all")
    scores.to_parquet(target / "scores.parquet", index=False, compression="zstd")
    for table in ("brain_test", "claims", "reliability", "ceiling_subject_to_subject"):
        shutil.copy(made / "study" / "tables" / f"{table}.csv", target / "tables")


def stale(name: str) -> list[str]:
    """What differs between the tracked tables of a study and its numbers now."""
    folder, target = run(name), REPORTS / name
    now, then = set(tracked(folder)), set(tracked(target))
    found = [f"{name}/{t}: in one of them only" for t in sorted(now ^ then)]
    for table in sorted(now & then):
        a, b = (pd.read_csv(f / table, keep_default_na=False) for f in (folder, target))
        if list(a.columns) != list(b.columns) or len(a) != len(b):
            found.append(f"{name}/{table}: has another shape")
            continue
        found += [f"{name}/{table}: column {c} differs" for c in a.columns if not same(a[c], b[c])]
    return found


def same(a: pd.Series, b: pd.Series, rtol: float = 1e-9, atol: float = 1e-12) -> bool:
    """Equal text; numbers to 9 digits, for other versions of numpy and BLAS."""
    x, y = (pd.to_numeric(v, errors="coerce").to_numpy("f8") for v in (a, b))
    text = np.isnan(x) & np.isnan(y)
    close = np.isclose(x, y, rtol=rtol, atol=atol)
    return bool(np.all(close | (text & (a.astype(str).to_numpy() == b.astype(str).to_numpy()))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *STUDIES, VIDEO], metavar="NAME")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    differences: list[str] = []
    with workplace(arguments.data):
        for name in arguments.names or STUDIES:
            sys.stdout.write(f"{name}\n")
            if name == VIDEO and arguments.check:
                differences += stale_video_networks()
            elif name == VIDEO:
                rebuild_video_networks()
            elif arguments.check:
                differences += stale(name)
            else:
                rebuild(name)
    for line in differences:
        sys.stdout.write(f"stale: {line}\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
