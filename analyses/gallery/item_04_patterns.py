"""Patterns
========

What a region of other brains, and each network, predicts in all regions: as a matrix and as lines.
"""

from published import read

import apastats as apa

scores, best = read()
patterns = apa.alignment_patterns(scores)

# %%
axes = patterns.plot(kind="matrix")
lines = patterns.plot(kind="lines", roi="MT")

# %%
reliability = apa.pattern_reliability(patterns)
identified = apa.pattern_identification(patterns, n_resamples=1999, rng=1)

single = reliability.table[reliability.table["term"] == "single"]["estimate"]
found = identified.table[
    (identified.table["roi"] == "all") & (identified.table["model"] == "brain")
].iloc[0]
more = {"lines": lines}
numbers = {
    "two_people": float(single.mean()),
    "lowest": float(single.min()),
    "identified": float(found["estimate"]),
    "chance": float(found["chance"]),
}
paper = "Brain patterns are highly stable across subjects and distinct between regions."
here = (
    "Patterns of two people correlate {two_people:.2f} on average (at least {lowest:.2f}; people share "
    "predicting people here, so these are upper estimates), and {identified:.0%} are recognised as their "
    "region's (chance {chance:.0%})."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_04_patterns.png'
