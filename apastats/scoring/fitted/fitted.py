"""Models of RDMs with parameters: several member RDMs, or features, and a rule that makes one RDM of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from apastats.arguments import array, checked, choice, items, number
from apastats.errors import DataError, InputError
from apastats.io.rdm_set import RDMSet, raw_of_rsatoolbox
from apastats.io.read_rdms import as_rdms

__all__ = ["FittedModel", "fitted", "of_rsatoolbox"]

KINDS = ("select", "weighted", "interpolate", "features", "components")
MOST = 150  # members; their inner products with each other are made for every resample
_POSITIVE = ("fit_regress_nn", "fit_optimize_positive")
_OF_CLASS = {
    "ModelSelect": "select",
    "ModelWeighted": "weighted",
    "ModelInterpolate": "interpolate",
}


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model whose RDM is made of members by fitting; :func:`fitted` makes it, ``evaluate_fitted`` fits it.

    Attributes
    ----------
    name : str
    rule : {"select", "weighted", "interpolate"}
    members : RDMSet
        RDMs it is made of, labelled ``member``.
    nonnegative : bool
        Whether weights are non-negative.
    ridge : float
        Penalty on the weights of members of length 1.
    """

    name: str
    rule: Literal["select", "weighted", "interpolate"]
    members: RDMSet
    nonnegative: bool = True
    ridge: float = 0.0

    # what readers of fixed models ask for: it has parameters, and no RDM before it is fitted
    n_param = 1

    def predict_rdm(self) -> Any:
        """Refuse: there is no RDM before the model is fitted."""
        raise InputError(
            "models", self.name, "models without parameters", hint="evaluate_fitted fits it."
        )

    def __repr__(self) -> str:
        return f"<FittedModel {self.name!r}: {self.rule} of {len(self.members)} RDMs>"


@checked
def fitted(
    kind: Literal["select", "weighted", "interpolate", "features", "components"],
    members: Any,
    *,
    name: str | None = None,
    nonnegative: bool = True,
    ridge: float = 0.0,
    groups: Sequence[Any] | None = None,
    stimuli: Sequence[Any] | None = None,
) -> FittedModel:
    """Describe a model of RDMs with parameters, to be fitted inside a cross-validation.

    Parameters
    ----------
    kind : {"select", "weighted", "interpolate", "features", "components"}
        ``select``: the best of the members. ``weighted``: a weighted sum. ``interpolate``: a mixture of two
        neighbours, in the order given. ``features``: feature-reweighted RSA, a weight per feature (or group) on
        its squared differences. ``components``: pattern component weights, a weight per second moment, on the
        squared distances it implies.
    members : RDMSet or anything :func:`apastats.read_rdms` takes, rsatoolbox model, or array
        RDMs; for ``features`` patterns ``[n_stimulus, n_feature]``, for ``components`` second moments
        ``[n_component, n_stimulus, n_stimulus]``.
    name : str, optional
        Name of the model, by default its kind (or that of the rsatoolbox model).
    nonnegative : bool
        Whether the weights are 0 or more (``weighted``, ``features``, ``components``).
    ridge : float
        Penalty on the sum of squared weights, with members scaled to length 1 in the training data.
    groups : sequence, optional
        For ``features``: a label per feature; the features of a group share a weight.
    stimuli : sequence of str, optional
        For ``features`` and ``components``: names of the stimuli.

    Returns
    -------
    FittedModel

    Raises
    ------
    InputError
        Fewer than two members or more than 150, an option that belongs to another kind, members of the wrong form.

    See Also
    --------
    evaluate_fitted, regression_rsa

    Notes
    -----
    Kaniuth and Hebart (2022), NeuroImage 257:119294 (feature reweighting); Diedrichsen, Yokoi and Arbuckle (2018),
    NeuroImage 180:119-133 (components). How it is fitted: :mod:`apastats.scoring.fitted`.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(
    ...     n_subject=3, n_stimulus=12, rois=["V1", "V2"], n_model=1, n_layer=4, rng=0
    ... )
    >>> fitted("weighted", rdms.models, nonnegative=True)
    <FittedModel 'weighted': weighted of 4 RDMs>
    """
    choice("kind", kind, KINDS)
    number("ridge", ridge, least=0)
    summed = kind not in ("select", "interpolate")
    if not summed:
        for option, value, default in (("nonnegative", nonnegative, True), ("ridge", ridge, 0)):
            if value != default:
                raise InputError(option, value, f"its default ({default!r}) with kind={kind!r}")
    if groups is not None and kind != "features":
        raise InputError("groups", groups, "None, unless kind='features'")
    if kind in ("features", "components"):
        rdms = _made(kind, members, groups, stimuli)
    elif stimuli is not None:
        raise InputError("stimuli", stimuli, "None: RDMs name their own stimuli")
    else:
        rdms = _rdms(members)
        name = name or getattr(members, "name", None)
    if not 2 <= len(rdms) <= MOST:
        hint = "Give groups= of features." if kind == "features" else ""
        raise InputError("members", f"{len(rdms)} members", f"2 to {MOST} of them", hint=hint)
    labels = rdms.labels
    told = [c for c in labels.columns if labels[c].nunique() > 1] or list(labels.columns)
    member = labels[told].agg(" ".join, axis=1)
    rdms = rdms.with_labels(pd.DataFrame({"member": member}))
    rule: Any = "weighted" if summed else kind
    return FittedModel(str(name or kind), rule, rdms, nonnegative, float(ridge))


def of_rsatoolbox(model: Any) -> FittedModel | None:
    """Fitted model of an rsatoolbox model with parameters, by its own default fitter; None for another object."""
    base = _base(model)
    if base is None:
        return None
    for method in ("predict", "predict_rdm"):
        if getattr(type(model), method) is not getattr(base, method):
            raise InputError(
                "models",
                f"{type(model).__name__} {str(model.name)!r}",
                f"rsatoolbox models with their own {method}: how this one is fitted is not known",
                hint="fitted(kind, model.rdm_obj) says how its RDM is made of members.",
            )
    kind = _OF_CLASS[base.__name__]
    fitter = getattr(getattr(model, "default_fitter", None), "__name__", "")
    positive = kind != "weighted" or fitter in _POSITIVE
    return fitted(cast(Any, kind), model, nonnegative=positive)


def _base(model: Any) -> type | None:
    """The class of rsatoolbox with parameters that a model is of, or inherits from."""
    if not hasattr(model, "rdm_obj"):
        return None
    return next((c for c in type(model).__mro__ if c.__name__ in _OF_CLASS), None)


def _rdms(members: Any) -> RDMSet:
    """Member RDMs of a set, or of an rsatoolbox model."""
    if isinstance(members, FittedModel):
        return members.members
    if _base(members) is not None:
        raw = raw_of_rsatoolbox(members.rdm_obj)
        return RDMSet.from_raw(raw, None, f"members of {members.name}")
    return as_rdms(members, "members")


def _made(kind: str, members: Any, groups: Any, stimuli: Any) -> RDMSet:
    """RDMs of features or of second moments."""
    ndim = 2 if kind == "features" else 3
    shape = "[n_stimulus, n_feature]" if ndim == 2 else "[n_component, n_stimulus, n_stimulus]"
    x = array("members", members, ndim=ndim, allowed=f"numbers {shape}")
    if not np.isfinite(x).all() or (ndim == 3 and x.shape[1] != x.shape[2]):
        raise InputError("members", x.shape, f"finite numbers {shape}")
    i, j = np.triu_indices(x.shape[ndim - 2], 1)
    if kind == "features":
        names = (
            [str(g) for g in items("groups", groups, "one label per feature", length=x.shape[1])]
            if groups is not None
            else [f"feature {k + 1}" for k in range(x.shape[1])]
        )
        levels = list(dict.fromkeys(names))
        if len(levels) > MOST:
            raise InputError(
                "members",
                f"{len(levels)} features",
                f"2 to {MOST} of them",
                hint="Give groups= of features.",
            )
        which = np.array([levels.index(g) for g in names])
        vectors = np.array(
            [
                ((x[i][:, which == g] - x[j][:, which == g]) ** 2).sum(axis=1)
                for g in range(len(levels))
            ]
        )
    else:
        diagonal = np.einsum("kii->ki", x)
        vectors = diagonal[:, i] + diagonal[:, j] - x[:, i, j] - x[:, j, i]
        levels = [f"component {k + 1}" for k in range(len(x))]
    named = () if stimuli is None else items("stimuli", stimuli, "a name for every stimulus")
    try:
        return RDMSet(vectors, pd.DataFrame({"member": levels}), named, source=kind)
    except DataError as error:
        raise InputError("members", x.shape, str(error)) from error
