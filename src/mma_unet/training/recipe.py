"""A training recipe: everything that decides a run, from data to weights.

See also: `mma_unet.training.recipe_file`, which reads one; `mma_unet.training.run`, which runs it.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from reprlib import repr as _brief
from typing import Any

from mma_unet.losses import FusionLossConfig
from mma_unet.models import MMAUNetConfig

__all__ = ["AUTO", "PAIRINGS", "STAGES", "DataSettings", "Recipe", "StageSettings"]

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")

STAGES = ("vi", "ir", "fusion")
"""In the order they run: VI-UNet, IR-UNet (guided by the frozen VI-UNet), fusion."""

PAIRINGS = ("given", "auto", "learned", "levels", "cka")
"""How the pairing is found: as the model has it, or chosen between stage I and stage II."""

# Far beyond what is of use: a slip of the keyboard is found before a training starts.
_MOST_PIXELS = 16_384
_MOST_ITEMS = 10**6
_MOST_WORKERS = 1024
_MOST_CHANGE = 10.0
_MOST_WEIGHT = 1e6
_MOST_SEED = (2**32 - 1) // 3 - 1
"""Each stage has a seed of its own, `3 * seed` and so on; PyTorch takes 32 bits."""

AUTO = "learned"
"""What `"auto"` stands for; see docs/asymmetry.md for why."""


@dataclass(frozen=True)
class DataSettings:
    """Which pairs to train on and how they are cut.

    Attributes:
        root: Folder that holds the data sets.
        train: Splits to train on, as `"msrs/train"` or a slice of it, `"roadscene/train[:-16]"`.
        val: Splits to measure the validation loss on.
        test: Splits to score the final model on; never used to choose.
        crop: Side of the square training crop in pixels.
        val_crop: Side of the central crop on which the validation loss is measured.
        scale: Range of the crop's share of the image area (random resized crop); null cuts the
            pixels as they are.
        jitter: How far gamma and gain of each image are moved at random, see `PairedAugment`.
        zoom: How far a crop of the pixels as they are is enlarged or reduced at random.
        degrade: How strongly contrast, sharpness and noise of each image are worsened at random,
            0 to 1.
        blind: Share of the crops whose VI goes blind: smoke, haze or overexposure in front of it.
        wear: Share of the crops whose IR is up to two pixels out of line, and of those whose VI
            went through JPEG.
        batch_size: Global batch, over all processes.
        workers: Loader processes.
        cache: Keep decoded images in memory (about 0.6 MB per 480x640 luminance pair).
        repeat: How often each training pair comes up in an epoch, for very small sets.
    """

    root: str = "data"
    train: tuple[str, ...] = ("msrs/train",)
    val: tuple[str, ...] = ("msrs/val",)
    test: tuple[str, ...] = ()
    crop: int = 256
    val_crop: int = 256
    scale: tuple[float, float] | None = (0.2, 1.0)
    jitter: float = 0.0
    zoom: float = 0.0
    degrade: float = 0.0
    blind: float = 0.0
    wear: float = 0.0
    batch_size: int = 8
    workers: int = 0
    cache: bool = True
    repeat: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        _within(self, 1, _MOST_PIXELS, "crop", "val_crop")
        _within(self, 1, _MOST_ITEMS, "batch_size", "repeat")
        _within(self, 0, _MOST_WORKERS, "workers")
        _within(self, 0, _MOST_CHANGE, "jitter", "zoom")
        _within(self, 0, 1, "degrade", "blind", "wear")
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError("scale must be 0 < low <= high <= 1")


@dataclass(frozen=True)
class StageSettings:
    """Budget and optimizer of one stage (paper section 4.1).

    Attributes:
        epochs: Passes over the training pairs.
        lr: Initial learning rate of AdamW, annealed to zero by a cosine.
        weight_decay: Of AdamW.
        val_every: Validate (and draw samples) every so many epochs.
        loss: Fusion stage only: the loss and its weights.
        metrics: Fusion stage only: weights of metrics to maximize besides the loss, e.g.
            `{"vif": 1.0}`; names as in `mma_unet.metrics.METRICS`.
        teacher: Fusion stage only: shipped weights by name, or a weights file, whose fused images
            are imitated besides (distillation); luminance only.
        teacher_weight: Weight of the mean absolute difference to them.
        freeze_encoders: Fusion stage only: keep the stage-I encoders as they are, as the paper
            does.
        freeze_norm: Fusion stage only: train with the batch-norm statistics that inference uses,
            and leave them as they are; for the end of a training.
        settle: Fusion stage only: do so in the last so many epochs.
    """

    epochs: int = 100
    lr: float = 1e-3
    weight_decay: float = 0.005
    val_every: int = 1
    loss: FusionLossConfig = field(default_factory=FusionLossConfig)
    metrics: dict[str, float] = field(default_factory=dict)
    teacher: str | None = None
    teacher_weight: float = 4.0
    freeze_encoders: bool = True
    freeze_norm: bool = False
    settle: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        _within(self, 1, _MOST_ITEMS, "epochs", "val_every")
        if not 0 <= self.settle <= self.epochs:
            raise ValueError(f"settle must be in 0..{self.epochs} epochs, not {self.settle}")
        if not self.lr > 0 or not self.weight_decay >= 0:
            raise ValueError("lr must be above 0 and weight_decay 0 or more")
        _within(self, 0, _MOST_WEIGHT, "lr", "weight_decay", "teacher_weight")
        weights = {**asdict(self.loss), **self.metrics}
        for name, value in weights.items():
            if isinstance(value, float) and not 0 <= value <= _MOST_WEIGHT:
                raise ValueError(f"{name}: a weight must be in 0..{_MOST_WEIGHT:g}, not {value}")


@dataclass(frozen=True)
class Recipe:
    """One training run, from data to weights.

    Attributes:
        name: Names the run folder and the weights file.
        model: The network.
        data: What it is trained on.
        start: Shipped weights by name, or a weights file: train stage II from there, and skip
            stage I.
        vi: Stage I, VI-UNet.
        ir: Stage I, IR-UNet.
        fusion: Stage II.
        pairing: `"given"` takes the pairing of `model`. The others choose one from the trained
            encoders before stage II: `"learned"` one offset, by soft weights that the levels
            share; `"levels"` the same level by level; `"cka"` the offset of the CKA ridge;
            `"auto"` is `AUTO`.
        search: Budget of `"learned"` and `"levels"`; what it leaves out is as in `fusion`.
        seed: Seeds weights, shuffling and augmentation.
        precision: Lightning's: `"32-true"` or `"bf16-mixed"`.
    """

    name: str
    model: MMAUNetConfig
    data: DataSettings = field(default_factory=DataSettings)
    vi: StageSettings = field(default_factory=StageSettings)
    ir: StageSettings = field(default_factory=StageSettings)
    fusion: StageSettings = field(default_factory=lambda: StageSettings(lr=1e-4))
    pairing: str = "given"
    search: StageSettings | None = None
    start: str | None = None
    seed: int = 0
    precision: str = "bf16-mixed"

    def __post_init__(self) -> None:
        """Check what the parts must agree on."""
        multiple = self.model.size_multiple
        if self.data.crop % multiple or self.data.val_crop % multiple:
            raise ValueError(f"data.crop and data.val_crop must be multiples of {multiple}")
        _check_name(self.name)
        _within(self, 0, _MOST_SEED, "seed")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}")
        if self.pairing not in PAIRINGS:
            raise ValueError(f"pairing must be one of {', '.join(PAIRINGS)}, not {self.pairing!r}")
        if self.pairing != "given" and self.start is not None:
            raise ValueError("a recipe with start has its pairing; leave out pairing")
        default = StageSettings()
        for stage in (self.vi, self.ir):
            if stage.loss != default.loss or stage.metrics:
                raise ValueError("loss and metrics belong to the fusion stage")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written beside the run and into the weights' card."""
        plain = _plain({**asdict(self), "model": self.model.to_dict()})
        assert isinstance(plain, dict)
        return plain

    def settings(self, stage: str) -> StageSettings:
        """Budget and optimizer of `"vi"`, `"ir"`, `"search"` or `"fusion"`."""
        settings: StageSettings | None = getattr(self, stage)
        return self.fusion if settings is None else settings


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _within(settings: Any, least: float, most: float, *names: str) -> None:
    """Check that settings are in a range; NaN is in none."""
    for name in names:
        value = getattr(settings, name)
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}")
        if not value <= most:
            raise ValueError(f"{name} must be at most {most:g}, not {value:g}")


def _check_name(name: str) -> None:
    """Refuse a name that is more than the name of one file on some system."""
    plain = PurePosixPath(name).name == name == PureWindowsPath(name).name
    if not plain or name in ("", "..") or not name.isprintable() or len(os.fsencode(name)) > 200:
        raise ValueError(
            f"name must be a plain name for a file, at most 200 bytes and without a path, not "
            f"{_brief(name)}"
        )
