"""What evaluate_fitted does with odd models, odd RDMs, few stimuli and rows in another order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rsatoolbox.model import Model, ModelFixed, ModelInterpolate, ModelSelect, ModelWeighted
from rsatoolbox.rdm import RDMs

import apastats as apa
from apastats.errors import DataError, DesignError, InputError
from tests.scoring.test_fitted import N, S, data, sets

OPTIONS: dict[str, Any] = {"n_resamples": 30, "rng": 0, "k_subject": 2, "k_stimulus": 2}
METHODS = ["corr", "cosine", "corr_cov", "cosine_cov", "spearman", "rho-a", "tau-a", "tau-b"]
pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")


def found(brain: Any, models: Any, **options: Any) -> apa.FittedEvaluation:
    return apa.evaluate_fitted(brain, models, **{**OPTIONS, **options})


@pytest.mark.parametrize("kind", [ModelSelect, ModelWeighted, ModelInterpolate])
def test_subclasses_of_rsatoolbox_models_are_what_they_inherit(kind: Any) -> None:
    x, y = data()

    class Mine(kind):  # type: ignore[misc]
        """A name of one's own."""

    class Other(kind):  # type: ignore[misc]
        def predict_rdm(self, theta: Any = None) -> Any:
            return self.rdm_obj[0]

    brain = sets(x, y)[0]
    expected = found(brain, kind("m", RDMs(y)))
    pd.testing.assert_frame_equal(found(brain, Mine("m", RDMs(y))).table, expected.table)
    with pytest.raises(InputError, match=r"predict_rdm.*fitted"):
        found(brain, Other("m", RDMs(y)))


def test_models_that_predict_nothing_are_refused_by_every_reader() -> None:
    x, y = data()
    brain, members = sets(x, y)
    for call in (
        lambda: found(brain, [Model("empty"), apa.fitted("select", members)]),
        lambda: apa.score(brain, Model("empty")),
        lambda: apa.read_rdms(Model("empty")),
    ):
        with pytest.raises(InputError, match=r"Model 'empty'.*predict"):
            call()
    fixed = found(brain, [ModelFixed("fixed", y[0]), apa.fitted("select", members)])
    assert fixed.table["model"].tolist() == ["fixed", "select"]


@pytest.mark.parametrize("side", ["brain", "members"])
def test_missing_entries_are_named(side: str) -> None:
    x, y = data()
    (x if side == "brain" else y)[1, 5] = np.nan
    with pytest.raises(DataError, match=r"missing.*(s1|1)"):
        found(sets(x, y)[0], apa.fitted("weighted", sets(x, y)[1]))


@pytest.mark.parametrize("method", METHODS)
def test_rdms_that_do_not_vary(method: str) -> None:
    """A constant member is left out of what is mixed; a constant subject, or a model of such members, is refused."""
    x, y = data()
    brain = sets(x, y)[0]
    nothing = method in (
        "cosine",
        "cosine_cov",
        "tau-a",
        "rho-a",
    )  # a constant is a vector, or 0 by definition
    kinds = ["select", "interpolate"] + ["weighted"] * (method not in METHODS[4:])
    flat = y.copy()
    flat[1] = 3.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for kind in kinds:
            one = found(brain, apa.fitted(kind, sets(x, flat)[1]), method=method)
            assert one.table["estimate"].notna().all()
            if not nothing:
                assert one.weights()["weight"].to_numpy()[1] == 0
        if nothing:
            return
        same = sets(x, y * 0 + np.arange(1, 5)[:, None])[1]
        with pytest.raises(DataError, match=r"does not vary.*weightless"):
            found(brain, apa.fitted("select", same, name="weightless"), method=method)
        still = x.copy()
        still[2] = 1.0
        with pytest.raises(DataError, match=r"does not vary.*s2"):
            found(sets(still, y)[0], apa.fitted("select", sets(x, y)[1]), method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("unit", [1e-9, 1e9, 1e-120, 1e120])
def test_units_of_either_side_do_not_matter(method: str, unit: float) -> None:
    x, y = data()
    rank = method in METHODS[4:]
    kind: Any = "select" if rank else "weighted"
    expected = found(sets(x, y)[0], apa.fitted(kind, sets(x, y)[1]), method=method, n_resamples=10)
    for a, b in ((x * unit, y), (x, y * unit)):
        one = found(sets(a, b)[0], apa.fitted(kind, sets(a, b)[1]), method=method, n_resamples=10)
        for column in ("estimate", "std_error", "ceiling_lower", "ceiling_upper", "optimism"):
            np.testing.assert_allclose(one.table[column], expected.table[column], rtol=1e-9)
        np.testing.assert_allclose(one.weights()["weight"], expected.weights()["weight"], atol=1e-9)


@pytest.mark.parametrize("cluster", ["subject", "stimulus", ("subject", "stimulus")])
def test_order_of_subjects_regions_and_members_does_not_matter(cluster: Any) -> None:
    x, y = data()
    labels = pd.DataFrame(
        {"subject": [f"s{k}" for k in range(S)] * 2, "roi": np.repeat(["V1", "IT"], S)}
    )
    both = np.concatenate([x, data(1)[0]])
    members = sets(x, y)[1]
    rng = np.random.default_rng(4)
    for rows in (np.arange(2 * S), np.arange(S + 4)):  # the same people in both regions, and fewer
        tables, weights = [], []
        mixed, turned = rng.permutation(rows), rng.permutation(4).tolist()
        for places, given in ((rows, members), (mixed, members.take(turned))):
            brain = apa.RDMSet(both[places], labels.iloc[places])
            one = found(brain, apa.fitted("weighted", given), cluster=cluster)
            tables.append(one.table.set_index("roi").sort_index())
            weights.append(one.weights().set_index(["roi", "member"]).sort_index())
        columns = ["estimate", "std_error", "conf_low", "ceiling_lower", "optimism", "n_subject"]
        np.testing.assert_allclose(*(t[columns] for t in tables), rtol=0, atol=1e-9)
        columns = ["weight", "conf_low", "chosen"]
        np.testing.assert_allclose(*(t[columns] for t in weights), rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", ["corr", "spearman", "tau-b"])
@pytest.mark.parametrize("n", range(3, 10))
def test_few_stimuli_have_numbers_or_are_refused_in_words(n: int, method: str) -> None:
    x, y = data()
    left, right = np.triu_indices(N, 1)
    kept = (left < n) & (right < n)
    brain, members = sets(x[:, kept], y[:, kept])

    def one() -> Any:
        return found(brain, apa.fitted("select", members), method=method, k_stimulus=None)

    if n < 7:
        with pytest.raises(DesignError, match="k_stimulus=1"):
            one()
        return
    columns = ["estimate", "std_error", "ceiling_lower", "ceiling_upper", "optimism"]
    assert one().table[columns].notna().all(axis=None)


def test_clusters_in_either_order_and_few_resamples() -> None:
    x, y = data()
    brain, members = sets(x, y)
    model = apa.fitted("weighted", members)
    a, b = (
        found(brain, model, cluster=c).table
        for c in (("subject", "stimulus"), ("stimulus", "subject"))
    )
    pd.testing.assert_frame_equal(a, b)
    with pytest.raises(InputError, match="n_resamples"):
        found(brain, model, n_resamples=2)
    with pytest.raises(InputError, match=r"method: got 'bures'.*'tau-a'") as error:
        found(brain, model, method="bures")
    assert "bures_metric" not in str(error.value)


def parts_of(y: np.ndarray, names: Any = None, **options: Any) -> apa.UniqueVariance:
    x = data()[0]
    models = apa.RDMSet(y, pd.DataFrame({"model": names or [f"m{k}" for k in range(len(y))]}))
    return apa.unique_variance(sets(x, y)[0], models, method="pearson", n_resamples=49, rng=0, **options)  # fmt: skip


@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")
def test_unique_variance_names_the_rdms_it_cannot_take() -> None:
    y = data()[1]
    flat = y.copy()
    flat[2] = 1.0
    with pytest.raises(DataError, match=r"models.*constant.*m2"):
        parts_of(flat)
    with pytest.raises(DataError, match=r"dependent \(m1, m3\)"):
        parts_of(np.vstack([y[:3], y[1] * 2]))
    with pytest.raises(DataError, match=r"dependent \(m0, m2, m3\)"):
        parts_of(np.vstack([y[:3], y[0] + y[2]]))
    with pytest.raises(InputError, match="' & '"):
        parts_of(y, ["a", "b & c", "a & b", "c"], parts="all")
    assert len(parts_of(y, ["a", "b", "a & b", "c"]).table) == 6


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
def test_bands_are_called_bands() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 4))
    brain = {
        (f"s{k}", "V1"): z @ rng.normal(size=(4, 5)) + rng.normal(size=(40, 5)) for k in range(4)
    }
    bands = {"language models": z[:, :2], "motion": z[:, 2:]}
    one = apa.variance_partitioning(brain, bands, alphas=[1.0, 10.0], n_resamples=49, rng=0)
    assert one.table["model"].tolist()[:2] == ["language models", "motion"]
    told = one.text() + one.to_latex() + one.test().text() + one.test().to_latex()
    assert "bands" in told
    assert "RDM" not in told
    assert "models" not in told.replace("language models", "")
    assert "model " not in told.replace("& model &", "").replace("part & model", "")
    assert set(one.scores.frame["metric"]) == {"linear_predictivity"}


@pytest.mark.parametrize("verb", ["bootstrap", "unique_variance"])
def test_the_order_of_factors_changes_nothing(verb: str) -> None:
    study = apa.simulate_rdms(
        n_subject=8, n_stimulus=14, n_model=2, n_layer=1, rois=["V1", "MT"], rng=0
    )

    def found(cluster: tuple[str, str]) -> Any:
        options: dict[str, Any] = {"cluster": cluster, "n_resamples": 49, "rng": 1}
        if verb == "bootstrap":
            return apa.bootstrap(
                "score ~ model | roi", study.brain, models=study.models, **options
            ).table
        return apa.unique_variance(study.brain, study.models, **options).table

    one, two = found(("subject", "stimulus")), found(("stimulus", "subject"))
    pd.testing.assert_frame_equal(one, two)
    with pytest.raises(InputError, match="cluster"):
        found(("subject", "subject"))
