"""The trained encoders to look into: of a run's stage I, or of finished weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mma_unet.errors import InputError
from mma_unet.models import IRUNet, MMAUNet, MMAUNetConfig, VIUNet, load_model
from mma_unet.models.unet import Encoder

__all__ = ["Encoders", "digest", "load_encoders"]


@dataclass(frozen=True, eq=False)
class Encoders:
    """The VI and the IR encoder of one training, in evaluation mode.

    Attributes:
        name: The folder, file or name they come from.
        config: Their network.
        vi: The VI encoder.
        ir: The IR encoder, guided or not as `config.guided` says.
        model: The fusion network, if they come from finished weights.
    """

    name: str
    config: MMAUNetConfig
    vi: Encoder
    ir: Encoder
    model: MMAUNet | None = None

    @property
    def size_multiple(self) -> int:
        """Height and width of the images must be multiples of this."""
        return int(2 ** (max(len(self.vi.levels), len(self.ir.levels)) - 1))

    def features(self, ir: Tensor, vi: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features `(ir_levels, vi_levels)` of two images `(B, in_channels, H, W)`."""
        vi_features = self.vi(vi)
        return self.ir(ir, vi_features), vi_features


def load_encoders(source: str | Path) -> Encoders:
    """Load the encoders of stage I from a run folder, or those of finished weights.

    Args:
        source: A run folder of `mma-unet train` in which the stages `vi` and `ir` are finished; or
            shipped weights by name, or a weights file, whose encoders stage II may have trained on.

    Raises:
        InputError: It is none of these.

    Example:
        >>> load_encoders("tiny").config.guided
        True
    """
    path = Path(source)
    if not path.is_dir():
        model = load_model(source)
        return Encoders(str(source), model.config, model.vi_encoder, model.ir_encoder, model)
    from mma_unet.training import load_recipe  # needs the extra `train`

    recipe = path / "recipe.yaml"
    if not recipe.is_file():
        raise InputError(f"{path} is no run folder of `mma-unet train`: it has no recipe.yaml")
    config = load_recipe(recipe).model
    vi, ir = VIUNet(config), IRUNet(config)
    for stage, network in (("vi", vi), ("ir", ir)):
        _fill(network, path / stage / "weights.safetensors")
    return Encoders(str(source), config, vi.eval().encoder, ir.eval().encoder)


def _fill(network: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} does not exist: train this stage to its end first")
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise InputError(f"{path} does not fit the recipe beside it: train this stage again") from (
            error
        )


def digest(*encoders: Encoder) -> str:
    """Digest of the weights of encoders: equal if and only if their weights are."""
    total = hashlib.sha256()
    for encoder in encoders:
        for name, tensor in encoder.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                total.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:16]
