"""Odd data end in a number, a named warning or a named error: no warning of numpy, no NaN without a word."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaError, ApaWarning


def _scores(kind: str, n: int, k: int = 4) -> np.ndarray:
    """``[n, k, 2]``: the second region is as it should be, the first is odd."""
    g = np.random.default_rng(5)
    x = 0.4 + g.normal(0, 0.1, (n, 1, 2)) + g.normal(0, 0.05, (n, k, 2))
    odd = x[:, :, 0]
    if kind == "two decimals":
        odd[:] = odd.round(2)
    elif kind == "one model constant":
        odd[:, 1] = 0.3
    elif kind == "a model twice":
        odd[:, 1] = odd[:, 0]
    elif kind == "constant differences":
        odd[:, 1] = odd[:, 0] + 0.1
    elif kind == "all constant":
        odd[:] = 0.7
    elif kind == "perfectly apart":
        odd[:] = g.normal(0, 1e-9, odd.shape) + np.arange(k)
    elif kind == "tiny":
        odd[:] *= 1e-12
    elif kind == "huge":
        odd[:] *= 1e60
    elif kind == "holes":
        odd[g.random(odd.shape) < 0.3] = np.nan
    elif kind == "a model of one subject":
        odd[1:, 1] = np.nan
    elif kind == "zeros":
        odd[:] = np.where(g.random(odd.shape) < 0.6, 0.0, odd)
    return x


KINDS = (
    "two decimals", "one model constant", "a model twice", "constant differences", "all constant", "perfectly apart",
    "tiny", "huge", "holes", "a model of one subject", "zeros",
)  # fmt: skip
FORMULA = "score ~ model | roi"
B = {"bounds": 0.05}
DRAWN = {"n_resamples": 99, "rng": 1}
CALLS: list[tuple[str, dict[str, Any]]] = [
    *(("compare", {"test": t}) for t in ("t", "trimmed", "wilcoxon", "sign_flip", "permutation")),
    ("compare", {"test": "bootstrap", **DRAWN}),
    ("compare", {"test": "bootstrap", "interval": "bca", **DRAWN}),
    ("compare", {"test": "bootstrap", "interval": "normal", "small_sample": True, **DRAWN}),
    ("compare", {"test": "log_ratio"}),
    ("compare", {"reference": "best"}),
    ("compare", {"alternative": "greater", "family": "cell"}),
    ("compare", {"top": 3}),
    *(("equivalence", {**B, "adjust": a}) for a in ("holm", "max-t", "tukey", "closed", "bh")),
    ("equivalence", {**B, "reference": "best"}),
    ("equivalence", {**B, "reference": "best", "variance": "separate"}),
    ("equivalence", {**B, "hypothesis": "minimal_effect"}),
    ("equivalence", {"bounds": apa.margin(0.5, of="sd")}),
    ("equivalence_set", {}),
    ("equivalence_set", {**B, "method": "mcs"}),
    ("equivalence_set", {**B, "method": "tost"}),
    ("friedman", {}),
    ("quade", {}),
    ("nemenyi", {}),
    ("mean_ranks", {}),
    ("discriminability", {"rng": 1}),
    ("bootstrap", {}),
    ("bootstrap", {"interval": "bca", **DRAWN}),
]
# what undefined results leave empty
NUMBERS = ("estimate", "p_value", "conf_low", "conf_high", "effect_size", "statistic")


def _run(verb: str, data: Any, options: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Result, or None where a named error was raised, and what was warned."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = getattr(apa, verb)(FORMULA, data, **options)
        except ApaError:
            found = None
    return found, said


@pytest.mark.parametrize("kind", KINDS)
def test_odd_scores_are_spoken_of_by_name(kind: str) -> None:
    wrong = []
    for n in (2, 3, 8):
        x = _scores(kind, n)
        index = pd.MultiIndex.from_product(
            [[f"s{i}" for i in range(n)], ["a", "b", "c", "d"], ["r1", "r2"]],
            names=["subject", "model", "roi"],
        )
        frame = pd.DataFrame({"score": x.ravel()}, index=index).reset_index()
        data = apa.ScoreTable(frame)
        for verb, options in CALLS:
            found, said = _run(verb, data, options)
            raw = [str(w.message) for w in said if not issubclass(w.category, ApaWarning)]
            if raw:
                wrong.append((verb, options, n, "raw warning", raw[0]))
            if found is None:
                continue
            table = found.table
            # terms of one table that have no test
            asked = NUMBERS[:1] if verb == "discriminability" else NUMBERS
            columns = [c for c in asked if c in table and table[c].notna().any()]
            empty = table[columns].isna().any().any() if columns else True
            if empty and not said and not found.notes:
                lost = [c for c in columns if table[c].isna().any()]
                wrong.append((verb, options, n, "NaN without a word", lost))
            p = table.filter(regex="^p_value").to_numpy(dtype=float)
            if (p <= 0).any():
                wrong.append((verb, options, n, "p of 0", kind))
            limits = [c for c in ("conf_low", "conf_high", "estimate") if c in table]
            if len(limits) == 3 and "alternative" not in options:
                size = 1e-9 * table["estimate"].abs()
                inside = (table["conf_low"] <= table["estimate"] + size) & (
                    table["estimate"] <= table["conf_high"] + size
                )
                known = table[limits].notna().all(axis=1)
                if not inside[known].all():
                    wrong.append((verb, options, n, "estimate outside its interval", kind))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("interval", ["percentile", "studentized", "bca", "normal"])
@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("few", [None, (4.0, 1.12), (13.0, 1.04)])
def test_errors_of_any_p_value_are_finite(
    interval: str, two_sided: bool, few: tuple[float, float] | None
) -> None:
    from apastats.comparing.monte_carlo import p_errors

    p = np.array([0.0, 1e-300, 1e-16, 1e-9, 0.001, 0.05, 0.5, 0.999, 1 - 1e-12, 1.0, np.nan])
    with np.errstate(all="raise", under="ignore"):
        found = p_errors(p, 999, interval=interval, few=few, two_sided=two_sided)
    assert np.isfinite(found[:-1]).all()
    assert (found[:-1] >= 0).all()
    assert np.isnan(found[-1])
    # what is far from deciding has an error far below what would turn it
    assert found[:3].max() < 1e-4
