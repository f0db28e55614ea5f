"""Each network, filled by formula, gives what its authors' code gives, and so with their weights.

Golden values: ../shared/peers/golden; pictures: ../shared/peers/roadscene_test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mma_unet.data import read_image
from mma_unet.rivals import RIVALS, Rival
from mma_unet.rivals.ddfm import DDFM, Rectifier, from_ycbcr, to_ycbcr
from tests.rivals.golden import Golden

NAMES = {
    "lrrnet": "LRRNet", "mfeif": "MFEIF", "tardal": "TarDAL", "cddfuse": "CDDFuse",
    "ignet": "IGNet", "tgfuse": "TGFuse",
}  # fmt: skip
"""Golden file by method."""
WEIGHTS = {"lrrnet": "lrrnet.model", "mfeif": "mfeif.pth", "tardal": "tardal.pt"}

slow = pytest.mark.slow
methods = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=slow if n == "tgfuse" else ()) for n in NAMES]
)


def golden(shared: Path, name: str) -> Golden:
    return Golden(shared / "peers" / "golden", NAMES[name])


@methods
def test_names_and_shapes_are_those_of_the_official_checkpoint(name: str, shared: Path) -> None:
    with torch.device("meta"):
        state = RIVALS[name].network().state_dict()
    about = golden(shared, name).about
    assert {key: list(value.shape) for key, value in state.items()} == about["state_dict"]
    assert RIVALS[name].parameters == about["parameters"]


@methods
@pytest.mark.parametrize("hashed", [True, False], ids=["hash", "sine"])
def test_a_filled_network_gives_the_golden_values(name: str, hashed: bool, shared: Path) -> None:
    values = golden(shared, name)
    network = RIVALS[name].network().eval()
    network.load_state_dict(values.state(hashed=hashed))
    with torch.inference_mode():
        fused = network(values.tensor("ir"), values.tensor("vi"))
    wanted = values.tensor("out_hash" if hashed else "out")
    within = 1e-4 * float(wanted.std()) if hashed else 5e-6 if name == "lrrnet" else 1e-6
    torch.testing.assert_close(fused, wanted, rtol=0, atol=within)


@pytest.mark.parametrize(
    ("name", "array", "hashed"),
    [
        ("ignet", "out_trainmode_hash", True),
        ("ignet", "out_trainmode", False),
        ("tardal", "out_trainmode", True),
    ],
)
def test_statistics_of_the_image(name: str, array: str, hashed: bool, shared: Path) -> None:
    values = golden(shared, name)
    network = RIVALS[name].network().train()
    network.load_state_dict(values.state(hashed=hashed))
    with torch.inference_mode():
        fused = network(values.tensor("ir"), values.tensor("vi"))
    wanted = values.tensor(array)
    torch.testing.assert_close(fused, wanted, rtol=0, atol=2e-4 * float(wanted.std()))


def test_statistics_of_an_image_leave_those_of_ignet_alone(shared: Path) -> None:
    values = golden(shared, "ignet")
    network = RIVALS["ignet"].network().train()
    network.load_state_dict(values.state(hashed=True))
    with torch.inference_mode():
        first = network(values.tensor("ir"), values.tensor("vi"))
        assert torch.equal(first, network(values.tensor("ir"), values.tensor("vi")))
    wanted = values.state(hashed=True)["graph.C_cat.0.1.running_mean"]
    assert torch.equal(network.state_dict()["graph.C_cat.0.1.running_mean"], wanted)


def test_ddfm_gives_the_golden_values(shared: Path) -> None:
    """A network of a quarter of the width, the EM iteration, and steps of the sampler."""
    values = Golden(shared / "peers" / "golden", "DDFM_reduced")
    ir, vi = values.tensor("ir"), values.tensor("vi")
    network = DDFM(64, 32).eval()
    state = network.state_dict()
    about = values.about["state_dict"]
    assert {key: list(value.shape) for key, value in state.items()} == about
    network.load_state_dict(values.state(hashed=True))
    k = torch.arange(3 * 64 * 96, dtype=torch.float64)
    start = (1.4 * torch.sin(1.913 * k + 0.5) + 0.3 * torch.cos(0.0271 * k)).float()
    start = start.reshape(1, 3, 64, 96)
    with torch.inference_mode():
        predicted = network.predict(torch.cat([vi, ir, (vi + ir) / 2], 1) * 2 - 1, 700)
        wanted = values.tensor("out_hash")
        torch.testing.assert_close(predicted, wanted, rtol=0, atol=1e-4 * float(wanted.std()))
        x, rectify = start, Rectifier(vi * 2 - 1, ir * 2 - 1)
        for count, index in enumerate((99, 98, 97), 1):
            x = network.step(x, index, rectify)
            wanted = values.tensor(f"sampler_x_after_step{count}")
            torch.testing.assert_close(x, wanted, rtol=0, atol=1e-5)
        last = network.step(0.6 * start, 0, Rectifier(vi * 2 - 1, ir * 2 - 1))
    torch.testing.assert_close(last, values.tensor("sampler_index0_x"), rtol=0, atol=1e-5)
    assert network.times == values.about["golden"]["sampler_timestep_map"]


def test_the_parts_of_ddfm(shared: Path) -> None:
    values = Golden(shared / "peers" / "golden", "DDFM_reduced")
    rectify = Rectifier(values.tensor("vi") * 2 - 1, values.tensor("ir") * 2 - 1)
    image = values.tensor("em_fpre")
    for name in ("em_step1", "em_step2"):
        image = rectify(image)
        torch.testing.assert_close(image, values.tensor(name), rtol=0, atol=1e-6)
    rgb, ycbcr = values.tensor("ycbcr_rgb_in"), values.tensor("ycbcr_out")
    torch.testing.assert_close(255 * to_ycbcr(rgb), ycbcr, rtol=0, atol=1e-4)
    torch.testing.assert_close(
        from_ycbcr(ycbcr / 255), values.tensor("ycbcr_back"), rtol=0, atol=1e-5
    )


def test_the_whole_ddfm_has_the_names_and_shapes_of_the_published_checkpoint(shared: Path) -> None:
    about = Golden(shared / "peers" / "golden", "DDFM_full").about
    with torch.device("meta"):
        state = RIVALS["ddfm"].network().state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == about["state_dict"]
    assert RIVALS["ddfm"].parameters == about["parameters"]


def _pictures() -> list[object]:
    smallest = "FLIR_06974"
    return [
        pytest.param(name, some, marks=slow if some == "all" or name == "lrrnet" else ())
        for name in WEIGHTS
        for some in (smallest, "all")
    ]


@pytest.mark.parametrize(("name", "some"), _pictures())
def test_official_weights_give_the_official_pictures(name: str, some: str, shared: Path) -> None:
    rival = Rival(name, weights=shared / "peers" / "weights" / WEIGHTS[name], gray=True)
    assert rival.digest in rival.card.digests
    pairs = shared / "data" / "roadscene" / "test"
    official = sorted((shared / "peers" / "roadscene_test" / name).glob("*.png"))
    chosen = [path for path in official if some in ("all", path.stem)]
    assert len(chosen) == (25 if some == "all" else 1)
    for path in chosen:
        ir, vi = (next((pairs / kind).glob(f"{path.stem}.*")) for kind in ("ir", "vi"))
        away = np.abs(np.asarray(rival(ir, vi)).astype(int) - read_image(path))
        assert away.max() <= 1, path.stem
        assert (away > 0).mean() < 0.002, path.stem  # rounded or cut off as there
