"""Memory: a need beyond the machine's is refused before it is taken, with what would need less."""

import inspect

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats import memory
from apastats.arguments import checked
from apastats.errors import ApaError, MemoryNeedError


@pytest.fixture
def poor(monkeypatch):
    """A machine that has half a MB left and looks before every array."""
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 2**19)


def table(n_model, n_subject=8, n_roi=2):
    g = np.random.default_rng(0)
    rows = [
        (f"s{s}", f"r{r}", f"m{m:05d}", g.normal())
        for s in range(n_subject)
        for r in range(n_roi)
        for m in range(n_model)
    ]
    return apa.read(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))


def leaderboard(n_model, n_item, n_cell=1, n_resamples=99):
    g = np.random.default_rng(1)
    names = [
        (f"m{m:03d}", f"i{i:03d}", f"c{c}")
        for m in range(n_model)
        for i in range(n_item)
        for c in range(n_cell)
    ]
    frame = pd.DataFrame(names, columns=["model", "roi", "task"])
    frame = frame.assign(score=g.normal(size=len(names)), subject="-")
    table = apa.read(frame, keys=["task"])
    return apa.leaderboard(table, item="roi", by="task", n_resamples=n_resamples, rng=1)


def test_available_is_what_the_machine_has():
    total = memory.available()
    assert 10**7 < total < 10**14


def test_a_limit_of_the_process_counts(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**33, 2**33))
    assert memory.available() < 2**33


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: apa.equivalence("score ~ model | roi", table(200), bounds=0.1), "19,900 pairs"),
        (lambda: apa.compare("score ~ model | roi", table(200)), "reference="),
        (lambda: apa.nemenyi("score ~ model | roi", table(200)), "fewer models"),
        (lambda: apa.discriminability("score ~ model | roi", table(200)), "pairs of models"),
        (
            lambda: apa.bootstrap("score ~ model | roi", table(9000, n_roi=1)),
            "block of 8 x 9,000 x 1",
        ),
        (
            lambda: apa.rdms_from_patterns(
                {("s1", "V1"): np.random.default_rng(0).normal(size=(600, 5))}
            ),
            "600 stimuli",
        ),
        (lambda: leaderboard(60, 5, n_resamples=999), "999 draws of 60 models.*fewer n_resamples"),
        (lambda: leaderboard(40, 150, 4), "40 models on 150 items in 4 cells.*by="),
        (lambda: leaderboard(400, 300), "block of"),
        (lambda: apa.simulate(n_subject=40, rois=[f"r{i}" for i in range(20)], rng=1), "40 x 40"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(poor, call, words):
    with pytest.raises(MemoryNeedError, match=words) as caught:
        call()
    assert isinstance(caught.value, ApaError)
    assert isinstance(caught.value, MemoryError)
    assert "1 MB are left" in str(caught.value)


def test_memory_that_runs_out_within_a_verb_says_what_needs_less():
    @checked
    def greedy(x: float, *, batch: int | None = None, n_resamples: int = 1) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    with pytest.raises(MemoryNeedError, match=r"9 TiB.*smaller batch=, or fewer n_resamples"):
        greedy(1.0)


def test_every_option_named_as_a_way_out_is_an_option_of_verbs():
    named = {
        n
        for n in ("batch", "n_resamples", "reference")
        if memory.way_out([n]) != memory.way_out([])
    }
    verbs = [getattr(apa, name) for name in apa.__all__ if callable(getattr(apa, name))]
    known = {p for v in verbs if not inspect.isclass(v) for p in inspect.signature(v).parameters}
    assert named
    assert named <= known
