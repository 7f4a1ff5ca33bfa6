"""One row per kind of result: its title, topic, sentences, section, methods sentence and citations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apastats.errors import InputError
from apastats.reporting import (
    brain_words,
    claim_words,
    curve_panels,
    influence_words,
    leaderboard_words,
    methods,
    model_panels,
    model_table_words,
    prose,
    row_prose,
    sections,
    unique_words,
)
from apastats.reporting import citations as cites
from apastats.reporting.markup import plain
from apastats.reporting.numbers import NumberStyle, as_style
from apastats.reporting.phrases import ceiling_words, mean_words, noun_of, outcome_of, outcome_words

__all__ = [
    "KINDS",
    "TOPICS",
    "Kind",
    "keys_of",
    "kind_of",
    "sentences",
    "text",
    "title_of",
    "topic_of",
]

TOPICS = {
    "claims": "Claims",
    "design": "Design of the data",
    "ceilings": "Noise ceilings",
    "scores": "Scores",
    "equivalence": "Equivalence",
    "patterns": "Alignment patterns",
    "agreement": "Pattern agreement",
    "models": "Hierarchical models",
    "planning": "Power and sample size",
    "other": "Other results",
}


@dataclass(frozen=True)
class Kind:
    """What a report needs to know of a kind of result.

    Attributes
    ----------
    title : callable
        Result -> its name in headings and lists.
    topic : str
        Part of the report it stands in, a key of :data:`TOPICS`; results on agreement of the parts ``scores`` and
        ``equivalence`` stand with the agreement.
    sentences : callable
        Rows as sentences, see :mod:`apastats.reporting.prose`.
    section : callable
        What its section holds, see :mod:`apastats.reporting.sections`.
    methods : callable
        Its sentence in the methods paragraph, see :mod:`apastats.reporting.methods`.
    cites : callable
        Keys of the works it rests on, see :mod:`apastats.reporting.citations`.
    """

    title: Callable[[Any], str]
    topic: str = "scores"
    sentences: prose.Maker = prose.by_columns
    section: sections.SectionMaker = sections.estimated
    methods: methods.Maker = methods.generic
    cites: cites.Cites = cites.common


def called(template: str) -> Callable[[Any], str]:
    """Title with the outcome in the place of ``{}``."""
    return lambda result: template.replace("{}", outcome_words(result))


def _ceiling_title(result: Any) -> str:
    return ceiling_words(result.info.get("ceiling_kind", ""))


def _mean_title(result: Any) -> str:
    of = mean_words(result)
    return f"{of[:1].upper()}{of[1:]}" + (
        f" by {noun_of(result)}" if "model" in result.table.columns else ""
    )


def _set_title(result: Any) -> str:
    # what is shown is not what could not be excluded
    what = "shown to be close to the best" if result.info.margin else "that can be the best"
    compared = "ROIs" if "level" in result.table.columns else f"{noun_of(result).capitalize()}s"
    return f"{compared} {what}, by {outcome_words(result)}"


def _followed_title(result: Any) -> str:
    text = str(result.info.method)
    return f"{text[:1].upper()}{text[1:]}"


def _any_title(result: Any) -> str:
    title, what = str(result.kind).replace("_", " ").capitalize(), outcome_of(result)
    return f"{title} of {what}" if what else title


figures = sections.with_figures
KEYS_OF_ROWS = ("model", "layer", "metric", "split", "direction", "outcome", "roi")
measured = prose.told_by(row_prose.measured)
PATTERNS = cites.fixed("hoefling2026")

KINDS: dict[str, Kind] = {
    "design": Kind(
        called("What is in the data"), "design", prose.told_by(row_prose.what_is_there), sections.design,
        methods.silent,
    ),
    "plan_kept": Kind(
        called("What was planned, and what was run"), "design", prose.told_by(row_prose.kept), sections.plan,
        methods.silent,
    ),
    "noise_ceiling": Kind(
        _ceiling_title, "ceilings", prose.estimates, sections.ceiling, methods.ceiling, cites.ceiling
    ),
    "normalized": Kind(called("Scores as a share of the noise ceiling"), "ceilings", prose.estimates),
    "bootstrap": Kind(_mean_title, "scores", prose.estimates, sections.means, methods.means),
    "rdm_evaluation": Kind(
        called("Similarity of the RDMs of models and brain"), "scores", prose.estimates,
        figures(curve_panels.layer_figures), cites=cites.fixed("kriegeskorte2008", "nili2014"),
    ),
    "fitted_evaluation": Kind(
        called("Cross-validated similarity of the RDMs of fitted models and brain"), "scores", prose.estimates,
        sections.fitted, methods.means, cites.fixed("kriegeskorte2008", "nili2014", "schuett2023"),
    ),
    "unique_variance": Kind(
        lambda result: f"Unique and shared variance of the {unique_words.parts_of(result)}", "scores",
        prose.told_by(unique_words.part_row),
        figures(unique_words.stacked, unique_words.region_table), cites=cites.fixed("nimon2008", "nili2014"),
    ),
    "unique_test": Kind(
        lambda result: f"What each {unique_words.parts_of(result)[:-1]} adds to the others", "scores",
        prose.told_by(unique_words.test_row),
        figures(unique_words.tested_figures), cites=cites.unique_test,
    ),
    "comparison": Kind(
        called("Comparison of {}"), "scores", prose.contrasts, figures(None, sections.letters_table),
        cites=cites.comparison,
    ),
    "rank": Kind(
        called("Rank tests of {}"), "scores", prose.ranks, section=figures(None, sections.places), cites=cites.ranks
    ),
    "leaderboard": Kind(
        called("Leaderboard of {}"), "scores", leaderboard_words.boards, figures(leaderboard_words.board_figures),
        cites=cites.fixed("mogstad2024", "harville1977", "meier1953"),
    ),
    "leaderboard_items": Kind(
        called("Items of the leaderboard"), "scores", prose.told_by(leaderboard_words.item_row),
        cites=cites.fixed("harville1977"),
    ),
    "leaderboard_responses": Kind(
        called("Item-response model of the leaderboard"), "scores", prose.told_by(leaderboard_words.response_row),
        cites=cites.fixed("mellenbergh1994", "rubin1982"),
    ),
    "leaderboard_missing": Kind(
        called("Leaderboard under shifts of the missing scores"), "scores", prose.told_by(leaderboard_words.shift_row),
        cites=cites.fixed("little1993"),
    ),
    "discriminability": Kind(
        called("Separation of the models"), "scores", prose.coefficients,
        figures(
            curve_panels.term_figures, columns=("roi", "metric", "outcome", "term", "estimate", "conf_low", "p_value")
        ),
    ),
    "map_test": Kind(
        called("Tests over a map"), "scores", prose.told_by(row_prose.mapped),
        cites=cites.fixed("nichols2002", "maris2007", "smith2009")
    ),
    "effect_size": Kind(
        called("Effect sizes"), "scores", prose.coefficients, figures(curve_panels.term_figures),
        cites=cites.effect_sizes,
    ),
    "equivalence": Kind(
        called("Equivalence of {}"), "equivalence", prose.equivalence, sections.equivalence,
        methods.equivalence, cites.equivalence,
    ),
    "equivalence_set": Kind(
        _set_title, "equivalence", prose.sets,
        figures(None, model_panels.set_figures), cites=cites.sets,
    ),
    "margin_curve": Kind(
        called("Decisions over margins"), "equivalence",
        prose.told_by(row_prose.smallest_margin, "roi", "metric", "contrast"),
        section=figures(curve_panels.margin_blocks), cites=cites.fixed("schuirmann1987"),
    ),
    "rope": Kind(
        called("Posterior and region of practical equivalence"), "equivalence", prose.posteriors,
        figures(curve_panels.posterior_blocks), cites=cites.bayes(),
    ),
    "alignment_patterns": Kind(
        called("Alignment patterns of {}"), "patterns", prose.told_by(row_prose.scored),
        sections.patterns, methods.patterns, PATTERNS,
    ),
    "pattern_identification": Kind(
        called("Identification of ROIs by their patterns"), "patterns", measured, section=sections.identification,
        cites=cites.fixed("hoefling2026", "phipson2010"),
    ),
    "pattern_reliability": Kind(
        called("Reliability of the patterns"), "patterns", measured, cites=cites.fixed("hoefling2026", "spearman1904")
    ),
    "agreement_test": Kind(
        called("Agreement against a null"), "agreement", measured, section=figures(curve_panels.difference_figures),
        cites=cites.against_null,
    ),
    "agreement_bootstrap": Kind(
        called("Mean agreement, subjects in all roles"), "agreement", measured, cites=PATTERNS
    ),
    "agreement_sensitivity": Kind(
        called("Sensitivity of agreement to the analysis"), "agreement", prose.told_by(row_prose.analysis),
        section=figures(None, lambda r, context, title: model_panels.sensitivity_figures(r, context)),
        cites=PATTERNS,
    ),
    "disattenuated_agreement": Kind(
        called("Agreement corrected for reliability"), "agreement", measured,
        cites=cites.fixed("hoefling2026", "spearman1904"),
    ),
    "layer_agreement": Kind(
        called("Agreement along the layers"), "agreement", measured, section=figures(curve_panels.layer_figures),
        cites=PATTERNS,
    ),
    "matrix_agreement": Kind(
        called("Agreement of a matrix with the patterns of the brain"), "agreement", measured,
        section=figures(curve_panels.null_figures), cites=cites.fixed("hoefling2026", "phipson2010"),
    ),
    "second_order": Kind(
        called("Second-order similarity"), "agreement", measured, cites=cites.fixed("phipson2010")
    ),
    "strict_alignment": Kind(
        called("Strict alignment by score and agreement"), "agreement", prose.told_by(row_prose.strict),
        section=figures(None, sections.counts_table), cites=cites.strict,
    ),
    "brain_test": Kind(
        called("Brain test of {}"), "equivalence", brain_words.verdicts,
        figures(
            brain_words.place_figures, brain_words.claims_table,
            columns=(
                *KEYS_OF_ROWS, "mean_model", "mean_person", "person_low", "p_value_profile", "estimate", "conf_low",
                "bound_low", "decision",
            ),
            labels={"p_value_profile": "p, one more person"},
        ),
        cites=cites.brain_test,
    ),
    "lmm": Kind(
        called("Linear mixed model of {}"), "models", prose.coefficients, sections.mixed,
        cites=cites.mixed("bates2015"),
    ),
    "model_table": Kind(
        called("Mixed models side by side"), "models", model_table_words.told,
        figures(None, model_table_words.stacked), cites=cites.mixed("bates2015"),
    ),
    "emmeans": Kind(
        called("Marginal means"), "models", prose.estimates, figures(None, sections.letters_table),
        cites=cites.mixed("searle1980"),
    ),
    "emmeans_contrasts": Kind(
        called("Contrasts of marginal means"), "models", cites=cites.mixed("searle1980")
    ),
    "influence": Kind(
        called("Influence on the mixed model"), "models", influence_words.influences,
        figures(influence_words.distance_figures), cites=cites.mixed("cook1977", "nieuwenhuis2012"),
    ),
    "bayes_lmm": Kind(
        called("Bayesian hierarchical model"), "models", prose.posteriors,
        figures(curve_panels.posterior_blocks), cites=cites.bayes("capretto2022", "vehtari2021"),
    ),
    "calibration": Kind(called("Calibration of the defaults"), "planning", prose.calibrated, methods=methods.silent),
    "claims": Kind(
        called("Claims and verdicts"), "claims", claim_words.summary, figures(
            None, claim_words.verdict_table,
            columns=("claim", "test", "estimate", "conf_low", "n_shown", "n_against", "n_row", "part_verdict"),
            labels={
                "n_shown": "rows that show it", "n_against": "rows against it", "n_row": "rows",
                "part_verdict": "verdict of the test",
            },
        ),
        cites=cites.fixed("berger1982"),
    ),
    "power": Kind(
        called("Power"), "planning", prose.told_by(row_prose.planned), figures(curve_panels.planning_figures),
        cites=cites.power,
    ),
}  # fmt: skip
UNKNOWN = Kind(_any_title, "")
# a table that a method of a result gave; what was done is told with that result
FOLLOWED = Kind(_followed_title, "", methods=methods.silent)


def kind_of(result: Any) -> Kind:
    """Row of a result; one that asks its columns for a kind that has none."""
    return FOLLOWED if result.kind == "followed_table" else KINDS.get(result.kind, UNKNOWN)


def title_of(result: Any) -> str:
    """Name of a result in headings and lists."""
    return kind_of(result).title(result)


def topic_of(result: Any) -> str:
    """Part of a report a result belongs to."""
    topic = kind_of(result).topic
    columns = set(result.table.columns)
    if not topic:
        topic = (
            "equivalence"
            if "decision" in columns
            else "scores"
            if "estimate" in columns
            else "other"
        )
    about_agreement = outcome_of(result) == "agreement"
    return "agreement" if about_agreement and topic in ("scores", "equivalence") else topic


def keys_of(result: Any) -> list[str]:
    """Keys of the works one result (or score table) rests on."""
    if not hasattr(result, "info"):
        first = ["hoefling2026"] if result.quantity == "agreement" else []
        return first + cites.of_metrics(result.frame["metric"].unique())
    table = result.table
    named = table["metric"].dropna().unique() if "metric" in table.columns else []
    own = result.info.outcome.metric if result.info.outcome else None
    metrics = [own, *named] if own else list(named)
    return list(dict.fromkeys([*kind_of(result).cites(result), *cites.of_metrics(metrics)]))


def sentences(
    result: Any, style: NumberStyle, *, short: bool = False, max_rows: int = 12
) -> list[str]:
    """Sentences of a result as inline text."""
    return kind_of(result).sentences(result, style, short, max_rows)


def text(result: Any, *, style: Any = "apa", short: bool = False, max_rows: int = 12) -> str:
    """Result as a bare string, to paste into a paper.

    Parameters
    ----------
    result : Result
        Any result.
    style : {"apa", "nature"} or dict
        How numbers are written, see :func:`apastats.reporting.numbers.as_style`.
    short : bool
        One line per row without method and caveats, or whole sentences with both.
    max_rows : int
        Rows written out at most; the rest is counted.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If ``style`` or ``max_rows`` is not allowed.
    """
    if isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1:
        raise InputError("max_rows", max_rows, "a positive int")
    lines = sentences(result, as_style(style), short=short, max_rows=max_rows)
    return ("\n" if short else " ").join(plain(line) for line in lines)
