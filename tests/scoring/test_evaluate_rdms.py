"""Fixed evaluation with noise ceilings, against rsatoolbox and against definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DesignError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.scoring.fixed import fixed_scores, nili_bounds, pair_variances


def simulated(seed: int = 0, s: int = 5, m: int = 4, n: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n * (n - 1) // 2)
    return truth + rng.random((s, len(truth))), truth + 2 * rng.random((m, len(truth)))


def sets(x: np.ndarray, y: np.ndarray) -> tuple[RDMSet, RDMSet]:
    brain = pd.DataFrame({"subject": [f"s{k}" for k in range(len(x))], "roi": "V1"})
    models = pd.DataFrame({"model": [f"m{k}" for k in range(len(y))]})
    return RDMSet(x, brain), RDMSet(y, models)


@pytest.mark.parametrize(
    "method", ["cosine", "corr", "cosine_cov", "corr_cov", "spearman", "rho-a", "tau-a", "kendall"]
)
@pytest.mark.filterwarnings("ignore:Noise ceiling for tau")
def test_eval_fixed_of_rsatoolbox(method: str) -> None:
    from rsatoolbox.inference import eval_fixed
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    x, y = simulated()
    x[0] = np.round(3 * x[0])  # ties
    theirs = eval_fixed([ModelFixed(f"m{k}", v) for k, v in enumerate(y)], RDMs(x), method=method)
    found = apa.evaluate_rdms(*sets(x, y), method=method, rerank=True)
    kwargs = {"rtol": 0, "atol": 1e-10}
    np.testing.assert_allclose(found.arrays["scores"][0], theirs.evaluations[0], **kwargs)
    bounds = found.arrays["lower"].mean(), found.arrays["upper"].mean()
    np.testing.assert_allclose(bounds, theirs.noise_ceiling, **kwargs)
    np.testing.assert_allclose(found.table["estimate"], theirs.get_means(), **kwargs)
    np.testing.assert_allclose(found.table["std_error"], theirs.get_sem(), **kwargs)
    np.testing.assert_allclose(found.pair_variances(), theirs.diff_var, **kwargs)
    ours = found.to_rsatoolbox_result()
    np.testing.assert_allclose(ours.test_pairwise(), theirs.test_pairwise(), **kwargs)
    np.testing.assert_allclose(ours.get_noise_ceil(), theirs.get_noise_ceil(), **kwargs)


@pytest.mark.parametrize(
    "method", ["cosine", "corr", "cosine_cov", "corr_cov", "spearman", "rho-a"]
)
def test_gram_bounds_are_scores_of_the_pooled_rdm(method: str) -> None:
    x, _ = simulated(s=6)
    lower, upper = nili_bounds(x, method=method)
    for s in range(6):
        kept = np.delete(x, s, axis=0)
        for rows, found in ((kept, lower[s]), (x, upper[s])):
            if method.startswith("cosine"):
                pool = np.mean(rows / np.sqrt((rows**2).mean(1, keepdims=True)), axis=0)
            elif method.startswith("corr"):
                pool = np.mean(
                    (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True), axis=0
                )
            else:
                pool = np.mean(pd.DataFrame(rows).rank(axis=1).to_numpy(), axis=0)
            if method in ("spearman", "rho-a"):
                rank = pd.Series(x[s]).rank().to_numpy()
                n = len(rank)
                if method == "spearman":
                    expected = np.corrcoef(pool, rank)[0, 1]
                else:
                    expected = 12 * (pool - pool.mean()) @ (rank - rank.mean()) / (n**3 - n)
            else:
                expected = apa.rdm_similarity(pool, x[s], method=method)[0, 0]
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_upper_bound_is_the_best_any_model_can_do_for_corr() -> None:
    x, y = simulated(3)
    found = fixed_scores(x, np.concatenate([y, x]), method="corr")
    assert found.scores.mean(axis=1).max() <= found.upper.mean()
    assert (found.lower <= found.upper).all()


@pytest.mark.parametrize("method", ["cosine", "corr", "cosine_cov", "corr_cov", "spearman"])
def test_memory_that_is_kept_for_the_next_roi_holds_no_scores(method: str) -> None:
    """Rows stand in memory that each thread uses again: other sizes and threads leave results as they are."""
    from concurrent.futures import ThreadPoolExecutor

    data = [simulated(seed, s=2 + seed % 4, m=1 + 7 * (seed % 3), n=6 + seed) for seed in range(12)]
    first = [fixed_scores(x, y, method=method) for x, y in data]
    copies = [tuple(np.copy(v) for v in found) for found in first]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda d: fixed_scores(*d, method=method), data * 3))
    for k, found in enumerate([*first, *again]):
        for value, expected in zip(found, copies[k % len(data)], strict=True):
            np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("method", ["cosine", "corr", "cosine_cov", "corr_cov"])
def test_rows_made_a_few_at_a_time_are_those_made_at_once(method: str) -> None:
    from apastats.numbers.backends import NUMPY
    from apastats.scoring.fixed import _metric_rows
    from apastats.scoring.similarity import CELLS, metric_rows

    x, y = simulated(s=9, m=41, n=60)
    assert CELLS // x.shape[1] < len(y)  # in several parts
    rows, size, norm = _metric_rows(x, y, method, None, NUMPY)
    whole, whole_size = metric_rows(np.concatenate([x, y]), method, None, NUMPY)
    np.testing.assert_array_equal(rows, whole)
    np.testing.assert_array_equal(size, whole_size)
    np.testing.assert_array_equal(norm, np.sqrt(np.vecdot(whole, whole)))
    y[3, 5] = np.nan
    assert _metric_rows(x, y, method, None, NUMPY) is None


def test_a_table_holds_columns_of_its_own() -> None:
    """Columns are taken from the labels without being made anew: what is written to a result stays there."""
    brain, models = sets(*simulated())
    expected = apa.evaluate_rdms(brain, models).tidy()
    found = apa.evaluate_rdms(brain, models)
    for column in ("roi", "model", "layer", "metric"):
        found.table.loc[0, column] = "changed"
        found.table[column].array[1] = "changed"
    found.table.loc[0, ["estimate", "ceiling_lower"]] = 9.0
    assert models.labels["model"].tolist() == expected["model"].tolist()
    pd.testing.assert_frame_equal(apa.evaluate_rdms(brain, models).table, expected)


def test_missing_stimulus_in_one_subject() -> None:
    x, y = simulated(s=4)
    i, j = np.triu_indices(9, 1)
    gone = (i == 0) | (j == 0)
    ragged = x.copy()
    ragged[0, gone] = np.nan
    found = fixed_scores(ragged, y, method="corr")
    z = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    np.testing.assert_allclose(found.scores[:, 1:], fixed_scores(x, y, method="corr").scores[:, 1:])
    others = z[1:].mean(axis=0)[~gone]
    np.testing.assert_allclose(found.lower[0], np.corrcoef(others, x[0, ~gone])[0, 1], atol=1e-12)


def test_scores_table_and_several_rois() -> None:
    rdms = apa.simulate_rdms(
        n_subject=4, n_stimulus=10, rois=["V1", "V2"], n_model=2, n_layer=2, rng=0
    )
    found = apa.evaluate_rdms(rdms.brain, rdms.models, method="spearman")
    scores = apa.score(rdms.brain, rdms.models, method="spearman", references=None)
    keys = ["model", "layer", "subject", "roi"]
    both = found.scores.frame.merge(scores.frame, on=keys, suffixes=("", "_other"))
    assert len(both) == len(scores.frame)
    np.testing.assert_allclose(both["score"], both["score_other"], atol=1e-12)
    with pytest.raises(InputError, match="roi: got None"):
        found.to_rsatoolbox_result()
    with pytest.raises(InputError, match="roi: got 'V3'"):
        found.to_rsatoolbox_result("V3")
    assert found.to_rsatoolbox_result("V2").n_model == 4


def test_the_result_can_be_plotted_by_rsatoolbox_and_saved(tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from rsatoolbox.vis import plot_model_comparison

    found = apa.evaluate_rdms(*sets(*simulated()))
    figure, _, _ = plot_model_comparison(found.to_rsatoolbox_result())
    assert figure is not None
    again = apa.load_result(found.save(tmp_path / "evaluation"))
    pd.testing.assert_frame_equal(again.table, found.table, check_dtype=False)


def test_pair_variances() -> None:
    from rsatoolbox.util.inference_util import extract_variances

    v = np.cov(np.random.default_rng(0).standard_normal((7, 20)))
    _, theirs, _ = extract_variances(v, False, 20, None)
    np.testing.assert_allclose(pair_variances(v) * 20 / 19, theirs, atol=1e-12)
    with pytest.raises(InputError, match="a square matrix"):
        pair_variances(v[:3])


def test_bad_input() -> None:
    x, y = simulated()
    brain, models = sets(x, y)
    with pytest.raises(DesignError, match="ROI 'V1' has 1 subject"):
        apa.evaluate_rdms(brain.take([0]), models)
    with pytest.raises(InputError, match="at least two subjects"):
        nili_bounds(x[:1])
    with pytest.raises(InputError, match="not the Bures measures"):
        nili_bounds(x, method="bures")
    many = RDMSet(
        np.repeat(y, 60, axis=0) + np.arange(240)[:, None], pd.DataFrame({"model": range(240)})
    )
    with pytest.raises(InputError, match="at most 200 models"):
        apa.evaluate_rdms(brain, many).to_rsatoolbox_result()
