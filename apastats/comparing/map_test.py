"""`map_test`: tests over many units or time points at once, also of being no worse than another brain or a ceiling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats import arguments
from apastats.arguments import instance, items
from apastats.comparing.decisions import check_alpha
from apastats.comparing.unit_maps import maps_of
from apastats.errors import DesignError, InputError, SmallSampleWarning, warn
from apastats.numbers.maps import clusters, edges_of, flipped_t, maps_under, mass_map, tfce_map
from apastats.recording import verb
from apastats.resampling.plans import Resamples
from apastats.resampling.relabel import sign_flips
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.words import STIMULI, Drawn, Held, Info, StatedMargin

__all__ = ["MapTest", "map_test"]

METHODS = {
    "max-t": "the largest t",
    "cluster": "the largest cluster mass (sum of t over neighbours), clusters above a t",
    "tfce": "the largest threshold-free cluster enhancement",
}
ENUMERATED = 12  # subjects whose sign flips are all made by default
SAMPLED = 4_999
POINTS = 320_000  # points of maps worked on at once


class MapTest(Result):
    """Tests of every point of a map, adjusted for all of them.

    ``table``: one row per point, ``unit`` (and ``time``, or the names of the axes given), ``estimate`` (mean over
    subjects, of the difference where there is a ``y``), ``statistic`` (t, against the margin where there is one), for
    clusters ``cluster`` (number, 0 for none; negative on the negative side) and ``mass``, for tfce ``tfce``, then
    ``p_value`` (adjusted) and ``decision``.
    """

    kind: ClassVar[str] = "map_test"


@verb
@arguments.checked
def map_test(
    x: Any,
    y: Any = None,
    *,
    method: str = "max-t",
    margin: float | Any | None = None,
    alternative: str = "greater",
    adjacency: Any = None,
    threshold: float | None = None,
    step: float | None = None,
    labels: Any = None,
    alpha: float = 0.05,
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
) -> MapTest:
    """Test every point of a map over subjects by sign flips, adjusted for all points.

    Parameters
    ----------
    x : array or ScoreTable
        ``[n_subject, n_unit]``, ``[n_subject, n_time]`` or ``[n_subject, n_unit, n_time]`` scores; or a table by unit
        (``linear_predictivity(by_unit=True)``) of one model and region, the same units in everybody.
    y : array or ScoreTable, optional
        Another model's scores, those of another brain or ceilings, of the same shape: ``x - y`` is tested. An array
        ``[n_unit, ...]`` is the same for every subject.
    method : {"max-t", "cluster", "tfce"}
        What is compared with its largest value under every flip: t of a point, mass of the cluster it is in, or its
        threshold-free enhancement (Smith and Nichols 2009, E = 0.5, H = 2).
    margin : float or array, optional
        Test non-inferiority: that ``x - y`` is above ``-margin`` (above 0 it would be better). Needs ``y``. An array of
        the shape of the map is a margin for every point, such as a tenth of the ceiling there.
    alternative : {"greater", "less", "two-sided"}
        Side of the test; of non-inferiority it is "greater".
    adjacency : scipy.sparse matrix or "lattice", optional
        Neighbours: ``[n_unit, n_unit]``, not 0 between neighbours, or "lattice" where neighbours along the axis are
        neighbours. Further axes (time) are lines. For ``cluster`` and ``tfce``.
    threshold : float, optional
        t above which points form clusters; the one-sided 5 % point of t by default (2.5 % on either side).
    step : float, optional
        Step of the heights of ``tfce``; 0.2 by default. Heights end at t = 200.
    labels : sequence of sequences, optional
        Names of the points of every axis; numbers by default. A mapping from names of axes to them names the axes too.
    alpha : float
        Level of the decisions.
    n_resamples : "auto", "exact" or int
        All flips up to 12 subjects and 4,999 above by default.
    rng : int, Generator, SeedSequence or None
        Used by sampled flips only.

    Returns
    -------
    MapTest

        Columns: ``unit`` (unit), ``estimate`` (what is estimated, from the data themselves), ``statistic``
        (test statistic), ``p_value`` (p-value of the ordinary test), ``n_subject`` (subjects), ``decision``
        (equivalent, different, ..., or undecided).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        With fewer than 2 subjects.

    Warns
    -----
    SmallSampleWarning
        If there are so few flips that no p-value can reach ``alpha``.

    See Also
    --------
    compare, adjust_p

    Notes
    -----
    Family-wise level in the weak sense for clusters and enhancement, in the strong sense for max-t: a cluster says that
    there is an effect in it, not where. Exact where differences are symmetric about the null value. A sign flip is made
    of what is tested, ``x - y + margin``, so that non-inferiority is exact at its margin. References: Nichols and
    Holmes 2002, Human Brain Mapping 15:1; Maris and Oostenveld 2007, Journal of Neuroscience Methods 164:177; Smith
    and Nichols 2009, NeuroImage 44:83.

    References
    ----------
    .. [1] Nichols, T. E., & Holmes, A. P. (2002). Nonparametric permutation tests for functional
       neuroimaging: A primer with examples. Human Brain Mapping, 15(1), 1–25.
       https://doi.org/10.1002/hbm.1058
    .. [2] Maris, E., & Oostenveld, R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal
       of Neuroscience Methods, 164(1), 177–190. https://doi.org/10.1016/j.jneumeth.2007.03.024
    .. [3] Smith, S. M., & Nichols, T. E. (2009). Threshold-free cluster enhancement: Addressing problems of
       smoothing, threshold dependence and localisation in cluster inference. NeuroImage, 44(1), 83–98.
       https://doi.org/10.1016/j.neuroimage.2008.03.061

    Examples
    --------
    >>> import numpy as np
    >>> import apastats as apa
    >>> rng = np.random.default_rng(1)
    >>> scores = 0.1 * rng.standard_normal((8, 40))
    >>> scores[:, 10:20] += 0.2
    >>> found = apa.map_test(scores, method="cluster", adjacency="lattice").table
    >>> found.loc[found["p_value"] <= 0.05, "unit"].tolist()
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    """
    arguments.choice("method", method, METHODS)
    arguments.choice("alternative", alternative, ("greater", "less", "two-sided"))
    alpha = check_alpha(alpha)
    step, threshold = _heights(method, step, threshold)
    x, y, labels = maps_of(x, y, labels)
    values, given = _differences(x, y)
    if margin is not None:
        margin = _margin(margin, y, alternative, values.shape[1:])
    n, shape = len(values), values.shape[1:]
    flat = values.reshape(n, -1)
    # under the null of every point a subject's whole map may change its sign; the largest value over the map then
    # bounds all points at once (Nichols and Holmes 2002, Human Brain Mapping 15:1), neighbours' dependence included.
    # A margin moves the null, so it is added before any flip
    tested = flat + (0.0 if margin is None else np.ravel(margin))
    edges = _edges(method, shape, adjacency)
    if threshold is None:
        threshold = float(stdtrit(n - 1, 0.975 if alternative == "two-sided" else 0.95))
    enough: Resamples = "exact" if n <= ENUMERATED else SAMPLED
    plan = sign_flips(n, enough if n_resamples == "auto" else n_resamples, rng)
    statistic = _statistic(method, edges, threshold, step)
    sides = {"greater": (1,), "less": (-1,), "two-sided": (1, -1)}[alternative]
    t = flipped_t(tested, np.ones((1, n)))
    seen = {side: statistic(side * t)[0] for side in sides}
    largest = _largest(plan, tested, statistic, sides)
    observed = np.max([seen[side] for side in sides], axis=0)
    p = _p_values(observed, largest, plan.exact)
    if (1 / len(largest) if plan.exact else 1 / (len(largest) + 1)) > alpha:
        warn(
            f"{n} subjects have {len(largest)} sign flips: no p-value can be at or below {alpha:g}",
            SmallSampleWarning,
        )
    table = _points(shape, labels).assign(estimate=flat.mean(axis=0), statistic=t[0])
    signed = sum(side * seen[side] for side in sides)
    if method == "cluster":
        # points below the threshold have the number -1, which becomes 0
        number = sum(side * (clusters(side * t[0], edges, threshold) + 1) for side in sides)
        table = table.assign(cluster=number, mass=signed)
    elif method == "tfce":
        table = table.assign(tfce=signed)
    claim = _claim(method, alternative, margin is not None, y is None)
    table = table.assign(p_value=p, n_subject=n, decision=np.where(p <= alpha, claim, "undecided"))
    null = _null("x - y" if given else "x", margin)
    info = Info(
        method=_words(method, given, margin, alternative, threshold, step, alpha),
        estimand="mean difference" if given else "mean",
        test="sign flip",
        statistic="t",
        alternative=alternative,
        null=f"at every point of the map {null}",
        hypothesis="" if margin is None else "noninferiority",
        rule=f"a point is {claim} where its adjusted p-value is at most {alpha:g}",
        margin=_stated(margin),
        margin_origin="" if margin is None else "raw",
        adjust="max-t" if method == "max-t" else "",
        family="points of the map",
        family_size=flat.shape[1],
        alpha=alpha,
        n_subject=n,
        resampled=Drawn("signs of subjects"),
        held_fixed=(Held("units"), STIMULI),
        n_resamples=len(largest),
        exact=plan.exact,
        not_concluded=""
        if method == "max-t"
        else "a cluster has an effect somewhere in it; which of its points have it is not shown",
        extra={
            "threshold": threshold if method == "cluster" else None,
            "step": step if method == "tfce" else None,
            "shape": shape,
        },
    )
    provenance = Provenance(data_hash="", seed=plan.seed)
    return MapTest(table, info, provenance, {"largest": largest})


def _heights(
    method: str, step: float | None, threshold: float | None
) -> tuple[float, float | None]:
    """Step of the heights of tfce and threshold of clusters, each refused with the other method."""
    if step is not None:
        arguments.applies("step", step, to=["tfce"], chosen=method, by="method")
    step = 0.2 if step is None else arguments.number("step", step, least=1e-3)
    if threshold is not None:
        arguments.applies("threshold", threshold, to=["cluster"], chosen=method, by="method")
        threshold = arguments.number("threshold", threshold, least=0)
    return step, threshold


def _margin(margin: Any, y: Any, alternative: str, shape: tuple[int, ...]) -> float | np.ndarray:
    """One margin of 0 or more, or one for every point of the map."""
    if y is None or alternative != "greater":
        raise InputError("margin", margin, "None without y=, or with another side than 'greater'")
    if np.ndim(margin) == 0:
        return arguments.number("margin", margin, least=0)
    each = arguments.array("margin", margin, missing=False)
    if each.shape != shape or (each < 0).any():
        raise InputError("margin", each.shape, f"a number, or numbers of 0 or more, {shape}")
    return each


def _null(what: str, margin: float | np.ndarray | None) -> str:
    """The null hypothesis at a point."""
    if margin is None:
        return f"{what} has the mean 0"
    below = f"{-margin:g}" if isinstance(margin, float) else f"-({_stated(margin)})"
    return f"{what} is at most {below}"


def _stated(margin: float | np.ndarray | None) -> StatedMargin | None:
    """The margin in words; nothing without one."""
    if margin is None:
        return None
    if isinstance(margin, float):
        return StatedMargin(f"{margin:g}")
    return StatedMargin(f"{margin.min():g} to {margin.max():g}, one for every point")


def _claim(method: str, alternative: str, with_margin: bool, alone: bool) -> str:
    """What is said of a point whose p-value is small enough."""
    if with_margin:
        claim = "not inferior"
    elif alternative == "two-sided":
        claim = "different from 0" if alone else "different"
    else:
        claim = f"{'above' if alternative == 'greater' else 'below'} {'0' if alone else 'y'}"
    return claim if method == "max-t" else f"in a cluster {claim}"


def _words(
    method: str,
    given: bool,
    margin: float | np.ndarray | None,
    alternative: str,
    threshold: float,
    step: float,
    alpha: float,
) -> str:
    what = "differences" if given else "scores"
    if margin is not None:
        what += f" plus the margin of {_stated(margin)}"
    side = {"greater": "above", "less": "below", "two-sided": "on either side of"}[alternative]
    how = {"cluster": f" of {threshold:.4g}", "tfce": f" in steps of {step:g}"}.get(method, "")
    return (
        f"sign flips of subjects' {what}, tested to be {side} 0 at the level {alpha:g}; p-values from "
        f"{METHODS[method]}{how} over the map under every flip"
    )


def _differences(x: Any, y: Any) -> tuple[np.ndarray, bool]:
    """What is tested, ``[n_subject, ...]``, and whether it is a difference."""
    allowed = "[n_subject, n_unit] or [n_subject, n_unit, n_time] finite numbers"
    values = arguments.array("x", x, ndim=(2, 3), missing=False, allowed=allowed)
    if len(values) < 2:
        raise DesignError(f"x: {len(values)} subject; at least 2 are needed")
    if not values.size:
        raise InputError("x", values.shape, allowed)
    if y is None:
        return values, False
    other = arguments.array("y", y, ndim=(1, 2, 3), missing=False, allowed=allowed)
    if other.shape not in (values.shape, values.shape[1:]):
        raise InputError("y", other.shape, f"shape {values.shape} or {values.shape[1:]}, as x")
    return values - other, True


def _edges(method: str, shape: tuple[int, ...], adjacency: Any) -> np.ndarray:
    if method == "max-t":
        arguments.applies(
            "adjacency", adjacency, to=["cluster", "tfce"], chosen=method, by="method"
        )
        return np.empty((2, 0), dtype=int)
    if isinstance(adjacency, str) and adjacency == "lattice":
        return edges_of(shape, None)
    import scipy.sparse as sp

    allowed = f"'lattice', or a symmetric scipy.sparse matrix ({shape[0]}, {shape[0]})"
    if not sp.issparse(adjacency) or adjacency.shape != (shape[0], shape[0]):
        raise InputError("adjacency", type(adjacency).__name__, allowed)
    found = sp.csr_array(adjacency != 0)
    if (found != found.T).nnz:
        raise InputError("adjacency", "neighbours in one direction only", allowed)
    return edges_of(shape, found)


def _statistic(
    method: str, edges: np.ndarray, threshold: float, step: float
) -> Callable[[np.ndarray], np.ndarray]:
    if method == "cluster":
        return lambda t: mass_map(t, edges, threshold)
    if method == "tfce":
        return lambda t: tfce_map(t, edges, step)
    return lambda t: t


def _largest(
    plan: Any,
    tested: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    sides: Sequence[int],
) -> np.ndarray:
    """Largest value of the statistic over the map and the sides, under every flip."""
    size = max(1, POINTS // tested.shape[1])
    # all flips come in pairs of opposite signs (the first and the last, and so on), whose maps on two sides are the
    # same: one of each pair is enough
    mirrored = plan.exact and len(sides) == 2
    rows = plan.n_resamples // 2 if mirrored else plan.n_resamples
    found = np.empty(0)
    for k in range(plan.n_blocks):
        signs = plan.block(k)[: rows - len(found)]
        best = np.full(len(signs), -np.inf)
        for side in sides if len(signs) else ():
            maps = maps_under(side * signs, tested, statistic, size)
            best = np.maximum(best, np.concatenate([m.max(axis=1) for m in maps]))
        found = np.concatenate([found, best])
    return np.concatenate([found, found[::-1]]) if mirrored else found


def _p_values(observed: np.ndarray, largest: np.ndarray, exact: bool) -> np.ndarray:
    """Share of flips whose largest value reaches the observed one, up to rounding; the data count as one flip."""
    ordered = np.sort(largest)
    reached = observed - 1e-9 * np.abs(observed)
    count = len(ordered) - np.searchsorted(ordered, reached, side="left")
    return np.asarray(count / len(ordered) if exact else (count + 1) / (len(ordered) + 1))


def _points(shape: tuple[int, ...], labels: Any) -> pd.DataFrame:
    """One row per point with the label of every axis."""
    names = ["unit", "time"][: len(shape)]
    if isinstance(labels, dict):
        names, labels = [str(k) for k in labels], list(labels.values())
    if labels is None:
        labels = [range(size) for size in shape]
    instance("labels", labels, (list, tuple), "a list of labels for every axis, or a dict of them")
    every = [items("labels", v, "labels of every axis") for v in labels]
    sizes = tuple(len(v) for v in every)
    if sizes != shape or len(set(names)) < len(names):
        raise InputError("labels", f"{sizes} names", f"names of the points of every axis, {shape}")
    index = pd.MultiIndex.from_product(every, names=names)
    return index.to_frame(index=False)
