"""Raw infrared images and videos through `Fuser`: the same picture as its 8-bit twin, or VI."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import torch

from mma_unet import Fuser, InputError
from mma_unet.data import write_image
from mma_unet.data.images import luminance
from mma_unet.data.range_from import range_from
from mma_unet.data.video import ImageSequence, VideoFile
from mma_unet.inference.video import fuse_video
from tests.inference.test_fuser import averaging
from tests.inference.test_video import Frames
from tests.thermal import HEIGHT, RAW, WIDTH, counts, scene
from tests.videos import write_video

VI = np.random.default_rng(5).integers(60, 190, (6, 8, 3)).repeat(16, 0).repeat(16, 1)
VI = VI.astype(np.uint8)


def write_gray(path: Path, frames: list[np.ndarray], kind: str = "gray16le") -> Path:
    """Lossless gray video of 10, 12 or 16 bits from counts of 16."""
    shift = {"gray16le": 0, "gray12le": 4, "gray10le": 6}[kind]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape, kind
        for samples in frames:
            frame = av.VideoFrame(WIDTH, HEIGHT, kind)
            plane = frame.planes[0]
            lines = np.zeros((HEIGHT, plane.line_size // 2), np.uint16)
            lines[:, :WIDTH] = samples >> shift
            plane.update(lines.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", RAW)
def test_raw_images_fuse_as_their_eight_bit_twin(kind: str) -> None:
    twin = averaging()(np.rint(255 * scene()).astype(np.uint8), VI)
    fused = averaging()(RAW[kind](scene()), VI)
    assert np.abs(np.asarray(fused).astype(int) - np.asarray(twin)).max() <= 3


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_ir_has_no_value_the_result_is_vi(gray: bool, dtype: type) -> None:
    ir = counts().astype(np.float32)
    ir[:, :40] = np.nan
    vi = VI.astype(dtype) * dtype(257 if dtype is np.uint16 else 1)
    fused = np.asarray(averaging(gray=gray)(ir, vi))
    expected = luminance(vi) if gray else vi
    apart = np.abs(fused.astype(int) - expected)
    assert apart[:, :40].max() <= 1
    assert apart[:, 60:].max() > 20


def test_three_channels_and_tiles_keep_vi_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    ir = (40 + 200 * scene()).astype(np.uint8)
    ir[:20] = ir[-16:] = 0
    fused = averaging(in_channels=3, color="rgb")(ir, VI)
    assert (np.asarray(fused)[:20] == VI[:20]).all()
    whole = Fuser("tiny", device="cpu", runtime="torch", precision="fp32")
    big = [np.tile(image, (3, 3) + (1,) * (image.ndim - 2)) for image in (ir[20:-16], VI[20:-16])]
    mask = np.ones(big[0].shape, bool)
    mask[:, 200:] = False
    expected = np.asarray(whole(*big, ir_valid=mask))
    budget = 64 * 10**6 + 8 * 1_178_423 + 60_000 * (36 * 8 + 16)
    monkeypatch.setattr("mma_unet.inference.fuser.memory_budget", lambda *_: budget)
    tiles: list[int] = []
    whole.on_tile = lambda _, total: tiles.append(total)
    tiled = np.asarray(whole(*big, ir_valid=mask))
    assert tiles
    assert (tiled[:, 200:] == big[1][:, 200:]).all()
    assert np.abs(tiled.astype(int) - expected).max() <= 1


def test_a_mask_for_all_and_one_for_a_pair(tmp_path: Path) -> None:
    ir = (255 * scene()).astype(np.uint8)
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[:30] = 0
    write_image(tmp_path / "mask.png", mask)
    for given in (mask, mask > 0, torch.from_numpy(mask), tmp_path / "mask.png"):
        fused = np.asarray(averaging(ir_valid=given)(ir, VI))
        assert (fused[:30] == VI[:30]).all()
        assert (fused[60:] != VI[60:]).mean() > 0.5
    fuser = averaging(ir_valid=mask)
    assert (np.asarray(fuser(ir, VI, ir_valid=mask[::-1]))[-30:] == VI[-30:]).all()
    with pytest.raises(InputError, match="the mask of valid pixels and ir are 128x90 and 128x96"):
        fuser(ir, VI, ir_valid=mask[:90])


def test_ordinary_pairs_are_not_touched(weights: Path) -> None:
    """The rule by itself gives the very bytes of no rule at all."""
    auto, full = (Fuser(weights, device="cpu", ir_range=rule) for rule in ("auto", "full"))
    eight = (255 * scene()).astype(np.uint8)
    for ir in (eight, eight.astype(np.uint16) * 257, (65535 * scene()).astype(np.uint16),
               eight.astype(np.float32) / 255):  # fmt: skip
        assert np.asarray(auto(ir, VI)).tobytes() == np.asarray(full(ir, VI)).tobytes()


def fused_frames(fuser: Fuser, ir: Any, out: Path, count: int, **options: Any) -> list[np.ndarray]:
    fuse_video(fuser, ir, Frames([VI] * count), out, **options)
    with VideoFile(str(out)) as video:
        return [frame.pixels for frame in video]


@pytest.mark.parametrize("kind", ["gray16le", "gray12le", "gray10le", "sequence", "floats"])
def test_a_deep_video_equals_its_stills(tmp_path: Path, kind: str) -> None:
    frames = [(7000 + 2000 * np.roll(scene(), 2 * i, axis=1)).astype(np.uint16) for i in range(4)]
    if kind in ("sequence", "floats"):
        for index, frame in enumerate(frames):
            samples = frame if kind == "sequence" else frame / np.float32(100) - 60
            tifffile.imwrite(tmp_path / f"{index}.tif", samples)
        files = sorted(tmp_path.glob("*.tif"))
        source: Any = ImageSequence(files, Fraction(25), deep=True)
    else:
        source = VideoFile(str(write_gray(tmp_path / "ir.mkv", frames, kind)), deep=True)
    fuser = averaging()
    video = fused_frames(fuser, source, tmp_path / "o.mkv", 4, steady=False)
    for got, counts_ in zip(video, frames, strict=True):
        still = np.asarray(fuser(counts_, VI)).astype(int)
        error = np.abs(luminance(got).astype(int) - luminance(still.astype(np.uint8)))
        assert error.mean() < 2.5  # of the codec
    assert len(np.unique(luminance(video[0]))) > 60


@pytest.mark.parametrize("steady", [True, False])
def test_a_hot_object_that_enters_does_not_move_the_background(
    tmp_path: Path, steady: bool
) -> None:
    frames = [counts() for _ in range(8)]
    for index, frame in enumerate(frames[2:]):
        frame[20 : 30 + 6 * index, 20:60] = 16_000
    source = VideoFile(str(write_gray(tmp_path / "ir.mkv", frames)), deep=True)
    video = fused_frames(averaging(), source, tmp_path / "o.mkv", 8, steady=steady)
    backgrounds = [luminance(frame).astype(float)[:, 70:] for frame in video]
    for before, after in pairwise(backgrounds):
        assert abs((after - before).mean()) < 2
        assert np.quantile(np.abs(after - before), 0.9) <= 2


def test_a_range_from_frames_or_a_file(tmp_path: Path) -> None:
    frames = [counts(), counts() + np.uint16(500), counts() + np.uint16(4000)]
    clip = write_gray(tmp_path / "ir.mkv", frames)
    for index, frame in enumerate(frames[:2]):
        write_image(tmp_path / "stills" / f"{index}.tif", frame)
    expected = pytest.approx((7000, 9500), abs=2)
    assert range_from("0:1", str(clip)) == expected
    assert range_from("0:1", str(tmp_path / "stills")) == expected
    assert range_from("0:1", str(tmp_path / "stills" / "%d.tif")) == expected
    assert range_from(str(tmp_path / "stills"), "other") == expected
    assert range_from(str(clip), "other") == pytest.approx((7000, 13_000), abs=2)
    still = tmp_path / "stills" / "1.tif"
    assert range_from(str(still), "other") == pytest.approx((7500, 9500), abs=2)
    fuser = averaging(ir_range=range_from("0:2", str(clip)))
    source = VideoFile(str(clip), deep=True)
    video = fused_frames(fuser, source, tmp_path / "o.mkv", 3, steady=False)
    for got, frame in zip(video, frames, strict=True):
        still_fused = np.asarray(fuser(frame, VI))
        assert np.abs(luminance(got).astype(int) - luminance(still_fused)).mean() < 2.5


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("2:9", "has not so many frames as 2:9 names: count them from 0"),
        ("1:0", "give the first frame before the last"),
        ("no.tif", "no.tif does not exist"),
        ("no.mkv", "no.mkv does not exist"),
    ],
)
def test_a_bad_range_from_is_one_sentence(tmp_path: Path, spec: str, message: str) -> None:
    clip = write_gray(tmp_path / "ir.mkv", [counts()] * 3)
    with pytest.raises(InputError, match=message):
        range_from(spec, str(clip))


def test_the_surround_of_a_video_is_vi_in_every_frame(tmp_path: Path) -> None:
    """Of 8 bits through a lossy codec, with a frame in the middle that is dark at a side."""
    frames = []
    for index in range(5):
        frame = (40 + 200 * np.roll(scene(), 2 * index, axis=1)).astype(np.uint8)
        frame[:, 60:68] = 0 if index == 3 else frame[:, 60:68]
        frame[:24] = frame[:, :32] = 0
        frames.append(np.repeat(frame[:, :, None], 3, axis=2))
    ir = VideoFile(str(write_video(tmp_path / "ir.mkv", frames, rate=Fraction(25))), deep=True)
    twin = fused_frames(averaging(), Frames([VI] * 5), tmp_path / "vi.mkv", 5, steady=False)
    video = fused_frames(averaging(), ir, tmp_path / "o.mkv", 5, steady=False)
    for got, alone in zip(video, twin, strict=True):
        assert np.abs(got[:20].astype(int) - alone[:20]).mean() < 3
        assert np.abs(got[40:, 60:].astype(int) - alone[40:, 60:]).mean() > 8
