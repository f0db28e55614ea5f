"""Checkpoints of others, read as tensors alone and checked against a network."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mma_unet.errors import InputError
from mma_unet.files import check_target, replacing
from mma_unet.machine import cache_folder
from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork

__all__ = [
    "digest",
    "find_weights",
    "fits",
    "keep",
    "kept_weights",
    "load_network",
    "read_checkpoint",
    "weights_folder",
]

_WRAPPER = "module."
"""What PyTorch's data parallel training puts before every name."""


def weights_folder() -> Path:
    """Where weights are looked for that are not given: `rivals` in our folder for caches."""
    return cache_folder() / "rivals"


def find_weights(card: Card, given: str | os.PathLike[str] | None) -> Path:
    """The weights file of a method: the one given, or the one kept by `keep`.

    Raises:
        InputError: There is none.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise InputError(f"{path}: no such weights file; {card.title}'s: {card.weights}")
        return path
    kept = kept_weights(card)
    if kept is None:
        raise InputError(
            f"{card.name} needs its weights, which are not ours to ship: give {card.name}'s file "
            f"with --weights (in compare: --method {card.name}=FILE), or keep it once with "
            f"`mma-unet rivals get {card.name} --weights FILE`; from: {card.weights}"
        )
    return kept


def kept_weights(card: Card) -> Path | None:
    """The weights file that `keep` has kept, if there is one."""
    return next(iter(sorted(weights_folder().glob(f"{card.name}.*"))), None)


def digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from None


def keep(card: Card, path: Path) -> Path:
    """Copy a weights file to where `find_weights` looks, in place of one kept before.

    Raises:
        InputError: It cannot be read or written.
    """
    target = weights_folder() / f"{card.name}{path.suffix}"
    check_target(target)
    try:
        with replacing(target) as part:
            shutil.copyfile(path, part)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror or error}).") from None
    for other in weights_folder().glob(f"{card.name}.*"):
        if other != target:
            other.unlink()
    return target


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name: of safetensors, or of PyTorch, from which no code is run.

    Names in nested dictionaries are joined by dots.

    Raises:
        InputError: It is no such file, is damaged, or holds more than tensors and plain values.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError, EOFError, RuntimeError, ValueError, KeyError, IndexError, AttributeError,
        pickle.UnpicklingError, zipfile.BadZipFile, SafetensorError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path}: not a weights file that can be read safely (tensors alone); it may be "
            "damaged, a page saved in its place, or a whole pickled network"
        ) from error
    tensors = dict(_flat(content, "")) if isinstance(content, Mapping) else {}
    if not tensors:
        raise InputError(f"{path}: holds no named tensors; give a checkpoint (a state dict)")
    return tensors


def _flat(content: Mapping[object, object], before: str) -> Iterator[tuple[str, Tensor]]:
    for key, value in content.items():
        name = str(key).removeprefix(_WRAPPER)
        if isinstance(value, Tensor):
            yield before + name, value
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")


def load_network(card: Card, path: Path, others: Mapping[str, Card]) -> RivalNetwork:
    """The network of a method, filled with a checkpoint.

    Parts of the file that belong to no part of the network (an optimizer's state, a
    discriminator) are passed over.

    Args:
        card: The method.
        path: The file.
        others: All methods, to name the one that the file belongs to.

    Raises:
        InputError: The file cannot be read or does not fit.
    """
    tensors = read_checkpoint(path)
    with torch.device("meta"):
        network = card.network()
    trouble = fits(network, tensors)
    if trouble:
        for other in others.values():
            if other.name != card.name and other.parameters and not _misfit(other, tensors):
                raise InputError(
                    f"{path}: holds weights of {other.title}, not of {card.title}: use --method "
                    f"{other.name}, or give another file"
                )
        raise InputError(f"{path}: does not fit {card.title} ({trouble}); from: {card.weights}")
    state = {
        key: tensors.get(key, torch.zeros(value.shape)).to(value.dtype)  # a counter may be missing
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state, assign=True)  # what is filled need not be made first
    return network


def _misfit(card: Card, tensors: Mapping[str, Tensor]) -> str:
    with torch.device("meta"):
        return fits(card.network(), tensors)


def fits(network: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """What is wrong with tensors for a network, in a few words; "" if nothing is."""
    wanted = network.state_dict()
    parts = {name.partition(".")[0] for name in wanted}
    for name, value in wanted.items():
        if name not in tensors:
            if not name.endswith("num_batches_tracked"):
                return f"{name} is missing"
        elif tensors[name].shape != value.shape:
            shapes = (tuple(one.shape) for one in (tensors[name], value))
            return "{} has shape {}, not {}".format(name, *shapes)
    spare = [name for name in tensors if name not in wanted and name.partition(".")[0] in parts]
    return f"{spare[0]} is unknown" if spare else ""
