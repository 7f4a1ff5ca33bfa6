"""Agreement with the brain's pattern
==================================

Do models reproduce the profile over regions?
"""

import matplotlib.pyplot as plt

import apastats as apa

study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=["V1", "V3", "V4", "MT", "LO1"], rng=1)
best = apa.select_layer(study.scores)
patterns = apa.alignment_patterns(study.scores)
agreement = apa.pattern_agreement(patterns)
chosen = apa.selected_rows(agreement, best)
_, ax = plt.subplots(figsize=(7, 4), layout="constrained")
apa.bootstrap("agreement ~ model | roi", chosen).plot(ax=ax, where={"roi": "V1"})
plt.show()
