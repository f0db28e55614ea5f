"""Metrics that count gray levels: entropy, cross entropy, mutual information and their kin.

Values are rounded to whole gray levels before counting, so none of these has a gradient.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mma_unet.metrics._common import prepare, stretch
from mma_unet.metrics.registry import metric

_LEVELS = 256
_NAVA_Q = 0.43137


@metric(
    "EN",
    "Entropy of the fused image, bits",
    suites={"canonical": 6, "cddfuse": 1, "vifb": 2},
    smooth=False,
)
def en(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Entropy of the fused image's histogram in bits, 0 to 8; higher means more gray levels used.

    The sources are checked but do not enter. NaN for images that are not finite.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit.

    Example:
        >>> half = torch.tensor([0.0, 1.0]).repeat(8).reshape(1, 1, 4, 4)
        >>> en(half, half, half).item()
        1.0
    """
    fused, _, _ = prepare(fused, ir, vi, data_range)
    return _entropy(_marginal(_levels(fused))).to(fused.dtype)


@metric(
    "CE",
    "Cross entropy, bits (VIFB)",
    suites={"canonical": 29, "vifb": 1},
    better=False,
    smooth=False,
)
def ce(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Cross entropy of VIFB: mean divergence of the sources' histograms from the fused one's.

    In bits; lower is better. Gray levels missing on either side are left out, so the value can fall
    below 0. A fused image that shares no level with the sources gets 0, the best value: on constant
    images the number says nothing. The golden values ask for it.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    target = _marginal(_levels(fused))
    total = torch.zeros_like(target[:, 0])
    for source in (ir, vi):
        given = _marginal(_levels(source))
        both = (given > 0) & (target > 0)
        ratio = torch.where(both, given, 1.0) / torch.where(both, target, 1.0)
        total = total + (given * torch.log2(ratio)).sum(dim=1)
    # A NaN histogram compares as "missing"; put the NaN back.
    return (total / 2 + 0 * target.sum(dim=1)).to(fused.dtype)


@metric("MI", "Mutual information, bits, sum of two", suites={"canonical": 11}, smooth=False)
def mi(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Mutual information in bits, MI(ir, fused) + MI(vi, fused); 0 to 16, higher is better."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    return _mutual_sum(_levels(fused), _levels(ir), _levels(vi)).to(fused.dtype)


@metric("MI_nats", "MI in nats: CDDFuse", suites={"cddfuse": 4}, smooth=False)
def mi_nats(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`mi` in nats (`mi * ln 2`), as CDDFuse's evaluator prints it."""
    return mi(fused, ir, vi, data_range=data_range) * math.log(2)


@metric("MI_eval", "MI with 254 and 255 merged: Evaluation-for-Image-Fusion", smooth=False)
def mi_evalrepo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`mi` with levels 254 and 255 counted as one in the joint histogram only.

    As Evaluation-for-Image-Fusion has it: its 8-bit index saturates. The slip reaches 0.06 bit.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    levels = [_levels(image) for image in (fused, ir, vi)]
    merged = [image.clamp(max=254) for image in levels]
    entropies = [_entropy(_marginal(image)) for image in levels]
    total = 2 * entropies[0] + entropies[1] + entropies[2]
    for source in merged[1:]:
        total = total - _entropy(_joint(source, merged[0]).flatten(1))
    return total.to(fused.dtype)


@metric("MI_vifb", "VIFB: stretched, nats", suites={"vifb": 3}, smooth=False)
def mi_vifb(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """VIFB's mutual information: in nats, after a min-max stretch of each image."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    value = _mutual_sum(*(_stretched_levels(image, flat=0.0) for image in (fused, ir, vi)))
    return (value * math.log(2)).to(fused.dtype)


@metric("Qmi", "Normalized mutual information (Hossny)", suites={"canonical": 22}, smooth=False)
def qmi(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Normalized mutual information (Hossny): `2 sum_X MI(X,F) / (H(X) + H(F))`, 0 to 2.

    After a min-max stretch of each image; NaN when one is constant. Higher is better.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    target = _stretched_levels(fused)
    total = torch.zeros(fused.shape[0], dtype=torch.float64, device=fused.device)
    for source in (ir, vi):
        joint = _joint(_stretched_levels(source), target)
        own, other = _entropy(joint.sum(dim=2)), _entropy(joint.sum(dim=1))
        total = total + 2 * (own + other - _entropy(joint.flatten(1))) / (own + other)
    return total.to(fused.dtype)


@metric("NMI_zoo", "IVIF_ZOO: 2 MI / (H(ir) + H(vi))", smooth=False)
def nmi_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's NMI: twice the summed mutual information over the sources' entropies."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    levels = [_levels(image) for image in (fused, ir, vi)]
    entropies = _entropy(_marginal(levels[1])) + _entropy(_marginal(levels[2]))
    return (2 * _mutual_sum(*levels) / (entropies + 1e-10)).to(fused.dtype)


@metric("Qncie", "Nonlinear correlation entropy (Wang)", suites={"canonical": 23}, smooth=False)
def qncie(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Nonlinear correlation information entropy (Wang): 1 + sum(l/3 log256(l/3)).

    `l` are the eigenvalues of the 3x3 matrix of mutual informations measured in base 256, after
    a min-max stretch of each image; NaN when one is constant. Near 0.8; higher is better.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    levels = [_stretched_levels(image) for image in (ir, vi, fused)]
    return _correlation_entropy(
        _mutual(levels[0], levels[1]) / 8,
        _mutual(levels[0], levels[2]) / 8,
        _mutual(levels[1], levels[2]) / 8,
    ).to(fused.dtype)


@metric("Qncie_zoo", "IVIF_ZOO: Pearson in Qncie", smooth=False)
def qncie_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's `qncie`, built on Pearson correlation instead of mutual information."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    flat = [
        (image - image.mean(dim=(-2, -1), keepdim=True)).flatten(1) for image in (ir, vi, fused)
    ]
    unit = [image / image.norm(dim=1, keepdim=True) for image in flat]
    pearson = [(unit[i] * unit[j]).sum(dim=1).double() for i, j in ((0, 1), (0, 2), (1, 2))]
    return _correlation_entropy(*pearson).to(fused.dtype)


@metric("Qte", "Tsallis mutual information (Nava)", suites={"canonical": 27}, smooth=False)
def qte(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Tsallis mutual information (Nava, q = 0.43137), normalized by that of the sources.

    After a min-max stretch of each image; NaN when one is constant. Higher is better.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    target, first, second = (_stretched_levels(image) for image in (fused, ir, vi))
    kept = _tsallis(_joint(first, target)) + _tsallis(_joint(second, target))
    own = _entropy(_marginal(first)) ** _NAVA_Q + _entropy(_marginal(second)) ** _NAVA_Q
    return (kept / (own + _tsallis(_joint(first, second)))).to(fused.dtype)


def _levels(image: Tensor) -> Tensor:
    """Gray levels `(B,N)`: whole numbers 0..255; an image that is not finite becomes -1."""
    flat = torch.floor(image.detach().flatten(1).double() + 0.5)
    finite = torch.isfinite(flat).all(dim=1, keepdim=True)
    return torch.where(finite, flat.clamp(0, _LEVELS - 1), -1.0).long()


def _stretched_levels(image: Tensor, flat: float = math.nan) -> Tensor:
    """Gray levels after a min-max stretch; a constant image counts as `flat`."""
    stretched = stretch(image.detach().double())
    finite = torch.isfinite(image).flatten(1).all(dim=1).view(-1, 1, 1, 1)
    return _levels(torch.where(torch.isnan(stretched) & finite, flat, stretched))


def _count(cells: Tensor, bins: int) -> Tensor:
    """Relative frequency of each cell number per row: `(B,N) -> (B,bins)`; NaN for rows of -1."""
    rows = torch.arange(len(cells), device=cells.device).unsqueeze(1)
    undefined = cells[:, :1] < 0
    numbers = (cells.clamp(min=0) + rows * bins).flatten()
    counts = torch.bincount(numbers, minlength=len(cells) * bins).view(len(cells), bins).double()
    return torch.where(undefined, torch.nan, counts / cells.shape[1])


def _marginal(levels: Tensor) -> Tensor:
    return _count(levels, _LEVELS)


def _joint(first: Tensor, second: Tensor) -> Tensor:
    """Joint histogram `(B,256,256)`, rows for the first image."""
    undefined = (first[:, :1] < 0) | (second[:, :1] < 0)
    cells = torch.where(undefined, -1, first * _LEVELS + second)
    return _count(cells, _LEVELS**2).view(-1, _LEVELS, _LEVELS)


def _entropy(probabilities: Tensor) -> Tensor:
    """Entropy in bits along the last axis."""
    nats: Tensor = torch.special.entr(probabilities).sum(dim=-1)
    return nats / math.log(2)


def _mutual(first: Tensor, second: Tensor) -> Tensor:
    joint = _joint(first, second)
    return _entropy(joint.sum(dim=2)) + _entropy(joint.sum(dim=1)) - _entropy(joint.flatten(1))


def _mutual_sum(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    return _mutual(ir, fused) + _mutual(vi, fused)


def _tsallis(joint: Tensor) -> Tensor:
    # The reference multiplies the marginals the wrong way round; published values contain that.
    expected = joint.sum(dim=1).unsqueeze(2) * joint.sum(dim=2).unsqueeze(1)
    possible = expected > 0
    ratio = joint**_NAVA_Q / torch.where(possible, expected, 1.0) ** (_NAVA_Q - 1)
    total = torch.where(possible | torch.isnan(expected), ratio, 0.0).flatten(1).sum(dim=1)
    return (1 - total) / (1 - _NAVA_Q)


def _correlation_entropy(one: Tensor, two: Tensor, three: Tensor) -> Tensor:
    unit = torch.ones_like(one)
    rows = [(unit, one, two), (one, unit, three), (two, three, unit)]
    matrix = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    defined = torch.isfinite(matrix).flatten(1).all(dim=1)
    matrix = torch.where(defined.view(-1, 1, 1), matrix, torch.eye(3).to(matrix))
    shares = torch.linalg.eigvalsh(matrix).clamp(min=0) / 3
    value: Tensor = 1 - torch.special.entr(shares).sum(dim=-1) / math.log(_LEVELS)
    return torch.where(defined, value, torch.nan)
