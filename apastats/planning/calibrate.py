"""`calibrate`: error rates, coverage and power of the defaults, measured on simulated studies, for one's own design."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice, items, numbers, path, whole
from apastats.planning.populations import SCORES, Population, from_pilot
from apastats.planning.trials import ALL, PEERS, TRIALS, Study, Trial
from apastats.recording import verb
from apastats.resampling.parallel import run_tasks
from apastats.resampling.store import BlockStore, resumed_seed
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.table import ScoreTable
from apastats.words import Drawn, Held, Info

__all__ = ["Calibration", "calibrate", "page_of", "to_page"]

# a default is off where it misses by more than chance and this
SLACK = 0.015
_BLOCK = 10  # studies per task


class Calibration(Result):
    """How the defaults behave.

    ``table``: ``verb, what, quantity`` (coverage, error, power, bias), ``design, n, nominal, estimate, mcse,
    n_replicate``, ``warned`` (share of studies in which the verb gave a warning), ``verdict`` (``holds``,
    ``cautious``, ``off``, ``off, warned``, ``-`` where nothing is promised).
    """

    kind: ClassVar[str] = "calibration"


@verb
def calibrate(
    what: Sequence[str] | str | None = None,
    *,
    n: Any = (8, 10),
    design: str | Sequence[str] | ScoreTable = "normal",
    n_replicate: int = 200,
    rng: RngLike = None,
    n_jobs: int = 1,
    workdir: Any = None,
) -> Calibration:
    """Measure error rates, coverage and power of the recommended defaults on simulated studies.

    Parameters
    ----------
    what : str or list of str, optional
        Trials, of :data:`apastats.planning.trials.TRIALS`; all where None. ``peers``: those of other programs
        (:data:`apastats.planning.trials.PEERS`), which can also be named.
    n : int or list of int
        Subjects.
    design : str, list of str, or ScoreTable
        ``normal``, ``skewed`` (lognormal), ``heavy`` (t with 3 df), ``unequal`` (the first model varies twice as much;
        for ceilings, people differ much in reliability), ``ties`` (scores rounded to two decimals; for ceilings, people
        differ in a second dimension). A table of scores as pilot: its regions, models and spreads, that is, the
        calibration for one's own study.
    n_replicate : int
        Simulated studies per design and n.
    rng : int, Generator, SeedSequence or None
        Source of randomness. A study depends on it, the design and its number alone.
    n_jobs : int
        Workers; with :func:`apastats.cluster`, those of the cluster. The numbers are the same.
    workdir : str or path, optional
        Folder of finished blocks: a calibration that was interrupted goes on there.

    Returns
    -------
    Calibration

        Columns: ``verb`` (verb), ``what`` (what the row is of), ``quantity`` (what was measured: error rate,
        coverage, power), ``design`` (simulated design), ``n`` (number of units), ``nominal`` (nominal value),
        ``estimate`` (what is estimated, from the data themselves), ``mcse`` (Monte-Carlo standard error),
        ``n_replicate`` (simulated studies or replicates), ``warned`` (share of studies with a warning),
        ``verdict`` (supported, refuted, undecided or not testable).

    Raises
    ------
    InputError
        If a trial or a design is unknown, or a number impossible.
    DesignError
        If the pilot has too few models or subjects.

    See Also
    --------
    power_study, simulate

    Notes
    -----
    The generators share no code with the verbs: scores have a subject effect and a model-by-subject deviation; RDMs of
    people share a geometry with a reliability of their own, so that all that predicts people is dyadic. Where the true
    value has no closed form (ceilings, agreement) it is the mean of the estimates over all studies of the cell.
    ``verdict``: ``off`` where the rate is beyond nominal on the side that claims too much by more than two Monte-Carlo
    errors and 1.5 points, ``cautious`` where it is so on the other side; ``off, warned`` where it is
    not, once what is wrong in studies in which the verb warned is left out.

    References
    ----------
    .. [1] Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. Cambridge
       University Press. https://doi.org/10.1017/CBO9780511802843

    Examples
    --------
    >>> import apastats as apa
    >>> found = apa.calibrate("compare", n=8, n_replicate=20, rng=1)
    >>> found.table[["verb", "quantity", "n", "nominal"]].values.tolist()
    [['compare', 'error', 8, 0.05]]
    """
    names = _names(what)
    sizes = [int(v) for v in numbers("n", n, least=3, most=1000)]
    whole("n_replicate", n_replicate, least=10, most=10**6)
    populations = _populations(design)
    workdir = None if workdir is None else path("workdir", workdir)
    if rng is None and workdir is not None:
        rng = resumed_seed(workdir)
    seed = seed_sequence(rng)
    cells = [(p, size) for p in populations for size in sizes]
    # whole blocks, and every cell before the next block: a run that is interrupted has all cells alike, and one with
    # more studies goes on where it ended
    tasks = [
        (names, p, size, seed, start, start + _BLOCK)
        for start in range(0, n_replicate, _BLOCK)
        for p, size in cells
    ]
    store = None
    if workdir is not None:
        manifest = {
            "what": "calibrate", "trials": names, "n": sizes, "designs": [repr(p) for p in populations],
            "seed": recorded_seed(seed),
        }  # fmt: skip
        store = BlockStore(workdir, manifest)
    blocks = list(run_tasks(_block, tasks, n_jobs=n_jobs, store=store, label="calibration"))
    rows = []
    for c, (population, size) in enumerate(cells):
        mine = blocks[c :: len(cells)]
        for i, name in enumerate(names):
            values = np.concatenate([b[f"values_{i}"] for b in mine])[:n_replicate]
            warned = np.concatenate([b[f"warned_{i}"] for b in mine])[:n_replicate]
            rows.append(_row(ALL[name], population.name, size, values, warned))
    info = Info(
        method="simulated studies, analysed with the defaults",
        estimand="error rate, coverage, power or bias of a default",
        resampled=Drawn(f"{n_replicate} simulated studies per design and n", studies=True),
        held_fixed=(Held("populations; see the table of designs"),),
        extra={"designs": [p.name for p in populations], "subjects": sizes, "trials": names},
    )
    return Calibration(pd.DataFrame(rows), info, Provenance(seed=recorded_seed(seed)))


def _names(what: Any) -> list[str]:
    if what is None:
        return list(TRIALS)
    given = [what] if isinstance(what, str) else list(items("what", what))
    out: list[str] = []
    for name in given:
        choice("what", name, (*ALL, "peers"))
        out += list(PEERS) if name == "peers" else [name]
    return out


def _populations(design: Any) -> list[Population]:
    if isinstance(design, ScoreTable):
        return [from_pilot(design)]
    names = (design,) if isinstance(design, str) else items("design", design)
    return [SCORES[choice("design", name, tuple(SCORES))] for name in names]


def _block(
    names: Sequence[str],
    population: Population,
    n: int,
    seed: np.random.SeedSequence,
    start: int,
    stop: int,
) -> dict[str, np.ndarray]:
    """Values ``[study]`` or ``[study, 4]`` of the trials on some studies, and whether a verb warned."""
    import warnings

    from apastats.errors import ApaError, ApaWarning

    values: dict[str, list[Any]] = {}
    cell = zlib.crc32(population.name.encode())
    for r in range(start, stop):
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, cell, n, r))
        study = Study(population, n, own)
        for i, name in enumerate(names):
            trial = ALL[name]
            nothing = [np.nan] * 4 if trial.quantity == "coverage" else np.nan
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    found = trial.run(study)
                except ApaError:
                    # a verb that refuses a study claims nothing
                    found = nothing
            said = any(issubclass(w.category, ApaWarning) for w in caught)
            values.setdefault(f"values_{i}", []).append(found)
            values.setdefault(f"warned_{i}", []).append(said)
    return {k: np.asarray(v, dtype=float) for k, v in values.items()}


def _row(
    trial: Trial, design: str, n: int, values: np.ndarray, warned: np.ndarray
) -> dict[str, Any]:
    """Row of the table: rate, its Monte-Carlo error, and the verdict."""
    if trial.quantity == "coverage":
        estimate, low, high, truth = values.T
        truth = np.where(np.isfinite(truth), truth, np.nanmean(estimate))
        known = np.isfinite(low) & np.isfinite(high)
        hits = ((low <= truth) & (truth <= high))[known].astype(float)
    else:
        known = np.isfinite(values)
        hits = values[known]
    rate = float(hits.mean()) if len(hits) else np.nan
    if trial.quantity == "bias":
        spread = float(hits.std(ddof=1)) if len(hits) > 1 else np.nan
        mcse = spread / np.sqrt(len(hits)) if len(hits) else np.nan
    else:
        # at the nominal rate, so that a rate of 0 or 1 has an error too
        at = trial.nominal if np.isfinite(trial.nominal) else rate
        mcse = float(np.sqrt(at * (1 - at) / len(hits))) if len(hits) else np.nan
    miss = {
        "coverage": trial.nominal - rate,
        "error": rate - trial.nominal,
        "bias": abs(rate) - SLACK,
        "power": -np.inf,
    }[trial.quantity]
    allowed = 2 * mcse + (0.0 if trial.quantity == "bias" else SLACK)
    verdict = "-" if trial.quantity == "power" else "holds" if miss <= allowed else "off"
    if verdict == "holds" and trial.quantity != "bias" and -miss > allowed:
        verdict = "cautious"
    said = warned[known] > 0
    # what is wrong in a study in which the verb warned has been said
    silent = np.where(said, trial.nominal, hits).mean() - trial.nominal if len(hits) else np.nan
    silent = (
        -silent
        if trial.quantity == "coverage"
        else abs(silent) - SLACK
        if trial.quantity == "bias"
        else silent
    )
    if verdict == "off" and silent <= allowed:
        verdict = "off, warned"
    return {
        "verb": trial.verb,
        "what": trial.what,
        "quantity": trial.quantity,
        "design": design,
        "n": n,
        "nominal": trial.nominal,
        "estimate": rate,
        "mcse": mcse,
        "n_replicate": len(hits),
        "warned": float(warned.mean()) if len(warned) else np.nan,
        "verdict": verdict,
    }


def to_page(found: Calibration) -> str:
    """Markdown page: how it was made, then a table of trials by n for every design."""
    made = found.provenance
    return page_of(
        found.table,
        f"Made by `{made.call}` with apastats {made.versions.get('apastats', '')} on {made.created[:10]}, seed "
        f"{made.seed}.",
    )


def page_of(table: pd.DataFrame, made: str) -> str:
    """The same of a table alone, with a sentence on how it was made."""
    lines = [
        "# Calibration of the defaults",
        "",
        made,
        "",
        "Monte-Carlo errors in brackets. `off`: beyond nominal, on the side that claims too much, by more than two "
        f"Monte-Carlo errors and {100 * SLACK:g} points; `warned`: not where the verb did not warn; "
        "`cautious`: so far from nominal on the other side. Bias is in units of the estimate.",
    ]
    for design, part in table.groupby("design", sort=False):
        sizes = sorted(set(part["n"]))
        lines += ["", f"## {design}", ""]
        lines += ["| verb | what | nominal | " + " | ".join(f"n = {v}" for v in sizes) + " |"]
        lines += ["| --- | --- | --- |" + " --- |" * len(sizes)]
        for (name, what), rows in part.groupby(["verb", "what"], sort=False):
            nominal = rows["nominal"].iloc[0]
            by_size = {row.n: _shown(row) for row in rows.itertuples()}
            shown = f"{nominal:g}" if np.isfinite(nominal) else "-"
            cells = " | ".join(by_size.get(v, "") for v in sizes)
            lines.append(f"| {name} | {what} | {shown} | {cells} |")
    return "\n".join(lines) + "\n"


def _shown(row: Any) -> str:
    if not np.isfinite(row.estimate):
        return "refused"
    word = f" **{row.verdict}**" if "off" in row.verdict else ""
    word = " cautious" if row.verdict == "cautious" else word
    return f"{row.estimate:.3f} ({row.mcse:.3f}){word}"
