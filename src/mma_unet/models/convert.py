"""Making weights from weights: of another config that computes the same, or between two."""

from __future__ import annotations

from dataclasses import replace

from mma_unet.models.mma_unet import MMAUNet

__all__ = ["interpolate", "with_unshuffle"]


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


def interpolate(first: MMAUNet, second: MMAUNet, share: float) -> MMAUNet:
    """Weights on the straight line between two networks, in evaluation mode.

    Useful where one was trained on from the other: what they trade against each other then changes
    steadily on the way (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    Args:
        first: Returned at share 0.
        second: Returned at share 1; of the same config.
        share: Where to stop, in 0..1.

    Raises:
        ValueError: If the configs differ or the share lies outside.

    Example:
        >>> from mma_unet.models import load_model
        >>> small = load_model("small")
        >>> half = interpolate(small, small, 0.5)
        >>> bool((half.decoder.to_image.weight == small.decoder.to_image.weight).all())
        True
    """
    if first.config != second.config:
        raise ValueError("only networks of one config can be interpolated")
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in 0..1, not {share}")
    new = MMAUNet(first.config)
    other = second.state_dict()
    new.load_state_dict(
        {
            key: value.lerp(other[key], share) if value.is_floating_point() else value
            for key, value in first.state_dict().items()
        }
    )
    return new.eval()
