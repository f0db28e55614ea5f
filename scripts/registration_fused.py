"""What alignment is worth in the fused picture: without it, with `estimate`, with the true one.

The pairs and motions are those of `scripts/registration_bench.py`, way `large`. The metrics compare
each fused picture with VI and with IR where it truly belongs.

    python scripts/registration_fused.py ../shared/data --count 12 --sheet /tmp/sheet.jpg

The sheets, one for each of the first pairs (VI, then the three), show pictures of the data set:
they are to look at, not to commit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from registration_bench import Motion

from mma_unet import Fuser, score
from mma_unet.data import find_pairs, read_image, write_image
from mma_unet.data.images import luminance
from mma_unet.registration import Rig, apply, estimate
from mma_unet.registration.geometry import corner_error
from mma_unet.registration.search import same_view
from mma_unet.tables import markdown, write_rows

METRICS = ("Qabf", "VIF", "SSIM", "MI")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of roadscene/")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--model", default="small")
    parser.add_argument("--sheet", type=Path, help="name of the pictures to look at")
    parser.add_argument("--shown", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/registration_fused.csv"))
    args = parser.parse_args()
    folder = args.data / "roadscene/test"
    pairs = find_pairs(folder / "ir", folder / "vi").pairs
    rng = np.random.default_rng([args.seed, 99])
    rows: list[dict[str, object]] = []
    strips = []
    for index in range(0, len(pairs), max(len(pairs) // args.count, 1))[: args.count]:
        motion = Motion.draw(rng, "large", index % 2 == 1)
        whole = luminance(read_image(pairs[index].ir)), read_image(pairs[index].vi)
        ir, vi, true = motion.make(*whole)
        found = estimate(ir, vi)
        ways = {"none": same_view(ir.shape, vi.shape[:2]), "estimate": found.matrix, "true": true}
        placed = apply(ir, true, vi.shape[:2])
        strip = [vi if vi.ndim == 3 else np.dstack([vi] * 3)]
        for way, matrix in ways.items():
            rig = Rig(matrix, ir.shape, vi.shape[:2], "homography", 0.0)
            fused = np.asarray(Fuser(args.model, align=rig, runtime="torch")(ir, vi))
            values = score(luminance(fused), placed, luminance(vi), METRICS)
            error = corner_error(matrix, true, vi.shape[:2])
            row = {"pair": index, "way": way, "error": error, "accepted": int(found.accepted)}
            rows.append({**row, **values})
            strip.append(fused if fused.ndim == 3 else np.dstack([fused] * 3))
        strips.append(np.hstack(strip))
        write_rows(args.out, rows, digits=4)
        if args.sheet is not None and len(strips) <= args.shown:
            write_image(args.sheet.with_stem(f"{args.sheet.stem}{len(strips)}"), strips[-1])
    table = []
    for way in ("none", "estimate", "true"):
        some = [row for row in rows if row["way"] == way and row["accepted"]]
        table.append([way, *(f"{np.mean([float(r[m]) for r in some]):.3f}" for m in METRICS)])
    print(markdown(["alignment", *METRICS], table))


if __name__ == "__main__":
    main()
