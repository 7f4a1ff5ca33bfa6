"""Whatever takes ``n_jobs``, and all scoring, works in the processes that the caller chose, with the bits of one."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.resampling import parallel
from apastats.scoring import rdm_similarity as products
from apastats.scoring.measures import rows
from apastats.scoring.measures.measure import MEASURES
from apastats.scoring.methods import METHODS
from tests import verb_data, verbs

JOBS = [n for n, f in verbs.functions().items() if "n_jobs" in inspect.signature(f).parameters]


def _patterns() -> dict[str, Any]:
    g = np.random.default_rng(4)
    common = g.standard_normal((20, 9))
    brain = {(s, "V1"): common + g.standard_normal((20, 9)) for s in ("s1", "s2", "s3")}
    models = {("net", f"l{i}"): common[:, :7] + g.standard_normal((20, 7)) for i in range(5)}
    return {"brain": brain, "models": models}


def _rdms() -> list[Any]:
    """RDMs of full rank, which some comparisons need."""
    g = np.random.default_rng(5)
    sides = (("s1", "V1"), ("s2", "V1"), ("s3", "V1")), (("m1", "l1"), ("m1", "l2"), ("m2", "l1"))
    common = g.standard_normal((8, 30))
    made = [
        apa.rdms_from_patterns(
            {key: common + g.standard_normal((8, 30)) for key in keys},
            method="euclidean",
            names=names,
        )
        for keys, names in zip(sides, (("subject", "roi"), ("model", "layer")), strict=True)
    ]
    return made


def _cases() -> dict[str, Callable[[], Any]]:
    """Calls by name; those of n_jobs are known to the laws of verbs."""
    out: dict[str, Callable[[], Any]] = {}
    for name in JOBS:
        out[name] = lambda name=name: verbs.functions()[name](**verbs.other(name, "n_jobs")[0])
    for method in METHODS:
        # kendall is tau-b by another name; the search of neg_riem_dist rounds by the number of RDMs, and stays here
        if method in ("kendall", "neg_riem_dist"):
            continue
        out[f"score by {method}"] = lambda method=method: apa.score(*_rdms(), method=method)
    for method in ("corr", "tau-a"):
        out[f"rdm_similarity by {method}"] = lambda method=method: apa.rdm_similarity(
            verb_data.rdms().models.vectors, verb_data.rdms().brain.vectors, method=method
        )
        out[f"evaluate_rdms by {method}"] = lambda method=method: apa.evaluate_rdms(
            verb_data.rdms().brain, verb_data.rdms().models, method=method
        )
    for name in (n for n in MEASURES if n != "rsa"):
        out[f"score_patterns by {name}"] = lambda name=name: apa.score_patterns(
            **_patterns(), measure=name
        )
    out["score_patterns by rsa"] = lambda: apa.score_patterns(**_patterns(), method="tau-b")
    out["linear_predictivity"] = lambda: apa.linear_predictivity(**_patterns())
    return out


CASES = _cases()


def _bits(found: Any) -> list[Any]:
    """Numbers of an answer, whatever it is."""
    if isinstance(found, np.ndarray):
        return [found]
    if isinstance(found, pd.DataFrame):
        return [found.to_csv(float_format="%.17g")]
    frame = getattr(found, "frame", None) if hasattr(found, "frame") else found.table
    arrays = getattr(found, "arrays", {})
    return [frame.to_csv(float_format="%.17g"), *(arrays[k] for k in sorted(arrays))]


def _same(a: Any, b: Any) -> None:
    one, two = _bits(a), _bits(b)
    assert len(one) == len(two)
    for x, y in zip(one, two, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks of a small product, here as there."""
    monkeypatch.setattr(products, "BLOCK_BYTES", 2**9)
    monkeypatch.setattr(rows, "BLOCK_BYTES", 2**9)
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("name", CASES)
def test_tasks_go_where_the_caller_says_and_keep_their_bits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import joblib

    here = CASES[name]()
    sent = []
    single = parallel._single_threaded

    def counted(*task: Any) -> Any:
        sent.append(1)
        return single(*task)

    monkeypatch.setattr(parallel, "_single_threaded", counted)
    with joblib.parallel_config("threading", n_jobs=2):
        there = CASES[name]()
    assert sent
    _same(here, there)


@pytest.mark.slow
def test_a_cluster_takes_all_of_them_and_keeps_their_bits() -> None:
    distributed = pytest.importorskip("distributed")
    here = {name: call() for name, call in CASES.items()}
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as local,
        distributed.Client(local) as client,
        apa.cluster(client),
    ):
        for name, call in CASES.items():
            before = _done(client)
            _same(here[name], call())
            assert _done(client) > before, name


def _done(client: Any) -> int:
    """How often a task of the scheduler has changed its state: nothing changes where nothing is sent."""
    return int(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter))
