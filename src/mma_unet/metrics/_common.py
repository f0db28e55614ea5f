"""What every metric shares before its own formula starts: checking, scaling, small safe operations.

All definitions in this room are written for gray images on the 0..255 scale; `prepare` is the
only place that brings an input there.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from mma_unet.errors import InputError

PEAK = 255.0
"""White on the scale every definition uses."""


def prepare(
    fused: Tensor, ir: Tensor, vi: Tensor, data_range: float, min_size: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Check a triple of images and bring it to the 0..255 scale.

    Values that lie within rounding distance of a whole gray level are put on it, so that 8-bit
    images divided by 255 score exactly as the 8-bit images do. The gradient passes unchanged.
    An image with a value that is not finite becomes NaN as a whole, the others stay.

    Args:
        fused: Fused images, `(B,1,H,W)`.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: What white is in the given tensors: 1.0 or 255.0.
        min_size: Smallest height and width the metric is defined for.

    Returns:
        `(fused, ir, vi)` in floating point on 0..255, at least float32.

    Raises:
        InputError: Shapes, devices, type or range do not fit, with one sentence that says which.
    """
    check_shapes(fused, ir, vi, min_size)
    if data_range not in (1.0, PEAK):
        raise InputError(f"data_range must be 1.0 or 255.0, not {data_range!r}.")
    dtype = torch.promote_types(torch.promote_types(fused.dtype, ir.dtype), vi.dtype)
    if dtype.is_complex or dtype == torch.bool:
        raise InputError(f"Metrics take real gray images, not {dtype} tensors.")
    if not dtype.is_floating_point:
        if data_range != PEAK:
            raise InputError("Whole-number images need data_range=255.0.")
        dtype = torch.float64
    elif torch.finfo(dtype).bits < 32:
        dtype = torch.float32
    images = [image.to(dtype) for image in (fused, ir, vi)]
    if not _check_range(images, data_range):
        images = [_spoil(image) for image in images]
    if data_range == 1.0:
        images = [_snap(image * PEAK) for image in images]
    return images[0], images[1], images[2]


def check_shapes(fused: Tensor, ir: Tensor, vi: Tensor, min_size: int = 1) -> None:
    """Refuse anything but three `(B,1,H,W)` batches of one shape on one device.

    Raises:
        InputError: What is wrong, in one sentence.
    """
    for name, image in (("fused", fused), ("ir", ir), ("vi", vi)):
        if image.ndim != 4 or image.shape[1] != 1:
            raise InputError(
                f"Metrics take gray images of shape (B,1,H,W); {name} has {tuple(image.shape)}."
            )
    if not fused.shape == ir.shape == vi.shape:
        raise InputError(
            "The three images must have one shape; got fused "
            f"{tuple(fused.shape)}, ir {tuple(ir.shape)}, vi {tuple(vi.shape)}."
        )
    if not fused.device == ir.device == vi.device:
        raise InputError("The three images must be on one device.")
    if fused.shape[0] == 0 or min(fused.shape[-2:]) < min_size:
        height, width = fused.shape[-2:]
        raise InputError(
            f"This metric needs images of at least {min_size}x{min_size} pixels; "
            f"got {fused.shape[0]} of {height}x{width}."
        )


def _check_range(images: list[Tensor], data_range: float) -> bool:
    """Refuse images that are plainly on another scale (a network may overshoot a little).

    Returns:
        Whether all values are known to be finite; those that are not have no say in the range.
    """
    if torch.compiler.is_compiling():
        return False
    with torch.no_grad():
        low, high = _extremes(images)
        finite = math.isfinite(low) and math.isfinite(high)
        if not finite:
            low, high = _extremes([torch.where(torch.isfinite(i), i, 0.0) for i in images])
    if low < -0.5 * data_range or high > 1.5 * data_range:
        raise InputError(
            f"Values from {low:g} to {high:g} do not fit data_range={data_range:g}; "
            "give images in 0..data_range."
        )
    return finite


def _extremes(images: list[Tensor]) -> tuple[float, float]:
    extremes = torch.stack([torch.stack(torch.aminmax(image)) for image in images])
    return float(extremes[:, 0].min()), float(extremes[:, 1].max())


def _spoil(image: Tensor) -> Tensor:
    """NaN throughout each image of a batch that holds something that is not finite."""
    finite = torch.isfinite(image).flatten(1).all(dim=1).view(-1, 1, 1, 1)
    return torch.where(finite, image, torch.nan)


def _snap(image: Tensor) -> Tensor:
    with torch.no_grad():
        shift = torch.round(image) - image
        tolerance = 1e-9 if image.dtype == torch.float64 else 1e-4
        shift = torch.where(shift.abs() < tolerance, shift, 0.0)
    return image + shift


def centered(image: Tensor) -> Tensor:
    """Subtract half of (minimum + maximum) from each image.

    Variances and covariances do not change; their rounding errors shrink, and a constant image
    becomes exactly zero in any precision.
    """
    with torch.no_grad():
        extremes = [torch.stack(torch.aminmax(each)) for each in image]  # Faster than by dimension.
        middle = torch.stack(extremes).mean(dim=1).view(-1, 1, 1, 1)
    return image - middle


def spatial_mean(maps: Tensor) -> Tensor:
    """Average over everything but the batch: `(B,...) -> (B,)`."""
    return maps.flatten(1).mean(dim=1)


def divide(upper: Tensor, lower: Tensor, undefined: Tensor, instead: float | Tensor) -> Tensor:
    """`upper / lower`, and `instead` where the quotient is undefined, with a finite gradient.

    The divisor is guarded only where a gradient is asked for, which saves time elsewhere.
    """
    if upper.requires_grad or lower.requires_grad:
        lower = torch.where(undefined, 1.0, lower)
    return torch.where(undefined, instead, upper / lower)


def safe_sqrt(values: Tensor) -> Tensor:
    """Square root of non-negative values whose gradient at zero is zero instead of infinite."""
    if not values.requires_grad:
        return torch.sqrt(values)
    zero = values == 0
    return torch.where(zero, 0.0, torch.sqrt(torch.where(zero, 1.0, values)))


def stretch(image: Tensor) -> Tensor:
    """Min-max stretch of each image to 0..255; a constant image, black too, becomes NaN."""
    low = image.amin(dim=(-2, -1), keepdim=True)
    high = image.amax(dim=(-2, -1), keepdim=True)
    span = high - low
    flat = span == 0
    scaled = PEAK * ((image - low) / torch.where(flat, 1.0, span))
    return torch.where(flat, torch.nan, scaled)


def full_precision(images: Tensor) -> AbstractContextManager[object]:
    """Where matrix products keep the precision of `images`, whatever autocast surrounds the call.

    Everything else that metrics do, autocast leaves in float32 or float64 anyway.
    """
    kind = images.device.type
    if not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)
