"""Ways to run the network on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.speed import latency as speed
from mma_unet.speed import worker as speed_worker
from mma_unet.speed.gpu import MODES, no_gpu_reason, speed_up


@pytest.mark.skipif(not no_gpu_reason(), reason="there is a CUDA device here")
def test_gpu_modes_are_refused_on_a_cpu(narrow: Path) -> None:
    assert any(s.reason == no_gpu_reason() for s in speed.cases(["tiny"])[1])
    with pytest.raises(InputError, match="CUDA device"):
        speed_up(Fuser(narrow, runtime="torch"), "graphs")


@pytest.mark.gpu
@pytest.mark.skipif(bool(no_gpu_reason()), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", MODES)
def test_gpu_modes_compute_the_same(narrow: Path, mode: str) -> None:
    pair = speed_worker.synthetic_pair(64, 96)
    fuser = Fuser(narrow, device="cuda")
    expected = fuser(*pair)
    speed_up(fuser, mode)
    for _ in range(3):
        assert abs(fuser(*pair).astype(int) - expected.astype(int)).max() <= 1
