"""Tables in and out: CSV files as rows, mappings or dataclass records; Markdown.

Files are UTF-8 with a header and written whole. Names of files that are no UTF-8 keep their bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

from mma_unet.errors import InputError
from mma_unet.files import write_text

__all__ = [
    "markdown",
    "read_records",
    "read_rows",
    "read_table",
    "write_records",
    "write_rows",
    "write_table",
]

T = TypeVar("T")

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
    return header, rows


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
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(
            f"{cell:.{digits}g}" if digits and isinstance(cell, float) else cell for cell in row
        )
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


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1) -> str:
    """A Markdown table, without a line break at its end.

    Args:
        header: Names of the columns.
        rows: The cells, as many in each row.
        left: How many of the first columns hold text; the others are aligned as numbers.

    Example:
        >>> print(markdown(["model", "ms"], [["tiny", 31]]))
        | model | ms |
        | --- | ---: |
        | tiny | 31 |
    """
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (header, rule, *rows))
