"""The command line: parse arguments, call one function, print, exit code."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from specc.tasks.common.plan import Plan

# Each command imports what it needs itself, so that `specc --help` stays quick.

app = typer.Typer(
    help="A compiler from a short fine-tuning spec to a standalone PyTorch project.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="A .toml or .json file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, e.g. optim.lr=0.1."),
]


@app.command()
def init(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The data's folder.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The spec; by default NAME.toml.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Another task than the data suggest.")] = None,
    data_format: Annotated[
        str | None, typer.Option("--format", help="Of the data, where several fit.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model, by its name.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How long to train.")] = None,
    val_fraction: Annotated[
        float | None, typer.Option(help="Validate on such a part of the training data.")
    ] = None,
) -> None:
    """Write a first spec for a folder of data."""
    from specc.init.write import init as write

    options = {"task": task, "format": data_format, "model": model}
    print(write(data, output, **options, epochs=epochs, val_fraction=val_fraction), end="")


@app.command()
def check(
    spec: SpecFile,
    gpus: Annotated[int | None, typer.Option(min=1, help="GPUs of a machine.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines.")] = None,
    overrides: Overrides = None,
) -> None:
    """Say what a training would be.

    Its data, model, batches and learning rate, and what to look at.
    """
    from specc.check.report import check as report

    screen, trains = report(spec, overrides or (), gpus, nodes)
    print(screen, end="")
    if not trains:
        raise typer.Exit(1)


@app.command()
def build(
    spec: SpecFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="The project's folder.")],
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Files in the way stay, as edits of yours.")
    ] = False,
) -> None:
    """Write or update the project of a spec.

    Your edits stay. Where they and the spec change the same lines, both versions stand between
    git's conflict markers, and the exit code is 1.
    """
    _build(spec, overrides, output, adopt=adopt, dry_run=dry_run)


@app.command()
def run(
    spec: SpecFile,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS]", help="Of train.py.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="By default out/NAME OF SPEC.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="GPUs of a machine.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="HOST:PORT where several machines meet.")
    ] = None,
    cpu: Annotated[
        int | None, typer.Option(min=1, help="Processes on the CPU instead of GPUs.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run of before, if there is one.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Build the project of a spec, and train it: with torchrun in several processes."""
    from specc import launch
    from specc.source.diagnostics import visible

    folder = output or Path("out", visible(spec.stem))
    launch.claim(folder, spec, named=output is not None)
    plan, folder = _build(spec, overrides, folder)
    launch.claim(folder, spec, named=True)
    where = launch.where(plan.launch, gpus, nodes, endpoint, cpu)
    launch.train(folder, where, [*["--resume"] * resume, *(arguments or ())])


@app.command()
def diff(
    folder: Annotated[Path, typer.Argument(help="A project.")],
    spec: Annotated[
        Path | None, typer.Argument(help="What a build of it would change; else your edits.")
    ] = None,
    overrides: Overrides = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if there are differences.")
    ] = False,
) -> None:
    """Show your edits, or what a build would change.

    As a patch that `git apply` takes; of a build also because of which keys.
    """
    from specc.build import compare
    from specc.project.diff import colored

    text = compare(folder, spec, overrides or ())
    terminal = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(*colored(text), sep="\n") if text and terminal else print(text, end="")
    if text and exit_code:
        sys.exit(1)


@app.command()
def explain(
    spec: SpecFile,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A line, e.g. train.py:40 or out/train.py:40-45, or a key."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A built project, for the lines it has now."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Tell which keys shape a line, or which lines a key."""
    from specc.explain import search as explainer

    print(explainer.explain(spec, what, overrides or (), output))


@app.command()
def models(
    text: Annotated[
        str,
        typer.Argument(help="Only those with this text in a name, of the model or its weights."),
    ] = "",
    task: Annotated[str | None, typer.Option(help="Only models for this task.")] = None,
    max_params: Annotated[
        float | None, typer.Option(help="Only models of so many million parameters or fewer.")
    ] = None,
    min_acc1: Annotated[
        float | None, typer.Option(help="Only models with this accuracy on ImageNet-1K, per cent.")
    ] = None,
) -> None:
    """List the models that can be fine-tuned."""
    from specc.catalog.table import table

    print(table(text, task, max_params, min_acc1))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    from specc.language.schema import schema_text
    from specc.tasks import LANGUAGES

    print(schema_text(LANGUAGES), end="")


@app.command()
def migrate(spec: SpecFile) -> None:
    """Rewrite a spec in the newest version of the language.

    All else in it stays as it is, comments included.
    """
    from specc.source.migrate import migrate_file

    print(migrate_file(spec))


def _build(
    spec: Path, overrides: list[str] | None, output: Path | None, **options: bool
) -> tuple["Plan", Path]:
    """Build, and exit where that leaves something to be done by hand; the plan and the folder."""
    from specc import build as builder
    from specc.source.read import read

    source = read(spec, overrides or ())
    print(*source.notes, sep="\n", end="\n" * bool(source.notes), file=sys.stderr)
    noted = len(source.notes)
    plan = builder.plan(source)
    print(*source.notes[noted:], sep="\n", end="\n" * bool(source.notes[noted:]), file=sys.stderr)
    folder = output or Path("out", plan.name)
    changes = builder.build(plan, folder, source.tree, **options)
    print(changes)
    if changes.conflicts or changes.broken:
        sys.exit(1)
    return plan, folder


def main() -> None:
    """Run the command line; errors end in a message and an exit code."""
    from specc.source.diagnostics import SpecError, UserError

    if isinstance(sys.stdout, TextIOWrapper):  # file names need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SpecError as error:
        _fail(str(error), 2)
    except UserError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)
