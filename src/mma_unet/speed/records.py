"""Tables of measurements: a dataclass of plain values per row of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from mma_unet.errors import InputError
from mma_unet.files import replacing

__all__ = ["read_records", "write_records"]

T = TypeVar("T")

_CONVERT: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}


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
        with path.open(newline="", encoding="utf-8") as file:
            return [
                kind(**{name: convert(line[name]) for name, convert in columns.items()})
                for line in csv.DictReader(file)
            ]
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{path} {refusal}") from error


def write_records(path: Path, kind: type[T], rows: Iterable[T], digits: int) -> None:
    """Write one row per record, all or nothing.

    Args:
        path: The CSV file.
        kind: The dataclass of the rows.
        rows: The records.
        digits: Significant digits of the floating-point values.

    Raises:
        InputError: If the file cannot be written.
    """
    try:
        with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(kind)])  # type: ignore[arg-type]
            writer.writeheader()
            for row in rows:
                values = asdict(row).items()  # type: ignore[call-overload]
                writer.writerow(
                    {k: f"{v:.{digits}g}" if isinstance(v, float) else v for k, v in values}
                )
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose another --out"
        ) from error
