"""The `mma-unet` command: sub-commands, and one way to show bad input."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated

import typer
from rich.text import Text

import mma_unet
from mma_unet.allocator import keep_large_blocks
from mma_unet.cli import (
    ablate,
    align,
    analyze_cka,
    analyze_features,
    asymmetry,
    bench,
    compare,
    data,
    demo,
    evaluate,
    export,
    frontier,
    fuse,
    gallery,
    models,
    rivals,
    study,
    train,
)
from mma_unet.cli.common import Command, be_loud, console, errors, plain, say, warn
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
_analyze = typer.Typer(name="analyze", help="Look into metrics and networks.", no_args_is_help=True)
_align = typer.Typer(
    name="align", help="Align two cameras, once for all of their pairs.", no_args_is_help=True
)
_data = typer.Typer(
    name="data", help="List, download or render infrared/visible data sets.", no_args_is_help=True
)
for _group, _commands in (
    (app, (fuse.fuse, evaluate.evaluate, compare.compare, gallery.gallery, study.study)),
    (app, (train.train, ablate.ablate, models.models, export.export, bench.bench, demo.demo)),
    (_align, (align.calibrate, align.check, align.points)),
    (_data, (data.list_, data.get, data.render)),
    (
        _analyze,
        (analyze_cka.cka, analyze_features.features, frontier.frontier, asymmetry.asymmetry),
    ),
):
    for _function in _commands:
        _group.command(_function.__name__.rstrip("_"), cls=Command)(_function)
_rivals = typer.Typer(
    name="rivals", help="List the methods of others; check and keep their weights."
)
_rivals.callback(invoke_without_command=True)(rivals.rivals)
_rivals.command("get", cls=Command)(rivals.get)
app.add_typer(_rivals)
app.add_typer(_align)
app.add_typer(_data)
app.add_typer(_analyze)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"mma-unet {mma_unet.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", callback=be_loud, expose_value=False, help="Log what is done."
        ),
    ] = False,
) -> None:
    """Options that come before the sub-command."""
    del version, verbose


def run() -> None:
    """Entry point: bad input is one sentence and exit code 2, an interruption is code 130.

    Output that could not be shown, because a stream is closed or full, is code 1 where all else
    went well. The process is ours, so large blocks of memory are kept (see `mma_unet.allocator`).
    """
    _open_streams()
    keep_large_blocks()
    code: int | str | None = 0
    try:
        app()
    except InputError as error:
        message = Text.assemble(("mma-unet:", "bold red"), " ", plain(str(error)))
        errors.print(message, highlight=False, soft_wrap=True)
        code = 2
    except SystemExit as stop:
        code = stop.code
        if code == _INTERRUPTED:
            errors.print("Interrupted; run the same command again to go on.")
    except OSError as error:
        if error.filename is not None:
            warn(f"mma-unet: {error.filename} cannot be used ({error.strerror}): check the path.")
            code = 2
        elif error.errno in (errno.EPIPE, errno.ENOSPC):  # help is printed by others
            console.give_up(error)
        else:
            raise
    sys.exit(_with_lost_output(code))


def _open_streams() -> None:
    """Give closed standard streams a place, so that no file of ours gets their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _with_lost_output(code: int | str | None) -> int | str:
    """The exit code, where output was lost that no reader has closed off."""
    for stream in (console, errors):
        try:
            stream.file.flush()
        except OSError as error:
            stream.give_up(error)
    if console.lost is not None and console.lost.errno != errno.EPIPE:
        warn(f"mma-unet: standard output cannot be written ({console.lost.strerror})", "bold red")
    return code or (1 if console.lost or errors.lost else 0)


if __name__ == "__main__":
    run()
