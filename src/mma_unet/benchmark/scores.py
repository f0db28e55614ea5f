"""`Scores`: a table of images by metrics, with its means, and in and out of CSV."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mma_unet.errors import InputError
from mma_unet.tables import read_table, write_table

__all__ = ["FloatArray", "Scores", "column_means", "column_medians"]

FloatArray = npt.NDArray[np.float64]


def column_means(values: FloatArray) -> FloatArray:
    """Means over the first axis without NaN; NaN where nothing is left, without a warning."""
    return _quietly(np.nanmean, values)


def column_medians(values: FloatArray) -> FloatArray:
    """Medians over the first axis without NaN; NaN where nothing is left, without a warning."""
    return _quietly(np.nanmedian, values)


def _quietly(reduce: Callable[..., Any], values: FloatArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(reduce(values, axis=0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one folder of fused images.

    Attributes:
        names: The images, `N` of them.
        labels: The metrics, `M` of them, e.g. `("VIF", "SSIM")`.
        values: `(N, M)` float64; NaN where a metric is not defined for an image.
        problems: One sentence for each image that could not be scored.
        notes: What was done to the infrared images before.

    Example:
        >>> table = Scores(("a", "b"), ("VIF",), np.array([[0.25], [0.75]]))
        >>> table.mean()
        {'VIF': 0.5}
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    values: FloatArray
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a table whose parts do not fit."""
        if self.values.shape != (len(self.names), len(self.labels)):
            raise ValueError(
                f"{self.values.shape} values for {len(self.names)} names and "
                f"{len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.names)

    def mean(self) -> dict[str, float]:
        """Mean of each metric over the images it is defined for; NaN where it is for none."""
        return self._by_label(column_means(self.values))

    def median(self) -> dict[str, float]:
        """Median of each metric over the images it is defined for; NaN where it is for none."""
        return self._by_label(column_medians(self.values))

    def undefined(self) -> dict[str, int]:
        """How many images each metric is not defined for."""
        counts = np.isnan(self.values).sum(axis=0)
        return {label: int(n) for label, n in zip(self.labels, counts, strict=True)}

    def _by_label(self, row: FloatArray) -> dict[str, float]:
        return {label: float(value) for label, value in zip(self.labels, row, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """The table for JSON; an undefined value is `None`, an infinite one `"inf"` or `"-inf"`."""
        rows = (self._by_label(row) for row in self.values)
        return {
            "count": len(self),
            "mean": _plain(self.mean()),
            "median": _plain(self.median()),
            "undefined": self.undefined(),
            "images": {name: _plain(row) for name, row in zip(self.names, rows, strict=True)},
            "problems": list(self.problems),
        }

    def to_csv(self, path: str | Path) -> None:
        """Write one line per image, `name` first, at full precision, atomically.

        Raises:
            InputError: The place cannot be written.
        """
        rows = [[name, *row] for name, row in zip(self.names, self.values.tolist(), strict=True)]
        write_table(path, ["name", *self.labels], rows)

    @classmethod
    def from_csv(cls, path: str | Path) -> Scores:
        """Read what `to_csv` wrote.

        Raises:
            InputError: The file is missing or is not such a table.
        """
        header, rows = read_table(path)
        if header[:1] != ["name"]:
            raise InputError(f"{path} is not a table of scores: its first column is not 'name'.")
        try:
            values = np.array([[float(cell) for cell in row[1:]] for row in rows])
        except ValueError as error:
            raise InputError(f"{path} is not a table of scores: {error}.") from None
        names = tuple(row[0] for row in rows)
        return cls(names, tuple(header[1:]), values.reshape(len(names), len(header) - 1))


def _plain(row: dict[str, float]) -> dict[str, float | str | None]:
    return {
        key: value if math.isfinite(value) else None if math.isnan(value) else str(value)
        for key, value in row.items()
    }
