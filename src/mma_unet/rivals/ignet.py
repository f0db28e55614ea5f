"""IGNet: a graph of dilated features of both images, at three scales.

Jiawei Li et al., "Learning a Graph Neural Network with Cross Modality Interaction for Image
Fusion", ACM MM 2023. Written from the paper and the names and shapes of its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork, stretch

__all__ = ["CARD", "IGNet"]

_SCALES = (512, 256, 128)
"""Channels of the features at 1/8, 1/4 and 1/2 of the size."""
_REDUCTION = 32
_CASCADE = (512, 128, 32, 4)
_DILATIONS = (4, 8, 16)
_ROUNDS = 2


def _block(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """A 3x3 convolution without bias, batch norm that keeps its statistics, and ReLU."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, momentum=0.0), nn.ReLU())


class _Encoder(nn.Module):
    """Features of one image at three scales, the coarsest weighed by channel.

    Args:
        multiplied: Whether the two kinds of pooling are multiplied, as for IR, or added.
    """

    def __init__(self, *, multiplied: bool) -> None:
        super().__init__()
        self.multiplied = multiplied
        self.conv1 = nn.Conv2d(1, 128, 3, padding=1)
        self.conv2 = nn.Conv2d(128, 256, 3, padding=1)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 512, 3, padding=1)
        self.fc1 = nn.Linear(512, 32, bias=False)
        self.fc2 = nn.Linear(32, 512, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = _pooled(F.leaky_relu(self.conv1(image), 0.2))
        middle = _pooled(F.leaky_relu(self.conv2(fine), 0.2))
        x = F.leaky_relu(self.conv3(middle), 0.2)
        x = F.leaky_relu(self.conv4(x), 0.2)
        most, mean = _pooled(x), F.avg_pool2d(x, 2, ceil_mode=True)
        coarse = most * mean if self.multiplied else most + mean
        weight = self.fc2(F.relu(self.fc1(coarse.mean(dim=(2, 3))))).sigmoid()
        return coarse * weight[..., None, None], middle, fine


def _pooled(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, ceil_mode=True)


class _Dilated(nn.Module):
    """Three views of a feature, the nodes of a graph."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_block(inputs, outputs, rate) for rate in _DILATIONS)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [conv(x) for conv in self.convs]


class _GRU(nn.Module):
    """A gated unit: by how much a message changes a node."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ConvGates = nn.Conv2d(2 * width, 2 * width, 1)
        self.Conv_ct = nn.Conv2d(2 * width, width, 1)

    def forward(self, message: Tensor, node: Tensor) -> Tensor:
        reset, update = self.ConvGates(torch.cat([message, node], 1)).sigmoid().chunk(2, dim=1)
        new = self.Conv_ct(torch.cat([message, reset * node], 1)).tanh()
        out: Tensor = (1 - update) * node + update * new
        return out


class _Graph(nn.Module):
    """One round of messages between the three nodes of a stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.C_wgt = nn.Conv2d(2 * width, 2, 1, groups=2, bias=False)
        self.ConvGRU = _GRU(width)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, nodes: Sequence[Tensor]) -> list[Tensor]:
        return [self._updated(nodes, place) for place in range(len(nodes))]

    def _updated(self, nodes: Sequence[Tensor], place: int) -> Tensor:
        node = nodes[place]
        others = torch.cat([other for i, other in enumerate(nodes) if i != place], 1)
        gates = self.C_wgt(node.repeat(1, 2, 1, 1) - others).sigmoid()
        gated = others * gates.repeat(1, node.shape[1], 1, 1)
        message = sum(gated.chunk(2, dim=1))
        out: Tensor = self.gamma * self.ConvGRU(message, node) + node
        return out


class _Scale(nn.Module):
    """The nodes of both streams at one scale, and what they tell each other."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        width = inputs // _REDUCTION
        self.ppm_rgb, self.ppm_dep = _Dilated(inputs, width), _Dilated(inputs, width)
        self.graph_rgb, self.graph_dep = _Graph(width), _Graph(width)
        self.C_ca = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(2 * width, width // 2, 1, bias=False),
                nn.ReLU(),
                nn.Conv2d(width // 2, width, 1, bias=False),
            )
            for _ in range(2)
        )
        self.C_pa = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for _ in range(2))

    def forward(
        self, ir: Tensor, vi: Tensor, merged: tuple[Tensor, Tensor] | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The nodes of IR and of VI, guided by what the coarser scale merged."""
        ir_nodes, vi_nodes = self.ppm_rgb(ir), self.ppm_dep(vi)
        if merged is not None:
            by_ir, by_vi = (ca(x).sigmoid() for ca, x in zip(self.C_ca, merged, strict=True))
            ir_nodes = [node * by_ir + node for node in ir_nodes]
            vi_nodes = [node * by_vi + node for node in vi_nodes]
        for _ in range(_ROUNDS):
            told = [self._exchange(i, v) for i, v in zip(ir_nodes, vi_nodes, strict=True)]
            ir_nodes, vi_nodes = [i for i, _ in told], [v for _, v in told]
        for _ in range(_ROUNDS):
            ir_nodes, vi_nodes = self.graph_rgb(ir_nodes), self.graph_dep(vi_nodes)
        return ir_nodes, vi_nodes

    def _exchange(self, ir: Tensor, vi: Tensor) -> tuple[Tensor, Tensor]:
        to_vi, to_ir = self.C_pa[0](ir - vi).sigmoid(), self.C_pa[1](vi - ir).sigmoid()
        return vi * to_ir + ir, ir * to_vi + vi


class _Graphs(nn.Module):
    """The three scales, from coarse to fine, and the cascades that bring them to full size."""

    def __init__(self) -> None:
        super().__init__()
        widths = [channels // _REDUCTION for channels in _SCALES]
        self.graph = nn.ModuleList(_Scale(channels) for channels in _SCALES)
        self.C_cat = nn.ModuleList(_block(3 * width, width) for width in widths * 2)
        ups = [
            (before + width, after)
            for before, width, after in zip(_CASCADE, widths, _CASCADE[1:], strict=False)
        ]
        self.C_up = nn.ModuleList(_block(inputs, outputs) for inputs, outputs in ups * 2)
        self.C_cls = nn.Conv2d(2 * _CASCADE[-1], 1, 1)

    def forward(self, ir: Sequence[Tensor], vi: Sequence[Tensor]) -> Tensor:
        cascades, merged = [ir[0], vi[0]], None
        for place, scale in enumerate(self.graph):
            nodes = scale(ir[place], vi[place], merged)
            both = []
            for stream in range(2):
                number = place + stream * len(_SCALES)
                both.append(self.C_cat[number](torch.cat(nodes[stream], 1)))
                x = torch.cat([both[stream], cascades[stream]], 1)
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
                cascades[stream] = self.C_up[number](x)
            merged = both[0], both[1]
        out: Tensor = self.C_cls(torch.cat(cascades, 1))
        return out


class IGNet(RivalNetwork):
    """The network; the sources are padded by replication to multiples of 8."""

    bytes_per_pixel = 2_000
    truncates = True
    by_image = True
    least = 9

    def __init__(self) -> None:
        super().__init__()
        self.vis_conv, self.inf_conv = _Encoder(multiplied=False), _Encoder(multiplied=True)
        self.graph = _Graphs()

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        out: Tensor = self.graph(self.inf_conv(ir), self.vis_conv(vi))
        return out

    def prepare(self, image: Tensor) -> Tensor:
        """See `RivalNetwork.prepare`."""
        height, width = image.shape[-2:]
        return F.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")

    def fuse_images(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.fuse_images`."""
        height, width = ir.shape[-2:]
        fused: Tensor = self(self.prepare(ir), self.prepare(vi))
        return stretch(fused[..., :height, :width].clamp(0, 1))


CARD = Card(
    name="ignet",
    title="IGNet",
    network=IGNet,
    paper=(
        'Jiawei Li, Jiansheng Chen, Jinyuan Liu, Huimin Ma, "Learning a Graph Neural Network with '
        'Cross Modality Interaction for Image Fusion", ACM MM 2023'
    ),
    code="https://github.com/lok-18/IGNet",
    code_license="MIT",
    weights="https://github.com/lok-18/IGNet",
    weights_license="MIT",
    images=(
        "gray in [0, 1]; the result clipped, stretched min-max to the full range and cut off to 8 "
        "bits"
    ),
    differs=(
        "the authors' script leaves batch norm in training mode, so that it uses the statistics of "
        "the pair at hand, and so it is here; it stretches the three color channels together, here "
        "the luminance is stretched; it takes multiples of 8 pixels alone, here others are padded; "
        "checked with filled weights alone, as no official file was at hand"
    ),
)
