"""Names that the package, a result or a table does not have: the one that is meant is named."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.elsewhere import VERBS
from apastats.errors import ApaError, InputError
from apastats.results import Provenance, Result
from apastats.words import Info
from tests import verb_data

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "coming_from.md").read_text("utf-8")


def _pairs() -> list[tuple[str, str]]:
    """Functions of other programs and the verbs that stand beside them on the page."""
    found = []
    for left, right in re.findall(r"^\| (`[^|]+(?:\\\|[^|]+)*) \| (.+) \|$", PAGE, re.M):
        verbs = re.findall(r"apa\.(\w+)\(", right)
        for call in re.findall(r"`(?:\w+(?:::|\.))?(\w+)\((?!\w+\()", left):
            if verbs and call not in apa.EXPORTS:
                found.append((call, verbs[0]))
    return found


def test_functions_of_other_programs_name_the_verb() -> None:
    pairs = _pairs()
    assert len(pairs) > 15
    for call, _ in pairs:
        verbs = "|".join(v for c, v in pairs if c == call)
        with pytest.raises(AttributeError, match=rf"Did you mean ({verbs})\?"):
            getattr(apa, call)
    assert set(VERBS) <= set(apa.EXPORTS)
    taken = [other for others in VERBS.values() for other in others]
    assert len(taken) == len(set(taken))
    assert [other for other in taken if other in apa.EXPORTS] == []


@pytest.mark.parametrize("name", sorted(n for n in apa.EXPORTS if len(n) > 6))
def test_a_mistyped_verb_is_named(name: str) -> None:
    for typo in (name[:-1], name.upper(), name[0] + name[2] + name[1] + name[3:]):
        if typo not in apa.EXPORTS:
            with pytest.raises(AttributeError, match=r"Did you mean \w+\?|method of results"):
                getattr(apa, typo)
    assert not hasattr(apa, "_nothing")


LOADED = [getattr(apa, name) for name in apa.EXPORTS]  # every class of results is known then


@pytest.mark.parametrize("kind", sorted(Result._registry))
def test_every_result_says_where_its_columns_are(kind: str) -> None:
    table = pd.DataFrame({"roi": ["V1"], "estimate": [0.5], "p_value": [0.1]})
    result = Result._registry[kind](table, Info(method="m"), Provenance())
    for column in table.columns:
        if not hasattr(type(result), column):
            with pytest.raises(AttributeError, match=rf"It is a column: tidy\(\)\['{column}'\]"):
                getattr(result, column)
        with pytest.raises(TypeError, match=rf"tidy\(\)\['{column}'\]"):
            result[column]  # type: ignore[index]
    for wrote, meant in (("to_csv", "save"), ("coef", "tidy"), ("groupby", r"tidy\(\)\.groupby")):
        if not hasattr(type(result), wrote):
            with pytest.raises(AttributeError, match=meant):
                getattr(result, wrote)
    with pytest.raises(TypeError):
        list(result)  # type: ignore[call-overload]
    assert copy.deepcopy(result).table.equals(table)
    assert pickle.loads(pickle.dumps(result)).table.equals(table)
    assert not hasattr(result, "_nothing")
    assert not hasattr(result, "nothing_of_the_kind")


def test_a_table_says_where_its_frame_is() -> None:
    table = apa.simulate(n_subject=6, n_model=2, rois=["V1", "V4"], rng=1).scores
    for name, said in (
        ("roi", r"frame\['roi'\]"),
        ("groupby", r"frame\.groupby"),
        ("head", r"frame\.head"),
    ):
        with pytest.raises(AttributeError, match=said):
            getattr(table, name)
    with pytest.raises(TypeError, match=r"frame\['score'\]"):
        table["score"]  # type: ignore[index]
    assert copy.deepcopy(table).frame.equals(table.frame)


def test_first_calls_that_everybody_gets_wrong() -> None:
    data = apa.simulate(n_subject=6, n_model=2, rois=["V1", "V4"], rng=1).scores.frame
    fit = verb_data.fit()
    calls = [
        (lambda: apa.equivalence(data, "score ~ model", bounds=0.1), "formula comes first"),
        (lambda: apa.equivalence(data, bounds=0.1), "formula comes first"),
        (lambda: apa.tost(data, bounds=0.1), "taken by equivalence"),
        (lambda: apa.tost("score ~ model", bounds=0.1), "taken by equivalence"),
        (lambda: apa.equivalence("score ~ model", data, bounds="10 %"), r"apa\.margin\(0\.1"),
        (lambda: apa.emmeans(fit, "model", adjust="holm"), r"emmeans\(\.\.\.\)\.\w+\(\)"),
        (lambda: apa.report(data), r"apa\.read"),
        (lambda: apa.score_patterns([[1.0]], {}), r"\('sub-01', 'V1'\): array"),
        (lambda: apa.read_patterns("nothing.npy"), "no such file"),
    ]
    for call, said in calls:
        with pytest.raises(ApaError, match=said):
            call()
    with pytest.raises(InputError, match="Did you mean 'corr'"):
        apa.rdm_similarity([[0.1, 0.2, 0.3]], [[0.1, 0.2, 0.4]], method="pearson")


@pytest.mark.parametrize(
    ("verb", "name", "said"),
    [
        ("tost", "eqbound_type", r"margin\(0\.5, of='sd'\)"),
        ("equivalence", "eqbound_type", r"margin\(0\.5, of='sd'\)"),
        ("tost", "low_eqbound", "bounds="),
        ("tost", "eqb", "bounds="),
        ("tost", "mu", "null="),
        ("tost", "side", "hypothesis="),
        ("tost", "R", "n_resamples="),
        ("tost", "var_equal", "equal_var="),
        ("compare", "side", "alternative="),
        ("compare", "padjust", "adjust="),
        ("compare", "parametric", "test="),
        ("compare", "dv", "formula="),
        ("effect_size", "eftype", "measures="),
        ("rm_anova", "dv", "values="),
        ("lmm", "REML", "reml="),
        ("emmeans", "level", "conf_level="),
        ("emmeans", "adjust", r"contrast\(\)"),
        ("emmeans", "pairwise", r"contrast\(\)"),
        ("bootstrap", "N", "n_resamples="),
        ("bootstrap", "boot_noise_ceiling", "ceiling="),
        ("evaluate_rdms", "boot_noise_ceiling", "ceiling=True"),
        ("evaluate_rdms", "pattern_descriptor", "cluster='stimulus'"),
        ("evaluate_rdms", "rdm_descriptor", "cluster='subject'"),
        ("evaluate_rdms", "fitter", "evaluate_fitted"),
    ],
)
def test_arguments_of_other_programs_name_ours(verb: str, name: str, said: str) -> None:
    with pytest.raises(ApaError, match=rf"(?s)^{verb}: {name} is no argument.*{said}.*Allowed"):
        getattr(apa, verb)(**{name: 1})


def test_a_margin_in_sds_is_as_the_hint_writes_it() -> None:
    x = np.random.default_rng(1).normal(size=12)
    with pytest.raises(ApaError, match="of='sd'"):
        apa.tost(x, bounds=0.5, eqbound_type="SMD")
    assert "SD" in apa.tost(x, bounds=apa.margin(0.5, of="sd")).text()


def test_a_table_is_one_object_to_numpy():
    table = verb_data.best()
    assert np.asarray(table).shape == ()
    with pytest.raises(InputError, match="x"):
        apa.rdm_similarity(table, table, method="corr")
