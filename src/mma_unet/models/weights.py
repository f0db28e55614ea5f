"""Weights in and out: safetensors files that describe themselves.

A weights file holds the tensors and, in its metadata, the model's config, the recipe and data it
was trained with and its measured scores, so that `load_model(path)` needs nothing else. Matrices
and kernels are stored in half precision, one-dimensional tensors (biases, batch-norm statistics)
in single precision. No pickle is ever read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from mma_unet.errors import InputError
from mma_unet.files import kind_of, parse_json, replacing
from mma_unet.models.config import MMAUNetConfig
from mma_unet.models.mma_unet import MMAUNet
from mma_unet.models.tensors import COUNT, opened, read_tensors

__all__ = [
    "DEFAULT_MODEL",
    "ModelCard",
    "load_model",
    "read_card",
    "round_to_half",
    "save_model",
    "shipped_models",
]

DEFAULT_MODEL = "small"
"""The weights that `Fuser()` and the command line use when none are named."""

_FORMAT = "mma-unet/1"
_ABOUT = ("recipe", "data", "scores")
_FOLDER = resources.files("mma_unet") / "weights"


@dataclass(frozen=True)
class ModelCard:
    """What a weights file says about itself.

    Attributes:
        config: The network.
        recipe: Hyperparameters and budget of the training.
        data: Data sets, splits and numbers of pairs it was trained on.
        scores: Mean metrics by data set.
    """

    config: MMAUNetConfig
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)


def shipped_models() -> tuple[str, ...]:
    """Names of the weights that come with the package, e.g. `("small", "tiny")`."""
    folder = Path(str(_FOLDER))
    return tuple(sorted(p.stem for p in folder.glob("*.safetensors")))


def _locate(name_or_path: str | os.PathLike[str]) -> Path:
    name = os.fspath(name_or_path)
    path = Path(name)
    there = kind_of(path) == "file"
    if path.suffix == "" and path.name == name and not there:
        if name in shipped_models():
            return Path(str(_FOLDER / f"{name}.safetensors"))
        raise InputError(
            f"unknown model {name!r}: use one of {', '.join(shipped_models())} "
            "or the path of a .safetensors file"
        )
    if not there:
        raise InputError(
            f"{path}: no such weights file; give a .safetensors path or one of "
            f"{', '.join(shipped_models())}"
        )
    return path


def round_to_half(model: MMAUNet) -> None:
    """Give `model`, in place, the values that `save_model` will store: what to score."""
    for value in model.state_dict().values():
        if _is_halved(value):
            value.copy_(value.half())


def _is_halved(value: torch.Tensor) -> bool:
    return value.is_floating_point() and value.dim() > 1


def save_model(
    model: MMAUNet,
    path: str | os.PathLike[str],
    *,
    recipe: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
    half: bool = True,
) -> Path:
    """Write `model` and its card to a safetensors file, atomically.

    Args:
        model: The network.
        path: Where to write; the folder is made.
        recipe: Hyperparameters and budget of the training.
        data: What it was trained on.
        scores: What it measured.
        half: Store tensors of two and more dimensions in float16.
    """
    target = Path(path)
    tensors = {
        key: value.detach().cpu().to(torch.float16 if half and _is_halved(value) else value.dtype)
        for key, value in model.state_dict().items()
        if not key.endswith(COUNT)
    }
    metadata = {
        "format": _FORMAT,
        "config": json.dumps(model.config.to_dict()),
        "recipe": json.dumps(dict(recipe or {})),
        "data": json.dumps(dict(data or {})),
        "scores": json.dumps(dict(scores or {})),
    }
    with replacing(target) as part:
        save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata)
    return target


def _read_card(path: Path) -> ModelCard:
    """The card of a weights file, from its header: no tensor is read."""
    with opened(path) as file:
        metadata = file.metadata() or {}
    try:
        if metadata.get("format") != _FORMAT:
            raise ValueError("another format")
        about = {key: parse_json(metadata.get(key, "{}")) for key in _ABOUT}
        if not all(isinstance(value, dict) for value in about.values()):
            raise ValueError("a card that is no mapping")
        if not all(map(_is_row, about["scores"].values())):
            raise ValueError("scores that are no numbers")
        return ModelCard(MMAUNetConfig.from_dict(parse_json(metadata["config"])), **about)
    except (KeyError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"{path}: not an MMA-UNet weights file ({reason}); give one written by `mma-unet train`"
        ) from error


def _is_row(scores: object) -> bool:
    """Whether `scores` are numbers by metric."""
    return isinstance(scores, dict) and all(isinstance(v, (int, float)) for v in scores.values())


def read_card(name_or_path: str | os.PathLike[str]) -> ModelCard:
    """The card of shipped weights by name, or of a weights file by path.

    Raises:
        InputError: If there is no such model or the file is not ours.
    """
    return _read_card(_locate(name_or_path))


def load_model(
    name_or_path: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    style: float = 0.0,
    device: str | torch.device = "cpu",
) -> MMAUNet:
    """Load shipped weights by name, or a weights file by path, ready for inference.

    Args:
        name_or_path: `"small"`, `"tiny"`, ... or the path of a `.safetensors` file.
        style: From 0, the weights as they are, to 1, their thermal end: `NAME-thermal`, shipped or
            in the same folder. Every tensor is interpolated, so that the network costs the same.
        device: Where to put the model.

    Returns:
        The model in single precision and evaluation mode.

    Raises:
        InputError: If there is no such model, it has no thermal end, or the file is not ours.

    Example:
        >>> load_model("tiny").config.width
        8
    """
    path = _locate(name_or_path)
    if not 0 <= style <= 1:
        raise InputError(f"style must be from 0 (natural) to 1 (thermal), not {style}")
    model = _load(path)
    if style:
        end = path.with_stem(f"{path.stem}-thermal")
        if kind_of(end) != "file":
            raise InputError(f"{name_or_path}: has no thermal end ({end.name}); leave style at 0")
        thermal = _load(end)
        if thermal.config != model.config:
            raise InputError(f"{end}: is another network than {path.name}; train it from there")
        with torch.no_grad():
            for value, other in zip(
                model.state_dict().values(), thermal.state_dict().values(), strict=True
            ):
                if value.is_floating_point():
                    value.lerp_(other, style)
    return model.to(device).eval()


def _load(path: Path) -> MMAUNet:
    """The network of a weights file in single precision, built once the file is known to fit it."""
    config = _read_card(path).config
    with torch.device("meta"):
        wanted = MMAUNet(config)
    state = read_tensors(path, wanted, "copy the file again, or train it anew")
    model = MMAUNet(config)
    model.load_state_dict(state, strict=False)  # what is missing is no more than a count
    return model
