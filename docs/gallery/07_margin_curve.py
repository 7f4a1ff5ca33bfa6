"""The verdict at every margin
===========================

Readers who would have chosen another margin see what it would have decided.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
tests = apa.equivalence("score ~ model | roi", best, bounds=0.05)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
apa.margin_curve(tests).plot(ax=ax)
plt.show()
