"""Every organization of a TIFF file gives the pixels of its interleaved twin, or is refused."""

from __future__ import annotations

import io
import itertools
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from mma_unet.data import read_image, write_image
from mma_unet.data.images import read_photo
from mma_unet.errors import InputError

SIZE = (40, 53)
LAYOUTS: list[dict[str, Any]] = [{}, {"rowsperstrip": 7}, {"tile": (16, 32)}]


def samples(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def packed(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def organizations(channels: int) -> Iterator[dict[str, Any]]:
    planars = ("contig", "separate") if channels > 1 else (None,)
    for planar, layout, big, order in itertools.product(planars, LAYOUTS, (False, True), "<>"):
        for compression, predictor in (
            (None, False), ("zlib", False), ("zlib", True), ("lzw", False), ("lzw", True),
            ("zstd", True), ("packbits", False), ("lzma", False),
        ):  # fmt: skip
            yield {
                "photometric": "rgb" if channels > 2 else "minisblack",
                "planarconfig": planar,
                "bigtiff": big,
                "byteorder": order,
                "compression": compression,
                "predictor": predictor,
                "extrasamples": ["unassalpha"] if channels == 4 else None,
                **layout,
            }


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float16", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_organization_equals_its_twin(tmp_path: Path, dtype: str, channels: int) -> None:
    pytest.importorskip("imagecodecs", reason="needs the extra 'tiff'")
    array = samples(SIZE if channels == 1 else (*SIZE, channels), dtype)
    path = tmp_path / "a.tif"
    wanted = array.astype(np.float32) if dtype.startswith("float") else array
    for options in organizations(channels):
        planes = np.moveaxis(array, 2, 0) if options["planarconfig"] == "separate" else array
        path.write_bytes(packed(planes, **options))
        photo = read_photo(path)
        np.testing.assert_array_equal(
            photo.pixels, wanted[..., :3] if channels == 4 else wanted, str(options)
        )
        if channels == 4:
            np.testing.assert_array_equal(photo.alpha, array[..., 3])


_WITHOUT = """
import sys
sys.modules["imagecodecs"] = None
from pathlib import Path
import numpy as np
from mma_unet.data import read_image
from mma_unet.errors import InputError
for file in sorted(Path(sys.argv[1]).glob("*.tif")):
    try:
        right = np.array_equal(read_image(file), np.load(file.with_suffix(".npy")))
        print(file.name, "right" if right else "WRONG")
    except InputError as error:
        print(file.name, error)
"""


def test_without_the_extra_pixels_are_right_or_the_package_is_named(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="writes what it must not read")
    number = 0
    for dtype, channels in itertools.product(("uint8", "uint16", "float32"), (1, 3, 4)):
        array = samples(SIZE if channels == 1 else (*SIZE, channels), dtype)
        for options in organizations(channels):
            planes = np.moveaxis(array, 2, 0) if options["planarconfig"] == "separate" else array
            what = f"{dtype}-{channels}-{options['planarconfig']}-{options['compression']}"
            path = tmp_path / f"{what}-{options['predictor']}-{number}.tif"
            path.write_bytes(packed(planes, **options))
            np.save(path.with_suffix(".npy"), array[..., :3] if channels == 4 else array)
            number += 1
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    answers = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert len(answers) == number
    for name, answer in answers.items():
        common = ("contig" in name or "-1-" in name) and "-4-" not in name
        if common and not any(codec in name for codec in ("zstd", "lzma")):
            assert answer == "right", name
        else:
            assert answer == "right" or "pip install 'mma-unet[tiff]'" in answer, (name, answer)


def test_few_bits_inverted_and_with_palette(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for dtype in ("uint8", "uint16"):
        array = samples(SIZE, dtype)
        path.write_bytes(packed(array, photometric="miniswhite"))
        np.testing.assert_array_equal(read_image(path), np.iinfo(dtype).max - array)
    bits = samples(SIZE, "uint8") > 128
    path.write_bytes(packed(bits, photometric="minisblack"))
    np.testing.assert_array_equal(read_image(path), bits * np.uint8(255))
    colors = samples((3, 256), "uint16")
    index = samples(SIZE, "uint8")
    path.write_bytes(packed(index, photometric="palette", colormap=colors))
    np.testing.assert_array_equal(read_image(path), (colors.T[index] >> 8).astype(np.uint8))
    pytest.importorskip("imagecodecs", reason="needs the extra 'tiff'")
    for count in (4, 12):
        few = (samples(SIZE, "uint16") >> (16 - count)).astype("uint8" if count < 8 else "uint16")
        path.write_bytes(packed(few, photometric="minisblack", bitspersample=count))
        whole = few * np.uint8(17) if count == 4 else few << 4
        np.testing.assert_array_equal(read_image(path), whole)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gray_with_alpha_is_gray(tmp_path: Path, dtype: str) -> None:
    array, path = samples((*SIZE, 2), dtype), tmp_path / "a.tif"
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    path.write_bytes(packed(array, extrasamples=["unassalpha"], **options))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, array[..., 0])
    np.testing.assert_array_equal(photo.alpha, array[..., 1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_orientation_turns_the_picture(tmp_path: Path, orientation: int, channels: int) -> None:
    array = samples(SIZE if channels == 1 else (*SIZE, 3), "uint8")
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb" if channels == 3 else "minisblack"}
    tag = (274, 3, 1, orientation, False)
    path.write_bytes(packed(array, extratags=[tag], **options))
    turns = {
        1: array, 2: array[:, ::-1], 3: np.rot90(array, 2), 4: array[::-1],
        5: array.swapaxes(0, 1), 6: np.rot90(array, -1), 7: np.rot90(array, 2).swapaxes(0, 1),
        8: np.rot90(array),
    }  # fmt: skip
    np.testing.assert_array_equal(read_image(path), turns[orientation])


def test_pages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.tif"
    stack = samples((3, *SIZE), "uint16")
    with tifffile.TiffWriter(path) as file:
        for index, page in enumerate(stack):
            file.write(page, photometric="minisblack")
            if index == 0:  # a smaller level of a pyramid is no page
                file.write(page[::2, ::2], photometric="minisblack", subfiletype=1)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_image(path), stack[0])
        read_image(path)  # which is not told again
    assert caplog.messages == [f"{path} has 3 pages: the first is used; --page N takes another."]
    for number in (1, 2, 3):
        np.testing.assert_array_equal(read_image(path, page=number), stack[number - 1])
    with pytest.raises(InputError, match=r"a\.tif has 3 pages: there is no page 4\."):
        read_image(path, page=4)


def volume() -> bytes:
    return packed(
        samples((16, 16, 32), "uint8"), photometric="minisblack", tile=(16, 16, 16), volumetric=True
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed(samples((*SIZE, 4), "uint8"), photometric="separated"), "CMYK colors"),
        (packed(samples((*SIZE, 3), "uint8"), photometric="cielab"), "CIELAB colors"),
        (packed(samples(SIZE, "uint16"), photometric="cfa"), "color filter array"),
        (volume(), "TIFF volume"),
        (packed(samples((*SIZE, 5), "uint8"), photometric="rgb"), "5 channels"),
        (packed(samples(SIZE, "uint32")), "uint32"),
        (packed(samples(SIZE, "uint8").astype(np.complex64)), "complex64"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path} ")


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"compression": "zlib"}])
def test_a_file_cut_short_or_damaged_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.tif"
    data = packed(samples(SIZE, "uint16"), **options)
    for length in (9, 60, len(data) // 2, len(data) - 5):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"cut short|damaged"):
            read_image(path)


@pytest.mark.parametrize("compression", ["zlib", "zstd", "lzma", None])
@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 5}])
def test_a_huge_claim_costs_nothing(
    tmp_path: Path, compression: str | None, layout: dict[str, Any]
) -> None:
    """Fewer strips or tiles than the pixels need, in any compression."""
    if compression not in (None, "zlib"):
        pytest.importorskip("imagecodecs", reason="needs the extra 'tiff'")
    path = tmp_path / "a.tif"
    data = bytearray(packed(samples((16, 16), "uint8"), compression=compression, **layout))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        places = [file.pages[0].tags[tag].valueoffset for tag in (256, 257)]
    for place in places:
        data[place : place + 2] = (60000).to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot hold the 60000x60000 pixels"):
        read_image(path)


def test_our_own_files_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for dtype in ("uint8", "uint16", "float32"):
        array, alpha = samples((*SIZE, 3), dtype), samples(SIZE, dtype)
        write_image(path, array, alpha=alpha)
        photo = read_photo(path)
        np.testing.assert_array_equal(photo.pixels, array)
        np.testing.assert_array_equal(photo.alpha, alpha)
