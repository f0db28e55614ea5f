"""Which VI level belongs to which IR level: the CKA ridge, and the offset search it is held to.

The paper sets the difference between fused levels by hand, from CKA pictures of its own networks,
and leaves an automatic choice to future work (section 5.2). Here are the choice from the CKA of
trained stage-I encoders, and the exhaustive search over offsets that judges it and the choice by
learning (`mma_unet.training.pairing`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mma_unet.analysis.cka import MinibatchCKA, gram
from mma_unet.data import CenterCrop, Pair, PairedImages
from mma_unet.errors import InputError
from mma_unet.models import IRUNet, VIUNet
from mma_unet.models.soft import OFFSETS, offset_pairing
from mma_unet.training.ablation import METRICS, spread
from mma_unet.training.pairing import PairingChoice
from mma_unet.training.study import Job, Outcome, Study, read_curve

__all__ = [
    "Judgement",
    "SearchResult",
    "centered",
    "choose_by_cka",
    "composite",
    "cross_cka",
    "judge",
    "offset_cka",
    "ridge_offset",
    "search_jobs",
    "search_result",
]

_SIDE, _BATCH, _LIMIT = 96, 16, 64


def cross_cka(vi_unet: VIUNet, ir_unet: IRUNet, pairs: Sequence[Pair]) -> Tensor:
    """CKA between every level of the VI encoder and every level of the IR encoder.

    Args:
        vi_unet: Trained VI-UNet.
        ir_unet: Trained IR-UNet, guided or not.
        pairs: At least 4; up to 64 of them, at even steps, are looked at (central crops of 96
            pixels, minibatches of 16).

    Returns:
        `(depth, depth)`; row `v`, column `i` compares VI level `v + 1` with IR level `i + 1`.

    Raises:
        InputError: If there are fewer than 4 pairs.
    """
    pairs = list(dict.fromkeys(pairs))
    if len(pairs) < 4:
        raise InputError(f"CKA of {len(pairs)} pairs tells nothing; train on at least 4")
    pairs = pairs[:: max(len(pairs) // _LIMIT, 1)][:_LIMIT]
    channels = vi_unet.config.in_channels
    images = PairedImages(pairs, channels=1, transform=CenterCrop(_SIDE))
    total = MinibatchCKA()
    networks = vi_unet.eval(), ir_unet.eval()
    for start in range(0, len(images), _BATCH):
        items = [images[k] for k in range(start, min(start + _BATCH, len(images)))]
        if len(items) < 4 and total.batches:
            break  # too few for an estimate
        vi, ir = (
            torch.stack([item["vi" if kind else "ir"] for item in items]).expand(
                -1, channels, -1, -1
            )
            for kind in (True, False)
        )
        with torch.inference_mode():
            vi_features = networks[0].encoder(vi)
            ir_features = networks[1].encoder(ir, vi_features)
        total.update([gram(x) for x in vi_features], [gram(x) for x in ir_features])
    return total.compute()


def centered(matrix: Tensor) -> Tensor:
    """A CKA matrix less its row and column means: what is particular to each pair of levels.

    A level that is like every level of the other modality (the deepest, often) would otherwise be
    the best match of all of them, and the ridge would run along the border.
    """
    rows, columns = matrix.mean(dim=1, keepdim=True), matrix.mean(dim=0, keepdim=True)
    return matrix - rows - columns + matrix.mean()


def ridge_offset(matrix: Tensor) -> float:
    """How far the ridge of a CKA matrix lies off its diagonal, in levels; above 0 if IR is deeper.

    In the centered matrix, the best IR level is found for each VI level, and the best VI level for
    each IR level, both at most two levels away, as the candidates are; the mean of all these
    differences is the offset. Taking both directions lets the ends of the diagonal, where one side
    has nowhere to go, pull neither way.

    Args:
        matrix: `(depth, depth)`, VI levels down, IR levels across, not centered.

    Example:
        >>> ridge_offset(torch.eye(5))
        0.0
        >>> hub = torch.eye(5) + torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0])
        >>> ridge_offset(hub)
        0.0
    """
    levels = torch.arange(len(matrix))
    far = (levels[None, :] - levels[:, None]).abs() > OFFSETS[-1]
    particular = centered(matrix).masked_fill(far, -math.inf)
    right = (particular.argmax(dim=1) - levels).float()
    down = (levels - particular.argmax(dim=0)).float()
    return float(torch.cat([right, down]).mean())


def choose_by_cka(vi_unet: VIUNet, ir_unet: IRUNet, pairs: Sequence[Pair]) -> PairingChoice:
    """The pairing of the offset nearest to the ridge; halves go towards 0."""
    matrix = cross_cka(vi_unet, ir_unet, pairs)
    offset = ridge_offset(matrix)
    nearest = int(math.copysign(math.ceil(abs(offset) - 0.5), offset))
    chosen = min(max(nearest, OFFSETS[0]), OFFSETS[-1])
    rows = [[round(float(x), 6) for x in row] for row in matrix]
    evidence = {"cka": rows, "ridge": round(offset, 6)}
    return PairingChoice("cka", offset_pairing(chosen, len(matrix)), evidence)


def offset_cka(matrix: Sequence[Sequence[float]], offset: int) -> float:
    """Mean CKA of the pairs that an offset fuses."""
    return float(np.mean([matrix[v - 1][i - 1] for v, i in offset_pairing(offset, len(matrix))]))


@dataclass(frozen=True)
class SearchResult:
    """The offset search on one kind of pairs.

    Attributes:
        name: Name of the recipe.
        seeds: Seeds, in the order of every list below.
        outcomes: For each offset, one outcome per seed.
        cka: What the CKA ridge chose, per seed.
        learned: What the soft weights chose, per seed.
        weights: Mean soft weight of each offset, `(seeds, epochs, offsets)`.
    """

    name: str
    seeds: tuple[int, ...]
    outcomes: Mapping[int, Sequence[Outcome]]
    cka: Sequence[PairingChoice]
    learned: Sequence[PairingChoice]
    weights: Sequence[Sequence[Sequence[float]]]

    def choices(self) -> dict[str, list[int]]:
        """The offset that each method chose, per seed."""
        methods = {"cka": self.cka, "learned": self.learned}
        return {name: [_offset(c) for c in chosen] for name, chosen in methods.items()}


def search_jobs(study: Study, seeds: Sequence[int]) -> list[Job]:
    """Stage I, then stage II of every offset and the search by learning, seed by seed."""
    recipe, jobs = study.recipe, []
    first, second = recipe.vi.epochs + recipe.ir.epochs, recipe.fusion.epochs
    search = (recipe.search or recipe.fusion).epochs
    for seed in seeds:
        tail = f"seed {seed}"
        jobs.append(
            Job(
                f"{recipe.name}: stage I, {tail}",
                first,
                lambda s=seed: study.stage_one(s, True),  # type: ignore[misc]
            )
        )
        jobs += [
            Job(
                f"{recipe.name}: offset {offset:+d}, {tail}",
                second,
                lambda s=seed, o=offset: study.fusion(s, True, offset_pairing(o)),  # type: ignore[misc]
            )
            for offset in OFFSETS
        ]
        jobs.append(
            Job(
                f"{recipe.name}: learned pairing, {tail}",
                search,
                lambda s=seed: study.search(s),  # type: ignore[misc]
            )
        )
    return jobs


def search_result(study: Study, seeds: Sequence[int]) -> SearchResult:
    """Collect what the jobs of a study have left."""
    outcomes = {
        offset: [study.fusion(seed, True, offset_pairing(offset)) for seed in seeds]
        for offset in OFFSETS
    }
    cka = [study.choose(seed, choose_by_cka) for seed in seeds]
    weights = []
    for seed in seeds:
        curve = study.stage_one_folder(seed, True).parent / "learned" / "search" / "curve.csv"
        rows = read_curve(curve)
        weights.append([[float(row[f"train_offset_{o:+d}"]) for o in OFFSETS] for row in rows])
    learned = [study.search(seed) for seed in seeds]
    return SearchResult(study.recipe.name, tuple(seeds), outcomes, cka, learned, weights)


def composite(outcomes: Mapping[int, Sequence[Outcome]]) -> dict[int, list[float]]:
    """One figure per offset and seed: the mean of the five metrics, each standardized.

    A metric is centered on its mean over the offsets of the seed, so that a seed that is better
    throughout tells nothing, and divided by the standard deviation of what is left.

    Args:
        outcomes: For each offset, one outcome per seed.
    """
    raw = np.array([[[o.mean(m) for m in METRICS] for o in seeds] for seeds in outcomes.values()])
    centered = raw - raw.mean(axis=0, keepdims=True)
    scale = centered.std(axis=(0, 1))
    table = (centered / np.where(scale > 0, scale, 1.0)).mean(axis=2)
    return {offset: row.tolist() for offset, row in zip(outcomes, table, strict=True)}


@dataclass(frozen=True)
class Judgement:
    """A way of choosing, held to the exhaustive search.

    Attributes:
        name: Name of the recipe.
        method: `"cka"`, `"learned"`, or a fixed offset such as `"always +1"`.
        chosen: The offset of each seed.
        best: The offset with the highest composite in the mean over the seeds.
        regret: Composite of `best` minus that of the choice, mean over the seeds.
        sd: Sample standard deviation of that difference.
        verdict: `"best"` if every seed chose it; `"as good"` if `regret <= sd`, or the choice did
            better; `"one seed"` where there is no spread to tell; otherwise `"worse"`.
    """

    name: str
    method: str
    chosen: tuple[int, ...]
    best: int
    regret: float
    sd: float
    verdict: str


def judge(result: SearchResult) -> list[Judgement]:
    """Judge both choices, and the paper's fixed offset beside them."""
    table = composite(result.outcomes)
    best = max(table, key=lambda offset: float(np.mean(table[offset])))
    rows: list[Judgement] = []
    fixed = {f"always {offset:+d}": [offset] * len(result.seeds) for offset in (0, 1)}
    for method, chosen in {**result.choices(), **fixed}.items():
        gaps = [table[best][k] - table[offset][k] for k, offset in enumerate(chosen)]
        regret, sd = float(np.mean(gaps)), spread(gaps)
        verdict = "as good" if regret <= 0 or regret <= sd else "worse"
        if len(gaps) < 2 and regret > 0:
            verdict = "one seed"
        if set(chosen) == {best}:
            verdict = "best"
        rows.append(Judgement(result.name, method, tuple(chosen), best, regret, sd, verdict))
    return rows


def _offset(choice: PairingChoice) -> int:
    vi, ir = choice.pairing[0]
    return ir - vi
