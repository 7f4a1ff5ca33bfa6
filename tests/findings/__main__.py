"""The table of all findings: ``python -m tests.findings [share of the data sets]``."""

from __future__ import annotations

import sys
import warnings

from tests.findings import exact, scores

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print("| finding | what | then | now | holds |", "| --- | --- | --- | --- | --- |", sep="\n")
    for f in (*scores.FINDINGS, *exact.FINDINGS):
        figure, holds = f.run(share)
        said = " | ".join((f.name, f.what, f.then, figure, "yes" if holds else "no"))
        print(f"| {said} |", flush=True)
