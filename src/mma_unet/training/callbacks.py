"""What a run leaves behind as it goes: the curve as CSV and a grid of validation samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.data import from_float, write_image
from mma_unet.errors import InputError
from mma_unet.tables import read_rows, write_rows

__all__ = ["CurveWriter", "EpochReport", "SampleGrid", "read_curve"]


def read_curve(path: Path) -> list[dict[str, str]]:
    """The rows of a `curve.csv`; a row lacks the values that its epoch did not measure.

    Raises:
        InputError: The file is damaged.
    """
    rows = [{k: v for k, v in row.items() if v} for row in read_rows(path)]
    if not all(row.get("epoch", "").isdecimal() for row in rows):
        raise InputError(f"{path} is no learning curve: delete it, and a new one is begun")
    return rows


class EpochReport(L.Callback):
    """Tells of each finished epoch.

    Args:
        report: Called as `report(done, total)`.
    """

    def __init__(self, report: Callable[[int, int], None]) -> None:
        self.report = report

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: ARG002
        """Tell."""
        self.report(trainer.current_epoch + 1, trainer.max_epochs or 0)


class CurveWriter(L.Callback):
    """One CSV row per epoch: epoch, step, seconds, learning rate, training and validation losses.

    Unlike Lightning's own CSV logger it survives a resume: rows of epochs that are run again are
    replaced, the others stay.

    Args:
        path: The CSV file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = time.monotonic()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: ARG002
        """Start the clock."""
        self.start = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: ARG002
        """Add the row of this epoch."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch
        row: dict[str, str] = {
            "epoch": str(epoch),
            "step": str(trainer.global_step),
            "seconds": f"{time.monotonic() - self.start:.1f}",
            "lr": f"{trainer.optimizers[0].param_groups[0]['lr']:.3e}",
        }
        # Not validated this epoch: the trainer still holds the values of an earlier one.
        validated = (epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        for name, value in sorted(trainer.callback_metrics.items()):
            if name.startswith("train_") or validated:
                row[name] = f"{float(value):.6g}"
        rows = read_curve(self.path) if self.path.is_file() else []
        write_rows(self.path, [r for r in rows if int(r["epoch"]) < epoch] + [row])


class SampleGrid(L.Callback):
    """After each validation, a PNG of fixed pairs: sources and result side by side.

    Args:
        folder: Where the pictures go, as `epoch_0007.png`.
        samples: How many pairs, spread over the validation set.
        side: Side of each picture in pixels.
    """

    def __init__(self, folder: Path, samples: int = 6, side: int = 224) -> None:
        self.folder, self.samples, self.side = folder, samples, side

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the grid."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        dataset = trainer.datamodule.val_set  # type: ignore[attr-defined]
        step = max(len(dataset) // self.samples, 1)
        items = [dataset[i] for i in range(0, len(dataset), step)][: self.samples]
        batch: dict[str, Any] = {
            key: torch.stack([item[key] for item in items]).to(pl_module.device)
            for key in ("ir", "vi")
        }
        with torch.no_grad():
            columns: list[Tensor] = pl_module.pictures(batch)  # type: ignore[operator]
        wide = torch.cat([self._as_rgb(column) for column in columns], dim=3)
        sheet = torch.cat(list(wide), dim=1).permute(1, 2, 0).cpu().numpy()
        path = self.folder / f"epoch_{trainer.current_epoch:04d}.png"
        write_image(path, from_float(sheet, "uint8"))

    def _as_rgb(self, image: Tensor) -> Tensor:
        small = F.interpolate(image.float(), size=(self.side, self.side), mode="bilinear")
        return small.clamp(0, 1).expand(-1, 3, -1, -1)
