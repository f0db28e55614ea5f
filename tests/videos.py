"""Tiny videos for the tests, made with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mma_unet.data.video_writer import VideoWriter


def colors(count: int, size: tuple[int, int] = (32, 48)) -> list[np.ndarray]:
    """Color frames that change from one to the next, smooth enough for any codec."""
    rows = np.linspace(0, 1, size[0])[:, None, None]
    cols = np.linspace(0, 1, size[1])[None, :, None]
    base = np.array([90, 130, 60]) * rows + np.array([80, 20, 90]) * cols
    return [(base + 5 * index).astype(np.uint8) for index in range(count)]


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    rate: Fraction,
    sound: bool = False,
    late: bool = False,
) -> Path:
    """A video file; with `sound`, a tone beside it as AAC, which begins first if `late`."""
    target = path.with_name("silent.mp4") if sound else path
    writer = VideoWriter(target, rate, 1 / rate)
    for index, frame in enumerate(frames):
        writer.write(index / rate, frame)
    writer.finish()
    if sound:
        _add_tone(target, path, float(len(frames) / rate), delay=0.07 if late else 0.0)
        target.unlink()
    return path


def _add_tone(silent: Path, path: Path, seconds: float, delay: float) -> None:
    with av.open(str(silent)) as source, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(source.streams.video[0])
        audio = out.add_stream("aac", rate=44100)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                packet.pts += int(delay / packet.time_base)
                packet.dts += int(delay / packet.time_base)
                out.mux(packet)
        tone = np.sin(np.arange(int(seconds * 44100)) / 20).astype(np.float32)
        for start in range(0, len(tone) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Time and content of each packet of sound."""
    with av.open(str(path)) as file:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in file.demux(audio=0)
            if packet.pts is not None and packet.size
        ]
