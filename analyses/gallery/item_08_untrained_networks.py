"""Untrained networks
==================

The paper keeps the layers and takes the training away; its scores of untrained networks are not published. The same
question on published RDMs of another study (Castaldi et al., 2019; 20 people, 7 regions, 18 stimuli): VGG-19 with and
without training.
"""

import os
from pathlib import Path

import apastats as apa

folder = Path(os.environ.get("BMD_DIR", ".")) / "castaldi2019_numerosity"
brain = apa.read_rdms(folder / "rdms_taskboth.npz").select(
    roi=["V1", "V2", "V3", "V3AB", "IPS0", "IPS12", "IPS345"]
)
networks = apa.read_rdms(folder / "models.npz").select(
    model=["VGG19 pretrained", "VGG19 untrained"]
)
scores = apa.concat(
    apa.score(brain, method="spearman"),
    apa.score(brain, networks, method="spearman", references=()),
)

# %%
# The layer is the trained network's best one (chosen on the other people), for both.
best = apa.select_layer(scores.where(kind="model", model="VGG19 pretrained"), on="cross_subject")
layer = best.frame[["subject", "roi", "layer"]]
both = scores.where(kind="model")
both = both.with_frame(both.frame.merge(layer, on=["subject", "roi", "layer"]))

# %%
patterns = apa.alignment_patterns(scores)
agreement = apa.selected_rows(apa.pattern_agreement(patterns, reference="matched"), both)
on_score = apa.compare("score ~ model", both, within="roi")
nets_only = agreement.where(model=["VGG19 pretrained", "VGG19 untrained"])
on_agreement = apa.equivalence(
    "z_person ~ model | roi", nets_only, bounds=0.2, reference="VGG19 untrained"
)
axes = on_agreement.plot()

s = on_score.table.iloc[0]
a = on_agreement.table
mean = agreement.frame.groupby("model", observed=True)["agreement"].mean()
numbers = {
    "contrast": str(s["contrast"]),
    "score": float(s["estimate"]),
    "score_low": float(s["conf_low"]),
    "score_high": float(s["conf_high"]),
    "brain": float(mean["brain"]),
    "trained": float(mean["VGG19 pretrained"]),
    "untrained": float(mean["VGG19 untrained"]),
    "equivalent": int((a["decision"] == "equivalent").sum()),
    "largest": float(a["estimate"].abs().max()),
    "regions": len(a),
}
paper = "Layers of the equivalent networks are compared with the same layers untrained, by boxes and without a test."
here = (
    "Score: {contrast} is {score:.3f}, 95 % {score_low:.3f} to {score_high:.3f}. Agreement: {trained:.2f} "
    "trained, {untrained:.2f} untrained, shown to be equivalent within .2 of Fisher z in {equivalent} of "
    "{regions} regions (largest difference {largest:.2f}). A single person's RDM of 18 stimuli is noise in "
    "large part, so that people agree with each other {brain:.2f} only. Nothing follows for the paper's "
    "networks and videos."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_08_untrained_networks.png'
