"""Equivalent within what?
==========================

"Not significantly different" is not "equivalent". Equivalence needs a margin, stated before looking.
"""

import apastats as apa

study = apa.simulate(
    n_subject=10, n_model=4, n_tied=2, gap=0.15, rois=["V1", "V3", "V4", "MT"], rng=1
)
best = apa.select_layer(study.scores, on="train")
ceiling = apa.noise_ceiling(study.scores)

# %%
# Leaving the margin out is an error that says why.
try:
    apa.equivalence("score ~ model | roi", best)
except apa.errors.MarginError as error:
    print(error)

# %%
# A tenth of each region's noise ceiling; the ceiling's own uncertainty is carried into the test.
margin = apa.margin(0.1, of=ceiling)
tests = apa.equivalence("score ~ model | roi", best, bounds=margin, reference="model_01")
print(
    tests.tidy()[["roi", "contrast", "estimate", "conf_low", "conf_high", "bound_high", "decision"]]
)

# %%
# Four outcomes are possible, and "undecided" is one of them.
print(tests.tidy()["decision"].value_counts())

# %%
# The margin is the shaded band.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(7, 3), layout="constrained")
tests.plot(ax=ax, where={"roi": str(tests.table["roi"].iloc[0])})
plt.show()
