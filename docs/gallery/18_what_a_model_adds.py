"""What a model adds to others
===========================

Two models of RDMs explain much of a brain in common. What does each explain that the other does not?
"""

import matplotlib.pyplot as plt

import apastats as apa

rdms = apa.simulate_rdms(
    n_subject=10, n_stimulus=48, rois=["V1", "V4", "IT"], n_model=2, n_layer=1, rng=0
)

# %%
# Shares of variance, with intervals over subjects and the noise ceiling of each part.
parts = apa.unique_variance(rdms.brain, rdms.models)
print(parts.to_markdown(wide="roi", decimals=3))

# %%
# Against 0 and against a margin of 2 % of the variance, jointly for all models and regions.
print(parts.test(bounds=0.02).text(short=True))

# %%
# Stacked: what each model explains alone, what two or more share, and the ceiling.
_, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
parts.plot(ax=ax)
plt.show()

# %%
# With coefficients learned from the other subjects, nothing is gained by fitting noise.
held_out = apa.unique_variance(rdms.brain, rdms.models, cross_validate="subject")
print(held_out.tidy()[["roi", "part", "model", "estimate"]].round(3))
