"""A plan: what a study file decides, frozen under a hash before the data are looked at, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from apastats.errors import OutputExistsError, ReadError, StudyError
from apastats.folders import refuse_file, replacing
from apastats.results import Provenance, Result, jsonable
from apastats.studies.folder import read_folder
from apastats.studies.schema import parse_study
from apastats.studies.sections import StudyFile
from apastats.words import Info, read_json

__all__ = [
    "PlanKept", "compare_with_plan", "decisions", "freeze", "plan_beside", "plan_hash", "read_plan",
    "write_plan", "write_plan_copy",
]  # fmt: skip

SUFFIX = ".plan.json"
KEPT, DEVIATED, EXPLORATORY = "kept", "deviated", "exploratory"
# what may differ without a decision being another one: where files lie, how the report looks, who computes
FREE = (
    "study.title",
    "study.name",
    "report.",
    "bootstrap.n_jobs",
    "bootstrap.batch",
    "bootstrap.workdir",
)
POWERS = ("tied_pairs_equivalent", "worse_pairs_different")
MEAN = 0.3  # score of the best model in simulated studies, as in power_study
ONE_PAGE = (
    ("Margin and test", ("equivalence.", "equivalence_agreement.")),
    ("Exclusions and inputs", ("inputs.",)),
    ("Layers", ("select_layer.",)),
    ("Agreement", ("patterns.", "agreement.")),
    ("Intervals", ("bootstrap.", "ceiling.")),
    ("Further analyses", ("analysis.",)),
)


class PlanKept(Result):
    """What was planned and what was run.

    ``table``: ``part`` (a section, or an analysis), ``key``, ``planned``, ``run``, ``status`` ("kept", "deviated",
    "exploratory"). Parts that were kept as a whole have one row.
    """

    kind: ClassVar[str] = "plan_kept"


def decisions(study: StudyFile) -> dict[str, Any]:
    """What a study decides, flat: ``equivalence.alpha``, ``analysis.NAME.options.margin``; free keys left out."""
    content = jsonable(study.model_dump())
    analyses = content.pop("analysis")
    content["analysis"] = {
        a.pop("name"): {k: v for k, v in a.items() if k != "title"} for a in analyses
    }
    flat: dict[str, Any] = {}

    def walk(value: Any, key: str) -> None:
        if isinstance(value, Mapping) and value:
            for k, v in value.items():
                walk(v, f"{key}.{k}" if key else str(k))
        elif value is not None and not key.startswith(FREE) and not key.endswith(".path"):
            flat[key] = value

    walk(content, "")
    return flat


def plan_hash(plan: Mapping[str, Any]) -> str:
    """SHA-256 of a plan, its own hash left out, whatever the order of its keys."""
    content = {k: v for k, v in plan.items() if k != "hash"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def freeze(
    study: StudyFile, *, pilot: str | Path | None = None, n: Sequence[int] = ()
) -> dict[str, Any]:
    """The plan of a study: its decisions, the power they have, and the hash of both.

    Parameters
    ----------
    study : StudyFile
    pilot : str or path, optional
        Folder of a finished study whose variances power is computed at.
    n : sequence of int
        Numbers of subjects at which power is simulated, where there is no pilot.
    """
    power = _of_pilot(pilot) if pilot is not None else _simulated(study, n)
    plan: dict[str, Any] = {"version": 1, "name": study.study.name, "decisions": decisions(study)}
    # what is not finite has no word in JSON
    plan["power"] = json.loads(pd.DataFrame(power).to_json(orient="records", double_precision=6))
    return plan | {"hash": plan_hash(plan)}


def _of_pilot(folder: str | Path) -> list[dict[str, Any]]:
    """Subjects needed by what a pilot tested."""
    from apastats.comparing.equivalence import EquivalenceResult
    from apastats.patterns.brain_test import BrainTest
    from apastats.planning.power_brain_test import power_brain_test
    from apastats.planning.subjects_needed import subjects_needed

    rows = []
    for name, result in read_folder(folder).results.items():
        if isinstance(result, EquivalenceResult) and "differences" in result.arrays:
            needed = subjects_needed(result, difference="zero").table
            rows.append(
                _needed(name, "equivalence of models that are equal", needed["n_equivalence"])
            )
        if isinstance(result, BrainTest):
            table = power_brain_test(result, difference="zero").table
            for question, part in table.groupby("question", sort=False):
                rows.append(_needed(name, f"{question}, at no difference", part["estimate"]))
    return rows


def _needed(name: str, claim: str, subjects: pd.Series) -> dict[str, Any]:
    return {
        "source": f"pilot, {name}", "claim": claim, "n": float(subjects.median()),
        "n_most": float(subjects.max()), "power": 0.8,
    }  # fmt: skip


def _simulated(study: StudyFile, n: Sequence[int]) -> list[dict[str, Any]]:
    """Power of the equivalence section in simulated studies; a share of a ceiling is taken of the best model's mean."""
    from apastats.planning.power_study import power_study

    section = study.equivalence
    if section is None or not n:
        return []
    bounds: Any = section.bounds
    if isinstance(bounds, dict):
        size: Any = bounds.get("share", bounds.get("value"))
        if bounds.get("of") == "sd" or isinstance(bounds.get("of"), list):
            return []
        bounds = [v * MEAN for v in size] if isinstance(size, list) else size * MEAN
    table = power_study(
        n=list(n),
        bounds=bounds,
        mean=MEAN,
        alpha=section.alpha,
        n_replicate=200,
        rng=study.study.seed,
    ).table
    return [
        {"source": "simulated", "claim": str(row["term"]).replace("_", " "), "n": int(row["n"]),
         "n_most": None, "power": float(row["estimate"])}
        for row in table.to_dict(orient="records")
        if row["term"] in POWERS and pd.notna(row["estimate"])
    ]  # fmt: skip


def write_plan(
    study: str | Path,
    *,
    assignments: Sequence[str] = (),
    pilot: str | Path | None = None,
    n: Sequence[int] = (),
    overwrite: bool = False,
) -> Path:
    """Freeze a study file into ``NAME.plan.json`` and its one-page summary ``NAME.plan.md``, beside it.

    Parameters
    ----------
    study : str or path
        A ``study.toml``.
    assignments : sequence of str
        As in :func:`apastats.run_study`.
    pilot, n
        Where power comes from, see :func:`freeze`.
    overwrite : bool
        Whether an existing plan may be replaced.

    Returns
    -------
    pathlib.Path
        The plan.

    Raises
    ------
    StudyError, ReadError
        If the study file is wrong, or the pilot is no finished study.
    OutputExistsError
        If there is a plan.
    """
    path = Path(study)
    target = plan_beside(path)
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists and is kept: a plan is made once (overwrite)")
    for file in (target, target.with_suffix(".md")):
        refuse_file(file, overwrite)
    parsed, _ = parse_study(path, assignments)
    plan = freeze(parsed, pilot=pilot, n=n)
    page = summary(plan)
    with replacing(target, target.with_suffix(".md"), make=False) as (frozen, shown):
        frozen.write_text(json.dumps(plan, indent=1, ensure_ascii=False) + "\n", "utf-8")
        shown.write_text(page, "utf-8")
    return target


def plan_beside(study: Path) -> Path:
    """Where the plan of a study file stands."""
    return study.with_name(study.stem + SUFFIX)


def summary(plan: Mapping[str, Any]) -> str:
    """One page of Markdown, to attach to a registration."""
    lines = [f"# Plan of {plan['name']}", "", f"SHA-256 `{plan['hash']}`", ""]
    stated = plan["decisions"]
    for heading, starts in ONE_PAGE:
        part = {k: v for k, v in stated.items() if k.startswith(starts)}
        if part:
            lines += [f"## {heading}", ""]
            # one paragraph each: it is to fit on a page
            told = [f"`{k}` = {json.dumps(v, ensure_ascii=False)}" for k, v in part.items()]
            lines += ["; ".join(told) + ".", ""]
    lines += ["## Power", ""]
    for row in plan["power"]:
        most = f" (at most {row['n_most']:g})" if row.get("n_most") is not None else ""
        size = "no number of subjects" if row["n"] is None else f"n = {row['n']:g}{most}"
        lines.append(f"- {row['claim']} ({row['source']}): {size}, power {row['power']:.2f}")
    lines += [] if plan["power"] else ["- not stated"]
    lines += [
        "",
        "Any other value of these keys is a deviation; any other analysis is exploratory.",
        "",
    ]
    return "\n".join(lines)


def read_plan(path: str | Path) -> dict[str, Any]:
    """Read a plan and check its hash.

    Raises
    ------
    ReadError
        If it is no plan.
    StudyError
        If it was changed after it was made.
    """
    try:
        plan = read_json(Path(path))
        stated, found = plan["hash"], plan_hash(plan)
        known = isinstance(plan["decisions"], dict)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(path, f"no plan ({error})") from error
    if not known:
        raise ReadError(path, "no plan (its decisions are no table)")
    if stated != found:
        raise StudyError(
            f"{path}: the plan was changed after it was made: its hash is {found}, not {stated}"
        )
    return dict(plan)


def compare_with_plan(plan: Mapping[str, Any], study: StudyFile) -> PlanKept:
    """What of a plan was kept, what deviated, and what was not planned."""
    planned, run = plan["decisions"], decisions(study)
    parts: dict[str, list[str]] = {}
    for key in dict.fromkeys([*planned, *run]):
        parts.setdefault(_part(key), []).append(key)
    rows = []
    for part, keys in parts.items():
        old, new = (any(k in d for k in keys) for d in (planned, run))
        if not old and _optional(part):
            rows.append(
                {"part": part, "key": "", "planned": "", "run": "run", "status": EXPLORATORY}
            )
            continue
        if not new and _optional(part):
            rows.append({"part": part, "key": "", "planned": "run", "run": "", "status": DEVIATED})
            continue
        differing = [k for k in keys if planned.get(k) != run.get(k)]
        rows += [
            {"part": part, "key": k, "planned": _text(planned.get(k)), "run": _text(run.get(k)),
             "status": DEVIATED}
            for k in differing
        ]  # fmt: skip
        if not differing:
            words = f"{len(keys)} settings"
            rows.append({"part": part, "key": "", "planned": words, "run": words, "status": KEPT})
    info = Info(
        method=f"comparison with the plan of hash {plan['hash']}",
        estimand="what was planned",
        not_concluded="a result that was not planned, or deviates from the plan, confirms nothing",
        extra={"plan": plan["hash"]},
    )
    return PlanKept(pd.DataFrame(rows), info, Provenance(data_hash=str(plan["hash"])))


def _part(key: str) -> str:
    pieces = key.split(".")
    return ".".join(pieces[:2]) if pieces[0] == "analysis" else pieces[0]


def _optional(part: str) -> bool:
    """Whether a part is an analysis of its own."""
    return part.startswith(("analysis.", "equivalence"))


def _text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def write_plan_copy(folder: Path, plan: Mapping[str, Any]) -> None:
    """The plan in the folder of a finished study."""
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, ensure_ascii=False), "utf-8")
