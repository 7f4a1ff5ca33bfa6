"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import functools
import inspect
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from apastats import __version__
from apastats.errors import ApaError
from apastats.printable import clean
from apastats.studies.unknown_options import Commands

app = typer.Typer(
    name="apastats",
    cls=Commands,
    help="Statistics for brain-model alignment: ceilings, bootstrap, equivalence tests, patterns, reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXIT_DATA = 1  # check found problems and --strict was given
EXIT_USER = 2  # a mistake in arguments, files or data

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output folder.")]
OverwriteFile = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


Pairs = list[str] | None
Names = list[str] | None


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """``OLD=NEW`` texts of an option that may be given several times."""
    from apastats.errors import InputError

    found = {}
    for text in texts or ():
        old, equals, new = text.rpartition("=")
        if not equals or not old or not new:
            raise InputError(option, text, "OLD=NEW" if option == "--rename" else "NAME=VALUE")
        found[old] = new
    return found


def _reading(
    rename: Annotated[
        Pairs, typer.Option(metavar="OLD=NEW", help="Name of a column -> its name here.")
    ] = None,
    defaults: Annotated[
        Pairs, typer.Option(metavar="COLUMN=VALUE", help="A column that the data lack.")
    ] = None,
    wide: Annotated[
        str | None,
        typer.Option(help="model, subject, roi ...: spread over columns; model=A,B names them."),
    ] = None,
    keys: Annotated[Names, typer.Option(help="A further column that tells rows apart.")] = None,
    covariates: Annotated[Names, typer.Option(help="A column kept beside the scores.")] = None,
    ignore: Annotated[Names, typer.Option(help="A column left out.")] = None,
    sep: Annotated[
        str | None, typer.Option(help="Separator of text: comma, semicolon, tab, ...")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal mark of text: . or ,")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of text, e.g. latin-1.")] = None,
    comment: Annotated[str | None, typer.Option(help="What comment lines begin with.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.")] = None,
    layout: Annotated[str | None, typer.Option(help="auto, tidy or scoresheets.")] = None,
    labels: Annotated[
        Pairs, typer.Option(metavar="LABEL=VALUE", help="RDMs: a label that they lack.")
    ] = None,
    stimuli: Annotated[
        str | None, typer.Option(help="RDMs: what holds the names of stimuli.")
    ] = None,
    on_duplicate: Annotated[
        str | None, typer.Option(help="error, or first: keep the first of repeated rows.")
    ] = None,
) -> dict[str, Any]:
    """Options of ``apastats.read`` and ``read_rdms`` that were given."""
    spread: Any = wide
    if wide is not None and "=" in wide:
        role, _, levels = wide.partition("=")
        spread = {role: levels.split(",")}
    found: dict[str, Any] = {
        "rename": _pairs("--rename", rename),
        "defaults": _pairs("--defaults", defaults),
    }
    found |= {"wide": spread, "keys": keys, "covariates": covariates, "ignore": ignore, "sep": sep}
    found |= {"decimal": decimal, "encoding": encoding, "comment": comment, "sheet": sheet}
    found |= {"layout": layout, "on_duplicate": on_duplicate}
    found |= {"labels": _pairs("--labels", labels), "stimuli": stimuli}
    return {k: v for k, v in found.items() if v}


def _takes_reader_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of the reader, which it gets as ``reader``."""
    reading = inspect.signature(_reading, eval_str=True)
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        reader = _reading(**{k: values.pop(k) for k in reading.parameters})
        command(**values, reader=reader)

    parameters = [p for p in own.parameters.values() if p.name != "reader"]
    parameters += list(reading.parameters.values())
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options


def _version(value: bool) -> None:
    if value:
        typer.echo(f"apastats {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Statistics for brain-model alignment."""


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        typer.echo(clean(text))


def _finish(study: Any, quiet: bool, as_json: bool) -> None:
    if as_json:
        found = {"folder": str(study.folder), "report": str(study.report_path)}
        typer.echo(json.dumps(found | {"answer": study.answer}, ensure_ascii=False))
    else:
        _say(study.answer, quiet)
        _say(f"report: {study.report_path}", quiet)


class _Progress:
    """Bar with the current step on a terminal; silent otherwise."""

    def __init__(self, quiet: bool) -> None:
        self.on = not quiet and sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        if self.on:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (BarColumn(24), TimeElapsedColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            # how many steps there are is known when the study has been read
            self.task = self.bar.add_task("starting", total=None)
            self.bar.start()
        return self

    def expect(self, total: int) -> None:
        """Number of steps to come."""
        if self.on:
            self.bar.update(self.task, total=total)

    def __call__(self, step: str) -> None:
        if self.on:
            self.bar.update(self.task, description=step, advance=1)

    def __exit__(self, *_: object) -> None:
        if self.on:
            self.bar.stop()


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")] = Path(
        "apastats_demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the simulated study.")] = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a study with a known truth, analyse it, and write a report."""
    from apastats.studies.run_study import run_demo

    with _Progress(quiet or as_json) as progress:
        study = run_demo(out, seed=seed, overwrite=overwrite, progress=progress)
    _finish(study, quiet, as_json)


@app.command()
@_takes_reader_options
def run(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY.TOML", help="The study.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Replace one key, e.g. --set inputs.scores=DIR."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to make.")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Dask scheduler to resample on, e.g. tcp://node:8786."
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    *,
    reader: dict[str, Any],
) -> None:
    """Run a study: from its inputs to a folder with report, tables and figures."""
    from contextlib import nullcontext

    from apastats.studies.inputs import code_places
    from apastats.studies.run_study import run_study
    from apastats.studies.schema import locate_study
    from apastats.studies.starter import toml_value

    # options of the reader stand for keys of [inputs.scores]
    stated = [
        f"inputs.{'rdms' if k in ('labels', 'stimuli') else 'scores'}.{k}={toml_value(v)}"
        for k, v in reader.items()
    ]
    assignments = [*(assignments or []), *stated]
    if scheduler is None:
        where: Any = nullcontext()
    else:
        from apastats.resampling.cluster import cluster

        where = cluster(scheduler)
        assignments.append("bootstrap.n_jobs=-1")
    for place in code_places(locate_study(study_file, assignments)[0]):
        sys.stderr.write(f"runs the Python code of {clean(place)}\n")
    with where, _Progress(quiet or as_json) as progress:
        study = run_study(
            study_file,
            assignments=assignments,
            output=out,
            overwrite=overwrite,
            progress=progress,
        )
    _finish(study, quiet, as_json)


@app.command()
@_takes_reader_options
def init(
    data: Annotated[
        list[str], typer.Argument(help="Scores (files, folder, pattern) or brain RDMs.")
    ],
    models: Annotated[Path | None, typer.Option(help="Model RDMs, with brain RDMs.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Study file to write.")] = Path(
        "study.toml"
    ),
    bounds: Annotated[
        str | None, typer.Option(help="Margin: the smallest difference in score that matters.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show every key, with its default.")] = False,
    overwrite: OverwriteFile = False,
    quiet: Quiet = False,
    *,
    reader: dict[str, Any],
) -> None:
    """Write a study file to start from; a margin that is not given is asked for, or left to fill in."""
    from apastats.studies.starter import typed_margin, write_starter

    if bounds is None and not quiet and sys.stdin.isatty() and sys.stdout.isatty():
        question = "Margin, the smallest difference in score that matters (empty: state it later)"
        bounds = typer.prompt(question, default="", show_default=False)
    margin = typed_margin(bounds or "")
    written = write_starter(
        data, out, models=models, overwrite=overwrite, options=reader, bounds=margin, full=full
    )
    _say(f"study: {written}", quiet)
    if margin is None:
        _say(f"state the margin in it: equivalence.bounds; then: apastats run {written}", quiet)


@app.command()
def schema() -> None:
    """Print the JSON schema of study.toml, by which editors complete and check it."""
    from apastats.studies.study_schema import schema_text

    typer.echo(schema_text(), nl=False)


@app.command()
def plan(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY.TOML", help="The study.")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace one key.")
    ] = None,
    pilot: Annotated[
        Path | None, typer.Option(help="Finished study whose variances give the power.")
    ] = None,
    n: Annotated[
        list[int] | None, typer.Option("--n", help="Subjects at which power is simulated.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a plan.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Freeze margins, tests, exclusions, layer rule and power of a study under a hash, before it is run."""
    from apastats.studies.plan import read_plan, write_plan

    made = write_plan(
        study_file, assignments=assignments or (), pilot=pilot, n=n or (), overwrite=overwrite
    )
    code = read_plan(made)["hash"]
    if as_json:
        typer.echo(json.dumps({"plan": str(made), "hash": code}))
    else:
        _say(f"plan: {made}\nsummary: {made.with_suffix('.md')}\nSHA-256: {code}", quiet)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study, or a plan.")],
    tolerance: Annotated[
        float | None,
        typer.Option(help="Let numbers differ by this share of the largest of their column."),
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run Python files that the study names.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run a finished study again and compare every number, word and figure; exit code 1 if any differs."""
    from apastats.studies.plan import SUFFIX, read_plan
    from apastats.studies.verify_study import verify_study

    if folder.name.endswith(SUFFIX):
        code = read_plan(folder)["hash"]
        if as_json:
            typer.echo(json.dumps({"same": True, "hash": code}))
        else:
            _say(f"{folder}: unchanged, {code}", quiet)
        return
    with _Progress(quiet or as_json) as progress:
        differences = verify_study(
            folder, tolerance=tolerance, allow_code=allow_code, progress=progress
        )
    if as_json:
        found = [{"result": d.result, "difference": d.what} for d in differences]
        typer.echo(json.dumps({"same": not differences, "differences": found}, ensure_ascii=False))
    else:
        for d in differences:
            typer.echo(clean(f"{d.result}: {d.what}"))
        if not differences:
            within = "" if tolerance is None else f" within {tolerance:g}"
            _say(f"{folder}: every number is the same{within}, and every word", quiet)
    if differences:
        raise typer.Exit(EXIT_DATA)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study.")],
    quiet: Quiet = False,
) -> None:
    """Render the report of a finished study again, without computing anything."""
    from apastats.studies.run_study import render_again

    _say(f"report: {render_again(folder)}", quiet)


@app.command()
def cite(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study.")],
    text: Annotated[bool, typer.Option("--text", help="Plain text instead of BibTeX.")] = False,
) -> None:
    """Print the references of exactly the methods that a study used."""
    from apastats.reporting.references import references
    from apastats.studies.folder import read_folder

    found = references(*read_folder(folder).results.values())
    typer.echo(found.text() if text else found.bibtex())


@app.command()
def view(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study.")],
    print_only: Annotated[bool, typer.Option("--print", help="Print the address only.")] = False,
) -> None:
    """Open the report of a finished study in the browser."""
    page = folder / "report.html"
    if not page.is_file():
        from apastats.studies.folder import no_study

        raise no_study(folder, FileNotFoundError("it holds no report.html"))
    address = page.resolve().as_uri()
    typer.echo(address)
    if not print_only:
        typer.launch(address)


@app.command()
@_takes_reader_options
def check(
    data: Annotated[
        list[str],
        typer.Argument(help="Scores (files, folder, pattern), RDMs or response patterns."),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there is a problem.")
    ] = False,
    as_json: AsJson = False,
    *,
    reader: dict[str, Any],
) -> None:
    """Say what the data are, what each column is taken for, what is wrong, and what to type next."""
    import apastats

    found = apastats.check(data[0] if len(data) == 1 else data, **reader)
    if as_json:
        rows = found.tidy().to_dict(orient="records")
        typer.echo(
            json.dumps({"items": rows, "reading": found.info["reading"]}, ensure_ascii=False)
        )
    else:
        _print_check(found, " ".join(data))
    if found.info["refused"]:
        raise typer.Exit(EXIT_USER)
    if strict and len(found.problems):
        raise typer.Exit(EXIT_DATA)


@app.command()
def formats() -> None:
    """List what can be read: files, objects, names of columns, codes for missing values."""
    from apastats.io.described import formats_page

    typer.echo(formats_page(), nl=False)


def _print_check(found: Any, title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "note": "yellow", "problem": "bold red"}
    table = Table(title=Text(clean(title)), title_justify="left")
    for column in ("item", "value", "status", "detail"):
        table.add_column(column, overflow="fold")
    for row in found.table.itertuples(index=False):
        table.add_row(
            Text(clean(row.item)),
            Text(clean(row.value)),
            Text(row.status, style=colours[row.status]),
            Text(clean(row.detail)),
        )
    console = Console() if sys.stdout.isatty() else Console(width=140)
    console.print(table)
    for line in found.info["reading"]:
        console.print(Text(clean(line)))


@app.command()
def calibrate(
    trials: Annotated[
        list[str] | None, typer.Argument(metavar="[TRIAL]...", help="What to try; all by default.")
    ] = None,
    n: Annotated[
        list[int] | None, typer.Option("--n", help="Subjects; repeat for several.")
    ] = None,
    design: Annotated[
        list[str] | None,
        typer.Option(help="normal, skewed, heavy, unequal, ties; repeat for several."),
    ] = None,
    pilot: Annotated[
        Path | None, typer.Option(help="Scores whose regions, models and spreads are taken.")
    ] = None,
    n_replicate: Annotated[int, typer.Option(help="Simulated studies per design and n.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    n_jobs: Annotated[int, typer.Option(help="Workers.")] = 1,
    workdir: Annotated[
        Path | None, typer.Option(help="Folder of finished blocks, to go on after an interruption.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Markdown file to write the table to.")
    ] = None,
    overwrite: OverwriteFile = False,
) -> None:
    """Measure error rates, coverage and power of the defaults on simulated studies, for your own design."""
    from apastats.folders import refuse_file, replacing
    from apastats.planning.calibrate import calibrate as measure
    from apastats.planning.levels import to_page

    if out is not None:
        refuse_file(out, overwrite)
    source: Any = design or "normal"
    if pilot is not None:
        from apastats.io.read import read

        source = read(pilot)
    options: dict[str, Any] = {"n": n or [8, 10], "n_replicate": n_replicate, "rng": seed}
    # whether it can be written is known before hours of work
    with replacing(*([] if out is None else [out])) as parts:
        found = measure(trials or None, design=source, n_jobs=n_jobs, workdir=workdir, **options)
        page = to_page(found)
        for part in parts:
            part.write_text(page, "utf-8")
    if out is None:
        typer.echo(page)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    layout: Annotated[
        str, typer.Option(help="tidy or scoresheets (the published layout, dirt included).")
    ] = "tidy",
    subjects: Annotated[int, typer.Option(help="Subjects.")] = 10,
    models: Annotated[int, typer.Option(help="Models.")] = 6,
    layers: Annotated[int, typer.Option(help="Layers per model.")] = 5,
    tied: Annotated[int, typer.Option(help="Models that are truly the best, all equal.")] = 2,
    published: Annotated[
        bool, typer.Option("--published", help="The 47 published models with their layers.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write a simulated study with a known truth."""
    import apastats
    from apastats.io.bmd import BMD_EXTRA_ROIS, BMD_MODELS, BMD_ROIS

    sheets = layout == "scoresheets"
    study = apastats.simulate(
        n_subject=subjects,
        n_model=models,
        n_layer=list(BMD_MODELS.values()) if published else layers,
        models=list(BMD_MODELS) if published else None,
        n_tied=tied,
        rois=[*BMD_ROIS, *BMD_EXTRA_ROIS] if sheets else None,
        metrics=("rsa", "linear_predictivity") if sheets else ("rsa",),
        rng=seed,
    )
    written = study.write(folder, layout=layout, overwrite=overwrite)
    _say(f"study: {written}", quiet)


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"error: {clean(message)}\n")
    sys.exit(EXIT_USER)


def main() -> NoReturn:
    """Entry point: a user's mistake ends in one clear line and exit code 2, never in a traceback."""
    import gc
    import warnings

    # one command makes many objects and drops them at its end: collecting less often saves a tenth of its time
    gc.set_threshold(100_000, 20, 20)

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        from apastats.errors import ApaWarning

        if issubclass(category, ApaWarning):
            sys.stderr.write(f"warning: {clean(str(message))}\n")

    warnings.showwarning = show
    for name in ("stdout", "stderr"):  # closed by the caller (>&-)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show is escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except ApaError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a folder that may not be written, an over-long name
        places = [str(f) for f in (error.filename, error.filename2) if f is not None]
        _fail(": ".join([*places[-1:], error.strerror or str(error) or type(error).__name__]))
    except UnicodeError as error:
        _fail(f"a text that cannot be read or written in this encoding: {error}")
    except MemoryError as error:
        _fail(
            f"there is not enough memory ({str(error) or 'none left'}); use less at a time (batch=, "
            "n_resamples instead of 'exact'), or fewer data"
        )
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    sys.exit(0)
