"""Terms that guide the metric objective of the `metric` weights; none is in the paper.

See also: `mma_unet.losses.scene`, the terms of the default weights.
"""

from __future__ import annotations

import torch
from kornia.filters import spatial_gradient
from torch import Tensor
from torch.nn.functional import relu

from mma_unet.losses.scene import box_mean, mean_over, stroke_contrast
from mma_unet.pyramid import pyramid_fusion

__all__ = ["legibility_loss", "pyramid_loss", "saliency_loss"]


def saliency_loss(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    """Distance from the brighter source where the IR image stands out, a scalar in [0, 1].

    Not in the paper: neither its loss nor the usual metrics notice a small hot target that is
    lost. A pixel is salient by how far it exceeds its surroundings (a box of 63 pixels) in IR, in
    full from 0.2 on; the mean is over salient pixels, so that a small target weighs as much as a
    large one.

    Args:
        fused: Fused image, `(B, C, H, W)`.
        ir: Infrared image of the same shape.
        vi: Visible image of the same shape.
    """
    salience = ((ir - box_mean(ir, 63)) / 0.2).clamp(0, 1)
    return mean_over((fused - torch.maximum(ir, vi)).abs(), salience)


def legibility_loss(fused: Tensor, vi: Tensor) -> Tensor:
    """Contrast that bright strokes of the VI image lose: lane text, signs; a scalar in [0, 0.3].

    Not in the paper: where both sources have detail the metrics reward the stronger one, and a
    heat pattern wipes out writing. A stroke counts from a `stroke_contrast` of 0.05 on, in full
    from 0.2; contrast beyond 0.3 is not asked for, so that lamps need not burn out.

    Args:
        fused: Fused image, `(B, C, H, W)`.
        vi: Visible image of the same shape.
    """
    wanted = stroke_contrast(vi).clamp(max=0.3)
    stroke = ((wanted - 0.05) / 0.15).clamp(0, 1)
    return mean_over(relu(wanted - stroke_contrast(fused)), stroke)


def pyramid_loss(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    """Distance of the fused image from a Laplacian pyramid fusion of its sources, a scalar.

    Not in the paper. Selecting detail is a step that the metrics reward but whose gradient is
    hard to find from an average; a pyramid shows the way (docs/results.md). The mean absolute
    difference, and four times that of the normalized Sobel gradients.

    Args:
        fused: Fused image, `(B, 1, H, W)`.
        ir: Infrared image of the same shape.
        vi: Visible image of the same shape.
    """
    with torch.no_grad():
        target = pyramid_fusion(ir, vi)
    slopes = spatial_gradient(fused) - spatial_gradient(target)
    distance: Tensor = (fused - target).abs().mean() + 4 * slopes.abs().mean()
    return distance
