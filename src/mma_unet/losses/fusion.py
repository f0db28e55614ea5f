"""The fusion loss: the weighted sum of the paper (equation 5) and of the terms beyond it.

See also: `mma_unet.losses.paper`, its terms; `mma_unet.training.tasks`, which minimizes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mma_unet.losses.guides import legibility_loss, pyramid_loss, saliency_loss
from mma_unet.losses.paper import gradient_loss, reconstruction_loss, ssim_loss
from mma_unet.losses.scene import SceneTerms

__all__ = ["FusionLoss", "FusionLossConfig"]

_SCENE = ("base", "target", "strokes", "grain")
_GUIDES = ("saliency", "legibility", "pyramid")


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
        base: Weight of `SceneTerms.base`; this and all that follow are not in the paper.
        target: Weight of `SceneTerms.target`.
        strokes: Weight of `SceneTerms.strokes`.
        grain: Weight of `SceneTerms.grain`.
        lift: How far the base rises towards a warmer IR image, 0 to 1; see `SceneTerms`.
        sink: How far it falls towards a colder one, 0 to 0.6.
        stand: Share of their contrast in IR with which hot targets stand out, 0 to 1.
        saliency: Weight of `saliency_loss`.
        legibility: Weight of `legibility_loss`.
        pyramid: Weight of `pyramid_loss`; luminance only.

    `FusionLossConfig.authors_code()` is what the public code computes.
    """

    mse: float = 1.0
    alpha: float = 10.0
    beta: float = 0.5
    ssim: str = "one_minus"
    gradient: str = "squared"
    base: float = 0.0
    target: float = 0.0
    strokes: float = 0.0
    grain: float = 0.0
    lift: float = 0.5
    sink: float = 0.0
    stand: float = 0.0
    saliency: float = 0.0
    legibility: float = 0.0
    pyramid: float = 0.0

    def __post_init__(self) -> None:
        """Check the readings."""
        if not 0 <= self.lift <= 1:
            raise ValueError(f"lift must be in 0..1, not {self.lift}")
        if not 0 <= self.sink <= 0.6:
            raise ValueError(f"sink must be in 0..0.6, not {self.sink}")
        if not 0 <= self.stand <= 1:
            raise ValueError(f"stand must be in 0..1, not {self.stand}")
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
        if any(getattr(config, name) for name in _SCENE):
            scene = SceneTerms(ir, vi, lift=config.lift, sink=config.sink, stand=config.stand)
            terms |= {name: getattr(scene, name)(fused) for name in _SCENE if getattr(config, name)}
        if config.saliency:
            terms["saliency"] = saliency_loss(fused, ir, vi)
        if config.legibility:
            terms["legibility"] = legibility_loss(fused, vi)
        if config.pyramid:
            terms["pyramid"] = pyramid_loss(fused, ir, vi)
        weights = {"mse": config.mse, "ssim": config.alpha, "gradient": config.beta}
        weights |= {name: getattr(config, name) for name in (*_SCENE, *_GUIDES)}
        loss = fused[:0].sum()  # 0, with a graph even if no term has a weight
        for name, value in terms.items():
            loss = loss + weights[name] * value
        return {"loss": loss, **terms}
