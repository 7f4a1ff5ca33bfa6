"""Predictions of new rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from tests.mixed.conftest import study

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
FORMULAS = [
    "score ~ model + (1 | subject) + (1 | roi)",
    "score ~ model * level + (1 + level | subject) + (1 | roi:subject)",
    "score ~ model + offset(level) + (1 | subject/roi)",
    "score ~ 1 + (0 + stream | subject) + (1 | mm(subject, roi))",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_rows_of_the_fit_get_their_fitted_values(formula: str) -> None:
    data = study(drop=9)
    fit = apa.lmm(formula, data)
    np.testing.assert_allclose(fit.predict(data, random=True), fit.fitted(), atol=1e-9)
    np.testing.assert_allclose(fit.predict(data), fit.predict(), atol=1e-12)


def test_new_levels_get_the_population() -> None:
    data = study(drop=9)
    fit = apa.lmm(FORMULAS[0], data)
    new = data.head(5).assign(subject="someone", roi="elsewhere")
    with pytest.raises(InputError, match="subject: got 'someone'"):
        fit.predict(new, random=True)
    np.testing.assert_allclose(fit.predict(new, random=True, new_levels="zero"), fit.predict(new))


def test_intervals_of_means_and_of_new_outcomes() -> None:
    data = study(n_subject=8, drop=9)
    fit = apa.lmm(FORMULAS[0], data)
    new = pd.DataFrame({"model": ["m0", "m3"], "subject": "new", "roi": "new"})
    mean = fit.predict(new, interval="confidence")
    emm = apa.emmeans(fit, "model").table.iloc[[0, 3]]
    for c in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        np.testing.assert_allclose(mean[c], emm[c], rtol=1e-9)
    wide = fit.predict(new, interval="prediction")
    total = fit.variance_components()["variance"].sum()
    np.testing.assert_allclose(wide["std_error"] ** 2, mean["std_error"] ** 2 + total, rtol=1e-9)
    with pytest.raises(InputError, match="interval"):
        fit.predict(new, random=True, interval="confidence")


def test_influence_is_the_fit_without_each_subject() -> None:
    data = study(n_subject=6, drop=9)
    # one subject whose differences between models stand out
    odd = (data["subject"] == "s2") & (data["model"] == "m3")
    data.loc[odd, "score"] += 1.0
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", data)
    table = fit.influence("subject")
    for level in ("s0", "s2"):
        direct = apa.lmm(fit.info["formula"], data[data["subject"] != level])
        mine = table[table["subject"] == level]
        np.testing.assert_allclose(mine["estimate"], direct.table["estimate"], atol=1e-6)
        change = fit.table["estimate"].to_numpy() - direct.table["estimate"].to_numpy()
        np.testing.assert_allclose(mine["dfbetas"], change / fit.table["std_error"], atol=1e-5)
        V = fit.arrays["vcov"]
        assert mine["cooks_distance"].iloc[0] == pytest.approx(
            change @ np.linalg.solve(V, change) / len(change), abs=1e-5
        )
    assert table.groupby("subject")["cooks_distance"].first().idxmax() == "s2"
    with pytest.raises(InputError, match="group: got 'person'"):
        fit.influence("person")
