"""What the eye complains of in a fused picture, as numbers; ours, no paper's.

The usual metrics do not notice a dark sky, a blotchy road or a person who is gone. Each measure
here is defined on gray levels 0 to 255 and is NaN where a picture has nothing of what it looks at,
or where one of the three images is not finite.

See also: `mma_unet.losses.scene`, which trains for the same without sharing code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.metrics import _common
from mma_unet.metrics.registry import metric

__all__ = [
    "blotch",
    "grain",
    "halo",
    "luminance",
    "sky",
    "spots",
    "strokes",
    "target",
    "target_blind",
]

_HOT_QUANTILE, _HOT_RISE, _HOT_BOX = 0.97, 30.0, 61
_RING = (4, 9)
_SPOT_AREA = (3, 25)


@metric(
    "Sky",
    "Mean of F over V in a bright flat sky",
    suites={"natural": 1},
    better=None,
    ideal=1.0,
    smooth=False,
)
def sky(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Mean of F over mean of V where V is a bright flat sky; 1 is ideal.

    Sky is where V is above 190 and its deviation over 9 pixels below 6, if that is over 2 % of the
    picture.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        `(B,)`; NaN without a sky.

    Example:
        >>> vi = torch.full((1, 1, 64, 64), 220.0)
        >>> sky(vi / 2, vi, vi, data_range=255.0).item()
        0.5
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    mask = _sky(vi)
    return _mean_over(fused, mask) / _mean_over(vi, mask)


@metric(
    "Blotch",
    "Deviation of the coarse F - V over the sky, gray levels",
    suites={"natural": 2},
    better=False,
    smooth=False,
)
def blotch(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Deviation of the 15-pixel mean of F - V over the sky, gray levels; lower is better.

    Takes and returns what `sky` does.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    mask = _sky(vi)
    drift = _box(fused - vi, 15)
    mean = _mean_over(drift, mask)
    return _mean_over((drift - mean[:, None, None, None]).square(), mask).sqrt()


@metric(
    "Luminance",
    "Mean of F over mean of V",
    suites={"natural": 3},
    better=None,
    ideal=1.0,
    smooth=False,
)
def luminance(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Mean of F over mean of V; 1 is ideal by day, a little more is natural by night."""
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    return fused.mean(dim=(1, 2, 3)) / vi.mean(dim=(1, 2, 3)).clamp(min=1.0)


@metric("Target", "Contrast of hot targets kept", suites={"natural": 4}, smooth=False)
def target(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Share of the contrast of hot targets in IR that F keeps; higher is better.

    Hot is IR above its 97th percentile and more than 30 above its 61-pixel mean, eroded once. Its
    contrast is its mean less that of a ring round it, 5 to 9 pixels away.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    return _kept(fused, ir, _hot(ir))


@metric(
    "Target_blind",
    "Contrast of hot targets kept where V is blind",
    suites={"natural": 5},
    smooth=False,
)
def target_blind(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`target` where V is blind: its 15-pixel mean is above 225, or it is flat haze.

    Haze is V with a 15-pixel mean above 90 whose deviation over 31 pixels is below 8. At least 12
    hot pixels must lie there.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    mean = _box(vi, 15)
    blind = (mean > 225) | ((mean > 90) & (_deviation(vi, 31) < 8))
    hot = _hot(ir) & blind
    enough = hot.sum(dim=(1, 2, 3), keepdim=True) >= 12
    return _kept(fused, ir, hot & enough)


@metric(
    "Grain",
    "Fine noise of F over that of V where both sources are flat",
    suites={"natural": 6},
    better=False,
    smooth=False,
)
def grain(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Deviation of fine noise in F over that in V, where both are flat, V below 190; low is better.

    Flat is a deviation over 9 pixels below 6, of IR after a mean over 3 pixels, which takes its
    noise away: what F shows of an edge in IR is no grain. Fine is what a 5-pixel mean takes away.
    V counts with at least half a gray level, which is its rounding.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    mask = (_deviation(vi, 9) < 6) & (vi < 190) & (_deviation(_box(ir, 3), 9) < 6)
    fine = [_mean_over((x - _box(x, 5)).square(), mask).sqrt() for x in (fused, vi)]
    return fine[0] / fine[1].clamp(min=0.5)


@metric(
    "Halo",
    "Overshoot beyond both sources near edges, gray levels",
    suites={"natural": 7},
    better=False,
    smooth=False,
)
def halo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Overshoot of F beyond both sources near strong edges, gray levels; lower is better.

    The range is that of both sources within 6 pixels; near is within 6 pixels of a step of more
    than 40 gray levels from one pixel to the next but one.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    high = _dilate(torch.maximum(ir, vi), 6)
    low = -_dilate(-torch.minimum(ir, vi), 6)
    edge = torch.maximum(_step(ir), _step(vi)) > 40
    near = _dilate(edge.to(fused.dtype), 6) > 0
    return _mean_over(F.relu(fused - high) + F.relu(low - fused), near)


@metric("Spots", "Share of small hot spots that stand out", suites={"natural": 8}, smooth=False)
def spots(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Share of the small hot spots of IR that stand out in F; higher is better.

    A spot is a local maximum over 7 pixels whose top above an opening by 7 pixels exceeds 25 gray
    levels and fills 3 to 25 pixels of the 7x7 round it. It stands out if the mean of its brightest
    3x3 exceeds that of the ring of 7x7 round it by a quarter of what it does in IR and by 5 levels.
    A top of several equal pixels counts once.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    opened = _dilate(-_dilate(-ir, 3), 3)
    top = ir - opened
    area = 49 * _box((top > 12).to(ir.dtype), 7)
    peak = (ir >= _dilate(ir, 3)) & (top > 25)
    peak &= (area > _SPOT_AREA[0] - 0.5) & (area < _SPOT_AREA[1] + 0.5)
    rise = {key: _rise(image) for key, image in (("fused", fused), ("ir", ir))}
    found = rise["fused"] > torch.clamp(0.25 * rise["ir"], min=5.0)
    weight = peak / (49 * _box(peak.to(ir.dtype), 7)).clamp(min=1)
    return _mean_over(found.to(fused.dtype).where(~fused.isnan(), torch.nan), weight)


@metric("Strokes", "Contrast of thin strokes of V kept", suites={"natural": 9}, smooth=False)
def strokes(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Share of the contrast of thin strokes of V that F keeps, at most 1 each; higher is better.

    A stroke is a pixel whose 3-pixel mean differs from its 15-pixel mean by more than 20 gray
    levels: lane paint, lettering, wires. Hot targets are left out.
    """
    fused, ir, vi = _prepare(fused, ir, vi, data_range)
    wanted = _box(vi, 3) - _box(vi, 15)
    kept = (_box(fused, 3) - _box(fused, 15)) / wanted.where(wanted.abs() > 1e-6, 1.0)
    near_hot = _dilate(_hot(ir).to(fused.dtype), 4) > 0
    return _mean_over(kept.clamp(0, 1), (wanted.abs() > 20) & ~near_hot)


def _prepare(
    fused: Tensor, ir: Tensor, vi: Tensor, data_range: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As `_common.prepare`; a fused image counts as not finite where a source is not."""
    fused, ir, vi = _common.prepare(fused, ir, vi, data_range)
    return fused.where(~(ir + vi).isnan(), torch.nan), ir, vi


def _sky(vi: Tensor) -> Tensor:
    mask = (vi > 190) & (_deviation(vi, 9) < 6)
    return mask & (mask.to(vi.dtype).mean(dim=(1, 2, 3), keepdim=True) > 0.02)


def _hot(ir: Tensor) -> Tensor:
    bar = torch.quantile(ir.flatten(1)[:, :: _stride(ir)], _HOT_QUANTILE, dim=1)
    hot = (ir > bar[:, None, None, None]) & (ir - _box(ir, _HOT_BOX) > _HOT_RISE)
    return -_dilate(-hot.to(ir.dtype), 1) > 0


def _stride(image: Tensor) -> int:
    """`torch.quantile` takes at most 16 million values."""
    return 1 + image[0].numel() // 16_000_000


def _kept(fused: Tensor, ir: Tensor, hot: Tensor) -> Tensor:
    near, far = (_dilate(hot.to(fused.dtype), reach) > 0 for reach in _RING)
    ring = far & ~near
    contrast = [_mean_over(x, hot) - _mean_over(x, ring) for x in (fused, ir)]
    return contrast[0] / contrast[1].where(contrast[1] > 1, torch.nan)


def _rise(image: Tensor) -> Tensor:
    inner, outer = 9 * _box(image, 3), 49 * _box(image, 7)
    return inner / 9 - (outer - inner) / 40


def _mean_over(image: Tensor, mask: Tensor) -> Tensor:
    total = (image * mask).sum(dim=(1, 2, 3))
    return total / mask.sum(dim=(1, 2, 3)).to(image.dtype)  # 0 / 0 is NaN


def _box(image: Tensor, side: int) -> Tensor:
    half = side // 2
    image = F.pad(image, (half, half, half, half), mode="replicate")
    for sides in ((side, 1), (1, side)):
        image = F.avg_pool2d(image, sides, stride=1)
    return image


def _deviation(image: Tensor, side: int) -> Tensor:
    mean = _box(image, side)
    return (_box(image.square(), side) - mean.square()).clamp(min=0).sqrt()


def _dilate(image: Tensor, reach: int) -> Tensor:
    side = 2 * reach + 1
    image = F.max_pool2d(image, (side, 1), stride=1, padding=(reach, 0))
    return F.max_pool2d(image, (1, side), stride=1, padding=(0, reach))


def _step(image: Tensor) -> Tensor:
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = (x[..., 1:-1, 2:] - x[..., 1:-1, :-2]).abs()
    down = (x[..., 2:, 1:-1] - x[..., :-2, 1:-1]).abs()
    return torch.maximum(across, down)
