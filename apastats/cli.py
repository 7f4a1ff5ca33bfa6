"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from apastats import __version__
from apastats.errors import ApaError

app = typer.Typer(
    name="apastats",
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
        typer.echo(text)


def _finish(study: Any, quiet: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"folder": str(study.folder), "report": str(study.report_path)}))
    else:
        _say(f"report: {study.report_path}", quiet)


class _Progress:
    """Spinner with the current step on a terminal; silent otherwise."""

    def __init__(self, quiet: bool) -> None:
        self.on = not quiet and sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        if self.on:
            from rich.console import Console

            self.status = Console(stderr=True).status("starting")
            self.status.start()
        return self

    def __call__(self, step: str) -> None:
        if self.on:
            self.status.update(step)

    def __exit__(self, *_: object) -> None:
        if self.on:
            self.status.stop()


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
) -> None:
    """Run a study: from its inputs to a folder with report, tables and figures."""
    from contextlib import nullcontext

    from apastats.studies.run_study import run_study

    if scheduler is None:
        where: Any = nullcontext()
    else:
        from apastats.resampling.cluster import cluster

        where = cluster(scheduler)
        assignments = [*(assignments or []), "bootstrap.n_jobs=-1"]
    with where, _Progress(quiet or as_json) as progress:
        study = run_study(
            study_file,
            assignments=assignments or [],
            output=out,
            overwrite=overwrite,
            progress=progress,
        )
    _finish(study, quiet, as_json)


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="Scores (file or folder) or brain RDMs (npz, h5).")],
    models: Annotated[Path | None, typer.Option(help="Model RDMs, with brain RDMs.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Study file to write.")] = Path(
        "study.toml"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented study file to start from."""
    from apastats.studies.starter import write_starter

    _say(f"study: {write_starter(data, out, models=models, overwrite=overwrite)}", quiet)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished study.")],
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run a finished study again and compare every number bit for bit; exit code 1 if any differs."""
    from apastats.studies.run_study import verify_study

    with _Progress(quiet or as_json) as progress:
        differences = verify_study(folder, progress=progress)
    if as_json:
        found = [{"result": d.result, "difference": d.what} for d in differences]
        typer.echo(json.dumps({"same": not differences, "differences": found}, ensure_ascii=False))
    else:
        for d in differences:
            typer.echo(f"{d.result}: {d.what}")
        if not differences:
            _say(f"{folder}: every number is the same", quiet)
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
        from apastats.errors import ReadError

        raise ReadError(folder, "holds no report.html")
    address = page.resolve().as_uri()
    typer.echo(address)
    if not print_only:
        typer.launch(address)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="Scores (file or folder) or RDMs (npz, h5).")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there is a problem.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is in the data, without analysing it."""
    import apastats

    found = apastats.check(path)
    if as_json:
        rows = found.tidy().to_dict(orient="records")
        typer.echo(
            json.dumps({"items": rows, "reading": found.info["reading"]}, ensure_ascii=False)
        )
    else:
        _print_check(found, path)
    if strict and len(found.problems):
        raise typer.Exit(EXIT_DATA)


def _print_check(found: Any, path: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "note": "yellow", "problem": "bold red"}
    table = Table(title=str(path), title_justify="left")
    for column in ("item", "value", "status", "detail"):
        table.add_column(column, overflow="fold")
    for row in found.table.itertuples(index=False):
        table.add_row(
            Text(row.item),
            Text(row.value),
            Text(row.status, style=colours[row.status]),
            Text(row.detail),
        )
    console = Console() if sys.stdout.isatty() else Console(width=140)
    console.print(table)
    for line in found.info["reading"]:
        console.print(Text(line))


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


def main() -> NoReturn:
    """Entry point: a user's mistake ends in one clear line and exit code 2, never in a traceback."""
    import warnings

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        from apastats.errors import ApaWarning

        if issubclass(category, ApaWarning):
            sys.stderr.write(f"warning: {message}\n")

    warnings.showwarning = show
    try:
        app()
    except ApaError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_USER)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    sys.exit(0)
