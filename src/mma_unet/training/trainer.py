"""Fitting one stage with Lightning: what it leaves in its folder, and how it resumes.

See also: `mma_unet.training.stages`, which asks for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from mma_unet.errors import InputError
from mma_unet.training.callbacks import CurveWriter, SampleGrid, read_curve
from mma_unet.training.pairs_data import PairsData
from mma_unet.training.recipe import StageSettings
from mma_unet.training.sync_norm import SyncBatchNormCPU

__all__ = ["Fitter", "check_checkpoint", "is_first"]

log = logging.getLogger(__name__)

_ERROR = f"{InputError.__module__}.{InputError.__qualname__}"


def is_first() -> bool:
    """Whether this is the process that writes files."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


class Fitter:
    """Fits the stages of a run, one after the other.

    Args:
        data: The loaders.
        progress: Show a progress bar.
        callbacks: More Lightning callbacks.
        options: Passed to `lightning.Trainer`.

    Attributes:
        device: Where the last stage was fitted.
    """

    def __init__(
        self,
        data: PairsData,
        *,
        progress: bool,
        callbacks: Sequence[Callback],
        options: Mapping[str, Any],
    ) -> None:
        self.data, self.progress = data, progress
        self.callbacks, self.options = callbacks, options
        self.device = torch.device("cpu")

    def fit(self, task: L.LightningModule, folder: Path, settings: StageSettings) -> None:
        """Train, from the checkpoint in `folder` on if there is one.

        Args:
            task: What to optimize.
            folder: Where curve, logs, samples and checkpoint go.
            settings: The budget.

        Raises:
            InputError: From the data, or what an earlier run left is damaged.
            KeyboardInterrupt: The training was interrupted.
        """
        start = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        trainer = self._trainer(folder, settings)
        last, curve = folder / "last.ckpt", folder / "curve.csv"
        if last.is_file():
            check_checkpoint(last, task)
        if curve.is_file():
            read_curve(curve)  # refuses a damaged one now, not after the first epoch
        try:
            trainer.fit(
                task,
                datamodule=self.data,
                ckpt_path=str(last) if last.is_file() else None,
                weights_only=True,
            )
        except SystemExit as stop:  # how Lightning ends after an interruption
            raise KeyboardInterrupt from stop
        except InputError as error:  # from a loader process it comes wrapped in a traceback
            sentence = str(error).strip().splitlines()[-1].removeprefix(f"{_ERROR}: ")
            raise InputError(sentence) from error
        self.device = trainer.strategy.root_device
        log.info("%s: %d epochs in %.0f s", folder, settings.epochs, time.monotonic() - start)

    def _trainer(self, folder: Path, settings: StageSettings) -> L.Trainer:
        checkpoint = ModelCheckpoint(
            folder,
            "last",
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=True,  # after validation, whether or not there was one
        )
        callbacks: list[Callback] = [
            CurveWriter(folder / "curve.csv"),
            SampleGrid(folder / "samples"),
            checkpoint,
            *self.callbacks,
        ]
        if self.progress:
            callbacks.append(RichProgressBar())
        return L.Trainer(
            **self.options,
            **self._synchronized(),
            max_epochs=settings.epochs,
            check_val_every_n_epoch=min(settings.val_every, settings.epochs),
            logger=TensorBoardLogger(folder, name="", version="tensorboard"),
            callbacks=callbacks,
            enable_progress_bar=self.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            use_distributed_sampler=False,
        )

    def _synchronized(self) -> dict[str, Any]:
        """What makes batch norm that of the global batch, however many processes share it."""
        quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        silent: dict[str, Any] = dict.fromkeys(quiet, False)
        probe = L.Trainer(**self.options, **silent)
        if probe.world_size == 1:
            return {}
        if probe.strategy.root_device.type == "cpu":
            return {"plugins": [SyncBatchNormCPU()]}
        return {"sync_batchnorm": True}


_RESUMED = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")


def check_checkpoint(path: Path, task: L.LightningModule) -> None:
    """Refuse a checkpoint that a training of `task` cannot go on from.

    Raises:
        InputError: It is damaged, or of another network.
    """
    mend = "delete it, and this stage is trained from its beginning"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and PyTorch have many kinds
        raise InputError(f"{path}: the checkpoint is damaged and cannot be read: {mend}") from error
    lacking = [key for key in _RESUMED if not isinstance(found, dict) or key not in found]
    if lacking:
        raise InputError(f"{path}: the checkpoint is damaged (no {lacking[0]}): {mend}")
    state = found["state_dict"]
    shapes = isinstance(state, dict) and {k: getattr(v, "shape", 0) for k, v in state.items()}
    if shapes != {key: value.shape for key, value in task.state_dict().items()}:
        raise InputError(f"{path}: the checkpoint is of another network, or damaged: {mend}")
