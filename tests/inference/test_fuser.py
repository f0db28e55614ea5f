"""`Fuser` on everything a user may hand to it."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mma_unet import Fuser, InputError
from mma_unet.data import read_image, write_image
from mma_unet.models import MMAUNet, MMAUNetConfig, ablation

GRAY = (0.299, 0.587, 0.114)


@pytest.fixture(scope="module")
def fuser(weights: Path) -> Fuser:
    return Fuser(weights, device="cpu")


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ir = rng.integers(0, 256, (5, 7)).repeat(9, 0).repeat(9, 1).astype(np.uint8)
    vi = rng.integers(60, 190, (5, 7, 3)).repeat(9, 0).repeat(9, 1).astype(np.uint8)
    return ir, vi


class _Average:
    """A runtime whose fused image is known: the mean of its inputs."""

    name, precision = "average", "fp32"

    def __init__(self, config: MMAUNetConfig) -> None:
        self.config = config

    def run(self, ir: torch.Tensor, vi: torch.Tensor) -> torch.Tensor:
        assert ir.shape == vi.shape
        assert ir.shape[-1] % 16 == 0
        return (ir + vi) / 2


def averaging(in_channels: int = 1, **options: Any) -> Fuser:
    config = ablation("E1", width=1, in_channels=in_channels)
    fuser = Fuser(MMAUNet(config), device="cpu", **options)
    fuser.runtime = _Average(config)
    return fuser


def test_arrays_keep_shape_and_type(fuser: Fuser, pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    for visible in (vi, vi[..., 0], vi[..., :1]):
        for dtype, scale in ((np.uint8, 1), (np.uint16, 257)):
            fused = fuser(ir, visible.astype(dtype) * dtype(scale))
            assert isinstance(fused, np.ndarray)
            assert (fused.shape, fused.dtype) == (visible.shape, dtype)
    floats = fuser(ir, (vi / 255).astype(np.float32))
    assert floats.dtype == np.float32
    assert floats.min() >= 0
    assert floats.max() <= 1


def test_sixteen_bits_are_not_quantized_to_eight(pair: tuple[np.ndarray, ...]) -> None:
    ir = np.full((32, 32), 1000, np.uint16)
    vi = np.full((32, 32), 2001, np.uint16)
    fused = averaging()(ir, vi)
    assert np.unique(fused).tolist() in ([1500], [1501])


def test_tensors_in_tensors_out(fuser: Fuser, pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    as_tensor = torch.from_numpy(vi).permute(2, 0, 1)
    fused = fuser(torch.from_numpy(ir), as_tensor)
    assert isinstance(fused, torch.Tensor)
    np.testing.assert_array_equal(fused.permute(1, 2, 0).numpy(), fuser(ir, vi))
    assert fuser(torch.from_numpy(ir)[None] / 255, as_tensor / 255).dtype == torch.float32
    assert fuser(torch.from_numpy(ir), torch.from_numpy(ir)).shape == ir.shape


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float64])
def test_tensors_keep_their_type(fuser: Fuser, dtype: torch.dtype) -> None:
    vi = torch.rand(3, 32, 48) if dtype.is_floating_point else torch.randint(0, 256, (3, 32, 48))
    fused = fuser(torch.rand(32, 48), vi.to(dtype))
    assert (fused.dtype, fused.shape) == (dtype, (3, 32, 48))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("gray", [False, True])
def test_float_arrays_keep_their_type(
    pair: tuple[np.ndarray, ...], dtype: type, gray: bool
) -> None:
    ir, vi = pair
    fused = np.asarray(averaging(gray=gray)(ir, (vi / 255).astype(dtype)))
    assert fused.dtype == dtype
    reference = np.asarray(averaging(gray=gray)(ir, (vi / 255).astype(np.float32)))
    np.testing.assert_allclose(fused, reference, atol=1e-3)


def test_pillow_in_pillow_out(pair: tuple[np.ndarray, ...]) -> None:
    Image = pytest.importorskip("PIL.Image")
    ir, vi = pair
    color, gray = Image.fromarray(vi), Image.fromarray(ir)
    fused = averaging()(gray, color)
    assert isinstance(fused, Image.Image)
    assert (fused.mode, fused.size) == ("RGB", color.size)
    np.testing.assert_array_equal(np.asarray(fused), averaging()(ir, vi))
    assert averaging(gray=True)(gray, color).mode == "L"
    assert averaging()(gray, gray).mode == "L"
    deep = averaging()(gray, Image.fromarray(ir.astype(np.uint16) * 257))
    assert deep.mode == "I;16"
    assert averaging()(gray, Image.fromarray(ir.astype(np.float32) / 255)).mode == "F"
    assert isinstance(averaging()(gray, vi), np.ndarray)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pillow_is_treated_as_its_file(pair: tuple[np.ndarray, ...], mode: str) -> None:
    """Palette and alpha too: the samples are those that the file would be read as."""
    Image = pytest.importorskip("PIL.Image")
    ir, vi = pair
    if mode == "I;16":
        image = Image.fromarray(ir.astype(np.uint16) * 200)
    else:
        image = Image.fromarray(vi).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(ir))
    file = io.BytesIO()
    image.save(file, "PNG")
    decoded = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    stored = decoded if decoded.ndim == 2 else np.ascontiguousarray(decoded[..., 2::-1])
    np.testing.assert_array_equal(np.asarray(averaging()(ir, image)), averaging()(ir, stored))


def test_repr_says_model_runtime_precision_and_device() -> None:
    fuser = Fuser("tiny", device="cpu", precision="fp32", runtime="torch")
    assert repr(fuser) == "Fuser('tiny', runtime='torch', precision='fp32', device='cpu')"
    network = MMAUNet(ablation("E1", width=3))
    assert "Fuser('width 3', " in repr(Fuser(network, device="cpu"))


def test_a_network_is_copied_before_it_is_trained_on(pair: tuple[np.ndarray, ...]) -> None:
    network = MMAUNet(ablation("E1", width=2)).eval()
    before, later = Fuser(copy.deepcopy(network), device="cpu"), Fuser(network, device="cpu")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(before(*pair), later(*pair))


def test_alpha_is_dropped_and_gray_stays_gray(pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    rgb = averaging(3, color="rgb")
    with_alpha = np.dstack([vi, np.full_like(ir, 7)])
    np.testing.assert_array_equal(rgb(ir, with_alpha), rgb(ir, vi))
    assert np.asarray(rgb(ir, vi[..., 0])).shape == ir.shape


def test_paths_equal_arrays(fuser: Fuser, pair: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    ir, vi = pair
    write_image(tmp_path / "ir.png", ir)
    write_image(tmp_path / "vi.png", vi)
    fused = fuser(tmp_path / "ir.png", str(tmp_path / "vi.png"))
    np.testing.assert_array_equal(fused, fuser(ir, vi))
    np.testing.assert_array_equal(read_image(tmp_path / "vi.png"), vi)


def test_luminance_is_fused_and_chroma_is_that_of_vi(pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    average = averaging()
    fused = np.asarray(average(ir, (vi / 255).astype(np.float32)))
    visible = vi / 255
    expected = (ir / 255 + visible @ GRAY) / 2
    inside = ((fused > 0) & (fused < 1)).all(axis=2)  # not clipped
    assert inside.mean() > 0.5
    np.testing.assert_allclose((fused @ GRAY)[inside], expected[inside], atol=1e-5)
    before, after = visible @ GRAY, fused @ GRAY
    chroma = [fused - after[..., None], visible - before[..., None]]
    # Bright VI that rises keeps its chroma, and what darkens keeps its saturation.
    rises, falls = inside & (after > before) & (before > 0.25), inside & (after < before)
    assert min(rises.sum(), falls.sum()) > 20
    np.testing.assert_allclose(chroma[0][rises], chroma[1][rises], atol=1e-5)
    share = (after / before)[falls][:, None]
    np.testing.assert_allclose(chroma[0][falls], share * chroma[1][falls], atol=1e-5)


def test_gray_gives_the_luminance(pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    average = averaging(gray=True)
    fused = np.asarray(average(ir, vi))
    expected = np.floor((ir + vi @ GRAY) / 2 + 0.5)
    assert fused.shape == ir.shape
    np.testing.assert_allclose(fused, expected, atol=1)


def test_three_channel_models_take_luminance_or_rgb(pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    as_luminance = averaging(3)(ir, vi)
    as_rgb = np.asarray(averaging(3, color="rgb")(ir, vi))
    assert np.asarray(as_luminance).shape == vi.shape
    np.testing.assert_allclose(
        as_rgb, np.floor((ir[..., None] + vi.astype(float)) / 2 + 0.5), atol=1
    )
    with pytest.raises(InputError, match="three-channel model"):
        averaging(color="rgb")


def test_batches_equal_single_pairs_whatever_the_sizes(fuser: Fuser) -> None:
    rng = np.random.default_rng(1)
    sizes = [(40, 60), (33, 47), (40, 60), (16, 16)]
    pairs = [
        (rng.integers(0, 256, s, dtype=np.uint8), rng.integers(0, 256, (*s, 3), dtype=np.uint8))
        for s in sizes
    ]
    for together, (ir, vi) in zip(fuser.fuse_batch(pairs), pairs, strict=True):
        difference = np.abs(
            np.asarray(together).astype(int) - np.asarray(fuser(ir, vi)).astype(int)
        )
        assert difference.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (17, 31), (64, 48)])
def test_any_size(fuser: Fuser, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    assert np.asarray(fuser(image, image)).shape == size


def test_raw_thermal_counts_can_be_stretched() -> None:
    counts = np.linspace(7000, 9000, 32 * 32).reshape(32, 32).astype(np.uint16)
    black = np.zeros((32, 32), np.uint8)
    dim = np.asarray(averaging(ir_range="full")(counts, black))
    bright = np.asarray(averaging()(counts, black))
    assert dim.max() - dim.min() < 8
    assert bright.max() - bright.min() > 120


def test_determinism(fuser: Fuser, pair: tuple[np.ndarray, ...]) -> None:
    np.testing.assert_array_equal(fuser(*pair), fuser(*pair))


@pytest.mark.parametrize(
    ("ir", "vi", "message"),
    [
        (np.zeros((8, 8), np.uint8), np.zeros((8, 9, 3), np.uint8), "8x8 and vi is 9x8"),
        (np.full((8, 8), np.nan, np.float32), np.zeros((8, 8), np.uint8), "ir holds NaN"),
        (np.zeros((8, 8), np.float32), np.full((8, 8), 2, np.float32), r"scale them to \[0, 1\]"),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.int64), "int64"),
        (np.zeros((8, 8), np.complex64), np.zeros((8, 8), np.uint8), "complex64"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8), "ir has shape"),
        (np.zeros((0, 8), np.uint8), np.zeros((0, 8), np.uint8), "ir has shape"),
        (torch.zeros(2, 8, 8), torch.zeros(8, 8), "ir has shape"),
        ("no/such.png", "no/such.png", "no/such.png"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(fuser: Fuser, ir: object, vi: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fuser(ir, vi)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_bad_options_are_refused(weights: Path) -> None:
    for device in ("gpu7", "meta", "mps"):
        with pytest.raises(InputError, match="use auto, cpu or cuda"):
            Fuser(weights, device=device)
    with pytest.raises(InputError, match="color must be"):
        Fuser(weights, color="lab")
    with pytest.raises(InputError, match="ir_range must be"):
        Fuser(weights, ir_range="half")
    with pytest.raises(InputError, match="two rising numbers"):
        Fuser(weights, ir_range=(9000.0, 7000.0))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_gpu_is_named(weights: Path) -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        Fuser(weights, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_equals_cpu(weights: Path, pair: tuple[np.ndarray, ...]) -> None:
    cpu, gpu = (np.asarray(Fuser(weights, device=d)(*pair)).astype(int) for d in ("cpu", "cuda"))
    assert np.abs(cpu - gpu).max() <= 1
