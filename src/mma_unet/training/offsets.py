"""The exhaustive search over offsets that judges the ways to choose one (paper section 5.2).

See also: `mma_unet.training.pairing`, the choice by learning; `mma_unet.analysis.asymmetry`, the
choice by CKA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mma_unet.models.soft import OFFSETS, offset_pairing
from mma_unet.training.ablation import METRICS, Table, spread
from mma_unet.training.callbacks import read_curve
from mma_unet.training.pairing import Chooser, PairingChoice
from mma_unet.training.study import Job, Outcome, Study

__all__ = [
    "Judgement",
    "SearchResult",
    "choice_rows",
    "choice_table",
    "composite",
    "judge",
    "search_jobs",
    "search_result",
    "search_rows",
    "search_table",
]


Matrix = Sequence[Sequence[float]]


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

    @property
    def offsets(self) -> str:
        """The chosen offsets, e.g. `"+1 +1 +0"`."""
        return " ".join(f"{offset:+d}" for offset in self.chosen)


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


def search_rows(
    results: Sequence[SearchResult], similarity: Callable[[Matrix, int], float]
) -> Table:
    """For CSV: a row for each offset and seed, then mean and standard deviation of each offset.

    Args:
        results: One for each recipe.
        similarity: CKA of an offset in a matrix, `mma_unet.analysis.asymmetry.offset_cka`.
    """
    rows: list[list[str]] = []
    for result in results:
        table, choices = composite(result.outcomes), result.choices()
        for column, offset in enumerate(OFFSETS):
            pairing = " ".join(f"{v}-{i}" for v, i in offset_pairing(offset))
            lines: list[list[float]] = []
            for k, outcome in enumerate(result.outcomes[offset]):
                values = [outcome.mean(m) for m in METRICS]
                values += [table[offset][k], outcome.val_loss]
                values += [similarity(result.cka[k].evidence["cka"], offset)]
                values += [result.learned[k].evidence["weights"][0][column]]
                lines.append(values)
                chosen = " ".join(m for m, offsets in choices.items() if offsets[k] == offset)
                rows.append(
                    [result.name, str(result.seeds[k]), f"{offset:+d}", pairing,
                     *(f"{v:.5f}" for v in values), chosen, f"{outcome.seconds:.0f}"]
                )  # fmt: skip
            columns = list(zip(*lines, strict=True))
            for name, reduce in (("mean", np.mean), ("sd", spread)):
                cells = [f"{float(reduce(c)):.5f}" for c in columns]
                rows.append([result.name, name, f"{offset:+d}", pairing, *cells, "", ""])
    header = ["modalities", "seed", "offset", "pairing", *METRICS, "composite", "val_loss", "cka",
              "learned_weight", "chosen_by", "seconds"]  # fmt: skip
    return header, rows


def search_table(result: SearchResult) -> Table:
    """For people: mean and spread of each offset."""
    total = composite(result.outcomes)
    rows = []
    for offset, outcomes in result.outcomes.items():
        columns = [[o.mean(m) for o in outcomes] for m in METRICS] + [total[offset]]
        cells = [f"{np.mean(c):.3f} ± {spread(c):.3f}" for c in columns]
        rows.append([f"{offset:+d}", *cells])
    return ["IR - VI", *METRICS, "composite"], rows


def choice_rows(judgements: Sequence[Judgement]) -> Table:
    """For CSV: each way of choosing, and how it did."""
    rows = [
        [j.name, j.method, j.offsets, f"{j.best:+d}", f"{j.regret:.4f}", f"{j.sd:.4f}", j.verdict]
        for j in judgements
    ]
    return ["modalities", "method", "chosen", "best", "regret", "sd", "verdict"], rows


def choice_table(judgements: Sequence[Judgement]) -> Table:
    """For people: the same with the regret and its spread in one."""
    rows = [
        [j.name, j.method, j.offsets, f"{j.best:+d}", f"{j.regret:.2f} ± {j.sd:.2f}", j.verdict]
        for j in judgements
    ]
    return ["Pairs", "Method", "Chosen", "Best", "Regret", "Verdict"], rows


def _offset(choice: PairingChoice) -> int:
    vi, ir = choice.pairing[0]
    return ir - vi
