"""What the page on the brain test says of real data is what the tracked report says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def test_counts_of_castaldi_are_those_of_the_report(repository: Path) -> None:
    table = pd.read_csv(repository / "reports/castaldi_numerosity/tables/brain_test.csv")
    good = table[table["as_good"] == "not worse by the margin"]
    on = {outcome: set(rows["model"]) for outcome, rows in good.groupby("outcome")}
    page = (repository / "docs" / "brain_test.md").read_text("utf-8")
    assert (
        f"{len(on['score'])} of {table['model'].nunique()} candidates not worse than a person by a tenth on score, "
        f"{len(on['score'] & on['agreement'])} of them on agreement too"
    ) in page
    worse = table[(table["outcome"] == "score") & (table["decision"] == "worse than a person")]
    assert set(worse["model"]) == {"Size", "TSA"}
