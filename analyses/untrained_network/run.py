"""Untrained network on simulated images, scored against regions made from two of its layers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import apastats as apa
from apastats.scoring.activations import Activations, projection_size

LAYERS = ("conv1", "conv2", "conv3", "pool", "readout")
TRUTH = {"early": "conv1", "late": "readout"}


def network(seed: int):
    """Three convolutions and a readout with random weights."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    return nn.Sequential(
        *(
            block
            for i, (into, out) in enumerate([(3, 16), (16, 32), (32, 64)], start=1)
            for block in (
                named(f"conv{i}", nn.Conv2d(into, out, 3, stride=2, padding=1)),
                nn.ReLU(),
            )
        ),
        named("pool", nn.AdaptiveAvgPool2d(2)),
        nn.Flatten(),
        named("readout", nn.Linear(256, 128)),
    )


def named(name: str, module):
    """The module with a name it is known by."""
    module.known_as = name
    return module


def features(folder: Path, stimuli: np.ndarray, seed: int, device: str) -> Activations:
    """Activations of all layers, streamed to disk."""
    model = network(seed)
    names = {m.known_as: n for n, m in model.named_modules() if hasattr(m, "known_as")}
    return apa.activations(
        model,
        [names[layer] for layer in LAYERS],
        stimuli,
        folder=folder,
        batch_size=16,
        device=device,
        project=projection_size(len(stimuli)),
    )


def brains(
    models: apa.RDMSet, rng: np.random.Generator, n_subject: int, reliability: float
) -> apa.RDMSet:
    """Subjects whose RDM in a region is that of the true layer plus noise."""
    rows, labels = [], []
    for s in range(n_subject):
        for roi, layer in TRUTH.items():
            truth = models.select(layer=layer).vectors[0].astype("f8")
            z = (truth - truth.mean()) / truth.std()
            noise = rng.standard_normal(len(z))
            rows.append(1 + 0.2 * (np.sqrt(reliability) * z + np.sqrt(1 - reliability) * noise))
            labels.append({"subject": f"sub-{s + 1:02d}", "roi": roi})
    return apa.RDMSet(np.array(rows), pd.DataFrame(labels), models.stimuli)


def main(arguments: list[str] | None = None) -> apa.RDMEvaluation:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-stimulus", type=int, default=60)
    parser.add_argument("--n-subject", type=int, default=8)
    parser.add_argument("--reliability", type=float, default=0.3)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    options.out.mkdir(parents=True)
    stimuli = apa.simulate_stimuli(n_stimulus=options.n_stimulus, rng=rng)
    found = features(options.out / "activations", stimuli, options.seed, options.device)
    names = [f"stimulus_{k + 1:03d}" for k in range(options.n_stimulus)]
    models = apa.rdms_from_patterns(
        {
            ("untrained", layer): found[file]
            for layer, file in zip(LAYERS, found.layers, strict=True)
        },
        names=("model", "layer"),
        stimuli=names,
    )
    brain = brains(models, rng, options.n_subject, options.reliability)
    scores = apa.score(brain, models, method="corr")
    scores.frame.to_parquet(options.out / "scores.parquet", index=False)
    evaluation = apa.evaluate_rdms(brain, models, method="corr")
    evaluation.save(options.out / "evaluation")
    sys.stdout.write(evaluation.summary() + "\n")
    return evaluation


if __name__ == "__main__":
    main()
