"""The exhaustive search over offsets that judges the ways to choose one (paper section 5.2).

See also: `mma_unet.training.pairing`, the choice by learning; `mma_unet.analysis.asymmetry`, the
choice by CKA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mma_unet.models.soft import OFFSETS, offset_pairing
from mma_unet.training.ablation import METRICS, spread
from mma_unet.training.callbacks import read_curve
from mma_unet.training.pairing import Chooser, PairingChoice
from mma_unet.training.study import Job, Outcome, Study

__all__ = ["Judgement", "SearchResult", "composite", "judge", "search_jobs", "search_result"]


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
    search = recipe.settings("search").epochs
    for seed in seeds:
        head, tail = f"{recipe.name}: ", f", seed {seed}"
        jobs.append(Job(f"{head}stage I{tail}", first, partial(study.stage_one, seed, True)))
        for offset in OFFSETS:
            run = partial(study.fusion, seed, True, offset_pairing(offset))
            jobs.append(Job(f"{head}offset {offset:+d}{tail}", second, run))
        jobs.append(Job(f"{head}learned pairing{tail}", search, partial(study.search, seed)))
    return jobs


def search_result(study: Study, seeds: Sequence[int], by_cka: Chooser) -> SearchResult:
    """Collect what the jobs of a study have left.

    Args:
        study: Whose jobs they are.
        seeds: The seeds they had.
        by_cka: The other way to choose, `mma_unet.analysis.asymmetry.choose_by_cka`.
    """
    outcomes = {
        offset: [study.fusion(seed, True, offset_pairing(offset)) for seed in seeds]
        for offset in OFFSETS
    }
    cka = [study.choose(seed, by_cka) for seed in seeds]
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
