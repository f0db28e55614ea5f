"""What makes a fused picture look natural, as terms to minimize; ours, not the paper's.

The visible (VI) image leads the brightness wherever it sees: sky, road, walls. Where it is blind
(smoke, fog, glare, saturation) and the infrared (IR) image shows something hot that VI lacks, IR
leads. A cold flat sky is not such a place: IR has nothing hot there.

See also: `mma_unet.metrics.natural`, which measures the same in the finished picture.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["SceneTerms", "blindness", "box_mean", "mean_over", "stroke_contrast"]


def box_mean(image: Tensor, side: int) -> Tensor:
    """Mean over a box of `side` pixels (odd) round each pixel of `(B, C, H, W)`.

    The border is replicated.
    """
    half = side // 2
    image = F.pad(image, (half, half, half, half), mode="replicate")
    for sides in ((side, 1), (1, side)):  # one after the other: many times as fast as at once
        image = F.avg_pool2d(image, sides, stride=1)
    return image


def stroke_contrast(image: Tensor) -> Tensor:
    """How far thin strokes stand out of their surroundings, in the units of `image`.

    Paint, lettering, wires: a mean over 3 pixels, which averages noise out, less one over 15.
    """
    return box_mean(image, 3) - box_mean(image, 15)


def mean_over(value: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean, a scalar: a few weighty pixels count as much as many, but none counts 0."""
    return (weight * value).sum() / (weight.sum() + 0.01 * weight.numel())


def _ramp(value: Tensor, start: float, width: float) -> Tensor:
    """0 up to `start`, 1 from `start + width` on, straight between."""
    return ((value - start) / width).clamp(0, 1)


def _deviation(image: Tensor, side: int) -> Tensor:
    mean = box_mean(image, side)
    return (box_mean(image.square(), side) - mean.square()).clamp(min=0).sqrt()


def _opening(image: Tensor, side: int) -> Tensor:
    """Brightest of the darkest over `side` pixels: what is smaller and bright is gone."""
    half = side // 2
    low = -F.max_pool2d(-image, side, stride=1, padding=half)
    return F.max_pool2d(low, side, stride=1, padding=half)


def _slope(image: Tensor) -> Tensor:
    """Length of the central-difference gradient after a mean over 3 pixels, `(B, C, H, W)`."""
    x = F.pad(box_mean(image, 3), (1, 1, 1, 1), mode="replicate")
    across, down = x[..., 1:-1, 2:] - x[..., 1:-1, :-2], x[..., 2:, 1:-1] - x[..., :-2, 1:-1]
    return 0.5 * (across.square() + down.square()).sqrt()


def blindness(ir: Tensor, vi: Tensor) -> Tensor:
    """Where VI is bright, flat and does not show something hot that IR shows, `(B, C, H, W)`.

    Three ramps are multiplied: the mean slope (31 pixels) of hot structure in IR that has no slope
    of VI within 4 pixels; the flatness of VI (deviation over 9 pixels); the brightness of VI. Hot
    is what exceeds the mean of its surroundings (63 pixels) by more than 0.12.

    Args:
        ir: Infrared image, `(B, C, H, W)` in [0, 1].
        vi: Visible image, the same shape and range.

    Returns:
        Weights in [0, 1], smooth over 15 pixels.

    Example:
        >>> ir = torch.full((1, 1, 96, 96), 0.2)
        >>> ir[..., 30:66, 40:56] = 0.9
        >>> smoke, person = torch.full_like(ir, 0.95), 0.5 * ir
        >>> bool(blindness(ir, smoke)[0, 0, 48, 40] > 0.5), bool(blindness(ir, person).max() < 0.1)
        (True, True)
    """
    peak = F.max_pool2d(box_mean(ir, 5), 9, stride=1, padding=4)
    hot = _ramp(peak - box_mean(ir, 63), 0.12, 0.2)
    explained = 2 * F.max_pool2d(_slope(vi), 9, stride=1, padding=4)
    unseen = box_mean(hot * F.relu(_slope(ir) - explained - 0.015), 31)
    flat = 1 - _ramp(_deviation(vi, 9), 0.015, 0.04)
    bright = _ramp(box_mean(vi, 15), 0.4, 0.3)
    return box_mean(_ramp(unseen, 0.0, 0.012) * flat * bright, 15)


class SceneTerms:
    """The terms for one batch of sources; each takes `fused`, `(B, C, H, W)`, gives a scalar.

    Args:
        ir: Infrared image, `(B, C, H, W)` in [0, 1].
        vi: Visible image, the same shape and range.
        lift: How far the base rises where IR is warmer than VI, 0 to 1; hot targets rise in full.
        sink: How far it falls where IR is colder, 0 to 0.6; by 0.6 where VI is blind.
        stand: Share of the contrast in IR with which hot targets stand out of the base, up to 1;
            0 asks for the brighter source alone, even where the base round it is brighter still.

    Attributes:
        hot: How far IR stands out of its surroundings, 0 to 1: in full when it exceeds their mean
            over 63 pixels by 0.15, or an opening over 7 pixels by 0.14 (small spots).
        blind: See `blindness`.
        bright: What hot targets should be: the brighter source, or the base round them with
            `stand` of their contrast in IR on top, whichever is brighter.
        scene: The base that is wanted: VI, raised where IR is warmer and, where VI is blind,
            lowered where IR is colder, so that what is hot has something to stand out from.
    """

    def __init__(
        self, ir: Tensor, vi: Tensor, *, lift: float = 0.5, sink: float = 0.0, stand: float = 0.0
    ) -> None:
        with torch.no_grad():
            self.ir, self.vi = ir, vi
            fine = box_mean(ir, 3)
            spots = _ramp(fine - _opening(fine, 7), 0.06, 0.08)
            self.hot = torch.maximum(_ramp(ir - box_mean(ir, 63), 0.0, 0.15), spots)
            self.blind = blindness(ir, vi)
            warmer, colder = F.relu(ir - vi), F.relu(vi - ir)
            fall = sink + (0.6 - sink) * self.blind
            base = vi + lift * warmer - fall * colder
            above = ir
            if stand:
                above = stand * (ir - self._around(ir)) + self._around(base)
            self.bright = torch.maximum(torch.maximum(ir, vi), above).clamp(max=1)
            self.scene = base + self.hot * (torch.maximum(ir, above).clamp(max=1) - base).relu()

    def _around(self, image: Tensor) -> Tensor:
        """Mean of what is not hot within 31 pixels."""
        cold = 1 - self.hot
        return box_mean(image * cold, 31) / box_mean(cold, 31).clamp(min=1e-3)

    def base(self, fused: Tensor) -> Tensor:
        """Mean absolute distance from `scene` of what is coarser than 9 and than 15 pixels."""
        apart = fused - self.scene
        return (box_mean(apart, 9).abs().mean() + box_mean(apart, 15).abs().mean()) / 2

    def target(self, fused: Tensor) -> Tensor:
        """Mean distance from `bright` over hot pixels, so that few weigh as much as many."""
        return mean_over((fused - self.bright).abs(), self.hot)

    def strokes(self, fused: Tensor) -> Tensor:
        """Contrast lost by thin bright or dark strokes of VI outside hot targets, 0 to 0.3.

        A stroke counts from a contrast of 0.05 on, in full from 0.2.
        """
        wanted = stroke_contrast(self.vi).clamp(-0.3, 0.3)
        kept = stroke_contrast(fused) * wanted.sign()
        stroke = _ramp(wanted.abs(), 0.05, 0.15) * (1 - self.hot)
        return mean_over(F.relu(wanted.abs() - kept), stroke)

    def grain(self, fused: Tensor) -> Tensor:
        """Fine noise that the fused image has and VI has not, where VI is flat and IR has no edge.

        Fine is what a mean over 5 pixels takes away; half as much again as in VI is free.
        """
        quiet = (1 - _ramp(_deviation(self.vi, 9), 0.01, 0.02)) * (
            1 - _ramp(_slope(self.ir), 0.03, 0.03)
        )
        fine = [box_mean((x - box_mean(x, 5)).abs(), 9) for x in (fused, self.vi)]
        return (quiet * F.relu(fine[0] - 1.5 * fine[1] - 1 / 255)).mean()
