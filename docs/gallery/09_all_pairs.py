"""All pairs, adjusted jointly
===========================

The maximum of all t statistics over pairs and regions.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
pairs = apa.compare("score ~ model | roi", best, adjust="max-t", rng=1)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
pairs.plot(ax=ax, where={"roi": "V1"})
plt.show()
