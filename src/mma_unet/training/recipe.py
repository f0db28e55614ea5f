"""A training recipe: everything that decides a run, read from one YAML file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from mma_unet.errors import InputError
from mma_unet.losses import FusionLossConfig
from mma_unet.models import MMAUNetConfig, preset

__all__ = ["STAGES", "DataSettings", "Recipe", "StageSettings", "load_recipe"]

STAGES = ("vi", "ir", "fusion")
"""In the order they run: VI-UNet, IR-UNet (guided by the frozen VI-UNet), fusion."""


@dataclass(frozen=True)
class DataSettings:
    """Which pairs to train on and how they are cut.

    Attributes:
        root: Folder that holds the data sets.
        train: Splits to train on, as `"msrs/train"` or a slice of it, `"roadscene/train[:-16]"`.
        val: Splits to choose on.
        test: Splits to score the final model on; never used to choose.
        crop: Side of the square training crop in pixels.
        val_crop: Side of the central crop on which the validation loss is measured.
        scale: Range of the crop's share of the image area (random resized crop).
        batch_size: Global batch, over all processes.
        workers: Loader processes.
        cache: Keep decoded images in memory (about 0.6 MB per 480x640 luminance pair).
    """

    root: str = "data"
    train: tuple[str, ...] = ("msrs/train",)
    val: tuple[str, ...] = ("msrs/val",)
    test: tuple[str, ...] = ()
    crop: int = 256
    val_crop: int = 256
    scale: tuple[float, float] = (0.2, 1.0)
    batch_size: int = 8
    workers: int = 0
    cache: bool = True


@dataclass(frozen=True)
class StageSettings:
    """Budget and optimiser of one stage (paper section 4.1).

    Attributes:
        epochs: Passes over the training pairs.
        lr: Initial learning rate of AdamW, annealed to zero by a cosine.
        weight_decay: Of AdamW.
        val_every: Validate (and draw samples) every so many epochs.
        loss: Fusion stage only: the loss and its weights.
        metrics: Fusion stage only: weights of metrics to maximise besides the loss, e.g.
            `{"vif": 1.0}`; names as in `mma_unet.metrics.METRICS`.
        freeze_encoders: Fusion stage only: keep the stage-I encoders as they are, as the paper
            does.
    """

    epochs: int = 100
    lr: float = 1e-3
    weight_decay: float = 0.005
    val_every: int = 1
    loss: FusionLossConfig = field(default_factory=FusionLossConfig)
    metrics: dict[str, float] = field(default_factory=dict)
    freeze_encoders: bool = True


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
        seed: Seeds weights, shuffling and augmentation.
        precision: Lightning's: `"32-true"` or `"bf16-mixed"`.
    """

    name: str
    model: MMAUNetConfig
    data: DataSettings = field(default_factory=DataSettings)
    vi: StageSettings = field(default_factory=StageSettings)
    ir: StageSettings = field(default_factory=StageSettings)
    fusion: StageSettings = field(default_factory=lambda: StageSettings(lr=1e-4))
    start: str | None = None
    seed: int = 0
    precision: str = "bf16-mixed"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written beside the run and into the weights' card."""
        values = asdict(self)
        values["model"] = self.model.to_dict()
        plain: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_untuple(values)))
        return plain


def _untuple(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _untuple(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_untuple(item) for item in value]
    return value


def _build(cls: type[Any], values: dict[str, Any], where: str, default: Any = None) -> Any:
    """Fill a settings dataclass from a mapping; unknown keys are an error that names them."""
    known = {f.name: f for f in fields(cls)}
    unknown = set(values) - set(known)
    if unknown:
        raise InputError(
            f"{where}: unknown key(s) {', '.join(sorted(unknown))}; known are {', '.join(known)}"
        )
    base = asdict(default) if default is not None else {}
    merged = {**base, **values}
    for key, value in merged.items():
        if isinstance(value, list):
            merged[key] = tuple(value)
        elif isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?e-?\d+", value):
            merged[key] = float(value)  # YAML 1.1 reads 1e-3 as text
    if isinstance(merged.get("loss"), dict):
        merged["loss"] = _build(FusionLossConfig, merged["loss"], f"{where}.loss")
    try:
        return cls(**merged)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error


def load_recipe(path: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe from YAML.

    Args:
        path: The YAML file; see `configs/` for examples.
        overrides: Dotted keys that replace values of the file, e.g. `{"fusion.epochs": 5}`.

    Raises:
        InputError: If the file is missing, is not YAML, or has an unknown key or a bad value.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such recipe; give a YAML file such as configs/small.yaml")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: a recipe is a mapping of settings; see configs/small.yaml")
    for dotted, value in (overrides or {}).items():
        *parents, last = dotted.split(".")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return recipe_from_dict(values, where=str(path), default_name=path.stem)


def recipe_from_dict(values: dict[str, Any], *, where: str, default_name: str = "run") -> Recipe:
    """Build a recipe from plain values; see `load_recipe` for what it raises."""
    values = dict(values)
    model = values.pop("model", "paper")
    try:
        config = preset(model) if isinstance(model, str) else _model(model)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: model: {error}") from error
    parts: dict[str, Any] = {}
    for key, cls, default in (
        ("data", DataSettings, None),
        ("vi", StageSettings, None),
        ("ir", StageSettings, None),
        ("fusion", StageSettings, StageSettings(lr=1e-4)),
    ):
        parts[key] = _build(cls, values.pop(key, None) or {}, f"{where}: {key}", default)
    values.setdefault("name", default_name)
    recipe: Recipe = _build(Recipe, {**values, "model": config, **parts}, where)
    return recipe


def _model(values: dict[str, Any]) -> MMAUNetConfig:
    values = dict(values)
    start = preset(values.pop("preset")).to_dict() if "preset" in values else {}
    return MMAUNetConfig.from_dict({**start, **values})
