"""Batches of training and validation pairs, the same for any number of processes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, DistributedSampler

from mma_unet.data import CenterCrop, Pair, PairedAugment, PairedImages, open_split
from mma_unet.data.infrared import first_note
from mma_unet.errors import InputError
from mma_unet.training.recipe import DataSettings

__all__ = ["PairsData", "open_splits"]

log = logging.getLogger(__name__)


def open_splits(specs: tuple[str, ...], root: str | Path) -> list[Pair]:
    """The pairs of splits such as `"msrs/train"` or `"roadscene/train[:-16]"`, in order.

    Raises:
        InputError: If a split is misspelt or missing.
    """
    pairs: list[Pair] = []
    for spec in specs:
        match = re.fullmatch(r"([^\[\]]+)(?:\[(-?\d{1,9})?:(-?\d{1,9})?(?::(\d{1,9}))?\])?", spec)
        if match is None:
            raise InputError(f"{spec}: not a data split; write NAME/SPLIT or NAME/SPLIT[a:b:step]")
        path, *cuts = match.groups()
        found = open_split(path, root)
        for lonely in (*found.unpaired_ir, *found.unpaired_vi):
            log.warning("%s has no partner and is left out", lonely)
        if note := first_note([pair.ir for pair in found.pairs]):
            log.warning("%s: %s", path, note)
        start, stop, step = (int(cut) if cut else None for cut in cuts)
        if step == 0:
            raise InputError(f"{spec}: a step of 0 goes nowhere; leave it out")
        pairs += found.pairs[start:stop:step]
    return pairs


class _EpochSampler(DistributedSampler[Any]):
    """Yields `(epoch, index)`; the global batches do not depend on the number of processes."""

    def __iter__(self) -> Iterator[Any]:
        return ((self.epoch, index) for index in super().__iter__())


class PairsData(L.LightningDataModule):
    """The loaders of a recipe.

    The order of the pairs depends on seed and epoch alone, and the augmentation of a pair on seed,
    epoch and its index: neither on the number of loaders nor on the number of processes. So a run
    can be resumed, or spread over devices, and sees the same batches.

    Args:
        settings: What to load.
        channels: 1 for luminance, 3 for color VI.
        seed: Seeds shuffling and augmentation.
    """

    def __init__(self, settings: DataSettings, *, channels: int, seed: int) -> None:
        super().__init__()
        self.settings, self.seed = settings, seed
        self.train_pairs = settings.repeat * open_splits(settings.train, settings.root)
        self.val_pairs = open_splits(settings.val, settings.root)
        options: dict[str, Any] = {"channels": channels, "cache": settings.cache, "seed": seed}
        augment = PairedAugment(
            settings.crop,
            scale=settings.scale,
            jitter=settings.jitter,
            zoom=settings.zoom,
            degrade=settings.degrade,
            blind=settings.blind,
            wear=settings.wear,
        )
        self.train_set = PairedImages(self.train_pairs, transform=augment, **options)
        self.val_set = PairedImages(
            self.val_pairs, transform=CenterCrop(settings.val_crop), **options
        )
        if len(self.train_set) < settings.batch_size:
            raise InputError(
                f"{', '.join(settings.train)}: only {len(self.train_set)} pairs for a batch of "
                f"{settings.batch_size}; lower data.batch_size"
            )

    def _loader(self, dataset: PairedImages, *, shuffle: bool) -> DataLoader[Any]:
        world = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        if len(self.val_set) < world:
            raise InputError(
                f"{len(self.val_set)} validation pairs for {world} processes: add some"
            )
        if self.settings.batch_size % world:
            raise InputError(
                f"data.batch_size {self.settings.batch_size} cannot be shared by {world} "
                "processes; make it a multiple"
            )
        sampler: Iterable[Any] = range(rank, len(dataset), world)  # each pair once, none repeated
        if shuffle:
            sampler = _EpochSampler(dataset, world, rank, seed=self.seed, drop_last=True)
        if self.settings.cache and self.settings.workers:
            dataset.preload()  # before the loader processes fork, so that they share it
        return DataLoader(
            dataset,
            batch_size=self.settings.batch_size // world,
            sampler=sampler,
            drop_last=shuffle,
            num_workers=self.settings.workers,
            persistent_workers=self.settings.workers > 0,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled, augmented crops."""
        return self._loader(self.train_set, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Central crops in order."""
        return self._loader(self.val_set, shuffle=False)
