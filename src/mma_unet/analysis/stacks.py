"""The CKA matrices of several trainings, kind by kind, in both countings of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mma_unet.analysis.layers import Layer, paper_layers

__all__ = ["INDEXINGS", "Matrix", "Sample", "Stack", "stack"]

Matrix = npt.NDArray[np.float64]

INDEXINGS = ("paper", "operations")
"""The two ways to count layers; see `mma_unet.analysis.layers`."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The matrices of one training, over operations.

    Attributes:
        name: Where it comes from.
        guided: Whether its IR encoder is guided.
        vi_digest: Digest of the VI encoder, as trainings may share one.
        vi_layers: Operations of the VI encoder.
        ir_layers: Operations of the IR encoder.
        matrices: By name, `vi` and `ir` square, `cross` IR by VI, `images` of shape (1, 1).
    """

    name: str
    guided: bool
    vi_digest: str
    vi_layers: tuple[Layer, ...]
    ir_layers: tuple[Layer, ...]
    matrices: dict[str, Matrix]


@dataclass(frozen=True, eq=False)
class Stack:
    """One matrix over several trainings.

    Attributes:
        rows: Operations of the rows.
        columns: Operations of the columns.
        values: `(trainings, rows, columns)`.
    """

    rows: tuple[Layer, ...]
    columns: tuple[Layer, ...]
    values: Matrix

    def indexed(self, indexing: str) -> Matrix:
        """The values with rows and columns as operations or as the paper counts them."""
        if indexing == "operations":
            return self.values
        return self.values[:, paper_layers(self.rows)][:, :, paper_layers(self.columns)]

    def labels(self, indexing: str) -> tuple[list[Layer], list[Layer]]:
        """What the rows and columns of `indexed` are."""
        if indexing == "operations":
            return list(self.rows), list(self.columns)
        rows, columns = self.rows, self.columns
        return [rows[i] for i in paper_layers(rows)], [columns[i] for i in paper_layers(columns)]

    def mean(self, indexing: str) -> Matrix:
        """Mean over the trainings."""
        return np.asarray(self.indexed(indexing).mean(axis=0))

    def spread(self, indexing: str) -> Matrix:
        """Standard deviation over the trainings; NaN if there is only one."""
        values = self.indexed(indexing)
        if len(values) < 2:
            return np.full(values.shape[1:], np.nan)
        return np.asarray(values.std(axis=0, ddof=1))


def stack(samples: Sequence[Sample]) -> dict[str, Stack]:
    """The matrices of all trainings by kind.

    Args:
        samples: Trainings; those of one kind have the same layers.

    Returns:
        `vi` over all different VI encoders, `ir_guided`, `cross_guided`, `ir_plain` and
        `cross_plain` over the trainings of that kind, as far as there are any.

    Raises:
        ValueError: The layers of a kind differ.
    """
    unique = {sample.vi_digest: sample for sample in samples}
    stacks = {"vi": _stack(list(unique.values()), "vi")}
    for kind in ("guided", "plain"):
        members = [sample for sample in samples if sample.guided == (kind == "guided")]
        if members:
            stacks[f"ir_{kind}"] = _stack(members, "ir")
            stacks[f"cross_{kind}"] = _stack(members, "cross")
    return stacks


def _stack(samples: Sequence[Sample], name: str) -> Stack:
    layers = {
        (
            sample.vi_layers if name == "vi" else sample.ir_layers,
            sample.ir_layers if name == "ir" else sample.vi_layers,
        )
        for sample in samples
    }
    if len(layers) > 1:
        names = " and ".join(sample.name for sample in samples)
        raise ValueError(f"the encoders of {names} have different layers")
    return Stack(*layers.pop(), np.stack([sample.matrices[name] for sample in samples]))
