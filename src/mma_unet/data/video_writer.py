"""Writing a video file as a whole or not at all, with the sound of another file copied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from mma_unet.data.video import default_colorspace, openable
from mma_unet.data.video_names import VIDEO_FORMATS
from mma_unet.errors import InputError
from mma_unet.parts import Part

__all__ = ["VideoWriter"]

_OPTIONS = {
    # B-frames are coded coarser than their neighbors, which flickers (docs/video.md).
    "libx264": {"crf": "18", "preset": "fast", "bf": "0"},
    "libvpx-vp9": {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"},
    "mpeg4": {"qscale": "3"},
}
_MPEG_RANGE = 1


class VideoWriter:
    """Write frames to a hidden `.part` file, which gets its name in `finish`.

    Args:
        target: Where the video goes; the extension decides format and codec (`VIDEO_FORMATS`).
        rate: Nominal frames per second.
        time_base: Unit in which frame times are stored.
        sound: File whose first audio stream is copied as it is, packet by packet.

    Raises:
        InputError: If the extension is unknown, the place cannot be written, or the format cannot
            hold the sound.
    """

    def __init__(
        self, target: Path, rate: Fraction, time_base: Fraction, *, sound: str | None = None
    ) -> None:
        if target.suffix.lower() not in VIDEO_FORMATS:
            raise InputError(f"{target}: end its name in {' '.join(VIDEO_FORMATS)}")
        container, self._codec = VIDEO_FORMATS[target.suffix.lower()]
        self.target, self.rate, self.time_base = target, rate, time_base
        self.frames = 0
        self._sound = _Sound(sound) if sound is not None else None
        try:
            self._part = Part(target)
        except OSError as error:
            raise self._cannot(error) from error
        try:
            self._out: OutputContainer = av.open(str(self._part.path), "w", format=container)
        except (FFmpegError, OSError) as error:
            self._part.drop()
            raise self._cannot(error) from error
        self._stream: VideoStream | None = None
        self._end = Fraction(0)

    def write(self, time: Fraction, pixels: npt.NDArray[np.uint8]) -> None:
        """Append one frame.

        Args:
            time: Seconds since the first frame; must grow.
            pixels: `(H, W)` or `(H, W, 3)` RGB, of one size throughout.
        """
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[:, :, None], 3, axis=2)
        try:
            if self._stream is None:
                self._stream = self._start(*pixels.shape[:2])
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format=self._stream.codec_context.pix_fmt,
                dst_colorspace=int(default_colorspace(pixels.shape[0])),
                dst_color_range=_MPEG_RANGE,
            )
            picture.pts = round(time / self.time_base)
            picture.time_base = self.time_base
            self._end = time + 1 / self.rate
            if self._sound is not None:
                self._sound.copy(self._out, time)
            self._out.mux(self._stream.encode(picture))
            self.frames += 1
        except (FFmpegError, OSError) as error:
            raise self._cannot(error) from error

    def finish(self) -> None:
        """Complete the file and give it its name; with no frame written, leave nothing."""
        try:
            if self._stream is None:
                self.abort()
                return
            if self._sound is not None:
                self._sound.copy(self._out, self._end)
                self._sound.close()
            self._out.mux(self._stream.encode(None))
            self._out.close()
            self._part.finish()
        except (FFmpegError, OSError) as error:
            raise self._cannot(error) from error

    def abort(self) -> None:
        """Drop what was written."""
        if self._sound is not None:
            self._sound.close()
        with contextlib.suppress(FFmpegError, OSError, ValueError):  # the file is thrown away
            self._out.close()
        self._part.drop()

    def _start(self, height: int, width: int) -> VideoStream:
        stream: Any = self._out.add_stream(
            self._codec, rate=self.rate, options=_OPTIONS[self._codec]
        )
        context: Any = stream.codec_context
        stream.width, stream.height = width, height
        # 4:2:0 wants even sizes; an odd one is kept by leaving the chroma whole.
        stream.pix_fmt = "yuv420p" if height % 2 == width % 2 == 0 else "yuv444p"
        if self._codec == "mpeg4":
            stream.pix_fmt = "yuv420p"
        context.time_base = self.time_base
        space = default_colorspace(height)
        context.colorspace = 1 if space == Colorspace.ITU709 else 6
        context.color_range = _MPEG_RANGE
        if self._sound is not None:
            self._sound.join(self._out, self.target)
        video: VideoStream = stream
        return video

    def _cannot(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error)
        return InputError(f"{self.target} cannot be written ({reason}): choose another -o")


class _Sound:
    """The first audio stream of a file, copied in step with the picture."""

    def __init__(self, source: str) -> None:
        try:
            self._file: InputContainer = av.open(openable(source))
        except (FFmpegError, OSError) as error:
            raise InputError(
                f"{source}: its sound cannot be read; leave it out with --no-audio"
            ) from error
        self._stream: AudioStream | None = next(iter(self._file.streams.audio), None)
        picture = next(iter(self._file.streams.video), None)
        self._start = Fraction(0)
        if picture is not None and picture.start_time is not None:
            self._start = picture.start_time * Fraction(picture.time_base or 1)
        self._packets: Iterator[Any] = iter(())
        self._waiting: Any = None
        self._copy: Any = None

    def join(self, out: OutputContainer, target: Path) -> None:
        """Announce the sound in the output, before its first packet."""
        if self._stream is None:
            return
        codec = self._stream.codec_context.name
        if codec not in out.supported_codecs:
            raise InputError(
                f"{target}: {target.suffix} cannot hold the {codec} sound of the visible video: "
                "write .mkv, or leave the sound out with --no-audio"
            )
        self._copy = out.add_stream_from_template(self._stream)
        self._packets = iter(self._file.demux(self._stream))
        self._waiting = self._next()

    def copy(self, out: OutputContainer, until: Fraction) -> None:
        """Copy the packets that begin before `until` seconds after the first frame."""
        while self._waiting is not None:
            packet = self._waiting
            if packet.pts is not None and packet.dts is not None:
                base = Fraction(packet.time_base)
                if packet.pts * base - self._start >= until:
                    return
                shift = round(self._start / base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if packet.pts >= 0 or shift == 0:  # priming stands before the start
                    packet.stream = self._copy
                    out.mux(packet)
            self._waiting = self._next()

    def _next(self) -> Any:
        """The next packet; None at the end, also where a damaged file ends."""
        try:
            return next(self._packets, None)
        except FFmpegError:
            return None

    def close(self) -> None:
        """Release the file."""
        self._file.close()
