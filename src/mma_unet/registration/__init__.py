"""Alignment of two cameras: for one pair, for a rig from many pairs, or from points.

The names below are loaded on first use, so that importing the package stays quick.

Example:
    >>> from mma_unet.registration import apply, estimate
    >>> from mma_unet.scene import render_scene
    >>> scene = render_scene(120, 160, supersample=1)
    >>> found = estimate(scene.ir, scene.vi)
    >>> found.accepted, apply(scene.ir, found.matrix, scene.vi.shape[:2]).shape
    (True, (120, 160))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mma_unet.registration.check import Check, check_rig, checkerboard
    from mma_unet.registration.estimation import Alignment, estimate
    from mma_unet.registration.points import from_points, read_points
    from mma_unet.registration.rig import Rig, calibrate
    from mma_unet.registration.warping import apply, common_window, cover

_HOMES = {
    "Alignment": "estimation",
    "Check": "check",
    "Rig": "rig",
    "apply": "warping",
    "calibrate": "rig",
    "check_rig": "check",
    "checkerboard": "check",
    "common_window": "warping",
    "cover": "warping",
    "estimate": "estimation",
    "from_points": "points",
    "read_points": "points",
}

__all__ = [
    "Alignment",
    "Check",
    "Rig",
    "apply",
    "calibrate",
    "check_rig",
    "checkerboard",
    "common_window",
    "cover",
    "estimate",
    "from_points",
    "read_points",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
