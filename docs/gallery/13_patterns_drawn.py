"""Patterns of the brain, drawn
============================

One line per region: with which regions it goes.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
apa.alignment_patterns(study.scores).plot(ax=ax)
plt.show()
