"""The one config that describes every network of the family: presets, ablations and variants.

See also: `mma_unet.models.blocks`, what the networks are built from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from reprlib import repr as _brief
from typing import Any

__all__ = ["ABLATIONS", "PAPER_PAIRING", "PRESETS", "MMAUNetConfig", "ablation", "preset"]

PAPER_PAIRING: tuple[tuple[int, int], ...] = ((1, 2), (2, 3), (3, 4), (4, 5))
"""VI levels 1-4 fused with IR levels 2-5 (paper section 3.2), as (vi_level, ir_level)."""

_OPTIONS: dict[str, tuple[Any, ...]] = {
    "in_channels": (1, 3),
    "guided": (False, True),
    "attention": ("cbam", "none"),
    "downsampling": ("average", "unshuffle"),
    "head": ("image", "blend", "bands"),
}
_RANGES = {"width": (1, 4096), "depth": (2, 12), "reduction": (1, 65536)}
"""Far beyond what is of use; what a damaged file says is not built."""


@dataclass(frozen=True)
class MMAUNetConfig:
    """Everything that decides the shape of an MMA-UNet.

    Attributes:
        width: Channels of level 1; level `k` has `width * 2**(k-1)` (64 in the paper).
        depth: Encoder levels (5 in the paper).
        in_channels: Channels of each source image and of the fused image, 1 (luminance) or 3.
        guided: Whether the VI features gate the IR encoder (paper section 3.1).
        pairing: `(vi_level, ir_level)` pairs to fuse, 1-based. The fused map of a pair lives at
            the deeper of its two levels, and no two pairs may share that level.
        attention: Channel attention after the addition: `"cbam"` or `"none"`.
        reduction: Bottleneck ratio of the squeeze-and-excitation gates and of the attention.
        downsampling: How the shallower map of a pair comes down an octave before the 1x1
            convolution: `"average"` pools and loses what is finer than the deeper level;
            `"unshuffle"` moves each 2x2 block into the channels, the reverse of the decoder's
            pixel shuffle, and loses nothing.
        head: What the last 1x1 convolution yields: `"image"`, the fused image itself as in the
            paper; `"blend"`, three maps a, b, c of which `a * IR + b * VI + c` is the fused image,
            so that fine detail need not pass through the network; or `"bands"`, such a blend for
            each band of a Laplacian pyramid of the sources.

    Raises:
        ValueError: If a value is out of range or two pairs fuse at the same level.

    Example:
        >>> MMAUNetConfig(width=8).channels
        (8, 16, 32, 64, 128)
        >>> MMAUNetConfig(pairing=((1, 3), (2, 4), (3, 5))).fused_levels
        (3, 4, 5)
    """

    width: int = 64
    depth: int = 5
    in_channels: int = 1
    guided: bool = True
    pairing: tuple[tuple[int, int], ...] = PAPER_PAIRING
    attention: str = "cbam"
    reduction: int = 16
    downsampling: str = "average"
    head: str = "image"

    def __post_init__(self) -> None:
        """Normalize the pairing to sorted tuples and check every value."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not _is_whole(value) or not least <= value <= most:
                raise ValueError(
                    f"{name} must be a whole number in {least}..{most}, not {_brief(value)}"
                )
        for name, options in _OPTIONS.items():
            value = getattr(self, name)
            if value not in options or type(value) is not type(options[0]):
                choices = " or ".join(map(str, options))
                raise ValueError(f"{name} must be one of {choices}, not {_brief(value)}")
        pairing = _as_pairs(self.pairing)
        object.__setattr__(self, "pairing", pairing)
        if not pairing:
            raise ValueError("pairing must name at least one (vi_level, ir_level) pair")
        for vi, ir in pairing:
            if not (1 <= vi <= self.depth and 1 <= ir <= self.depth):
                raise ValueError(f"pair {(vi, ir)} names a level outside 1..{self.depth}")
        if len(set(self.fused_levels)) != len(pairing):
            raise ValueError(f"two pairs of {_brief(pairing)} fuse at the same level")

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of levels 1 to `depth`."""
        return tuple(self.width * 2**level for level in range(self.depth))

    @property
    def fused_levels(self) -> tuple[int, ...]:
        """The level at which each pair of `pairing` is fused: the deeper one of the pair."""
        return tuple(max(pair) for pair in self.pairing)

    @property
    def ir_depth(self) -> int:
        """How many levels of the IR encoder the fusion needs."""
        return max(ir for _, ir in self.pairing)

    @property
    def vi_depth(self) -> int:
        """How many levels of the VI encoder the fusion and the gates need."""
        deepest = max(vi for vi, _ in self.pairing)
        return max(deepest, self.ir_depth) if self.guided else deepest

    @property
    def size_multiple(self) -> int:
        """Height and width of the input must be multiples of this (16 at depth 5)."""
        return int(2 ** (max(self.vi_depth, self.ir_depth) - 1))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a checkpoint's metadata or a YAML file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MMAUNetConfig:
        """Rebuild a config from `to_dict` or from YAML (lists are taken as tuples).

        Raises:
            ValueError: If it is no mapping, a key is unknown or a value is out of range.
        """
        if not isinstance(values, dict):
            raise ValueError(f"a model config is a mapping of settings, not {_brief(values)}")
        unknown = [str(key) for key in values if key not in cls.__dataclass_fields__]
        if unknown:
            raise ValueError(f"unknown model config key(s): {', '.join(sorted(unknown))}")
        return cls(**values)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _as_pairs(value: Any) -> tuple[tuple[int, int], ...]:
    """`value` as sorted pairs of whole numbers."""
    pairs = value if isinstance(value, (list, tuple)) else [value]
    for pair in pairs:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and all(map(_is_whole, pair))):
            raise ValueError(
                f"pairing must be pairs [vi_level, ir_level] of whole numbers, not {_brief(pair)}"
            )
    return tuple(sorted((vi, ir) for vi, ir in pairs))


PRESETS: dict[str, MMAUNetConfig] = {
    "paper": MMAUNetConfig(width=64, in_channels=3),
    "base": MMAUNetConfig(width=32),
    "small-paper": MMAUNetConfig(width=16),
    "small": MMAUNetConfig(width=16, downsampling="unshuffle", head="bands"),
    "tiny": MMAUNetConfig(width=8, downsampling="unshuffle", head="bands"),
    "nano": MMAUNetConfig(
        width=4, depth=4, pairing=PAPER_PAIRING[:3], downsampling="unshuffle", head="bands"
    ),
}
"""Networks by name, the same as the shipped weights of that name.

`paper`, `base` and `small-paper` are the paper's network at three widths; `paper` takes three
channels as section 3.1 says, the rest luminance. The others lose no detail on the way down and
blend the sources band by band.
"""

ABLATIONS: dict[str, MMAUNetConfig] = {
    "E1": PRESETS["paper"],
    "E2": replace(PRESETS["paper"], guided=False, pairing=((2, 2), (3, 3), (4, 4), (5, 5))),
    "E3": replace(PRESETS["paper"], guided=False),
    "E4": replace(PRESETS["paper"], pairing=((1, 3), (2, 4), (3, 5))),
    "E5": replace(PRESETS["paper"], pairing=((2, 1), (3, 2), (4, 3), (5, 4))),
}
"""The experiments of table 4. Which levels the symmetric E2 uses: see docs/paper-notes.md."""


def preset(name: str) -> MMAUNetConfig:
    """The config of a preset or ablation by name.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> preset("small").width
        16
        >>> preset("E4").pairing
        ((1, 3), (2, 4), (3, 5))
    """
    known = PRESETS | ABLATIONS
    if name not in known:
        raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(known)}")
    return known[name]


def ablation(name: str, *, width: int, in_channels: int = 1) -> MMAUNetConfig:
    """An ablation of table 4 at another width, so that it can be trained on a small machine."""
    return replace(ABLATIONS[name], width=width, in_channels=in_channels)
