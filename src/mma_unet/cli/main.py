"""The `mma-unet` command: sub-commands, and one way to show bad input."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Annotated

import typer
from rich.markup import escape

import mma_unet
from mma_unet.allocator import keep_large_blocks
from mma_unet.cli import (
    ablate,
    analyze,
    asymmetry,
    bench,
    compare,
    data,
    demo,
    evaluate,
    export,
    fuse,
    gallery,
    models,
    study,
    train,
)
from mma_unet.cli.common import BadPlaceError, console, errors
from mma_unet.errors import InputError

_INTERRUPTED = 130
"""Exit code into which Typer turns Ctrl-C."""

app = typer.Typer(
    name="mma-unet",
    help="Fuse infrared and visible images with the asymmetric MMA-UNet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(fuse.fuse)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(gallery.gallery)
app.command()(study.study)
app.command()(train.train)
app.command()(ablate.ablate)
app.command()(models.models)
app.command()(export.export)
app.command()(bench.bench)
app.command()(demo.demo)
analyze.app.command("asymmetry")(asymmetry.asymmetry)
app.add_typer(data.app)
app.add_typer(analyze.app)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"mma-unet {mma_unet.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False,
) -> None:
    """Options that come before the sub-command."""
    del version
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s")
    if not verbose:
        warnings.filterwarnings("ignore")
        logging.getLogger("lightning").setLevel(logging.ERROR)
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def run() -> None:
    """Entry point: bad input is one sentence and exit code 2, an interruption is code 130.

    The process is ours, so large blocks of memory are kept (see `mma_unet.allocator`).
    """
    keep_large_blocks()
    try:
        app()
    except (InputError, BadPlaceError) as error:
        message = f"[bold red]mma-unet:[/bold red] {escape(str(error))}"
        errors.print(message, highlight=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            errors.print("Interrupted; run the same command again to go on.")
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    run()
