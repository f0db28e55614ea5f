"""Turning trained weights into weights of another config that compute the same."""

from __future__ import annotations

from dataclasses import replace

from mma_unet.models.mma_unet import MMAUNet

__all__ = ["with_unshuffle"]


def with_unshuffle(model: MMAUNet) -> MMAUNet:
    """The same function with `downsampling="unshuffle"`, to be trained further.

    Averaging 2x2 blocks and convolving by 1x1 is convolving the four phases of each block by 1x1,
    each with a quarter of the kernel; so an average-pooling network is a point of the larger
    family, and training can go on from it.

    Args:
        model: A network with `downsampling="average"`; one that unshuffles already is copied.

    Example:
        >>> import torch
        >>> from mma_unet.models import preset
        >>> model = MMAUNet(preset("tiny")).eval()
        >>> ir, vi = torch.rand(2, 1, 1, 32, 32)
        >>> torch.allclose(model(ir, vi), with_unshuffle(model).eval()(ir, vi), atol=1e-5)
        True
    """
    new = MMAUNet(replace(model.config, downsampling="unshuffle"))
    state = model.state_dict()
    for key, value in new.state_dict().items():
        if state[key].shape != value.shape:
            state[key] = state[key].repeat_interleave(4, dim=1) / 4
    new.load_state_dict(state)
    return new.train(model.training)
