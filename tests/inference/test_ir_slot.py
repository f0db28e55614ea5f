"""What stands in the place of the infrared image: thermal files, channels, palettes, polarity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mma_unet.data import write_image
from mma_unet.data.images import from_float
from mma_unet.data.palettes import palette_colors
from mma_unet.data.thermal import read_thermal
from mma_unet.data.thermal.pair import aligned
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.inference.ir_slot import IrSlot
from mma_unet.inference.sources import Source
from mma_unet.scene import render_scene
from tests.thermal_files import dji, flir, scene_counts, shown

SCENE = render_scene(96, 128, seed=3, supersample=1)
IR, VI = SCENE.ir, SCENE.vi


def _read(ir: Any, vi: Any, **slot: Any) -> tuple[Source, Source]:
    return Fuser("tiny", ir_slot=IrSlot(**slot)).read(ir, vi)


def _gray(source: Source) -> np.ndarray:
    return from_float(source.luminance[0].numpy(), np.uint8)


def test_one_radiometric_file_holds_both(tmp_path: Path) -> None:
    path = tmp_path / "FLIR0123.jpg"
    path.write_bytes(flir(scene_counts(120, 160), np.repeat(np.repeat(VI, 4, 0), 4, 1)))
    frame = read_thermal(path.read_bytes(), path)
    assert frame is not None
    pair = aligned(frame)
    for same in (path, str(path)):
        ir, vi = _read(same, same, single=True)
        assert np.array_equal(vi.planes, pair.vi.transpose(2, 0, 1))
        assert np.array_equal(ir.planes[0], pair.ir)
        assert f"{path}: thermal 160x120 laid over visible 512x384" in ir.note


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (flir(scene_counts(120, 160), picture=(240, 320)), (240, 320)),
        (flir(scene_counts(60, 60), picture=(240, 320)), (60, 60)),  # a picture of another shape
        (dji(scene_counts(120, 160)), (120, 160)),
        (dji(scene_counts(120, 160), picture=(240, 320)), (240, 320)),
    ],
)
def test_counts_take_the_place_of_the_picture_shown(
    data: bytes, size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "a_T.JPG"
    path.write_bytes(data)
    ir, _ = _read(path, np.zeros((*size, 3), np.uint8))
    assert ir.planes.dtype == np.uint16
    assert ir.size == size
    assert f"{path}: the counts of its sensor are fused, not the picture shown" in ir.note
    with pytest.raises(InputError, match=r"a_T.JPG is \d+x\d+ and vi is 9x7 pixels"):
        _read(path, np.zeros((7, 9, 3), np.uint8))


def test_a_damaged_thermal_part_leaves_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    data = flir(scene_counts(120, 160), piece=7001)
    place = data.index(b"FLIR\0\1\2")
    path.write_bytes(data[:place] + b"XXXX" + data[place + 4 :])
    ir, _ = _read(path, np.zeros((240, 320, 3), np.uint8))
    assert ir.planes.dtype == np.uint8
    assert "lacks 1 of its 6 FLIR segments" in ir.note
    assert "Until then the picture that it shows is fused." in ir.note
    with pytest.raises(InputError, match="lacks 1 of its 6"):
        _read(path, path, single=True)


def test_files_that_do_not_hold_both(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", VI)
    (tmp_path / "b.jpg").write_bytes(shown(48, 64))
    (tmp_path / "c.jpg").write_bytes(dji(scene_counts(120, 160)))
    for name in ("a.png", "b.jpg"):
        with pytest.raises(InputError, match=rf"{name} does not hold both pictures, as radiometr"):
            _read(tmp_path / name, tmp_path / name, single=True)
        _read(tmp_path / name, tmp_path / name)  # given twice it is fused with itself, as ever
    with pytest.raises(InputError, match=r"c.jpg holds no visible picture: give the picture of"):
        _read(tmp_path / "c.jpg", tmp_path / "c.jpg", single=True)


def _with_fourth(path: Path, fourth: np.ndarray) -> Path:
    cv2.imwrite(str(path), np.dstack((VI[:, :, ::-1], fourth)))
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_fourth_channel_that_varies_is_infrared(suffix: str, tmp_path: Path) -> None:
    path = _with_fourth(tmp_path / f"rgbt{suffix}", IR)
    off = 3 if suffix == ".webp" else 0
    ir, vi = _read(path, path, channel=4, single=True)
    assert np.abs(ir.planes[0].astype(int) - IR).max() <= off
    assert len(vi.planes) == 3
    assert vi.alpha is None
    plain, visible = _read(IR, path)
    assert visible.alpha is None
    assert f"{path}: its fourth channel varies like a picture" in plain.note
    assert "--ir-channel 4" in plain.note


def test_alpha_stays_alpha(tmp_path: Path) -> None:
    cut_out = np.zeros(IR.shape, np.uint8)
    cut_out[20:70, 30:100] = 255
    path = _with_fourth(tmp_path / "a.png", cv2.blur(cut_out, (5, 5)))
    ir, vi = _read(IR, path)
    assert vi.alpha is not None
    assert ir.note == ""


def test_channels_of_what_is_in_memory() -> None:
    stack = np.dstack((VI, IR))
    for image in (stack, torch.from_numpy(stack.transpose(2, 0, 1).copy())):
        ir, _ = _read(image, VI, channel=4)
        assert np.array_equal(ir.planes[0], IR)
    ir, _ = _read(VI, VI, channel=2)
    assert np.array_equal(ir.planes[0], VI[:, :, 1])
    with pytest.raises(InputError, match=r"ir has 3 channel\(s\), so none is number 4: check"):
        _read(VI, VI, channel=4)
    with pytest.raises(InputError, match="the IR channel must be 1 to 4, not 0"):
        IrSlot(channel=0)


@pytest.mark.parametrize("name", ["jet", "inferno", "iron", "rainbow-hc", "iron-red", "turbo"])
def test_false_color_is_told_and_inverted(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hot.png"
    write_image(path, palette_colors(name)[IR])
    ir, _ = _read(path, VI)
    assert ir.note.startswith(f"{path} is in false color (palette {name}), whose brightness is")
    assert f"--ir-palette {name}, or auto" in ir.note
    for palette in ("auto", name):
        ir, _ = _read(path, VI, palette=palette)
        assert np.abs(_gray(ir).astype(int) - IR).mean() < 1
        assert "false color" not in ir.note
        assert (f"levels of the palette {name} are fused" in ir.note) == (palette == "auto")


def test_deep_false_color_is_inverted_too() -> None:
    colors = palette_colors("jet")[IR]
    for image in (colors.astype(np.uint16) * 257, colors / np.float32(255)):
        assert np.abs(_gray(_read(image, VI, palette="jet")[0]).astype(int) - IR).mean() < 1


def test_gray_pictures_have_no_palette() -> None:
    for image in (IR, np.repeat(IR[:, :, None], 3, axis=2)):
        for palette in (None, "auto", "jet"):
            ir, _ = _read(image, VI, palette=palette)
            assert np.array_equal(_gray(ir), IR)
            assert ir.note == ""


def test_sentences_about_palettes() -> None:
    with pytest.raises(InputError, match=r"palette 'rusty' is not known: use auto or one of iron"):
        IrSlot(palette="rusty")
    with pytest.raises(InputError, match=r"ir is in color but fits no palette that is known \(nea"):
        _read(_colorful(), VI, palette="auto")


def _colorful() -> np.ndarray:
    """A photograph in strong colors."""
    hsv = cv2.cvtColor(VI, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = np.random.default_rng(0).integers(0, 180, (12, 16)).repeat(8, 0).repeat(8, 1)
    hsv[:, :, 1] = 120
    hsv[:, :, 2] = np.maximum(hsv[:, :, 2], 90)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def test_a_swapped_pair_is_asked_about() -> None:
    for gray in (IR, np.repeat(IR[:, :, None], 3, axis=2)):
        assert _read(_colorful(), gray)[0].note == (
            "ir is in color and vi is gray: are the two swapped?"
        )
    assert _read(IR, _colorful())[0].note == ""
    assert _read(_colorful(), _colorful())[0].note == ""


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_black_hot_is_turned_round(kind: str) -> None:
    images = {
        "uint8": IR,
        "uint16": IR.astype(np.uint16) * 257,
        "float32": IR / np.float32(255),
    }
    white = _gray(_read(images[kind], VI)[0])
    black = _gray(_read(images[kind], VI, black_hot=True)[0])
    assert np.abs(white.astype(int) + black - 255).max() <= 1


def test_black_hot_raw_counts_are_turned_within_their_range() -> None:
    counts = (20000 + IR.astype(np.uint16) * 4).astype(np.uint16)
    fuser = Fuser("tiny", ir_range="auto")
    white = _gray(fuser.read(counts, VI)[0])
    fuser.ir_slot = IrSlot(black_hot=True)
    black = _gray(fuser.read(counts, VI)[0])
    assert white.std() > 20
    assert np.abs(white.astype(int) + black - 255).max() <= 1


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0)])
def test_graphics_of_the_camera_get_a_hint(color: tuple[int, int, int]) -> None:
    large = cv2.resize(IR, (640, 480), interpolation=cv2.INTER_CUBIC)
    drawn = np.repeat(large[:, :, None], 3, axis=2)
    cv2.rectangle(drawn, (0, 0), (180, 60), tuple(255 - c for c in color), -1)
    for text, place in (("37.2 C", (10, 40)), ("max 41.0", (450, 40)), ("2024-05-01", (10, 460))):
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 7)
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 2)
    vi = cv2.resize(VI, (640, 480))
    assert "seems to show the camera's own text or graphics" in _read(drawn, vi)[0].note
    assert _read(large, vi)[0].note == ""
