"""The photograph is kept: orientation obeyed; EXIF, ICC, dpi, GeoTIFF and alpha carried over."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from mma_unet.data import read_image, write_image
from mma_unet.data.exif import orientation, read_tags, split_block, upright
from mma_unet.data.images import read_photo
from mma_unet.data.metadata import Metadata, find_exif, read_metadata

Image = pytest.importorskip("PIL.Image", reason="an independent reader of metadata")
ImageCms = pytest.importorskip("PIL.ImageCms")
ImageOps = pytest.importorskip("PIL.ImageOps")

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 255, (24, 40, 3), dtype=np.uint8)
TIME, GPS_LATITUDE = "2024:05:06 07:08:09", (47.0, 22.0, 30.5)
NOTE = b"a maker's note, as it is"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HOLDS_EXIF = (".jpg", ".png", ".webp", ".tif")


def exif(turned: int = 1) -> Any:
    block = Image.Exif()
    block[0x0112] = turned
    block[0x010F] = "Maker"
    block[0x0132] = TIME
    block.get_ifd(0x8769).update({0x9003: TIME, 0x829A: 0.01, 0x927C: NOTE, 0xA002: 40, 0xA003: 24})
    block.get_ifd(0x8825).update({1: "N", 2: GPS_LATITUDE, 3: "E", 4: (8.0, 32.0, 0.0)})
    return block


def photograph(path: Path, turned: int = 1, **options: Any) -> Path:
    """A photograph as Pillow writes it."""
    everything = {"exif": exif(turned), "icc_profile": PROFILE, "dpi": (300, 200), **options}
    if path.suffix == ".webp":
        everything["lossless"] = True
    if path.suffix == ".tif":  # where Pillow writes inner directories only if they are entries
        for tag in (0x8769, 0x8825):
            everything["exif"][tag] = dict(everything["exif"].get_ifd(tag))
    Image.fromarray(COLOR).save(path, **everything)
    return path


def assert_kept(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
        found = image.getexif()
        assert found.get(0x0112, 1) == 1
        assert found[0x0132] == TIME
        assert found.get_ifd(0x8769)[0x9003] == TIME
        assert bytes(found.get_ifd(0x8769)[0x927C]) == NOTE
        assert tuple(map(float, found.get_ifd(0x8825)[2])) == GPS_LATITUDE
        assert found.get_ifd(0x8825)[3] == "E"
        assert image.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("source", HOLDS_EXIF)
@pytest.mark.parametrize("target", HOLDS_EXIF)
def test_exif_icc_and_dpi_go_from_format_to_format(
    tmp_path: Path, source: str, target: str
) -> None:
    photo = read_photo(photograph(tmp_path / f"in{source}"))
    out, plain = tmp_path / f"out{target}", tmp_path / f"plain{target}"
    write_image(out, photo.pixels, metadata=photo.metadata)
    write_image(plain, photo.pixels)
    assert_kept(out)
    np.testing.assert_array_equal(read_image(out), read_image(plain))
    again = read_photo(out).metadata
    assert again.exif is not None
    assert again.icc == PROFILE
    if ".webp" not in (source, target):
        with Image.open(out) as image:
            assert tuple(image.info["dpi"]) == pytest.approx((300, 200), abs=0.02)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_orientation_is_obeyed_once(tmp_path: Path, suffix: str, turned: int) -> None:
    path = photograph(tmp_path / f"in{suffix}", turned)
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(path)
    assert photo.pixels.shape == wanted.shape
    assert np.abs(photo.pixels.astype(int) - wanted).max() <= (3 if suffix == ".jpg" else 0)
    out = tmp_path / f"out{suffix}"
    write_image(out, photo.pixels, metadata=photo.metadata)
    assert_kept(out)
    assert read_image(out).shape == photo.pixels.shape
    if turned >= 5 and suffix in (".jpg", ".png"):
        assert photo.metadata.dpi == pytest.approx((200, 300), abs=0.02)
        with Image.open(out) as image:
            inner = image.getexif().get_ifd(0x8769)
            assert (inner[0xA002], inner[0xA003]) == (24, 40)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm"])
def test_a_picture_without_metadata_gives_the_bytes_of_before(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"in{suffix}", COLOR)
    photo = read_photo(tmp_path / f"in{suffix}")
    assert not photo.metadata
    out = tmp_path / f"out{suffix}"
    write_image(out, COLOR, metadata=photo.metadata, alpha=photo.alpha)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    assert out.read_bytes() == cv2.imencode(suffix, COLOR[..., ::-1], options)[1].tobytes()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_geotiff_tags_are_carried_over(tmp_path: Path, big: bool, order: Any, dtype: str) -> None:
    tags = [
        (33550, 12, 3, (0.5, 0.5, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 440720.0, 100000.0, 0.0), True),
        (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
        (34737, 2, 8, "WGS 84|", True),
        (42112, 2, 16, "<GDALMetadata />", True),
        (306, 2, 20, TIME, True),
    ]
    array = (COLOR[..., 0] / np.float32(255)).astype(dtype)
    tifffile.imwrite(
        tmp_path / "in.tif", array, bigtiff=big, byteorder=order, extratags=tags,
        photometric="minisblack", resolution=(100, 50), resolutionunit="CENTIMETER",
    )  # fmt: skip
    photo = read_photo(tmp_path / "in.tif")
    write_image(tmp_path / "out.tif", photo.pixels, metadata=photo.metadata)
    np.testing.assert_array_equal(read_image(tmp_path / "out.tif"), array)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == 1
        for tag, _, _, value, _ in tags:
            assert file.pages[0].tags.valueof(tag) == value
        assert file.pages[0].tags.valueof(296) == 2
        assert file.pages[0].get_resolution() == pytest.approx((254, 127), abs=0.01)
    write_image(tmp_path / "out.png", COLOR, metadata=photo.metadata)
    with Image.open(tmp_path / "out.png") as image:
        assert image.getexif()[306] == TIME


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_alpha_stays(tmp_path: Path, suffix: str, dtype: str) -> None:
    alpha = RNG.integers(0, 255, COLOR.shape[:2], dtype=np.uint8)
    color, alpha = (samples.astype(dtype) for samples in (COLOR, alpha))
    if dtype == "float32":
        color, alpha = color / 255, alpha / 255
    if suffix not in {"uint16": (".png", ".tif"), "float32": (".tif",)}.get(dtype, (suffix,)):
        pytest.skip("the format has no such samples")
    path = tmp_path / f"a{suffix}"
    icc = Metadata(icc=PROFILE)
    for metadata in (None, icc):
        write_image(path, color, alpha=alpha, metadata=metadata)
        photo = read_photo(path)
        np.testing.assert_array_equal(photo.alpha, alpha)
        shown = alpha > 0 if suffix == ".webp" else np.ones(alpha.shape, bool)
        np.testing.assert_array_equal(photo.pixels[shown], color[shown])
    if dtype == "uint8":
        with Image.open(path) as image:
            assert image.mode == "RGBA"
            np.testing.assert_array_equal(np.asarray(image)[..., 3], alpha)


def test_a_profile_of_another_kind_of_color_and_a_thumbnail_stay_behind(tmp_path: Path) -> None:
    photo = read_photo(photograph(tmp_path / "in.jpg"))
    write_image(tmp_path / "gray.png", COLOR[..., 0], metadata=photo.metadata)
    with Image.open(tmp_path / "gray.png") as image:
        assert "icc_profile" not in image.info
        assert image.getexif()[0x0132] == TIME
    block = exif().tobytes().removeprefix(b"Exif\0\0")
    entries = int.from_bytes(block[8:10], "little" if block[:2] == b"II" else "big")
    end = 10 + 12 * entries
    with_thumbnail = block[:end] + b"\0\0\0\x08" + block[end + 4 :]
    assert upright(with_thumbnail, 1)[end : end + 4] == bytes(4)


def test_the_metres_of_bmp(tmp_path: Path) -> None:
    Image.fromarray(COLOR).save(tmp_path / "in.bmp", dpi=(300, 200))
    photo = read_photo(tmp_path / "in.bmp")
    write_image(tmp_path / "out.bmp", photo.pixels, metadata=photo.metadata)
    with Image.open(tmp_path / "out.bmp") as image:
        assert image.info["dpi"] == pytest.approx((300, 200), abs=0.02)
    np.testing.assert_array_equal(read_image(tmp_path / "out.bmp"), COLOR)


def test_byte_orders_are_one(tmp_path: Path) -> None:
    found = {}
    for order in "<>":
        file = io.BytesIO()
        tags = [(274, 3, 1, 6, True), (306, 2, 20, TIME, True), (33550, 12, 3, (1.5, 2, 0), True)]
        tifffile.imwrite(file, COLOR[..., 0], byteorder=order, extratags=tags)
        assert orientation(file.getvalue()) == 6
        entries = read_tags(file.getvalue())
        found[order] = [entries[tag] for tag in (274, 306, 33550, 282)]
    assert found["<"] == found[">"]


def test_damaged_metadata_is_left_out(tmp_path: Path) -> None:
    """Every file that is still an image is read, whatever its metadata says."""
    for suffix in HOLDS_EXIF:
        data = photograph(tmp_path / f"in{suffix}", 6).read_bytes()
        for _ in range(400):
            changed = bytearray(data)
            for place in RNG.integers(2, min(len(data), 2000), 6):
                changed[place] = RNG.integers(256)
            read_metadata(bytes(changed), 6)
            find_exif(bytes(changed))
            cut = bytes(changed[: RNG.integers(len(changed))])
            read_metadata(cut)
    block = exif().tobytes().removeprefix(b"Exif\0\0")
    for _ in range(500):
        changed = bytearray(block)
        for place in RNG.integers(0, len(block), 3):
            changed[place] = RNG.integers(256)
        assert 1 <= orientation(bytes(changed)) <= 8
        for action in (lambda b: upright(b, 6), split_block):
            with contextlib.suppress(ValueError, struct.error):
                action(bytes(changed))
