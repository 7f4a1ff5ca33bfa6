"""What a result says about itself: typed fields that reports read, in place of sentences they would have to parse."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import InputError
from apastats.printable import all_of

__all__ = [
    "CHOSEN_LAYERS", "IN_OUTCOME", "ITEMS", "MODELS", "PARTNERS", "REFERENCE_PATTERNS", "STIMULI", "SUBJECTS", "Drawn",
    "Facts", "Held", "Info", "LayerChoice", "Outcome", "StatedMargin", "cell_name", "fitting", "jsonable",
    "in_cells", "levels_of", "read_json", "scope_name", "with_scope",
]  # fmt: skip

IN_OUTCOME = "in units of the outcome"


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Attributes
    ----------
    name : str
        Column of the table it stands in.
    quantity : str
        What it is, whatever its column is called: ``score``, ``agreement`` (of alignment patterns), or the name.
    scale : str
        Scale it is on where that is not the quantity's own: ``Fisher z``.
    metric : str
        Measure of the scores (``rsa``) where the table has a single one.
    levels : str
        What the levels of the column ``model`` are: ``model``, or ``part`` (of the variance that models explain).
    """

    name: str
    quantity: str = ""
    scale: str = ""
    metric: str = ""
    levels: str = "model"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", self.quantity or self.name)

    def __str__(self) -> str:
        # a mean Fisher z must not be read as a correlation
        return f"{self.quantity} ({self.scale})" if self.scale else self.quantity


@dataclass(frozen=True)
class Drawn:
    """What was drawn again.

    Attributes
    ----------
    what : str
        What was drawn: ``subjects, with replacement``; empty where nothing was.
    number : str
        How many draws, in words.
    sample : str
        Where nothing was drawn: what the sample is.
    random : tuple of str
        Grouping factors of random effects.
    beside : str
        What was drawn for the adjustment alone.
    studies : bool
        Whether whole studies were simulated.
    weighed : bool
        Whether units got random weights (the Bayesian bootstrap) instead of being counted.
    """

    what: str = ""
    number: str = ""
    sample: str = ""
    random: Sequence[str] = ()
    beside: str = ""
    studies: bool = False
    weighed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "random", tuple(self.random))

    def __str__(self) -> str:
        told = f"{self.what or 'nothing'}{f' ({self.number})' if self.number else ''}"
        parts = [self.sample, f"random: {', '.join(self.random)}" if self.random else ""]
        return "; ".join([told, *filter(None, [*parts, self.beside])])


@dataclass(frozen=True)
class Held:
    """Something that a claim does not reach beyond.

    Attributes
    ----------
    what : str
        As it is listed: ``chosen layers``.
    told : str
        In a sentence; ``the`` and ``what`` where not given.
    others : str
        What results do not generalise to.
    """

    what: str
    told: str = ""
    others: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", self.told or f"the {self.what}")

    def __str__(self) -> str:
        return self.what


STIMULI = Held("stimuli", others="other stimuli")
CHOSEN_LAYERS = Held("chosen layers")
SUBJECTS = Held("subjects")
ITEMS = Held("items")
REFERENCE_PATTERNS = Held("references of the agreement")
PARTNERS = Held("partners", "the partners drawn")
MODELS = Held(
    "the models themselves: a claim about other models is not supported", "the models compared"
)


def levels_of(factors: Sequence[str]) -> tuple[Held, ...]:
    """Levels of factors as what is held; models are what a reader calls the levels of ``model``."""
    if not factors:
        return ()
    named = f"levels of {' and '.join(factors)}"
    return (Held(named, "the models compared" if [*factors] == ["model"] else ""),)


def cell_name(by: Sequence[str], *, plural: bool = False) -> str:
    """What a cell of a formula is called: ``ROI``, ``combination of ROI and metric``; empty where there is one."""
    named = ["ROI" if b == "roi" else b.replace("_", " ") for b in by]
    if len(named) < 2:
        return "".join(f"{n}s" if plural else n for n in named)
    return f"combination{'s' if plural else ''} of {all_of(named)}"


def in_cells(text: str, by: Sequence[str], words: str = "in each") -> str:
    """``pairs of models in each ROI``; the text alone where there is one cell."""
    return f"{text} {words} {cell_name(by)}" if by else text


def with_scope(text: str, by: Sequence[str], family: str) -> str:
    """``133 contrasts (all ROIs together)``; the text alone where there is one cell."""
    scope = scope_name(by, family)
    return f"{text} ({scope})" if scope else text


def scope_name(by: Sequence[str], family: str) -> str:
    """Over which cells tests were adjusted together: ``all ROIs together``; empty where there is one."""
    if not by:
        return ""
    whole = f"all {cell_name(by, plural=True)} together"
    return whole if family == "all" else f"each {cell_name(by)} by itself"


@dataclass(frozen=True)
class StatedMargin:
    """A margin as it was really used.

    Attributes
    ----------
    size : str
        The number and what it is a share of.
    unit : str
        Unit of a number of its own.
    source : str
        Where it comes from.
    carried : str
        What is said of its use in the test: how its uncertainty is carried.
    of : str
        Outcome it is of, where each of several has its own.
    others : tuple of StatedMargin
        Those of the other outcomes.
    """

    size: str
    unit: str = ""
    source: str = ""
    carried: str = ""
    of: str = ""
    others: Sequence[StatedMargin] = ()

    def __post_init__(self) -> None:
        # read back from json they are dicts
        made = [o if isinstance(o, StatedMargin) else StatedMargin(**o) for o in self.others]
        object.__setattr__(self, "others", tuple(made))

    def __str__(self) -> str:
        text = "; ".join(filter(None, [self.brief, self.carried]))
        return "; ".join([f"{self.of} {text}" if self.of else text, *map(str, self.others)])

    @property
    def each(self) -> tuple[StatedMargin, ...]:
        """The margin of each outcome, one by one."""
        return (replace(self, others=()), *self.others)

    def in_units_of(self, outcome: Outcome | None) -> StatedMargin:
        """The same where the outcome is known: ``±0.2 Fisher z`` in place of ``±0.2 in units of the outcome``."""
        if self.unit != IN_OUTCOME:
            return self
        return replace(self, unit="" if outcome is None else outcome.scale)

    @classmethod
    def together(cls, margins: Mapping[str, StatedMargin]) -> StatedMargin:
        """One margin per outcome as a whole."""
        first, *others = [replace(m, of=of) for of, m in margins.items()]
        return replace(first, others=tuple(others))

    @property
    def brief(self) -> str:
        """Without how it is used in the test, which belongs into the methods."""
        return ", ".join(filter(None, [self.short(f" {IN_OUTCOME}"), self.source]))

    def short(self, scale: str = "") -> str:
        """The number alone, with its unit; ``scale`` stands for that of the outcome."""
        own = scale if self.unit == IN_OUTCOME else f" {self.unit}" if self.unit else ""
        return f"{self.size}{own}"


@dataclass(frozen=True)
class LayerChoice:
    """How the layers of a table were chosen.

    Attributes
    ----------
    outcome, basis, split : str
        What the choice maximised, on what, and the split that is reported.
    n_cell : int
        Choices; 0 where each model had one layer, so that none was chosen.
    """

    outcome: str
    basis: str = ""
    split: str = ""
    n_cell: int = 0


@dataclass(frozen=True)
class Facts:
    """What a table of scores knows of how it was made, beside its log.

    Attributes
    ----------
    layers : LayerChoice or None
        How layers were chosen.
    reference : str
        What patterns were compared with, where it holds agreement.
    n_duplicate : int
        Rows left out because they repeat the key of another.
    differ : tuple of str
        Covariates in which rows left out differ from the row kept.
    calls : tuple of str
        The public calls it went through, as text; :func:`apastats.recording.verb` writes them from the signature.
    taken : tuple of pairs of str
        Columns of the source that were taken under another name, and that name.
    """

    layers: LayerChoice | None = None
    reference: str = ""
    n_duplicate: int = 0
    differ: Sequence[str] = ()
    calls: Sequence[str] = ()
    taken: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "calls", tuple(self.calls))
        object.__setattr__(self, "differ", tuple(self.differ))
        object.__setattr__(self, "taken", tuple((name, as_) for name, as_ in self.taken))

    def as_dict(self) -> dict[str, Any]:
        """Plain dict, for json; :meth:`from_dict` reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Facts:
        """The object :meth:`as_dict` has written; a TypeError where it is another one."""
        layers = found["layers"]
        return cls(**{**found, "layers": None if layers is None else LayerChoice(**layers)})


@dataclass(frozen=True)
class Info(Mapping[str, Any]):
    """How a result was made, in words and settings, one field each.

    It is also a read-only mapping of all that is said (``info.margin``, ``"margin" in info``), fields first, then
    the entries of ``extra``.

    Attributes
    ----------
    method : str
        The estimator or test in words.
    estimand : str
        What a row estimates: ``difference of means``.
    outcome : Outcome or None
        What was measured, and its scale.
    formula : str
        Formula of the analysis.
    test : str
        Name of the test of a row: ``paired t``.
    statistic : str
        Letter of the test statistic: ``t``, ``z``, ``F``, ``V``, ``W``, ``q``, ``chi2``; with degrees of freedom
        where the table has them.
    alternative : {"", "two-sided", "greater", "less"}
        Side of the ordinary test.
    null : str
        The null hypothesis in words.
    null_value : float or None
        Value under the null hypothesis of the ordinary test.
    hypothesis : str
        What is claimed where there is a margin: ``equivalence``, ``noninferiority``, ...
    rule : str
        How a decision follows from the numbers.
    article : str
        Article of ``method`` in a sentence (``the paired t test``), where it takes one.
    margin : StatedMargin or None
        The margin as it was really used.
    margin_origin : str
        What its unit is (``raw, ceiling, spread, sd, difference``).
    comparison : str
        Which contrasts were formed.
    reference : str
        What is compared with: a model, or the kind of reference pattern.
    adjust : str
        Adjustment for multiplicity (``none, holm, max-t, ...``).
    family : str
        Tests that were adjusted together, in words.
    family_size : int or None
        Their number.
    joint : str
        How the joint intervals were made (``Bonferroni, Tukey, max-t``); empty where there are none.
    alpha, conf_level : float or None
        Level of a test, and of the interval of a row.
    interval : str
        Kind of interval: ``t, studentized, percentile, bca, Fieller, ...``.
    n_subject : int or None
        Independent units.
    by : tuple of str
        Columns within whose levels everything was done separately.
    resampled : Drawn or None
        What was drawn again; None where that is not said.
    held_fixed : tuple of Held
        What a claim does not reach beyond.
    n_resamples, exact : int, bool or None
        Resamples, and whether they are all there are.
    not_concluded : str
        What may not be concluded.
    extra : mapping
        Settings and numbers of the method alone.
    """

    method: str = ""
    article: str = ""
    estimand: str = ""
    outcome: Outcome | None = None
    formula: str = ""
    test: str = ""
    statistic: str = ""
    alternative: str = ""
    null: str = ""
    null_value: float | None = None
    hypothesis: str = ""
    rule: str = ""
    margin: StatedMargin | None = None
    margin_origin: str = ""
    comparison: str = ""
    reference: str = ""
    adjust: str = ""
    family: str = ""
    family_size: int | None = None
    joint: str = ""
    alpha: float | None = None
    conf_level: float | None = None
    interval: str = ""
    n_subject: int | None = None
    by: Sequence[str] = ()
    resampled: Drawn | None = None
    held_fixed: Sequence[Held] = ()
    n_resamples: int | None = None
    exact: bool | None = None
    not_concluded: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {f.name for f in fields(self)}
        taken = known & set(self.extra)
        if taken:
            raise InputError("extra", sorted(taken)[0], "names that are no field")
        object.__setattr__(self, "by", tuple(self.by))
        object.__setattr__(self, "held_fixed", tuple(self.held_fixed))
        for name, kind in _TYPED.items():
            value = getattr(self, name)
            parts = value if isinstance(value, tuple) else () if value is None else (value,)
            if not all(isinstance(v, kind) for v in parts):
                raise InputError(name, value, f"an apastats.words.{kind.__name__}")
        # plain values, so that what is read from disk equals what was written
        object.__setattr__(self, "extra", jsonable(self.extra))
        for name in known - {*_TYPED, "extra", "by"}:
            value = getattr(self, name)
            if isinstance(value, np.generic):
                object.__setattr__(self, name, value.item())

    def _said(self) -> dict[str, Any]:
        # an article says nothing by itself
        own = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("extra", "article")
        }
        return {k: v for k, v in own.items() if v is not None and v not in ("", ())} | dict(
            self.extra
        )

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key) if key in _FIELDS else self.extra[key]

    def __contains__(self, key: object) -> bool:
        return key in self._said()

    def __iter__(self) -> Iterator[str]:
        return iter(self._said())

    def __len__(self) -> int:
        return len(self._said())

    def but(self, **changes: Any) -> Info:
        """Copy with some fields changed; names that are no field go into ``extra``."""
        known = {f.name for f in fields(self)}
        extra = {k: v for k, v in changes.items() if k not in known}
        own = {k: v for k, v in changes.items() if k in known}
        return replace(self, **own, extra={**self.extra, **extra})

    @property
    def jointly(self) -> bool:
        """Whether decisions use p-values adjusted for a family of several, so that joint intervals match them.

        A false discovery rate has no joint intervals.
        """
        several = self.family_size is None or self.family_size > 1
        return bool(self.joint) and several and self.adjust not in ("", "none", "bh", "by")

    def interval_columns(self, columns: Container[str], *, margin: bool = False) -> tuple[str, ...]:
        """Columns (low, high, level) of the interval that goes with the decisions of a table.

        ``margin``: with the tests of the margin, not with the ordinary test.
        """
        tail = "_difference" if not margin else ""
        if self.jointly:
            tail = "_joint_margin" if margin else "_joint"
        if f"conf_low{tail}" not in columns:
            tail = ""
        return tuple(f"conf_{end}{tail}" for end in ("low", "high", "level"))

    def as_dict(self) -> dict[str, Any]:
        """Plain dict, for json; :meth:`from_dict` reads it."""
        return jsonable(asdict(self))

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Info:
        """The object :meth:`as_dict` has written; a TypeError where it is another one."""
        made = dict(found)
        for name, kind in _TYPED.items():
            value = found[name]
            if isinstance(value, list):
                made[name] = [kind(**v) for v in value]
            elif value is not None:
                made[name] = kind(**value)
        return cls(**made)

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Info:
        """Info of a mapping: names of fields become fields, the rest ``extra``."""
        return words if isinstance(words, Info) else cls().but(**words)


# fields that hold objects
_TYPED: Mapping[str, type] = {
    "outcome": Outcome, "margin": StatedMargin, "resampled": Drawn, "held_fixed": Held,
}  # fmt: skip
_FIELDS = frozenset(f.name for f in fields(Info)) - {"extra", "article"}


_PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str, "bool": bool, "int": int, "float": (int, float), "None": type(None),
    "Mapping": Mapping, "Sequence": tuple,
}  # fmt: skip


def fitting(said: Any) -> Any:
    """A dataclass, and those in it, if every plain field is of the kind it is declared as.

    Raises
    ------
    TypeError
    """
    for f in fields(said):
        value, kinds = getattr(said, f.name), str(f.type)
        parts = (value,)
        if kinds.startswith("Sequence[") and isinstance(value, (tuple, list)):
            kinds, parts = kinds[9:-1], tuple(value)
        allowed = [_PLAIN.get(k.partition("[")[0]) for k in kinds.split(" | ")]
        for part in parts:
            if is_dataclass(part):
                fitting(part)
            elif None not in allowed and not isinstance(part, tuple(k for k in allowed if k)):
                raise TypeError(f"{f.name} is {str(part)[:40]!r}")
    return said


def read_json(path: Path) -> Any:
    """Content of a file of json.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or is none; also where it nests too deep for Python.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def jsonable(value: Any) -> Any:
    """Plain python of a nested value, for json; objects with ``as_dict`` become that dict."""
    if isinstance(value, Mapping) and not isinstance(value, Info):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(v) for v in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "as_dict"):
        return jsonable(value.as_dict())
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
