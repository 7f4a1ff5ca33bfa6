"""The inputs of a study: read, scored where they are RDMs or patterns, and kept under their names for analyses."""

from __future__ import annotations

import importlib.util
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from apastats.errors import DataError, InputError, ReadError, StudyError
from apastats.io.arrays import load_npy, load_npz
from apastats.io.read_patterns import hash_of_sets
from apastats.scoring.measures.measure import parse_measures
from apastats.scoring.response_patterns import rows_by_name
from apastats.studies.schema import Locator, naming
from apastats.studies.sections import (
    FittedSection,
    Inputs,
    NetworkInput,
    ScorePatternsSection,
    StudyFile,
)
from apastats.table import ScoreTable

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = ["Loaded", "code_places", "fitted_models", "load_array", "load_inputs"]

Sets: TypeAlias = dict[tuple[str, str], Any]  # labels -> patterns, or (train, test)


@dataclass(frozen=True)
class Loaded:
    """What the inputs hold.

    Attributes
    ----------
    scores : ScoreTable
        All scores, read or computed.
    brain : RDMSet or None
        RDMs of the brain.
    named : dict
        RDMs and patterns by the name an analysis calls them by: ``rdms, models, repeats, patterns,
        model_patterns`` and the names of ``more_models``.
    """

    scores: ScoreTable
    brain: RDMSet | None = None
    named: dict[str, Any] = field(default_factory=dict)

    @property
    def hashes(self) -> list[str]:
        """Of all data, in a fixed order."""
        return [self.scores.hash, *(_hash(self.named[k]) for k in sorted(self.named))]


def load_inputs(
    study: StudyFile,
    step: Callable[[str], None],
    scratch: ExitStack,
    locate: Locator | None = None,
) -> Loaded:
    """Read and score everything that ``[inputs]`` names.

    Parameters
    ----------
    study : StudyFile
        The study.
    step : callable
        Called with the name of each step.
    scratch : contextlib.ExitStack
        Keeps the activations of networks on disk as long as they are needed.
    locate : Locator, optional
        Says where a key stands, for messages.

    Returns
    -------
    Loaded
    """
    import apastats as apa

    inputs = study.inputs
    tables = _tables(inputs, step)
    named: dict[str, Any] = {}
    brain = _brain_rdms(inputs, named)
    patterns, model_patterns = _patterns(inputs, named, step, scratch)
    if study.rdms_from_patterns is not None:
        if brain is not None:
            raise StudyError("rdms_from_patterns: inputs.rdms are given too; leave one of them out")
        step("RDMs of patterns")
        with naming(locate, "rdms_from_patterns"):
            brain = _made_rdms(study, named)
    if brain is not None:
        step("scoring RDMs")
        models = [named[k] for k in ("models", *inputs.more_models) if k in named]
        with naming(locate, "score"):
            tables += _rdm_scores(study, brain, models)
    if patterns:
        tables += _pattern_scores(study, patterns, model_patterns, step, locate)
    if inputs.repeats is not None:
        named["repeats"] = _read_rdms(inputs.repeats, inputs.rois)
    return Loaded(tables[0] if len(tables) == 1 else apa.concat(*tables), brain, named)


def _tables(inputs: Inputs, step: Callable[[str], None]) -> list[ScoreTable]:
    import apastats as apa

    entries = {} if inputs.scores is None else {"scores": inputs.scores}
    tables = []
    for name, entry in {**entries, **inputs.tables}.items():
        step(f"reading {name}")
        options = entry.model_dump(exclude={"path"})
        cache = inputs.cache if name == "scores" else None
        tables.append(apa.read(entry.path, rois=inputs.rois, cache=cache, **options))
    return tables


def _read_rdms(entry: Any, rois: list[str] | None = None) -> RDMSet:
    import apastats as apa

    found = apa.read_rdms(entry.path, **entry.model_dump(exclude={"path"}))
    return found if rois is None else found.select(roi=rois)


def _brain_rdms(inputs: Inputs, named: dict[str, Any]) -> RDMSet | None:
    if inputs.rdms is None:
        return None
    named["rdms"] = _read_rdms(inputs.rdms, inputs.rois)
    if inputs.models is not None:
        named["models"] = _read_rdms(inputs.models)
    for name, entry in inputs.more_models.items():
        _free(name, named)
        named[name] = _read_rdms(entry)
    brain: RDMSet = named["rdms"]
    return brain


def _free(name: str, named: Mapping[str, Any]) -> None:
    if name in named:
        raise StudyError(f"inputs.more_models.{name}: the name is taken; choose another")


def _rdm_scores(study: StudyFile, brain: RDMSet, models: list[RDMSet]) -> list[ScoreTable]:
    """The brain with itself, then each set of models with it."""
    import apastats as apa

    options = study.score.model_dump(exclude={"references", "sigma_k"})
    options["sigma_k"] = load_array(study.score.sigma_k)
    tables = []
    if study.score.references and brain.labels["subject"].nunique() > 1:
        tables.append(apa.score(brain, references=study.score.references, **options))
    tables += [apa.score(brain, m, references=(), **options) for m in models]
    if not tables:
        raise StudyError("inputs.rdms: nothing to score; give models, or two subjects or more")
    return tables


def _patterns(
    inputs: Inputs, named: dict[str, Any], step: Callable[[str], None], scratch: ExitStack
) -> tuple[Sets, Sets]:
    """Patterns of the brain, and those of models and networks."""
    import apastats as apa

    if inputs.patterns is None:
        return {}, {}
    step("reading patterns")
    brain: Sets = apa.read_patterns(inputs.patterns.path).frames()
    if inputs.rois is not None:
        brain = {k: v for k, v in brain.items() if k[1] in inputs.rois}
        absent = [r for r in inputs.rois if r not in {k[1] for k in brain}]
        if absent:
            raise DataError(f"{inputs.patterns.path}: no patterns of ROI {absent[0]!r}")
    models: Sets = {}
    for name, entry in inputs.model_patterns.items():
        models |= apa.read_patterns(entry.path, model=name).frames()
    brain, found, _ = rows_by_name(brain, models or None)
    models = found or {}
    # a network sees its stimuli in the order of the brain's rows
    for name, network in inputs.networks.items():
        step(f"activations of {name}")
        models |= run_network(name, network, scratch)
    named["patterns"] = brain
    if models:
        named["model_patterns"] = models
    return brain, models


def _part(sets: Sets, k: int) -> Sets:
    """One of the two parts of sets that have two."""
    return {key: v[k] if isinstance(v, tuple) else v for key, v in sets.items()}


def _pattern_scores(
    study: StudyFile,
    brain: Sets,
    models: Sets,
    step: Callable[[str], None],
    locate: Locator | None,
) -> list[ScoreTable]:
    """RSA, unless only other ways are asked for, and linear predictivity."""
    import apastats as apa

    tables = []
    others = (study.linear_predictivity, study.rdms_from_patterns)
    if study.score_patterns is not None or others == (None, None):
        step("scoring patterns")
        with naming(locate, "score_patterns"):
            tables += _rsa(study, brain, models)
    if study.linear_predictivity is not None:
        step("linear predictivity")
        options = study.linear_predictivity.model_dump(exclude_none=True)
        with naming(locate, "linear_predictivity"):
            tables.append(apa.linear_predictivity(brain, models or None, **options))
    return tables


def _rsa(study: StudyFile, brain: Sets, models: Sets) -> list[ScoreTable]:
    """Measures of the patterns; of the train part and of the test part where there are two."""
    import apastats as apa

    options = (study.score_patterns or ScorePatternsSection()).model_dump()
    if any(isinstance(v, tuple) for v in brain.values()):
        # names of stimuli are for one set of them; what is fitted takes both parts at once
        chosen = parse_measures(options["measure"])
        fitted = [m for m in chosen if m.splits]
        rest = options | {"measure": [m for m in chosen if not m.splits]}
        tables = [
            apa.score_patterns(_part(brain, k), _part(models, k) or None, **rest | {"split": s})
            for k, s in enumerate(("train", "test"))
            if rest["measure"]
        ]
        if fitted:
            of_rsa = ("distance", "method", "reference_from") if rest["measure"] else ()
            both = {k: v for k, v in options.items() if k not in of_rsa} | {"measure": fitted}
            tables.append(apa.score_patterns(brain, models or None, **both))
        return tables
    names = None if study.inputs.patterns is None else study.inputs.patterns.stimuli
    return [apa.score_patterns(brain, models or None, stimuli=names, **options)]


def _made_rdms(study: StudyFile, named: dict[str, Any]) -> RDMSet:
    """RDMs of the patterns of brain and models; of the test part where there are two."""
    import apastats as apa

    chosen, patterns = study.rdms_from_patterns, study.inputs.patterns
    if chosen is None or patterns is None:
        raise StudyError("rdms_from_patterns without inputs.patterns")
    options = chosen.model_dump(exclude={"noise"})
    options |= {"noise": load_array(chosen.noise), "stimuli": patterns.stimuli}
    brain: RDMSet = apa.rdms_from_patterns(_part(named["patterns"], 1), **options)
    named["rdms"] = brain
    if "model_patterns" in named:
        # noise and folds belong to measurements of brains
        plain = {k: options[k] for k in ("backend", "device", "dtype")}
        names = list(dict.fromkeys(patterns.stimuli or [])) or None
        named["models"] = apa.rdms_from_patterns(
            _part(named["model_patterns"], 1), names=("model", "layer"), stimuli=names, **plain
        )
    return brain


def load_array(path: str | None) -> Any:
    """Array of an npy file, or arrays by name of an npz file; None where there is no path."""
    if path is None:
        return None
    file = Path(path)
    if not file.is_file():
        raise ReadError(path, "not an npy or npz file of arrays (there is no such file)")
    if not zipfile.is_zipfile(file):
        return load_npy(file)
    arrays, objects = load_npz(file)
    if objects or not arrays:
        raise ReadError(path, f"not an npz file of arrays; Python objects: {list(objects)}")
    # names of several are labels, as in files of patterns
    return (
        next(iter(arrays.values()))
        if len(arrays) == 1
        else {tuple(k.split("/")): v for k, v in arrays.items()}
    )


def fitted_models(chosen: FittedSection, named: Mapping[str, Any]) -> list[Any]:
    """Models to be fitted, and the RDMs beside them, of the inputs by their names."""
    import apastats as apa

    sets = {k: v for k, v in named.items() if hasattr(v, "vectors")}

    def rdms(name: str, key: str) -> RDMSet:
        if name not in sets:
            raise StudyError(f"fitted.{key}: got {name!r}; allowed: {', '.join(sets)}")
        found: RDMSet = sets[name]
        return found

    out: list[Any] = []
    for name, model in chosen.models.items():
        place = f"fitted.models.{name}"
        members: Any = load_array(model.array)
        if model.members is not None:
            members = rdms(model.members, f"models.{name}.members")
        options = model.model_dump(exclude={"kind", "members", "where", "array"})
        try:
            if model.where:
                members = members.select(**model.where)
            out.append(apa.fitted(model.kind, members, name=name, **options))
        except InputError as error:
            raise StudyError(f"{place}: {error}") from error
    return out + [rdms(name, "beside") for name in chosen.beside]


def run_network(name: str, network: NetworkInput, scratch: ExitStack) -> Sets:
    """Activations of a network on its stimuli, kept on disk until ``scratch`` is closed."""
    import apastats as apa

    model = code_of(network.code)(**network.options)
    if not hasattr(model, "named_modules"):
        raise StudyError(
            f"inputs.networks.{name}.code: gave a {type(model).__name__}, no torch module"
        )
    if network.weights is not None:
        import torch

        # weights alone: nothing else of a file is ever unpickled
        model.load_state_dict(torch.load(network.weights, map_location="cpu", weights_only=True))
    folder = Path(scratch.enter_context(tempfile.TemporaryDirectory()))
    parts = {"train": network.stimuli}
    if network.test_stimuli is not None:
        parts["test"] = network.test_stimuli
    options = network.model_dump(
        include={"batch_size", "device", "project", "seed", "frames", "frame_axis", "element"}
    )
    options["transform"] = None if network.transform is None else code_of(network.transform)
    found = {
        part: apa.activations(
            model, _stimuli(path), network.layers, folder=folder / part, **options
        )
        for part, path in parts.items()
    }
    sets = {layer: tuple(f[layer] for f in found.values()) for layer in network.layers}
    return {(name, k): v if len(v) == 2 else v[0] for k, v in sets.items()}


def _stimuli(path: str) -> Any:
    """Stimuli of an npy file, one per row, or a folder of pictures."""
    file = Path(path)
    if file.is_dir():
        return file
    if not file.is_file():
        raise ReadError(path, "not an npy file of stimuli, and no folder of pictures")
    return load_npy(file, mmap=True)


def code_places(study: StudyFile) -> list[str]:
    """Every ``FILE.py:FUNCTION`` that a study would run."""
    networks = study.inputs.networks.values()
    places = [p for n in networks for p in (n.code, n.transform) if p is not None]
    return list(dict.fromkeys(places))


def code_of(place: str) -> Callable[..., Any]:
    """The function that ``FILE.py:FUNCTION`` names; the file is run, as any script is."""
    file, _, function = place.rpartition(":")
    spec = importlib.util.spec_from_file_location("apastats_study_code", file)
    if spec is None or spec.loader is None or not Path(file).is_file():
        raise ReadError(file, "no such file of Python code")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        raise ReadError(file, f"defines no function {function!r}")
    made: Callable[..., Any] = found
    return made


def _hash(value: Any) -> str:
    return str(value.hash) if hasattr(value, "hash") else hash_of_sets(value)
