"""What training minimizes: the paper's loss (`paper`, `fusion`) and the terms beyond it.

`scene` asks for a natural picture, `guides` are those of the metric-trained weights. Nothing here
shares code with `mma_unet.metrics`, so that neither moves when the other does.
"""

from mma_unet.losses.fusion import FusionLoss, FusionLossConfig
from mma_unet.losses.guides import legibility_loss, pyramid_loss, saliency_loss
from mma_unet.losses.paper import (
    gradient_loss,
    reconstruction_loss,
    sobel_magnitude,
    ssim_loss,
)
from mma_unet.losses.scene import SceneTerms, blindness

__all__ = [
    "FusionLoss",
    "FusionLossConfig",
    "SceneTerms",
    "blindness",
    "gradient_loss",
    "legibility_loss",
    "pyramid_loss",
    "reconstruction_loss",
    "saliency_loss",
    "sobel_magnitude",
    "ssim_loss",
]
