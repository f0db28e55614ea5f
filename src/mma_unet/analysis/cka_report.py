"""What the CKA matrices say, in numbers, beside what the paper says (sections 1 and 3.4).

The paper reads its heatmaps by eye. Here every statement is a number that is computed for each
training by itself, so that it has a mean and a spread (the standard deviation over trainings):

- **Turning distinct.** A matrix of CKA is a matrix of inner products of the layers (of their
  centered Gram matrices, scaled to length 1). `last_shallow` cuts the sequence of layers in two so
  that the squared distances of the layers to the mean of their part are smallest: the best cut of
  a kernel change-point search. The last layer before the cut is the `d` of the paper's "distinct
  after layer d". No threshold enters; `contrast` says how distinct the two parts are (0: not).
- **Lag.** `d` of IR less `d` of VI; and by the ridge of the cross-modal matrix: how many layers
  further on the IR layer lies that is most similar to a VI layer, on average over the VI layers.
- **Effect of guidance.** `d` of guided IR less `d` of plain IR, and the difference of the CKA
  between IR and VI at the same level.
- **The first 30 IR and the first 20 VI layers.** If IR is the slower one, IR layers 21 to 30 are
  closer to VI layers 1 to 20 than VI layers 21 to 30 are to IR layers 1 to 20.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mma_unet.analysis.layers import Layer, level_ends, paper_layers
from mma_unet.analysis.stacks import Matrix, Sample, Stack, stack

__all__ = ["Finding", "findings", "last_shallow", "ridge_lag"]

_NEAR = 5
"""Layers within which a place agrees with the paper's: less than half a block of 11."""


class Finding(NamedTuple):
    """A number that the matrices give.

    Attributes:
        key: Its name in `verdict.json`.
        text: What it is.
        values: For each training; a single one where it compares two groups.
        spread: Standard deviation; NaN if it is not known.
        paper: The paper's number, if it has one.
        agrees: `"yes"` or `"no"`; `"open"` where the spread is too large to tell; `""` where
            nothing is claimed.
    """

    key: str
    text: str
    values: tuple[float, ...]
    spread: float
    paper: float | None = None
    agrees: str = ""

    @property
    def mean(self) -> float:
        """Mean over the trainings."""
        return float(np.mean(self.values))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        spread = None if math.isnan(self.spread) else self.spread
        return {**self._asdict(), "spread": spread, "mean": self.mean, "values": list(self.values)}


def last_shallow(matrix: Matrix) -> tuple[int, float]:
    """Where a network's features turn distinct: the best cut of its layers into two parts.

    Of a similarity matrix `S`, the cut after layer `d` maximizes
    `d (L - d) / L * (mean S_11 + mean S_22 - 2 mean S_12)` over the blocks that it makes, which is
    the same as the least squared distance of the layers to the mean of their part.

    Args:
        matrix: `(L, L)`, L >= 2, CKA within one network.

    Returns:
        `d`, the number of layers before the cut, so the last shallow layer counted from 1; and the
        contrast, the bracket at that cut: 0 if both parts are one, 2 if they share nothing.

    Example:
        >>> s = np.kron(np.eye(2), np.ones((3, 3)))
        >>> last_shallow(s)
        (3, 2.0)
    """
    count = len(matrix)
    contrasts = []
    for d in range(1, count):
        inner, outer, between = matrix[:d, :d], matrix[d:, d:], matrix[:d, d:]
        contrasts.append(float(inner.mean() + outer.mean() - 2 * between.mean()))
    gains = [c * d * (count - d) for d, c in enumerate(contrasts, 1)]
    best = int(np.argmax(gains))
    return best + 1, contrasts[best]


def ridge_lag(cross: Matrix, rows: Sequence[Layer], columns: Sequence[Layer]) -> float:
    """How many of the paper's layers IR is behind VI, by the ridge of the cross-modal matrix.

    Args:
        cross: `(rows, columns)` CKA over operations of IR (rows) and VI (columns).
        rows: Operations of IR.
        columns: Operations of VI.

    Returns:
        Mean over the VI operations of the place of the most similar IR operation less their own,
        both in the paper's count; positive if IR reaches the same features later.
    """
    ir_places, vi_places = _paper_places(rows), _paper_places(columns)
    return float(np.mean(ir_places[cross.argmax(axis=0)] - vi_places))


def _paper_places(layers: Sequence[Layer]) -> npt.NDArray[np.int64]:
    """For each operation its first place in the paper's count, from 1; a gate has its level's."""
    paper = paper_layers(layers)
    first = {operation: place for place, operation in reversed(list(enumerate(paper, 1)))}
    places = [first.get(i, first.get(i - 1, 0)) for i in range(len(layers))]
    return np.array(places, dtype=np.int64)


def findings(samples: Sequence[Sample]) -> list[Finding]:
    """Every number of the verdict, with the paper's beside it.

    Args:
        samples: Trainings of one kind or of both.
    """
    stacks = stack(samples)
    images = float(samples[0].matrices["images"][0, 0])
    found = [Finding("images", "CKA of the IR and VI images themselves", (images,), math.nan)]
    cuts: dict[str, list[float]] = {}
    for key, what, paper in (
        ("vi", "VI turns distinct after layer", 12),
        ("ir_guided", "Guided IR turns distinct after layer", 22),
        ("ir_plain", "Plain IR turns distinct after layer", 30),
    ):
        if key in stacks:
            found += _distinct(stacks[key], key, what, paper)
            cuts[key] = [float(last_shallow(m)[0]) for m in stacks[key].indexed("paper")]
    for kind in ("guided", "plain"):
        members = [sample for sample in samples if sample.guided == (kind == "guided")]
        if members:
            found += _lags(members, kind)
            found += _alignment(stacks[f"cross_{kind}"], kind)
    if {"ir_guided", "ir_plain"} <= cuts.keys():
        found += _guidance(stacks, cuts)
    return found


def _distinct(one: Stack, key: str, what: str, paper: float) -> list[Finding]:
    cuts = [last_shallow(matrix) for matrix in one.indexed("paper")]
    operations = [float(last_shallow(matrix)[0]) for matrix in one.values]
    places = [float(d) for d, _ in cuts]
    return [
        _finding(
            f"distinct_{key}", f"{what} (of the paper's count)", places, paper, _near(places, paper)
        ),
        _finding(f"distinct_{key}_operations", f"{what} (of operations)", operations),
        _finding(f"contrast_{key}", "- contrast of the two parts", [c for _, c in cuts]),
    ]


def _near(places: Sequence[float], paper: float) -> str:
    """Whether a place is the paper's: `"open"` where the trainings do not tell."""
    off, spread = abs(float(np.mean(places)) - paper), _deviation(places)
    if spread > _NEAR:
        return "open" if off <= spread else "no"
    return "yes" if off <= _NEAR else "no"


def _lags(members: Sequence[Sample], kind: str) -> list[Finding]:
    by_cut, by_ridge = [], []
    for sample in members:
        one = stack([sample])
        ir, vi = one[f"ir_{kind}"].indexed("paper")[0], one["vi"].indexed("paper")[0]
        by_cut.append(float(last_shallow(ir)[0] - last_shallow(vi)[0]))
        by_ridge.append(ridge_lag(sample.matrices["cross"], sample.ir_layers, sample.vi_layers))
    paper = {"guided": 10.0, "plain": 18.0}[kind]
    return [
        _signed(f"lag_{kind}", f"{kind.capitalize()} IR turns distinct later than VI by layers",
                by_cut, paper),
        _signed(f"ridge_lag_{kind}", f"{kind.capitalize()} IR lags VI along the ridge by layers",
                by_ridge, None, 1),
    ]  # fmt: skip


def _alignment(cross: Stack, kind: str) -> list[Finding]:
    """Similarity of IR and VI at the same level, and the block of the first 30 by 20 layers."""
    rows, columns = level_ends(cross.rows), level_ends(cross.columns)
    levels = min(len(rows), len(columns))
    same = [float(np.mean([m[rows[k], columns[k]] for k in range(levels)])) for m in cross.values]
    found = [_finding(f"same_level_{kind}", f"CKA of {kind} IR and VI at the same level", same)]
    values = cross.indexed("paper")
    if min(values.shape[1:]) < 30:
        return found
    block = values[:, :30, :20].mean(axis=(1, 2))
    rest = (values.sum(axis=(1, 2)) - block * 600) / (values[0].size - 600)
    mirror = values[:, 20:30, :20].mean(axis=(1, 2)) - values[:, :20, 20:30].mean(axis=(1, 2))
    name = f"{kind} IR and VI"
    return [
        *found,
        _finding(f"block_{kind}", f"CKA of the first 30 {kind} IR and 20 VI layers", block),
        _signed(f"block_excess_{kind}", f"- above that of all other layers of {name} by",
                block - rest, None, 1),
        _signed(f"block_asymmetry_{kind}", f"{name}: (21-30, 1-20) above (1-20, 21-30) by",
                mirror, None, 1),
    ]  # fmt: skip


def _guidance(stacks: dict[str, Stack], cuts: dict[str, list[float]]) -> list[Finding]:
    """Guided less plain: two groups of trainings, so one number with the spread of both."""

    def difference(key: str, what: str, groups: Sequence[Sequence[float]], **claim: Any) -> Finding:
        spread = math.hypot(*(_deviation(group) for group in groups))
        change = float(np.mean(groups[0]) - np.mean(groups[1]))
        return _signed(key, what, [change], spread=spread, **claim)

    same = []
    for kind in ("guided", "plain"):
        same.append(_alignment(stacks[f"cross_{kind}"], kind)[0].values)
    moved = np.abs(stacks["ir_guided"].mean("paper") - stacks["ir_plain"].mean("paper")).mean()
    return [
        difference("guidance_distinct", "Guidance moves the turn of IR by layers",
                   [cuts["ir_guided"], cuts["ir_plain"]], paper=-8.0),
        difference("guidance_same_level", "Guidance changes the CKA of IR and VI at a level by",
                   same),
        Finding("guidance_matrix", "Guidance changes the CKA of two IR layers by (mean absolute)",
                (float(moved),), math.nan),
    ]  # fmt: skip


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _finding(
    key: str, text: str, values: Any, paper: float | None = None, agrees: str = ""
) -> Finding:
    plain = tuple(float(value) for value in values)
    return Finding(key, text, plain, _deviation(plain), paper, agrees)


def _signed(
    key: str,
    text: str,
    values: Any,
    paper: float | None = None,
    sign: int = 0,
    spread: float | None = None,
) -> Finding:
    """A difference; it agrees if it has the claimed sign and is larger than its spread."""
    found = _finding(key, text, values, paper)
    if spread is not None:
        found = found._replace(spread=spread)
    sign = int(np.sign(paper)) if paper is not None else sign
    if not sign:
        return found
    if abs(found.mean) <= (0 if math.isnan(found.spread) else found.spread):
        return found._replace(agrees="open" if found.mean else "no")
    return found._replace(agrees="yes" if np.sign(found.mean) == sign else "no")
