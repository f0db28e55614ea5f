"""Raw counts, degrees, marks for "no value", dead pixels and surrounds: one rule for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from tests.thermal import HEIGHT, RAW, WIDTH, counts, scene

from mma_unet.data import Pair, PairedImages, write_image
from mma_unet.data.infrared import (
    Infrared,
    first_note,
    own_range,
    read_infrared,
    read_infrared_eight_bit,
    understand,
)
from mma_unet.data.ranges import RangeMemory, quantiles, scaled
from mma_unet.errors import InputError
from mma_unet.metrics import score


def gray(found: Infrared) -> np.ndarray:
    return scaled(found.planes, found.range, "it")[0]


@pytest.mark.parametrize("kind", RAW)
def test_raw_samples_become_the_picture(kind: str) -> None:
    found = understand(RAW[kind](scene())[None], "x.tif")
    assert np.abs(gray(found) - scene()).max() < 0.02
    assert found.share is None
    assert "x.tif: infrared samples " in found.note


ORDINARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "8 bits": lambda x: (255 * x).astype(np.uint8),
    "8 bits, dark": lambda x: (40 * x).astype(np.uint8),
    "16 bits": lambda x: (65535 * x).astype(np.uint16),
    "8 bits in 16": lambda x: (50 * x).astype(np.uint16) * 257,
    "8 bits in the upper of 16": lambda x: (50 * x).astype(np.uint16) * 256,
    "normed, of few bright pixels": lambda x: (65535 * x**12).astype(np.uint16),
    "floats": lambda x: x,
    "8 bits in floats": lambda x: (50 * x).astype(np.uint8).astype(np.float32) / 255,
    "one value": lambda x: np.full_like(x, 40_000, np.uint16),
    "a drawing": lambda x: np.where(x > 0.7, 9000, 0).astype(np.uint16),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_samples_are_left_as_they_are(kind: str) -> None:
    picture = ORDINARY[kind](scene())
    found = understand(picture[None], "x")
    if kind == "a drawing":  # fills little, but its zeros are black
        assert found.share is None
        return
    assert found.planes[0].tobytes() == picture.tobytes()
    assert found.range in (None, (0.0, 1.0))
    assert found.share is None
    assert not found.note


def test_floats_that_overshoot_a_little_are_clipped() -> None:
    found = understand((scene() * 1.04 - 0.02)[None], "x")
    assert found.range == (0.0, 1.0)
    assert not found.note


def _holes() -> np.ndarray:
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[20:34, 30:60] = True
    hole[70] = True
    return hole


MARKS = {
    "NaN": (np.nan, np.float32, None),
    "infinity": (-np.inf, np.float32, None),
    "GDAL's float": (-3.4028235e38, np.float32, None),
    "-9999 in floats": (-9999, np.float32, None),
    "-9999 in 16 bits": (-9999, np.int16, None),
    "-32768": (-32768, np.int16, None),
    "zeros": (0, np.uint16, None),
    "the tag of the file": (8000, np.uint16, 8000),
    "the tag of the file in floats": (-1.5, np.float32, -1.5),
}


@pytest.mark.parametrize("kind", MARKS)
def test_marks_enter_no_range_and_have_no_share(kind: str) -> None:
    mark, dtype, nodata = MARKS[kind]
    picture = counts().astype(dtype)
    picture[picture == nodata] += 1
    clean = gray(understand(picture[None], "x"))
    hole = _holes()
    picture[hole] = mark
    found = understand(picture[None], "x", nodata=nodata)
    assert found.share is not None
    assert not found.share[hole].any()
    assert found.share[:10].min() == 1
    assert gray(found)[~hole].std() == pytest.approx(clean[~hole].std(), rel=0.1)
    assert "without an infrared value is the visible image" in found.note


def test_rows_of_the_largest_value_are_marks_but_a_blob_is_a_hot_target() -> None:
    picture = counts()
    picture[40:42] = 65535
    picture[60:80, 60:80] = 65535
    found = understand(picture[None], "x")
    assert found.share is not None
    assert not found.share[40:42].any()
    assert (found.share[62:78, 62:78] == 1).all()
    assert (gray(found)[62:78, 62:78] == 1).all()
    rest = np.ones(picture.shape, bool)
    rest[40:42] = rest[60:80, 60:80] = False
    assert gray(found)[rest].std() == pytest.approx(scene()[rest].std(), rel=0.1)


@pytest.mark.parametrize("stuck", ["black", "white", "both", "anything"])
@pytest.mark.parametrize("kind", ["14 bits", "degrees"])
def test_dead_pixels_enter_no_range_and_are_mended(kind: str, stuck: str) -> None:
    rng = np.random.default_rng(1)
    picture = RAW[kind](scene())
    clean = gray(understand(picture[None], "x"))
    dead = rng.random(picture.shape) < 0.01
    low, high = (0, 65535) if kind == "14 bits" else (-300, 3000)
    values = {
        "black": np.full(picture.shape, low),
        "white": np.full(picture.shape, high),
        "both": rng.choice([low, high], picture.shape),
        "anything": rng.integers(low, high, picture.shape),
    }[stuck]
    picture[dead] = values[dead]
    found = understand(picture[None], "x")
    assert gray(found)[~dead].std() == pytest.approx(clean[~dead].std(), rel=0.1)
    assert found.share is None
    assert np.mean(np.abs(gray(found) - clean)[dead] > 0.25) < 0.1


def test_a_small_hot_target_is_no_dead_pixel() -> None:
    picture = counts().astype(np.float32)
    spot = np.zeros_like(picture)
    spot[50, 50] = 1
    picture += 30_000 * cv2.GaussianBlur(spot, (0, 0), 0.7)
    found = understand(picture.astype(np.uint16)[None], "x")
    assert gray(found)[50, 50] == 1


def _rectangle(picture: np.ndarray) -> np.ndarray:
    inner = np.zeros_like(picture)
    inner[12:-12, 16:-16] = cv2.resize(picture, (WIDTH - 32, HEIGHT - 24))
    return inner


def _turned(picture: np.ndarray) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 6, 0.8)
    return cv2.warpAffine(picture, turn, (WIDTH, HEIGHT))


def _beside(picture: np.ndarray) -> np.ndarray:
    beside = picture.copy()
    beside[:, : WIDTH // 4] = 0
    return beside


FIELDS = {"rectangle": _rectangle, "turned": _turned, "beside": _beside}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("field", FIELDS)
def test_a_black_surround_is_no_value(field: str, deep: bool) -> None:
    picture = counts() if deep else (40 + 200 * scene()).astype(np.uint8)
    outside = FIELDS[field](np.full((HEIGHT, WIDTH), 200, np.uint8)) == 0
    found = understand(FIELDS[field](picture)[None], "x")
    assert found.share is not None
    assert not found.share[outside].any()
    assert (found.share[30:-30, 48:-40] == 1).all()


def test_a_black_sky_is_a_value() -> None:
    picture = (40 + 200 * scene()).astype(np.uint8)
    line = 30 + (12 * scene(1)[0]).astype(int) + np.random.default_rng(2).integers(0, 6, WIDTH)
    picture[np.arange(HEIGHT)[:, None] < line] = 0
    assert understand(picture[None], "x").share is None


def test_the_seam_is_soft() -> None:
    share = understand(_rectangle(counts())[None], "x").share
    assert share is not None
    assert np.abs(np.diff(share, axis=1)).max() < 0.25


def test_a_mask_says_where_there_is_a_value() -> None:
    valid = np.ones((HEIGHT, WIDTH), bool)
    valid[:30] = False
    found = understand((255 * scene()).astype(np.uint8)[None], "x", valid=valid)
    assert found.share is not None
    assert not found.share[:30].any()
    assert (found.share[40:] == 1).all()
    whole = np.ones((HEIGHT, WIDTH), bool)
    assert understand(_rectangle(counts())[None], "x", valid=whole, ir_range="full").share is None


@pytest.mark.parametrize("mark", [np.nan, np.inf])
def test_a_picture_without_any_value_is_refused(mark: float) -> None:
    with pytest.raises(InputError, match=r"x\.tif holds NaN or no-data samples only: give"):
        understand(np.full((1, HEIGHT, WIDTH), mark, np.float32), "x.tif")


def test_the_rule_can_be_overruled() -> None:
    assert understand(counts()[None], "x", ir_range="full").range is None
    eight = (100 + 40 * scene()).astype(np.uint8)[None]
    assert understand(eight, "x", ir_range="stretch").range == quantiles(eight)
    assert understand(eight, "x", ir_range=(90, 150)).range == (90, 150)
    with pytest.raises(InputError, match=r"x holds float samples from .*scale them to \[0, 1\]"):
        understand(RAW["degrees"](scene())[None], "x", ir_range="full")


def test_a_range_follows_slowly_and_starts_anew_after_a_cut() -> None:
    memory = RangeMemory()
    first = understand(counts()[None], "x", memory=memory).range
    hot = counts()
    hot[10:40, 10:40] = 16_000
    low, high = first or (0, 0)
    for _ in range(3):
        new = understand(hot[None], "x", memory=memory).range
        assert new is not None
        levels = [255 * (c - a) / (b - a) for c in (7000, 8000, 9000)
                  for a, b in ((low, high), new)]  # fmt: skip
        assert max(np.abs(np.diff(levels)[::2])) < 0.55
        assert new[1] > high
        low, high = new
    after = understand(hot[None] + np.uint16(20_000), "x", memory=memory).range
    assert after is not None
    assert after[0] > 26_000


def test_a_video_is_stretched_or_not_as_its_first_frame_is() -> None:
    memory = RangeMemory()
    full = (65535 * scene()).astype(np.uint16)
    assert understand(np.zeros_like(full)[None], "x", memory=memory).range is None
    assert understand(full[None], "x", memory=memory).range is None
    assert understand(counts()[None], "x", memory=memory).range is None
    memory = RangeMemory()
    understand(counts()[None], "x", memory=memory)
    assert understand(full[None], "x", memory=memory).range is not None


def test_what_scores_and_learns_reads_the_same(tmp_path: Path) -> None:
    """Raw counts score and train as their 8-bit twin does."""
    eight = np.rint(255 * scene()).astype(np.uint8)
    low, high = own_range(counts(), "x")
    twin = np.clip((counts() - low) / (high - low), 0, 1)
    vi = (200 * scene(3)).astype(np.uint8)
    write_image(tmp_path / "ir.tif", counts())
    write_image(tmp_path / "eight.png", eight)
    write_image(tmp_path / "vi.png", vi)
    raw = read_infrared_eight_bit(tmp_path / "ir.tif")
    assert np.abs(raw - 255 * twin).max() <= 0.51
    paths = [tmp_path / name for name in ("vi.png", "ir.tif", "vi.png")]
    expected = score(vi, eight, vi, suite="vif")["VIF"]
    assert score(*paths, suite="vif")["VIF"] == pytest.approx(expected, rel=0.02)
    item = PairedImages([Pair("a", paths[1], paths[0])])[0]
    assert np.abs(item["ir"][0].numpy() - twin).max() < 1e-5
    assert "became 0 to 1; each of the 2 is judged by itself" in first_note([paths[1], paths[1]])
    assert first_note([paths[0]]) == first_note([]) == first_note([tmp_path / "no.png"]) == ""


@pytest.mark.parametrize(("dtype", "mark"), [("float32", "-9999"), ("uint16", "7777"),
                                             ("int16", "-1")])  # fmt: skip
def test_the_nodata_tag_of_a_file_is_read(tmp_path: Path, dtype: str, mark: str) -> None:
    picture = counts().astype(dtype)
    picture[picture == float(mark)] += 1
    picture[:20] = float(mark)
    tag = [(42113, "s", 0, mark, True)]
    tifffile.imwrite(tmp_path / "a.tif", picture, extratags=tag)
    array, note = read_infrared(tmp_path / "a.tif")
    assert "20.8% without an infrared value" in note
    assert array[30:].std() == pytest.approx(scene()[30:].std(), rel=0.1)
