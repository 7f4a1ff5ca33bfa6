"""Run the study and the claims: ``python run.py DIR``.

DIR holds published score sheets (``benchmark/``, ``intersubject/``, ``pairwise/``), or ``bmd_leave_one_out`` and
``bmd_model_scores``.
"""

import sys
from pathlib import Path

import apastats as apa

sys.path.insert(0, str(Path(__file__).parent))
from claims import main

if __name__ == "__main__":
    data = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    sheets = (data / "benchmark").is_dir()
    tidy = [
        f"inputs.tables.brain.path={data / 'bmd_leave_one_out' / 'scores_rsa_test.csv'}",
        f"inputs.tables.networks.path={data / 'bmd_model_scores'}",
    ]
    study = apa.run_study(
        Path(__file__).with_name("sheets.toml" if sheets else "study.toml"),
        assignments=[f"inputs.scores={data}"] if sheets else tidy,
        overwrite=True,
    )
    main(data, study.folder / "claims")
    sys.stdout.write(f"{study.report_path}\n")
