"""Contrasts between marginal means: ordinary tests, simultaneous intervals, and tests with a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from apastats.arguments import choice, column
from apastats.comparing.decisions import check_alpha, outcomes
from apastats.comparing.margin import as_margin
from apastats.errors import DesignError, InputError, MarginError
from apastats.mixed.engine.contrast_rows import canonical_method, contrast_rows
from apastats.mixed.engine.grid import Grid, as_names
from apastats.mixed.engine.inference import Inference
from apastats.mixed.engine.outcomes import OUTCOMES, back_transformed
from apastats.mixed.engine.simultaneous_tests import ALTERNATIVES, LARGE, Family
from apastats.mixed.lmm_result import level_of
from apastats.numbers.adjust_p import adjust_p, check_adjust
from apastats.numbers.relative import independent_rows
from apastats.recording import verb
from apastats.results import Result
from apastats.words import StatedMargin

__all__ = ["ContrastResult", "make_contrasts"]

MOST_NUMBERS = 3 * 10**8  # of one family: 2.4 GB
SIDES = ("equivalence", "noninferiority", "nonsuperiority")
NULLS = {
    "equivalence": "the difference lies on or beyond a bound",
    "noninferiority": "the difference lies on or below the lower bound",
    "nonsuperiority": "the difference lies on or above the upper bound",
}


@dataclass(frozen=True, eq=False, repr=False)
class ContrastResult(Result):
    """Contrasts of marginal means.

    ``table`` has the ``by`` columns and ``contrast, estimate, std_error, statistic, df, p_value, conf_low,
    conf_high, conf_level, method``; after :meth:`test` also bounds, their p-values and a decision.
    """

    grid: Grid | None = None
    families: tuple[np.ndarray, ...] = ()
    inference: Inference | None = None

    kind: ClassVar[str] = "emmeans_contrasts"

    @property
    def rows(self) -> np.ndarray | None:
        """``[c, p]`` combination of coefficients per contrast; None after loading from disk."""
        return None if self.grid is None else self.grid.L

    @verb
    def contrast(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        *,
        by: str | Sequence[str] | None = None,
        ref: str | int | None = None,
        adjust: str = "none",
        alternative: str = "two-sided",
        conf_level: float | None = None,
    ) -> ContrastResult:
        """Contrasts of these contrasts, such as whether a difference between models differs between streams.

        Parameters
        ----------
        method, ref, alternative, conf_level
            As in ``emmeans(...).contrast``.
        by : str or list of str, optional
            Columns within which contrasts are compared: ``by="contrast"`` compares the same contrast between the old
            ``by`` combinations (it is named in the column ``of_contrast``), an empty list compares all; the old
            ``by`` columns where None.
        adjust : str
            As in ``emmeans(...).contrast``; none where not given, as in R.

        Returns
        -------
        ContrastResult

        Raises
        ------
        InputError
            For a column that the table does not have.
        """
        if self.grid is None or self.inference is None:
            raise DesignError(
                "contrast needs the fit itself; a result read from disk holds its tables only"
            )
        columns = list(self.grid.rows.columns)
        within = self.grid.by if by is None else as_names(by, "by") if by else ()
        for name in within:
            column("by", name, columns)
        specs = tuple(c for c in columns if c not in within)
        if not specs:
            raise InputError("by", by, "fewer columns: nothing is left to compare")
        old = {"contrast": "of_contrast"}  # the new table has a column "contrast" of its own
        grid = replace(
            self.grid, rows=self.grid.rows.rename(columns=old), specs=tuple(old.get(c, c) for c in specs),
            by=tuple(old.get(c, c) for c in within),
        )  # fmt: skip
        return make_contrasts(
            self, grid, self.inference, method, ref=ref, adjust=adjust,
            alternative=alternative,
            conf_level=level_of(self.info, conf_level),
        )  # fmt: skip

    @verb
    def test(
        self,
        *,
        bounds: Any = None,
        side: str = "equivalence",
        adjust: str = "holm",
        alpha: float = 0.05,
    ) -> ContrastResult:
        """Test every contrast against a margin.

        Parameters
        ----------
        bounds : float, pair or margin
            Smallest difference that matters: a number d for (-d, d), a pair (low, high), or
            ``apa.margin``. There is no default.
        side : {"equivalence", "noninferiority", "nonsuperiority"}
            The claim: between the bounds; above the lower one; below the upper one.
        adjust : str
            Adjustment of the p-values within each family: any of :func:`apastats.adjust_p`.
        alpha : float
            Level of the decision; intervals have level 1 - 2 alpha.

        Returns
        -------
        ContrastResult
            With ``statistic_low, statistic_high`` (distance to each bound in standard errors), ``bound_low, bound_high,
            p_value_equiv, p_value_noninf, p_value_nonsup`` (all adjusted), ``decision``.

        Raises
        ------
        MarginError
            If bounds are missing, impossible, or in a unit that a model-based mean does not have.
        InputError
            For an unknown side, adjustment or level.
        """
        if self.grid is None or self.inference is None:
            raise DesignError(
                "test needs the fit itself; a result read from disk holds its tables only"
            )
        low, high, text = _limits(bounds)
        level = check_alpha(alpha)
        name = check_adjust(adjust)
        choice("side", side, SIDES)
        table = self.table
        d, se, df = (table[c].to_numpy(dtype=float) for c in ("estimate", "std_error", "df"))
        capped = np.minimum(df, LARGE)
        t_low, t_high = (d - low) / se, (d - high) / se
        raw = {
            "p_value": np.minimum(1.0, 2 * stdtr(capped, -np.abs(d / se))),
            "p_value_noninf": stdtr(capped, -t_low),
            "p_value_nonsup": stdtr(capped, t_high),
        }
        raw["p_value_equiv"] = np.maximum(raw["p_value_noninf"], raw["p_value_nonsup"])
        p = {key: np.full(len(d), np.nan) for key in raw}
        for members in self.families:
            for key, values in raw.items():
                p[key][members] = adjust_p(values[members], name)
        size = np.ones(len(d))
        for members in self.families:
            size[members] = len(members)
        half, wide, joint, inside = (
            stdtrit(capped, 1 - a) * se
            for a in (level, level / 2, level / (2 * size), level / size)
        )
        out = table.drop(
            columns=["p_value", "conf_low", "conf_high", "conf_level", "method"]
        ).assign(
            p_value=p["p_value"],
            conf_low=d - half,
            conf_high=d + half,
            conf_level=1 - 2 * level,
            conf_low_difference=d - wide,
            conf_high_difference=d + wide,
            conf_level_difference=1 - level,
            conf_low_joint=d - joint,
            conf_high_joint=d + joint,
            conf_level_joint=1 - level,
            conf_low_joint_margin=d - inside,
            conf_high_joint_margin=d + inside,
            conf_level_joint_margin=1 - 2 * level,
            bound_low=low,
            bound_high=high,
            statistic_low=t_low,
            statistic_high=t_high,
            p_value_equiv=p["p_value_equiv"],
            p_value_noninf=p["p_value_noninf"],
            p_value_nonsup=p["p_value_nonsup"],
            decision=_decisions(side, p, level),
            method=f"two one-sided t tests, {name}"
            if side == "equivalence"
            else f"one-sided t test, {name}",
        )
        info = self.info.but(
            method=f"{side} of contrasts of marginal means, t tests of the mixed model",
            null=NULLS[side],
            rule=f"{side} was claimed where its p-value was at most {level:g}",
            hypothesis=side,
            margin=text,
            margin_origin="raw",
            alpha=level,
            conf_level=1 - 2 * level,
            adjust=name,
            interval="one at a time, and joint",
            joint="Bonferroni",
        )
        return replace(self, table=out, info=info)

    def response(self) -> pd.DataFrame:
        """Differences of a log outcome as ratios of means, of a logit outcome as odds ratios.

        Ends of intervals and bounds are mapped, standard errors are by the delta method; p-values stay (of a ratio of
        1). A table of an outcome that was not transformed is given as it is.

        Returns
        -------
        pandas.DataFrame
            The columns of the table, on the scale of ratios.

        Raises
        ------
        DesignError
            For slopes, and for transformations whose differences are nothing on the scale of the outcome
            (``fisher_z``, ``sqrt``): take ``emmeans(...).response()``.
        """
        transform = self.info.get("transform")
        if transform is None:
            return self.table.copy()
        scale = OUTCOMES[str(transform)]
        if not scale.ratio or self.info.get("trend"):
            what = "slopes" if self.info.get("trend") else f"differences of {transform}"
            raise DesignError(
                f"{what} have no value on the scale of the outcome; means have: emmeans(...).response()"
            )
        return back_transformed(self.table, scale, ratios=True)


def _limits(bounds: Any) -> tuple[float, float, StatedMargin]:
    """Bounds as numbers and words."""
    margin = as_margin(bounds)
    if margin.origin != "raw":
        raise MarginError(
            "bounds", bounds, "a number or a pair in the unit of the model's outcome",
            hint="Work out other margins first, e.g. 0.1 times the mean ceiling.",
        )  # fmt: skip
    return float(margin.low), float(margin.high), margin.words()


def _decisions(side: str, p: dict[str, np.ndarray], alpha: float) -> np.ndarray:
    if side == "equivalence":
        return outcomes(p["p_value"], p["p_value_equiv"], alpha)
    key = "p_value_noninf" if side == "noninferiority" else "p_value_nonsup"
    word = "non-inferior" if side == "noninferiority" else "non-superior"
    return np.where(p[key] <= alpha, word, "undecided").astype(object)


def _correlation(inference: Inference, L: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Correlation of contrasts ``[c, c]``: only some adjustments need it, and it is large."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(L @ inference.vcov @ L.T / np.outer(se, se))


def _check_size(method: Any, k: int, inference: Inference) -> None:
    """Refuse all pairs of so many means that their coefficients fill the memory."""
    name = canonical_method(method)
    if name not in ("pairwise", "revpairwise"):
        return
    numbers = k * (k - 1) // 2 * (k + 2 * len(inference.beta))
    if numbers > MOST_NUMBERS:
        raise DesignError(
            f"all pairs of {k} means are {k * (k - 1) // 2} contrasts, too many to hold ({8e-9 * numbers:.0f} GB); "
            f"ask for what is to be known: compare_best() (each mean against the best), contrast('deviation') (each "
            f"against the mean of all), contrast('trt.vs.ctrl', ref=) (each against one), or "
            f"apa.equivalence(..., reference='best')"
        )


def make_contrasts(
    means: Result,
    grid: Grid,
    inference: Inference,
    method: Any,
    *,
    ref: Any,
    adjust: str,
    alternative: str,
    conf_level: float,
    critical: float | None = None,
    described: str | None = None,
) -> ContrastResult:
    """Contrasts of a grid, one family per ``by`` combination; ``described`` names them in words."""
    choice("alternative", alternative, ALTERNATIVES)
    if critical is not None and not (isinstance(critical, (int, float)) and 0 < critical < np.inf):
        raise InputError("critical", critical, "a positive number, or None")
    labels = grid.labels()
    frames, rows, full, shifts, families, start, kinds = [], [], [], [], [], 0, set()
    for members in grid.groups():
        _check_size(method, len(members), inference)
        names, C = contrast_rows(method, [labels[i] for i in members], ref)
        L = grid.combine(C, members)
        known = ~np.isnan(L).any(
            axis=1
        )  # others have no value in these data, and no part in the family
        shift = C @ grid.shift[members]
        estimate = L @ inference.beta + shift
        se, df = inference.of_means(C, grid.L[members], L)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = estimate / se
        joint = partial(_correlation, inference, L[known], se[known])
        # a family keeps its size where a mean has no value, as in R's emmeans
        pairs = isinstance(method, str) and canonical_method(method) in ("pairwise", "revpairwise")
        rank = (
            len(independent_rows(L, np.sqrt(np.diag(inference.plain))))
            if adjust == "scheffe"
            else 0
        )
        family = Family(statistic[known], df[known], joint, len(members), pairs, rank)
        p, half = np.full(len(se), np.nan), np.full(len(se), np.nan)
        what = "none"
        if known.any():
            p[known] = family.p_values(adjust, alternative)
            half[known], what = family.criticals(adjust, conf_level, alternative)
        if critical is not None:
            half, what = np.full(len(se), float(critical)), f"critical value given: {critical:g}"
        half = half * se
        kinds.add(what)
        table = pd.DataFrame(
            {
                "contrast": names,
                "estimate": estimate,
                "std_error": se,
                "statistic": statistic,
                "df": df,
                "p_value": p,
                "conf_low": estimate - half if alternative != "less" else -np.inf,
                "conf_high": estimate + half if alternative != "greater" else np.inf,
                "conf_level": conf_level,
                "method": f"t test, {family.check(adjust, alternative)}",
            }
        )
        for c in reversed(grid.by):
            table.insert(0, c, grid.rows[c].iloc[members[0]])
        frames.append(table)
        rows.append(L)
        full.append(C @ grid.full[members])
        shifts.append(shift)
        families.append(np.arange(start, start + len(names)))
        start += len(names)
    table = pd.concat(frames, ignore_index=True)
    named = described or (method if isinstance(method, str) else "custom")
    info = means.info.but(
        method="contrasts of marginal means of a linear mixed model, t tests",
        estimand="contrast of marginal means",
        # NaN: not estimable; infinite: no degrees of freedom
        statistic="z" if np.isinf(inference.dfs(np.concatenate(rows))).any() else "t",
        null="the contrast is 0",
        null_value=0.0,
        contrasts=named,
        alternative=alternative,
        adjust=Family.check(family, adjust, alternative),
        interval=", ".join(sorted(kinds)),
        joint=", ".join(sorted(k.split(" simul")[0] for k in kinds if "simultaneous" in k)),
        family="all contrasts" + (f" within {', '.join(grid.by)}" if grid.by else ""),
        conf_level=conf_level,
    )
    return ContrastResult(
        table,
        info,
        means.provenance,
        {"L": np.concatenate(rows)},
        means.notes,
        Grid(
            table[[*grid.by, "contrast"]], np.concatenate(full), ("contrast",), grid.by, grid.held, grid.fixed,
            grid.trend, np.concatenate(shifts),
        ),
        tuple(families),
        inference,
    )  # fmt: skip


def interaction_rows(grid: Grid, methods: str | Sequence[str]) -> dict[str, np.ndarray]:
    """Contrasts of contrasts over the factors of a grid: coefficients by name, in the order of its means."""
    chosen = [methods] * len(grid.specs) if isinstance(methods, str) else list(methods)
    if len(chosen) != len(grid.specs):
        raise InputError(
            "interaction", methods, f"one method, or one for each of {list(grid.specs)}"
        )
    members = grid.groups()[0]
    frame = grid.rows.iloc[members]
    names: list[tuple[str, ...]] = [()]
    C: np.ndarray = np.ones((1, 1))
    # the first factor varies fastest among the means
    for name, method in zip(grid.specs, chosen, strict=True):
        levels = list(dict.fromkeys(frame[name]))
        labels, rows = contrast_rows(method, [str(v) for v in levels])
        names = [(*old, new) for new in labels for old in names]
        C = np.kron(rows, C)
    if C.shape[1] != len(members):
        raise DesignError(f"interaction needs every combination of {', '.join(grid.specs)}")
    joined = [" : ".join(f"({v})" if len(n) > 1 else v for v in n) for n in names]
    return dict(zip(joined, C, strict=True))
