"""The weighted kernels against literal resampling and against rsatoolbox on replayed draws."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import rankdata

from apastats.errors import DataError, InputError
from apastats.scoring.methods import METHODS
from apastats.scoring.stimuli.pair_weights import PairKernel, gram_ceilings
from apastats.scoring.stimuli.two_factor import dual_variance

S, N, M = 6, 24, 5
PAIR_METHODS = tuple(name for name, row in METHODS.items() if row.stimuli == "weights")


def rdms(n: int = N, ties: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    iu = np.triu_indices(n, 1)
    truth = rng.normal(size=(n, 8))

    def vector(noise: float) -> np.ndarray:
        z = truth + noise * rng.normal(size=truth.shape)
        return ((z[:, None] - z[None]) ** 2).sum(-1)[iu] / 8

    x = np.array([vector(0.8) for _ in range(S)])
    y = np.array([vector(0.3 + 0.2 * k) for k in range(M)])
    return (x.round(0), y.round(0)) if ties else (x, y)


def draws(b: int, n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1 / n), b).astype(float)


def literal(x: np.ndarray, y: np.ndarray, counts: np.ndarray, method: str) -> np.ndarray:
    """Similarity of the RDMs of a drawn list of stimuli, pairs of one stimulus left out."""
    n = len(counts)
    drawn = np.repeat(np.arange(n), counts.astype(int))
    i, j = np.triu_indices(len(drawn), 1)
    keep = drawn[i] != drawn[j]
    i, j = drawn[i[keep]], drawn[j[keep]]
    square = np.zeros((len(x) + len(y), n, n))
    square[:, *np.triu_indices(n, 1)] = np.concatenate([x, y])
    z = (square + square.transpose(0, 2, 1))[:, i, j]
    if method in ("spearman", "rho-a"):
        z = rankdata(z, axis=1)
    if method != "cosine":
        z = z - z.mean(axis=1, keepdims=True)
    a, b = z[: len(x)], z[len(x) :]
    if method == "rho-a":
        k = z.shape[1]
        return a @ b.T * 12 / (k**3 - k)
    return a @ b.T / np.sqrt((a * a).sum(1)[:, None] * (b * b).sum(1))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("method", ["cosine", "corr", "spearman", "rho-a"])
def test_weights_equal_literal_resampling(method: str, ties: bool) -> None:
    x, y = rdms(ties=ties)
    c = draws(20, N)
    found = PairKernel(x, y, method).moments(c).scores()
    for row, counts in zip(found, c, strict=True):
        np.testing.assert_allclose(row, literal(x, y, counts, method), atol=1e-12)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_all_ones_are_the_data(method: str) -> None:
    from apastats.scoring.rdm_similarity import similarity_counts

    x, y = rdms()
    kernel = PairKernel(x, y, method)
    expected = similarity_counts(x, y, method)[0]
    np.testing.assert_allclose(kernel.plain().scores()[0], expected, atol=1e-13)
    np.testing.assert_allclose(kernel.moments(np.ones((1, N))).scores()[0], expected, atol=1e-12)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_ceilings_are_those_of_the_scores(method: str) -> None:
    from apastats.scoring.fixed import nili_bounds

    x, y = rdms()
    lower, upper = gram_ceilings(PairKernel(x, y, method).plain(), np.ones((1, S)))
    expected = nili_bounds(x, method=method)
    np.testing.assert_allclose(lower[0], expected[0], atol=1e-12)
    np.testing.assert_allclose(upper[0], expected[1], atol=1e-12)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_rows_do_not_depend_on_their_neighbours(method: str) -> None:
    x, y = rdms()
    c = draws(300, N)
    kernel = PairKernel(x, y, method)
    whole, part = kernel.moments(c), kernel.moments(c[256:])
    np.testing.assert_allclose(whole.scores()[256:], part.scores(), rtol=1e-12)


def test_fewer_than_three_stimuli_are_undefined() -> None:
    x, y = rdms()
    c = np.zeros((1, N))
    c[0, :2] = N / 2
    assert np.isnan(PairKernel(x, y, "corr").moments(c).scores()).all()


@pytest.mark.parametrize("method", ["corr", "spearman", "corr_cov"])
def test_a_constant_rdm_has_no_correlation(method: str) -> None:
    x, y = rdms()
    y[1] = 0.1
    kernel = PairKernel(x, y, method)
    for moments in (kernel.plain(), kernel.moments(draws(3, N))):
        scores = moments.scores()
        assert np.isnan(scores[:, :, 1]).all()
        assert np.isfinite(np.delete(scores, 1, axis=2)).all()


def test_dual_variance_keeps_its_floor() -> None:
    # rsatoolbox returns 1.0 here, below the variance of subjects alone
    found = dual_variance(np.array([1.0]), np.array([0.95]), np.array([0.3]), 5, 100)
    assert found[0] == pytest.approx(0.95 * 5 / 4)


def test_dual_variance_of_a_known_model() -> None:
    # y_sp = a_s + b_p + e_sp, mean over both: the three bootstraps have known expectations
    s, p, va, vb, ve = 8, 30, 1.0, 2.0, 4.0
    truth = va / s + vb / p + ve / (s * p)
    r, q = (s - 1) / s, (p - 1) / p
    subjects = r * (va / s + ve / (s * p))
    stimuli = q * (vb / p + ve / (s * p))
    both = r * va / s + q * vb / p + (r + q + r * q) * ve / (s * p)
    found = dual_variance(np.array(both), np.array(subjects), np.array(stimuli), s, p)
    assert float(found) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: PairKernel(*rdms(), "tau-a"), "method: got 'tau-a'.*where stimuli are drawn"),
        (lambda: dual_variance(np.ones(1), np.ones(1), np.ones(1), 1, 5), "two or more of each"),
    ],
)
def test_bad_input(call, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()


def test_missing_entries_are_refused() -> None:
    x, y = rdms()
    x[0, 0] = np.nan
    with pytest.raises(DataError, match="RDMs have missing entries"):
        PairKernel(x, y, "corr")


# ---------------------------------------------------------------------- rsatoolbox on replayed draws
class Replay:
    """Records the draws of rsatoolbox's bootstraps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import rsatoolbox.inference.evaluate as ev

        self.subjects: list[np.ndarray] = []
        self.stimuli: list[np.ndarray] = []

        def wrap(name: str, subject: int | None, stimulus: int | None) -> None:
            original = getattr(ev, name)

            def recorded(*args, **kwargs):
                out = original(*args, **kwargs)
                if subject is not None:
                    self.subjects.append(np.bincount(out[subject], minlength=S))
                if stimulus is not None:
                    self.stimuli.append(np.bincount(out[stimulus], minlength=N))
                return out

            monkeypatch.setattr(ev, name, recorded)

        wrap("bootstrap_sample", 1, 2)
        wrap("bootstrap_sample_rdm", 1, None)
        wrap("bootstrap_sample_pattern", None, 1)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("rsatoolbox")
    from rsatoolbox import inference
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    x, y = rdms()
    replay = Replay(monkeypatch)
    models = [ModelFixed(f"m{k}", v) for k, v in enumerate(y)]
    np.random.seed(3)  # noqa: NPY002 - rsatoolbox draws from the global state
    return inference, RDMs(x), models, replay, x, y


def means_of_present(values: np.ndarray) -> np.ndarray:
    return np.nanmean(values, axis=1)


@pytest.mark.parametrize("method", ["cosine", "corr", "cosine_cov", "corr_cov"])
def test_subject_bootstrap_equals_rsatoolbox(peer, method: str) -> None:
    inference, data, models, replay, x, y = peer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = inference.eval_bootstrap_rdm(models, data, method=method, N=12)
    v = np.array(replay.subjects, dtype=float)
    plain = PairKernel(x, y, method).plain()
    np.testing.assert_allclose(v @ plain.scores()[0] / S, result.evaluations, atol=1e-10)
    lower, upper = gram_ceilings(plain, v)
    np.testing.assert_allclose(means_of_present(lower), result.noise_ceiling[0], atol=1e-10)
    np.testing.assert_allclose(means_of_present(upper), result.noise_ceiling[1], atol=1e-10)


@pytest.mark.parametrize(
    "method", ["cosine", "corr", "cosine_cov", "corr_cov", "spearman", "rho-a"]
)
def test_stimulus_bootstrap_equals_rsatoolbox(peer, method: str) -> None:
    inference, data, models, replay, x, y = peer
    ceilings = method not in ("spearman", "rho-a")  # rsatoolbox ranks the mean of ranks again
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = inference.eval_bootstrap_pattern(
            models, data, method=method, N=10, boot_noise_ceil=ceilings
        )
    moments = PairKernel(x, y, method).moments(np.array(replay.stimuli, dtype=float))
    found = moments.scores().mean(axis=1)
    np.testing.assert_allclose(found, result.evaluations, atol=1e-10)
    if ceilings:
        lower, upper = gram_ceilings(moments, np.ones((len(found), S)))
        np.testing.assert_allclose(lower.mean(axis=1), result.noise_ceiling[0], atol=1e-10)
        np.testing.assert_allclose(upper.mean(axis=1), result.noise_ceiling[1], atol=1e-10)
        both = np.vstack([found.T, lower.mean(axis=1), upper.mean(axis=1)])
        np.testing.assert_allclose(np.cov(both), result.variances, atol=1e-10)


@pytest.mark.parametrize("method", ["cosine", "corr", "cosine_cov", "corr_cov"])
def test_dual_bootstrap_equals_rsatoolbox(peer, method: str) -> None:
    inference, data, models, replay, x, y = peer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = inference.eval_dual_bootstrap(models, data, method=method, N=12)
    v = np.array(replay.subjects, dtype=float)
    c = np.array(replay.stimuli, dtype=float)
    kernel = PairKernel(x, y, method)
    scores = kernel.moments(c).scores()
    both = np.einsum("bs,bsm->bm", v, scores) / S
    subjects, stimuli = v @ kernel.plain().scores()[0] / S, scores.mean(axis=1)
    theirs = result.evaluations[:, :, 0, 0]
    for k, ours in enumerate((both, subjects, stimuli)):
        np.testing.assert_allclose(ours, theirs[:, :, k], atol=1e-10)
        np.testing.assert_allclose(np.cov(ours.T), result.variances[k][:M, :M], atol=1e-10)
    # their variance of a model agrees wherever their last cap does not undo the floor
    variances = [np.var(e, axis=0, ddof=1) for e in (both, subjects, stimuli)]
    ours = dual_variance(*variances, S, N)
    agree = ours <= variances[0]
    np.testing.assert_allclose(ours[agree], result.model_var[agree], atol=1e-10)
