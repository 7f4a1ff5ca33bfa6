"""Run the study on a folder that holds ``bmd_leave_one_out`` and ``bmd_model_scores``: ``python run.py DIR``."""

import sys
from pathlib import Path

import apastats as apa

if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    study = apa.run_study(
        Path(__file__).with_name("study.toml"),
        assignments=[
            f"inputs.tables.brain.path={data / 'bmd_leave_one_out' / 'scores_rsa_test.csv'}",
            f"inputs.tables.networks.path={data / 'bmd_model_scores'}",
        ],
        overwrite=True,
    )
    sys.stdout.write(f"{study.report_path}\n")
