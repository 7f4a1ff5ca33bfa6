"""Layers with fitted weights
==========================

A model whose RDM is a weighted sum of layers is scored on subjects and stimuli it was not fitted to. Left:
held-out scores with the noise ceilings, cross-validated alike. Right: the weights of the fit to all data.
"""

import matplotlib.pyplot as plt

import apastats as apa
from apastats.plots import estimates

rdms = apa.simulate_rdms(n_subject=8, n_stimulus=20, rois=["V1", "V4"], n_model=1, n_layer=4, rng=0)
models = [
    apa.fitted("weighted", rdms.models, name="layers reweighted"),
    apa.fitted("select", rdms.models, name="best layer"),
    rdms.models,
]
found = apa.evaluate_fitted(rdms.brain, models, n_resamples=999, rng=1)
print(found.table[["model", "roi", "estimate", "conf_low", "conf_high", "optimism"]])
scores = found.table[found.table["roi"] == "V4"]
lower = scores["ceiling_lower"].iloc[0]
weights = found.weights().query("roi == 'V4' and model == 'layers reweighted'")
_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
estimates(scores, ax=left, outcome="held-out correlation", title="V4")
left.axvline(lower, color="0.6", zorder=0)
estimates(weights.rename(columns={"weight": "estimate"}), rows="member", ax=right, outcome="weight")
plt.show()
