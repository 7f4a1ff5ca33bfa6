"""Random-feature models: RDMs that know nothing of the stimuli, as a null for agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.arguments import instance
from apastats.errors import InputError
from apastats.recording import verb
from apastats.seeds import RngLike, block_generator, seed_sequence

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = ["random_feature_models"]


@verb
def random_feature_models(
    like: RDMSet, *, n_model: int = 99, n_feature: int = 1000, rng: RngLike = None
) -> RDMSet:
    """RDMs of models whose features are independent normal noise.

    Parameters
    ----------
    like : RDMSet
        Brain RDMs whose stimuli the models shall have.
    n_model : int
        Models, called ``random_001`` onwards.
    n_feature : int
        Features per model.
    rng : int, Generator, SeedSequence or None
        Source of randomness; model k does not depend on how many there are.

    Returns
    -------
    RDMSet
        Correlation distances, labels ``model, layer``; score them like any model and name them as
        ``null_models`` of :func:`agreement_test`. Untrained networks on the real images are a harder null.

    Raises
    ------
    InputError
        If an argument is not allowed.

    See Also
    --------
    agreement_test, rdms_from_patterns

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(n_subject=3, n_stimulus=12, rois=["V1", "V2"], rng=0)
    >>> random_feature_models(rdms.brain, n_model=3, n_feature=50, rng=0)
    <RDMSet: 3 RDMs of 12 stimuli; model (3), layer (1)>
    """
    from apastats.io.rdm_set import RDMSet

    instance("like", like, RDMSet, "an RDMSet, for its stimuli")
    for name, value, least in (("n_model", n_model, 1), ("n_feature", n_feature, 2)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InputError(name, value, f"a whole number of at least {least}")
    n = round((1 + np.sqrt(1 + 8 * like.vectors.shape[1])) / 2)
    upper = np.triu_indices(n, 1)
    root = seed_sequence(rng)
    vectors = [
        1 - np.asarray(np.corrcoef(block_generator(root, k).standard_normal((n, n_feature))))[upper]
        for k in range(n_model)
    ]
    labels = pd.DataFrame({"model": [f"random_{k + 1:03d}" for k in range(n_model)], "layer": "-"})
    return RDMSet(
        np.stack(vectors), labels, like.stimuli, named=like.named, source="random features"
    )
