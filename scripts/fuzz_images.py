"""Read mutated image files of every format and organization; nothing but `InputError` may come.

    python scripts/fuzz_images.py --files 20000 --seed 0

Each file is a good one with bytes changed, numbers of the header set to extremes, parts cut out,
or two files spliced. A reader must return a picture or raise `InputError`, and may not take more
memory than four times the picture or 500 MB.
"""

from __future__ import annotations

import argparse
import collections
import io
import resource
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import tifffile

from mma_unet.data.images import read_photo, write_image
from mma_unet.data.metadata import Metadata
from mma_unet.errors import InputError

_MEGA = 10**6
_EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 30000, 0x7FFFFFFF, 0xFFFFFFFF)


def seeds(rng: np.random.Generator) -> dict[str, bytes]:
    """Good files, by a name that says what they are."""
    found: dict[str, bytes] = {}
    for dtype in ("uint8", "uint16"):
        most = np.iinfo(dtype).max
        gray = rng.integers(0, most, (31, 45), dtype=dtype)
        color = rng.integers(0, most, (31, 45, 3), dtype=dtype)
        alpha = np.dstack((color, gray))
        for suffix in (".png", ".jpg", ".bmp", ".webp", ".pgm", ".ppm", ".jp2", ".gif"):
            for name, array in (("gray", gray), ("color", color), ("alpha", alpha)):
                try:
                    done, code = cv2.imencode(suffix, array)
                except cv2.error:
                    continue
                if done:
                    found[f"{name}-{dtype}{suffix}"] = code.tobytes()
        for tile in (None, (16, 16)):
            for planar in ("contig", "separate"):
                for compression in (None, "zlib", "lzw", "packbits", "zstd"):
                    for big in (False, True):
                        file = io.BytesIO()
                        planes = color if planar == "contig" else np.moveaxis(color, 2, 0)
                        tifffile.imwrite(
                            file, planes, photometric="rgb", planarconfig=planar, tile=tile,
                            compression=compression, bigtiff=big,
                        )  # fmt: skip
                        found[f"{planar}-{tile}-{compression}-{big}-{dtype}.tif"] = file.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
        metadata = Metadata(exif=exif, icc=bytes(16) + b"RGB " + bytes(200), dpi=(300, 300))
        for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp"):
            path = Path(folder) / f"a{suffix}"
            write_image(path, np.zeros((31, 45, 3), np.uint8), metadata=metadata)
            found[f"metadata{suffix}"] = path.read_bytes()
    return found


def mutate(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes; half of them near the start, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not changed:
            break
        end = len(changed) if rng.random() < 0.5 else min(len(changed), 200)
        place, kind = int(rng.integers(end)), rng.integers(5)
        if kind == 0:
            changed[place] = int(rng.integers(256))
        elif kind == 1:
            size, order = int(rng.choice((1, 2, 4))), "little" if rng.random() < 0.5 else "big"
            value = int(rng.choice(_EXTREMES)) % 256**size
            changed[place : place + size] = value.to_bytes(size, order)
        elif kind == 2:
            del changed[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            changed = changed[:place]
        else:
            start = int(rng.integers(len(other)))
            changed[place:place] = other[start : start + int(rng.integers(1, 200))]
    return bytes(changed)


def main() -> int:
    """Run; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    good = seeds(rng)
    names = list(good)
    counts: collections.Counter[str] = collections.Counter()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(args.files):
            name = names[number % len(names)]
            path = Path(folder) / f"a{Path(name).suffix}"
            path.write_bytes(mutate(good[name], good[names[rng.integers(len(names))]], rng))
            picture = 0
            try:
                picture = read_photo(path, raw=number % 2 == 1).pixels.nbytes
                counts["a picture"] += 1
            except InputError as error:
                counts["refused"] += 1
                if str(path) not in str(error) or "\n" in str(error):
                    wrong.append(f"{number} {name}: {error}")
            except Exception as error:
                wrong.append(f"{number} {name}: {type(error).__name__}: {error}")
            before, peak = peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if (peak - before) * 1024 > max(4 * picture, 500 * _MEGA):
                wrong.append(f"{number} {name}: {(peak - before) / 1000:.0f} MB of memory")
    print(f"{args.files} files of {len(names)} kinds, seed {args.seed}: "
          + ", ".join(f"{count} {what}" for what, count in counts.most_common())
          + f"; peak memory of the process {peak / 1000:.0f} MB; {len(wrong)} wrong")  # fmt: skip
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
