"""`Rival` behaves as `Fuser` does, and refuses in one sentence what cannot be."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mma_unet import Fuser
from mma_unet.data import write_image
from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from mma_unet.rivals import RIVALS, Card, Rival, ddfm, registry
from mma_unet.rivals.checkpoint import keep, weights_folder
from mma_unet.rivals.gff import guided_filter
from mma_unet.rivals.network import stretch

LEARNED = [name for name, card in RIVALS.items() if card.parameters]


def state(name: str) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(RIVALS[name].network().state_dict())


@pytest.fixture(scope="module")
def tardal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rivals") / "t.pt"
    torch.save(state("tardal"), path)
    return path


def pair(dtype: Any = np.uint8, shape: tuple[int, int] = (33, 50)) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    most = 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return tuple((rng.random((*shape, *more)) * most).astype(dtype) for more in ((), (3,)))


# ---- the interface of Fuser


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_result_is_what_fuser_would_return(dtype: Any, tardal: Path) -> None:
    ir, vi = pair(dtype)
    for gray in (False, True):
        ours, theirs = Fuser("tiny", gray=gray), Rival("tardal", weights=tardal, gray=gray)
        for one in (vi, vi[..., 0], torch.from_numpy(vi[..., 1].copy())):
            wanted, fused = ours(ir, one), theirs(ir, one)
            assert (type(fused), fused.shape, fused.dtype) == (
                type(wanted), wanted.shape, wanted.dtype,
            )  # fmt: skip


def test_files_and_batches(tardal: Path, tmp_path: Path) -> None:
    ir, vi = pair()
    write_image(tmp_path / "ir.png", ir)
    write_image(tmp_path / "vi.png", vi)
    rival = Rival("tardal", weights=tardal)
    one = rival(tmp_path / "ir.png", tmp_path / "vi.png")
    two = rival.fuse_batch([(ir, vi), (ir[:20], vi[:20])])
    assert np.array_equal(one, two[0])
    assert two[1].shape == (20, 50, 3)


def test_color_comes_from_the_visible_image() -> None:
    ir, vi = (80 + image // 4 for image in pair())
    color, gray = (Rival("gff", gray=g)(ir, vi) for g in (False, True))
    assert gray.shape == (33, 50)
    assert np.abs(luminance(color).astype(int) - gray).max() <= 1
    lifted = gray > luminance(vi)  # elsewhere the chroma shrinks with the luminance
    chroma, wanted = (np.ptp(image.astype(int), axis=2)[lifted] for image in (color, vi))
    assert lifted.sum() > 100
    assert np.abs(chroma - wanted).max() <= 2


def test_sizes_must_agree(tardal: Path) -> None:
    ir, vi = pair()
    with pytest.raises(InputError, match="ir is 49x33 and vi is 50x33 pixels: register or resize"):
        Rival("tardal", weights=tardal)(ir[:, 1:], vi)


# ---- networks


@pytest.mark.parametrize("name", ["tardal", "mfeif", "lrrnet"])
def test_tiles_give_the_same_as_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = RIVALS[name].network().double().eval()
    for module in network.modules():  # so that no ReLU is dead and what is far away is felt
        if isinstance(module, torch.nn.BatchNorm2d):
            module.bias.data.fill_(1)
        elif isinstance(module, torch.nn.Conv2d):
            module.weight.data *= 2
    ir, vi = torch.rand(2, 1, 1, 53, 70, dtype=torch.float64)
    with torch.inference_mode():
        whole, tiled = network.fuse_images(ir, vi), network.fuse_in_tiles(ir, vi, 16)
        torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-12)
        assert network.radius is not None
        monkeypatch.setattr(RIVALS[name].network, "radius", network.radius - 1)
        assert (network.fuse_in_tiles(ir, vi, 16) - whole).abs().max() > 1e-12  # all of it matters


@pytest.mark.parametrize("name", [n for n in LEARNED if n not in ("tgfuse", "ddfm")])
def test_any_size_down_to_the_least(name: str, tmp_path: Path) -> None:
    torch.save(state(name), tmp_path / "w.pt")
    rival = Rival(name, weights=tmp_path / "w.pt")
    least = rival.network.least
    for shape in ((least, least), (least + 4, least + 9)):
        assert rival(*pair(shape=shape)).shape == (*shape, 3)
    if least > 1:
        says = f"vi: 30x{least - 1} pixels are too few for .*, which needs {least}x{least}"
        with pytest.raises(InputError, match=says):
            rival(*pair(shape=(least - 1, 30)))


def test_memory_decides_on_tiles(tardal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ir, vi = pair(shape=(70, 150))
    wanted = Rival("tardal", weights=tardal)(ir, vi)
    sides: list[int] = []
    real = RIVALS["tardal"].network.fuse_in_tiles

    def spy(self: Any, ir: Tensor, vi: Tensor, side: int) -> Tensor:
        sides.append(side)
        return real(self, ir, vi, side)

    monkeypatch.setattr(RIVALS["tardal"].network, "fuse_in_tiles", spy)
    small = Rival("tardal", weights=tardal, max_memory=1)
    assert np.abs(small(ir, vi).astype(int) - wanted).max() <= 1
    assert sides == [64]


def test_what_cannot_be_tiled_says_so(tmp_path: Path) -> None:
    torch.save(state("cddfuse"), tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"vi: CDDFuse needs about 8 MB .* cannot be run in tiles"):
        Rival("cddfuse", weights=tmp_path / "c.pt", max_memory=1)(*pair())


@pytest.mark.parametrize("cut", [True, False])
def test_bytes_are_cut_off_where_the_authors_do(
    cut: bool, tardal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = RIVALS["tardal"].network
    monkeypatch.setattr(kind, "truncates", cut)
    monkeypatch.setattr(kind, "forward", lambda _, ir, vi: torch.full_like(ir, 100.7 / 255))
    ir, vi = pair()
    fused = Rival("tardal", weights=tardal)(ir, vi[..., 0])
    assert np.unique(fused).tolist() == [100 if cut else 101]
    precise = Rival("tardal", weights=tardal)(ir, vi[..., 0].astype(np.float32) / 255)
    assert np.allclose(precise, 100.7 / 255)


class SmallDDFM(ddfm.DDFM):
    def __init__(self) -> None:
        super().__init__(32, 32)


def test_ddfm_runs_step_by_step_on_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ddfm, "STEPS", 3)
    torch.save(SmallDDFM().state_dict(), tmp_path / "d.pt")
    card = replace(ddfm.CARD, network=SmallDDFM)
    rival = Rival(card, weights=tmp_path / "d.pt", gray=True)
    steps: list[tuple[int, int]] = []
    rival.on_tile = lambda *step: steps.append(step)
    ir, vi = pair(shape=(20, 41))
    fused = rival(ir, vi)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert fused.shape == (20, 41)
    assert (fused.min(), fused.max()) == (0, 255)
    assert np.array_equal(rival(ir, vi), fused)  # the noise is fixed
    assert rival.network.times == [0, 500, 999]


def test_stretching_a_constant_image_gives_black() -> None:
    assert stretch(torch.full((1, 1, 4, 4), 0.3)).eq(0).all()


# ---- checkpoints


def nested(tensors: dict[str, Tensor]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in tensors.items():
        part, _, rest = key.partition(".")
        content.setdefault(part, {})[rest] = value
    return content


WRITERS: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    "nested": lambda tensors, path: torch.save(nested(tensors), path),
    "parallel": lambda t, path: torch.save({f"module.{k}": v for k, v in t.items()}, path),
    "old format": lambda t, p: torch.save(t, p, _use_new_zipfile_serialization=False),
    "with an optimizer": lambda t, p: torch.save({**t, "optimizer": {"m": torch.ones(3)}}, p),
    "safetensors": lambda t, path: save_file(t, path),
}


@pytest.mark.parametrize("way", WRITERS)
def test_ways_to_save_a_checkpoint(way: str, tmp_path: Path, tardal: Path) -> None:
    path = tmp_path / f"w.{'safetensors' if way == 'safetensors' else 'pth'}"
    WRITERS[way](state("tardal"), path)
    loaded = Rival("tardal", weights=path).network.state_dict()
    wanted = Rival("tardal", weights=tardal).network.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in loaded.items())


class Trap:
    """What an unsafe loader would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run!",)


def test_no_code_of_a_checkpoint_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trap.pth"
    torch.save({"a": Trap()}, path)
    with pytest.raises(InputError, match=r"trap.pth: not a weights file that can be read safely"):
        Rival("tardal", weights=path)
    assert "run!" not in capsys.readouterr().out
    torch.load(path, weights_only=False)
    assert "run!" in capsys.readouterr().out


def damaged(content: bytes) -> list[bytes]:
    return [b"", b"<html>", content[:-1000], content[:1000], pickle.dumps([1]), b"\x80\x02}."]


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_one_sentence(
    kind: int, suffix: str, tardal: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(damaged(tardal.read_bytes())[kind])
    with pytest.raises(InputError, match=f"bad{suffix}: (not a weights file|holds no named)"):
        Rival("tardal", weights=path)


@pytest.mark.parametrize("other", ["lrrnet", "mfeif", "cddfuse"])
def test_weights_of_another_method_are_named(other: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(state(other), path)
    title = RIVALS[other].title
    says = f"w.pth: holds weights of {title}, not of TarDAL: use --method {other}, or give another"
    with pytest.raises(InputError, match=says):
        Rival("tardal", weights=path)


def test_weights_that_do_not_fit_say_where(tmp_path: Path) -> None:
    for change, says in (
        ({"fuse.3.0.bias": None}, "fuse.3.0.bias is missing"),
        ({"fuse.3.0.bias": torch.ones(2)}, r"fuse.3.0.bias has shape \(2,\), not \(1,\)"),
        ({"fuse.4.0.bias": torch.ones(2)}, "fuse.4.0.bias is unknown"),
    ):
        tensors = {**state("tardal"), **change}
        torch.save({k: v for k, v in tensors.items() if v is not None}, tmp_path / "w.pth")
        with pytest.raises(InputError, match=rf"w.pth: does not fit TarDAL \({says}\); from: http"):
            Rival("tardal", weights=tmp_path / "w.pth")


def test_missing_weights_say_where_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tardal: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"nofile: no such weights file; TarDAL's: https"):
        Rival("tardal", weights="nofile")
    with pytest.raises(InputError, match=r"tardal needs its weights.*from: https"):
        Rival("tardal")
    kept = keep(RIVALS["tardal"], tardal)
    assert Rival("tardal").weights == kept == weights_folder() / "tardal.pt"
    other = tmp_path / "x.pth"
    other.write_bytes(tardal.read_bytes())
    assert keep(RIVALS["tardal"], other).name == "tardal.pth"
    assert not kept.exists()
    with pytest.raises(InputError, match=r"gff has no parameters: leave x.pth out"):
        Rival("gff", weights="x.pth")


# ---- methods of one's own


def test_a_function_is_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("own_methods")
    module.brighter = np.maximum  # type: ignore[attr-defined]
    module.wrong = lambda ir, vi: ir[1:]  # type: ignore[attr-defined]
    module.number = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_methods", module)
    ir, vi = pair()
    rival = Rival("own_methods:brighter")
    assert np.array_equal(rival(ir, vi[..., 0]), np.maximum(ir, vi[..., 0]))
    with pytest.raises(InputError, match=r"own_methods:wrong: returns \(32, 50\), not \(33, 50\)"):
        Rival("own_methods:wrong")(ir, vi)
    for name, says in (
        ("own_methods:number", "is no function of two images and no Card"),
        ("own_methods:absent", "cannot be imported"),
        ("absent_module:fuse", "cannot be imported"),
        ("nope", "unknown method 'nope': use one of lrrnet, cddfuse"),
    ):
        with pytest.raises(InputError, match=says):
            Rival(name)


def test_another_package_may_bring_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("plugged")
    module.CARD = Card("theirs", "Theirs", RIVALS["gff"].network)  # type: ignore[attr-defined]
    module.lower = np.minimum  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plugged", module)
    points = [
        EntryPoint("theirs", "plugged:CARD", registry.GROUP),
        EntryPoint("lower", "plugged:lower", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    ir, vi = pair()
    assert Rival("theirs").card.title == "Theirs"
    assert np.array_equal(Rival("theirs")(ir, vi), Rival("gff")(ir, vi))
    assert np.array_equal(Rival("lower")(ir, vi[..., 0]), np.minimum(ir, vi[..., 0]))


# ---- the guided filter


def test_guided_filter_is_the_linear_model_of_its_windows() -> None:
    """Each pixel: the mean over its windows of a least-squares fit of image by guide."""
    rng = np.random.default_rng(0)
    guide, image = rng.random((2, 21, 23)).astype(np.float32)
    radius, regularization = 2, 0.01
    fits = []
    for row in range(8, 13):
        for column in range(9, 14):
            window = np.s_[row - radius : row + radius + 1, column - radius : column + radius + 1]
            i, p = guide[window].ravel().astype(float), image[window].ravel().astype(float)
            slope = np.cov(i, p, bias=True)[0, 1] / (i.var() + regularization)
            fits.append(slope * guide[10, 11] + p.mean() - slope * i.mean())
    filtered = guided_filter(guide, image, radius, regularization)
    assert filtered[10, 11] == pytest.approx(np.mean(fits), abs=1e-6)


def test_gff_keeps_what_both_sources_share_and_takes_the_detail_of_either() -> None:
    _, vi = pair(shape=(120, 160))
    vi = vi[..., 0]
    assert np.abs(Rival("gff")(vi, vi).astype(int) - vi).max() <= 1
    flat = np.full_like(vi, 128)
    fused = Rival("gff")(flat, vi).astype(float)
    assert np.corrcoef(fused.ravel(), vi.ravel().astype(float))[0, 1] > 0.95
