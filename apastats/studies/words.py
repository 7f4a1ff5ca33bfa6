"""What each key of a study file means, in a few words: the starter and the documentation show the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from apastats.studies.sections import StudyFile

__all__ = ["WORDS", "commented", "keys_of_study", "reference_table"]

_ONE_TABLE = (
    "options of the reader: `rename`, `defaults`, `wide`, `keys`, `covariates`, `ignore`, `sep`, `decimal`, `encoding`, `comment`, "
    "`sheet`, `layout`, `on_duplicate`"
)
_TEST = {
    "bounds": "the margin: a number, a pair, or { share = 0.1, of = \"leave_one_out\" }; also of = \"sd\" or of = [\"a\", \"b\"]",
    "reference": "best, the name of a model, or \"all pairs\"",
    "test": "t, trimmed, wilcoxon, bootstrap, sign_flip, permutation, log_ratio",
    "hypothesis": "equivalence, minimal_effect, noninferiority, nonsuperiority, superiority",
    "adjust": "holm, hommel, bh, max-t, none, ...",
    "family": "comparisons adjusted together: all, or by cell",
    "alpha": "level",
    "cluster": "who is independent",
    "within": "columns averaged inside each cluster first",
    "kind": "kind of rows that enter; \"all\" takes every one",
    "trim": "share trimmed, for tests that trim",
    "exact": "whether the distribution of a rank or sign-flip test is enumerated",
    "interval": "interval of the bootstrap test",
    "small_sample": "whether resampled tests are corrected for few units",
    "variance": "how variances of differences from the best are pooled: moderated, separate, pooled",
    "n_resamples": "auto, exact, or a number",
    "top": "rows of the table, those of the smallest p-values: auto (all up to 100,000, else 1,000), all, or a number",
}  # fmt: skip
WORDS: dict[str, dict[str, str]] = {
    "study": {
        "name": "name of the output folder, apastats_out/NAME",
        "title": "title of the report",
        "seed": "all random numbers of the study come from it",
    },
    "inputs": {
        "scores": f"file, folder, pattern or list of files of scores, or a folder of score sheets; as [inputs.scores] with `path` and {_ONE_TABLE}",
        "tables": "several tables: [inputs.tables.NAME] with `path` and the same options",
        "rdms": "RDMs of the brain: a file (npz, h5, mat, ...), a list of files, a folder or a pattern; as [inputs.rdms] with `path`, `layout`, `labels`, `stimuli` (names, or the descriptor that holds them), `pattern_descriptor`",
        "models": "RDMs of models, likewise",
        "more_models": "further files of model RDMs: [inputs.more_models.NAME]",
        "repeats": "RDMs of single sessions or repeats, for the ceilings split_half and repeat",
        "patterns": "response patterns of the brain: npz, or folder of npy, with names SUBJECT/ROI (and /train, /test); `path`, `stimuli`",
        "model_patterns": "patterns of models: [inputs.model_patterns.NAME]; names MODEL/LAYER, or LAYER alone",
        "networks": "networks whose activations are models: [inputs.networks.NAME] with the keys below",
        "rois": "ROIs to keep, in this order",
        "streams": "[inputs.streams]: stream = list of its ROIs; becomes a covariate",
        "regions": "table of regions (csv, tsv, ...): names in their order, and stream, hemisphere, x, y, z; every ROI of the data needs a row",
        "cache": "parquet file that holds the cleaned scores while the sources do not change",
    },
    "inputs.networks.NAME": {
        "code": "FILE.py:FUNCTION that returns a torch module; the file is run",
        "options": "arguments of the function",
        "weights": "file of weights (a state_dict)",
        "layers": "names of submodules",
        "stimuli": "npy file, one stimulus per row, or folder of pictures",
        "test_stimuli": "npy file of a second set, where patterns have train and test parts",
        "batch_size": "stimuli per call",
        "device": "cpu, cuda, ...",
        "project": "dimensions of a sparse random projection",
        "seed": "seed of the projection",
        "frames": "each or clip, where stimuli are clips",
        "frame_axis": "axis of the outputs of clips that is averaged over",
        "element": "which element is taken where a layer puts out several (a number or a name), or a table from layers to that",
        "transform": "FILE.py:FUNCTION applied to every stimulus",
    },
    "score": {
        "method": "comparison of RDMs: corr, cosine, spearman, rho-a, tau-a, tau-b, corr_cov, cosine_cov, ...",
        "references": "brain rows to compute",
        "sigma_k": "npy file: covariance of the pattern estimates, for the whitened methods",
        "rerank": "rank the pooled RDM of a rank method again",
        "across_time": "brains predict other time points too, for patterns over region x time",
        "split": "name of the split",
        "batch": "model RDMs at once; bounds the memory",
        "backend": "numpy or torch",
        "device": "cpu, cuda, ...",
        "dtype": "float64 or float32",
    },
    "score_patterns": {
        "measure": "rsa, cka-debiased, ridge, ... (docs/measures.md), or a list",
        "distance": "correlation, euclidean, cosine",
        "method": "comparison of the RDMs",
        "references": "brain rows to compute",
        "reference_from": "mean_patterns, joined_units (vertices need not correspond) or pooled_rdms",
        "across_time": "brains predict other time points too, for patterns over region x time",
        "split": "name of the split, where patterns have one part",
        "batch": "predictors at once; bounds the memory",
        "backend": "numpy or torch",
        "device": "cpu, cuda, ...",
        "dtype": "float64 or float32",
    },
    "linear_predictivity": {
        "references": "brain rows to compute",
        "alphas": "ridge penalties; nothing: 10^0 to 10^9",
        "n_fold": "folds over the train stimuli",
        "seed": "seed of the folds",
        "folds": "shuffled, contiguous, leave_one_out",
        "groups": "a label (run, story) for every train stimulus, held out together",
        "score": "r2 or r",
        "per": "a penalty for every set of responses, or every unit",
        "delays": "rows by which features are late",
        "average": "mean or median over units",
        "across_time": "brains predict other time points too, for patterns over region x time",
        "by_unit": "keep the scores of single units, in the table (true) or in a new folder (its path)",
    },
    "rdms_from_patterns": {
        "method": "correlation, euclidean, cosine, mahalanobis, crossnobis, poisson, poisson_cv, correlation_across",
        "noise": "npy or npz file: noise precision over features",
        "cv_descriptor": "fold (run) of every row",
        "backend": "numpy or torch",
        "device": "cpu, cuda, ...",
        "dtype": "float64 or float32",
    },
    "fitted": {
        "models": "models to be fitted: [fitted.models.NAME] with the keys below",
        "beside": "names of RDMs whose single RDMs are evaluated beside them: [\"models\"]",
        "method": "criterion of fit and score: corr, cosine, corr_cov, cosine_cov; spearman, rho-a, tau-a, tau-b for select and interpolate",
        "cluster": "what is resampled: subject, stimulus or both",
        "k_subject": "folds over subjects; nothing: by their number",
        "k_stimulus": "folds over stimuli; nothing: by their number",
        "n_cv": "random partitions into folds per resample",
        "interval": "t, percentile, basic, normal",
        "n_resamples": "auto, or a number",
        "conf_level": "level of the interval",
        "sigma_k": "npy file: noise variance of each stimulus, for the whitened methods",
        "n_jobs": "processes; never changes a number",
        "batch": "resamples per task; never changes a number",
    },
    "fitted.models.NAME": {
        "kind": "select, weighted, interpolate, features, components",
        "members": "name of the RDMs it is made of: models, or one of more_models",
        "where": "labels of the RDMs taken: { model = \"resnet\" }",
        "array": "npy file of features [stimulus, feature] or second moments [component, stimulus, stimulus]",
        "nonnegative": "whether weights are 0 or more",
        "ridge": "penalty on squared weights, members scaled to length 1",
        "groups": "a label per feature; the features of a group share a weight",
        "stimuli": "names of the stimuli of the array",
    },
    "select_layer": {
        "on": "auto, train, cross_subject",
        "split": "split whose scores are kept",
        "outcome": "column of scores",
    },
    "ceiling": {
        "kinds": "leave_one_out, subject_to_subject, nili, split_half, repeat",
        "by": "cells the ceiling is computed in",
        "split": "split of the scores",
        "method": "comparison of RDMs; nothing: that of [score]",
        "within": "label that tells the RDMs of one subject apart",
        "chance": "score without any shared signal; tested against, one-sided (0, but for cosines none)",
        "interval": "t, studentized, bca, percentile, ...",
        "conf_level": "level of the interval",
        "alternative": "two-sided, greater, less",
        "n_resamples": "auto, exact, or a number",
    },
    "patterns": {
        "profile": "row or column",
        "self_entry": "whether the entry of the own ROI is in or out",
        "scale": "raw, ceiling, double_centred",
        "outcome": "column of scores",
        "ceiling": "ceiling of scale = \"ceiling\"",
        "on_low": "error or nan, for ceilings at or below zero",
        "on_constant": "error or nan, for flat patterns",
    },
    "agreement": {
        "run": "whether alignment patterns are analysed",
        "reference": "leave_one_out, released, matched",
        "similarity": "pearson, spearman, cosine, concordance, nrmse",
        "brain": "brain rows that stand beside the models",
    },
    "bootstrap": {
        "cluster": "who is drawn",
        "scheme": "bootstrap, or bayesian weights",
        "strata": "column whose groups keep their size",
        "within": 'columns averaged inside each subject first ("roi": one mean per model)',
        "reselect": "layer: choose layers anew in every resample",
        "on": "what reselect chooses on: train, out_of_bag",
        "n_resamples": "auto (exact up to 10 subjects), exact, or a number",
        "interval": "studentized, bca, t, percentile, basic, normal",
        "conf_level": "level of the interval",
        "alternative": "two-sided, greater, less",
        "quantile_rule": "linear or boot",
        "kind": "kind of rows that enter",
        "n_jobs": "processes; never changes a number",
        "batch": "cells per task; never changes a number",
        "workdir": "folder that keeps finished blocks of a long run",
    },
    "equivalence": _TEST,
    "equivalence_agreement": _TEST
    | {"reference": "brain (every model with the brain), best, a model, or \"all pairs\""},
    "leaderboard": {
        "item": "column of the items, or several: benchmark, subject, roi",
        "outcome": "column of scores",
        "by": "columns within whose levels everything is done separately",
        "within": "columns averaged inside each model and item first",
        "item_effect": "random (items are a sample) or fixed",
        "errors": "pooled (all items weigh alike), item (each its own error variance), auto",
        "repeat": "column of repeated runs, whose spread is then the error",
        "stepwise": "whether the joint intervals of places are stepped down",
        "alpha": "error rate of all places together",
        "n_resamples": "auto, or draws of the largest difference",
        "kind": "kind of rows that enter; \"all\" takes every one",
        "items": "whether reliability and redundancy of the items are reported",
        "response_model": "whether a continuous item-response model is fitted",
        "missing": "shifts of the missing scores that are tried, in SDs of their item: [-1.0, 0.0]",
        "page": "whether leaderboard.html is written beside the report",
    },
    "unique_variance": {
        "layers": "one layer per model, { model = \"layer\" }; without it every layer counts as a model",
        "method": "pearson, spearman, kendall",
        "measure": "unique (shares of variance), semipartial, partial, coefficient",
        "groups": "models that count as one, { name = [\"a\", \"b\"] }; every model once",
        "parts": "unique, all (commonality analysis), ordered (each beyond those before it)",
        "nonnegative": "whether coefficients are 0 or more",
        "cross_validate": "subject, stimulus or both: R2 on data the coefficients were not fitted to",
        "n_fold": "folds of the stimuli; nothing: 2 to 5, by what a resample keeps",
        "n_cv": "random partitions of the stimuli into folds",
        "cluster": "what is drawn: subject, stimulus or both",
        "interval": "auto, studentized, t, bca, percentile, ...",
        "n_resamples": "auto (exact up to 10 subjects), exact, or a number",
        "conf_level": "level of the interval",
        "n_jobs": "processes; never changes a number",
        "test": "whether each model is tested against 0, and against bounds",
        "bounds": "margin, a share of variance (or a correlation); there is no default",
        "alternative": "greater, two-sided",
        "adjust": "max-t over all models and regions, none, holm, ...",
        "alpha": "level of the decisions",
    },
    "analysis": {
        "name": "name of the result",
        "title": "heading in the report",
        "verb": "any verb of the package that gives a table: lmm, emmeans, equivalence_set, normalize, power_study, ...",
        "data": "an input or earlier result: scores, selected, agreement, patterns, rdms, ..., or the name of an analysis",
        "formula": "for verbs that take one",
        "options": "keyword arguments; { result = \"NAME\" } stands for a result, with column and where for its numbers",
        "then": "methods called on the result in turn: [{ method = \"contrast\", options = { ... } }]",
    },
    "claims": {
        "name": "number or name of the claim",
        "statement": "the claim in words",
        "tests": "what all must hold, [{ result = \"equivalence_score\", where = { model = \"a\" }, says = \"within\", value = 0.02 }]: "
        "says above, below, within or p; rows all, any, most or a share; needs names the data it waits for; see `apastats.claims`",
    },
    "report": {
        "formats": "html, md, tex, docx, pdf",
        "figures": "formats of the figures folder: svg, png, pdf",
        "style": "apa, nature, or a table of settings",
        "max_rows": "rows of a table shown at most; its csv has all",
        "interactive": "charts to hover, search and export beside the figures of the page (extra interactive)",
    },
}  # fmt: skip


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def keys_of_study() -> dict[str, type[BaseModel]]:
    """Sections of the file, in order; the networks of ``[inputs]`` have keys of their own."""
    found = {name: next(_models(f.annotation)) for name, f in StudyFile.model_fields.items()}
    networks = next(_models(found["inputs"].model_fields["networks"].annotation))
    out: dict[str, type[BaseModel]] = {}
    for name, model in found.items():
        out[name] = model
        if name == "inputs":
            out["inputs.networks.NAME"] = networks
        if name == "fitted":
            out["fitted.models.NAME"] = next(_models(model.model_fields["models"].annotation))
    return out


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    # json of these is valid TOML
    return json.dumps(value, ensure_ascii=False)


def commented(section: str, shown: tuple[str, ...] = ()) -> list[str]:
    """Lines that show the other keys of a section with their defaults, as comments."""
    model = keys_of_study()[section]
    lines = []
    for key, field in model.model_fields.items():
        if key in shown:
            continue
        default = field.get_default(call_default_factory=True)
        # a key without default, or off by default, is shown empty
        value = "..." if field.is_required() or default in (None, {}, []) else _toml(default)
        lines.append(f"# {f'{key} = {value}':<34} # {WORDS[section][key].replace('`', '')}")
    return lines


def reference_table() -> str:
    """Table of all keys, Markdown."""
    rows = ["| section | key | default | meaning |", "| --- | --- | --- | --- |"]
    for section, model in keys_of_study().items():
        label = f"`[[{section}]]`" if section in ("analysis", "claims") else f"`[{section}]`"
        for key, field in model.model_fields.items():
            default = field.get_default(call_default_factory=True)
            if field.is_required():
                shown = "required"
            else:
                shown = "" if default in (None, {}, [], "", ()) else f"`{_toml(default)}`"
            rows.append(f"| {label} | `{key}` | {shown} | {WORDS[section][key]} |")
            label = ""
    return "\n".join(rows)
