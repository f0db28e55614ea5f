"""Scoring one image triple, or a batch, with a whole suite of metrics."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mma_unet.data.images import luminance, read_eight_bit
from mma_unet.data.infrared import read_infrared_eight_bit
from mma_unet.errors import InputError
from mma_unet.metrics._common import check_shapes
from mma_unet.metrics.registry import METRICS, SUITES, MetricSpec

Image = npt.NDArray[Any]


def suite_specs(suite: str | Iterable[str]) -> tuple[MetricSpec, ...]:
    """The metrics of a suite, of a single metric, or of a list of metrics.

    Metrics are known by name and by label; capitals do not matter.

    Raises:
        InputError: No such suite or metric; the sentence names those that look most like it.

    Example:
        >>> [spec.label for spec in suite_specs("paper")]
        ['VIF', 'SSIM', 'PSNR', 'Qabf', 'Qcb']
        >>> [spec.name for spec in suite_specs(["VIF", "SSIM_eval_L1"])]
        ['vif', 'ssim_eval_l1']
    """
    names = SUITES.get(suite.lower(), (suite,)) if isinstance(suite, str) else tuple(suite)
    if not names:
        raise InputError("The list of metrics is empty.")
    known = {spec.label.lower(): spec for spec in METRICS.values()}
    known |= {name.lower(): spec for name, spec in METRICS.items()}
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        raise InputError(
            f"There is no suite or metric named {', '.join(unknown)!r}; "
            f"{_nearest(unknown[0], known)}suites are {', '.join(SUITES)}."
        )
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def _nearest(name: str, known: Iterable[str]) -> str:
    """The start of an answer to a misspelt name."""
    close = difflib.get_close_matches(name.lower(), [*SUITES, *known], n=3)
    return f"the nearest are {', '.join(close)}; " if close else ""


def score(
    fused: Image | str | Path,
    ir: Image | str | Path,
    vi: Image | str | Path,
    suite: str | Iterable[str] = "paper",
) -> dict[str, float]:
    """Score one fused image against its two sources, in float64.

    Color images are reduced to gray by `round(0.299 R + 0.587 G + 0.114 B)`.

    Args:
        fused: Fused image: a file, of which 16 bits and floats are rounded to 8 bits, or a uint8
            array, `(H,W)` gray or `(H,W,3)` RGB.
        ir: Infrared image of the same height and width; raw counts of a file are stretched first.
        vi: Visible image of the same height and width.
        suite: A key of `SUITES`, the name or label of one metric, or several of them.

    Returns:
        Label to value, in the suite's order. A metric that is not defined for these images
        (too small for it, or constant) is NaN; the others are not affected.

    Raises:
        InputError: A file cannot be read, an array is not uint8, sizes differ, or there is no such
            suite.

    Example:
        >>> image = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
        >>> score(image, image, image)["SSIM"]
        1.0
    """
    specs = suite_specs(suite)
    given = {"fused": fused, "infrared": ir, "visible": vi}
    images = [_gray(image, name) for name, image in given.items()]
    if not images[0].shape == images[1].shape == images[2].shape:
        sizes = ", ".join("x".join(map(str, image.shape)) for image in images)
        of_file = f" (of {fused})" if isinstance(fused, (str, os.PathLike)) else ""
        raise InputError(f"Fused, infrared and visible image{of_file} differ in size: {sizes}.")
    tensors = [torch.from_numpy(image.astype(np.float64))[None, None] for image in images]
    with torch.no_grad():
        values = _values(tensors[0], tensors[1], tensors[2], specs, 255.0)
    return {label: float(value) for label, value in values.items()}


def score_batch(
    fused: Tensor,
    ir: Tensor,
    vi: Tensor,
    suite: str | Iterable[str] = "paper",
    *,
    data_range: float = 1.0,
) -> dict[str, Tensor]:
    """Score a batch of tensors, in their own precision and on their own device.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        suite: A key of `SUITES`, the name or label of one metric, or several of them.
        data_range: 1.0 or 255.0.

    Returns:
        Label to `(B,)`; NaN where an image is not finite, or a metric is not defined for it.

    Raises:
        InputError: Shapes or ranges do not fit, or there is no such suite.
    """
    return _values(fused, ir, vi, suite_specs(suite), data_range)


def _values(
    fused: Tensor, ir: Tensor, vi: Tensor, specs: Iterable[MetricSpec], data_range: float
) -> dict[str, Tensor]:
    return {spec.label: values_of(spec, fused, ir, vi, data_range) for spec in specs}


def values_of(spec: MetricSpec, fused: Tensor, ir: Tensor, vi: Tensor, data_range: float) -> Tensor:
    """One metric of a batch, `(B,)`; NaN where the images are too small for it.

    Raises:
        InputError: Shapes or ranges do not fit.
    """
    check_shapes(fused, ir, vi)
    if min(fused.shape[-2:]) >= spec.min_size:
        return spec.function(fused, ir, vi, data_range=data_range)
    dtype = torch.promote_types(fused.dtype, torch.float32)
    if not fused.is_floating_point():
        dtype = torch.float64
    return torch.full(fused.shape[:1], torch.nan, dtype=dtype, device=fused.device)


def _gray(image: Image | str | Path, name: str) -> Image:
    """Gray `(H,W)` uint8 from a file, or from gray or RGB uint8."""
    if isinstance(image, (str, os.PathLike)):
        read = read_infrared_eight_bit if name == "infrared" else read_eight_bit
        image = read(image)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise InputError(f"The {name} image must be an 8-bit (uint8) array, not {kind}.")
    if image.ndim not in (2, 3) or image.size == 0 or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(f"The {name} image must be (H,W) or (H,W,3), not {tuple(image.shape)}.")
    return luminance(image)
