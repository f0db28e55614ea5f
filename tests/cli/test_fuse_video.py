"""`mma-unet fuse` with videos, as a user runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from mma_unet.cli.fuse_video import VideoOptions, fuse_to_video
from mma_unet.data import write_image
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from tests.cli.test_fuse import one_line, run
from tests.conftest import make_pairs
from tests.videos import colors, sound_packets, write_video

OPTIONS = VideoOptions(
    Fraction(25), audio=True, steady=True, seconds=None, batch_size=1, overwrite=True
)


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [frame.time for frame in file.decode(video=0)]


def test_two_videos_of_other_rate_and_length_with_sound(tmp_path: Path, weights: Path) -> None:
    ir = write_video(tmp_path / "ir.mkv", colors(8), rate=Fraction(8))
    vi = write_video(tmp_path / "vi.mp4", colors(24), rate=Fraction(20), sound=True)
    out = tmp_path / "out" / "fused.mp4"
    args = ("fuse", ir, vi, "-o", out, "--model", weights)
    result = run(*args)
    assert result.returncode == 1, result.stderr
    assert "ir.mkv ends before" in result.stderr
    assert "20 of 24 frames were fused" in result.stderr
    assert "Fused 20 frames" in result.stdout
    assert "fps" in result.stdout
    assert "Flicker" in result.stdout
    np.testing.assert_allclose(frame_times(out), np.arange(20) / 20, atol=1e-3)
    assert 35 < len(sound_packets(out)) < 50
    assert [p.name for p in out.parent.iterdir()] == ["fused.mp4"]
    assert "done before" in run(*args).stdout
    silent = run(*args, "--overwrite", "--no-audio", "--gray", "--no-steady")
    assert silent.returncode == 1, silent.stderr
    with av.open(str(out)) as file:
        assert not file.streams.audio


def test_folders_and_patterns_make_a_video(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, [f"f{index}" for index in range(11)])
    out = tmp_path / "o.mkv"
    result = run("fuse", ir, vi, "-o", out, "--model", weights, "--fps", 12.5)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(frame_times(out), np.arange(11) / 12.5, atol=2e-3)
    result = run("fuse", ir / "f%d.png", vi / "f*.png", "-o", tmp_path / "p.mp4", "-m", weights)
    assert "Fused 11 frames" in result.stdout, result.stderr


def test_a_folder_for_the_output(tmp_path: Path, weights: Path) -> None:
    ir = write_video(tmp_path / "a.mp4", colors(3), rate=Fraction(8))
    vi = write_video(tmp_path / "b.mp4", colors(3), rate=Fraction(8))
    (tmp_path / "o").mkdir()
    assert run("fuse", ir, vi, "-o", tmp_path / "o", "-m", weights).returncode == 0
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["b.mp4"]


def test_bad_input_is_one_line(tmp_path: Path, weights: Path) -> None:
    make_fuser = partial(Fuser, weights, device="cpu")
    ir = write_video(tmp_path / "ir.mp4", colors(3), rate=Fraction(8))
    small = write_video(tmp_path / "s.mp4", colors(3, (32, 32)), rate=Fraction(8))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(ir.read_bytes()[:300])
    write_image(tmp_path / "images" / "a.png", colors(1)[0])
    out = tmp_path / "o" / "x.mp4"
    for vi, message in (
        (small, "register or resize"),
        (broken, "broken.mp4 is not a video"),
        (tmp_path / "none.mp4", "does not exist"),
        (tmp_path / "images", "not one of each"),
        ("rtsp://127.0.0.1:1/x", "rtsp://127.0.0.1:1/x is not a video that can be read"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            fuse_to_video(str(ir), str(vi), out, make_fuser, OPTIONS, progress=False)
        assert "\n" not in str(caught.value)
        assert not out.parent.exists() or not list(out.parent.iterdir())
    for target, message in ((tmp_path / "x.gif", "end its name in"), (ir, "source video")):
        with pytest.raises(InputError, match=message):
            fuse_to_video(str(ir), str(ir), target, make_fuser, OPTIONS, progress=False)
    result = run("fuse", ir, small, "-o", out, "-m", weights)
    assert result.returncode == 2, (result.stdout, result.stderr)
    assert "register or resize" in one_line(result)


def test_ctrl_c_leaves_nothing(tmp_path: Path, weights: Path) -> None:
    frames = colors(30, (240, 320))
    ir = write_video(tmp_path / "ir.mp4", frames * 10, rate=Fraction(30))
    out = tmp_path / "o" / "x.mp4"
    command = [sys.executable, "-m", "mma_unet.cli.main", "fuse", ir, ir, "-o", out, "-m", weights]
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (out.parent.is_dir() and any(out.parent.iterdir())):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert not list(out.parent.iterdir())


def test_a_video_cut_in_half_is_fused_as_far_as_it_goes(tmp_path: Path, weights: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(30)]
    ir = write_video(tmp_path / "ir.mkv", frames, rate=Fraction(25))
    vi = write_video(tmp_path / "vi.mkv", frames, rate=Fraction(25), sound=True)
    vi.write_bytes(vi.read_bytes()[: vi.stat().st_size // 2])
    out = tmp_path / "o" / "x.mkv"
    result = run("fuse", ir, vi, "-o", out, "-m", weights)
    assert result.returncode == 1, (result.stdout, result.stderr)
    count = len(frame_times(out))
    assert f"vi.mkv ends early: {count} of about 30 frames could be read" in result.stderr
    assert [path.name for path in out.parent.iterdir()] == ["x.mkv"]
