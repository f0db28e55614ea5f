"""What a header claims is held against the file and the memory before anything is decoded."""

from __future__ import annotations

import contextlib
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mma_unet.data import read_image
from mma_unet.data.header import check_memory, read_header
from mma_unet.data.images import read_photo
from mma_unet.errors import InputError

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 255, (23, 37, 3), dtype=np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int = 8, color: int = 2, packed: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    data = chunk(b"IDAT", packed or zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


def encoded(suffix: str, array: np.ndarray = COLOR, *options: int) -> bytes:
    done, code = cv2.imencode(suffix, array, options)
    assert done
    return code.tobytes()


SUFFIXES = (".png", ".jpg", ".bmp", ".webp", ".ppm", ".pgm", ".pam", ".pfm", ".gif", ".jp2",
            ".hdr", ".ras")  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_header_tells_what_the_decoder_gives(suffix: str, dtype: type, channels: int) -> None:
    array = RNG.integers(0, 255, (23, 37, channels), dtype=np.uint8).astype(dtype)
    if suffix in (".hdr", ".pfm"):
        array = array.astype(np.float32)
    try:
        data = encoded(suffix, array[..., 0] if channels == 1 else array)
    except (cv2.error, AssertionError):
        pytest.skip("not written by OpenCV")
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        pytest.skip("not read by OpenCV")
    header = read_header(data)
    assert header is not None
    assert (header.height, header.width) == decoded.shape[:2]
    assert not header.cut_short
    assert header.pixel_bytes * 23 * 37 >= decoded.nbytes
    assert header.held is None or header.held >= 23 * 37


def test_what_can_be_held_is_no_less_than_what_is() -> None:
    side = 3000
    array = np.zeros((side, side), np.uint8)
    for data in (
        encoded(".png", array),
        encoded(".jpg", array, cv2.IMWRITE_JPEG_QUALITY, 1),
        encoded(".jpg", array, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    ):
        header = read_header(data)
        assert header is not None
        assert header.held is not None
        assert header.held >= side * side


def huge() -> dict[str, bytes]:
    """Small files that claim 30000x30000 pixels."""
    side = 30000
    jpeg = bytearray(encoded(".jpg"))
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = struct.pack(">HH", side, side)
    bmp = bytearray(encoded(".bmp"))
    bmp[18:26] = struct.pack("<ii", side, side)
    packed = bytearray(bmp)
    packed[28:34] = struct.pack("<HI", 8, 1)
    return {
        "a.png": png(side, side),
        "gray16.png": png(side, side, 16, 0),
        "a.jpg": bytes(jpeg),
        "a.bmp": bytes(bmp),
        "rle.bmp": bytes(packed),
        "a.ppm": b"P6 30000 30000 255\n" + bytes(900),
        "a.pgm": b"P5\n# remark\n30000\n30000\n65535\n" + bytes(900),
        "text.pgm": b"P2 30000 30000 255\n" + b"1 " * 900,
        "a.pfm": b"Pf\n30000 30000\n-1.0\n" + bytes(900),
        "long.png": png(8, 8).replace(struct.pack(">I", 9) + b"IDAT", b"\x7f\xff\xff\xf0IDAT"),
    }


@pytest.mark.parametrize("name", list(huge()))
def test_a_small_file_with_a_huge_claim_is_refused_unread(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(huge()[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"cut short|cannot hold the 30000x30000") as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path} is ")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


def test_what_does_not_fit_into_memory_is_refused(tmp_path: Path) -> None:
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(encoded(suffix, np.zeros((1000, 2000, 3), np.uint8)))
        assert read_photo(path, max_bytes=16 * 10**6).pixels.shape == (1000, 2000, 3)
        with pytest.raises(InputError) as caught:
            read_photo(path, max_bytes=5 * 10**6)
        words = str(caught.value)
        assert words.startswith(f"{path} is 2000x1000 pixels by its header, which take ")
        assert words.endswith(
            "more than the 5 MB that --max-memory leaves: allow more with --max-memory, or cut it "
            "into parts."
        )


def test_without_a_limit_free_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mma_unet.data.header.available_memory", lambda: 10**8)
    check_memory("a.png", 10, 10, 10**8)
    with pytest.raises(InputError, match=r"a\.png is 10x10 .* 200 MB, more than the 100 MB that"):
        check_memory("a.png", 10, 10, 2 * 10**8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".ppm", ".tif"])
def test_cut_anywhere_it_is_one_sentence_or_whole(tmp_path: Path, suffix: str) -> None:
    data, path = encoded(suffix), tmp_path / f"a{suffix}"
    path.write_bytes(data)
    whole = read_image(path)
    for length in [1, 2, 4, 8, 11, 16, 30, 31, 60, *range(90, len(data), len(data) // 40)]:
        path.write_bytes(data[:length])
        with contextlib.suppress(InputError):
            np.testing.assert_array_equal(read_image(path), whole)


def test_too_little_memory_is_not_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        error = cv2.error("Insufficient memory")
        error.code = cv2.Error.StsNoMem
        raise error

    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png"))
    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(MemoryError, match=r"a\.png does not fit into memory"):
        read_image(path)


_PEAK = """
import resource, sys
import numpy as np
from mma_unet.data import read_image
read_image(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = read_image(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((peak - before) * 1024 / image.nbytes)
"""


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm", ".webp"])
def test_decoding_takes_at_most_four_times_the_picture(tmp_path: Path, suffix: str) -> None:
    large, small = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    noise = np.repeat(RNG.integers(0, 255, (300, 4000, 3), dtype=np.uint8), 10, axis=0)
    large.write_bytes(encoded(suffix, noise))
    small.write_bytes(encoded(suffix))
    run = subprocess.run(
        [sys.executable, "-c", _PEAK, str(large), str(small)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(run.stdout) < 4
