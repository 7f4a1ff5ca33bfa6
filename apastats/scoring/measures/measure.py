"""The table of measures, and measures of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from apastats import arguments
from apastats.calls import alike
from apastats.errors import DataError, InputError
from apastats.scoring.measures import canonical, corrected, encoding, gram, matching, neighbours
from apastats.scoring.measures.entry import Measure, pairwise

__all__ = ["MEASURES", "measure", "measures_page", "parse_measures"]

RSA = Measure(
    "rsa",
    "similarity (method) of representational dissimilarity matrices (distance)",
    ("kriegeskorte2008",),
    low=-1,
    independent="0 for correlations; above 0 for cosines",
    invariant=("those of the distance", "rotation with euclidean and cosine"),
    stimuli="weights",
)
MEASURES: dict[str, Measure] = {
    "rsa": RSA,
    **gram.MEASURES,
    **corrected.MEASURES,
    **canonical.MEASURES,
    **matching.MEASURES,
    **neighbours.MEASURES,
    **encoding.MEASURES,
}


@arguments.checked
def measure(
    what: str | Callable[..., float], *, name: str | None = None, **options: Any
) -> Measure:
    """Measure with options of its own, or one of your own, for ``score_patterns(measure=...)``.

    Nothing is registered: the object that comes back is the measure.

    Parameters
    ----------
    what : str or callable
        Name of a measure, or a function of two arrays ``x [n_stimulus, n_feature]`` (predictor) and ``y [n_stimulus,
        n_unit]`` (target) that returns a number, larger for more alike.
    name : str, optional
        Value of the column ``metric``; that of the measure, or of the function, by default.
    **options
        Of the measure: ``k`` of mutual-knn, ``sigma`` of cka-rbf, ``repeats, n_order, seed`` of the corrected ones,
        ``folds, n_fold, groups, seed, alphas`` of the encoding measures (``n_component`` of pls; ``distance, method``
        of versa), ``cross_validated, penalty, n_component, folds, n_fold, groups, seed`` (``variance``) of the
        canonical ones. Of a function: passed on to it.

    Returns
    -------
    Measure

    Raises
    ------
    InputError
        An unknown name or option, or a value that is not allowed.

    See Also
    --------
    score_patterns, rdm_similarity, linear_predictivity

    References
    ----------
    .. [1] Kornblith, S., Norouzi, M., Lee, H., & Hinton, G. (2019). Similarity of neural network
       representations revisited. Proceedings of the 36th International Conference on Machine Learning,
       3519–3529.
    .. [2] Williams, A. H., Kunz, E., Kornblith, S., & Linderman, S. W. (2021). Generalized shape metrics on
       neural representations. Advances in Neural Information Processing Systems 34.

    Examples
    --------
    >>> import apastats as apa
    >>> apa.measure("mutual-knn", k=3)
    <measure mutual-knn, k=3>
    >>> rng = np.random.default_rng(0)
    >>> brain = {("s1", "V1"): rng.standard_normal((9, 4))}
    >>> def shared_scale(x, y, power=1):
    ...     return (min(x.std(), y.std()) / max(x.std(), y.std())) ** power
    >>> own = apa.measure(shared_scale, name="scale", power=2)
    >>> apa.score_patterns(brain, {("m", "l"): brain["s1", "V1"]}, measure=own).frame[
    ...     "score"
    ... ].item()
    1.0
    """
    label = None if name is None else arguments.text("name", name)
    if callable(what):
        return Measure(
            label or str(getattr(what, "__name__", type(what).__name__)),
            "a function of the user's own",
            low=-float("inf"),
            high=float("inf"),
            identical="-",
            independent="-",
            symmetric=False,
            prepare=lambda x, backend, **_: x,
            compare=pairwise(_checked(what)),
            options=options,
        )
    entry = MEASURES[arguments.choice("what", what, MEASURES)]
    for option in options:
        if option not in entry.rules:
            raise InputError(option, options[option], f"options of {what}: {list(entry.rules)}")
    chosen = {k: entry.rules[k](k, v) for k, v in options.items()}
    return replace(entry, name=label or entry.name, options={**entry.options, **chosen})


def _checked(function: Callable[..., float]) -> Callable[..., float]:
    """The user's function, whose answer has to be one real number."""

    def run(x: np.ndarray, y: np.ndarray, **options: Any) -> float:
        # of its own: many centre in place (x -= x.mean(0)), and other pairs take the same arrays
        found = function(x.copy(), y.copy(), **options)
        try:
            value = np.asarray(found, dtype="f8")
        except (TypeError, ValueError):
            value = np.empty(0)
        if value.size != 1:
            raise DataError(f"the measure returned {found!r:.60}; allowed: one number")
        return float(value.reshape(()))

    return run


def parse_measures(value: Any) -> tuple[Measure, ...]:
    """Measures of an argument ``measure``: a name, an object of :func:`measure`, or a list of them."""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    found = []
    for item in value if several else (value,):
        if not isinstance(item, Measure):
            if not isinstance(item, str) or item not in MEASURES:
                allowed = f"one of {list(MEASURES)}, or an object of apastats.measure"
                raise InputError("measure", item, allowed, hint=alike(item, list(MEASURES)))
            item = MEASURES[item]
        found.append(item)
    names = [m.name for m in found]
    if not found or len(set(names)) < len(names):
        raise InputError("measure", names, "one measure or more, each name once")
    return tuple(found)


def measures_page() -> str:
    """The table of the documentation, from the registry; sources by their keys in the bibliography."""
    head = (
        "| `measure` | score | in the literature | range | identical | independent | does not change with "
        "| allows weights of stimuli | symmetric | needs | source |"
    )
    lines = [head, "|" + " --- |" * (head.count(" | ") + 1)]
    for m in MEASURES.values():
        low, high = (f"{v:g}".replace("inf", "∞") for v in (m.low, m.high))
        cells = [
            f"`{m.name}`",
            m.definition,
            m.kind,
            f"{low} to {high}",
            m.identical,
            m.independent,
            ", ".join(m.invariant) or "-",
            "yes" if m.stimuli == "weights" else "no",
            "yes" if m.symmetric else "no",
            m.needs,
            ", ".join(m.sources),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
