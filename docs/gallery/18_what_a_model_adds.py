"""What a model adds to others
===========================

Three models of RDMs explain much of a brain in common. What does each explain that the others do not?
"""

import matplotlib.pyplot as plt

import apastats as apa

rdms = apa.simulate_rdms(
    n_subject=10, n_stimulus=24, rois=["V1", "V4", "IT"], n_model=3, n_layer=1, rng=3
)

# %%
# Shares of variance, with intervals over subjects and the noise ceiling of each part.
parts = apa.unique_variance(rdms.brain, rdms.models, cross_validate="subject")
print(parts.to_markdown(wide="roi", decimals=3))

# %%
# Against 0 and against a margin of 1 % of the variance, jointly for all models and regions.
print(parts.test(bounds=0.01).text(short=True))

# %%
# Stacked: what each model explains alone, what two or more share, and the ceiling.
_, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
parts.plot(ax=ax)
plt.show()

# %%
# Every set of models, as in commonality analysis.
every = apa.unique_variance(rdms.brain, rdms.models, parts="all", cross_validate="subject")
print(every.tidy()[["roi", "part", "model", "estimate"]].round(3))
