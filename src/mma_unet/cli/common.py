"""What every sub-command shares: what it prints with, its options, and how it reads its words."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import time
import warnings
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from mma_unet.errors import InputError
from mma_unet.files import printable, probe
from mma_unet.parts import part_beside


class _Stream(Console):
    """A standard stream that may be closed or full: from then on nothing more is written to it.

    Attributes:
        lost: What the system said about it; `run` makes it the exit code.
    """

    lost: OSError | None = None

    def print(self, *args: Any, **kwargs: Any) -> None:
        """As `Console.print`, without an error of the stream."""
        try:
            super().print(*args, **kwargs)
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: OSError) -> None:
        """Write no more, and let the interpreter flush into nothing at its end."""
        self.lost, self.quiet = error, True
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


console = _Stream()
errors = _Stream(stderr=True)

Runtime = StrEnum("Runtime", ["auto", "torch", "onnxruntime", "openvino"])
Precision = StrEnum("Precision", ["auto", "fp32", "bf16", "int8"])


def _place(text: str) -> Path:
    """The path or URL that a word of the command line names."""
    from mma_unet.data.storage import locate

    return locate(text)


def place_argument(text: str, name: str) -> Any:
    """An argument that is a path or an fsspec URL."""
    return typer.Argument(help=text, metavar=name, parser=_place)


Ir = Annotated[Path, place_argument("Infrared image, or folder of them.", "IR")]
Vi = Annotated[Path, place_argument("Visible image, or folder of them.", "VI")]
Recursive = Annotated[
    bool, typer.Option("--recursive", help="Search the folders in the folders too.")
]
PairPattern = Annotated[
    str | None,
    typer.Option("--pair", help="How the names of a pair read, e.g. '*_left=*_right', 'X#=X#+1'."),
]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="Shipped weights by name, or a file.")
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="[NAME=]WEIGHTS of ours; may be given again."),
]
Suite = Annotated[str, typer.Option(help="Suite or metric; several are joined by commas.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; chosen by the number of images.")
]
Resamples = Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Use so many pairs only, at even steps.")]
ShowProgress = Annotated[bool, typer.Option("--progress/--no-progress", help="Show the progress.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what is done.")]
Runs = Annotated[Path, typer.Option(help="Folder of the trainings; a rerun goes on there.")]
Seeds = Annotated[int, typer.Option(min=1, help="Train with seeds 0 to N-1.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the data sets.")]
Accelerator = Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu.")]


def out_option(text: str, *names: str) -> Any:
    """The option `-o`, also called `names`, for what `text` says."""
    return typer.Option(*names, "--out", "-o", help=text)


class Command(TyperCommand):
    """A sub-command: `-v` works after its name too, and a wrong word is one sentence.

    Its sources may be named as well, `--ir DIR --vi DIR` for `DIR DIR`.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, and `--verbose` of the main command."""
        root = ctx.find_root().command
        shared = [p for p in root.params if p.name == "verbose"] if root is not self else []
        return [*super().get_params(ctx), *shared]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words.

        Raises:
            InputError: They are not understood.
        """
        try:
            return super().parse_args(ctx, self._in_place(args))
        except _UsageError as error:
            text: str = error.format_message()  # type: ignore[attr-defined]
            raise InputError(text.replace("Value error, ", "")) from None

    def _in_place(self, args: Sequence[str]) -> list[str]:
        """`args` with sources that are named in the places of those that are not."""
        arguments = (p.name for p in self.params if p.param_type_name == "argument")
        sources = [name for name in arguments if name in ("ir", "vi", "fused")]
        named: dict[str, str] = {}
        rest: list[str] = []
        words = iter(args)
        for word in words:
            option, equals, value = word.partition("=")
            if option.removeprefix("--") in sources and option.startswith("--"):
                named[option[2:]] = value if equals else next(words, "")
            else:
                rest.append(word)
            if word == "--":
                break
        if named and len(named) < len(sources):
            raise InputError(f"give all of {' '.join(f'--{s}' for s in sources)} by name, or none")
        return [*(named[source] for source in sources if named), *rest, *words]

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with the log as loud as `-v` says."""
        loud = ctx.meta.get(_LOUD, False)
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable())
        logging.basicConfig(handlers=[handler])
        logging.getLogger().setLevel(logging.INFO if loud else logging.WARNING)
        if not loud:
            warnings.filterwarnings("ignore")
            for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
                logging.getLogger(name).setLevel(logging.WARNING)
        return super().invoke(ctx)


_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
_LOUD = "mma_unet.verbose"


class _Printable(logging.Formatter):
    """Messages with file names that are to do nothing to the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, and what was raised, line by line."""
        return "\n".join(map(printable, super().format(record).split("\n")))


def be_loud(ctx: typer.Context, verbose: bool) -> None:
    """Callback of `--verbose`, before or after the name of the sub-command."""
    if verbose:
        ctx.meta[_LOUD] = True


def plain(text: str, style: str = "") -> Text:
    """Text that is shown as it is: no markup, no emoji, no escape sequences, one line."""
    return Text(printable(text), style=style)


def say(*lines: str) -> None:
    """Print as it is, each in one line however long."""
    for line in lines:
        console.print(plain(line), highlight=False, soft_wrap=True)


def warn(text: str, style: str = "yellow") -> None:
    """Print to standard error as it is."""
    errors.print(plain(text, style), highlight=False, soft_wrap=True)


def show(
    header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", caption: str = ""
) -> None:
    """Print a table: words at the left of their columns, numbers at the right."""
    rows = list(map(list, rows))
    table = Table(title=plain(title, "table.title") if title else None)
    table.caption = plain(caption) if caption else None
    for name, column in zip(header, zip(*rows, strict=True), strict=True):
        numbers = all(cell[:1] in "+-−–" or cell[0].isdigit() for cell in column if cell)
        table.add_column(
            plain(name), justify="right" if numbers else "left", no_wrap=not table.columns
        )
    for row in rows:
        table.add_row(*map(plain, row))
    console.print(table)


def need(module: str, *, extra: str) -> None:
    """Check that an optional dependency is installed.

    Raises:
        InputError: If not, with the command that installs it.
    """
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"this command needs {module}, which is not installed: pip install 'mma-unet[{extra}]'"
        )


def check_writable(folder: Path) -> None:
    """Make `folder` and check that files can be written there, before any work is done.

    Raises:
        InputError: If not.
    """
    from mma_unet.data.storage import is_remote, write_atomically

    if is_remote(folder):
        trial = part_beside(folder / "trial")
        write_atomically(trial, b"?")
        trial.unlink()
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error.strerror}): choose another folder for -o"
        ) from error


def cost(start: float) -> str:
    """Wall time since `start` (of `time.monotonic`) and the peak memory of this process."""
    from mma_unet.machine import peak_memory

    return f"Took {time.monotonic() - start:.1f} s, peak memory {peak_memory() / 1e6:.0f} MB"
