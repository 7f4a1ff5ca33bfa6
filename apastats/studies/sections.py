"""The sections of a ``study.toml``: every option of the verb a section stands for, under the verb's own name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from apastats.resampling.intervals import INTERVALS

__all__ = ["EquivalenceSection", "Inputs", "StudyFile"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
Level = Annotated[float, Field(gt=0, lt=1)]
Alpha = Annotated[float, Field(gt=0, lt=0.5)]
Count = Annotated[int, Field(ge=1)]
Resamples = Literal["auto", "exact"] | Count
Alternative = Literal["two-sided", "greater", "less"]
if TYPE_CHECKING:
    Interval = str
else:
    Interval = Literal["auto", *INTERVALS]
Paths = str | list[str]
Brain = Literal["subject_to_subject", "leave_one_out"]
References = tuple[Brain, ...]
Backend = Literal["numpy", "torch"]
DType = Literal["float64", "float32"]


def _with_path(value: Any) -> Any:
    """A path (or a list of them) alone stands for ``{ path = ... }``."""
    return {"path": value} if isinstance(value, (str, list)) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StudySection(_Section):
    """Name, title and seed."""

    name: Name = "study"
    title: str = ""
    seed: int = Field(default=1, ge=0)


class TableInput(_Section):
    """One table of scores; options of ``apastats.read``."""

    path: str | list[str]
    layout: Literal["auto", "tidy", "scoresheets"] = "auto"
    rename: dict[str, str] | None = None
    defaults: dict[str, str] | None = None
    wide: str | dict[str, list[str]] | None = None
    keys: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    sep: str | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    comment: str | None = None
    sheet: str | int | None = None
    on_duplicate: Literal["error", "first"] = "error"


class RDMInput(_Section):
    """A file of RDMs, several, a folder or a pattern; options of ``apastats.read_rdms``."""

    path: str | list[str]
    layout: list[dict[str, Any]] | None = None
    labels: dict[str, str | list[str]] | None = None
    stimuli: str | list[str] | None = None
    pattern_descriptor: str | None = None


class PatternInput(_Section):
    """Patterns or activations: a file or folder, several, or a pattern; options of ``apastats.read_patterns``."""

    path: str | list[str]
    stimuli: list[str] | None = None


class NetworkInput(_Section):
    """A network whose activations are models; options of ``apastats.activations``."""

    code: str = Field(
        pattern=r"^.+\.py:[A-Za-z_]\w*$",
        description="FILE.py:FUNCTION; the function returns a torch module. The file is run.",
    )
    options: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    layers: tuple[str, ...] = Field(min_length=1)
    stimuli: str
    test_stimuli: str | None = None
    batch_size: Count = 32
    device: str = "cpu"
    project: Count | None = None
    seed: int = 1234
    frames: Literal["each", "clip"] | None = None
    frame_axis: Count | None = None
    element: int | str | dict[str, int | str] | None = None
    transform: str | None = Field(default=None, pattern=r"^.+\.py:[A-Za-z_]\w*$")


Table = Annotated[
    TableInput, BeforeValidator(_with_path, json_schema_input_type=TableInput | Paths)
]
RDMs = Annotated[RDMInput, BeforeValidator(_with_path, json_schema_input_type=RDMInput | Paths)]
Patterns = Annotated[
    PatternInput, BeforeValidator(_with_path, json_schema_input_type=PatternInput | Paths)
]


class Inputs(_Section):
    """Where the data are: score tables or sheets, RDMs, response patterns."""

    scores: Table | None = None
    tables: dict[str, Table] = Field(default_factory=dict)
    rdms: RDMs | None = None
    models: RDMs | None = None
    more_models: dict[str, RDMs] = Field(default_factory=dict)
    repeats: RDMs | None = None
    patterns: Patterns | None = None
    model_patterns: dict[str, Patterns] = Field(default_factory=dict)
    networks: dict[str, NetworkInput] = Field(default_factory=dict)
    rois: list[str] | None = None
    streams: dict[str, list[str]] = Field(default_factory=dict)
    regions: str | None = None
    cache: str | None = None

    @model_validator(mode="after")
    def _something(self) -> Inputs:
        if not (self.scores or self.tables or self.rdms or self.patterns):
            raise ValueError("one of scores, tables, rdms or patterns is needed")
        if (self.models or self.more_models) and not self.rdms:
            raise ValueError("models without rdms: the brain's RDMs are needed")
        if (self.model_patterns or self.networks) and not self.patterns:
            raise ValueError("model_patterns or networks without patterns: the brain's are needed")
        if self.regions and (self.rois or self.streams):
            raise ValueError(
                "regions is a table of names and streams; rois and streams are for studies without one"
            )
        return self


class ScoreSection(_Section):
    """How RDMs are compared; options of ``apastats.score``."""

    method: str = "corr"
    references: References = ("subject_to_subject", "leave_one_out")
    sigma_k: str | None = None
    rerank: bool = False
    across_time: bool = False
    split: str = "test"
    batch: Count | None = None
    backend: Backend = "numpy"
    device: str = "cpu"
    dtype: DType = "float64"


class ScorePatternsSection(_Section):
    """Scores of response patterns; options of ``apastats.score_patterns``."""

    measure: str | tuple[str, ...] = "rsa"
    distance: Literal["correlation", "euclidean", "cosine"] = "correlation"
    method: str = "corr"
    references: References = ("subject_to_subject", "leave_one_out")
    reference_from: Literal["mean_patterns", "joined_units", "pooled_rdms"] = "mean_patterns"
    across_time: bool = False
    split: str = "test"
    batch: Count | None = None
    backend: Backend = "numpy"
    device: str = "cpu"
    dtype: DType = "float64"


class LinearPredictivitySection(_Section):
    """Ridge regression on features; options of ``apastats.linear_predictivity``."""

    references: References = ()
    alphas: list[Annotated[float, Field(gt=0)]] | None = None
    n_fold: int = Field(default=5, ge=2)
    seed: int = 1
    folds: Literal["shuffled", "contiguous", "leave_one_out"] = "shuffled"
    groups: list[str] | None = None
    score: Literal["r2", "r"] = "r2"
    per: Literal["set", "unit"] = "set"
    delays: tuple[int, ...] = (0,)
    average: Literal["mean", "median"] = "mean"
    across_time: bool = False
    by_unit: bool | str = False


class RDMsFromPatternsSection(_Section):
    """RDMs made from patterns, then compared as ``[score]`` says; options of ``apastats.rdms_from_patterns``."""

    method: Literal[
        "correlation",
        "euclidean",
        "cosine",
        "mahalanobis",
        "crossnobis",
        "poisson",
        "poisson_cv",
        "correlation_across",
    ] = "correlation"
    noise: str | None = None
    cv_descriptor: list[str] | None = None
    backend: Backend = "numpy"
    device: str = "cpu"
    dtype: DType = "float64"


class FittedInput(_Section):
    """A model of RDMs with parameters; options of ``apastats.fitted``."""

    kind: Literal["select", "weighted", "interpolate", "features", "components"]
    members: str | None = None
    where: dict[str, str | list[str]] = Field(default_factory=dict)
    array: str | None = None
    nonnegative: bool = True
    ridge: float = Field(default=0.0, ge=0)
    groups: list[str] | None = None
    stimuli: list[str] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> FittedInput:
        made = self.kind in ("features", "components")
        if (self.array is None) == made or (self.members is None) != made:
            raise ValueError(
                "select, weighted and interpolate take members (a name of RDMs), features and components an array"
            )
        return self


class FittedSection(_Section):
    """Fitted models of RDMs under cross-validation; options of ``apastats.evaluate_fitted``."""

    models: dict[str, FittedInput] = Field(min_length=1)
    beside: tuple[str, ...] = ()
    method: str = "corr"
    cluster: str | tuple[str, str] = ("subject", "stimulus")
    k_subject: Count | None = None
    k_stimulus: Count | None = None
    n_cv: Count = 2
    interval: Literal["t", "percentile", "basic", "normal"] = "t"
    n_resamples: Literal["auto"] | Count = "auto"
    conf_level: Level = 0.95
    sigma_k: str | None = None
    n_jobs: int = 1
    batch: Count | None = None


class SelectLayerSection(_Section):
    """What the layer of a model is chosen on; options of ``apastats.select_layer``."""

    on: Literal["auto", "train", "cross_subject"] = "auto"
    split: str | None = None
    outcome: str | None = None


class CeilingSection(_Section):
    """Which noise ceilings are computed, where the data allow; options of ``apastats.noise_ceiling``."""

    kinds: tuple[
        Literal["leave_one_out", "subject_to_subject", "nili", "split_half", "repeat"], ...
    ] = ("leave_one_out", "subject_to_subject", "nili")
    by: tuple[str, ...] = ("roi", "metric")
    split: str | None = None
    method: str | None = None
    within: str = "session"
    chance: float | None = None
    interval: Interval = "t"
    conf_level: Level = 0.95
    alternative: Alternative = "two-sided"
    n_resamples: Resamples = "auto"


class PatternsSection(_Section):
    """Alignment patterns; options of ``apastats.alignment_patterns``."""

    profile: Literal["row", "column"] = "row"
    self_entry: Literal["in", "out"] = "in"
    scale: Literal["raw", "ceiling", "double_centred"] = "raw"
    outcome: str | None = None
    ceiling: Brain | None = None
    on_low: Literal["error", "nan"] = "error"
    on_constant: Literal["error", "nan"] = "error"


class AgreementSection(_Section):
    """Pattern agreement; options of ``apastats.pattern_agreement``."""

    run: bool = True
    reference: str = "leave_one_out"
    similarity: str = "pearson"
    brain: Brain | None = None


class BootstrapSection(_Section):
    """Subject bootstrap of means; options of ``apastats.bootstrap``."""

    cluster: str | tuple[str, str] = "subject"
    scheme: Literal["bootstrap", "bayesian"] = "bootstrap"
    strata: str | None = None
    within: str | tuple[str, ...] | None = None
    reselect: Literal["layer"] | None = None
    on: Literal["train", "out_of_bag"] = "train"
    n_resamples: Resamples = "auto"
    interval: Interval = "studentized"
    conf_level: Level = 0.95
    alternative: Alternative = "two-sided"
    quantile_rule: Literal["linear", "boot"] = "linear"
    kind: str | None = None
    n_jobs: int = 1
    batch: Count | None = None
    workdir: str | None = None


class EquivalenceSection(_Section):
    """Equivalence test; there is no default margin. Options of ``apastats.equivalence``."""

    bounds: float | list[float] | dict[str, Any]
    reference: str | None = "best"
    test: str = "t"
    hypothesis: str = "equivalence"
    adjust: str = "holm"
    family: str = "all"
    alpha: Alpha = 0.05
    cluster: str = "subject"
    within: str | tuple[str, ...] | None = None
    kind: str | tuple[str, ...] | None = "model"
    trim: float | None = Field(default=None, ge=0, lt=0.5)
    exact: bool | None = None
    interval: Interval = "studentized"
    small_sample: bool = True
    variance: str | None = None
    n_resamples: Resamples = "auto"
    top: Literal["auto", "all"] | Annotated[int, Field(ge=1)] = "auto"

    @field_validator("reference", "kind")
    @classmethod
    def _none(cls, value: Any) -> Any:
        # TOML has no word for None
        return None if value in ("all pairs", "all") else value

    @field_validator("bounds")
    @classmethod
    def _margin(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return tuple(value) if isinstance(value, list) else value
        unknown = set(value) - {"share", "value", "of", "unit", "bound"}
        if unknown or ("share" in value) == ("value" in value) or "of" not in value:
            raise ValueError(
                "a margin is a number, a pair [low, high], or { share = 0.1, of = 'leave_one_out' }, where of is the "
                "kind of a ceiling, a pair of models or 'sd', with unit and bound as in apastats.margin"
            )
        return value


class LeaderboardSection(_Section):
    """Order of models by items with holes; options of ``apastats.leaderboard``, and what follows it."""

    item: str | tuple[str, ...]
    outcome: str | None = None
    by: str | tuple[str, ...] = ()
    within: str | tuple[str, ...] | None = None
    item_effect: Literal["random", "fixed"] = "random"
    errors: Literal["pooled", "auto", "item"] = "pooled"
    repeat: str | None = None
    stepwise: bool = True
    alpha: Alpha = 0.05
    n_resamples: Literal["auto"] | Annotated[int, Field(ge=99)] = "auto"
    kind: str | None = "model"
    items: bool = True
    response_model: bool = False
    missing: tuple[float, ...] | None = None
    page: bool = True

    @field_validator("kind")
    @classmethod
    def _every(cls, value: Any) -> Any:
        return None if value == "all" else value


class UniqueVarianceSection(_Section):
    """What each model adds to the others; options of ``apastats.unique_variance`` and of the test that follows it."""

    layers: dict[str, str] = Field(default_factory=dict)
    method: Literal["pearson", "spearman", "kendall"] = "spearman"
    measure: Literal["unique", "semipartial", "partial", "coefficient"] = "unique"
    groups: dict[str, list[str]] | None = None
    parts: Literal["unique", "all", "ordered"] = "unique"
    nonnegative: bool = False
    cross_validate: str | tuple[str, str] | None = None
    n_fold: int | None = Field(default=None, ge=2)
    n_cv: Count = 5
    cluster: str | tuple[str, str] = "subject"
    interval: Interval = "auto"
    n_resamples: Resamples = "auto"
    conf_level: Level = 0.95
    n_jobs: int = 1
    test: bool = True
    bounds: float | None = Field(default=None, gt=0, lt=1)
    alternative: Literal["greater", "two-sided"] = "greater"
    adjust: str = "max-t"
    alpha: Alpha = 0.05


class FollowSection(_Section):
    """A method called on the result of an analysis."""

    method: str
    options: dict[str, Any] = Field(default_factory=dict)


class AnalysisSection(_Section):
    """One further analysis: any verb on any input or earlier result."""

    name: Name
    title: str = ""
    verb: str
    data: str | None = None
    formula: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    then: list[FollowSection] = Field(default_factory=list)


class ClaimTest(_Section):
    """What a claim asks of the rows of one result."""

    result: str
    says: Literal["above", "below", "within", "p"] = "above"
    value: float | tuple[float, float] = 0.0
    where: dict[str, Any] = Field(default_factory=dict)
    rows: Literal["all", "any", "most"] | float = "all"
    together: bool = False
    column: str = ""
    estimand: str = ""
    needs: str = ""


class ClaimSection(_Section):
    """A claim of a paper or a plan; options of one claim of ``apastats.claims``."""

    name: str
    statement: str
    tests: list[ClaimTest]


class ReportSection(_Section):
    """What is written; options of ``apastats.report``."""

    formats: tuple[Literal["html", "md", "tex", "docx", "pdf"], ...] = ("html",)
    figures: tuple[Literal["svg", "png", "pdf"], ...] = ("svg",)
    style: str | dict[str, Any] = "apa"
    max_rows: Count = 200
    interactive: bool = False


class StudyFile(_Section):
    """The whole file."""

    study: StudySection = Field(default_factory=StudySection)
    inputs: Inputs
    score: ScoreSection = Field(default_factory=ScoreSection)
    score_patterns: ScorePatternsSection | None = None
    linear_predictivity: LinearPredictivitySection | None = None
    rdms_from_patterns: RDMsFromPatternsSection | None = None
    select_layer: SelectLayerSection = Field(default_factory=SelectLayerSection)
    ceiling: CeilingSection = Field(default_factory=CeilingSection)
    patterns: PatternsSection = Field(default_factory=PatternsSection)
    agreement: AgreementSection = Field(default_factory=AgreementSection)
    bootstrap: BootstrapSection = Field(default_factory=BootstrapSection)
    equivalence: EquivalenceSection | None = None
    equivalence_agreement: EquivalenceSection | None = None
    fitted: FittedSection | None = None
    leaderboard: LeaderboardSection | None = None
    unique_variance: UniqueVarianceSection | None = None
    analysis: list[AnalysisSection] = Field(default_factory=list)
    claims: list[ClaimSection] = Field(default_factory=list)
    report: ReportSection = Field(default_factory=ReportSection)

    @model_validator(mode="after")
    def _patterns_for_their_sections(self) -> StudyFile:
        for name in ("score_patterns", "linear_predictivity", "rdms_from_patterns"):
            if getattr(self, name) is not None and self.inputs.patterns is None:
                raise ValueError(f"{name} without inputs.patterns: response patterns are needed")
        if self.fitted is not None and not (self.inputs.rdms or self.rdms_from_patterns):
            raise ValueError("fitted without inputs.rdms: RDMs of the brain are needed")
        models = self.inputs.models or self.inputs.more_models or self.rdms_from_patterns
        if self.unique_variance is not None and not models:
            raise ValueError("unique_variance without inputs.models: RDMs of models are needed")
        within = {"repeat", "split_half"} & set(self.ceiling.kinds)
        if within and self.inputs.repeats is None:
            raise ValueError(
                "ceiling.kinds: split_half and repeat need inputs.repeats, RDMs of single sessions or repeats"
            )
        return self
