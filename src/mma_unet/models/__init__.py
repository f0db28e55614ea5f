"""The networks: pure `torch.nn.Module`s, their configs and their weights.

Reading order follows the paper: `config`, `blocks`, `unet` (stage I), `fusion`, `mma_unet` and
`heads` (stage II), then `weights` and `profile`.
"""

from mma_unet.models.config import ABLATIONS, PRESETS, MMAUNetConfig, ablation, preset
from mma_unet.models.convert import with_unshuffle
from mma_unet.models.descriptor import Descriptor
from mma_unet.models.fold import fold
from mma_unet.models.mma_unet import MMAUNet, run_padded
from mma_unet.models.profile import count_macs, count_parameters
from mma_unet.models.unet import IRUNet, VIUNet
from mma_unet.models.weights import (
    DEFAULT_MODEL,
    ModelCard,
    load_model,
    read_card,
    round_to_half,
    save_model,
    shipped_models,
)

__all__ = [
    "ABLATIONS",
    "DEFAULT_MODEL",
    "PRESETS",
    "Descriptor",
    "IRUNet",
    "MMAUNet",
    "MMAUNetConfig",
    "ModelCard",
    "VIUNet",
    "ablation",
    "count_macs",
    "count_parameters",
    "fold",
    "load_model",
    "preset",
    "read_card",
    "round_to_half",
    "run_padded",
    "save_model",
    "shipped_models",
    "with_unshuffle",
]
