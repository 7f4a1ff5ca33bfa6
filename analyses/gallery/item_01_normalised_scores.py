"""Ceiling-normalised scores
=========================

A row per person and region, as the paper's mean of ratios; beside it the ratio of means with its uncertainty.
"""

from published import read

import apastats as apa

scores, best = read()
ceiling = apa.noise_ceiling(scores, kind="leave_one_out")

# %%
# Rows are scores like any other: layer choice, patterns, sets and tests take them.
rows = apa.normalized_rows(best, ceiling)
mean_of_ratios = rows.frame.groupby("model", observed=True)["share"].mean()
ratio_of_means = apa.normalize(best, ceiling)
print(mean_of_ratios, ratio_of_means)

# %%
ties = apa.equivalence_set("share ~ model | roi", rows)
axes = ties.plot(kind="matrix", numbers=True)

shares = ratio_of_means.table.groupby("model")["estimate"].mean()
first = mean_of_ratios.idxmax()
numbers = {
    "networks": len(mean_of_ratios),
    "first": str(first),
    "first_mean_of_ratios": float(mean_of_ratios[first]),
    "first_ratio_of_means": float(shares[first]),
    "largest_share": float(mean_of_ratios.max()),
}
paper = "Scores are read as shares of what other brains reach; the best networks are V-JEPA 2, CLIP and VGGT."
here = (
    "Of the ceiling by the mean of nine people (the paper divides by single people, who are not in these "
    "rows) the best network, {first}, has {first_mean_of_ratios:.2f} as mean of ratios and "
    "{first_ratio_of_means:.2f} as mean over regions of ratios of means."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_01_normalised_scores.png'
