"""The loss terms of the paper (equations 1 to 5), as functions and as one module.

The paper leaves several things open or contradicts itself; what is chosen here, and why, stands in
docs/paper-notes.md. The other readings are values of `FusionLossConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from kornia.filters import spatial_gradient
from kornia.metrics import ssim as ssim_map
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.pyramid import pyramid_fusion

__all__ = [
    "FusionLoss",
    "FusionLossConfig",
    "gradient_loss",
    "legibility_loss",
    "pyramid_loss",
    "reconstruction_loss",
    "saliency_loss",
    "sobel_magnitude",
    "ssim_loss",
]


def reconstruction_loss(image: Tensor, output: Tensor) -> Tensor:
    """Mean squared error of two `(B, C, H, W)` images, a scalar (equation 1)."""
    return F.mse_loss(output, image)


def sobel_magnitude(image: Tensor) -> Tensor:
    """`|gx| + |gy|` by the Sobel operator, `(B, C, H, W)`, the nabla of equation 4.

    The kernels are those of the textbook (-1 0 1, -2 0 2, -1 0 1), not normalised; borders are
    replicated.
    """
    gradient: Tensor = spatial_gradient(image, mode="sobel", normalized=False)
    return gradient.abs().sum(dim=2)


def ssim_loss(fused: Tensor, source: Tensor, window: int = 11, *, halved: bool = False) -> Tensor:
    """`1 - SSIM` of two `(B, C, H, W)` images in [0, 1], a scalar in [0, 2] (equation 2).

    Args:
        fused: The fused image.
        source: A source image.
        window: Side of the Gaussian window (sigma 1.5).
        halved: Return the structural dissimilarity `(1 - SSIM) / 2`, clipped to [0, 1], that the
            authors' code takes from kornia.
    """
    value: Tensor = 1 - ssim_map(fused, source, window)
    return (value / 2).clamp(0, 1).mean() if halved else value.mean()


def gradient_loss(fused: Tensor, ir: Tensor, vi: Tensor, *, squared: bool = True) -> Tensor:
    """Distance of the fused gradient from the stronger source gradient (equation 4), a scalar.

    Args:
        fused: Fused image, `(B, C, H, W)`.
        ir: Infrared image of the same shape.
        vi: Visible image of the same shape.
        squared: Mean of squares as printed; otherwise the mean of absolute values.
    """
    target = torch.maximum(sobel_magnitude(ir), sobel_magnitude(vi))
    difference = sobel_magnitude(fused) - target
    return difference.square().mean() if squared else difference.abs().mean()


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
    salience = ((ir - _box(ir, 63)) / 0.2).clamp(0, 1)
    distance = salience * (fused - torch.maximum(ir, vi)).abs()
    return distance.sum() / (salience.sum() + 0.01 * salience.numel())


def legibility_loss(fused: Tensor, vi: Tensor) -> Tensor:
    """Contrast that bright strokes of the VI image lose: lane text, signs; a scalar in [0, 0.3].

    Not in the paper: where both sources have detail the metrics reward the stronger one, and a
    heat pattern wipes out writing. A stroke is what exceeds a box of 15 pixels, after one of 3
    that averages noise out; from 0.05 on, in full from 0.2; contrast beyond 0.3 is not asked for,
    so that lamps need not burn out. The mean is over strokes.

    Args:
        fused: Fused image, `(B, C, H, W)`.
        vi: Visible image of the same shape.
    """

    def contrast(image: Tensor) -> Tensor:
        return _box(image, 3) - _box(image, 15)

    wanted = contrast(vi).clamp(max=0.3)
    stroke = ((wanted - 0.05) / 0.15).clamp(0, 1)
    lost = stroke * F.relu(wanted - contrast(fused))
    return lost.sum() / (stroke.sum() + 0.01 * stroke.numel())


def _box(image: Tensor, side: int) -> Tensor:
    """Mean over a box round each pixel, the border replicated."""
    half = side // 2
    image = F.pad(image, (half, half, half, half), mode="replicate")
    for sides in ((side, 1), (1, side)):  # one after the other: many times as fast as at once
        image = F.avg_pool2d(image, sides, stride=1)
    return image


def pyramid_loss(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    """Distance of the fused image from a Laplacian pyramid fusion of its sources, a scalar.

    Not in the paper. Selecting detail is a step that the metrics reward but whose gradient is
    hard to find from an average; a pyramid shows the way (docs/results.md). The mean absolute
    difference, and four times that of the normalised Sobel gradients.

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


@dataclass(frozen=True)
class FusionLossConfig:
    """Weights and readings of the fusion loss (equation 5).

    Attributes:
        mse: Weight of the intensity term (1 in equation 5).
        alpha: Weight of the SSIM term (10 in section 4.1).
        beta: Weight of the gradient term (0.5 in section 4.1).
        ssim: `"one_minus"` sums `1 - SSIM` over both sources; `"dssim"` halves and clips each, as
            the authors' code does.
        gradient: `"squared"` is equation 4; `"l1"` is the mean absolute difference; `"l1_squared"`
            squares that mean, as the authors' code does.
        saliency: Weight of `saliency_loss`, which is not in the paper.
        legibility: Weight of `legibility_loss`, which is not in the paper either.
        pyramid: Weight of `pyramid_loss`, which is not in the paper either; luminance only.

    `FusionLossConfig.authors_code()` is what the public code computes.
    """

    mse: float = 1.0
    alpha: float = 10.0
    beta: float = 0.5
    ssim: str = "one_minus"
    gradient: str = "squared"
    saliency: float = 0.0
    legibility: float = 0.0
    pyramid: float = 0.0

    def __post_init__(self) -> None:
        """Check the readings."""
        if self.ssim not in ("one_minus", "dssim"):
            raise ValueError(f"ssim must be 'one_minus' or 'dssim', not {self.ssim!r}")
        if self.gradient not in ("squared", "l1", "l1_squared"):
            raise ValueError(
                f"gradient must be 'squared', 'l1' or 'l1_squared', not {self.gradient!r}"
            )

    @classmethod
    def authors_code(cls) -> FusionLossConfig:
        """The loss of the authors' public code: weights swapped, DSSIM, an L1 norm squared."""
        return cls(alpha=0.5, beta=10.0, ssim="dssim", gradient="l1_squared")


class FusionLoss(nn.Module):
    """`MSE((IR + VI) / 2, F) + alpha * L_ssim + beta * L_det` (equation 5).

    `forward(fused, ir, vi)` takes `(B, C, H, W)` images in [0, 1] and returns the terms by name,
    unweighted, and their weighted sum under `"loss"`. Terms of weight 0 are not computed.
    """

    def __init__(self, config: FusionLossConfig | None = None) -> None:
        super().__init__()
        self.config = config if config is not None else FusionLossConfig()

    def forward(self, fused: Tensor, ir: Tensor, vi: Tensor) -> dict[str, Tensor]:
        """Compute the loss and its terms."""
        config = self.config
        halved = config.ssim == "dssim"
        terms: dict[str, Tensor] = {}
        if config.mse:
            terms["mse"] = reconstruction_loss((ir + vi) / 2, fused)
        if config.alpha:
            from_ir, from_vi = (ssim_loss(fused, source, halved=halved) for source in (ir, vi))
            terms["ssim"] = from_ir + from_vi
        if config.beta:
            gradient = gradient_loss(fused, ir, vi, squared=config.gradient == "squared")
            squared = config.gradient == "l1_squared"
            terms["gradient"] = gradient.square() if squared else gradient
        if config.saliency:
            terms["saliency"] = saliency_loss(fused, ir, vi)
        if config.legibility:
            terms["legibility"] = legibility_loss(fused, vi)
        if config.pyramid:
            terms["pyramid"] = pyramid_loss(fused, ir, vi)
        weights = {"mse": config.mse, "ssim": config.alpha, "gradient": config.beta}
        weights |= {name: getattr(config, name) for name in ("saliency", "legibility", "pyramid")}
        loss = fused[:0].sum()  # 0, with a graph even if no term has a weight
        for name, value in terms.items():
            loss = loss + weights[name] * value
        return {"loss": loss, **terms}
