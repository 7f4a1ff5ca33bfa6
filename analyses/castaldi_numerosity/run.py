"""Run the study on a folder that holds ``rdms_taskboth.npz`` and ``models.npz``: ``python run.py DIR``."""

import sys
from pathlib import Path

import apastats as apa

if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    study = apa.run_study(
        Path(__file__).with_name("study.toml"),
        assignments=[
            f"inputs.rdms={data / 'rdms_taskboth.npz'}",
            f"inputs.models={data / 'models.npz'}",
        ],
        overwrite=True,
    )
    sys.stdout.write(f"{study.report_path}\n")
