"""Why a file has no partner: the nearest candidate, and what keeps the two apart."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from mma_unet.data.listing import Entry
from mma_unet.data.names import IR, VI, Words, natural_key

if TYPE_CHECKING:
    from mma_unet.data.matching import Matches

__all__ = ["why_unpaired"]

_AROUND = 4
"""Candidates on either side in natural order that are looked at: folders may be large."""

_LIKE = 0.5
_MEND = "name both alike, or say how they differ with --pair."


def why_unpaired(found: Matches) -> list[str]:
    """One sentence for each file without a partner; files of one claim share theirs."""
    partners = {entry: other for _, a, b in found.pairs for entry, other in ((a, b), (b, a))}
    sentences: list[str] = []
    for lonely, others, words, foreign in (
        (found.lonely_ir, found.vi, IR, VI),
        (found.lonely_vi, found.ir, VI, IR),
    ):
        order = sorted(others, key=lambda entry: _key(entry, foreign))
        keys = [_key(entry, foreign) for entry in order]
        for entry in lonely:
            sentence = found.claims.get(entry)
            if sentence is None:
                at = bisect(keys, _key(entry, words))
                near = order[max(0, at - _AROUND) : at + _AROUND]
                why = _why(entry, near, words, foreign, partners)
                sentence = f"{entry.path} has no partner: {why}; {_MEND}"
            sentences.append(sentence)
    return list(dict.fromkeys(sentences))


def _key(entry: Entry, words: Words) -> tuple[tuple[int, int, str], ...]:
    return natural_key(words.bare(entry.stem))


def _why(
    entry: Entry, near: Sequence[Entry], words: Words, foreign: Words, partners: dict[Entry, Entry]
) -> str:
    mine = words.bare(entry.stem)

    def likeness(other: Entry) -> float:
        same_place = entry.place(words) == other.place(foreign)
        names = (mine.casefold(), foreign.bare(other.stem).casefold())
        return SequenceMatcher(None, *names).ratio() + 0.1 * same_place

    best = max(near, key=likeness, default=None)
    if words.strip(entry.stem) is None and foreign.strip(entry.stem) is not None:
        kind = "a visible" if foreign is VI else "an infrared"
        return f"it is named as {kind} image"
    if best is None or likeness(best) < _LIKE:
        return "no name on the other side is like it"
    shown = best.name
    if best in partners:
        return f"the nearest, {shown}, goes with {partners[best].name}"
    if entry.place(words) != best.place(foreign):
        return f"the nearest, {shown}, lies in another folder"
    theirs = foreign.bare(best.stem)
    if re.split(r"\d+", mine.casefold()) == re.split(r"\d+", theirs.casefold()):
        numbers = zip(*(re.findall(r"\d+", text) for text in (mine, theirs)), strict=True)
        one, other = next(((a, b) for a, b in numbers if int(a) != int(b)), ("", ""))
        if not one:
            return f"the nearest, {shown}, is left out too"
        return f"the nearest, {shown}, has the number {other} and not {one}"
    ours, others = _differing(mine, theirs)
    return f"the nearest, {shown}, differs in {others!r} where it has {ours!r}"


def _differing(one: str, other: str) -> tuple[str, str]:
    """The words of two names between their common start and their common end.

    Example:
        >>> _differing("cam_left_1", "cam_right_1")
        ('left', 'right')
    """
    ones, others = (re.split(r"([_\-\s.]+)", name) for name in (one, other))
    while ones and others and ones[0] == others[0]:
        del ones[0], others[0]
    while ones and others and ones[-1] == others[-1]:
        del ones[-1], others[-1]
    return "".join(ones), "".join(others)
