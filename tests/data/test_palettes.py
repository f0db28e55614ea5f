"""Palettes, graphics of cameras and polarity, on pictures made here and on real ones at hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mma_unet.data.overlay import shows_graphics
from mma_unet.data.palettes import PALETTES, fit_palette, from_palette, palette_colors
from mma_unet.data.polarity import Polarity
from mma_unet.scene import render_scene, render_sequence

SCENE = render_scene(96, 128, seed=5, supersample=1)
RAMP = np.tile(np.arange(256, dtype=np.uint8), (64, 1))


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[:, :, ::-1]


@pytest.mark.parametrize("name", PALETTES)
def test_every_palette_is_found_and_inverted(name: str) -> None:
    picture = palette_colors(name)[RAMP]
    fit = fit_palette(picture)
    assert fit is not None
    assert fit.good
    if not name.startswith("twilight"):  # the two are one circle of colors, begun elsewhere
        assert (fit.name, fit.narrow) == (name, False)
    levels = from_palette(picture, name)
    off = np.abs(levels.astype(int) - RAMP)
    if name in ("hsv", "twilight"):  # circles: the ends have one color
        off = off[:, 4:-4]
    assert off.mean() < 1


@pytest.mark.parametrize("name", ["jet", "hot", "iron", "iron-red", "rainbow-hc", "viridis"])
@pytest.mark.parametrize("quality", [95, 70])
def test_lossy_false_color_is_found_and_inverted(name: str, quality: int) -> None:
    large = cv2.resize(SCENE.ir, (512, 384), interpolation=cv2.INTER_CUBIC)
    picture = _jpeg(palette_colors(name)[large], quality)
    fit = fit_palette(picture)
    assert fit is not None
    assert fit.name == name
    assert fit.good
    levels = from_palette(picture, name)
    assert np.corrcoef(levels.ravel(), large.ravel())[0, 1] > 0.97


def test_the_narrow_range_of_video_is_found() -> None:
    picture = palette_colors("inferno", narrow=True)[RAMP]
    fit = fit_palette(picture)
    assert fit is not None
    assert (fit.name, fit.narrow) == ("inferno", True)
    assert np.abs(from_palette(picture, "inferno", narrow=True).astype(int) - RAMP).mean() < 1


def test_opencv_draws_with_the_same_colors() -> None:
    for name in ("jet", "turbo", "bone"):
        number = getattr(cv2, f"COLORMAP_{name.upper()}")
        drawn = cv2.applyColorMap(RAMP, number)[:, :, ::-1]
        if name in PALETTES:
            assert np.array_equal(palette_colors(name)[RAMP], drawn)


def test_photographs_fit_no_palette(shared: Path) -> None:
    for place in ("msrs/test/vi", "m3fd/vi", "roadscene/test/vi", "llvip/vi"):
        for file in sorted((shared / place).glob("*.*"))[:6]:
            fit = fit_palette(cv2.imread(str(file))[:, :, ::-1])
            assert fit is None or not fit.good, file


@pytest.mark.parametrize(
    ("name", "palette"),
    [
        ("dji_h20t", "iron-red"),
        ("dji_xts", "iron-red"),
        ("flir_t300", "iron"),
        ("flir_e40", "iron"),
        ("flir_ax8", "rainbow-hc"),
        ("dji_m3t", None),
        ("dji_m4t", None),
    ],
)
def test_palettes_of_real_cameras(name: str, palette: str | None, shared: Path) -> None:
    file = shared / "thermal" / f"{name}.jpg"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    fit = fit_palette(cv2.imread(str(file))[:, :, ::-1])
    assert (fit.name if fit is not None and fit.good else None) == palette


def test_graphics_of_real_cameras_and_none_in_data_sets(shared: Path) -> None:
    for file in sorted((shared / "thermal").glob("*.jpg")):
        drawn = shows_graphics(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
        assert drawn == file.name.startswith("flir"), file
    for place in ("msrs/test/ir", "m3fd/ir", "roadscene/test/ir", "llvip/ir", "tno/test/ir"):
        for file in sorted((shared / place).glob("*.*"))[:12]:
            assert not shows_graphics(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)), file


def test_a_black_surround_is_no_graphics() -> None:
    framed = np.zeros((480, 640), np.uint8)
    framed[20:460, 20:620] = np.maximum(cv2.resize(SCENE.ir, (600, 440)), 180)
    assert not shows_graphics(framed)
    assert not shows_graphics(framed[:30, :30])


@pytest.mark.parametrize("seed", [0, 4])
def test_polarity_of_a_street(seed: int) -> None:
    white, black = Polarity(), Polarity()
    for scene in render_sequence(25, 120, 160, seed=seed):
        white.look(scene.ir)
        black.look(np.repeat(255 - scene.ir[:, :, None], 3, axis=2))
    assert not white.black_hot
    assert black.black_hot


def test_polarity_of_too_little_is_not_told() -> None:
    polarity = Polarity()
    dark = np.full((48, 64), 200, np.uint8)
    dark[10:14, 10:14] = 0
    for _ in range(10):
        polarity.look(dark)
    assert not polarity.black_hot
    flat = Polarity()
    for _ in range(60):
        flat.look(np.full((48, 64), 90, np.uint8))
    assert not flat.black_hot
