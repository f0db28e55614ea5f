"""The Lightning trainer of a stage."""

from __future__ import annotations

from typing import Any

import lightning as L

from mma_unet.training.sync_norm import SyncBatchNormCPU

__all__ = ["make_trainer"]


def make_trainer(options: dict[str, Any], **settings: Any) -> L.Trainer:
    """A trainer whose batch norm is that of the global batch, however many processes share it."""
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    silent: dict[str, Any] = dict.fromkeys(quiet, False)
    probe = L.Trainer(**options, **silent)
    if probe.world_size == 1:
        return L.Trainer(**options, **settings)
    if probe.strategy.root_device.type == "cpu":
        return L.Trainer(**options, **settings, plugins=[SyncBatchNormCPU()])
    return L.Trainer(**options, **settings, sync_batchnorm=True)
