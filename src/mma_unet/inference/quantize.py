"""int8 by the runtimes' own post-training quantization, within a bound on the five metrics.

Rounding feature maps to 8 bits hurts most near the image: there it adds noise that VIF and Qabf
see, while the deep levels hardly show. So the levels of the U-Net are kept in floating point from
the image inwards, as few of them as the bound allows. Gates, attention, the 1x1 convolutions of
the fusion and the last one, which cost next to nothing, always stay in floating point.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.inference.fuser import Fuser
from mma_unet.inference.runtimes.base import load
from mma_unet.inference.runtimes.convert import INPUTS, METADATA_KEY, metadata, to_onnx
from mma_unet.inference.sources import read_infrared_source, read_source
from mma_unet.metrics import score
from mma_unet.models import MMAUNet, MMAUNetConfig

__all__ = ["QualityReport", "float_prefixes", "int8_model", "quality", "quantize"]

Sample = dict[str, npt.NDArray[np.float32]]
Progress = Callable[[str, int, int], None]

_MOST_CALIBRATING, _MOST_CHECKING = 48, 16


@dataclass(frozen=True)
class QualityReport:
    """Mean metrics of one network in two precisions on the same pairs.

    Attributes:
        before: Means in fp32, by metric.
        after: Means in the other precision.
        pairs: How many pairs they are over.
        float_levels: Levels of the U-Net, from the image inwards, that stayed in floating point.
    """

    before: dict[str, float]
    after: dict[str, float]
    pairs: int
    float_levels: int = 0

    @property
    def change(self) -> dict[str, float]:
        """Change of each metric in percent."""
        return {k: 100 * (self.after[k] - v) / abs(v) for k, v in self.before.items()}

    @property
    def worst(self) -> float:
        """Largest absolute change in percent."""
        return max(abs(value) for value in self.change.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows: the means in both precisions and the change, as text."""
        rows = [
            ["fp32", *(f"{value:.4f}" for value in self.before.values())],
            ["int8", *(f"{value:.4f}" for value in self.after.values())],
            ["change", *(f"{value:+.2f} %" for value in self.change.values())],
        ]
        return ["", *self.before], rows


def int8_model(
    network: MMAUNet,
    target: Path,
    kind: str,
    pairs: Sequence[Pair],
    *,
    max_loss: float = 1.0,
    progress: Progress | None = None,
) -> QualityReport:
    """Write an int8 model with as few levels in floating point as `max_loss` allows.

    Every fourth pair (at most 16) is left out of the calibration and measures the loss.

    Args:
        network: The network.
        target: The `.onnx` or `.xml` file to write.
        kind: `"onnx"` (ONNX Runtime's static quantization) or `"openvino"` (NNCF).
        pairs: At least four registered pairs of the kind the model will see.
        max_loss: Largest change of any of the five metrics, in percent.
        progress: Called with `(what, done, total)`.

    Raises:
        InputError: If there are too few pairs, a package is missing, or even with all levels but
            the deepest in floating point the change is larger than `max_loss`.
    """
    if len(pairs) < 4:
        raise InputError("int8 needs at least four pairs to calibrate with: give --ir and --vi")
    held = pairs[3::4]
    held = held[:: -(-len(held) // _MOST_CHECKING)]
    rest = [pair for index, pair in enumerate(pairs) if index % 4 != 3]
    rest = rest[:: -(-len(rest) // _MOST_CALIBRATING)]
    samples = [calibration_sample(pair, network.config) for pair in rest]
    step = progress or (lambda *_: None)
    steps = network.config.depth + 1
    step("measuring fp32", 0, steps)
    before = quality(Fuser(network, device="cpu", runtime="torch", precision="fp32"), held)
    for levels in range(network.config.depth):
        step(f"int8 with {levels} level(s) in floating point", levels + 1, steps)
        quantize(network, target, kind, samples, float_levels=levels)
        after = quality(Fuser(target, device="cpu"), held)
        report = QualityReport(before, after, len(held), levels)
        if report.worst <= max_loss:
            about = {"before": before, "after": after, "pairs": len(held)}
            _annotate(target, metadata(network, "int8", float_levels=levels, quality=about))
            step("done", steps, steps)
            return report
    raise InputError(
        f"int8 changes a metric by {report.worst:.1f} % at best: raise --max-loss or stay with fp32"
    )


def quality(fuser: Fuser, pairs: Sequence[Pair]) -> dict[str, float]:
    """Means of the five metrics of the fused luminance over `pairs`."""
    gray, fuser.gray = fuser.gray, True
    try:
        scores = [score(np.asarray(fuser(pair.ir, pair.vi)), pair.ir, pair.vi) for pair in pairs]
    finally:
        fuser.gray = gray
    return {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}


def calibration_sample(pair: Pair, config: MMAUNetConfig) -> Sample:
    """One pair as the network takes it, cropped to the sizes it can take."""
    sample: Sample = {}
    sources = read_infrared_source(pair.ir), read_source(pair.vi, "vi")
    for name, source in zip(INPUTS, sources, strict=True):
        image = source.luminance.numpy()
        height, width = (max(n - n % config.size_multiple, 1) for n in image.shape[1:])
        image = np.broadcast_to(image, (config.in_channels, *image.shape[1:]))
        sample[name] = np.ascontiguousarray(image[None, :, :height, :width])
    if sample["ir"].shape != sample["vi"].shape or min(sample["ir"].shape[2:]) < 16:
        raise InputError(f"{pair.vi} and {pair.ir}: give calibration pairs of one, larger size")
    return sample


def quantize(
    network: MMAUNet, target: Path, kind: str, samples: Sequence[Sample], *, float_levels: int
) -> None:
    """Write `network` in int8, calibrated on `samples`.

    Args:
        network: The network.
        target: The `.onnx` or `.xml` file to write.
        kind: `"onnx"` or `"openvino"`.
        samples: What the network is run on to find the ranges of its feature maps.
        float_levels: Levels, from the image inwards, that stay in floating point.
    """
    about = metadata(network, "int8", float_levels=float_levels)
    prefixes = float_prefixes(network.config, float_levels)
    serialized = to_onnx(network, about)
    if kind == "onnx":
        _with_onnxruntime(serialized, target, samples, prefixes)
    else:
        _with_nncf(serialized, target, samples, prefixes)
    _annotate(target, about)


def float_prefixes(config: MMAUNetConfig, levels: int) -> list[str]:
    """Starts of the names of the nodes that stay in floating point.

    Example:
        >>> float_prefixes(MMAUNetConfig(), 1)[-3:]
        ['/ir_encoder/levels.0/', '/decoder/ups.3/', '/decoder/blocks.3/']
    """
    kept = ["/ir_encoder/gates.", "/fusion/", "/decoder/to_image/", "/head/"]
    deepest = max(config.fused_levels)
    for level in range(1, levels + 1):
        kept += [f"/{encoder}/levels.{level - 1}/" for encoder in ("vi_encoder", "ir_encoder")]
        step = deepest - 1 - level
        kept += [f"/decoder/{part}.{step}/" for part in ("ups", "blocks") if step >= 0]
    return kept


def _with_onnxruntime(
    serialized: bytes, target: Path, samples: Sequence[Sample], prefixes: Sequence[str]
) -> None:
    load("onnxruntime")
    onnx = load("onnx")
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> Sample | None:
            return next(self.left, None)

    model = onnx.load_from_string(serialized)
    with _quiet():
        quantize_static(
            model,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[
                n.name for n in model.graph.node if n.name.startswith(tuple(prefixes))
            ],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def _with_nncf(
    serialized: bytes, target: Path, samples: Sequence[Sample], prefixes: Sequence[str]
) -> None:
    openvino = load("openvino")
    with _quiet():
        nncf = load("nncf")
        quantized = nncf.quantize(
            openvino.Core().read_model(serialized),
            nncf.Dataset(list(samples)),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(
                patterns=[f"{re.escape(prefix)}.*" for prefix in prefixes], validate=False
            ),
        )
    openvino.save_model(quantized, target, compress_to_fp16=False)


def _annotate(target: Path, about: dict[str, Any]) -> None:
    """Write what the file says of itself into it."""
    text = json.dumps(about)
    if target.suffix.lower() == ".onnx":
        onnx = load("onnx")
        model = onnx.load(target)
        del model.metadata_props[:]
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, text
        onnx.save(model, target)
        return
    openvino = load("openvino")
    # Read from memory: the file that is written again must not be mapped.
    weights = np.fromfile(target.with_suffix(".bin"), np.uint8)
    model = openvino.Core().read_model(target.read_text(encoding="utf-8"), openvino.Tensor(weights))
    model.set_rt_info(text, [METADATA_KEY])
    openvino.save_model(model, target, compress_to_fp16=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the log lines and progress bars of the quantizers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
