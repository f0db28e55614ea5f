"""Thermal video of 16 bits: its frames against stills, and how a hot object moves the background.

    python scripts/gray16_video.py ../shared/data/m3svd [--model tiny] [--frames 24]

The infrared videos of a folder (`ir/`, `vi/`) are written anew as FFV1 gray16, as a camera that
gives raw counts would (6000 + 8 x level), and fused as video and frame by frame as 16-bit stills.
Then a hot object grows into a scene that stands still. Prints both tables in Markdown; everything
else is temporary.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from mma_unet.data.images import luminance
from mma_unet.data.range_from import range_from
from mma_unet.data.ranges import IrRange
from mma_unet.data.video import Frame, VideoFile
from mma_unet.inference import Fuser
from mma_unet.inference.video import fuse_video

Array = npt.NDArray[Any]
HOT = 20_000
"""Counts of the object that enters, far above those of the scenes."""


class Frames:
    """Frames from memory."""

    live, shortfall = False, ""

    def __init__(self, name: str, pixels: Sequence[Array], rate: Fraction) -> None:
        self.name, self.pixels, self.rate = name, pixels, rate
        self.frames, self.time_base = len(pixels), 1 / rate

    def __iter__(self) -> Iterator[Frame]:
        for index, pixels in enumerate(self.pixels):
            yield Frame(index / self.rate, pixels)


def write_gray16(path: Path, frames: Sequence[Array], rate: Fraction) -> Path:
    """A lossless video of `(H, W)` counts."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = "gray16le"
        for counts in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(counts, format="gray16le")))
        container.mux(stream.encode(None))
    return path


def fused_video(
    fuser: Fuser, ir: Path | Frames, vi: Frames, out: Path, *, steady: bool = False
) -> list[Array]:
    """The frames of the fused video, read back."""
    source: Any = ir if isinstance(ir, Frames) else VideoFile(str(ir), deep=True)
    fuse_video(fuser, source, vi, out, steady=steady)
    with VideoFile(str(out)) as video:
        return [frame.pixels for frame in video]


def stills_table(name: str, counts: list[Array], vi: Frames, model: str, folder: Path) -> None:
    """Frames of the fused video against fused stills."""
    path = write_gray16(folder / "ir.mkv", counts, vi.rate)
    with VideoFile(str(path), deep=True) as video:
        kept = all(np.array_equal(f.pixels, c) for f, c in zip(video, counts, strict=True))
    fixed = range_from(f"0:{len(counts) - 1}", str(path))
    modes: list[tuple[str, IrRange]] = [("auto", "auto"), ("--range-from", fixed)]
    for mode, ir_range in modes:
        fuser = Fuser(model, ir_range=ir_range)
        stills: list[Array] = [
            np.asarray(fuser(*pair)) for pair in zip(counts, vi.pixels, strict=True)
        ]
        video_frames = fused_video(fuser, path, vi, folder / "fused.mkv")
        coded = fused_video_of(stills, vi, folder / "stills.mkv")
        apart = [np.abs(a.astype(int) - b) for a, b in zip(video_frames, stills, strict=True)]
        codec = [np.abs(a.astype(int) - b) for a, b in zip(coded, stills, strict=True)]
        print(
            f"| {name} | {mode} | {'yes' if kept else 'NO'} | {np.mean(apart):.2f} | "
            f"{np.quantile(apart, 0.99):.0f} | {np.mean(codec):.2f} | "
            f"{np.quantile(codec, 0.99):.0f} |"
        )


def fused_video_of(stills: Sequence[Array], vi: Frames, out: Path) -> list[Array]:
    """Fused stills through the same codec."""
    from mma_unet.data.video_writer import VideoWriter

    writer = VideoWriter(out, vi.rate, vi.time_base)
    for index, still in enumerate(stills):
        writer.write(index / vi.rate, still)
    writer.finish()
    with VideoFile(str(out)) as video:
        return [frame.pixels for frame in video]


def steps_table(name: str, counts: Array, visible: Array, model: str, folder: Path) -> None:
    """How much the background moves while a hot object grows into it."""
    height, width = counts.shape
    scenes = []
    for index in range(8):
        scene = counts.copy()
        size = 0 if index < 3 else height // 16 * min(index - 2, 4)
        scene[height // 2 : height // 2 + size, width // 2 : width // 2 + size] = HOT
        scenes.append(scene)
    away = np.ones((height, width), bool)
    away[height // 3 : -height // 8, width // 3 : -width // 8] = False
    rate = Fraction(25)
    vi = Frames("vi", [visible] * len(scenes), rate)
    path = write_gray16(folder / "still.mkv", scenes, rate)
    fixed = range_from("0:2", str(path))
    alone = Fuser(model)
    own = [np.asarray(alone(scene, visible)) for scene in scenes]
    rows = {"each frame by itself": own}
    rows["auto"] = fused_video(Fuser(model), path, vi, folder / "a.mkv")
    rows["--range-from 0:2"] = fused_video(Fuser(model, ir_range=fixed), path, vi, folder / "b.mkv")
    for mode, frames in rows.items():
        gray = [luminance(frame).astype(float)[away] for frame in frames]
        moves = [np.abs(b - a) for a, b in pairwise(gray)]
        mean, high = max(m.mean() for m in moves), max(np.quantile(m, 0.99) for m in moves)
        print(f"| {name} | {mode} | {mean:.2f} | {high:.1f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with ir/ and vi/")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--frames", type=int, default=24)
    arguments = parser.parse_args()
    clips: dict[str, tuple[list[Array], Frames]] = {}
    for path in sorted((arguments.folder / "ir").iterdir()):
        with VideoFile(str(path)) as ir, VideoFile(str(arguments.folder / "vi" / path.name)) as vi:
            pairs = list(islice(zip(ir, vi, strict=False), arguments.frames))
            counts = [
                (6000 + 8 * luminance(a.pixels).astype(np.int32)).astype(np.uint16)
                for a, _ in pairs
            ]
            clips[path.stem] = counts, Frames(path.stem, [b.pixels for _, b in pairs], vi.rate)
    with tempfile.TemporaryDirectory() as folder:
        print(
            "Fused video against fused stills, gray levels of 255; the codec's own error beside.\n"
        )
        print("| clip | range | counts kept | mean | 99 % | codec: mean | 99 % |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name, (counts, vi) in clips.items():
            stills_table(name, counts, vi, arguments.model, Path(folder))
        print(
            "\nA hot object enters a scene that stands still: largest move of the background from"
        )
        print("one frame to the next, gray levels of 255.\n")
        print("| scene | range | mean | 99 % |")
        print("| --- | --- | --- | --- |")
        for name, (counts, vi) in clips.items():
            steps_table(name, counts[0], vi.pixels[0], arguments.model, Path(folder))


if __name__ == "__main__":
    main()
