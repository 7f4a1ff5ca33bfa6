"""A hierarchical model
====================

Subjects and regions in one model; marginal means of the models.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
fit = apa.lmm("score ~ model + (1 | subject) + (1 | roi)", best)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
apa.emmeans(fit, "model").plot(ax=ax)
plt.show()
