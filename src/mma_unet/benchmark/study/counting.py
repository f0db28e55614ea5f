"""Counting the rankings of a blind study: win rates, mean ranks, Bradley-Terry scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mma_unet.benchmark.scores import FloatArray
from mma_unet.benchmark.statistics import LEVEL, bootstrap_means
from mma_unet.benchmark.study.answers import read_answers
from mma_unet.benchmark.study.bradley_terry import bradley_terry
from mma_unet.benchmark.study.key import kind_of, read_key, read_kinds
from mma_unet.errors import InputError
from mma_unet.files import write_text
from mma_unet.tables import escaped, markdown, write_rows

__all__ = ["ALL", "Row", "Tally", "tally"]

ALL = "all"
"""What the table calls all kinds of scene together."""


@dataclass(frozen=True)
class Row:
    """One method on one kind of scene; intervals are `(low, high)`, NaN where it has one pair.

    Attributes:
        kind: Kind of scene, or `ALL`.
        method: The method.
        pairs: On how many pairs it was ranked.
        win_rate: Share of its comparisons that it won, a tie counting half.
        win_interval: Its interval.
        mean_rank: Mean place among those shown, 1 for the best, tied ones sharing the mean.
        rank_interval: Its interval.
        score: Bradley-Terry score, natural logarithm, of mean 0 over the methods.
        score_interval: Its interval.
        first: Share of rankings with none above it.
        top_two: Share of rankings with at most one above it.
        last: Share of rankings with none below it.
    """

    kind: str
    method: str
    pairs: int
    win_rate: float
    win_interval: tuple[float, float]
    mean_rank: float
    rank_interval: tuple[float, float]
    score: float
    score_interval: tuple[float, float]
    first: float
    top_two: float
    last: float


@dataclass(frozen=True, eq=False)
class Tally:
    """What the raters said.

    Attributes:
        raters: Names of the raters, one per file.
        pairs: Pairs that at least one of them ranked.
        of: Pairs in the study.
        rows: All kinds together first, then each kind; the highest score first.
        methods: Names in the order of `wins`.
        wins: `(M, M)`: over all pairs, how often the method of the row beat that of the column.
    """

    raters: tuple[str, ...]
    pairs: int
    of: int
    rows: tuple[Row, ...]
    methods: tuple[str, ...]
    wins: FloatArray

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Heading and text rows of the table."""
        head = ["scene", "method", "pairs", "win rate", "mean rank", "BT score"]
        head += ["first", "first two", "last"]
        body = [
            [
                row.kind,
                row.method,
                str(row.pairs),
                _with_interval(row.win_rate, row.win_interval),
                _with_interval(row.mean_rank, row.rank_interval),
                _with_interval(row.score, row.score_interval),
                *(f"{share:.0%}" for share in (row.first, row.top_two, row.last)),
            ]
            for row in self.rows
        ]
        return head, body

    def markdown(self) -> str:
        """The table, and who beat whom how often, as Markdown."""
        raters = f"{len(self.raters)} rater{'s' * (len(self.raters) != 1)}"
        head, body = self.cells()
        body = [[*map(escaped, row[:2]), *row[2:]] for row in body]
        methods = [escaped(method) for method in self.methods]
        versus = [
            [method, *("" if i == j else f"{self.wins[i, j]:.4g}" for j in range(len(self.wins)))]
            for i, method in enumerate(methods)
        ]
        return (
            f"{self.pairs} of {self.of} pairs, {raters}. In brackets: {LEVEL:.0%} intervals of a "
            f"bootstrap over pairs.\n\n{markdown(head, body)}\n\n"
            "Wins of the row over the column; a tie is half a win, a pair counts once.\n\n"
            f"{markdown(['', *methods], versus)}\n"
        )

    def write(self, folder: str | Path) -> None:
        """Write `tally.csv` and `tally.md`.

        Raises:
            InputError: The folder cannot be written.
        """
        folder = Path(folder)
        write_text(folder / "tally.md", self.markdown())
        rows: list[dict[str, object]] = []
        for row in self.rows:
            flat: dict[str, object] = {}
            for name, value in vars(row).items():
                if isinstance(value, tuple):
                    stem = name.removesuffix("_interval")
                    flat |= {f"{stem}_low": value[0], f"{stem}_high": value[1]}
                else:
                    flat[name] = value
            rows.append(flat)
        write_rows(folder / "tally.csv", rows)


def tally(
    study: str | Path,
    answers: Sequence[str | Path],
    *,
    kinds: str | Path | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Tally:
    """Count the rankings of one or more raters.

    A pair counts once: where several raters ranked it, the mean of their rankings counts. The
    bootstrap draws pairs, so all rankings of a pair go together.

    Args:
        study: The folder that `build_study` wrote.
        answers: One JSON file per rater.
        kinds: CSV with the columns `name` and `kind`; by default the kinds of the key.
        resamples: Draws of the bootstrap.
        seed: Its seed.

    Raises:
        InputError: The key, an answer file or `kinds` is bad, an answer does not fit the study, or
            nothing was ranked.

    See Also:
        `mma_unet.benchmark.study.build_study`: makes what is ranked.
    """
    key = read_key(Path(study))
    if not answers:
        raise InputError("there is nothing to count: give the raters' answers as JSON files.")
    read = [read_answers(Path(path), key) for path in answers]
    scenes = {name: pair.kind for name, pair in key.pairs.items()}
    if kinds is not None:
        listed = read_kinds(Path(kinds))
        scenes = {name: kind_of(name, listed) for name in scenes}
    ranked = [name for name in key.pairs if any(name in rankings for _, rankings in read)]
    if not ranked:
        raise InputError("no pair was ranked in the answers given, so there is nothing to count.")
    methods = sorted({m for pair in key.pairs.values() for m in pair.letters.values()})
    places = [[rankings[n] for _, rankings in read if n in rankings] for n in ranked]
    tables = [np.mean([_beats(one, methods) for one in some], axis=0) for some in places]
    beats = np.stack(tables)
    standing = np.stack(
        [np.mean([_standing(one, methods) for one in some], axis=0) for some in places]
    )
    rows = _rows(ALL, methods, beats, standing, resamples, seed)
    found = list(dict.fromkeys(scenes[name] for name in ranked))
    for kind in found if len(found) > 1 else ():
        used = np.array([scenes[name] == kind for name in ranked])
        rows += _rows(kind, methods, beats[used], standing[used], resamples, seed)
    return Tally(
        raters=tuple(rater for rater, _ in read),
        pairs=len(ranked),
        of=len(key.pairs),
        rows=tuple(rows),
        methods=tuple(methods),
        wins=np.nansum(beats, axis=0),
    )


def _beats(above: dict[str, int], methods: Sequence[str]) -> FloatArray:
    """`(M, M)`: 1 where the row is before the column, 0.5 in a tie, NaN where not both are."""
    row = np.array([above.get(method, np.nan) for method in methods], dtype=np.float64)
    gap = row[None, :] - row[:, None]
    np.fill_diagonal(gap, np.nan)
    return np.asarray((np.sign(gap) + 1) / 2, dtype=np.float64)


def _standing(above: dict[str, int], methods: Sequence[str]) -> FloatArray:
    """`(M, 4)`: mean rank, whether first, among the first two, and last; NaN where not shown."""
    beats = _beats(above, methods)
    better = np.array([above.get(method, np.nan) for method in methods], dtype=np.float64)
    worse = (beats == 1).sum(axis=1)
    rank = 1 + np.nansum(1 - beats, axis=1)
    table = np.stack([rank, better == 0, better <= 1, worse == 0], axis=1).astype(np.float64)
    table[~np.isfinite(beats).any(axis=1)] = np.nan
    return table


def _rows(
    kind: str,
    methods: Sequence[str],
    beats: FloatArray,
    standing: FloatArray,
    resamples: int,
    seed: int,
) -> list[Row]:
    """Rows of one kind from `(pairs, M, M)` wins and `(pairs, M, 4)` standings."""
    known = np.isfinite(beats)
    wins, games = np.where(known, beats, 0.0), known.astype(np.float64)
    shown = np.flatnonzero(games.any(axis=(0, 2)))
    wins, games = wins[:, shown][:, :, shown], games[:, shown][:, :, shown]
    standing = standing[:, shown]
    count = len(wins)
    with np.errstate(invalid="ignore"):
        drawn = count * bootstrap_means(wins, resamples, seed)
        rates = drawn.sum(axis=2) / (count * bootstrap_means(games, resamples, seed)).sum(axis=2)
    spreads = (rates, bootstrap_means(standing[..., 0], resamples, seed), bradley_terry(drawn))
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(np.stack(spreads), (tail, 1 - tail), axis=1)
    single = np.isfinite(standing[..., 0]).sum(axis=0) == 1  # draws of one pair have no spread
    low[:, single] = high[:, single] = np.nan
    scores = bradley_terry(wins.sum(axis=0))
    rate = wins.sum(axis=(0, 2)) / games.sum(axis=(0, 2))
    means = np.nanmean(standing, axis=0)
    return [
        Row(
            kind=kind,
            method=methods[shown[i]],
            pairs=int(np.isfinite(standing[:, i, 0]).sum()),
            win_rate=float(rate[i]),
            win_interval=(float(low[0, i]), float(high[0, i])),
            mean_rank=float(means[i, 0]),
            rank_interval=(float(low[1, i]), float(high[1, i])),
            score=float(scores[i]),
            score_interval=(float(low[2, i]), float(high[2, i])),
            first=float(means[i, 1]),
            top_two=float(means[i, 2]),
            last=float(means[i, 3]),
        )
        for i in np.argsort(-scores, kind="stable")
    ]


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    if np.isnan(interval[0]):
        return _short(value)
    return f"{_short(value)} [{_short(interval[0])}, {_short(interval[1])}]"


def _short(value: float) -> str:
    """Two decimals, without the sign of a rounded zero."""
    return f"{round(value, 2) + 0.0:.2f}"
