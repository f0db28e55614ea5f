"""Radiometric JPEGs: made here in every layout that cameras use, and real ones where at hand."""

import struct
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.thermal_files import archive, dji, flir, scene_counts, shown, with_segments

from mma_unet.data import write_image
from mma_unet.data.infrared import read_raw
from mma_unet.data.thermal import read_thermal
from mma_unet.data.thermal.pair import aligned
from mma_unet.data.thermal.temperature import celsius, temperature_statistics
from mma_unet.errors import InputError
from mma_unet.scene import render_scene

VISIBLE = render_scene(240, 320, seed=2, supersample=1).vi


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("samples", ["<u2", ">u2", "png"])
@pytest.mark.parametrize("piece", [60000, 7001])
def test_flir_frames_are_read_in_any_byte_order(order: str, samples: str, piece: int) -> None:
    counts = scene_counts(120, 160)
    frame = read_thermal(flir(counts, order=order, samples=samples, piece=piece), "a.jpg")
    assert frame is not None
    assert np.array_equal(frame.counts, counts)
    assert frame.visible is None


@pytest.mark.parametrize(
    ("photo", "ycbcr", "most"), [(".jpg", False, 4.0), (".png", False, 0.0), (".png", True, 1.5)]
)
def test_the_photograph_comes_in_its_true_colors(photo: str, ycbcr: bool, most: float) -> None:
    file = flir(scene_counts(60, 80), VISIBLE, photo=photo, ycbcr=ycbcr)
    frame = read_thermal(file, "a.jpg")
    assert frame is not None
    assert frame.visible is not None
    assert np.abs(frame.visible.astype(int) - VISIBLE).mean() <= most


@pytest.mark.parametrize(
    ("size", "kind", "picture"),
    [
        ((512, 640), 3, None),  # H20T, M3T ...
        ((512, 640), 4, None),  # XT S
        ((1024, 1280), 3, None),  # H30T
        ((512, 640), 3, (1024, 1280)),  # shown larger than measured
        ((192, 256), 3, (768, 1024)),
    ],
)
def test_dji_frames_are_the_joined_segments(
    size: tuple[int, int], kind: int, picture: tuple[int, int] | None
) -> None:
    counts = scene_counts(*size)
    file = dji(counts, kind, picture)
    for data in (file, file[:-2000]):  # the picture may be cut short, the frame stands before it
        frame = read_thermal(data, "a_T.jpg")
        assert frame is not None
        assert np.array_equal(frame.counts, counts)


def test_ordinary_files_are_not_thermal() -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (512, 640)).astype(np.uint16)
    for data in (
        b"",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        shown(48, 64),
        with_segments(shown(48, 64), [(1, b"Exif\0\0" + bytes(40)), (3, bytes(2 * 48 * 64))]),
        dji(scene_counts(512, 640), kind=9),
        dji(noise),  # as many bytes as a frame, but packed data
    ):
        assert read_thermal(data, "a.jpg") is None


@pytest.mark.parametrize(
    ("scale", "right", "down"), [(1.5, 0, 0), (1.9, 21, -17), (1.0, -30, 12), (0.8, 0, 0)]
)
def test_the_cameras_scale_and_offset_align_the_pair(scale: float, right: int, down: int) -> None:
    """The thermal picture is cut from the photograph itself, so the two must fit to a pixel."""
    gray = cv2.cvtColor(VISIBLE, cv2.COLOR_RGB2GRAY).astype(np.float32)
    step = 320 / scale / 160  # pixels of the photograph for one of the sensor
    left, top = 160 + right - 80 * step, 120 + down - 60 * step
    matrix = np.array(
        [[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]], np.float32
    )
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    small = cv2.warpAffine(cv2.blur(gray, (3, 3)), matrix, (160, 120), flags=flags)
    counts = (16000 + 10 * small).astype(np.uint16)
    frame = read_thermal(flir(counts, VISIBLE, field=(scale, right, down)), "a.jpg")
    assert frame is not None
    pair = aligned(frame)
    assert pair.ir.shape == pair.vi.shape[:2]
    ir = pair.ir.astype(np.float32)
    vi = cv2.cvtColor(pair.vi, cv2.COLOR_RGB2GRAY).astype(np.float32)
    (dx, dy), _ = cv2.phaseCorrelate(ir - ir.mean(), vi - vi.mean())
    assert abs(dx) < 0.6
    assert abs(dy) < 0.6
    assert "by the camera's own scale and offset" in pair.note
    assert f"both see {pair.vi.shape[1]}x{pair.vi.shape[0]} pixels" in pair.note


def test_a_black_surround_of_the_photograph_is_cut_off() -> None:
    framed = np.zeros((240, 320, 3), np.uint8)
    framed[40:200, 50:270] = np.maximum(cv2.resize(VISIBLE, (220, 160)), 40)
    frame = read_thermal(flir(scene_counts(120, 160), framed, field=(1.1, 0, 0)), "a.jpg")
    assert frame is not None
    assert aligned(frame).vi.shape[:2] == (160, 220)


def test_a_dark_photograph_is_not_cut() -> None:
    night = np.zeros((240, 320, 3), np.uint8)
    night[20:60, 30:300] = 200  # a lit sign at the top
    frame = read_thermal(flir(scene_counts(120, 160), night, field=(1.0, 0, 0)), "a.jpg")
    assert frame is not None
    assert aligned(frame).vi.shape[:2] == (240, 320)


def test_without_registration_the_two_are_centered() -> None:
    frame = read_thermal(flir(scene_counts(120, 160), VISIBLE, field=None), "a.jpg")
    assert frame is not None
    pair = aligned(frame)
    assert pair.vi.shape[:2] == (240, 320)
    assert "by their middle" in pair.note


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e30, 1e-30])
def test_a_scale_that_is_none_counts_as_not_there(scale: float) -> None:
    frame = read_thermal(flir(scene_counts(120, 160), VISIBLE, field=(scale, 0, 0)), "a.jpg")
    assert frame is not None
    assert frame.field is None


def test_sentences_of_files_that_cannot_be_used() -> None:
    counts = scene_counts(120, 160)
    thermal = read_thermal(flir(counts), "cold.jpg")
    assert thermal is not None
    with pytest.raises(InputError, match=r"cold.jpg holds no visible picture: give the picture of"):
        aligned(thermal)
    beside = read_thermal(flir(counts, VISIBLE, field=(1.5, 5000, 0)), "b.jpg")
    assert beside is not None
    with pytest.raises(InputError, match=r"b.jpg: by its own scale and offset .* lies beside"):
        aligned(beside)
    without = with_segments(shown(48, 64), [(1, b"FLIR\0\1\0\0" + archive([(32, bytes(900))]))])
    with pytest.raises(InputError, match=r"c.jpg has FLIR segments without a thermal frame"):
        read_thermal(without, "c.jpg")
    part = flir(counts, piece=7001)
    place = part.index(b"FLIR\0\1\2")
    with pytest.raises(InputError, match=r"d.jpg lacks 1 of its 6 FLIR segments: copy the file"):
        read_thermal(part[:place] + b"XXXX" + part[place + 4 :], "d.jpg")


def test_damaged_photographs_leave_the_frame() -> None:
    file = flir(scene_counts(60, 80), VISIBLE, photo=".png")
    place = file.index(b"IHDR", file.index(b"FLIR"))
    large = file[: place + 4] + (60000).to_bytes(4, "big") * 2 + file[place + 12 :]
    frame = read_thermal(large, "a.jpg")
    assert frame is not None
    with pytest.raises(InputError, match=r"a.jpg holds a visible picture that is damaged or of a"):
        aligned(frame)


@pytest.mark.parametrize(
    "block",
    [
        archive([(1, bytes(40))], count=2**32 - 1),
        archive([(1, struct.pack("<HHH", 2, 65535, 65535).ljust(4000, b"\0"))]),
        archive([(1, struct.pack("<HHH", 2, 160, 120).ljust(4000, b"\0"))]),
        archive([(1, b"")]),
        archive([(1, bytes(40))])[:70],
        b"FFF\0" + b"\xff" * 200,
        b"",
    ],
)
def test_no_length_of_the_file_is_believed(block: bytes) -> None:
    data = with_segments(shown(48, 64), [(1, b"FLIR\0\1\0\0" + block)])
    with pytest.raises(InputError, match=r"^a.jpg"):
        read_thermal(data, "a.jpg")


_FILES = [
    flir(scene_counts(24, 32), VISIBLE[:48, :64], samples="png", photo=".png", picture=(48, 64)),
    flir(scene_counts(24, 32), VISIBLE[:48, :64], order="<", piece=900, picture=(48, 64)),
    dji(scene_counts(64, 80)),
]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_mutated_files_end_in_one_sentence(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from(_FILES)))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, min(len(file) - 1, 3000)))
        file[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    try:
        frame = read_thermal(bytes(file[: max(cut, 200)]), "a.jpg")
        if frame is not None:
            aligned(frame)
    except InputError as error:
        assert str(error).startswith("a.jpg")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


def _constants() -> bytes:
    """Constants of a camera, at the places of the record where FLIR has them."""
    record = bytearray(2476)
    for place, values in (
        (32, (0.95, 1.0, 293.15, 293.15, 293.15, 1.0)),
        (60, (0.5,)),
        (88, (17000.0, 1430.0, 1.0)),
        (112, (0.006569, 0.01262, -0.002276, -0.00667, 1.9)),
        (780, (0.0125,)),
    ):
        struct.pack_into(f"<{len(values)}f", record, place, *values)
    struct.pack_into("<i", record, 776, -7000)
    return bytes(record)


@pytest.mark.parametrize("order", [">", "<"])
def test_degrees_by_flyr(order: str, tmp_path: Path) -> None:
    """Against Planck's law by hand; at one meter and 20 °C air takes nearly nothing away."""
    pytest.importorskip("flyr")
    counts = scene_counts(60, 80)
    frame = read_thermal(flir(counts, order=order, constants=_constants()), "a.jpg")
    assert frame is not None

    def radiance(kelvin: float) -> float:
        return float(17000 / (0.0125 * (np.exp(1430 / kelvin) - 1)) + 7000)

    raw = (counts - 0.05 * radiance(293.15)) / 0.95
    expected = 1430 / np.log(17000 / (0.0125 * (raw - 7000)) + 1) - 273.15
    assert np.abs(celsius(frame) - expected).max() < 0.5
    path = tmp_path / "a.jpg"
    path.write_bytes(flir(counts, order=order, constants=_constants()))
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    found = temperature_statistics(path)
    assert found.hottest == (column, row)
    assert str(found).startswith(f"{path}: {found.least:.1f} to {found.most:.1f} °C, mean ")


def test_degrees_without_flyr_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flyr.thermal", None)
    frame = read_thermal(flir(scene_counts(60, 80), constants=_constants()), "a.jpg")
    assert frame is not None
    with pytest.raises(InputError, match=r"a.jpg: degrees need flyr.*pip install 'mma-unet\[the"):
        celsius(frame)


@pytest.mark.parametrize("constants", [bytes(2476), b"\xff" * 2476, bytes(50)])
def test_damaged_constants(constants: bytes) -> None:
    pytest.importorskip("flyr")
    frame = read_thermal(flir(scene_counts(60, 80), constants=constants), "a.jpg")
    assert frame is not None
    with pytest.raises(InputError, match=r"a.jpg: its constants give no plausible temperatures"):
        celsius(frame)


@pytest.mark.parametrize(("offset", "unit"), [(0.0, "°C"), (273.15, "kelvin")])
def test_statistics_of_temperature_maps(offset: float, unit: str, tmp_path: Path) -> None:
    degrees = np.linspace(-12, 85, 48 * 64, dtype=np.float32).reshape(48, 64)
    write_image(tmp_path / "map.tif", degrees + np.float32(offset))
    found = temperature_statistics(tmp_path / "map.tif")
    assert found.least == pytest.approx(-12, abs=1e-3)
    assert found.most == pytest.approx(85, abs=1e-3)
    assert found.median == pytest.approx(36.5, abs=1e-3)
    assert found.hottest == (63, 47)
    assert f"(its samples taken as {unit})" in str(found)


def test_what_gives_no_degrees(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", scene_counts(48, 64))
    write_image(tmp_path / "b.tif", np.linspace(0, 1, 3072, dtype=np.float32).reshape(48, 64))
    (tmp_path / "c.jpg").write_bytes(dji(scene_counts(512, 640)))
    for name in ("a.png", "b.tif"):
        with pytest.raises(InputError, match=rf"{name} gives no degrees: give a FLIR"):
            temperature_statistics(tmp_path / name)
    with pytest.raises(InputError, match=r"c.jpg gives counts without the constants"):
        temperature_statistics(tmp_path / "c.jpg")


def test_what_scores_and_learns_takes_the_counts_too(tmp_path: Path) -> None:
    counts = scene_counts(120, 160)
    (tmp_path / "a.jpg").write_bytes(dji(counts))
    (tmp_path / "b.jpg").write_bytes(flir(counts, picture=(240, 320)))
    (tmp_path / "c.jpg").write_bytes(shown(120, 160))
    assert np.array_equal(read_raw(tmp_path / "a.jpg")[0], counts)
    large = read_raw(tmp_path / "b.jpg")[0]
    assert (large.shape, large.dtype) == ((240, 320), np.uint16)
    assert np.abs(cv2.resize(large, (160, 120)).astype(int) - counts).mean() < 10
    assert read_raw(tmp_path / "c.jpg")[0].dtype == np.uint8


_REAL: dict[str, tuple[tuple[int, int], tuple[int, int] | None]] = {
    "dji_h20n": ((512, 640), None), "dji_h20t": ((512, 640), None),
    "dji_m2ea": ((512, 640), None), "dji_m3t": ((512, 640), None),
    "dji_m4t": ((512, 640), None), "dji_xts": ((512, 640), None),
    "dji_xt2": ((512, 640), None), "flir_ax8": ((60, 80), (340, 508)),
    "flir_b60": ((180, 180), (280, 280)), "flir_e40": ((120, 160), None),
    "flir_t300": ((480, 640), None),
}  # fmt: skip


@pytest.mark.parametrize("name", _REAL)
def test_real_cameras(name: str, shared: Path) -> None:
    file = shared / "thermal" / f"{name}.jpg"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    size, pair = _REAL[name]
    frame = read_thermal(file.read_bytes(), file)
    assert frame is not None
    assert frame.counts.shape == size
    smooth = cv2.blur(frame.counts.astype(np.float32), (3, 3))
    assert np.corrcoef(smooth.ravel(), frame.counts.ravel())[0, 1] > 0.97
    if pair is not None:
        assert aligned(frame).vi.shape[:2] == pair


_SHOWN = {
    "flir_ax8": (24.3, 25.5, 0.2),
    "flir_e40": (18.0, 24.7, 0.5),
    "flir_t300": (22.7, 35, 0.5),
}
"""Least and most that the cameras show in their pictures, or nearly."""


@pytest.mark.parametrize("name", _SHOWN)
def test_real_degrees_are_those_that_the_camera_shows(name: str, shared: Path) -> None:
    flyr: Any = pytest.importorskip("flyr")
    file = shared / "thermal" / f"{name}.jpg"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    least, most, off = _SHOWN[name]
    found = temperature_statistics(file)
    assert found.least == pytest.approx(least, abs=off)
    assert found.most == pytest.approx(most, abs=off)
    assert found.median == pytest.approx(float(np.median(flyr.unpack(str(file)).celsius)), abs=1e-3)
