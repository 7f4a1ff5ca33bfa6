"""`calibrate`: error rates, coverage and power of the defaults, measured on simulated studies, for one's own design."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice, items, numbers, path, whole
from apastats.planning.levels import SLACK, beyond
from apastats.planning.populations import SCORES, Population, from_pilot
from apastats.planning.trials import ALL, PEERS, TRIALS, Study, Trial
from apastats.recording import verb
from apastats.resampling.parallel import run_tasks
from apastats.resampling.store import BlockStore, resumed_seed
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.table import ScoreTable
from apastats.words import Drawn, Held, Info

__all__ = ["Calibration", "calibrate", "row_of", "studies", "tally"]

_BLOCK = 10  # studies per task
SUMS = ("studies", "known", "hits", "squares", "silent", "warned", "estimates", "truth")


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
        ``silent`` (the rate, what is wrong in studies with a warning left out), ``verdict`` (``holds``, ``cautious``,
        ``off``, ``off, warned``, or ``-``).

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
    blocks = list(run_tasks(studies, tasks, n_jobs=n_jobs, store=store, label="calibration"))
    rows = []
    for c, (population, size) in enumerate(cells):
        mine = blocks[c :: len(cells)]
        for i, name in enumerate(names):
            values = np.concatenate([b[f"values_{i}"] for b in mine])[:n_replicate]
            warned = np.concatenate([b[f"warned_{i}"] for b in mine])[:n_replicate]
            rows.append(row_of(ALL[name], population.name, size, tally(ALL[name], values, warned)))
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


def studies(
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


def tally(
    trial: Trial, values: np.ndarray, warned: np.ndarray, before: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Sums that a row of the table is made of, of some studies and of those ``before`` them.

    ``values [study]`` or ``[study, 4]``, ``warned [study]``. Keys: ``studies``, ``known`` (those with a value),
    ``hits``, ``squares``, ``silent`` (hits, once what is wrong where the verb warned is left out), ``warned``, and for
    a truth that is the mean of the estimates ``estimates`` and ``truth`` (how many, and their sum).
    """
    sums = dict.fromkeys(SUMS, 0.0) | dict(before or {})
    if trial.quantity == "coverage":
        estimate, low, high, truth = values.T
        seen = np.isfinite(estimate)
        sums["estimates"] += float(seen.sum())
        sums["truth"] += float(estimate[seen].sum())
        mean = sums["truth"] / sums["estimates"] if sums["estimates"] else np.nan
        truth = np.where(np.isfinite(truth), truth, mean)
        known = np.isfinite(low) & np.isfinite(high)
        hits = ((low <= truth) & (truth <= high))[known].astype(float)
    else:
        known = np.isfinite(values)
        hits = values[known]
    sums["studies"] += len(values)
    sums["known"] += len(hits)
    sums["hits"] += float(hits.sum())
    sums["squares"] += float((hits**2).sum())
    sums["silent"] += float(np.where(warned[known] > 0, trial.nominal, hits).sum())
    sums["warned"] += float((warned > 0).sum())
    return sums


def row_of(trial: Trial, design: str, n: int, sums: Mapping[str, float]) -> dict[str, Any]:
    """Row of the table: rate, its Monte-Carlo error, and the verdict, of the sums of :func:`tally`."""
    known = sums["known"]
    rate = sums["hits"] / known if known else np.nan
    if trial.quantity == "bias":
        spread = (sums["squares"] - known * rate**2) / (known - 1) if known > 1 else np.nan
        mcse = float(np.sqrt(max(spread, 0.0) / known)) if known > 1 else np.nan
    else:
        # at the nominal rate, so that a rate of 0 or 1 has an error too
        at = trial.nominal if np.isfinite(trial.nominal) else rate
        mcse = float(np.sqrt(at * (1 - at) / known)) if known else np.nan
    allowed = 2 * mcse + SLACK
    miss = beyond(trial.quantity, rate, trial.nominal)
    verdict = "-" if trial.quantity == "power" else "holds" if miss <= allowed else "off"
    if verdict == "holds" and trial.quantity != "bias" and -miss > allowed:
        verdict = "cautious"
    # what is wrong in a study in which the verb warned has been said
    silent = sums["silent"] / known if known else np.nan
    if verdict == "off" and beyond(trial.quantity, silent, trial.nominal) <= allowed:
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
        "n_replicate": int(known),
        "warned": sums["warned"] / sums["studies"] if sums["studies"] else np.nan,
        "silent": silent,
        "verdict": verdict,
    }
