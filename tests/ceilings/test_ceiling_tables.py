"""Session and repeat ceilings of score tables, and what sessions do to the other kinds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, DegenerateWarning, InputError
from tests.ceilings.test_ceiling_inference import sessions


def own_rows(rdms: apa.RDMSet) -> apa.ScoreTable:
    """Every session of a subject predicting every other one."""
    labels = rdms.labels
    rows = []
    for subject, part in labels.groupby("subject"):
        score = np.corrcoef(rdms.vectors[part.index])
        for a, session in enumerate(part["session"]):
            for b, predictor in enumerate(part["session"]):
                if a != b:
                    rows.append(
                        {"kind": "subject_to_subject", "model": subject, "subject": subject,
                         "layer": "V1", "roi": "V1", "session": session,
                         "predictor_session": predictor, "score": score[a, b]}
                    )  # fmt: skip
    return apa.ScoreTable(pd.DataFrame(rows))


def test_two_sessions_are_two_halves_as_in_the_rdms() -> None:
    rdms = sessions(n_session=2)
    found = apa.noise_ceiling(own_rows(rdms), kind="split_half").tidy()
    theirs = apa.noise_ceiling(rdms, kind="split_half", method="corr").tidy()
    assert found["bound"].tolist() == theirs["bound"].tolist() == ["uncorrected", "corrected"]
    for c in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[c], theirs[c], rtol=1e-10)


def test_repeats_of_a_table() -> None:
    pair = sessions(n_session=2)
    found = apa.noise_ceiling(own_rows(pair), kind="repeat").tidy()
    theirs = apa.noise_ceiling(pair, kind="repeat", method="corr").tidy()
    assert found["estimate"].item() == pytest.approx(theirs["estimate"].item(), rel=1e-10)
    # with more sessions one of them predicts, not the pool of all others: a lower ceiling
    many = sessions(n_session=4)
    alone = apa.noise_ceiling(own_rows(many), kind="repeat")
    pooled = apa.noise_ceiling(many, kind="repeat", method="corr").tidy()
    assert alone.tidy()["estimate"].item() < pooled["estimate"].item()
    mean = own_rows(many).frame.groupby("subject")["score"].mean()
    np.testing.assert_allclose(alone.arrays["values"][:, 0], mean, rtol=1e-12)


def test_a_share_of_a_repeat_ceiling() -> None:
    rdms = sessions(n_session=2)
    ceiling = apa.noise_ceiling(own_rows(rdms), kind="repeat")
    frame = pd.DataFrame({"subject": [f"s{s}" for s in range(5)], "roi": "V1", "model": "m"})
    scores = apa.ScoreTable(frame.assign(score=ceiling.arrays["values"][:, 0] / 2))
    assert apa.normalize(scores, ceiling).tidy()["estimate"].item() == pytest.approx(0.5)


def others(extra: bool = False) -> apa.ScoreTable:
    rng = np.random.default_rng(0)
    rows = [
        {"kind": "leave_one_out", "model": "others", "subject": f"s{s}", "layer": "V1", "roi": "V1",
         "session": str(k), "split": "test", "metric": m, "score": rng.normal(0.5, 0.1)}
        for s in range(4)
        for k in range(2 + (s == 0))
        for m in ("a", "b")
    ]  # fmt: skip
    # subject 0 has two rows in its last session: sessions weigh equally all the same
    if extra:
        rows += [{**r, "run": "2", "score": 0.9} for r in rows if r["session"] == "2"]
        rows = [{"run": "1"} | r for r in rows]
    return apa.ScoreTable(pd.DataFrame(rows))


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")
def test_sessions_are_averaged_within_subjects(extra: bool) -> None:
    table = others(extra)
    found = apa.noise_ceiling(table)
    frame = table.frame
    means = frame.groupby(["metric", "subject", "session"])["score"].mean()
    expected = means.groupby(["metric", "subject"]).mean().groupby("metric").mean()
    np.testing.assert_allclose(found.tidy().set_index("metric")["estimate"], expected, rtol=1e-12)
    with pytest.warns(DegenerateWarning, match="2 cells have a value of one subject only"):
        each = apa.noise_ceiling(table, by=["roi", "metric", "session"]).tidy()
    assert sorted(each["session"].unique()) == ["0", "1", "2"]
    assert (each.loc[each["session"] == "2", "n_subject"] == 1).all()


@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")
def test_rows_without_a_session_are_kept() -> None:
    frame = others().frame.assign(session=np.nan).drop_duplicates(["subject", "metric"])
    found = apa.noise_ceiling(apa.ScoreTable(frame))
    assert found.tidy()["n_subject"].tolist() == [4, 4]


@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")
def test_self_pairs_are_no_partners() -> None:
    rows = [
        {"kind": "subject_to_subject", "model": a, "subject": b, "layer": "V1", "roi": "V1",
         "score": 0.9 if a == b else 0.3 + 0.01 * (ord(a) - ord(b))}
        for a in "abc"
        for b in "abc"
    ]  # fmt: skip
    found = apa.noise_ceiling(apa.ScoreTable(pd.DataFrame(rows)), kind="subject_to_subject")
    assert found.tidy()["estimate"].item() == pytest.approx(0.3)


def test_what_is_no_ceiling_is_refused() -> None:
    with pytest.raises(InputError, match="scores of models in several sessions are no ceiling"):
        apa.noise_ceiling(others(), kind="repeat")
    four = own_rows(sessions(n_session=4))
    with pytest.raises(DataError, match=r"subject 's0' has 4 sessions; halves are two"):
        apa.noise_ceiling(four, kind="split_half")
    frame = four.frame
    none = apa.ScoreTable(
        frame.assign(predictor_session=frame["session"]).drop_duplicates(["subject", "session"])
    )
    with pytest.raises(DataError, match="in which a subject's other session predicts"):
        apa.noise_ceiling(none, kind="repeat")
    two = own_rows(sessions(n_session=2)).frame
    with pytest.raises(DataError, match="Spearman-Brown is for correlations"):
        apa.noise_ceiling(apa.ScoreTable(two.assign(score=2.0)), kind="split_half")
    with pytest.raises(InputError, match="kind: got 'nili'; allowed: for RDMs"):
        apa.noise_ceiling(others(), kind="nili")
