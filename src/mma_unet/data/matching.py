"""The rules by which files are paired, each for what the ones before it left over.

In one folder of each kind, files belong together whose names are the same

1. as they are (extensions may differ);
2. without the word of their modality, whatever their case;
3. with numbers as numbers (``1`` and ``001``);
4. without the folders that name a modality, where folders were searched;
5. by the running number of a DJI camera, if the times in the names are two seconds apart at most;
6. by neighboring numbers, as cameras with two sensors count (``FLIR_0001``, ``FLIR_0002``), where
   no file of that maker's mark was paired by another rule. This is a guess and is noted.

Of several visible lenses of one camera (``_V``, ``_W``, ``_Z``) the first goes with ``_T``. Other
files that claim the same partner are left out, and said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mma_unet.data.listing import Entry
from mma_unet.data.names import (
    FIRST_LENS,
    FUSED,
    IR,
    VI,
    Words,
    counted,
    plain_numbers,
    stamped,
)
from mma_unet.data.patterns import PairPattern

__all__ = ["Matches", "match_entries", "match_pattern", "match_results"]

_Key = Callable[[Entry, Words], Hashable]
_SAME_SHOT_S = 2.0


@dataclass
class Matches:
    """What was paired and what was not, while the rules are tried in turn.

    Attributes:
        ir: All infrared files.
        vi: All visible files.
        pairs: Name, infrared and visible file of each pair.
        claims: Files that were left out, with the sentence that says why.
        notes: Sentences about pairs that are a guess.
    """

    ir: Sequence[Entry]
    vi: Sequence[Entry]
    pairs: list[tuple[str, Entry, Entry]] = field(default_factory=list)
    claims: dict[Entry, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _done: set[Path] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)

    @property
    def lonely_ir(self) -> list[Entry]:
        """Infrared files without a partner."""
        return self._lonely(self.ir)

    @property
    def lonely_vi(self) -> list[Entry]:
        """Visible files without a partner."""
        return self._lonely(self.vi)

    def _lonely(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.path not in self._done]

    def add(self, name: str, ir: Entry, vi: Entry) -> None:
        """Pair two files; a name that is taken already becomes that of the visible file."""
        spare = (name, "/".join((*vi.folders, vi.stem)))
        names = (*spare, *(f"{spare[1]}_{n}" for n in range(2, len(self.vi) + 3)))
        name = next(n for n in names if n not in self._names)
        self._names.add(name)
        self._done |= {ir.path, vi.path}
        self.pairs.append((name, ir, vi))

    def join(self, ir_key: Callable[[Entry], Hashable], vi_key: Callable[[Entry], Hashable],
             name: Callable[[Entry, Entry], str]) -> None:  # fmt: skip
        """Pair what is left and has one key; None is no key."""
        by_ir = self.group(self.lonely_ir, ir_key)
        by_vi = self.group(self.lonely_vi, vi_key)
        for key, ours in by_ir.items():
            theirs = by_vi.get(key, [])
            if len(ours) == 1 and len(theirs) > 1:
                theirs = self.by_lens(ours[0], theirs)
            if len(ours) == len(theirs) == 1:
                self.add(name(ours[0], theirs[0]), ours[0], theirs[0])
            elif theirs:
                claimants, other = (ours, theirs[0]) if len(ours) > 1 else (theirs, ours[0])
                sentence = (
                    f"{claimants[0].path} and {claimants[1].path} both claim the same partner, "
                    f"{other.path}: rename or remove one of them, or say which with --pair."
                )
                self.claims |= dict.fromkeys((*ours, *theirs), sentence)

    def group(
        self, entries: Iterable[Entry], key: Callable[[Entry], Hashable]
    ) -> dict[Hashable, list[Entry]]:
        """Files by their key, without those that have none or were left out before."""
        groups: dict[Hashable, list[Entry]] = defaultdict(list)
        for entry in entries:
            found = None if entry in self.claims else key(entry)
            if found is not None:
                groups[found].append(entry)
        return groups

    def by_lens(self, ir: Entry, vi: list[Entry]) -> list[Entry]:
        """Of several visible files of one shot, the one whose lens comes first; all if unknown."""
        letters = {entry.stem[-1:].casefold(): entry for entry in vi}
        order = [letter for letter in FIRST_LENS if letter in letters]
        if len(order) < len(vi):
            return vi
        first = letters[order[0]]
        for letter in order[1:]:
            self.claims[letters[letter]] = (
                f"{letters[letter].path} is left out: {first.path.name} of the same scene goes "
                f"with {ir.path.name}; say another with --pair."
            )
        return [first]


def match_entries(ir: Sequence[Entry], vi: Sequence[Entry]) -> Matches:
    """Pair files by the rules of this module."""
    found = Matches(ir, vi)
    for key in (_exact, _bare, _numbers, _dropped):
        if key is not _dropped or any(entry.folders for entry in (*ir, *vi)):
            _join(found, key)
    _join_shots(found)
    _join_neighbors(found)
    return found


def match_pattern(
    pattern: PairPattern, ir: Sequence[Entry], vi: Sequence[Entry], *, one_folder: bool
) -> Matches:
    """Pair files whose names read as the pattern says, and no others.

    With `one_folder` a file that reads neither way is left out of both lists.
    """
    if one_folder:
        ir = [entry for entry in ir if pattern.ir.key(entry.name) is not None]
        vi = [entry for entry in vi if pattern.vi.key(entry.name) is not None]
    found = Matches(ir, vi)
    for side, entries in ((pattern.ir, ir), (pattern.vi, vi)):
        for entry in entries:
            if side.key(entry.name) is None:
                found.claims[entry] = (
                    f"{entry.path} does not read as {side.text}: change --pair, or leave it so."
                )
    found.join(
        lambda entry: pattern.ir.key(entry.name),
        lambda entry: pattern.vi.key(entry.name),
        lambda _, other: pattern.name(other.name) or _in_place(other, other.stem),
    )
    return found


def match_results(files: Sequence[Entry], sources: Sequence[tuple[str, Path, Path]]) -> Matches:
    """Pair fused files with the visible files of the pairs they came from.

    Args:
        files: The fused files.
        sources: Name, infrared and visible file of each pair.
    """
    pairs = [Entry(vi, tuple(name.split("/")[:-1])) for name, _, vi in sources]
    found = Matches(files, pairs)
    by_path = {vi: (name.rpartition("/")[2], ir.stem, vi.stem) for name, ir, vi in sources}

    def place(entry: Entry) -> tuple[str, ...]:
        return tuple(folder.casefold() for folder in entry.folders)

    def result(entry: Entry) -> tuple[Hashable, ...]:
        return (*place(entry), FUSED.bare(entry.stem).casefold())

    for index in (0, 2, 1):  # called as the pair, as VI, as IR

        def source(entry: Entry, index: int = index) -> tuple[Hashable, ...]:
            return (*place(entry), by_path[entry.path][index].casefold())

        for key in (lambda e: (*place(e), e.stem.casefold()), result):
            found.join(key, source, lambda _, other: _in_place(other, by_path[other.path][0]))

    def last(entry: Entry) -> tuple[Hashable, ...]:
        stem = by_path[entry.path][0] if entry.path in by_path else FUSED.bare(entry.stem)
        return (*place(entry), plain_numbers(VI.bare(IR.bare(stem))).casefold())

    found.join(last, last, lambda _, other: _in_place(other, by_path[other.path][0]))
    return found


def _exact(entry: Entry, words: Words) -> Hashable:
    return (*map(str.casefold, entry.place(words)), entry.stem)


def _bare(entry: Entry, words: Words) -> Hashable:
    return (*map(str.casefold, entry.place(words)), words.bare(entry.stem).casefold())


def _numbers(entry: Entry, words: Words) -> Hashable:
    bare = plain_numbers(words.bare(entry.stem)).casefold()
    return (*map(str.casefold, entry.place(words)), bare)


def _dropped(entry: Entry, words: Words) -> Hashable:
    bare = plain_numbers(words.bare(entry.stem)).casefold()
    return (*map(str.casefold, entry.place(words, drop=True)), bare)


def _join(found: Matches, key: _Key) -> None:
    found.join(lambda entry: key(entry, IR), lambda entry: key(entry, VI), _shared_name)


def _shared_name(ir: Entry, vi: Entry) -> str:
    """What both are called without their modality, or VI's own name where that is nothing."""
    stem = vi.stem if ir.stem == vi.stem else VI.bare(vi.stem) or vi.stem
    return _in_place(vi, stem)


def _in_place(vi: Entry, stem: str) -> str:
    return "/".join((*vi.place(VI), stem))


def _join_shots(found: Matches) -> None:
    """Rule 5; files that share a shot with another of their side stay alone."""
    ours = found.group(found.lonely_ir, partial(_shot_key, words=IR))
    theirs = found.group(found.lonely_vi, partial(_shot_key, words=VI))
    for key, shots in ours.items():
        for ir in shots:
            near = [vi for vi in theirs.get(key, []) if _same_shot(ir, vi)]
            near = found.by_lens(ir, near) if len(near) > 1 else near
            if len(near) == 1 and sum(_same_shot(other, near[0]) for other in shots) == 1:
                found.add(_shared_name(ir, near[0]), ir, near[0])


def _shot_key(entry: Entry, words: Words) -> Hashable:
    shot = stamped(entry.stem)
    return None if shot is None else (entry.place(words), shot[0])


def _same_shot(one: Entry, other: Entry) -> bool:
    shots = stamped(one.stem), stamped(other.stem)
    if shots[0] is None or shots[1] is None:
        return False
    return abs((shots[0][1] - shots[1][1]).total_seconds()) <= _SAME_SHOT_S


def _join_neighbors(found: Matches) -> None:
    """Rule 6, by the one direction in which more files have a neighbor."""

    def series(entry: Entry, words: Words) -> tuple[Hashable, int] | None:
        number = counted(entry.stem)
        return None if number is None else ((entry.place(words), number[0]), number[1])

    known = {s[0] for _, ir, _ in found.pairs if (s := series(ir, IR)) is not None}
    ours: dict[Hashable, dict[int, Entry]] = defaultdict(dict)
    theirs: dict[Hashable, dict[int, Entry]] = defaultdict(dict)
    for entries, words, into in ((found.lonely_ir, IR, ours), (found.lonely_vi, VI, theirs)):
        for entry in entries:
            mark = series(entry, words)
            if mark is not None and mark[0] not in known and entry not in found.claims:
                into[mark[0]][mark[1]] = entry
    for key, numbers in ours.items():
        others = theirs.get(key, {})
        after, before = (sum(n + step in others for n in numbers) for step in (1, -1))
        if after == before or numbers.keys() & others.keys():
            continue
        step = 1 if after > before else -1
        met = [(entry, others[n + step]) for n, entry in numbers.items() if n + step in others]
        for ir, vi in met:
            found.add(_in_place(vi, vi.stem), ir, vi)
        more = f" and {len(met) - 1} more likewise" if len(met) > 1 else ""
        found.notes.append(
            f"{met[0][0].path.name} goes with {met[0][1].path.name}{more}, by neighboring numbers: "
            "--dry-run shows it, --pair says it otherwise."
        )
