"""Measure everything that docs/speed.md shows and write it there.

    python scripts/speed_tables.py [--data ../shared/data] [--work bench] [--only speed scaling ...]

Run it on an otherwise idle machine. It calls `mma-unet` for each part, which goes on where it was
stopped; results/speed.csv gets the figures.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

from mma_unet.inference.runtimes.exported import read_exported
from mma_unet.tables import markdown, read_rows

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "speed.md"
METRICS = ("VIF", "SSIM", "PSNR", "Qabf", "Qcb")
PARTS = ("speed", "rivals", "quality", "scaling")

# Wall seconds per 480x640 pair, two cores, PyTorch's defaults; measured before this project.
RIVALS = {
    "LUT-Fuse": 0.18, "Ultra-4.5K": 0.22, "SDNet": 0.36, "DATFuse": 0.51, "SAGE": 0.92,
    "IFCNN": 0.98, "DenseFuse": 1.08, "TarDAL": 1.85, "SeAFusion": 2.04, "DIDFuse": 3.2,
    "U2Fusion": 4.1, "IGNet": 4.2, "SHIP": 4.8, "MFEIF": 6.2, "MMA-UNet (authors)": 9.2,
    "LRRNet": 13.6, "CDDFuse": 43.0,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=ROOT / "bench")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    chosen = parser.parse_args()
    for part in chosen.only:
        text = globals()[f"part_{part}"](chosen.data, chosen.work)
        page = PAGE.read_text(encoding="utf-8")
        pattern = rf"(<!-- {part} -->\n).*?(\n<!-- /{part} -->)"
        page = re.sub(pattern, lambda m, t=text: m[1] + t.strip() + m[2], page, flags=re.DOTALL)
        PAGE.write_text(page, encoding="utf-8")
        print(f"{part}: written to {PAGE}")


def mma_unet(*arguments: object) -> None:
    command = [sys.executable, "-m", "mma_unet.cli.main", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def part_speed(_: Path, work: Path) -> str:
    mma_unet("bench", "-o", work)
    shutil.copy(work / "speed.csv", ROOT / "results" / "speed.csv")
    table = (work / "speed.md").read_text(encoding="utf-8")
    mma_unet("bench", "-o", work / "plain", "--no-allocator", "--runtime", "torch",
             "--precision", "fp32", "--size", "640x480")  # fmt: skip
    kept = {key: row for key, row in rows(work).items() if row["runtime"] == "torch"}
    lines = ["", "The same with glibc left alone (`--no-allocator`), torch fp32, 640x480:", ""]
    body = []
    for key, row in rows(work / "plain").items():
        before, after = (1000 * float(r["latency_s"]) for r in (row, kept[key]))
        body.append([row["preset"], f"{before:.1f}", f"{after:.1f}"])
    lines.append(markdown(["model", "ms, system default", "ms, large blocks kept"], body))
    return table + "\n".join(lines)


def rows(folder: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """The measured figures for 640x480 on the CPU by model, runtime and precision."""
    return {
        (row["preset"], row["runtime"], row["precision"]): row
        for row in read_rows(folder / "speed.csv")
        if (row["height"], row["width"], row["device"]) == ("480", "640", "cpu")
    }


def part_rivals(_: Path, work: Path) -> str:
    ours = {}
    for model in ("tiny", "small", "paper"):
        mine = [row for key, row in rows(work).items() if key[0] == model]
        full = [row for row in mine if row["precision"] == "fp32"]
        for label, group in (("fastest", mine), ("fp32", full)):
            best = min(group, key=lambda row: float(row["latency_s"]))
            name = f"**{model}**, {label}: {best['runtime']} {best['precision']}"
            ours[name] = float(best["latency_s"])
    times = {**RIVALS, **ours}
    unit = min(ours.values())
    body = [
        [name, f"{seconds:.3f}", f"{seconds / unit:.1f}"]
        for name, seconds in sorted(times.items(), key=lambda item: item[1])
    ]
    return markdown(["method", "seconds", "times ours"], body)


def part_quality(data: Path, work: Path) -> str:
    calibration = [
        option
        for split in ("msrs/train", "roadscene/train")
        for option in ("--ir", data / split / "ir", "--vi", data / split / "vi")
    ]
    body = []
    for model, suffix in product(("small", "tiny"), (".onnx", ".xml")):
        file = work / f"{model}-int8{suffix}"
        if not file.is_file():
            mma_unet("export", "-m", model, "-o", file, "--precision", "int8", *calibration,
                     "--max-loss", 2)  # fmt: skip
        about = read_exported(file).about
        before, after = about["quality"]["before"], about["quality"]["after"]
        change = [f"{100 * (after[name] / before[name] - 1):+.2f} %" for name in METRICS]
        runtime = "ONNX Runtime" if suffix == ".onnx" else "OpenVINO (NNCF)"
        body.append([f"`{model}`, {runtime}", about["float_levels"], *change])
    return markdown(["int8 against fp32", "levels in floating point", *METRICS], body)


def part_scaling(_: Path, work: Path) -> str:
    mma_unet("bench", "--scaling", "-o", work, "-m", "tiny")
    shutil.copy(work / "scaling.svg", ROOT / "docs" / "images" / "scaling.svg")
    shutil.copy(work / "scaling.csv", ROOT / "results" / "scaling.csv")
    table = (work / "scaling.md").read_text(encoding="utf-8")
    return "![Time and memory against pixels](images/scaling.svg)\n\n" + table


if __name__ == "__main__":
    main()
