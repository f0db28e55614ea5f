from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mma_unet.models import ABLATIONS, MMAUNetConfig
from mma_unet.models.fusion import AsymmetricFusion
from mma_unet.models.soft import OFFSETS, SoftFusion, offset_pairing

CONFIG = MMAUNetConfig(width=4, pairing=offset_pairing(0))


def pyramid(seed: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [
        torch.rand(2, c, 32 // 2**k, 32 // 2**k, generator=rng)
        for k, c in enumerate(CONFIG.channels)
    ]


def test_offsets_hold_the_experiments_of_table_4() -> None:
    named = {1: "E1", 0: "E2", 2: "E4", -1: "E5"}
    for offset, name in named.items():
        assert offset_pairing(offset) == ABLATIONS[name].pairing
    for offset in OFFSETS:
        mirrored = tuple((ir, vi) for vi, ir in offset_pairing(offset))
        assert mirrored == offset_pairing(-offset)
    with pytest.raises(ValueError, match="no pair"):
        offset_pairing(5)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("per_level", [False, True])
def test_a_hard_choice_is_the_plain_fusion_of_that_offset(offset: int, per_level: bool) -> None:
    soft = SoftFusion(CONFIG, per_level=per_level).eval()
    with torch.no_grad():
        soft.logits[:, OFFSETS.index(offset)] = 100
    if per_level and abs(offset) == 2:  # level 2 has no such pair and keeps one of its own
        assert soft.chosen()[1:] == offset_pairing(offset)
    else:
        assert soft.chosen() == offset_pairing(offset)
    plain = AsymmetricFusion(replace(CONFIG, pairing=offset_pairing(offset))).eval()
    for fuse, pair in zip(plain.pairs, plain.pairing, strict=True):
        place = soft.places[max(pair) - 2]
        k = [p for _, p in place].index(pair)
        fuse.load_state_dict(soft.candidates[max(pair) - 2][k].state_dict())
    ir, vi = pyramid(0), pyramid(1)
    wanted, got = plain(ir, vi), soft(ir, vi)
    for level, map_ in zip((max(pair) for pair in plain.pairing), wanted, strict=True):
        torch.testing.assert_close(got[level - 2], map_)


def test_soft_maps_have_the_shapes_of_levels_2_to_5_and_weights_sum_to_one() -> None:
    soft = SoftFusion(CONFIG, per_level=True)
    assert [tuple(x.shape) for x in soft(pyramid(0), pyramid(1))] == [
        tuple(x.shape) for x in pyramid(0)[1:]
    ]
    torch.testing.assert_close(soft.weights().sum(dim=1), torch.ones(4))
    with torch.no_grad():
        soft.logits[2, 4] = 1.0  # level 4: VI 2 with IR 4
        soft.logits[0, 4] = 9.0  # level 2 has no partner two levels up: cannot win
        soft.logits[0, 3] = 1.0
    assert soft.chosen()[0] == (1, 2)
    assert soft.chosen()[2] == (2, 4)
    soft.temperature = 0.1
    assert soft.weights()[2, 4].item() > 0.99


def test_only_the_symmetric_pairing_has_a_place_for_every_candidate() -> None:
    with pytest.raises(ValueError, match="offset_pairing"):
        SoftFusion(MMAUNetConfig(width=4))
