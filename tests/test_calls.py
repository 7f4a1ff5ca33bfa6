"""A call that does not fit a verb ends in an error of the package that names what is meant."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats import arguments
from apastats.calls import nearest
from apastats.elsewhere import ARGUMENTS
from apastats.errors import ApaError, CallError, DataError, InputError, MarginError, StudyError
from apastats.numbers.adjust_p import ADJUSTMENTS
from apastats.scoring.methods import METHODS
from tests import verb_data, verbs

NAMES = sorted(verbs.functions())


def _parameters(name: str) -> dict[str, inspect.Parameter]:
    found = inspect.signature(verbs.functions()[name]).parameters
    return {k: p for k, p in found.items() if k != "self"}


def _typos(own: str) -> list[str]:
    """Ways in which a name is mistyped: a letter less, two exchanged, capitals, a plural."""
    return [own[:-1], own[0] + own[2] + own[1] + own[3:], own.capitalize(), own + "s"]


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_names_the_argument_that_is_meant(name: str) -> None:
    parameters = _parameters(name)
    own = [k for k, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return  # takes any name: its options are checked by what they go to
    call = verbs.functions()[name]
    first = [None] if "self" in inspect.signature(call).parameters else []
    for meant in (k for k in own if len(k) > 4):
        for typo in _typos(meant):
            if typo in own:
                continue
            with pytest.raises(CallError) as caught:
                call(*first, **{typo: 1})
            error = caught.value
            assert isinstance(error, ApaError)
            assert isinstance(error, TypeError)
            assert (error.argument, error.value) == (typo, 1)
            assert str(error).startswith(f"{call.__name__}: {typo} is no argument (got 1). Did you")
            suggested = re.findall(r"Did you mean (\w+)=\?", str(error))
            # where two names are as near, either may be named
            assert suggested
            assert suggested[0] in own
    with pytest.raises(CallError, match="is no argument") as caught:
        call(*first, qqqqqq=2)
    assert "Did you mean" not in str(caught.value)
    assert all(k in str(caught.value) for k in own)


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_says_what_is_missing_or_too_much(name: str) -> None:
    call, parameters = verbs.functions()[name], _parameters(name)
    first: list[Any] = [None] if "self" in inspect.signature(call).parameters else []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [k for k, p in parameters.items() if p.default is p.empty and p.kind not in variable]
    if needed:
        with pytest.raises(CallError, match="missing") as caught:
            call(*first)
        assert caught.value.argument == ", ".join(needed)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return
    places = [k for k, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    many = [0] * (len(places) + 1)
    with pytest.raises(CallError, match=f"by position is number {len(many)}"):
        call(*first, *many)
    if places:
        with pytest.raises(CallError, match=f"{places[0]} is given twice"):
            call(*first, 0, **{places[0]: 1})


@pytest.mark.parametrize(
    ("name", "wrote", "meant"),
    [
        ("simulate", "n_roi", "rois"),
        ("simulate", "seed", "rng"),
        ("simulate", "n_subjects", "n_subject"),
        ("tost", "margin", "bounds"),
        ("tost", "eqb", "bounds"),
        ("bootstrap", "n_boot", "n_resamples"),
        ("bootstrap", "ci", "conf_level"),
        ("bootstrap", "random_state", "rng"),
        ("equivalence", "correction", "adjust"),
        ("rdm_similarity", "metric", "method"),
        ("rdms_from_patterns", "folds", "cv_descriptor"),
        ("read", "sheet_name", "sheet"),
        ("agreement_test", "n_perm", "n_resamples"),
    ],
)
def test_names_of_other_programs(name: str, wrote: str, meant: str) -> None:
    with pytest.raises(CallError, match=rf"Did you mean {meant}=\?"):
        verbs.functions()[name](**{wrote: 1})


def test_every_name_that_others_are_turned_into_is_an_option_somewhere() -> None:
    everywhere = {k for name in NAMES for k in _parameters(name)}
    assert set(ARGUMENTS) <= everywhere
    assert nearest("n_perm", ["alpha"]) is None


def test_a_missing_margin_says_that_there_is_no_default() -> None:
    asked = 0
    for name in NAMES:
        bounds = _parameters(name).get("bounds")
        if bounds is not None and bounds.default is bounds.empty and "." not in name:
            with pytest.raises(CallError, match="There is no default margin"):
                verbs.functions()[name]()
            asked += 1
    assert asked > 0


def _choices() -> list[tuple[str, str, tuple[str, ...]]]:
    """Every option of a verb that takes one of a few words, and the words."""
    found = []
    for name, call in verbs.functions().items():
        plain = inspect.unwrap(call)
        for option, hint in arguments._hints(plain).items():
            for kind in (hint, *typing.get_args(hint)):
                if typing.get_origin(kind) is typing.Literal:
                    words = tuple(w for w in typing.get_args(kind) if isinstance(w, str))
                    found.append((name, option, words))
    return found


def test_another_spelling_of_a_choice_names_the_word_that_is_meant() -> None:
    seen = 0
    lists = [words for _, _, words in _choices()] + [tuple(METHODS), ADJUSTMENTS]
    for words in map(tuple, lists):
        for word in words:
            spelt = {word.upper(), word.replace("-", "_"), word.replace("_", "-"), f" {word}"}
            for other in spelt - set(words):
                with pytest.raises(InputError) as caught:
                    arguments.choice("option", other, words)
                assert caught.value.hint == f"Did you mean {word!r}?"
                seen += 1
        with pytest.raises(InputError) as caught:
            arguments.choice("option", "zzzz", words)
        assert caught.value.hint == ""
    assert seen > 50


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: apa.adjust_p([0.1, 0.2], "fdr-bh"), "'bh'"),
        (lambda: apa.effect_size([1, 2, 3.5], [0, 1, 1], measures=["hedges_g"]), "'g'"),
        (lambda: apa.effect_size([1, 2, 3.5], [0, 1, 1], measures="glass_delta"), "'glass'"),
        (lambda: apa.tost([1, 2, 3.5], bounds=1, hypothesis="minimal"), "'minimal_effect'"),
        (lambda: verb_data.best().where(roi="v1"), "'V1'"),
        (lambda: verb_data.best().where(modle="a"), "'model'"),
        (lambda: apa.compare("score ~ modle | roi", verb_data.best()), "'model'"),
        (lambda: apa.rdm_similarity([[1, 2, 4.0]], [[1, 2, 3.0]], method="rho_a"), "'rho-a'"),
        (lambda: apa.read(_wide(), wide="modle"), "'model'"),
    ],
)
def test_a_near_word_is_named(call: Callable[[], object], meant: str) -> None:
    with pytest.raises(InputError, match=f"Did you mean {meant}"):
        call()


def _people() -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = [
        (f"{s:03d}", roi, net, 0.3 + 0.02 * s + 0.1 * (net == "vit") + 0.02 * random.normal())
        for s in range(1, 6)
        for roi in ("V1", "IT")
        for net in ("resnet", "vit")
    ]
    return pd.DataFrame(rows, columns=["participant", "area", "network", "RSA"])


def _wide() -> pd.DataFrame:
    people = _people()
    return people.pivot_table(
        index=["participant", "area"], columns="network", values="RSA"
    ).reset_index()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: apa.compare("RSA ~ model | roi", _people()), "score"),
        (lambda: apa.compare("score ~ network | roi", _people()), "model"),
        (lambda: apa.compare("score ~ model | area", _people()), "roi"),
        (lambda: apa.read(_people()).where(participant="001"), "subject"),
    ],
)
def test_a_column_that_was_renamed_when_read_is_named(
    call: Callable[[], object], name: str
) -> None:
    with pytest.raises(InputError, match=f"It was read as '{name}'"):
        call()


def test_a_frame_that_a_verb_cannot_read_says_how_it_is_read() -> None:
    odd = _people().rename(columns={"RSA": "wobble"})
    with pytest.raises(DataError, match=r"rename=\{'wobble': 'score'\}") as caught:
        apa.compare("score ~ model | roi", odd)
    assert "data = apa.read(frame, ...)" in str(caught.value)
    assert "command line" not in str(caught.value)
    table = apa.read(odd, rename={"wobble": "score"})
    assert len(apa.compare("score ~ model | roi", table).table) == 2


def test_arrays_of_too_many_axes_say_what_to_do_with_them() -> None:
    random = np.random.default_rng(1)
    repeated, maps = random.random((12, 4, 5)), random.random((12, 2, 3, 3))
    flat = {("m", "l"): random.random((12, 6))}
    for call in (apa.score_patterns, apa.linear_predictivity):
        with pytest.raises(DataError, match=r"x\.mean\(axis=1\); ncsnr"):
            call({("s", "V1"): repeated}, flat)
        with pytest.raises(DataError, match=r"x\.reshape\(len\(x\), -1\)"):
            call({("s", "V1"): repeated.mean(axis=1)}, {("m", "conv"): maps})
    with pytest.raises(DataError, match=r"x\.mean\(axis=1\)"):
        apa.rdms_from_patterns({("s", "V1"): repeated})
    with pytest.raises(InputError, match=r"a dict of 1 arrays, the first \('s', 'V1'\)"):
        apa.ncsnr({("s", "V1"): repeated})


def test_tensors_with_a_graph_or_of_half_precision_are_numbers() -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(1)
    brain, values = {("s", "V1"): random.random((12, 8))}, random.random((12, 9)).astype("f4")
    plain = apa.score_patterns(brain, {("m", "l"): values}).frame["score"][0]
    graph = torch.tensor(values, requires_grad=True)
    half = torch.tensor(values).bfloat16()
    assert apa.score_patterns(brain, {("m", "l"): graph}).frame["score"][0] == plain
    near = apa.score_patterns(brain, {("m", "l"): half}).frame["score"][0]
    assert abs(near - plain) < 0.05
    for tensor in (graph, half):
        assert len(apa.rdms_from_patterns({("s", "V1"): tensor})) == 1
        assert apa.tost(tensor.flatten(), bounds=1).table["estimate"][0] > 0


def test_a_ceiling_of_two_bounds_asks_which() -> None:
    ceiling = apa.noise_ceiling(verb_data.rdms().brain, kind="nili")
    scores = apa.score(verb_data.rdms().brain, verb_data.rdms().models)
    best = scores.where(kind="model", layer=scores.frame["layer"].iloc[0])
    with pytest.raises(MarginError, match=r"margin\(\.\.\., bound='lower'\)"):
        apa.equivalence("score ~ model | roi", best, bounds=apa.margin(0.1, of=ceiling))


def test_formulas_of_emmeans_are_told_in_our_words() -> None:
    frame = _people().astype({"participant": str})
    fit = apa.lmm("RSA ~ network * area + (1 | participant)", frame)
    for formula in ("~ network | area", "pairwise ~ network"):
        with pytest.raises(InputError, match=r"specs='a', by='b'.*\.pairs\(\)"):
            apa.emmeans(fit, formula)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("equivalence.bound", "bounds"),
        ("equivalence.margin", "bounds"),
        ("bootstrap.n_boot", "n_resamples"),
        ("bootstrap.ci", "conf_level"),
        ("equivalance.bounds", "equivalence"),
        ("study.sead", "seed"),
    ],
)
def test_a_key_of_a_study_that_is_not_there_names_the_one_that_is_meant(
    key: str, meant: str, tmp_path: Path
) -> None:
    people = _people().rename(columns={"RSA": "score"})
    people.to_csv(tmp_path / "scores.csv", index=False)
    study = tmp_path / "study.toml"
    study.write_text('[inputs]\nscores = "scores.csv"\n[equivalence]\nbounds = 0.05\n')
    with pytest.raises(StudyError, match=f"did you mean {meant}\\?"):
        apa.run_study(study, assignments=[f"{key}=1"])
    with pytest.raises(StudyError, match="unknown key") as caught:
        apa.run_study(study, assignments=["study.wobble=1"])
    assert "did you mean" not in str(caught.value)


def _siblings(name: str) -> list[str]:
    """Verbs that the docstring of a verb sends the reader to."""
    text = inspect.getdoc(verbs.functions()[name]) or ""
    part = text.partition("See Also\n--------\n")[2].split("\n\n")[0]
    return [w for w in re.findall(r"\w+", part) if w in apa.EXPORTS]


@pytest.mark.parametrize("name", [n for n in NAMES if "." not in n])
def test_an_argument_of_the_verb_beside_it_names_that_verb(name: str) -> None:
    own = _parameters(name)
    if any(p.kind is p.VAR_KEYWORD for p in own.values()):
        return
    for sibling in _siblings(name):
        if sibling not in NAMES:
            continue
        for argument in set(_parameters(sibling)) - set(own):
            if nearest(argument, list(own)):
                continue  # it has another name here
            with pytest.raises(CallError) as caught:
                verbs.functions()[name](**{argument: 1})
            said = re.search(rf"{argument}= is an argument of ([\w ]+)\.", str(caught.value))
            if f"{argument}= is an argument of {name}(...)." in str(caught.value):
                continue  # a method of the result takes it
            assert said, (name, argument, str(caught.value))
            for named in re.split(" and ", said[1]):
                assert argument in _parameters(named)


def test_power_and_sample_size_name_each_other() -> None:
    with pytest.raises(CallError, match="power= is an argument of sample_size_tost"):
        apa.power_tost(power=0.9, sd=1, bounds=0.5)
    with pytest.raises(CallError, match="n= is an argument of power_tost"):
        apa.sample_size_tost(n=20, sd=1, bounds=0.5)


def test_models_alone_say_where_rows_of_brains_come_from() -> None:
    scores = apa.simulate(n_subject=6, n_model=3, rois=["V1", "V4", "MT"], rng=1).scores
    alone = scores.where(kind="model")
    patterns = apa.alignment_patterns(alone)
    calls: dict[str, Callable[[], Any]] = {
        **{
            kind: lambda kind=kind: apa.noise_ceiling(alone, kind=kind)
            for kind in ("leave_one_out", "subject_to_subject", "split_half", "repeat")
        },
        **{
            verb: lambda verb=verb: getattr(apa, verb)(patterns)
            for verb in (
                "pattern_agreement",
                "agreement_test",
                "agreement_bootstrap",
                "pattern_reliability",
                "pattern_identification",
                "layer_agreement",
            )
        },
        "agreement_sensitivity": lambda: apa.agreement_sensitivity(alone),
        "columns": lambda: apa.alignment_patterns(alone, profile="column"),
    }
    for name, call in calls.items():
        with pytest.raises(ApaError) as caught:
            call()
        said = str(caught.value)
        assert "column kind" in said, name
        assert "apa.score(" in said, name
