"""Fusing streams: which frames meet, flicker, bounded memory, and clean ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mma_unet.data.palettes import palette_colors
from mma_unet.data.video import Frame, VideoFile
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.inference.flicker import FlickerMeter, Steadier
from mma_unet.inference.ir_slot import IrSlot
from mma_unet.inference.pipeline import Ahead, Behind
from mma_unet.inference.video import fuse_video, pair_in_time
from mma_unet.scene import render_sequence
from tests.videos import colors, write_video

BLANK = np.zeros((2, 2, 3), np.uint8)


def stream(rate: Fraction | int, count: int) -> list[Frame]:
    return [Frame(index / Fraction(rate), BLANK) for index in range(count)]


class Frames:
    """Frames from memory, to stand for a file or a camera."""

    def __init__(self, pixels: list[np.ndarray], *, rate: int = 25, live: bool = False) -> None:
        self.name, self.rate, self.frames, self.live = "memory", Fraction(rate), len(pixels), live
        self.time_base, self.shortfall = 1 / self.rate, ""
        self.pixels = pixels
        self.taken = 0

    def __iter__(self) -> Iterator[Frame]:
        for index, pixels in enumerate(self.pixels):
            self.taken += 1
            yield Frame(index / self.rate, pixels)


@pytest.mark.parametrize(
    ("ir_rate", "vi_rate", "ir_count", "vi_count"),
    [
        (30, 30, 9, 9),
        (9, 30, 9, 30),
        (30, 9, 30, 9),
        (25, 30, 50, 20),
        (25, 30, 20, 50),
        (1, 30, 1, 99),
    ],
)  # fmt: skip
def test_each_visible_frame_meets_the_nearest(
    ir_rate: int, vi_rate: int, ir_count: int, vi_count: int
) -> None:
    ir, vi = stream(ir_rate, ir_count), stream(vi_rate, vi_count)
    pairs = list(pair_in_time(ir, vi, Fraction(ir_rate)))
    end = Fraction(ir_count, ir_rate)
    expected = [frame for frame in vi if frame.time < end]
    assert [b for _, b in pairs] == expected
    for infrared, visible in pairs:
        assert abs(infrared.time - visible.time) == min(abs(f.time - visible.time) for f in ir)


def test_uneven_times_and_ties() -> None:
    ir = [Frame(Fraction(t, 10), BLANK) for t in (0, 2, 3, 9)]
    vi = [Frame(Fraction(t, 10), BLANK) for t in (0, 1, 2, 6, 7, 9, 11)]
    pairs = pair_in_time(ir, vi, Fraction(4))
    times = [(int(a.time * 10), int(b.time * 10)) for a, b in pairs]
    assert times == [(0, 0), (0, 1), (2, 2), (3, 6), (9, 7), (9, 9), (9, 11)]


def test_a_video_equals_its_frames_fused_one_by_one(tmp_path: Path, weights: Path) -> None:
    ir, vi = colors(6), [255 - frame for frame in colors(6)]
    fuser = Fuser(weights, device="cpu")
    result = fuse_video(
        fuser, Frames(ir), Frames(vi), tmp_path / "o.mp4", steady=False, batch_size=4
    )
    assert result.frames == 6
    with VideoFile(str(tmp_path / "o.mp4")) as video:
        frames = [frame.pixels.astype(int) for frame in video]
    for frame, a, b in zip(frames, ir, vi, strict=True):
        assert np.abs(frame - np.asarray(fuser(a, b))).mean() < 6


def _street(frames: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    scenes = list(render_sequence(frames, 64, 80, seed=4))
    return [np.repeat(s.ir[:, :, None], 3, axis=2) for s in scenes], [s.vi for s in scenes]


def test_black_hot_is_told_and_turned_round(tmp_path: Path, weights: Path) -> None:
    ir, vi = _street(25)
    black = [255 - frame for frame in ir]
    results, streams = {}, {"white": (ir, False), "told": (black, False), "turned": (black, True)}
    for name, (frames, turn) in streams.items():
        fuser = Fuser(weights, ir_slot=IrSlot(black_hot=turn))
        results[name] = fuse_video(fuser, Frames(frames), Frames(vi), tmp_path / f"{name}.mp4")
    assert results["white"].note == results["turned"].note == ""
    assert results["told"].note == (
        "memory looks black-hot (what is hot is dark): --black-hot turns it round"
    )
    assert (tmp_path / "white.mp4").read_bytes() == (tmp_path / "turned.mp4").read_bytes()


def test_the_palette_of_a_video_is_that_of_its_first_frame(tmp_path: Path, weights: Path) -> None:
    ir, vi = _street(4)
    colored = [palette_colors("inferno")[frame[:, :, 0]] for frame in ir]
    colored[2] = palette_colors("jet")[ir[2][:, :, 0]]  # another would fit better
    told = fuse_video(Fuser(weights), Frames(colored), Frames(vi), tmp_path / "told.mp4")
    assert "in false color (palette inferno)" in told.note
    fuser = Fuser(weights, ir_slot=IrSlot(palette="auto"))
    turned = fuse_video(fuser, Frames(colored), Frames(vi), tmp_path / "turned.mp4")
    named = Fuser(weights, ir_slot=IrSlot(palette="inferno"))
    fuse_video(named, Frames(colored), Frames(vi), tmp_path / "named.mp4")
    assert turned.note == ""
    assert (tmp_path / "turned.mp4").read_bytes() == (tmp_path / "named.mp4").read_bytes()
    assert (tmp_path / "turned.mp4").read_bytes() != (tmp_path / "told.mp4").read_bytes()


def test_frames_are_not_read_far_ahead(tmp_path: Path, weights: Path) -> None:
    """However long the video, only so many frames are decoded before they are fused."""
    ir, vi = Frames(colors(60)), Frames(colors(60))
    lead: list[int] = []
    fuse_video(
        Fuser(weights, device="cpu"), ir, vi, tmp_path / "o.mp4",
        on_frame=lambda done: lead.append(max(ir.taken, vi.taken) - done),
    )  # fmt: skip
    assert len(lead) == 60
    assert max(lead) <= 8


def test_steadying_takes_flicker_out_and_leaves_motion_and_cuts() -> None:
    rng = np.random.default_rng(0)
    scene = rng.random((64, 96, 3)).astype(np.float32) * 0.5 + 0.2
    plain, steadied, steadier = FlickerMeter(), FlickerMeter(), Steadier()
    for index in range(20):
        frame = scene + np.float32(0.012 * (-1) ** index)
        plain.add((frame * 255).astype(np.uint8))
        last = steadier.steady(frame)
        steadied.add(last)
    assert steadied.result().still < 0.2 * plain.result().still
    assert np.abs(last - scene * 255).max() < 6
    cut = steadier.steady(scene[::-1] * np.float32(0.3))
    assert np.abs(cut - scene[::-1] * 0.3 * 255).max() <= 1
    moved = scene * np.float32(0.3)
    moved = moved[::-1].copy()
    moved[16:48, 32:64] = 0.9
    assert np.abs(steadier.steady(moved)[16:48, 32:64].astype(int) - 230).max() <= 1


def test_flicker_ignores_fades_and_small_movers() -> None:
    fade, mover, jump = FlickerMeter(), FlickerMeter(), FlickerMeter()
    for index in range(12):
        fade.add(np.full((64, 64), 3 * index, np.uint8))
        frame = np.full((64, 64, 3), 50, np.uint8)
        frame[:16, 5 * index : 5 * index + 5] = 255
        mover.add(frame)
        jump.add(np.full((64, 64), 50 + 2 * (index % 2), np.uint8))
    assert fade.result().still == fade.result().whole == 0
    assert mover.result().still == 0 < mover.result().whole
    assert jump.result().still == pytest.approx(4)


def test_different_sizes_and_kinds_leave_nothing(tmp_path: Path, weights: Path) -> None:
    fuser, out = Fuser(weights, device="cpu"), tmp_path / "o.mp4"
    small = [frame[:16] for frame in colors(3)]
    with pytest.raises(InputError, match="48x16 and memory is 48x32 pixels: register or resize"):
        fuse_video(fuser, Frames(small), Frames(colors(3)), out)
    with pytest.raises(InputError, match="two cameras or two files"):
        fuse_video(fuser, Frames(colors(3), live=True), Frames(colors(3)), out)
    with pytest.raises(InputError, match="share no frame"):
        fuse_video(fuser, Frames([]), Frames(colors(3)), out)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_drops_a_file_and_keeps_a_recording(tmp_path: Path, weights: Path) -> None:
    fuser, out = Fuser(weights, device="cpu"), tmp_path / "o.mp4"

    def stop(done: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fuse_video(fuser, Frames(colors(9)), Frames(colors(9)), out, on_frame=stop)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() < 10
    for name, count in (("ir", 40), ("vi", 40)):
        write_video(tmp_path / f"{name}.mp4", colors(count), rate=Fraction(25))
    with (
        VideoFile(str(tmp_path / "ir.mp4"), live=True) as ir,
        VideoFile(str(tmp_path / "vi.mp4"), live=True) as vi,
    ):
        fuse_video(fuser, ir, vi, out, on_frame=lambda done: stop(done + 2))
    with VideoFile(str(out)) as video:
        assert len(list(video)) == 2


def test_seconds_limit_a_video(tmp_path: Path, weights: Path) -> None:
    result = fuse_video(
        Fuser(weights, device="cpu"), Frames(colors(20)), Frames(colors(20)),
        tmp_path / "o.mp4", seconds=0.2, batch_size=2,
    )  # fmt: skip
    assert result.frames == 5


def test_failures_cross_threads() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise InputError("bad frame")

    ahead = Ahead(broken())
    with pytest.raises(InputError, match="bad frame"):
        list(ahead)
    ahead.close()

    def work(item: int) -> None:
        raise InputError(f"disk full at {item}")

    behind = Behind(work, depth=1)
    behind.put(0)
    with pytest.raises(InputError, match="disk full at 0"):
        behind.finish()
    with pytest.raises(InputError, match="disk full at 0"):
        behind.put(1)
    behind.close()


def test_a_camera_drops_old_frames_instead_of_waiting() -> None:
    ahead = Ahead(range(1000), depth=2, drop=True)
    time.sleep(0.2)
    late = list(ahead)
    ahead.close()
    assert late[-1] == 999
    assert len(late) <= 3


@pytest.mark.parametrize(
    ("ir_count", "vi_count", "seconds", "sentence"),
    [
        (9, 9, None, ""),
        (12, 9, None, ""),
        (7, 9, None, "memory ends before memory: 7 of 9 frames were fused"),
        (7, 9, 0.2, ""),
        (7, 9, 9.0, "7 of 9 frames"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_an_infrared_stream_that_ends_early_is_told(
    tmp_path: Path, weights: Path, ir_count: int, vi_count: int, seconds: float | None,
    sentence: str, batch_size: int,
) -> None:  # fmt: skip
    ir, vi = Frames(colors(ir_count)), Frames(colors(vi_count))
    result = fuse_video(
        Fuser(weights, device="cpu"), ir, vi, tmp_path / "o.mp4", seconds=seconds,
        batch_size=batch_size,
    )  # fmt: skip
    assert sentence in result.shortfall
    assert bool(sentence) is bool(result.shortfall)


def test_what_a_source_says_of_its_end_is_passed_on(tmp_path: Path, weights: Path) -> None:
    fuser = Fuser(weights, device="cpu")
    for ir_count, vi_count, expected in (
        (5, 4, "vi is cut"),
        (4, 5, "ir is cut"),
        (4, 4, "vi is cut"),
    ):
        ir, vi = Frames(colors(ir_count)), Frames(colors(vi_count))
        ir.shortfall, vi.shortfall = "ir is cut", "vi is cut"
        assert fuse_video(fuser, ir, vi, tmp_path / "o.mp4").shortfall == expected
