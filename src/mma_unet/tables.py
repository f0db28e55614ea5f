"""Tables in and out: CSV files as rows, mappings or dataclass records; Markdown.

Files are UTF-8 with a header and written whole. Names of files that are no UTF-8 keep their bytes.
A cell of text that a spreadsheet would take for a formula is written with an apostrophe before it,
which is how one says "text" there, and read without it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

from mma_unet.errors import InputError
from mma_unet.files import printable, write_text

__all__ = [
    "escaped",
    "markdown",
    "read_records",
    "read_rows",
    "read_table",
    "write_records",
    "write_rows",
    "write_table",
]

T = TypeVar("T")

_FORMULA = frozenset("=+-@\t\r\n")
_CONVERT: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}


def read_table(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file.

    Raises:
        InputError: The file is missing, empty, or a row has another length than the header.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows = filter(None, csv.reader(file))
    except (OSError, csv.Error, ValueError) as error:
        raise InputError(f"{path} cannot be read as a CSV table ({error}).") from None
    if any(len(row) != len(header) for row in rows):
        raise InputError(f"{path} is not a CSV table: its rows differ in length.")
    return [_unmarked(name) for name in header], [[_unmarked(c) for c in row] for row in rows]


def write_table(
    path: str | Path,
    header: Sequence[str],
    rows: Iterable[Iterable[object]],
    *,
    digits: int | None = None,
) -> None:
    """Write a CSV file, all or nothing.

    Args:
        path: The file; missing folders are made.
        header: Names of the columns.
        rows: The cells, as many in each row.
        digits: Significant digits of floating-point values; None for all of them.

    Raises:
        InputError: The place cannot be written.
    """
    buffer = io.StringIO()
    for row in (header, *rows):
        cells = [
            f"{cell:.{digits}g}" if digits and isinstance(cell, float) else _marked(cell)
            for cell in row
        ]
        # A carriage return alone is quoted from Python 3.13 on only.
        odd = any("\r" in str(cell) for cell in cells)
        quoted = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
        (quoted if odd else csv.writer(buffer, lineterminator="\n")).writerow(cells)
    write_text(path, buffer.getvalue(), errors="surrogateescape")


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file, each by column.

    Raises:
        InputError: As `read_table`.
    """
    header, rows = read_table(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def write_rows(
    path: str | Path, rows: Sequence[Mapping[str, object]], *, digits: int | None = None
) -> None:
    """Write rows by column, as `write_table`; a row may lack columns that others have."""
    header = list(dict.fromkeys(key for row in rows for key in row))
    write_table(path, header, ([row.get(key, "") for key in header] for row in rows), digits=digits)


def read_records(path: Path, kind: type[T], refusal: str) -> list[T]:
    """The rows of a CSV file that `write_records` wrote.

    Args:
        path: The file.
        kind: A dataclass whose fields are `int`, `float` or `str`.
        refusal: What to say, after the path, of a file that holds something else.

    Raises:
        InputError: If it does, or cannot be read.
    """
    columns = {field.name: _CONVERT[str(field.type)] for field in fields(kind)}  # type: ignore[arg-type]
    try:
        return [
            kind(**{name: convert(row[name]) for name, convert in columns.items()})
            for row in read_rows(path)
        ]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} {refusal}") from error


def write_records(path: Path, kind: type[T], records: Iterable[T], digits: int) -> None:
    """Write one row per record of the dataclass `kind`, as `write_table`."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    write_table(path, names, map(astuple, records), digits=digits)  # type: ignore[arg-type]


def _marked(cell: object) -> object:
    """Text that begins like a formula with an apostrophe before it; numbers as they are."""
    if not isinstance(cell, str) or cell.lstrip("'")[:1] not in _FORMULA:
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _unmarked(cell: str) -> str:
    marked = cell.startswith("'") and cell.lstrip("'")[:1] in _FORMULA
    return cell[1:] if marked else cell


def escaped(text: str) -> str:
    r"""Text as it is to be read in Markdown: whatever would be markup, links or HTML is escaped.

    Example:
        >>> print(escaped("a_b | <b>*x*</b>"))
        a\_b \| \<b\>\*x\*\</b\>
    """
    return re.sub(r"([\\`*_\[\]<>|#~$])", r"\\\1", printable(text))


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1) -> str:
    """A Markdown table, without a line break at its end.

    Args:
        header: Names of the columns.
        rows: The cells, as many in each row; they may hold Markdown, see `escaped`.
        left: How many of the first columns hold text; the others are aligned as numbers.

    Example:
        >>> print(markdown(["model", "ms"], [["tiny", 31]]))
        | model | ms |
        | --- | ---: |
        | tiny | 31 |
    """
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    lines = (" | ".join(_cell(cell) for cell in row) for row in (header, rule, *rows))
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: object) -> str:
    """A cell that does not end before its time."""
    return re.sub(r"(?<!\\)\|", r"\|", printable(str(value)))
