"""The CKA of several trainings on files: measured with a cache, written, and put in a table.

See Also:
    `mma_unet.analysis.similarity`: one training. `mma_unet.analysis.cka_report`: the findings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mma_unet.analysis import plots
from mma_unet.analysis.cka_report import Finding
from mma_unet.analysis.encoders import Encoders, digest
from mma_unet.analysis.layers import operations
from mma_unet.analysis.similarity import Batches, accumulate, matrices
from mma_unet.analysis.stacks import INDEXINGS, Sample, stack
from mma_unet.figures import save_figure
from mma_unet.files import replacing, write_text

__all__ = ["measure", "save", "verdict_table"]


def measure(
    sources: Sequence[Encoders],
    batches: Batches,
    cache: Path,
    mark: str,
    progress: Callable[[str, int, int], None],
) -> list[Sample]:
    """The matrices of every source, from the cache as far as they are there.

    Args:
        sources: The encoders of each training.
        batches: The pairs.
        cache: Folder of the sums.
        mark: What the sums depend on besides the encoders; part of the names in the cache.
        progress: Called as `progress(what, done, total)` after each minibatch.
    """
    samples: list[Sample] = []
    for number, source in enumerate(sources):
        file = cache / f"{digest(source.vi, source.ir)}-{mark}.npz"
        for done in accumulate(source, batches, file):
            before = number * len(batches)
            progress(Path(source.name).name, before + done, len(batches) * len(sources))
        samples.append(
            Sample(
                source.name,
                source.config.guided,
                digest(source.vi),
                operations(len(source.vi.levels), guided=False),
                operations(len(source.ir.levels), guided=source.config.guided),
                matrices(source, file),
            )
        )
    return samples


def save(
    out: Path,
    samples: Sequence[Sample],
    findings: Sequence[Finding],
    pairs: Sequence[str],
    settings: Mapping[str, int],
) -> None:
    """Write the plots, `matrices.npz` and `verdict.json`."""
    stacks = stack(samples)
    for indexing in INDEXINGS:
        for name, figure in plots.figures(stacks, indexing).items():
            save_figure(figure, *(out / (name + suffix) for suffix in (".png", ".svg")))
    arrays: dict[str, np.ndarray] = {}
    for key, item in stacks.items():
        arrays[f"{key}_rows"] = np.array([f"{level}.{name}" for level, name in item.rows])
        arrays[f"{key}_columns"] = np.array([f"{level}.{name}" for level, name in item.columns])
        arrays[f"{key}_each"] = item.values
        for indexing in INDEXINGS:
            arrays[f"{key}_{indexing}_mean"] = item.mean(indexing)
            arrays[f"{key}_{indexing}_spread"] = item.spread(indexing)
    with replacing(out / "matrices.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    values = {
        "trainings": [{"source": s.name, "guided": s.guided, "vi": s.vi_digest} for s in samples],
        "pairs": list(pairs),
        **settings,
        "findings": [finding.to_dict() for finding in findings],
    }
    write_text(out / "verdict.json", json.dumps(values, indent=1) + "\n")


def verdict_table(findings: Sequence[Finding]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: mean and spread over trainings beside the paper's number, as text."""
    rows = []
    for f in findings:
        digits = 1 if abs(f.mean) >= 2 or "layer" in f.text.split("CKA")[0] else 3
        rows.append(
            [
                f.text,
                f"{f.mean:.{digits}f}",
                "" if math.isnan(f.spread) else f"{f.spread:.{digits}f}",
                "" if f.key.startswith(("guidance", "images")) else str(len(f.values)),
                "" if f.paper is None else f"{f.paper:g}",
                f.agrees,
            ]
        )
    return ["", "Mean", "Spread", "n", "Paper", "Agrees"], rows
