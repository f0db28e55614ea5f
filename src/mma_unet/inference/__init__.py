"""Inference: `Fuser`, the one engine under the library, the command line and everything else."""

from mma_unet.inference.folder import Outcome, Task, fuse_files, plan
from mma_unet.inference.fuser import Fuser
from mma_unet.inference.ir_slot import IrSlot

__all__ = ["Fuser", "IrSlot", "Outcome", "Task", "fuse_files", "plan"]
