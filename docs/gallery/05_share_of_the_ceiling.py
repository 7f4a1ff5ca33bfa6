"""Share of the ceiling
====================

Ratio of means, with the uncertainty of the ceiling inside the interval.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
share = apa.normalize(best, apa.noise_ceiling(study.scores))
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
share.plot(ax=ax, where={"roi": "V1"})
plt.show()
