"""Reading, writing and scaling single images, and every kind of bad file."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mma_unet.data.images import from_float, luminance, read_image, to_float, write_image
from mma_unet.errors import InputError


def _random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.random(shape, dtype=np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3)])
@pytest.mark.parametrize(
    ("dtype", "suffix"),
    [
        ("uint8", ".png"),
        ("uint16", ".png"),
        ("uint8", ".tif"),
        ("uint16", ".tiff"),
        ("float32", ".tif"),
        ("uint8", ".bmp"),
        ("uint8", ".webp"),
    ],
)
def test_round_trip_keeps_every_sample(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, suffix: str
) -> None:
    if suffix == ".webp" and len(shape) == 2:
        pytest.skip("WebP has no gray images")
    array = _random(shape, dtype)
    path = tmp_path / f"image{suffix}"
    write_image(path, array)
    back = read_image(path)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_channels_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    write_image(tmp_path / "red.png", red)
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 255]
    assert read_image(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]


def test_alpha_is_dropped_and_equal_channels_stay(tmp_path: Path) -> None:
    rgba = _random((5, 6, 4), "uint8")
    cv2.imwrite(str(tmp_path / "rgba.png"), rgba)
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png"), rgba[..., 2::-1])
    gray3 = np.repeat(_random((5, 6, 1), "uint8"), 3, axis=2)
    write_image(tmp_path / "gray3.png", gray3)
    assert read_image(tmp_path / "gray3.png").shape == (5, 6, 3)


def test_non_ascii_path(tmp_path: Path) -> None:
    path = tmp_path / "夜の道 é" / "ночь.png"
    write_image(path, _random((4, 4), "uint8"))
    assert read_image(path).shape == (4, 4)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"this is not an image", "not an image"),
        ("header.png", b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IEND", b""), "not an image"),
    ],
)
def test_bad_content(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    write_image(path, _random((40, 40, 3), "uint8"))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="cut short"):
        read_image(path)


def test_what_follows_the_end_of_a_file_does_not_matter(tmp_path: Path) -> None:
    array = _random((16, 16, 3), "uint8")
    for suffix in (".png", ".jpg"):
        path = tmp_path / f"motion{suffix}"
        write_image(path, array)
        before = read_image(path)
        path.write_bytes(path.read_bytes() + b"\xff\xda and a video" + bytes(9000))
        np.testing.assert_array_equal(read_image(path), before)


def test_a_thumbnail_in_the_header_is_not_the_end(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    write_image(path, _random((40, 40, 3), "uint8"))
    jpeg = path.read_bytes()
    block = b"Exif\x00\x00 thumbnail \xff\xda\x00 \xff\xd9"
    whole = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]
    path.write_bytes(whole)
    assert read_image(path).shape == (40, 40, 3)
    path.write_bytes(whole[:-300])
    with pytest.raises(InputError, match="cut short"):
        read_image(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(InputError, match="folder"):
        read_image(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads and writes everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "locked.png"
    write_image(path, _random((4, 4), "uint8"))
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        read_image(path)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="permission"):
            write_image(tmp_path / "new.png", _random((4, 4), "uint8"))
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_a_float_image(tmp_path: Path, value: float) -> None:
    array = _random((4, 4), "float32")
    array[2, 1] = value
    cv2.imwrite(str(tmp_path / "bad.tif"), array)
    with pytest.raises(InputError, match="NaN"):
        read_image(tmp_path / "bad.tif")
    with pytest.raises(InputError, match=r"bad\.tif.*NaN"):
        to_float(array, "bad.tif")


def test_sample_types(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "double.tif"), _random((4, 4), "float32").astype(np.float64))
    assert read_image(tmp_path / "double.tif").dtype == np.float32
    cv2.imwrite(str(tmp_path / "signed.tif"), np.zeros((4, 4), np.int16))
    with pytest.raises(InputError, match="int16"):
        read_image(tmp_path / "signed.tif")


@pytest.mark.parametrize(
    ("name", "dtype", "words"),
    [
        ("a.jpg", "uint16", r"use \.png"),
        ("a.png", "float32", r"use \.tif"),
        ("a.xyz", "uint8", "extension"),
        ("a", "uint8", "extension"),
        ("a.png", "int32", "int32"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path: Path, name: str, dtype: str, words: str) -> None:
    array = _random((4, 4), dtype)
    with pytest.raises(InputError, match=words):
        write_image(tmp_path / name, array)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "image.png"
    write_image(path, np.zeros((4, 4), np.uint8))
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match="No space left"):
        write_image(path, np.ones((4, 4), np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["image.png"]
    assert path.read_bytes() == before


def test_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_float_round_trip_is_exact(dtype: str) -> None:
    every = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    np.testing.assert_array_equal(from_float(to_float(every), dtype), every)


def test_to_float_refuses_what_is_out_of_range() -> None:
    with pytest.raises(InputError, match=r"a\.tif.*scale them to \[0, 1\]"):
        to_float(np.array([0.0, 200.0], np.float32), "a.tif")
    with pytest.raises(InputError, match="int64"):
        to_float(np.array([1]))


def test_from_float_clips_and_rounds_half_up() -> None:
    values = np.array([-0.1, 0.5 / 255, 1.5 / 255 - 1e-6, 1.2])
    assert from_float(values, np.uint8).tolist() == [0, 1, 1, 255]
    with pytest.raises(InputError, match="NaN"):
        from_float(np.array([np.nan]), np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_luminance_is_bt601(dtype: str) -> None:
    rgb = _random((6, 7, 3), dtype)
    expected = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    gray = luminance(rgb)
    assert gray.dtype == rgb.dtype
    assert np.abs(gray - expected).max() <= (1e-5 if dtype == "float32" else 0.51)
    assert luminance(gray) is gray
