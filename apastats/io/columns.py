"""What a column of a table is: names people use, codes for missing values, and the role each column takes.

One table for the names (``NAMES``), one for the codes (``MISSING``); the page on formats prints both.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from apastats.calls import alike
from apastats.errors import DataError, InputError
from apastats.rows import KEY_COLUMNS

__all__ = ["MISSING", "NAMES", "Column", "Plan", "canonical", "plan_columns"]

# codes for a missing number, after blanks around them are removed
MISSING = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>", "#N/A"),
    *(".", "-", "–", "—", "−"),
)

# role -> names of columns, in any capitals, with or without blanks, dots, dashes and underscores
NAMES: dict[str, tuple[str, ...]] = {
    "subject": (
        *("subject", "sub", "subj", "subject_id", "sub_id", "subj_id", "subject_name", "sid"),
        *("subjects", "participant", "participant_id", "participants", "monkey", "animal"),
    ),
    "roi": (
        *(
            "roi",
            "rois",
            "roi_name",
            "roi_label",
            "region",
            "regions",
            "region_name",
            "brain_region",
        ),
        *("area", "brain_area", "area_name", "visual_area", "parcel"),
    ),
    "model": (
        *("model", "models", "model_name", "model_id", "network", "network_name", "net", "dnn"),
        *("dnn_name", "ann", "predictor"),
    ),
    "layer": (
        "layer",
        "layers",
        "layer_name",
        "layer_id",
        "module",
        "module_name",
        "predictor_roi",
    ),
    "score": (
        *("score", "scores", "r", "rho", "tau", "value", "alignment", "similarity", "correlation"),
        *("corr", "rsa", "r2", "r_squared", "cka", "center", "centre", "estimate", "mean"),
        *("spearman", "spearman_r", "pearson", "pearson_r", "kendall", "kendall_tau", "cosine"),
        *("rho_a", "tau_a", "tau_b", "procrustes", "predictivity", "explained_variance"),
    ),
    "metric": ("metric", "metrics", "metric_name", "measure"),
    "split": ("split", "data_split", "partition"),
    "kind": ("kind",),
    "further label": (
        *(
            "session",
            "ses",
            "run",
            "fold",
            "repeat",
            "seed",
            "hemisphere",
            "hemi",
            "time",
            "window",
            "unit",
        ),
        *("task", "acq", "space", "rec", "dataset", "stimulus_set", "benchmark"),
    ),
    "covariate": (
        *("age", "sex", "gender", "handedness", "group", "stream", "depth", "layer_depth"),
        *("layer_index", "layer_number", "relative_depth", "n_params", "params", "parameters"),
        *("n_parameters", "n_features", "n_units", "embedding_dim", "accuracy", "acc", "top1"),
        *("imagenet_accuracy", "flops", "snr", "tsnr", "reliability", "weight", "penalty"),
        "share_left_out",
        "ceiling_r2",
        "ceiling_r",
    ),
    "beside the score": (
        *("sem", "se", "sd", "std", "stderr", "std_error", "standard_error", "error", "err", "var"),
        *("variance", "ci", "ci_low", "ci_high", "ci_lower", "ci_upper", "conf_low", "conf_high"),
        *("lower", "upper", "ceiling", "noise_ceiling", "nc", "lower_ceiling", "upper_ceiling"),
        *(
            "ceiling_error",
            "p",
            "p_value",
            "pval",
            "p_adjusted",
            "q_value",
            "t",
            "t_value",
            "z_value",
        ),
        *("statistic", "df", "n", "count", "size", "n_obs", "n_trials", "n_voxels", "n_vertices"),
        *("n_neurons", "n_channels", "n_stimuli", "n_images", "n_subjects", "n_runs", "n_repeats"),
    ),
    "bookkeeping": (
        *("timestamp", "datetime", "date", "created", "created_at", "updated_at", "run_date"),
        *("file", "filename", "file_name", "path", "notes", "note", "comment", "comments"),
        *("version", "host", "commit", "duration", "elapsed", "runtime"),
    ),
    "index": ("", "index", "idx", "level_0", "row", "rownames", "row_names", "rowname", "row_id"),
}

_SCORE_WORDS = frozenset((
    *("rsa", "score", "scores", "spearman", "pearson", "kendall", "rho", "r", "tau", "a", "b"),
    *("correlation", "corr", "alignment", "similarity", "value", "r2", "cka", "mean", "estimate"),
    *("encoding", "predictivity", "brain"),
))  # fmt: skip
_BESIDE_WORDS = frozenset((
    *("sem", "se", "sd", "std", "stderr", "error", "var", "ci", "conf", "lower", "upper", "ceiling"),
    *("p", "pval", "pvalue", "n", "count", "df"),
))  # fmt: skip
_SPELT = str.maketrans({"\u03c1": "rho", "\u03c4": "tau"})
_UNNAMED = re.compile(r"^unnamed: ?\d+(_level_\d+)?$", re.IGNORECASE)
_DOUBLED = re.compile(r"^(?P<base>.+)\.(?P<number>\d+)$")


def _compact(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


_ROLE_OF = {_compact(n): role for role, names in NAMES.items() for n in names}


def canonical(name: str) -> str | None:
    """Role of a column by its name alone; None where the name says nothing.

    Parameters
    ----------
    name : str
        As it stands in the file.

    Returns
    -------
    str or None
        A key of ``NAMES``.

    Examples
    --------
    >>> [canonical(n) for n in ("Participant ID", "RSA (Spearman rho)", "score_sem", "wobble")]
    ['subject', 'score', 'beside the score', None]
    >>> [canonical(n) for n in ("Spearman's rho", "Kendall\u2019s \u03c4", "R\u00b2 mean")]
    ['score', 'score', 'score']
    """
    if _UNNAMED.match(name.strip()):
        return "index"
    if not name.isascii() or "'" in name:  # Spearman's rho, R², Kendall's τ
        plain = unicodedata.normalize("NFKC", name).translate(_SPELT)
        name = re.sub(r"['\u2019\u02bc`]s\b", "", plain)
    known = _ROLE_OF.get(_compact(name))
    if known is not None and (known != "index" or not name or _compact(name)):
        return known
    words = re.findall(r"[a-z]+\d*|\d+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
    if words and _BESIDE_WORDS & set(words) and not set(words) <= _SCORE_WORDS:
        return "beside the score"
    # letters are words of a score only beside another word (rho a), or where the table names them
    real = [w for w in words if len(w) > 1]
    return "score" if real and len(words) > 1 and set(words) <= _SCORE_WORDS else None


@dataclass(frozen=True)
class Column:
    """One column of the data and what it is taken for.

    Attributes
    ----------
    name : str
        As in the data.
    role : str
        A key of ``NAMES``; or ``level`` (spread over columns), ``other label``, ``ignored``, ``unknown``.
    target : str or None
        Name in the table; None where the column is left out.
    why : str
        In words.
    """

    name: str
    role: str
    target: str | None
    why: str


@dataclass(frozen=True)
class Plan:
    """All columns of a table with their roles.

    Attributes
    ----------
    columns : tuple of Column
    problems : tuple of str
        What keeps the data from being read, each with the way out.
    options : tuple of str
        One answer to each problem, as typed on the command line.
    """

    columns: tuple[Column, ...]
    problems: tuple[str, ...] = field(default=())
    options: tuple[str, ...] = field(default=())

    def of(self, *roles: str) -> list[Column]:
        """Columns of these roles."""
        return [c for c in self.columns if c.role in roles]

    @cached_property
    def keys(self) -> list[str]:
        """Columns of the table that identify a row."""
        return [c.target for c in self.of(*KEY_COLUMNS, "further label") if c.target is not None]

    @cached_property
    def covariates(self) -> list[str]:
        """Columns that are kept, and are no part of the key."""
        roles = ("covariate", "beside the score", "bookkeeping", "other label")
        return [c.target for c in self.of(*roles) if c.target is not None]

    @property
    def taken(self) -> tuple[tuple[str, str], ...]:
        """Columns that are taken under another name, and that name."""
        names = [(c.name, c.target) for c in self.columns if c.role != "level"]
        return tuple((name, target) for name, target in names if target not in (None, name))

    def log(self) -> list[str]:
        """What was taken for what, where the name alone does not say it."""
        renamed = [
            f"{c.name!r} as {c.target}"
            for c in self.columns
            if c.target not in (None, c.name) and c.role != "level"
        ]
        beside = [c.name for c in self.columns if c.target in self.covariates]
        left = [f"{c.name or '(no name)'} ({c.why})" for c in self.columns if c.target is None]
        levels = [c.name for c in self.of("level")]
        lines = [f"columns taken: {', '.join(renamed)}"] if renamed else []
        if levels:
            lines.append(f"{len(levels)} columns taken as levels of {self.of('level')[0].target}: "
                         f"{', '.join(levels[:20])}{' ...' if len(levels) > 20 else ''}")  # fmt: skip
        if beside:
            lines.append(f"kept beside the scores, no part of the key: {', '.join(beside)}")
        return lines + ([f"columns left out: {', '.join(left)}"] if left else [])


def plan_columns(
    looks: Mapping[str, str],
    *,
    rename: Mapping[str, str] | None = None,
    wide: str | Mapping[str, Sequence[str]] | None = None,
    keys: Collection[str] = (),
    covariates: Collection[str] = (),
    ignore: Collection[str] = (),
    given: Collection[str] = (),
    same: Collection[str] = (),
    n_file: int = 1,
) -> Plan:
    """Roles of all columns of a table.

    Parameters
    ----------
    looks : mapping
        Column -> what it holds: ``whole`` (whole numbers), ``number``, ``mixed`` (numbers and text), ``text``,
        ``empty``, ``date``, ``known`` (not looked at).
    rename, wide, keys, covariates, ignore
        As in :func:`apastats.read`.
    given : collection of str
        Names that need no column (``defaults``, entities of file names).
    same : collection of str
        Columns such as ``score.1`` that hold the same as the column they double.
    n_file : int
        Files the table is read from: their names may state a label.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If an argument names a column that is not there.
    """
    rename = dict(rename or {})
    spread, chosen = _spread_over(wide)
    named = {"rename": rename, "wide": chosen or (), "keys": keys, "covariates": covariates,
             "ignore": ignore}  # fmt: skip
    _are_there(looks, named)
    there = [
        c for c in looks if spread in (canonical(c), rename.get(c)) and c not in (chosen or ())
    ]
    if spread is not None and there and not set(there) & {*keys, *covariates, *ignore}:
        raise InputError(
            "wide", wide, f"a column that the data do not have yet; {there[0]!r} is {spread}"
        )
    found: list[Column] = []
    # what an argument says of a column, the first that names it
    said: tuple[tuple[str, Collection[str], str], ...] = (
        ("ignore=", ignore, "ignored"), ("covariates=", covariates, "covariate"),
        ("keys=", keys, "further label"), ("wide=", chosen or (), "level"),
    )  # fmt: skip
    for name, look in looks.items():
        target = rename.get(name, name)
        by_argument = next(((why, r) for why, v, r in said if {name, target} & set(v)), None)
        if by_argument is not None:
            why, role = by_argument
            taken = {"ignored": None, "level": spread}.get(role, target)
            found.append(Column(name, role, taken, why))
        elif name in rename:
            role = target if target in NAMES else canonical(target) or "other label"
            found.append(Column(name, role, target, "rename="))
        else:
            found.append(_by_name(name, look, looks, same, spread if chosen is None else None))
    unknown = [c for c in found if c.role == "unknown"]
    problems = [f"column {c.name!r}: {c.why}" for c in unknown]
    options = [f"--covariates {shlex.quote(c.name)}" for c in unknown]
    for claiming, text in _claimed_twice(found):
        problems.append(text)
        options.append(f"--ignore {shlex.quote(claiming[-1])}")
    absent, ways = _absent(found, looks, given, spread, n_file)
    return Plan(tuple(found), tuple(problems + absent), tuple(ways or options))


def _are_there(looks: Mapping[str, str], named: Mapping[str, Any]) -> None:
    """Every column that an argument names is there, or another is renamed to it."""
    allowed = {*looks, *named["rename"].values()}
    for argument, columns in named.items():
        for column in columns:
            if column not in allowed:
                raise InputError(argument, column, f"columns among {list(looks)}")


def _spread_over(wide: object) -> tuple[str | None, list[str] | None]:
    """Role whose levels are columns, and those columns where they are named."""
    allowed = [k for k in KEY_COLUMNS if k != "kind"]
    if wide is None:
        return None, None
    named = isinstance(wide, Mapping) and len(wide) == 1
    role = next(iter(wide)) if isinstance(wide, Mapping) and named else wide
    # network is model here as it is where it names a column
    role = canonical(role) if isinstance(role, str) else None
    if role in allowed and not isinstance(wide, Mapping):
        return role, None
    if role in allowed and isinstance(wide, Mapping):
        levels = next(iter(wide.values()))
        if not isinstance(levels, str) and all(isinstance(v, str) for v in levels):
            return role, list(levels)
    allowed_words = f"one of {allowed}, or {{'model': [columns]}}"
    raise InputError("wide", wide, allowed_words, hint=alike(wide, allowed))


def _by_name(
    name: str, look: str, looks: Mapping[str, str], same: Collection[str], spread: str | None
) -> Column:
    """Role of a column that no argument names."""
    base = _doubles(name, looks)
    if base is not None:
        if name in same:
            return Column(name, "ignored", None, f"the same as {base}")
        return Column(name, "unknown", None, f"doubles {base!r} with other values; "
                      f"ignore=[{name!r}], or rename= it")  # fmt: skip
    role = canonical(name)
    if look == "empty" and role not in (*KEY_COLUMNS, "score"):
        return Column(name, "ignored", None, "empty")
    if role == "index":
        if look == "whole":
            return Column(name, "index", None, "row numbers")
        if not name or _UNNAMED.match(name):
            return Column(name, "unknown", None, "has no name and is not a row number; "
                          f"rename={{{name!r}: ...}} or ignore=[{name!r}]")  # fmt: skip
        role = None
    if role == "score" and spread is not None:
        role = None  # where levels are columns, a column may bear the name of a score
    if role in KEY_COLUMNS or role == "score":
        return Column(name, role, role, "its name")
    if role is not None:
        exact = _compact(name) in _ROLE_OF
        if role == "beside the score" and not exact and spread is not None:
            return Column(
                name, "unknown", None, _ask(name, "may be a level, or stand beside", spread)
            )
        return Column(name, role, name, "its name")
    if spread is not None and look == "number":
        return Column(name, "level", spread, "numbers under a name that is not known")
    if look in ("number", "whole"):
        what = "whole numbers" if look == "whole" and spread is not None else "numbers"
        return Column(
            name, "unknown", None, _ask(name, f"{what} under a name that is not known", spread)
        )
    if spread is not None and look == "mixed":
        return Column(name, "unknown", None, _ask(name, "numbers and text", spread))
    return Column(name, "bookkeeping" if look == "date" else "other label", name, look)


def _doubles(name: str, looks: Mapping[str, str]) -> str | None:
    """The label or score that a column such as ``score.1`` repeats by its name."""
    doubled = _DOUBLED.match(name)
    base = doubled["base"] if doubled else None
    known = base in looks and canonical(str(base)) in (*KEY_COLUMNS, "score")
    return base if known else None


def _ask(name: str, what: str, spread: str | None) -> str:
    third = f"rename={{{name!r}: 'score'}} takes it as the score"
    if spread is not None:
        third = f"wide={{{spread!r}: [{name!r}, ...]}} names all levels"
    return f"{what}: covariates=[{name!r}] keeps it beside the scores, ignore=[{name!r}] leaves it out, {third}"


def _claimed_twice(found: Sequence[Column]) -> list[tuple[list[str], str]]:
    """Columns that claim one name of the table, and the words about it."""
    targets: dict[str, list[str]] = {}
    for c in found:
        if c.target is not None and c.role != "level":
            targets.setdefault(c.target, []).append(c.name)
    claims = []
    for target, names in targets.items():
        if len(names) > 1:
            other = next((n for n in reversed(names) if n != target), names[-1])
            text = f"columns {' and '.join(map(repr, names))} both claim {target!r}: rename={{{other!r}: ...}}"
            text += f", keys=[{other!r}], covariates=[{other!r}] or ignore=[{other!r}] decides"
            if target == "score":
                text += "; wide='metric' where each is a metric of its own"
            claims.append(([*(n for n in names if n != other), other], text))
    return claims


def _absent(
    found: Sequence[Column],
    looks: Mapping[str, str],
    given: Collection[str],
    spread: str | None,
    n_file: int,
) -> tuple[list[str], list[str]]:
    """Roles that no column takes, and what to type about them."""
    have = {c.target for c in found} | set(given) | ({"score"} if spread else set())
    missing = [r for r in ("model", "subject", "roi", "score") if r not in have]
    if spread is not None and not any(c.role == "level" for c in found):
        return [f"no column is a level of {spread!r}; found {list(looks)}"], []
    return _told(missing, found, looks, n_file) if missing else ([], [])


def _told(
    missing: Sequence[str], found: Sequence[Column], looks: Mapping[str, str], n_file: int
) -> tuple[list[str], list[str]]:
    """What is said of roles that are missing, and what to type."""
    numbers = [c.name for c in found if c.role == "unknown" and looks[c.name] == "number"]
    free = [c.name for c in found if c.role in ("other label", "unknown", "further label")]
    texts = [name for name in free if name not in numbers]
    uses, ways = _renamings(missing, numbers, texts, looks)
    labels = [r for r in missing if r != "score"]
    parted = _parted(found, numbers, looks) if labels else ""
    if parted:
        ways = []
    elif len(numbers) > 1 and "score" in missing:
        uses.append(f"wide='model' where {numbers[0]!r}, {numbers[1]!r}, ... are models")
        ways = ["--wide model"]
    first = f"missing column {missing[0]!r}; found {list(looks)}. Use {' or '.join(uses)}"
    if texts and len(labels) > 1:
        first += f", COLUMN being one of {texts}"
    first += _by_files(labels, n_file) + parted
    return [f"{first}.", *(f"missing column {r!r}" for r in missing[1:])], ways


def _parted(found: Sequence[Column], numbers: Sequence[str], looks: Mapping[str, str]) -> str:
    levels = [c.name for c in found if c.role == "level" or c.name in numbers]
    told = _two_labels(levels, [c for c in looks if c not in levels])
    return f". {told}" if told else ""


def _by_files(labels: Sequence[str], n_file: int) -> str:
    if not labels or n_file < 2:
        return ""
    word = {"subject": "sub"}.get(labels[0], labels[0])
    return f". The names of the files may state it, as in {word}-NAME_scores.csv"


def _renamings(
    missing: Sequence[str], numbers: Sequence[str], texts: Sequence[str], looks: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """What fills the roles that no column takes, in Python and as typed."""
    labels = [r for r in missing if r != "score"]
    uses, ways = [], []
    for role in missing:
        # numbers are scores, text is a label: a column of the other kind is no candidate while one is left
        names = (numbers or texts or list(looks)[:1]) if role == "score" else texts
        # several labels: which column is which the data do not say
        name = names[0] if names and (role == "score" or len(labels) == 1) else "COLUMN"
        if names:
            uses.append(f"rename={{{name!r}: {role!r}}}")
            ways.append(f"--rename {shlex.quote(f'{name}={role}')}")
        elif role != "score":
            ways.append(f"--defaults {role}=NAME")
    if labels:
        uses.append(f"defaults={{{labels[0]!r}: ...}}")
    return uses, ways


def _two_labels(names: Sequence[str], kept: Sequence[str]) -> str:
    """What to do where names of columns hold two labels that cross (V1_resnet, V1_vit, IT_resnet, ...)."""
    for mark in ("_", "-", ".", "/", "|", ":", " "):
        parts = [tuple(n.split(mark)) for n in names]
        if len(parts) < 4 or any(len(p) != 2 or not all(p) for p in parts):
            continue
        left, right = ({p[i] for p in parts} for i in (0, 1))
        if len(left) > 1 and len(right) > 1 and len(left) * len(right) == len(set(parts)):
            return (
                f"Each name holds two labels ({', '.join(names[:3])}, ...); in pandas: w = frame.set_index({kept}); "
                f"w.columns = pandas.MultiIndex.from_tuples([c.split({mark!r}) for c in w], names=['roi', 'model']); "
                "apa.read(w)"
            )
    return ""


def refuse(plan: Plan, source: str) -> None:
    """Raise what keeps the data from being read.

    Raises
    ------
    DataError
        With every problem, one a line.
    """
    if plan.problems:
        lines = [f"{source}: {p}" for p in plan.problems]
        if plan.options:
            lines.append(f"On the command line: {' '.join(plan.options)}")
        raise DataError("\n".join(lines))
