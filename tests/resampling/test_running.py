"""Interruption, workers that die, and any number of them: the numbers stay the same."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from apastats.resampling import parallel
from apastats.resampling.store import BlockStore, read_manifest
from tests import verb_data

SCRIPT = """
import sys, time
import numpy as np
import apastats as apa

def slow_mean(x):
    time.sleep(0.0006)
    return x.mean(axis=0)

x = np.random.default_rng(0).normal(size=(12, 3))
found = apa.boot_ci(x, slow_mean, n_resamples=6000, interval="percentile", workdir=sys.argv[1])
np.save(sys.argv[2], found.replicates)
"""


def run(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(out)])


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "killed.npy"
    for _ in range(2):  # killed twice, each time after some blocks more
        before = len(list(work.glob("block_*.npz"))) if work.exists() else 0
        process = run(work, out)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if work.exists() and len(list(work.glob("block_*.npz"))) > before:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists()
    finished = sorted(work.glob("block_*.npz"))
    assert 2 <= len(finished) < 6
    stamps = {p: p.stat().st_mtime_ns for p in finished}
    assert run(work, out).wait() == 0
    assert all(p.stat().st_mtime_ns == t for p, t in stamps.items())
    # the seed that the killed run drew is in its manifest
    seed = int(json.loads((work / "manifest.json").read_text())["seed"])
    x = np.random.default_rng(0).normal(size=(12, 3))
    whole = apa.boot_ci(
        x, lambda s: s.mean(axis=0), n_resamples=6000, interval="percentile", rng=seed
    )
    np.testing.assert_array_equal(np.load(out), whole.replicates)


def table(n: int = 11, models: int = 3) -> apa.ScoreTable:
    rng = np.random.default_rng(0)
    rows = [
        {"subject": f"s{s:02d}", "roi": "V1", "model": f"m{m:03d}", "score": rng.normal(0.3, 0.1)}
        for s in range(n)
        for m in range(models)
    ]
    return apa.ScoreTable(pd.DataFrame(rows))


# the seed is new in every run, and with it whether digits are settled
@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_finished_blocks_are_not_made_again(tmp_path: Path, monkeypatch) -> None:
    data = table(models=300)
    first = apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", batch=16)
    blocks = sorted((tmp_path / "w").glob("block_*.npz"))
    assert len(blocks) == 3  # 128 cells each, whatever batch is
    blocks[1].unlink()
    made = []
    original = parallel._results

    def counted(function, tasks, n_jobs):
        made.append(len(tasks))
        return original(function, tasks, n_jobs)

    monkeypatch.setattr(parallel, "_results", counted)
    again = apa.bootstrap("score ~ model", data, workdir=tmp_path / "w")
    assert sum(made) == 1
    pd.testing.assert_frame_equal(first.table, again.table)
    pd.testing.assert_frame_equal(
        first.table, apa.bootstrap("score ~ model", data, rng=int(first.provenance.seed)).table
    )


def test_a_spoilt_block_is_made_again(tmp_path: Path) -> None:
    data = table(models=300)
    first = apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=1)
    blocks = sorted((tmp_path / "w").glob("block_*.npz"))
    whole = blocks[1].read_bytes()
    blocks[1].write_bytes(whole[: len(whole) // 2])
    blocks[2].write_bytes(b"")
    again = apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=1)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert blocks[1].read_bytes() == whole


def test_another_computation_is_refused(tmp_path: Path) -> None:
    data = table()
    apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=1)
    with pytest.raises(InputError, match=r"workdir: .* It differs in \['seed'\]"):
        apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=2)
    with pytest.raises(InputError, match="It differs in .*'interval'"):
        apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=1, interval="bca")
    with pytest.raises(InputError, match="It differs in .*'data'"):
        apa.bootstrap("score ~ model", table(12), workdir=tmp_path / "w", rng=1)


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(InputError, match="an empty folder, or one made by an earlier run"):
        BlockStore(tmp_path, {})
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_broken_manifest_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="a folder with a readable manifest"):
        read_manifest(tmp_path)


def test_leftovers_of_a_kill_do_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / ".partial-1-manifest.json").write_text("{")
    (folder / ".partial-1-block_000000.npz").write_bytes(b"PK")
    found = apa.bootstrap("score ~ model", table(), workdir=folder, rng=1)
    pd.testing.assert_frame_equal(found.table, apa.bootstrap("score ~ model", table(), rng=1).table)


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_any_joblib_backend_gives_the_same_bits(backend: str) -> None:
    import joblib

    data = table(models=40)
    one = apa.bootstrap("score ~ model", data, rng=1)
    with joblib.parallel_config(backend, n_jobs=2):
        two = apa.bootstrap("score ~ model", data, rng=1, batch=16)
    pd.testing.assert_frame_equal(one.table, two.table)


def test_blas_threads_do_not_show() -> None:
    stimuli = (
        "import apastats as apa\n"
        "r = apa.simulate_rdms(n_subject=4, n_stimulus=60, n_model=3, n_layer=1, rng=0)\n"
        "for cluster in ('subject', ('subject', 'stimulus')):\n"
        "    f = apa.bootstrap('score ~ model | roi', r.brain, models=r.models, method='corr_cov',\n"
        "        cluster=cluster, n_resamples=1500, rng=1, interval='t', conf_level=0.8)\n"
        "    print(f.table.to_csv(float_format='%.17g'), f.bands(conf_level=0.5).to_csv(),\n"
        "        f.diagnostics().to_csv(float_format='%.17g'))\n"
    )
    means = (
        "import numpy as np, apastats as apa\n"
        "from apastats.resampling.means import summarise_means\n"
        "from apastats.resampling.plans import subject_counts\n"
        "x = np.random.default_rng(0).normal(size=(9, 33))\n"
        "f = summarise_means(x, subject_counts(9), ['studentized'])\n"
        "print(np.array(f.limits['studentized']).tobytes().hex())\n"
    )
    for code in (means, stimuli):
        out = set()
        for threads in ("1", "4"):
            environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code],
                env=environment, capture_output=True, check=True,
            )  # fmt: skip
            out.add(done.stdout)
        assert len(out) == 1
        assert out.pop()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pause(seconds: float) -> dict[str, np.ndarray]:
    time.sleep(seconds)
    return {"x": np.zeros(1)}


@pytest.mark.parametrize(
    ("terminal", "patience", "shown"), [(True, 0, True), (True, 99, False), (False, 0, False)]
)
def test_bar_at_a_terminal_only(monkeypatch, terminal: bool, patience: float, shown: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(parallel, "_PATIENCE", patience)
    list(parallel.run_tasks(pause, [(0.05,)] * 4, label="pausing"))
    assert ("pausing" in stream.getvalue()) is shown


@pytest.mark.slow
def test_dask_cluster_with_a_killed_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    x = np.random.default_rng(0).normal(size=(14, 2))
    log = str(tmp_path / "calls")

    def slow(sample):
        import os
        import time

        time.sleep(0.0005)
        with open(log, "a") as stream:  # one short line at a time: appended whole
            stream.write(f"{os.getpid()}\n")
        return sample.mean(axis=0)

    size = 8 * 1024
    options = {"n_resamples": size, "interval": "percentile", "rng": 5}
    here = apa.boot_ci(x, lambda sample: sample.mean(axis=0), **options)
    import threading

    def calls() -> list[int]:
        return [int(p) for p in Path(log).read_text().split()] if Path(log).exists() else []

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = list(client.run(os.getpid).values())
        killed = []

        def kill_in_the_middle() -> None:
            # a worker that has begun its second block, well before the last one
            while not killed:
                for pid in workers:
                    if 1100 < calls().count(pid) < 1900:
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)
                        return
                time.sleep(0.02)

        killer = threading.Thread(target=kill_in_the_middle, daemon=True)
        killer.start()
        with apa.cluster(client):
            there = apa.boot_ci(x, slow, **options)
        killer.join(timeout=5)
        survivors = set(client.run(os.getpid).values())
    assert killed
    assert killed[0] not in survivors
    # the calls of its unfinished block were made again elsewhere
    by_workers = [p for p in calls() if p != os.getpid()]
    assert len(by_workers) > size
    assert len(set(by_workers)) >= 2
    np.testing.assert_array_equal(here.replicates, there.replicates)


def _refits() -> np.ndarray:
    fitted = verb_data.fit()
    found = fitted.conf_int("bootstrap", n_resamples=60, rng=3)
    return found[["conf_low", "conf_high", "conf_low_mcse"]].to_numpy()


def _power() -> np.ndarray:
    found = apa.power_study(n=[60, 70], bounds=0.01, n_model=3, n_tied=2, n_replicate=600, rng=1)
    return found.table[["estimate", "mcse"]].to_numpy()


def _calibration() -> np.ndarray:
    found = apa.calibrate("compare", n=[5, 8], n_replicate=60, rng=1)
    return found.table.select_dtypes("number").to_numpy()


def _predictivity() -> np.ndarray:
    g = np.random.default_rng(4)
    brain = {(s, "V1"): g.standard_normal((20, 6)) for s in ("s1", "s2")}
    models = {("net", f"layer{i:03d}"): g.standard_normal((20, 7)) for i in range(120)}
    wanted = ("subject_to_subject", "leave_one_out")
    found = apa.linear_predictivity(brain, models, references=wanted, by_unit=True)
    return found.frame.select_dtypes("number").to_numpy()


def _activations() -> np.ndarray:
    torch = pytest.importorskip("torch")
    torch.manual_seed(2)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 9)
    )
    stimuli = torch.rand(70, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    found = apa.activations(net, stimuli, ["0", "3"], batch_size=1, project=20)
    return np.concatenate([found["0"], found["3"]], axis=1)


@pytest.mark.slow
def test_every_long_computation_takes_the_cluster_and_keeps_its_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed")
    computations = [_refits, _power, _calibration, _predictivity, _activations]
    here = [c() for c in computations]
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as local,
        distributed.Client(local) as client,
        apa.cluster(client),
    ):
        for computation, expected in zip(computations, here, strict=True):
            before = _done(client)
            np.testing.assert_array_equal(computation(), expected, err_msg=computation.__name__)
            assert _done(client) > before, computation.__name__


def _done(client: Any) -> int:
    """How often a task of the scheduler has changed its state: nothing changes where nothing is sent."""
    return int(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter))


def test_cluster_takes_clients_and_addresses_only() -> None:
    with pytest.raises(InputError, match=r"client: got 5; allowed: a dask.distributed Client"):
        apa.cluster(5)


def test_slurm_nodes_as_in_the_docs() -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    nodes = jobqueue.SLURMCluster(
        cores=1,
        memory="4GB",
        walltime="01:00:00",
        queue="short",
        scheduler_options={"dashboard": False},
    )
    try:
        script = nodes.job_script()
    finally:
        nodes.close()
    for line in (
        "#SBATCH -p short",
        "#SBATCH -t 01:00:00",
        "#SBATCH --mem=4G",
        "--cpus-per-task=1",
    ):
        assert line in script
