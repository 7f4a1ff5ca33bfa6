"""Published scores: who is how good where
==========================================

Scores of networks on the BOLD Moments study (Höfling et al., 2026) where the numbers are at hand; a study
simulated with the same regions where they are not. The figures follow the paper: scores against the brain's own,
and agreement with its patterns.
"""

from pathlib import Path

import matplotlib.pyplot as plt

import apastats as apa

DATA = Path.cwd()
while DATA.parent != DATA and not (DATA / "shared" / "data").is_dir():
    DATA = DATA.parent
DATA = DATA / "shared" / "data"
ROIS = ["V1", "V2", "V3", "V4", "PIT", "FFC", "MT", "LO1"]

if (DATA / "bmd_model_scores").is_dir():
    brain = apa.read(
        DATA / "bmd_leave_one_out" / "scores_rsa_test.csv",
        rename={"predictor_roi": "layer"},
        defaults={"kind": "leave_one_out", "model": "others", "metric": "rsa"},
        rois=ROIS,
    )
    networks = apa.read(
        DATA / "bmd_model_scores", defaults={"kind": "model", "metric": "rsa"}, rois=ROIS
    )
    scores = apa.concat(brain, networks)
else:
    scores = apa.simulate(n_subject=10, n_model=5, rois=ROIS, rng=1).scores.where(split="test")
print(scores)

# %%
# Scores in an early and a late region, with the leave-one-out reference.
best = apa.select_layer(scores, on="cross_subject")
ceiling = apa.noise_ceiling(scores, kind="leave_one_out")
means = apa.bootstrap("score ~ model | roi", best)
for roi in ("V1", "FFC"):
    _, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    means.plot(ax=ax, where={"roi": roi}, ceilings=ceiling, title=roi)
plt.show()

# %%
# Patterns of the brain, and the agreement of each network's chosen layers with them.
patterns = apa.alignment_patterns(scores)
agreement = apa.selected_rows(apa.pattern_agreement(patterns, reference="leave_one_out"), best)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
apa.bootstrap("agreement ~ model | roi", agreement).plot(ax=ax, where={"roi": "V1"})
plt.show()
