"""Three ways to run the network, behind one interface: PyTorch, ONNX Runtime, OpenVINO.

`make_runtime` chooses; `Runtime` is what it returns. Nothing outside this package knows which one
is at work.
"""

from mma_unet.inference.runtimes.base import PRECISIONS, RUNTIMES, Runtime
from mma_unet.inference.runtimes.choose import make_runtime
from mma_unet.inference.runtimes.exported import Exported, is_exported, read_exported

__all__ = [
    "PRECISIONS",
    "RUNTIMES",
    "Exported",
    "Runtime",
    "is_exported",
    "make_runtime",
    "read_exported",
]
