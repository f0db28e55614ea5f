"""The suite `natural`, VIF and Qabf of methods on the test sets, day and night apart.

    python scripts/natural_table.py --data ../shared/data --peers ../shared/peers small tiny \
        small-metric maximum pyramid cddfuse seafusion --out results/natural.csv

A method is shipped weights, a weights file, a baseline, or a folder `PEERS/NAME_test/METHOD`.
Images are scored in gray, as 8 bits. A rerun scores only what is not yet in the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track

from mma_unet.benchmark.triples import BASELINES
from mma_unet.data import open_split
from mma_unet.data.images import luminance, read_eight_bit
from mma_unet.data.infrared import read_infrared_eight_bit
from mma_unet.inference import Fuser
from mma_unet.metrics import SUITES, score
from mma_unet.tables import read_rows, write_rows

HERE = Path(__file__).parents[1]
SETS = {"roadscene": "roadscene/test", "msrs": "msrs/test", "tno": "tno/test"}
METRICS = ("VIF", "Qabf", *SUITES["natural"])
ALIASES = {("msrs", "cddfuse"): "cddfuse3p"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "natural.csv")
    args = parser.parse_args()
    rows: list[dict[str, object]] = [*read_rows(args.out)] if args.out.is_file() else []
    done = {(row["set"], row["method"]) for row in rows}
    for name, split in SETS.items():
        pairs = open_split(split, args.data).pairs
        for method in args.methods:
            if (name, method) in done:
                continue
            folder = args.peers / f"{name}_test" / ALIASES.get((name, method), method)
            fuser = None
            if not folder.is_dir() and method not in BASELINES:
                fuser = Fuser(method, gray=True, runtime="torch", precision="fp32")
            table: dict[str, list[list[float]]] = {}
            for pair in track(pairs, f"{name} {method}"):
                ir, vi = read_infrared_eight_bit(pair.ir), read_eight_bit(pair.vi)
                if folder.is_dir():
                    found = sorted(folder.glob(f"{pair.name}.*"))
                    if not found:
                        continue
                    fused = read_eight_bit(found[0])
                elif fuser is not None:
                    fused = fuser(ir, vi)
                else:
                    fused = BASELINES[method](luminance(ir), luminance(vi))
                kinds = {"D": "day", "N": "night"} if name == "msrs" else {}
                values = [*score(np.asarray(fused), ir, vi, suite=METRICS).values()]
                for kind in {"all", kinds.get(pair.name[-1], "all")}:
                    table.setdefault(kind, []).append(values)
            for kind, values in sorted(table.items()):
                means = [round(float(x), 4) for x in np.nanmean(np.array(values), axis=0)]
                about = {"set": name, "kind": kind, "method": method, "pairs": len(values)}
                rows.append({**about, **dict(zip(METRICS, means, strict=True))})
            write_rows(args.out, rows)


if __name__ == "__main__":
    main()
