"""What a leaderboard can be asked: its pairs, its items, a response model, shifts of the missing scores, its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import checked, flag, names, numbers, text
from apastats.arguments import path as as_path
from apastats.errors import (
    ConvergenceWarning,
    DegenerateWarning,
    DesignError,
    InputError,
    warn,
)
from apastats.folders import refuse_file, write_whole
from apastats.numbers.crossed import ENOUGH, Crossed
from apastats.numbers.item_response import fit_responses
from apastats.numbers.items import (
    between_models,
    correlations,
    effective_number,
    item_errors,
    leave_one_out,
    missing_shift,
    ranks_of,
    tipping,
)
from apastats.numbers.moments import rounding
from apastats.numbers.rank_intervals import pair_errors
from apastats.recording import verb
from apastats.results import Provenance, Result, interactive_page
from apastats.words import Drawn, Info

__all__ = ["LeaderboardItems", "LeaderboardMissing", "LeaderboardResponses", "LeaderboardResult"]

MOST_PAIRS = 2_000_000
DELTAS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0)


class LeaderboardItems(Result):
    """What each item adds.

    ``item, n_model, effect`` (of the item on a score), ``error_sd, reliability`` (share of models in the variance of
    its scores), ``r_rest`` (correlation of its scores with the estimates from the other items), ``nearest, r_nearest``
    (the item whose errors correlate most with its own), and without it: ``tau`` (Kendall's, of the two orders),
    ``largest_move, moved`` (places, and the model), ``best``.
    """

    kind: ClassVar[str] = "leaderboard_items"


class LeaderboardResponses(Result):
    """Continuous item-response model.

    ``item, n_model, intercept, discrimination`` (score per SD of ability), their ``_se``, ``loading`` (standardised),
    ``difficulty`` (ability at which the expected score is the mean intercept), ``error_sd, nearest, q3`` (largest
    correlation of residuals, less their mean), ``boundary``. ``arrays["ability"], arrays["ability_sd"]`` ``[n_cell,
    n_model]``; :meth:`abilities` is their table.
    """

    kind: ClassVar[str] = "leaderboard_responses"

    def counts(self) -> pd.DataFrame:
        """A row per cell: log-likelihood, and the test of equal discriminations."""
        return pd.DataFrame(self.info.extra["cells"])

    def abilities(self) -> pd.DataFrame:
        """Ability of every model with its posterior SD and place, the best first."""
        cells = self.info.extra["cells"]
        frames = []
        for c, cell in enumerate(cells):
            ability = self.arrays["ability"][c]
            have = np.isfinite(ability)
            frame = pd.DataFrame(
                {k: v for k, v in cell.items() if k in self.info.by}
                | {"model": self.arrays["models"][have], "estimate": ability[have]}
                | {
                    "std_error": self.arrays["ability_sd"][c][have],
                    "place": ranks_of(ability[have]),
                }
            )
            frames.append(frame.sort_values("estimate", ascending=False, kind="stable"))
        return pd.concat(frames, ignore_index=True)


class LeaderboardMissing(Result):
    """What becomes of the order if missing scores lie ``delta`` SDs of their item off what was expected.

    ``delta, best, lead`` (of the best over the second), ``n_can_be_best, tau`` (Kendall's, with the order at 0),
    ``largest_move, moved``.
    """

    kind: ClassVar[str] = "leaderboard_missing"

    def counts(self) -> pd.DataFrame:
        """A row per cell: the tipping point, and the model that is then level with the best."""
        return pd.DataFrame(self.info.extra["cells"])


class LeaderboardResult(Result):
    """Models in order, with what each place is worth.

    ``table``: the by-columns, ``model, estimate, std_error`` (with the sampling of items where these are random),
    ``conf_low, conf_high, conf_level`` (of one model), ``place`` (1 the highest; equal ones share the best place),
    ``place_low, place_high`` (jointly for all models), ``place_low_marginal, place_high_marginal`` (each by itself),
    ``can_be_best``, ``n_better, n_worse`` (models shown to be), ``tier`` (a tier begins where a model is shown to be
    below the first of the last), ``n_item, filled`` (share of items with a score).

    ``arrays``: ``models, items``, ``scores`` ``[n_cell, n_model, n_item]`` (NaN: hole), and the estimates with their
    covariance ``mean, own, shared`` (``diag(own) + shared @ shared.T``).
    """

    kind: ClassVar[str] = "leaderboard"

    def counts(self) -> pd.DataFrame:
        """A row per cell: models, items, share filled, pairs, ordered and undecided, critical value, tipping point."""
        return pd.DataFrame(self.info.extra["cells"])

    @checked
    def pairs(self, *, models: Sequence[str] | None = None) -> pd.DataFrame:
        """Difference of every two models with its joint interval and decision.

        Parameters
        ----------
        models : sequence of str, optional
            Models of which one must be in a pair.

        Returns
        -------
        pandas.DataFrame
            By-columns, ``contrast, model, reference, estimate, std_error, statistic, conf_low, conf_high`` (joint: all
            of them hold at once), ``decision``: "better", "worse" or "not ordered". Steps after the first order more
            pairs, but narrow no joint interval: such a pair can have 0 inside its interval.

        Raises
        ------
        InputError
            If a model is unknown, or there are more than two million pairs.
        """
        wanted = None if models is None else set(names("models", models))
        known = set(self.arrays["models"])
        if wanted is not None and wanted - known:
            raise InputError("models", sorted(wanted - known)[0], "models of the leaderboard")
        n = sum(int(c["n_pair"]) for c in self.info.extra["cells"])
        if wanted is None and n > MOST_PAIRS:
            raise InputError("models", None, f"some of the models: there are {n:,} pairs")
        frames = []
        for key, b in self._cells():
            order = np.argsort(-b.mean, kind="stable")
            mean, own, shared, label = b.mean[order], b.own[order], b.shared[order], b.models[order]
            first, second = np.triu_indices(len(mean), 1)
            if wanted is not None:
                inside = np.isin(label, sorted(wanted))
                kept = inside[first] | inside[second]
                first, second = first[kept], second[kept]
            se = np.sqrt(
                own[first] + own[second] + ((shared[first] - shared[second]) ** 2).sum(axis=1)
            )
            d = mean[first] - mean[second]
            t = d / se
            decision = np.where(
                t > b.critical, "better", np.where(t < -b.critical, "worse", "not ordered")
            )
            frames.append(
                pd.DataFrame(
                    {
                        **key,
                        "contrast": np.char.add(np.char.add(label[first], " - "), label[second]),
                        "model": label[first],
                        "reference": label[second],
                        "estimate": d,
                        "std_error": se,
                        "statistic": t,
                        "conf_low": d - b.critical_single * se,
                        "conf_high": d + b.critical_single * se,
                        "decision": decision,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)

    @verb
    def items(self) -> LeaderboardItems:
        """Reliability and redundancy of the items, and what leaving one out moves.

        Returns
        -------
        LeaderboardItems
            ``info.extra["effective_items"]`` per cell: number of independent items with the same correlations of
            errors (None where a few items leave these unknown).

        Notes
        -----
        Items that correlate after model effects say the same beyond what all say: their weight in the mean counts
        them twice, and the errors of the model take them for independent. ``m^2 / sum of r^2`` of these correlations is
        the effective number.

        Examples
        --------
        >>> import apastats as apa
        >>> study = apa.simulate(n_subject=8, n_model=6, n_layer=1, rois=["V1", "V4"], rng=1)
        >>> found = apa.leaderboard(study.scores.where(split="test"), item="subject", by="roi")
        >>> len(found.items().table)
        16
        """
        frames, effective = [], []
        kept = []
        random, errors = self.info.extra["item_effect"] == "random", self.info.extra["errors"]
        how = {
            "random": random,
            "by_item": errors != "pooled",
            "least": ENOUGH if errors == "auto" else 3,
        }
        for key, b in self._cells():
            r, n = correlations(b.y, b.fit)
            effective.append(effective_number(r, n))
            away = np.where(np.eye(len(r), dtype=bool) | np.isnan(r), -np.inf, np.abs(r))
            near = away.argmax(axis=1)
            lone = np.isinf(away.max(axis=1))
            left = [leave_one_out(b.y, b.fit, j, **how) for j in range(b.y.shape[1])]
            between, error = between_models(b.fit), item_errors(b.y, b.fit)
            kept.append(r)
            frames.append(
                pd.DataFrame(
                    {
                        **key,
                        "item": b.items,
                        "n_model": np.isfinite(b.y).sum(axis=0),
                        "effect": b.fit.item,
                        "error_sd": np.sqrt(error),
                        "reliability": between / (between + error),
                        "r_rest": [np.nan if v is None else v.with_rest for v in left],
                        "nearest": np.where(lone, "", b.items[near]),
                        "r_nearest": np.where(lone, np.nan, r[np.arange(len(r)), near]),
                        "tau": [np.nan if v is None else v.tau for v in left],
                        "largest_move": [np.nan if v is None else v.largest_move for v in left],
                        "moved": ["" if v is None else b.models[v.moved] for v in left],
                        "best": ["" if v is None else b.models[v.best] for v in left],
                    }
                )
            )
        notes = self._lost(
            [f["tau"].isna().sum() for f in frames],
            "items cannot be left out: models would be lost",
        )
        info = self._said_of(
            "reliability, correlation of errors, and leaving out of each item",
            "what an item adds",
            "an item of low reliability may measure something else; a correlation of errors is no proof that two items "
            "measure the same",
            effective_items=[None if np.isnan(v) else v for v in effective],
        )
        return LeaderboardItems(
            pd.concat(frames, ignore_index=True),
            info,
            self._made(),
            {"correlation": _square(kept)},
            notes,
        )

    @verb
    def response_model(self) -> LeaderboardResponses:
        """Fit a continuous item-response model: how hard each item is, and how well it tells models apart.

        Returns
        -------
        LeaderboardResponses
            ``counts()``: log-likelihood, and the test that all items discriminate alike (as the leaderboard takes it),
            ``statistic, df, p_value``.

        Raises
        ------
        DesignError
            With fewer than three items or ten models, or an item of fewer than five models.

        Warns
        -----
        ConvergenceWarning
            If the likelihood did not converge.
        DegenerateWarning
            If an item has no error of its own.

        Notes
        -----
        ``score_ij = intercept_j + discrimination_j ability_i + error_ij``, abilities standard normal, maximum
        likelihood over the scores there are (missing at random). Checks: a boundary error variance (an item that
        is the ability), ``q3``, the largest correlation of residuals of an item beyond their mean (above 0.2: the two
        share something that is not the ability), and the likelihood-ratio test of equal discriminations.

        Examples
        --------
        >>> import apastats as apa
        >>> study = apa.simulate(n_subject=6, n_model=20, n_layer=1, rois=["V1", "V4"], rng=1)
        >>> scores = study.scores.where(split="test", roi="V1")
        >>> found = apa.leaderboard(scores, item="subject")
        >>> len(found.response_model().abilities())
        20
        """
        from scipy.special import chdtrc

        frames, cells = [], []
        shape = self.arrays["mean"].shape
        ability, spread = (np.full(shape, np.nan) for _ in range(2))
        bad, edge = 0, 0
        for c, (key, b) in enumerate(self._cells()):
            n_model, m = b.y.shape
            count = np.isfinite(b.y).sum(axis=0)
            if m < 3 or n_model < 10 or count.min() < 5:
                raise DesignError(
                    f"response_model: {n_model} models, {m} items, {count.min()} models on one item; 10, 3 and 5 are "
                    "needed"
                )
            free, equal = fit_responses(b.y), fit_responses(b.y, equal=True)
            bad += not (free.converged and equal.converged)
            edge += int(free.boundary.sum())
            ability[c, b.rows], spread[c, b.rows] = free.ability, free.ability_sd
            residual = b.y - free.intercept - free.ability[:, None] * free.discrimination
            near, q3 = _q3(residual)
            statistic = max(2 * (free.loglik - equal.loglik), 0.0)
            cells.append(
                {
                    **{k: str(v) for k, v in key.items()},
                    "loglik": free.loglik,
                    "statistic": statistic,
                }
                | {"df": m - 1, "p_value": float(chdtrc(m - 1, statistic))}
            )
            a = free.discrimination
            with np.errstate(divide="ignore", invalid="ignore"):
                difficulty = (free.intercept.mean() - free.intercept) / a
            frames.append(
                pd.DataFrame(
                    {
                        **key,
                        "item": b.items,
                        "n_model": count,
                        "intercept": free.intercept,
                        "intercept_se": free.intercept_se,
                        "discrimination": a,
                        "discrimination_se": free.discrimination_se,
                        "loading": a / np.sqrt(a**2 + free.error),
                        "difficulty": difficulty,
                        "error_sd": np.sqrt(free.error),
                        "nearest": [b.items[k] if k >= 0 else "" for k in near],
                        "q3": q3,
                        "boundary": free.boundary,
                    }
                )
            )
        notes = self._lost([bad], "fits did not converge", ConvergenceWarning)
        notes += self._lost([edge], "items have no error of their own: the ability is such an item")
        info = self._said_of(
            "continuous item-response model, maximum likelihood over the scores there are",
            "difficulty and discrimination of an item",
            "abilities of one factor order models only as far as one factor holds (q3)",
            cells=cells,
        )
        arrays = {"models": self.arrays["models"], "ability": ability, "ability_sd": spread}
        return LeaderboardResponses(
            pd.concat(frames, ignore_index=True), info, self._made(), arrays, notes
        )

    @verb
    def missing(self, *, delta: Sequence[float] = DELTAS) -> LeaderboardMissing:
        """Order of the models if their missing scores are lower, or higher, than their others let expect.

        Parameters
        ----------
        delta : sequence of float
            Shifts of all missing cells, in SDs of the scores of their item; negative: models were not run on what
            they would have failed.

        Returns
        -------
        LeaderboardMissing
            A row per shift and cell. ``counts()`` has the tipping point: the shift nearest to 0 at which another model
            is level with the best.

        Notes
        -----
        Pattern mixture: the missing score of model i on item j is ``model_i + item_j + delta sd_j``, so that a mean
        over all items moves by ``delta`` times the sum of ``sd_j`` over its holes, divided by the number of items.
        Nothing in the data speaks for or against a shift.

        Examples
        --------
        >>> import apastats as apa
        >>> study = apa.simulate(n_subject=8, n_model=6, n_layer=1, rois=["V1", "V4"], rng=1)
        >>> found = apa.leaderboard(study.scores.where(split="test"), item="subject", by="roi")
        >>> found.missing(delta=[-1, 0]).table["tau"].round(6).tolist()  # nothing is missing
        [1.0, 1.0, 1.0, 1.0]
        """
        from scipy.stats import kendalltau

        shifts = numbers("delta", delta, least=-10, most=10)
        rows: list[dict[str, Any]] = []
        cells = []
        for key, b in self._cells():
            spread = np.sqrt(between_models(b.fit) + item_errors(b.y, b.fit))
            shift = missing_shift(np.isfinite(b.y), spread)
            tie = float(rounding(b.y, axis=None))
            at, other = tipping(b.mean, shift, tie)
            found = np.isfinite(at)
            cells.append(
                {**{k: str(v) for k, v in key.items()}, "tipping_delta": at if found else None}
                | {"tipping_model": b.models[other] if found else ""}
            )
            before = ranks_of(b.mean, tie)
            for d in shifts:
                mean = b.mean + d * shift
                moves = ranks_of(mean, tie) - before
                k = int(np.abs(moves).argmax())
                ordered = np.sort(mean)
                rows.append(
                    {
                        **key,
                        "delta": d,
                        "best": b.models[int(mean.argmax())],
                        "lead": ordered[-1] - ordered[-2],
                        "n_can_be_best": int(_best(mean, b).sum()),
                        "tau": float(kendalltau(b.mean, mean).statistic),
                        "largest_move": int(moves[k]),
                        "moved": b.models[k] if moves[k] else "",
                    }
                )
        info = self._said_of(
            f"pattern mixture: missing cells are shifted by delta SDs of the scores of their item, delta "
            f"{', '.join(f'{d:g}' for d in shifts)}",
            "order of the models under a shift of the missing scores",
            "no shift can be told from the scores there are; a claim that does not hold for plausible shifts rests on "
            "the missing scores",
            cells=cells,
        )
        return LeaderboardMissing(pd.DataFrame(rows), info, self._made())

    @checked
    def page(
        self, path: str | Path, *, title: str = "Leaderboard", overwrite: bool = False
    ) -> Path:
        """Write the leaderboard as one HTML file: search, sort, places with intervals, holes; it makes no request.

        Parameters
        ----------
        path : str or path
            File to write.
        title : str
            Heading.
        overwrite : bool
            Whether an existing file may be replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        OutputExistsError
            If the file exists.
        """
        out = as_path("path", path)
        flag("overwrite", overwrite)
        refuse_file(out, overwrite)
        write_whole(out, interactive_page(self, text("title", title)))
        return out

    def _cells(self) -> Iterator[tuple[dict[str, Any], _Cell]]:
        """Every cell as it was computed."""
        a = self.arrays
        by = list(self.info.by)
        levels = self.table[by].drop_duplicates().to_numpy() if by else [()]
        keys = [dict(zip(by, level, strict=True)) for level in levels]
        for c, key in enumerate(keys):
            rows = np.flatnonzero(np.isfinite(a["mean"][c]))
            columns = np.flatnonzero(np.isfinite(a["item_variance"][c]))
            yield key, _Cell(a, c, rows, columns)

    def _made(self) -> Provenance:
        p = self.provenance
        return Provenance(data_hash=p.data_hash, seed=p.seed)

    def _said_of(self, method: str, estimand: str, not_concluded: str, **extra: Any) -> Info:
        mine = self.info
        return Info(
            method=method,
            estimand=estimand,
            outcome=mine.outcome,
            formula=mine.formula,
            by=mine.by,
            resampled=Drawn(),
            held_fixed=mine.held_fixed,
            not_concluded=not_concluded,
            extra={"item": mine.extra["item"], **extra},
        )

    def _lost(
        self, counts: Sequence[int], text: str, category: Any = DegenerateWarning
    ) -> tuple[str, ...]:
        n = int(sum(counts))
        if not n:
            return ()
        warn(f"leaderboard: {n} {text}", category)
        return (f"{n} {text}",)


class _Cell:
    """Arrays of one cell without what it lacks."""

    def __init__(self, arrays: Any, c: int, rows: np.ndarray, columns: np.ndarray) -> None:
        self.rows = rows
        self.models, self.items = arrays["models"][rows], arrays["items"][columns]
        self.y = arrays["scores"][c][np.ix_(rows, columns)]
        self.mean, self.own = arrays["mean"][c, rows], arrays["own"][c, rows]
        self.shared = arrays["shared"][c, rows]
        self.critical = float(arrays["critical"][c])
        self.critical_single = float(arrays["critical_single"][c])
        self.critical_best = arrays["critical_best"][c, rows]
        fitted = {k: arrays[k][c] for k in ("fit_mean", "fit_own", "fit_shared")}
        self.fit = Crossed(
            mean=fitted["fit_mean"][rows],
            item=arrays["item_effect"][c, columns],
            variance=arrays["item_variance"][c, columns],
            between=float(arrays["item_between"][c]),
            own=fitted["fit_own"][rows],
            shared=fitted["fit_shared"][rows],
            df=np.full(len(rows), np.nan),
            parts=np.empty((len(rows), 0)),
            part_df=np.empty(0),
            inflation=np.ones(len(rows)),
            held=np.zeros(len(columns), dtype=bool),
            converged=True,
        )


def _best(mean: np.ndarray, b: _Cell) -> np.ndarray:
    """Models that no other is shown to be above, one-sided."""
    shared = b.shared - b.shared.mean(axis=0)
    out = np.ones(len(mean), dtype=bool)
    for start in range(0, len(mean), 256):
        part = slice(start, min(start + 256, len(mean)))
        se = pair_errors(b.own, shared, part)
        t = (mean[None, :] - mean[part][:, None]) / se
        out[part] = ~(t > b.critical_best[part][:, None]).any(axis=1)
    return out


def _q3(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each item the one whose residuals correlate most with its own, and that correlation less the mean of all."""
    mask = np.isfinite(residual).astype(float)
    r = np.where(mask > 0, residual, 0.0)
    n = mask.T @ mask
    with np.errstate(divide="ignore", invalid="ignore"):
        sx, sxy, sxx = r.T @ mask, r.T @ r, (r**2).T @ mask
        cov = sxy / n - (sx / n) * (sx / n).T
        var = sxx / n - (sx / n) ** 2
        corr = cov / np.sqrt(var * var.T)
    corr[(n < 5) | np.eye(len(n), dtype=bool)] = np.nan
    if not np.isfinite(corr).any():
        return np.full(len(n), -1), np.full(len(n), np.nan)
    over = np.abs(corr - np.nanmean(corr))
    near = np.where(np.isnan(over), -1.0, over).argmax(axis=1)
    value = (corr - np.nanmean(corr))[np.arange(len(n)), near]
    return np.where(np.isnan(value), -1, near), value


def _square(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Matrices of different sizes in one array, NaN beyond."""
    most = max(len(p) for p in parts)
    out = np.full((len(parts), most, most), np.nan)
    for c, p in enumerate(parts):
        out[c, : len(p), : len(p)] = p
    return out
