"""More than chance?
=================

The agreement against permuted regions, and against regions permuted within their stream, from a table of regions.
"""

from pathlib import Path

from published import read

import apastats as apa

scores, best = read()
patterns = apa.alignment_patterns(scores)
folder = Path(__file__).parent if "__file__" in globals() else Path.cwd()
regions = apa.read_regions(folder / "regions.csv")

# %%
permuted = apa.agreement_test(patterns, selection=best, n_resamples=1999, rng=1)
inside = apa.agreement_test(
    patterns, selection=best, null="within_stream", streams=regions, n_resamples=1999, rng=1
)
axes = permuted.plot(where={"model": "vggt/VGGT-1B"})


def passed(test: apa.agreement_test) -> dict[str, int]:
    table = test.table[test.table["roi"] != "all"]
    shown = (table["p_value_adjusted"] <= 0.05).groupby(table["model"], sort=False).sum()
    return {str(k): int(v) for k, v in shown.items()}


numbers = {"permuted": passed(permuted), "within_stream": passed(inside)}
paper = "Agreement is given without a test; reviewers asked for random patterns and p-values."
here = (
    "Beyond permuted regions (max-T over networks and regions): VGGT in {permuted[vggt/VGGT-1B]} regions,"
    " CLIP in {permuted[clip/RN50]}, V-JEPA 2 in {permuted[v_jepa/vjepa2_vit_giant]}. Within streams: "
    "VGGT in {within_stream[vggt/VGGT-1B]}, CLIP in {within_stream[clip/RN50]}, V-JEPA 2 in "
    "{within_stream[v_jepa/vjepa2_vit_giant]}."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_06_nulls.png'
