"""What is optimized in each stage, as Lightning modules; the networks know nothing of this."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from torch import Tensor, nn

from mma_unet.losses import FusionLoss, reconstruction_loss
from mma_unet.metrics import METRICS
from mma_unet.metrics.objective import MetricObjective
from mma_unet.models import IRUNet, MMAUNet, VIUNet, load_model
from mma_unet.training.recipe import StageSettings

__all__ = ["FusionTask", "ReconstructionTask", "Task"]


class Task(L.LightningModule):
    """Optimizer, schedule and logging shared by both stages; a subclass gives `losses`.

    Attributes:
        frozen: Parts of the networks that are not trained; a plain list, so that they are not
            registered, and written into the checkpoint, once more.
    """

    def __init__(self, settings: StageSettings) -> None:
        super().__init__()
        self.settings = settings
        self.frozen: list[nn.Module] = []
        self.totals: dict[str, tuple[float, int]] = {}

    def keep_frozen(self, *modules: nn.Module) -> None:
        """Neither train these modules nor update their batch-norm statistics."""
        for module in modules:
            module.requires_grad_(False)
            self.frozen.append(module)

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        raise NotImplementedError

    def losses(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The loss under `"loss"`, and its terms by name."""
        raise NotImplementedError

    def pictures(self, batch: dict[str, Any]) -> list[Tensor]:
        """Columns for the grid of validation samples: sources and result, `(B, C, H, W)`."""
        raise NotImplementedError

    def on_train_epoch_start(self) -> None:
        """Keep frozen parts in evaluation mode, whatever the trainer set."""
        for module in self.frozen:
            module.eval()

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:  # noqa: ARG002
        """One step; the epoch's means are logged as `train_*`."""
        losses = self.losses(batch)
        self.log_dict(
            {f"train_{name}": value.detach() for name, value in losses.items()},
            on_step=False,
            on_epoch=True,
            sync_dist=True,
            batch_size=len(batch["ir"]),
            prog_bar=True,
        )
        return losses["loss"]

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:  # noqa: ARG002
        """Add a batch to the validation loss."""
        count = len(batch["ir"])
        for name, value in self.losses(batch).items():
            total, seen = self.totals.get(name, (0.0, 0))
            self.totals[name] = (total + count * float(value), seen + count)

    def on_validation_epoch_end(self) -> None:
        """Log `val_*`: means over all pairs, however they were shared out over processes."""
        parts = [self.totals]
        if self.trainer.world_size > 1:
            parts = [{} for _ in range(self.trainer.world_size)]
            dist.all_gather_object(parts, self.totals)
        self.totals = {}
        for name in dict.fromkeys(name for part in parts for name in part):
            totals, counts = zip(*(part[name] for part in parts if name in part), strict=True)
            self.log(f"val_{name}", sum(totals) / sum(counts), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW and cosine annealing to zero (paper section 4.1)."""
        optimizer = torch.optim.AdamW(
            (p for p in self.parameters() if p.requires_grad),
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
        )
        return self.with_schedule(optimizer)

    def with_schedule(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """`optimizer` and its cosine to zero over all steps."""
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(steps, 1))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def _channels(image: Tensor, channels: int) -> Tensor:
    """Repeat a single channel if the network takes three; lay out for fast convolutions."""
    expanded = image.expand(-1, channels, -1, -1) if image.shape[1] != channels else image
    return expanded.contiguous(memory_format=torch.channels_last)


class ReconstructionTask(Task):
    """Stage I: reconstruct one modality (equation 1).

    Args:
        unet: The network to train.
        settings: Budget and optimizer.
        guide: For a guided IR-UNet, the trained VI-UNet; it is frozen.
    """

    def __init__(
        self, unet: VIUNet | IRUNet, settings: StageSettings, guide: VIUNet | None = None
    ) -> None:
        super().__init__(settings)
        self.unet: VIUNet | IRUNet = unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.guide = guide
        if guide is not None:
            self.keep_frozen(guide)

    @property
    def network(self) -> VIUNet | IRUNet:
        """The network to train."""
        return self.unet

    def reconstruct(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """`(image, output)` of a batch, each `(B, in_channels, H, W)`; output is unclipped."""
        channels = self.unet.config.in_channels
        vi = _channels(batch["vi"], channels)
        if isinstance(self.unet, VIUNet):
            return vi, self.unet(vi).float()
        guide: list[Tensor] = []
        if self.guide is not None:
            with torch.no_grad():
                guide = self.guide.encoder(vi)
        ir = _channels(batch["ir"], channels)
        return ir, self.unet(ir, guide).float()

    def losses(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Mean squared error of the reconstruction."""
        return {"loss": reconstruction_loss(*self.reconstruct(batch))}

    def pictures(self, batch: dict[str, Any]) -> list[Tensor]:
        """Image and reconstruction."""
        return list(self.reconstruct(batch))


class FusionTask(Task):
    """Stage II: fuse, with the loss of equation 5.

    Args:
        model: The fusion network on stage-I encoders.
        settings: Budget, optimizer, loss, and whether the encoders stay frozen.
    """

    def __init__(self, model: MMAUNet, settings: StageSettings) -> None:
        super().__init__(settings)
        self.model: MMAUNet = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = FusionLoss(settings.loss)
        self.objective = MetricObjective(settings.metrics)
        # In a tuple, so that it is no part of the checkpoint.
        self.teacher = () if settings.teacher is None else (load_model(settings.teacher),)
        if settings.freeze_encoders:
            self.keep_frozen(model.vi_encoder, model.ir_encoder)

    @property
    def network(self) -> MMAUNet:
        """The fusion network."""
        return self.model

    def on_train_epoch_start(self) -> None:
        """Keep frozen parts, and batch norm if asked to, in evaluation mode."""
        super().on_train_epoch_start()
        settled = self.current_epoch >= self.settings.epochs - self.settings.settle
        if self.settings.freeze_norm or settled:
            for module in self.model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def fuse(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """`(fused, ir, vi)` of a batch, each `(B, in_channels, H, W)`; fused is unclipped."""
        model = self.model
        ir, vi = (_channels(batch[key], model.config.in_channels) for key in ("ir", "vi"))
        return model(ir, vi).float(), ir, vi

    def losses(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The fusion loss and its terms, computed in single precision."""
        fused, ir, vi = self.fuse(batch)
        with torch.autocast(fused.device.type, enabled=False):
            losses: dict[str, Tensor] = self.loss(fused, ir, vi)
            metrics = self.objective(*(x.mean(dim=1, keepdim=True) for x in (fused, ir, vi)))
        total = losses.pop("loss") + metrics.pop("loss")
        for teacher in self.teacher:
            with torch.no_grad():
                wanted = teacher.to(ir.device)(ir, vi).float().clamp(0, 1)
            losses["distance"] = (fused - wanted).abs().mean()
            total = total + self.settings.teacher_weight * losses["distance"]
        by_label = {METRICS[name].label: value for name, value in metrics.items()}
        return {"loss": total, **losses, **by_label}

    def pictures(self, batch: dict[str, Any]) -> list[Tensor]:
        """IR, VI and the fused image."""
        fused, ir, vi = self.fuse(batch)
        return [ir, vi, fused]
