"""Presets: the formula for a usual design, chosen from the data, stated in the result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked, choice
from apastats.errors import AssumptionWarning, DesignError, InputError, warn
from apastats.mixed.lmm import fit_formula, model_rows
from apastats.mixed.lmm_result import LmmResult
from apastats.numbers.spread import model_spread, unequal_spread
from apastats.recording import verb
from apastats.table import Kinds, ScoreTable

__all__ = ["Presets", "models"]


class Presets:
    """Formulas for usual designs: ``apa.models.agreement`` and ``apa.models.scores``.

    The formula chosen is in ``result.info["formula"]``, in its notes and its summary; ``apa.models.formula`` gives
    it without fitting.
    """

    def as_call(self) -> str:
        """Its name, as calls are recorded."""
        return "models"

    @verb
    def agreement(
        self,
        data: ScoreTable | pd.DataFrame,
        *,
        outcome: str | None = None,
        by: str | None = None,
        generalise: str = "subject",
        **options: Any,
    ) -> LmmResult:
        """Agreement (Fisher z) of models, and of the brain as one level of ``model``.

        Parameters
        ----------
        data : ScoreTable or pandas.DataFrame
            Columns ``model, subject, roi`` and the outcome.
        outcome : str, optional
            Its column; ``z_person`` where the table has it, as subjects share references and partners and their ``z``
            are not independent, ``z`` otherwise.
        by : str, optional
            A column that is constant within ROIs (a stream: crossed with ``model``) or within models (a family: takes
            the place of ``model``, which becomes random). Subjects may differ in what is crossed: the formula has
            ``(1 | stream:subject)`` and ``(1 | model:stream:subject)``, or ``(1 | family:subject)``.
        generalise : {"subject", "subject+roi"}
            Whether ROIs are a fixed set, or a sample like the subjects (adds ``(1 | model:roi)``). With streams of a
            fixed set of ROIs the fixed part is ``model * roi``; ``apa.emmeans(fit, "model", by="stream")`` averages
            over the ROIs of every stream, and ``fit.anova()`` has rows for ``stream`` and ``model:stream``.
        **options
            Passed to :func:`apastats.lmm`.

        Returns
        -------
        LmmResult

        Raises
        ------
        DesignError
            If there are too few subjects or ROIs for any random effect.
        """
        if outcome is None:
            frame = data.frame if isinstance(data, ScoreTable) else data
            outcome = "z_person" if "z_person" in getattr(frame, "columns", ()) else "z"
        return self._fit(data, outcome, by, generalise, partners=False, options=options)

    @verb
    def scores(
        self,
        data: ScoreTable | pd.DataFrame,
        *,
        outcome: str = "score",
        by: str | None = None,
        generalise: str = "subject",
        partners: bool = False,
        **options: Any,
    ) -> LmmResult:
        """Scores of models, or (``partners``) of subjects predicted by other subjects.

        Parameters
        ----------
        data, outcome, by, generalise, **options
            As in :meth:`agreement`.
        partners : bool
            Pair scores, where ``model`` is the predicting subject: both ends of a pair are members of one
            population of subjects, ``(1 | mm(model, subject))``.
        """
        return self._fit(data, outcome, by, generalise, partners=partners, options=options)

    @checked
    def formula(
        self,
        data: ScoreTable | pd.DataFrame,
        *,
        outcome: str = "score",
        by: str | None = None,
        generalise: str = "subject",
        partners: bool = False,
        kind: Kinds = "model",
    ) -> str:
        """Formula a preset would fit.

        Examples
        --------
        >>> import apastats as apa
        >>> best = apa.select_layer(
        ...     apa.simulate(n_subject=4, n_model=2, n_tied=1, rng=0).scores, on="train"
        ... )
        >>> apa.models.formula(best)
        'score ~ model + (1 | subject) + (1 | roi) + (1 | subject:roi) + (1 | model:subject)'
        """
        frame, _ = model_rows(data, "subject_to_subject" if partners and kind == "model" else kind)
        for name in ("model", "subject", "roi", outcome, *([by] if by else [])):
            if name not in frame.columns:
                raise InputError("data", list(map(str, frame.columns)), f"a column {name!r}")
        choice("generalise", generalise, ("subject", "subject+roi"))
        frame = frame[frame[outcome].notna()]
        _one_row_per_cell(frame, outcome)
        return (
            _pair_formula(frame, outcome, by)
            if partners
            else _model_formula(frame, outcome, by, generalise)
        )

    def _fit(
        self,
        data: Any,
        outcome: str,
        by: str | None,
        generalise: str,
        *,
        partners: bool,
        options: dict[str, Any],
    ) -> LmmResult:
        kind = options.pop("kind", "subject_to_subject" if partners else "model")
        text = self.formula(
            data, outcome=outcome, by=by, generalise=generalise, partners=partners, kind=kind
        )
        # differences between these ROIs are no error where nothing is said about others
        settled = ("roi",) if generalise == "subject" else ()
        found = fit_formula(text, data, kind=kind, settled=settled, **options)
        unequal = _unequal(data, outcome, kind)
        if unequal:
            warn(f"preset: {unequal}", AssumptionWarning)
        notes = (f"formula chosen by the preset: {text}", *found.notes)
        notes = (*notes, unequal) if unequal else notes
        return replace(found, notes=notes, info=found.info.but(crossed_by=by))


def _unequal(data: Any, outcome: str, kind: Any) -> str:
    """Words where one model varies more over subjects than the others, which one error variance cannot say."""
    frame = model_rows(data, kind)[0]
    if not {"model", "subject", "roi", outcome} <= set(frame.columns):
        return ""
    wide = frame.pivot_table(index="subject", columns=["roi", "model"], values=outcome).dropna()
    rois = list(dict.fromkeys(wide.columns.get_level_values("roi")))
    models = list(dict.fromkeys(wide.columns.get_level_values("model")))
    if len(wide) < 3 or len(wide.columns) != len(rois) * len(models):
        return ""
    x = np.stack([wide[r][models].to_numpy() for r in rois], axis=2)
    if not unequal_spread(x):
        return ""
    v = model_spread(x)
    ratio = float(np.sqrt(v.max() / ((v.sum() - v.max()) / (len(v) - 1))))
    return (
        f"{models[int(v.argmax())]} varies {ratio:.1f} times as much over subjects as the other models do; "
        "contrasts take one error variance, those with it are too narrow. apa.compare and apa.equivalence do not"
    )


def _one_row_per_cell(frame: pd.DataFrame, outcome: str) -> None:
    """Layers, splits or metrics are no replicates: refuse several rows of one model, subject and ROI."""
    keys = ["model", "subject", "roi"]
    repeated = frame.duplicated(keys, keep=False)
    if not repeated.any():
        return
    first = frame.loc[repeated, keys].iloc[0]
    same = frame[(frame[keys] == first).all(axis=1)]
    varying = [c for c in same.columns if c not in (*keys, outcome) and same[c].nunique() > 1]
    raise DesignError(
        f"{len(same)} rows share {dict(first)}; they differ in {varying or 'the outcome alone'}. They are no "
        f"independent replicates: choose a layer (apa.select_layer), a split and a metric first, for pairs the rows "
        f"whose layer is the ROI itself; or write the formula for apa.lmm"
    )


def _varies(frame: pd.DataFrame, *columns: str) -> bool:
    """Whether the combination can be a random effect: several levels, and cells with several rows."""
    sizes = frame.groupby(list(columns), observed=True).size()
    return len(sizes) > 1 and bool((sizes > 1).any()) and len(sizes) < len(frame)


def _constant_within(frame: pd.DataFrame, column: str, group: str) -> bool:
    for name in (column, group):
        arguments.column("by", name, frame.columns)
    return bool((frame.groupby(group, observed=True)[column].nunique() <= 1).all())


def _model_formula(frame: pd.DataFrame, outcome: str, by: str | None, generalise: str) -> str:
    several = frame["model"].nunique() > 1
    fixed = "model" if several else "1"
    family = by is not None and several and _constant_within(frame, by, "model")
    stream = by is not None and several and not family
    if by is not None:
        fixed = f"model * {by}" if stream else by
    random = [c for c in ("subject", "roi") if _varies(frame, c)]
    if not random:
        raise DesignError(
            "no random effect can be told apart: there is one subject and one ROI, or one row each"
        )
    if family and _varies(frame, "model"):
        random.append("model")
    if several and _varies(frame, "subject", "roi") and {"subject", "roi"} <= set(random):
        random.append("subject:roi")
    for columns in _crossed(by, several, family, generalise):
        if {"subject", "roi"} & set(columns) & set(random) and _varies(frame, *columns):
            random.append(":".join(columns))
    if stream and generalise == "subject" and "roi" in random and "subject" in random:
        # these ROIs: what models do in each is a fixed part; in the residual it would swell the error
        fixed = "model * roi"
        random.remove("roi")
    return f"{outcome} ~ {fixed}" + "".join(f" + (1 | {g})" for g in random)


def _crossed(by: str | None, several: bool, family: bool, generalise: str) -> list[tuple[str, ...]]:
    """Fixed effects that may vary between subjects, and between ROIs where those are a sample."""
    # subjects differ in every fixed effect that varies within them; without its term rows pass for subjects
    crossed: list[tuple[str, ...]] = [("model", "subject")] if several else []
    if by is not None:
        crossed.append((by, "subject"))
        if several and not family:
            crossed.append(("model", by, "subject"))
    if several and generalise == "subject+roi":
        crossed.append(("model", "roi"))
        if family and by is not None:
            crossed.append((by, "roi"))
    return crossed


def _pair_formula(frame: pd.DataFrame, outcome: str, by: str | None) -> str:
    random = ["mm(model, subject)"]
    if _varies(frame, "roi"):
        random.append("roi")
    crossed: list[tuple[str, ...]] = [("model", "subject")]
    if by is not None:
        crossed += [(by, "subject"), (by, "model"), ("model", by, "subject")]
    random += [":".join(c) for c in crossed if _varies(frame, *c)]
    return f"{outcome} ~ {by or '1'}" + "".join(f" + (1 | {g})" for g in random)


models = Presets()
