"""Reading and writing videos: times, rotation, color, sound, and whole files only."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tests.videos import colors, sound_packets, write_video

from mma_unet.data import write_image
from mma_unet.data.video import ImageSequence, VideoFile, expand_pattern
from mma_unet.data.video_names import is_live, is_video
from mma_unet.data.video_writer import VideoWriter
from mma_unet.errors import InputError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", colors(12), rate=Fraction(30000, 1001))
    with VideoFile(str(path)) as video:
        assert (video.frames, video.rate, video.live) == (12, Fraction(30000, 1001), False)
        frames = list(video)
    times = [float(frame.time) for frame in frames]
    np.testing.assert_allclose(times, np.arange(12) * 1001 / 30000, atol=1e-3)
    for frame, expected in zip(frames, colors(12), strict=True):
        assert np.abs(frame.pixels.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"])
def test_every_format(suffix: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"a{suffix}", colors(5), rate=Fraction(25))
    with VideoFile(str(path)) as video:
        frames = [frame.pixels for frame in video]
    assert len(frames) == 5
    assert np.abs(frames[2].astype(int) - colors(5)[2]).mean() < 6


def test_odd_sizes_and_gray(tmp_path: Path) -> None:
    gray = [np.full((33, 47), level, np.uint8) for level in (10, 120, 250)]
    path = write_video(tmp_path / "a.mp4", gray, rate=Fraction(10))
    with VideoFile(str(path)) as video:
        frames = [frame.pixels for frame in video]
    assert frames[0].shape == (33, 47, 3)
    for frame, expected in zip(frames, gray, strict=True):
        assert np.abs(frame.astype(int) - expected[..., None]).max() <= 3


def test_hd_colors_survive(tmp_path: Path) -> None:
    """From 720 lines on the matrix is BT.709, on both ways."""
    red = np.zeros((720, 32, 3), np.uint8)
    red[..., 0] = 200
    path = write_video(tmp_path / "a.mp4", [red] * 2, rate=Fraction(10))
    with VideoFile(str(path)) as video:
        assert np.abs(next(iter(video)).pixels.astype(int) - red).max() <= 4


def test_rotation_is_obeyed(tmp_path: Path) -> None:
    """A tag of 90 degrees anticlockwise; OpenCV, which turns by it as well, is the judge."""
    import cv2

    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:8, :8] = 255
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.set_display_rotation(90)
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(upright, format="rgb24")))
        out.mux(stream.encode(None))
    with VideoFile(str(path)) as video:
        mine = next(iter(video)).pixels
    judge = cv2.VideoCapture(str(path)).read()[1]
    assert mine.shape == judge.shape == (48, 32, 3)
    assert np.abs(mine.astype(int) - judge).mean() < 3


@pytest.mark.parametrize("late", [False, True])
def test_sound_is_copied_packet_by_packet_and_cut(late: bool, tmp_path: Path) -> None:
    source = write_video(tmp_path / "s.mp4", colors(30), rate=Fraction(30), sound=True, late=late)
    path = tmp_path / "o.mp4"
    writer = VideoWriter(path, Fraction(30), Fraction(1, 30), sound=str(source))
    for index, pixels in enumerate(colors(15)):
        writer.write(Fraction(index, 30), pixels)
    writer.finish()
    before, after = sound_packets(source), sound_packets(path)
    with av.open(str(source)) as file:
        picture = file.streams.video[0]
        start = float(picture.start_time * picture.time_base)
    first = [data for _, data in before].index(after[0][1])
    assert 10 < len(after) < len(before) - first
    for (old, data), (new, copied) in zip(before[first:], after, strict=False):
        assert copied == data
        assert new == pytest.approx(old - start, abs=1e-3)
    assert bool(start) == late
    assert abs(after[0][0]) < 0.03  # seconds; a packet lasts 0.023
    assert late or first == 0
    assert abs(after[-1][0] - 0.5) < 0.03


def test_a_format_that_cannot_hold_the_sound(tmp_path: Path) -> None:
    source = write_video(tmp_path / "s.mp4", colors(3), rate=Fraction(30), sound=True)
    writer = VideoWriter(tmp_path / "o.webm", Fraction(30), Fraction(1, 30), sound=str(source))
    with pytest.raises(InputError, match=r"cannot hold the aac sound .*--no-audio"):
        writer.write(Fraction(0), colors(1)[0])
    writer.abort()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.mp4"]


def test_nothing_is_left_of_an_aborted_video(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", Fraction(30), Fraction(1, 30))
    writer.write(Fraction(0), colors(1)[0])
    writer.abort()
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="end its name in"):
        VideoWriter(tmp_path / "o.gif", Fraction(30), Fraction(1, 30))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "o.mp4", Fraction(30), Fraction(1, 30))


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", colors(20), rate=Fraction(30)).read_bytes()
    bad = {"empty": b"", "text": b"hello" * 99, "cut": whole[: len(whole) // 2]}
    for name, data in bad.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(data)
        with pytest.raises(InputError, match=f"{name}.mp4 is not a video") as caught:
            VideoFile(str(path))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="does not exist"):
        VideoFile(str(tmp_path / "none.mp4"))
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        silence.sample_rate = 44100
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match="holds no video"):
        VideoFile(str(tmp_path / "sound.m4a"))


def test_sequences_and_patterns(tmp_path: Path) -> None:
    for index in (1, 2, 10):
        write_image(tmp_path / f"f{index}.png", np.full((8, 8), index, np.uint8))
    write_image(tmp_path / "other.png", np.zeros((8, 8), np.uint8))
    for pattern in ("f%d.png", "f*.png"):
        files = expand_pattern(str(tmp_path / pattern))
        assert [file.name for file in files] == ["f1.png", "f2.png", "f10.png"]
    assert [f.name for f in expand_pattern(str(tmp_path / "f%02d.png"))] == ["f10.png"]
    frames = list(ImageSequence(files, Fraction(4)))
    assert [float(frame.time) for frame in frames] == [0, 0.25, 0.5]
    assert frames[2].pixels.shape == (8, 8, 3)
    assert frames[2].pixels[0, 0, 0] == 10
    with pytest.raises(InputError, match="no image matches"):
        expand_pattern(str(tmp_path / "g%d.png"))


def test_what_counts_as_video() -> None:
    assert is_video("a.MP4")
    assert is_video("https://host/a")
    assert not is_video("a.png")
    assert is_live("/dev/video0")
    assert not is_live("https://host/a.mp4")


def remux(source: Path, target: Path, **options: str) -> Path:
    """The picture of a video in another container."""
    with av.open(str(source)) as file, av.open(str(target), "w", options=options) as out:
        stream = out.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return target


@pytest.mark.parametrize("kind", ["fast.mp4", "a.mkv", "a.avi", "a.webm", "sound.mkv", "frag.mp4"])
def test_a_file_cut_in_half_says_how_many_frames_are_left(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(40)]
    path = tmp_path / kind
    if kind.endswith(".mp4"):
        flags = "faststart" if kind == "fast.mp4" else "frag_keyframe+empty_moov"
        whole = write_video(tmp_path / "whole.mp4", frames, rate=Fraction(25))
        remux(whole, path, movflags=flags)
    else:
        write_video(path, frames, rate=Fraction(25), sound=kind.startswith("sound"))
    with VideoFile(str(path)) as video:
        assert len(list(video)) == 40
        assert video.shortfall == ""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoFile(str(path)) as video:
        count = len(list(video))
        assert 0 < count < 30
        assert f"{kind} ends early: {count} of " in video.shortfall
        assert "frames could be read" in video.shortfall
        if kind != "frag.mp4":  # whose length is that of the fragments which are there
            assert "40 frames" in video.shortfall


def test_a_trimmed_video_is_whole(tmp_path: Path) -> None:
    """An edit list leaves frames out that the file still counts."""
    whole = write_video(tmp_path / "whole.mp4", colors(40), rate=Fraction(25))
    with av.open(str(whole)) as file, av.open(str(tmp_path / "t.mp4"), "w") as out:
        stream = out.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                packet.pts -= 5 * packet.duration
                packet.dts -= 5 * packet.duration
                out.mux(packet)
    with VideoFile(str(tmp_path / "t.mp4")) as video:
        count = len(list(video))
        assert video.shortfall == ""
        assert count < video.frames
