"""Choosing the pairing between stage I and stage II (paper section 5.2, future work)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.files import parse_json, write_text
from mma_unet.models import IRUNet, MMAUNet, MMAUNetConfig, VIUNet
from mma_unet.models.soft import SoftFusion, offset_pairing
from mma_unet.training.recipe import StageSettings
from mma_unet.training.tasks import FusionTask

__all__ = [
    "LEARNED",
    "Chooser",
    "PairingChoice",
    "PairingTask",
    "read_choice",
    "soft_model",
    "write_choice",
]

LEARNED = ("learned", "levels")
"""Ways to choose by soft weights: shared by the levels, or of each level."""

_WARMUP = 1 / 3
"""Share of the search during which all candidates keep equal weights, so that none is dropped only
because its 1x1 convolutions have not been trained yet."""
_COLDEST = 0.1
_LOGIT_LR = 0.05


@dataclass(frozen=True)
class PairingChoice:
    """A pairing and what speaks for it.

    Attributes:
        method: What chose it: `"learned"`, `"levels"` or `"cka"`.
        pairing: `(vi_level, ir_level)` pairs.
        evidence: Plain values: weights by offset, or the CKA matrix.
    """

    method: str
    pairing: tuple[tuple[int, int], ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)


Chooser = Callable[[IRUNet, VIUNet, Sequence[Pair]], PairingChoice]
"""From trained stage-I networks and the training pairs to a pairing."""


def soft_model(ir_unet: IRUNet, vi_unet: VIUNet, *, per_level: bool = False) -> MMAUNet:
    """A fusion network on stage-I encoders whose pairing is still open."""
    config = replace(ir_unet.config, pairing=offset_pairing(0, ir_unet.config.depth))
    model = MMAUNet.from_stage_one(ir_unet, vi_unet, config)
    model.fusion = SoftFusion(config, per_level=per_level)  # type: ignore[assignment]
    return model


class PairingTask(FusionTask):
    """Stage II with soft weights over the candidates: equal at first, then trained and hardened.

    For a third of the epochs the weights stay equal; then they are trained with the rest (Adam,
    learning rate 0.05, no decay) while the temperature falls from 1 to 0.1 in even ratios, so
    that what is left at the end is nearly one candidate. `curve.csv` holds the weights by epoch.

    Args:
        model: From `soft_model`.
        settings: Budget, optimizer and loss.
    """

    def __init__(self, model: MMAUNet, settings: StageSettings) -> None:
        super().__init__(model, settings)
        self.warmup = round(_WARMUP * settings.epochs)

    @property
    def soft(self) -> SoftFusion:
        """The soft choice in the place of the network's fusion."""
        fusion: Any = self.model.fusion
        assert isinstance(fusion, SoftFusion)
        return fusion

    def on_train_epoch_start(self) -> None:
        """Set the temperature of this epoch."""
        super().on_train_epoch_start()
        left = max(self.settings.epochs - self.warmup - 1, 1)
        share = min(max((self.current_epoch - self.warmup) / left, 0.0), 1.0)
        self.soft.temperature = _COLDEST**share

    def on_after_backward(self) -> None:
        """Leave the weights alone while the candidates warm up."""
        if self.current_epoch < self.warmup:
            self.soft.logits.grad = None

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """One step; the weights are logged as `train_offset_*`, means over the levels."""
        weights = self.soft.weights().detach().mean(dim=0)
        named = zip(self.soft.offsets, weights, strict=True)
        self.log_dict({f"train_offset_{o:+d}": w for o, w in named}, on_step=False, on_epoch=True)
        return super().training_step(batch, batch_idx)

    def configure_optimizers(self) -> Any:
        """As for fusion, with a group of its own for the logits."""
        logits = self.soft.logits
        others = [p for p in self.parameters() if p.requires_grad and p is not logits]
        groups: list[dict[str, Any]] = [
            {"params": others},
            {"params": [logits], "lr": _LOGIT_LR, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(
            groups, lr=self.settings.lr, weight_decay=self.settings.weight_decay
        )
        return self.with_schedule(optimizer)

    def choice(self) -> PairingChoice:
        """What has been learned."""
        soft = self.soft
        weights = soft.logits.detach().softmax(dim=1)
        rows = [[round(float(w), 6) for w in row] for row in weights]
        method = "levels" if soft.per_level else "learned"
        evidence = {"offsets": list(soft.offsets), "weights": rows}
        return PairingChoice(method, soft.chosen(), evidence)


def write_choice(choice: PairingChoice, path: Path) -> None:
    """Write a choice as JSON, atomically."""
    values = {"method": choice.method, "pairing": choice.pairing, "evidence": dict(choice.evidence)}
    write_text(path, json.dumps(values, indent=1))


def read_choice(path: Path, model: MMAUNetConfig) -> PairingChoice:
    """Read what `write_choice` wrote.

    Args:
        path: The file.
        model: The network whose pairing was chosen.

    Raises:
        InputError: The file holds no choice for this network.
    """
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
        if not (isinstance(values, dict) and isinstance(values["evidence"], dict)):
            raise ValueError("no mapping")
        pairing = replace(model, pairing=values["pairing"]).pairing
        return PairingChoice(str(values["method"]), pairing, values["evidence"])
    except (OSError, KeyError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"{path} holds no pairing of this network ({reason}): delete it and the folder "
            "'fusion' beside it, and the pairing is chosen again"
        ) from error
