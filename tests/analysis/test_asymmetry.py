"""The ridge of CKA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning")

from mma_unet.analysis.asymmetry import (
    centered,
    choose_by_cka,
    cross_cka,
    offset_cka,
    ridge_offset,
)
from mma_unet.data import Pair, find_pairs
from mma_unet.errors import InputError
from mma_unet.models import IRUNet, MMAUNetConfig, VIUNet
from mma_unet.models.soft import offset_pairing
from tests.conftest import make_pairs


def test_ridge_of_shifted_diagonals() -> None:
    assert ridge_offset(torch.eye(5)) == 0
    shift = torch.zeros(5, 5)
    for v, i in offset_pairing(1):
        shift[v - 1, i - 1] = 1
    shift[4, 4] = shift[0, 0] = 0.1
    assert ridge_offset(shift) == pytest.approx(0.8)
    assert ridge_offset(shift.T) == pytest.approx(-0.8)
    hub = shift + torch.tensor([0.0, 0.0, 0.0, 0.0, 3.0])
    assert int(hub.argmax(dim=1).sum()) == 20  # IR level 5 is the most similar of all levels
    assert ridge_offset(hub) == ridge_offset(shift)
    assert float(centered(hub).sum(dim=0).abs().max()) < 1e-5
    assert offset_cka(shift.tolist(), 1) == 1
    assert offset_cka(shift.tolist(), 0) == pytest.approx(0.025)


def test_cka_of_a_network_with_itself_lies_on_the_diagonal(tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, [f"{k}" for k in range(20)], (96, 104))
    torch.manual_seed(0)
    vi_unet = VIUNet(MMAUNetConfig(width=4))
    ir_unet = IRUNet(MMAUNetConfig(width=4, guided=False))
    ir_unet.load_state_dict(vi_unet.state_dict())
    pairs = find_pairs(ir, vi).pairs
    same = [Pair(pair.name, pair.vi, pair.vi) for pair in pairs]
    matrix = cross_cka(ir_unet, vi_unet, same)
    torch.testing.assert_close(matrix.diagonal(), torch.ones(5, dtype=torch.float64))
    assert ridge_offset(matrix) == 0
    choice = choose_by_cka(ir_unet, vi_unet, same)
    assert choice.pairing == offset_pairing(0)
    other = cross_cka(ir_unet, vi_unet, pairs)
    assert float(other.diagonal().max()) < 0.9


def test_too_few_pairs_for_cka(tmp_path: Path) -> None:
    config = MMAUNetConfig(width=2)
    with pytest.raises(InputError, match="at least 4"):
        cross_cka(VIUNet(config), IRUNet(config), [Pair("a", tmp_path, tmp_path)] * 9)
