"""Infrared and visible image fusion with MMA-UNet.

Example:
    >>> import mma_unet
    >>> mma_unet.__version__
    '0.1.0'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mma_unet.errors import InputError
    from mma_unet.inference import Fuser
    from mma_unet.metrics import score
    from mma_unet.models import MMAUNet, MMAUNetConfig, load_model

__all__ = ["Fuser", "InputError", "MMAUNet", "MMAUNetConfig", "load_model", "score"]

_HOMES = {
    "Fuser": "mma_unet.inference",
    "InputError": "mma_unet.errors",
    "MMAUNet": "mma_unet.models",
    "MMAUNetConfig": "mma_unet.models",
    "load_model": "mma_unet.models",
    "score": "mma_unet.metrics",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that `import mma_unet` itself costs nothing."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
