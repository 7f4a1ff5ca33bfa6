"""UniqueVariance: parts of explained variance with their intervals, and the tests of what a model adds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from apastats.arguments import choice, level, number
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.tables import give_warnings, how_many
from apastats.bootstrapping.unique_test import Tested, tested_by_replicates, tested_by_subjects
from apastats.errors import DesignError, InputError, SmallSampleWarning, warn
from apastats.numbers.adjust_p import check_adjust
from apastats.recording import verb
from apastats.resampling.intervals import Interval
from apastats.resampling.plans import Resamples
from apastats.resampling.relabel import sign_flips
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import ScoreTable
from apastats.words import Drawn, StatedMargin

__all__ = ["UniqueTest", "UniqueVariance"]

KEYS = ["roi", "part", "model"]
FEW = 20  # subjects; measured in docs/calibration_intervals.md
FEW_WITH_STIMULI = (
    10  # subjects up to which claims of "less" were measured to hold where stimuli are drawn
)


class UniqueTest(Result):
    """Tests of what each model adds to the others.

    ``table``: ``roi, part, model, estimate`` (the part), ``tested`` (mean of what is tested: signed semipartial
    correlation, its cross-validated form for several models, or the part itself where data were held out), ``std_error,
    statistic, df, conf_low, conf_high, conf_level`` (of ``tested``), ``p_value, p_value_adjusted`` (nothing added) and,
    with a margin, ``bound, p_value_less, p_value_more``; ``decision``, ``n_subject``, ``method``.
    """

    kind: ClassVar[str] = "unique_test"


class UniqueVariance(BootstrapResult):
    """Parts of the variance of brain RDMs (or responses) that models explain alone and together.

    ``table``: ``roi, part, model``, the columns of :class:`BootstrapResult` and, where there are noise ceilings,
    ``ceiling_lower, ceiling_upper``. ``part`` is unique, shared, added (to those before it) or total; or semipartial,
    partial, coefficient.
    """

    kind: ClassVar[str] = "unique_variance"

    @property
    def scores(self) -> ScoreTable:
        """Every subject's parts, as a score table for other verbs (``model`` is the part and its models)."""
        values = self.arrays["scores"]
        s, p, r = (i.ravel() for i in np.indices(values.shape))
        parts = np.array([" ".join(v) for v in self.info["parts"]], dtype=object)
        frame = pd.DataFrame(
            {
                "kind": "model",
                "model": parts[p],
                "layer": "-",
                "subject": np.array(self.info["subjects"])[s],
                "roi": np.array(self.info["rois"])[r],
                "metric": self.info["scored_by"]
                if "scored_by" in self.info
                else self.info["metric"],
                "score": values.ravel(),
            }
        )
        known = self.info.outcome
        return ScoreTable(
            frame[np.isfinite(frame["score"])].reset_index(drop=True),
            measures={} if known is None else {"score": known},
        )

    @verb
    def ceilings(self, *, interval: Interval | None = None) -> BootstrapResult:
        """What the RDM of an ideal model would add in the place of each model, from the same resamples.

        Parameters
        ----------
        interval : str, optional
            As in :func:`bootstrap`; that of the parts by default.

        Returns
        -------
        BootstrapResult
            One row per ROI, part and bound.

        Raises
        ------
        InputError
            If there are none: coefficients, encoding models.
        """
        names = self.info.get("ceiling_parts")
        if not names:
            raise InputError("result", self.info["measure"], "shares of variance or correlations")
        rois = self.info["rois"]
        keys = pd.DataFrame(
            [(r, *n, b) for b in ("lower", "upper") for n in names for r in rois],
            columns=[*KEYS, "bound"],
        )
        changes = {"method": "bootstrap of noise ceilings", "estimand": "noise ceiling"}
        draft = self._other(keys, changes, interval, self._prefixed("ceiling_"))
        return replace(draft, notes=give_warnings(draft.table, draft._keys(), draft.info))

    @verb
    def test(
        self,
        *,
        bounds: float | None = None,
        alternative: Literal["greater", "two-sided"] = "greater",
        adjust: str = "max-t",
        alpha: float = 0.05,
        n_resamples: Resamples = "auto",
        rng: RngLike = None,
    ) -> UniqueTest:
        """Test whether a model adds anything to the others, and whether it adds less (or more) than a margin.

        Parameters
        ----------
        bounds : float, optional
            Margin, in the unit of the parts (a share of variance; a correlation for ``semipartial`` and
            ``partial``). Without one there is no test against a margin: none is implied.
        alternative : {"greater", "two-sided"}
            Side of the test against 0 for a single model: a positive contribution, or either.
        adjust : str
            ``"max-t"`` over all models and regions, ``"none"``, or an adjustment of :func:`apastats.adjust_p`.
        alpha : float
            Level of the decisions.
        n_resamples : "auto", "exact" or int
            Sign flips of the subjects; all of them up to 20.
        rng : int, Generator, SeedSequence or None
            Where flips are sampled.

        Returns
        -------
        UniqueTest

        Raises
        ------
        InputError
            A margin that is not above 0.
        DesignError
            Nothing can be tested: groups of several models with stimuli drawn and nothing held out.

        Warns
        -----
        SmallSampleWarning
            Where 20 subjects or fewer claim that a held-out share is less than the margin, and where more than 10 do
            with stimuli drawn.

        Notes
        -----
        A unique variance is never below 0, and noise makes it larger than 0 for a model that adds nothing: a test
        of its mean would always reject, and its t interval covers 85 to 90 % near 0. Tested is the signed semipartial
        correlation, whose square it is and whose mean is 0 where nothing is added. Against 0: sign flips of the
        subjects, of all coordinates of a group of models together. "Adds less" than a margin m: two one-sided t tests
        of the mean semipartial correlation within -sqrt(m), sqrt(m); for several models the t test of the root of
        their unique variance below sqrt(m), which is conservative, as noise adds to it. "Adds more": above sqrt(m);
        for several models their correlation with what the other subjects say they add, and the flips must reject
        too. The claims are about the mean semipartial correlation of subjects, so about what a model adds in the
        average subject. Where data were held out, the part itself is tested, which is not above 0 without a
        contribution.

        Examples
        --------
        >>> import apastats as apa
        >>> rdms = apa.simulate_rdms(
        ...     n_subject=8, n_stimulus=16, rois=["V1", "V2"], n_model=2, n_layer=1, rng=0
        ... )
        >>> found = apa.unique_variance(rdms.brain, rdms.models, measure="semipartial")
        >>> list(found.test(bounds=0.7).table["decision"].unique())
        ['adds something, less than the margin']
        """
        check_adjust(adjust, ("max-t",))
        choice("alternative", alternative, ("greater", "two-sided"))
        level("alpha", alpha)
        if bounds is not None:
            number("bounds", bounds, above=0, below=1)
        if self.info["measure"] == "coefficient" and self.info["nonnegative"]:
            raise DesignError(
                "non-negative coefficients are never below 0, so that a test of their mean would always reject; "
                "unique_variance(measure='semipartial') has signed ones"
            )
        # a share of variance is the square of what is tested
        signed = self.info["signed"]
        root = signed == "root"
        edge = None if bounds is None else float(np.sqrt(bounds) if root else bounds)
        plan = None
        if "test_replicates" in self.arrays:
            keys, tested = tested_by_replicates(self, edge, alternative, adjust)
        elif self.arrays.get("values") is not None:
            n = len(self.arrays["values"])
            plan = sign_flips(n, n_resamples, rng)
            keys, tested = tested_by_subjects(self, edge, alternative, adjust, plan)
        else:
            raise DesignError(
                "no part can be tested: several models in a group have no signed contribution where stimuli are drawn; "
                "unique_variance(cross_validate='stimulus') holds data out"
            )
        found = _as_result(self, keys, tested, bounds, alternative, adjust, alpha, plan)
        return replace(found, notes=(*found.notes, *_warned(self, found, plan)))


def _warned(result: UniqueVariance, found: UniqueTest, plan: Any) -> tuple[str, ...]:
    """Warn of claims of "less" where they were measured to be too frequent: held-out shares, and stimuli drawn."""
    claimed = found.table["decision"].isin(["adds less", "adds something, less than the margin"])
    n = int(found.table["n_subject"].max())
    if not claimed.any():
        return ()
    if plan is None and n > FEW_WITH_STIMULI:
        text = (
            f"stimuli were drawn: with {n} subjects 'less than the margin' may be claimed in up to 10 % of the cases "
            "where 5 % is said (simulated with 20 subjects and 24 stimuli)"
        )
    elif plan is not None and result.info["signed"] == "held out" and n <= FEW:
        text = (
            f"held-out shares are skewed: with {n} subjects a t test claims 'less than the margin' in up to 8 % "
            "of the cases where 5 % is said; in Python: without cross_validate= the signed correlation is tested, "
            "which keeps its level"
        )
    else:
        return ()
    warn(text, SmallSampleWarning)
    return (text,)


def _as_result(
    result: UniqueVariance,
    keys: pd.DataFrame,
    tested: Tested,
    bounds: float | None,
    alternative: str,
    adjust: str,
    alpha: float,
    plan: Any,
) -> UniqueTest:
    """Table and words of the tests."""
    own = result.table.merge(keys, on=KEYS)
    table = keys.merge(own[[*KEYS, "estimate", "n_subject"]], on=KEYS, how="left")
    n = table.pop("n_subject")
    table = table.assign(
        tested=tested.mean,
        std_error=tested.std_error,
        statistic=tested.mean / tested.std_error,
        df=tested.df,
        conf_low=tested.mean - tested.critical * tested.std_error,
        conf_high=tested.mean + tested.critical * tested.std_error,
        conf_level=float(result.info["conf_level"]),
        p_value=tested.p,
        p_value_adjusted=tested.p_adjusted,
    )
    added = tested.p_adjusted <= alpha
    decision = np.where(added, "adds something", "undecided").astype(object)
    if bounds is not None and tested.p_less is not None and tested.p_more is not None:
        table = table.assign(bound=bounds, p_value_less=tested.p_less, p_value_more=tested.p_more)
        less, more = tested.p_less <= alpha, tested.p_more <= alpha
        decision = np.where(
            less & added,
            "adds something, less than the margin",
            np.where(less, "adds less", np.where(more, "adds more", decision)),
        )
    table = table.assign(decision=decision, n_subject=n.to_numpy(), method=tested.method)
    info = result.info
    of, one = info.get("parts_of", "models"), info.get("parts_of", "models")[:-1]
    what = {
        "root": "mean signed semipartial correlation",
        "self": f"mean {info['measure']} {'correlation' if info['measure'] == 'partial' else 'value'}",
        "held out": "mean share of held-out variance",
    }[info["signed"]]
    words = info.but(
        method=f"tests of what each {one} adds to the others: {tested.how}",
        tested_by=tested.how,
        estimand=what,
        test=tested.test,
        statistic="t",
        alternative=alternative,
        null=f"a {one} adds nothing to the others",
        null_value=0.0,
        margin=None
        if bounds is None
        else StatedMargin(f"{bounds:g}", info["unit"], "stated by the analyst"),
        margin_origin="" if bounds is None else "raw",
        rule=""
        if bounds is None
        else "adds less (more) than the margin where that one-sided p-value is at most alpha",
        adjust=adjust,
        family=f"all {of} and regions",
        family_size=len(table),
        alpha=alpha,
        not_concluded=f"a {one} that is not shown to add something has not been shown to add nothing",
        resampled=info.resampled
        if plan is None
        else Drawn("signs of subjects", number=how_many(plan)),
        n_resamples=None if plan is None else plan.n_resamples,
        exact=None if plan is None else plan.exact,
    )
    seed = "" if plan is None else plan.seed
    notes = tuple(tested.notes)
    return UniqueTest(
        table, words, Provenance(data_hash=result.provenance.data_hash, seed=seed), notes=notes
    )
