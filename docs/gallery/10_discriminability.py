"""How many pairs can be told apart
================================

Intervals are for another sample of as many subjects.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
print(apa.discriminability("score ~ model | roi", best, rng=1).tidy())
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
apa.discriminability("score ~ model | roi", best, rng=1).plot(ax=ax)
plt.show()
