"""Effect sizes
============

Hedges' g with limits from the noncentral t distribution.
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
tests = apa.compare("score ~ model | roi", best, reference="best").tidy()
one = tests[tests["roi"] == "V1"]
plt.errorbar(
    one["effect_size"],
    range(len(one)),
    xerr=[one["effect_size"] - one["effect_low"], one["effect_high"] - one["effect_size"]],
    fmt="o",
)
plt.yticks(range(len(one)), one["contrast"])
plt.xlabel("effect size")
plt.show()
