"""From scores to a report
==========================

A simulated study with a known truth: four models, of which the first two are equal and the best everywhere.
"""

import apastats as apa

study = apa.simulate(
    n_subject=10, n_model=4, n_tied=2, gap=0.15, rois=["V1", "V3", "V4", "MT"], rng=1
)

# %%
# What is in the data, before anything is estimated.
print(apa.check(study.scores).summary())

# %%
# The layer of each model is chosen on the train split and judged on the test split.
best = apa.select_layer(study.scores, on="train")
ceiling = apa.noise_ceiling(study.scores, kind="leave_one_out")
share = apa.normalize(best, ceiling)
print(share.tidy().head())

# %%
# With ten subjects all 92,378 bootstrap resamples are enumerated: no seed, no Monte-Carlo error.
estimates = apa.bootstrap("score ~ model | roi", best)
print(estimates.tidy().head())

# %%
# One file, readable offline.
report = apa.report(ceiling, estimates, share, title="Four models, four regions")
print(len(report.html()), "characters of HTML")

# %%
# Means with their intervals, in one region.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(7, 3), layout="constrained")
estimates.plot(ax=ax, where={"roi": "V1"}, ceilings=ceiling)
plt.show()
