"""Numbers do not depend on how many threads BLAS may take."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import apastats as apa
from apastats.threads import one_thread

SCRIPT = """
import warnings; warnings.simplefilter("ignore")
import hashlib, numpy as np, pandas as pd, apastats as apa
from threadpoolctl import threadpool_info
def show(name, *arrays):
    digest = hashlib.sha256()
    for a in arrays:
        a = np.ascontiguousarray(a)
        digest.update(a.tobytes() if a.dtype != object else repr(a.tolist()).encode())
    print(name, digest.hexdigest())
def numbers(result):
    return result.table.select_dtypes("number").to_numpy(float), *result.arrays.values()
study = apa.simulate(n_subject=12, n_model=6, n_tied=2, n_layer=1, rng=3)
show("simulate", study.scores.frame["score"])
table = apa.select_layer(study.scores, on="train")
fit = apa.lmm("score ~ model * roi + (1 | subject) + (1 | roi:subject)", table)
show("lmm", *numbers(fit))
show("emmeans", *numbers(apa.emmeans(fit, "model")))
rdms = apa.simulate_rdms(n_subject=6, n_stimulus=120, rng=1)
sets = rdms if isinstance(rdms, tuple) else vars(rdms).values()
print("simulate_rdms", "-".join(s.hash for s in sets if hasattr(s, "hash")))
draw = np.random.default_rng(0)
patterns = {(f"s{i}", "V1"): draw.normal(size=(150, 300)) for i in range(3)}
for method in ("correlation", "euclidean"):
    print(method, apa.rdms_from_patterns(patterns, method=method).hash)
show("bootstrap", *numbers(apa.bootstrap("score ~ model | roi", table, rng=1, n_resamples=300)))
print("threads", max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"))
"""


def run(threads: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def test_one_blas_thread_and_two_give_the_same_bits() -> None:
    one, two = run(1), run(2)
    assert (one.pop("threads"), two.pop("threads")) == ("1", "2")
    assert one == two


def blas() -> set[int]:
    return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}


def test_the_limit_holds_until_the_last_thread_is_done() -> None:
    with threadpool_limits(2, "blas"):
        before = blas()
        entered, leave = threading.Event(), threading.Event()

        def other() -> None:
            with one_thread():
                entered.set()
                leave.wait(10)

        thread = threading.Thread(target=other)
        with one_thread():
            thread.start()
            assert entered.wait(10)
            with one_thread():
                assert blas() == {1}
        assert blas() == {1}  # the other still works
        leave.set()
        thread.join()
        assert blas() == before


def test_the_limit_is_released_after_an_error() -> None:
    before = blas()
    with pytest.raises(apa.errors.ApaError):
        apa.tost([1, 2, 3], bounds=-1)
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert blas() == before
