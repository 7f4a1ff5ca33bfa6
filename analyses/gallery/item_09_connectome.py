"""Connectomes
===========

A stack of people's matrices as the predictor of patterns. The paper's are not published: here as many people (1,065)
are simulated whose connections fall off with the distance of regions in hierarchy, with noise. `real_connectome.py`
takes a published matrix.
"""

import numpy as np
from published import ROIS, read

import apastats as apa

scores, _ = read()
patterns = apa.alignment_patterns(scores)
rng = np.random.default_rng(1)
place = np.linspace(0, 1, len(ROIS))
mean = np.exp(-np.abs(place[:, None] - place) / 0.2)
noise = rng.standard_normal((1065, len(ROIS), len(ROIS)))
people = np.clip(mean + 0.2 * (noise + noise.transpose(0, 2, 1)), 0, None) * (mean > 0.15)

# %%
found = apa.matrix_agreement(patterns, people, null="degree", n_resamples=4999, rng=1)
axes = found.plot()
p = found.table[found.table["roi"] != "all"]

numbers = {
    "people": len(people),
    "max_t": int((p["p_value_adjusted"] <= 0.05).sum()),
    "fdr": int((p["p_value_fdr"] <= 0.05).sum()),
    "mean": float(p["estimate"].mean()),
}
paper = "Structural connectivity matches brain patterns above random graphs in V1, V2, V3, V3B, V7 and IPS1."
here = (
    "Not testable on these data, which have no connectomes. With {people} simulated matrices the mean "
    "agreement is {mean:.2f}; regions beyond random graphs of the same degrees: {max_t} by max-T, {fdr} by "
    "FDR."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_09_connectome.png'
