"""From PyTorch to ONNX: the way into both other runtimes and into files.

See Also:
    `mma_unet.models.fold`: what the network becomes first.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import mma_unet.models
from mma_unet.files import replacing
from mma_unet.inference.runtimes.base import installed, load
from mma_unet.machine import cache_folder
from mma_unet.models import MMAUNet, fold

__all__ = ["INPUTS", "METADATA_KEY", "OUTPUT", "cached_onnx", "metadata", "to_onnx"]

INPUTS, OUTPUT = ("ir", "vi"), "fused"
OPSET = 17
METADATA_KEY = "mma_unet"
"""Where an exported file holds what `metadata` returns, as JSON."""

_FORMAT = "mma-unet-export/1"


def metadata(network: MMAUNet, precision: str = "fp32", **more: Any) -> dict[str, Any]:
    """What an exported file says of itself, plain values for JSON."""
    return {
        "format": _FORMAT,
        "config": network.config.to_dict(),
        "precision": precision,
        **more,
    }


def cached_onnx(network: MMAUNet) -> bytes:
    """What `to_onnx` gives, kept on disk: a network is converted once on a machine.

    The file is named by a digest of the weights, the config, this package's code for networks and
    the versions of torch and onnx, so it never goes stale. It lies in the user's folder for caches
    (`mma_unet.machine.cache_folder`), which may be deleted. Where it cannot be written, nothing is
    kept. A network of a class of its own is not kept either.

    Raises:
        InputError: If `onnx` is not installed.
    """
    if type(network) is not MMAUNet or not installed("onnx"):
        return to_onnx(network)
    file = cache_folder() / f"{_digest(network)}.onnx"
    with contextlib.suppress(OSError):  # not there yet
        kept = file.read_bytes()
        if hashlib.sha256(kept[32:]).digest() == kept[:32]:
            return kept[32:]
    serialized = to_onnx(network)
    with contextlib.suppress(OSError), replacing(file) as part:
        part.write_bytes(hashlib.sha256(serialized).digest() + serialized)
    return serialized


def _digest(network: MMAUNet) -> str:
    """Digest of all that decides what `to_onnx` gives."""
    about = [metadata(network), OPSET, version("torch"), version("onnx")]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for file in (*sorted(Path(mma_unet.models.__path__[0]).glob("*.py")), Path(__file__)):
        digest.update(file.read_bytes())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def to_onnx(network: MMAUNet, about: dict[str, Any] | None = None) -> bytes:
    """The network as an ONNX file: batch norm folded; batch, height and width dynamic.

    Inputs are `ir` and `vi`, the output is `fused`, all `(batch, in_channels, height, width)`
    float32; height and width must be multiples of the config's `size_multiple`.

    PyTorch's trace-based exporter is used: nothing here depends on the values of a tensor, the
    graph is the same as the newer exporter's, and it takes 0.3 s instead of 12 s.

    Args:
        network: The network; it is copied.
        about: Stored in the file's metadata, see `metadata`.

    Raises:
        InputError: If `onnx` is not installed.
    """
    onnx = load("onnx")
    folded = fold(network).to("cpu")
    side = 4 * network.config.size_multiple
    example = torch.zeros(2, network.config.in_channels, side, side + network.config.size_multiple)
    axes = {0: "batch", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter announces its retirement
        torch.onnx.export(
            folded,
            (example, example),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=dict.fromkeys((*INPUTS, OUTPUT), axes),
        )
    model = onnx.load_from_string(buffer.getvalue())
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(about or metadata(network))
    serialized: bytes = model.SerializeToString()
    return serialized
