"""Scoring many methods on the same pairs; what was scored before is taken from the last run."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mma_unet.benchmark.cache import (
    SCORING,
    Row,
    code_stamp,
    read_cache,
    triple_stamp,
    write_cache,
)
from mma_unet.benchmark.evaluate import Progress, suite_names
from mma_unet.benchmark.methods import (
    Method,
    baselines,
    check_name,
    from_folder,
    fuse_with,
    fuse_with_rival,
    in_common,
    lacking,
)
from mma_unet.benchmark.pool import ScorePool, sensible_workers
from mma_unet.benchmark.scores import FloatArray
from mma_unet.benchmark.statistics import Summary, summarize
from mma_unet.benchmark.triples import Triple, load
from mma_unet.data import Pair, find_pairs
from mma_unet.data.infrared import first_note
from mma_unet.data.storage import as_place
from mma_unet.errors import InputError
from mma_unet.files import probe_target
from mma_unet.metrics import MetricSpec
from mma_unet.metrics.scoring import suite_specs
from mma_unet.rivals import Card

__all__ = ["Comparison", "compare"]

_KEEP_EVERY = 200
"""Images after which the scores so far are written, beside the end of each method."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several methods on the images that all of them have.

    Attributes:
        methods: In the order they were named, the baselines last.
        specs: The metrics, M of them.
        names: The images compared, N of them.
        pairs: How many pairs there are in all.
        values: `(methods, N, M)`.
        stretched: The same after stretching every output to the full range, if asked for.
        lacking: For each method that lacks images, their names.
        problems: One sentence for each file that is there but could not be used.
        remarks: Sentences on files that were passed over.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
        show: The images to show side by side; empty for a choice at even steps.
    """

    methods: tuple[Method, ...]
    specs: tuple[MetricSpec, ...]
    names: tuple[str, ...]
    pairs: int
    values: FloatArray
    stretched: FloatArray | None
    lacking: dict[str, list[str]]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    resamples: int = 2000
    seed: int = 0
    show: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Column headings of the metrics."""
        return tuple(spec.label for spec in self.specs)

    def summary(self, *, stretched: bool = False) -> Summary:
        """Means, ranks and intervals; differences are to the first method."""
        if stretched and self.stretched is not None:
            return self._summary_stretched
        return self._summary

    @functools.cached_property
    def _summary(self) -> Summary:
        return self._summarize(self.values)

    @functools.cached_property
    def _summary_stretched(self) -> Summary:
        return self._summarize(self.values if self.stretched is None else self.stretched)

    def _summarize(self, values: FloatArray) -> Summary:
        return summarize(
            values,
            [spec.higher_is_better for spec in self.specs],
            ideals=[spec.ideal for spec in self.specs],
            resamples=self.resamples,
            seed=self.seed,
        )


def compare(
    ir: str | Path,
    vi: str | Path,
    results: Mapping[str, str | Path],
    out: str | Path,
    *,
    models: Mapping[str, str] | None = None,
    rivals: Mapping[Card, str | None] | None = None,
    suite: str | Iterable[str] = "paper",
    stretch: bool = False,
    workers: int | None = 1,
    resamples: int = 2000,
    seed: int = 0,
    show: Sequence[str] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Score methods on the pairs that all of them have fused.

    Interrupted, it goes on where it stopped when called again with the same `out`.

    Args:
        ir: Folder of the infrared images.
        vi: Folder of the visible images.
        results: Folder of fused images by the method's name.
        out: Folder for what is kept: `cache/` (scores), `fused/` (results of `models`, `rivals`).
        models: Weights of ours by the name to give them; they are run first and named first.
        rivals: Methods of others to run, and their weights; see `parse_methods`. Named next.
        suite: A suite, a metric, or several of them.
        stretch: Score every output a second time, stretched min-max to the full range.
        workers: Processes; None chooses by the number of images.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
        show: Names of the images to show side by side; by default a choice at even steps.
        progress: Called after each step.

    Raises:
        InputError: A folder is missing or fits no pair, the methods have no image in common, a
            name is used twice or is a baseline's, an image to show is not among those compared,
            `out` cannot be written, or there is no such suite.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give a folder for the report.")
    fused = [*(models or {}), *(card.name for card in rivals or {})]
    for name in (*results, *fused):
        check_name(name)
    both = sorted({name for name in fused if name in results or fused.count(name) > 1})
    if both:
        raise InputError(f"the name {both[0]} is used for two methods; choose another.")
    specs = suite_specs(suite_names(suite))
    pairing = find_pairs(ir, vi)
    names = [pair.name for pair in pairing.pairs]
    _check_shown(show, names, "no pair is named {}")
    folders = [from_folder(n, as_place(f), pairing, as_place(vi)) for n, f in results.items()]
    probe_target(out / "report.html")

    def places(name: str) -> tuple[Path, Path]:
        return out / "fused" / name, out / "cache" / "fused" / f"{name}.json"

    ran = [
        fuse_with(name, model, pairing.pairs, *places(name), progress)
        for name, model in (models or {}).items()
    ]
    ran += [
        fuse_with_rival(card, weights, pairing.pairs, *places(card.name), progress)
        for card, weights in (rivals or {}).items()
    ]
    methods = (*ran, *folders, *baselines(pairing.pairs))
    shared = in_common(methods, names)
    _check_shown(show, shared, "not every method has {}")
    count = len(shared) * len(methods) * (2 if stretch else 1)
    workers = sensible_workers(count) if workers is None else workers
    failed = {method.name: dict(method.failed) for method in methods}
    bad_pairs = _bad_pairs(pairing.pairs, failed)
    code = code_stamp(*SCORING)
    tables: dict[bool, list[dict[str, list[float]]]] = {}
    with ScorePool([spec.name for spec in specs], workers) as pool:
        for stretching in (False, True) if stretch else (False,):
            tables[stretching] = [
                _score(pool, method, shared, out, specs, stretching, code, failed, progress)
                for method in methods
            ]
    everything = [table for some in tables.values() for table in some]
    kept = [name for name in shared if all(name in table for table in everything)]
    reasons = [
        bad_pairs.get(name, reason)
        for by_name in failed.values()
        for name, reason in by_name.items()
    ]
    if not kept:
        raise InputError(
            f"no image could be scored for every method; the first problem: {reasons[0]}"
        )
    arrays = {key: _stack(value, kept) for key, value in tables.items()}
    unpaired = [*pairing.unpaired_ir, *pairing.unpaired_vi]
    return Comparison(
        methods=methods,
        specs=specs,
        names=tuple(kept),
        pairs=len(names),
        values=arrays[False],
        stretched=arrays.get(True),
        lacking=lacking(methods, [n for n in names if n not in bad_pairs], failed),
        problems=tuple(dict.fromkeys(reasons)),
        remarks=(
            *filter(None, [first_note([pair.ir for pair in pairing.pairs])]),
            *(f"{path} has no partner and was passed over." for path in unpaired),
            *(remark for method in methods for remark in method.remarks),
        ),
        resamples=resamples,
        seed=seed,
        show=tuple(name for name in dict.fromkeys(show) if name in kept),
    )


def _check_shown(show: Sequence[str], names: Sequence[str], complaint: str) -> None:
    """Refuse names that are not there.

    Raises:
        InputError: One sentence with all of them.
    """
    unknown = [name for name in show if name not in names]
    if unknown:
        few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise InputError(
            f"{complaint.format(', '.join(unknown))}, so it cannot be shown: choose from {few}"
        )


def _bad_pairs(pairs: Sequence[Pair], failed: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Pairs of which a method made nothing because the sources are bad, and what is wrong."""
    tried = {name for by_name in failed.values() for name in by_name}
    bad = {}
    for pair in pairs:
        if pair.name in tried:
            try:
                load(Triple(pair.name, pair.ir, pair.vi, "average"))
            except InputError as error:
                bad[pair.name] = str(error)
    return bad


def _score(
    pool: ScorePool,
    method: Method,
    names: Sequence[str],
    out: Path,
    specs: Sequence[MetricSpec],
    stretch: bool,
    code: str,
    failed: dict[str, dict[str, str]],
    progress: Progress | None,
) -> dict[str, list[float]]:
    """Scores of one method by image, from the cache where they are there; failures are noted."""
    labels = [spec.label for spec in specs]
    folder = out / "cache" / "stretched" if stretch else out / "cache"
    path = folder / f"{method.name}.csv"
    stamps = {name: triple_stamp(method.triples[name], stretch, code) for name in names}
    stored = read_cache(path, labels)
    others = {name: row for name, row in stored.items() if name not in stamps}
    known: dict[str, Row] = {
        name: row for name, row in stored.items() if row[0] == stamps.get(name)
    }
    waiting = [name for name in names if name not in known]
    triples = [method.triples[name] for name in waiting]
    what = f"Scoring {method.name}{' stretched' if stretch else ''}"

    def keep() -> None:
        ordered = {name: known[name] for name in names if name in known}
        write_cache(path, labels, ordered | others)

    try:
        for done, result in enumerate(pool.run(triples, stretch=stretch), 1):
            name = waiting[result.index]
            if result.scores is None:
                failed.setdefault(method.name, {})[name] = result.reason
            else:
                known[name] = (stamps[name], [result.scores[label] for label in labels])
            if progress is not None:
                progress(what, done, len(triples))
            if done % _KEEP_EVERY == 0:
                keep()
    finally:
        if waiting:
            keep()
    return {name: row[1] for name, row in known.items()}


def _stack(tables: Sequence[Mapping[str, list[float]]], names: Sequence[str]) -> FloatArray:
    return np.array([[table[name] for name in names] for table in tables], dtype=np.float64)
