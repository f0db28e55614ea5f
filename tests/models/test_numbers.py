"""The networks against numbers: NumPy by hand, and what the shipped weights make of the scene."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from mma_unet.models import IRUNet, MMAUNet, MMAUNetConfig, VIUNet, shipped_models
from tests.models import by_hand, golden_scene

PAPER = MMAUNetConfig(width=2, depth=4, pairing=((1, 2), (2, 3), (3, 4)), reduction=2)
CONFIGS = {
    "paper's": PAPER,
    "symmetric, not guided": replace(PAPER, guided=False, pairing=((1, 1), (2, 2), (4, 4))),
    "IR above VI": replace(PAPER, pairing=((2, 1), (3, 2), (4, 3))),
    "two octaves": replace(PAPER, pairing=((1, 3), (2, 4)), downsampling="unshuffle"),
    "small's": replace(PAPER, downsampling="unshuffle", head="bands"),
}


def fill(network: nn.Module) -> by_hand.Tensors:
    """Give a network formula weights in double precision, and return them."""
    network.double().eval()
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    weights = by_hand.formula_weights({k: tuple(v.shape) for k, v in state.items()})
    network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    return weights


def image(seed: int) -> by_hand.Map:
    return np.random.default_rng(seed).random((1, 24, 40))


@torch.no_grad()
def run(network: nn.Module, *inputs: object) -> by_hand.Map:
    tensors = [torch.from_numpy(x)[None] if isinstance(x, np.ndarray) else x for x in inputs]
    out: by_hand.Map = network(*tensors)[0].numpy()
    return out


@pytest.mark.parametrize("name", CONFIGS)
def test_the_fusion_network_is_that_of_numpy(name: str) -> None:
    network = MMAUNet(CONFIGS[name])
    weights = fill(network)
    ir, vi = image(1), image(2)
    expected = by_hand.fuse(ir, vi, weights, CONFIGS[name])
    assert expected.std() > 0.05
    np.testing.assert_allclose(run(network, ir, vi), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("guided", [True, False])
def test_stage_one_is_that_of_numpy(guided: bool) -> None:
    config = replace(PAPER, guided=guided)
    vi_unet, ir_unet = VIUNet(config), IRUNet(config)
    of_vi, of_ir = fill(vi_unet), fill(ir_unet)
    ir, vi = image(1), image(2)
    expected = by_hand.stage_one(vi, of_vi, 4)
    assert expected.std() > 0.05
    np.testing.assert_allclose(run(vi_unet, vi), expected, rtol=0, atol=1e-10)
    guide = by_hand.encode(vi, of_vi, "encoder", 4) if guided else None
    with torch.no_grad():
        features = vi_unet.encoder(torch.from_numpy(vi)[None]) if guided else []
    expected = by_hand.stage_one(ir, of_ir, 4, guide)
    assert expected.std() > 0.05
    np.testing.assert_allclose(run(ir_unet, ir, features), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
@pytest.mark.parametrize("name", shipped_models())
def test_shipped_weights_fuse_the_scene_as_they_did(name: str, runtime: str) -> None:
    """The stored numbers are of the weights in place: `python -m tests.models.golden_scene`."""
    if not (find_spec(runtime) and find_spec("torch" if runtime == "torch" else "onnx")):
        pytest.skip(f"{runtime} is not installed")
    stored = golden_scene.stored()
    assert name in stored, golden_scene.COMMAND
    found = golden_scene.measure(name, runtime)
    np.testing.assert_allclose(found, stored[name], rtol=0, atol=3e-4)
