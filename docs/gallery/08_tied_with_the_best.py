"""Models that tie with the best
=============================

The best is chosen on the data; the set knows.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
members = apa.equivalence_set("score ~ model | roi", best, bounds=0.05)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
members.plot(ax=ax, where={"roi": "V1"})
plt.show()
print(members.text(short=True))
