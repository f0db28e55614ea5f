"""What names a video: told without FFmpeg, which is slow to load.

See Also:
    `mma_unet.data.video`: reading them. `mma_unet.data.video_writer`: writing them.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["VIDEO_FORMATS", "VIDEO_SUFFIXES", "is_live", "is_video", "is_web"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv")
"""File name endings, in lower case, that count as videos."""

VIDEO_FORMATS = {
    ".mp4": ("mp4", "libx264"),
    ".m4v": ("mp4", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
    ".avi": ("avi", "mpeg4"),
}
"""What is written for an extension: container and codec."""

_LIVE = re.compile(r"^(rtsps?|rtmps?|udp|tcp|rtp|srt)://|^/dev/", re.IGNORECASE)


def is_live(source: str) -> bool:
    """Whether a source is a camera: a device such as `/dev/video0` or an `rtsp://` stream.

    Example:
        >>> is_live("rtsp://10.0.0.2/ir"), is_live("/dev/video0"), is_live("a.mp4")
        (True, True, False)
    """
    return _LIVE.match(source) is not None


def is_web(source: str) -> bool:
    """Whether a source is an `http://` or `https://` address, which FFmpeg reads by itself."""
    return re.match(r"https?://", source, re.IGNORECASE) is not None


def is_video(source: str) -> bool:
    """Whether a source is a camera or named like a video file.

    Of a path and of an fsspec URL the ending decides. An address of the web without the ending of
    an image is a stream, unless it ends in `/` as a folder does.

    Example:
        >>> is_video("s3://bucket/ir"), is_video("s3://bucket/ir.mp4"), is_video("http://host/cam")
        (False, True, True)
    """
    from mma_unet.data.images import IMAGE_SUFFIXES

    if is_live(source):
        return True
    path = urlsplit(source).path if is_web(source) else source
    suffix = Path(path).suffix.lower()
    stream = is_web(source) and not path.endswith("/") and suffix not in IMAGE_SUFFIXES
    return stream or suffix in VIDEO_SUFFIXES
