"""Exported files: what they say of themselves."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from mma_unet.errors import InputError
from mma_unet.inference.runtimes.base import load
from mma_unet.inference.runtimes.convert import METADATA_KEY
from mma_unet.models import Descriptor, MMAUNetConfig

__all__ = ["Exported", "is_exported", "read_exported"]

_PROGRAM = ".pt"
_SUFFIXES = (".onnx", ".xml", _PROGRAM)


@dataclass(frozen=True)
class Exported:
    """A file written by `mma-unet export`.

    Attributes:
        path: The `.onnx` file, or the `.xml` file with its `.bin` beside it.
        config: The network.
        precision: `"fp32"` or `"int8"`.
        about: Everything its metadata holds.
    """

    path: Path
    config: MMAUNetConfig
    precision: str
    about: dict[str, Any]

    def __str__(self) -> str:
        return str(self.path)

    def describe(self) -> Descriptor:
        """What the file can do, for whoever runs it; what is not int8 may run in bfloat16 too."""
        able = ("int8",) if self.precision == "int8" else ("fp32", "bf16")
        return Descriptor(self.config.in_channels, self.config.size_multiple, False, able)


def is_exported(model: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether `model` is the path of an exported file, by its ending."""
    return (
        isinstance(model, (str, os.PathLike)) and Path(os.fspath(model)).suffix.lower() in _SUFFIXES
    )


def read_exported(path: str | os.PathLike[str]) -> Exported:
    """Read the metadata of an exported file.

    Raises:
        InputError: If it is missing, is TorchScript, was not written by `mma-unet export`, or the
            package that reads it is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist: check the path.")
    if path.suffix.lower() == _PROGRAM:
        raise InputError(
            f"{path}: a TorchScript file is a program and not safe to load; give the weights, or "
            "export them as .onnx or .xml"
        )
    foreign = f"{path}: not a model that `mma-unet export` wrote; export the weights anew"
    if path.suffix.lower() == ".xml":
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise InputError(f"{path}: its weights {weights.name} are missing; keep both together")
    read = _read_onnx if path.suffix.lower() == ".onnx" else _read_openvino
    try:
        about = json.loads(read(path))
        return Exported(
            path, MMAUNetConfig.from_dict(about["config"]), str(about["precision"]), about
        )
    except InputError:
        raise
    except Exception as error:  # whatever a parser of a third party raises
        raise InputError(foreign) from error


def _read_onnx(path: Path) -> str:
    model = load("onnx").load(path)
    return str({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY])


def _read_openvino(path: Path) -> str:
    model = load("openvino").Core().read_model(path)
    return str(model.get_rt_info([METADATA_KEY]).astype(str))
