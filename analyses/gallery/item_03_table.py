"""The table of networks by regions
================================

Bold is the best of a region and every network that ties with it: that cannot be excluded from being the best.
"""

from published import read

import apastats as apa

scores, best = read()
ties = apa.equivalence_set("score ~ model | roi", best)

# %%
latex = ties.to_latex(wide="roi", decimals=2)
print(latex[:400])

# %%
# The same as a figure, and one region as a ranking.
axes = ties.plot(kind="matrix", numbers=True)
ranking = ties.plot(kind="ranking", roi="V1")

size = ties.table.groupby("roi", sort=False)["in_set"].sum()
more = {"ranking": ranking}
numbers = {
    "bold": latex.count("\\textbf{"),
    "mean_size": float(size.mean()),
    "smallest": int(size.min()),
    "largest": int(size.max()),
    "alone": int((size == 1).sum()),
}
paper = "Many diverse networks are equivalent to the best in most regions (within the winner's interval)."
here = (
    "{mean_size:.1f} of five networks on average cannot be excluded from being the best ({smallest} to "
    "{largest}); regions in which one stands alone: {alone}. That is no equivalence yet, which needs a "
    "margin."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_03_table.png'
