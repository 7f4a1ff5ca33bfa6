"""Hyperalignment
==============

Simulated people with vertices of their own and noise: a shared space, fitted on the train stimuli alone, makes mean
patterns of other people possible. Scores and agreement between people are measured on test stimuli, before and after.
"""

import numpy as np
import pandas as pd

import apastats as apa

N_TRAIN, REGIONS = 100, [f"R{k}" for k in range(8)]


def people(noise: float) -> dict:
    """Ten people in eight regions: ``(person, region) -> (train, test)``, each ``[stimulus, vertex]``."""
    rng = np.random.default_rng(1)
    common = rng.standard_normal((160, 6))
    found = {}
    for person in range(10):
        for k, region in enumerate(REGIONS):
            weight = np.exp(-((np.arange(6) - 0.7 * k) ** 2) / 4)
            clean = (common * weight) @ rng.standard_normal((6, 40))
            shown = clean + noise * clean.std() * rng.standard_normal(clean.shape)
            found[f"s{person}", region] = (shown[:N_TRAIN], shown[N_TRAIN:])
    return found


def measured(sets: dict, name: str) -> tuple[pd.DataFrame, float]:
    """Each person's share in the agreement of people (test stimuli), and the mean score of one person by another."""
    table = apa.score_patterns(
        {key: pair[1] for key, pair in sets.items()}, references=["subject_to_subject"]
    )
    rows = apa.pattern_agreement(apa.alignment_patterns(table), reference="matched").frame
    rows = rows.loc[rows["model"] == "brain", ["subject", "roi", "z_person"]]
    ceiling = apa.noise_ceiling(table, kind="subject_to_subject").table["estimate"].mean()
    return rows.assign(model=name), float(ceiling)


# %%
# Three noises (SD of a response's noise, of the signal's); six dimensions, as many as were planted.
parts, ceilings = [], {}
for noise in (1.0, 2.0, 3.0):
    brain = people(noise)
    for name, sets in (("before", brain), ("after", apa.hyperalign(brain, n_component=6))):
        rows, ceilings[name, noise] = measured(sets, name)
        parts.append(rows.assign(metric=f"noise {noise:.0f}"))
table = apa.read(
    pd.concat(parts).rename(columns={"z_person": "score"}).assign(layer="-", kind="model"),
)

# %%
effect = apa.compare("score ~ model | metric", table, within="roi", reference="before")
axes = effect.plot()
axes.set_xlabel("change of the agreement of people (Fisher z), joint 95 % intervals")

t = effect.table.set_index("metric")
numbers = {
    "before": {f"n{n:.0f}": ceilings["before", n] for n in (1.0, 2.0, 3.0)},
    "after": {f"n{n:.0f}": ceilings["after", n] for n in (1.0, 2.0, 3.0)},
    "effect": {f"n{k[-1]}": float(v) for k, v in t["estimate"].items()},
    "low": {f"n{k[-1]}": float(v) for k, v in t["conf_low_joint"].items()},
    "high": {f"n{k[-1]}": float(v) for k, v in t["conf_high_joint"].items()},
}
paper = (
    "Not in the paper; reviewers asked how the brain's baseline depends on functional alignment."
)
here = (
    "Fitted on train stimuli, measured on test stimuli. With noise of three times the signal the score of one "
    "person by another rises from {before[n3]:.3f} to {after[n3]:.3f} (from {before[n1]:.3f} to "
    "{after[n1]:.3f} with noise as large as the signal). The agreement of people (Fisher z, over regions) "
    "changes by {effect[n1]:.2f} (joint 95 % {low[n1]:.2f} to {high[n1]:.2f}), {effect[n2]:.2f} "
    "({low[n2]:.2f} to {high[n2]:.2f}) and {effect[n3]:.2f} ({low[n3]:.2f} to {high[n3]:.2f}) at noise one, "
    "two and three."
)

# %
# Beside what the paper concludes:
print("The paper:", paper)
print("Here:", here.format(**numbers))

# sphinx_gallery_thumbnail_path = 'gallery_published/item_10_hyperalignment.png'
