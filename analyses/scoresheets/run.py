"""Run the study on a folder of score sheets: ``python run.py DIR``; sheets are simulated where DIR is absent."""

import sys
from pathlib import Path

import apastats as apa
from apastats.io.bmd import BMD_EXTRA_ROIS, BMD_ROIS

if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "simulated_sheets")
    if not data.exists():
        simulated = apa.simulate(
            n_model=6,
            n_tied=2,
            rois=[*BMD_ROIS, *BMD_EXTRA_ROIS],
            metrics=("rsa", "linear_predictivity"),
            rng=1,
        )
        simulated.write(data, layout="scoresheets")
    study = apa.run_study(
        Path(__file__).with_name("study.toml"),
        assignments=[f"inputs.scores={data}"],
        overwrite=True,
    )
    sys.stdout.write(f"{study.report_path}\n")
