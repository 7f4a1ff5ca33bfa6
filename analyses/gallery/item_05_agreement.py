"""Score against agreement
=======================

A network aligned with a region should have the region's pattern, too.
"""

from published import read

import apastats as apa

scores, best = read()
patterns = apa.alignment_patterns(scores)
agreement = apa.selected_rows(apa.pattern_agreement(patterns), best)

# %%
strict = apa.strict_alignment(
    best,
    agreement,
    score_bounds=apa.margin(0.1, of=apa.noise_ceiling(scores, kind="leave_one_out")),
    agreement_bounds=0.1,
)
axes = strict.plot(kind="score_agreement")

# %%
bootstrap = apa.agreement_bootstrap(patterns, selection=best, n_resamples="auto", rng=1)
gaps = bootstrap.table[bootstrap.table["term"] == "difference"]
below = gaps.groupby("roi")["conf_high"].max() < 0

mean = agreement.frame.groupby("model", observed=True)["agreement"].mean()
numbers = {
    "brain": float(mean["brain"]),
    "networks": {str(k): float(v) for k, v in mean.drop("brain").items()},
    "regions_below": int(below.sum()),
    "regions": len(below),
    "aligned": int((strict.table["decision"] == "aligned").sum()),
}
paper = "No network's agreement reaches the brain's in any region; V-JEPA 2 has the highest score and low agreement."
here = (
    "The brain's agreement is {brain:.3f}, that of the networks {networks[vggt/VGGT-1B]:.3f} (VGGT) to "
    "{networks[taskonomy/class_object]:.3f} (Taskonomy), {networks[v_jepa/vjepa2_vit_giant]:.3f} for "
    "V-JEPA 2. All five are shown below the brain in {regions_below} of {regions} regions; {aligned} "
    "pairs of network and region pass both criteria."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_05_agreement.png'
