"""Reading frames from video files, image sequences and cameras, and writing video files.

Frames are `(H, W, 3)` RGB `uint8` with the time since the first one. Deeper samples are read as
8-bit; a `deep` source, as infrared ones are, keeps them. A rotation tag is obeyed, as players,
FFmpeg and OpenCV do: the frames are those one sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Protocol

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from mma_unet.data.images import IMAGE_SUFFIXES, read_image
from mma_unet.data.infrared import read_raw
from mma_unet.data.pairs import natural_key
from mma_unet.data.storage import is_remote, locate
from mma_unet.data.video_names import is_live, is_web
from mma_unet.errors import InputError

__all__ = [
    "Frame",
    "FrameSource",
    "ImageSequence",
    "VideoFile",
    "default_colorspace",
    "expand_pattern",
    "openable",
]

_DEVICE = re.compile(r"^/dev/")
_TIMEOUT_S = 15.0
_HD_HEIGHT = 720


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes:
        time: Seconds since the first frame; for a camera the machine's clock at its arrival, so
            that two cameras share one.
        pixels: `(H, W, 3)` RGB `uint8`; of a deep source also `(H, W)`, and of any sample type.
        nodata: The sample that means "no data", if a file names one.
    """

    time: Fraction
    pixels: npt.NDArray[Any]
    nodata: float | None = None


class FrameSource(Protocol):
    """What frames come from.

    Attributes:
        name: What to call it in an error.
        rate: Frames per second, nominally.
        frames: How many frames there are; 0 if that is not known.
        time_base: Unit of time in which frame times are exact.
        live: Whether frames are lost unless they are taken in time.
        shortfall: One sentence if the frames, now that they were read to their end, are fewer than
            there should be; else empty.
    """

    name: str
    rate: Fraction
    frames: int
    time_base: Fraction
    live: bool
    shortfall: str

    def __iter__(self) -> Iterator[Frame]:
        """The frames, once, in the order of time."""


def expand_pattern(pattern: str) -> list[Path]:
    """Files of a pattern in natural order: `frames/%04d.png` or `frames/*.png`.

    Raises:
        InputError: If no image matches.
    """
    path = Path(pattern)
    printf = re.fullmatch(r"(.*)%0?(\d*)d(.*)", path.name)
    if printf is not None:
        digits = rf"\d{{{int(printf[2])},}}" if printf[2] else r"\d+"
        wanted = re.compile(re.escape(printf[1]) + digits + re.escape(printf[3]))
        found = [f for f in path.parent.glob("*") if wanted.fullmatch(f.name)]
    else:
        found = list(path.parent.glob(path.name))
    files = [f for f in found if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
    if not files:
        raise InputError(f"{pattern}: no image matches: check the pattern")
    return sorted(files, key=lambda f: natural_key(f.name))


def default_colorspace(height: int) -> Colorspace:
    """The YUV matrix of a video that names none: BT.709 from 720 lines on, else BT.601."""
    return Colorspace.ITU709 if height >= _HD_HEIGHT else Colorspace.ITU601


class ImageSequence:
    """Image files as frames at a constant rate.

    Args:
        files: In the order to show.
        rate: Frames per second.
        deep: Keep samples of more than 8 bits, and floats.
    """

    live = False
    shortfall = ""

    def __init__(self, files: Sequence[Path], rate: Fraction, *, deep: bool = False) -> None:
        self.files, self.rate, self.deep = files, rate, deep
        self.name = f"{files[0].parent}"
        self.frames = len(files)
        self.time_base = 1 / rate

    def __iter__(self) -> Iterator[Frame]:
        """The images in turn; an `InputError` names one that cannot be read."""
        size: tuple[int, ...] | None = None
        for index, file in enumerate(self.files):
            image, nodata = read_raw(file) if self.deep else (read_image(file), None)
            if image.dtype == np.uint16 and not self.deep:
                image = (image >> 8).astype(np.uint8)
            elif image.dtype != np.uint8 and not self.deep:
                raise InputError(f"{file} holds float samples: convert it to 8-bit for a video")
            if image.ndim == 2 and image.dtype == np.uint8:
                image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            if size not in (None, image.shape[:2]):
                raise InputError(f"{file} has another size than the frames before it")
            size = image.shape[:2]
            yield Frame(index / self.rate, image, nodata)


class VideoFile:
    """A video file, a URL or a camera, opened for reading; a context manager.

    Args:
        source: Path, URL or device.
        live: Whether it is a camera; judged by its name by default.
        deep: Keep samples of more than 8 bits: gray ones as `(H, W)`, all as `uint16`.

    Raises:
        InputError: If it cannot be opened or holds no video.
    """

    def __init__(self, source: str, *, live: bool | None = None, deep: bool = False) -> None:
        self.name, self.deep = source, deep
        self.live = is_live(source) if live is None else live
        self._container = _open(source, self.live)
        if not self._container.streams.video:
            self._container.close()
            raise InputError(f"{source} holds no video: give a video file")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or Fraction(25))
        self.frames = 0 if self.live else self._stream.frames
        self.shortfall = ""
        self.time_base = Fraction(self._stream.time_base or Fraction(1, 90_000))

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file or the camera."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """The frames in turn, to where a damaged file breaks off; `shortfall` says that it does."""
        count, end, broken = 0, Fraction(0), False
        size: tuple[int, ...] | None = None
        start: Fraction | int | None = None
        time = Fraction(-1)
        frames = self._container.decode(self._stream)
        while True:
            try:
                frame = next(frames, None)
            except FFmpegError:
                broken, frame = True, None
            if frame is None:
                break
            pixels = _pixels(frame, self.deep)
            if size not in (None, pixels.shape):
                raise InputError(f"{self.name} changes its size at frame {count}: split it there")
            if self.live:
                stamp = Fraction(int(monotonic() * 1e6), 10**6)
            elif frame.pts is None:
                stamp = count / self.rate
            else:
                stamp = frame.pts * self.time_base
            start = (0 if self.live else stamp) if start is None else start
            count, size = count + 1, pixels.shape
            if stamp - start > time:  # a stamp that does not go on is a broken one
                time = stamp - start
                end = time + max(1 / self.rate, (frame.duration or 0) * self.time_base)
                yield Frame(time, pixels)
        if count == 0:
            raise InputError(f"{self.name} holds no frame: give another video")
        if broken or (not self.live and self._lacks(count, end)):
            self.shortfall = self._missing(count)

    def _lacks(self, count: int, end: Fraction) -> bool:
        """Whether `count` frames up to `end` are fewer than the file says that it has."""
        if self.frames and count >= self.frames:
            return False
        length = _length(self._container, self._stream)
        if length is None:
            return bool(self.frames)
        return end + 2 / self.rate + length / 50 < length  # a cut of the start shows as well

    def _missing(self, count: int) -> str:
        length = _length(self._container, self._stream)
        about = self.frames or (f"about {round(length * self.rate)}" if length else "more")
        return (
            f"{self.name} ends early: {count} of {about} frames could be read, the rest is missing "
            "or damaged; copy it again, and fuse it again with --overwrite"
        )


def _length(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds of a video stream as its file states them; None if it does not.

    MPEG-TS states nothing: FFmpeg takes the time of the last frame that is there.
    """
    base = Fraction(stream.time_base or 1)
    if stream.duration is not None:
        return stream.duration * base
    stated = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if stated is not None:
        hours, minutes, seconds = stated.groups()
        whole = 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
        return whole - (stream.start_time or 0) * base
    if container.duration is not None and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def openable(source: str) -> Any:
    """What FFmpeg opens of a source: its name, or for an fsspec URL the opened file.

    Raises:
        InputError: The file is missing or its store cannot be reached.
    """
    if is_web(source) or (is_live(source) and not _DEVICE.match(source)):
        return source
    place = locate(source)
    if not place.exists():
        raise InputError(f"{source} does not exist: check the path.")
    return place.open("rb") if is_remote(place) else str(place)


def _open(source: str, live: bool) -> InputContainer:
    options: dict[str, Any] = {"timeout": _TIMEOUT_S} if live else {}
    if _DEVICE.match(source):
        options["format"] = "v4l2"
    file = openable(source)
    try:
        container: InputContainer = av.open(file, **options)
    except (FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{source} is not a video that can be read ({reason})") from error
    return container


def _pixels(frame: av.VideoFrame, deep: bool) -> npt.NDArray[Any]:
    """RGB as it is shown: with the matrix of the stream, and turned by its rotation tag."""
    form, kind = frame.format, "rgb24"
    if deep and max(component.bits for component in form.components) > 8:
        kind = "gray16le" if len(form.components) == 1 else "rgb48le"
    named = {int(space) for space in Colorspace}
    space = frame.colorspace if frame.colorspace in named else default_colorspace(frame.height)
    pixels = frame.to_ndarray(format=kind, src_colorspace=int(space))
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns))
