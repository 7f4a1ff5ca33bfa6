"""Run the study on a folder that holds the three npz files: ``python run.py DIR``."""

import sys
from pathlib import Path

import apastats as apa

if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    study = apa.run_study(
        Path(__file__).with_name("study.toml"),
        assignments=[
            f"inputs.rdms={data / 'cichy2014_fmri_rdms.npz'}",
            f"inputs.models={data / 'model_rdms.npz'}",
            f"inputs.more_models.layers.path={data / 'efficientnet_lite0_rdms.npz'}",
        ],
        overwrite=True,
    )
    sys.stdout.write(f"{study.report_path}\n")
