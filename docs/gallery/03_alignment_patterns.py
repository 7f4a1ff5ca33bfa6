"""Alignment patterns
=====================

A model aligned with a region should reproduce that region's profile of alignment with all other regions.
"""

import apastats as apa

study = apa.simulate(n_subject=10, n_model=3, n_tied=1, mimic=True, n_partner=None, rng=3)
patterns = apa.alignment_patterns(study.scores)

# %%
# Agreement of every model layer, and of the brain itself, with each region's pattern.
agreement = apa.pattern_agreement(patterns, reference="leave_one_out")
print(agreement)

# %%
# The model "mimic" has, for each region, a layer with exactly that region's pattern.
table = agreement.frame
mimic = table[
    (table["model"] == "mimic")
    & (table["layer"] == "like_" + table["roi"])
    & (table["split"] == "test")
]
brain = table[(table["model"] == "brain") & (table["split"] == "test")]
print("mimic", mimic["agreement"].mean().round(3), "brain", brain["agreement"].mean().round(3))

# %%
# The brain's patterns, one line per region.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
patterns.plot(ax=ax)
plt.show()
