"""`--pair`: how both names of a pair read, where no rule knows them."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import PurePosixPath

from mma_unet.data.images import IMAGE_SUFFIXES
from mma_unet.data.video_names import VIDEO_SUFFIXES
from mma_unet.errors import InputError

__all__ = ["PairPattern", "Reading"]

_PIECE = re.compile(r"\*|#(?:[+-]\d+)?")


@dataclass(frozen=True)
class Reading:
    """How the names of one side read: literal text, `*` and numbers `#`.

    Attributes:
        text: As it was given.
        pieces: The wildcards in it.
        regex: What a name must match as a whole.
    """

    text: str
    pieces: tuple[str, ...]
    regex: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Reading:
        """Read one side of the pattern."""
        pieces = tuple(_PIECE.findall(text))
        groups = (r"([^/]*)" if piece == "*" else r"(\d+)" for piece in pieces)
        literal = map(re.escape, _PIECE.split(text))
        regex = next(literal) + "".join(a + b for a, b in zip(groups, literal, strict=True))
        return cls(text, pieces, re.compile(regex, re.IGNORECASE))

    def texts(self, name: str) -> tuple[str, ...] | None:
        """What the wildcards stand for in a name; None if it reads otherwise."""
        path = PurePosixPath(name)
        shown = path if "/" in self.text else PurePosixPath(path.name)
        whole = PurePosixPath(self.text).suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
        found = self.regex.fullmatch(str(shown if whole else shown.with_suffix("")))
        return None if found is None else tuple(found.groups())

    def key(self, name: str) -> Hashable:
        """What the wildcards stand for, numbers as numbers; None if the name reads otherwise."""
        texts = self.texts(name)
        if texts is None:
            return None
        folder = () if "/" in self.text else PurePosixPath(name).parent.parts
        return (
            *folder,
            *(
                text.casefold() if piece == "*" else int(text) - int(piece[1:] or 0)
                for piece, text in zip(self.pieces, texts, strict=True)
            ),
        )


@dataclass(frozen=True)
class PairPattern:
    """Both sides of a pattern such as ``*_left=*_right`` or ``X#=X#+1``.

    A `*` stands for any text, the same on both sides; a `#` for a number, which may be written
    with leading zeros, and `#+1` for the number that is one more than on the other side. Case does
    not matter; an extension need not be given; a side with a `/` reads the folders below too.

    Example:
        >>> pattern = PairPattern.parse("cam#_a=cam#+1_b.jpg")
        >>> pattern.ir.key("cam07_A.png") == pattern.vi.key("cam8_b.jpg")
        True
    """

    ir: Reading
    vi: Reading

    @classmethod
    def parse(cls, text: str) -> PairPattern:
        """Read a pattern.

        Raises:
            InputError: It has not two sides, or they have other wildcards.
        """
        sides = text.split("=")
        if len(sides) != 2 or not all(sides):
            raise InputError(
                f"--pair {text}: give how the infrared and the visible name read, with = between "
                "them, e.g. '*_left=*_right' or 'X#=X#+1'"
            )
        ir, vi = map(Reading.parse, sides)
        kinds = [[piece[0] for piece in side.pieces] for side in (ir, vi)]
        if kinds[0] != kinds[1] or not kinds[0]:
            raise InputError(
                f"--pair {text}: give both sides the same wildcards in the same order, * for text "
                "and # for a number"
            )
        return cls(ir, vi)

    @property
    def deep(self) -> bool:
        """Whether a side names folders, so that folders must be searched."""
        return "/" in self.ir.text or "/" in self.vi.text

    def name(self, vi: str) -> str:
        """What to call the pair: the text of a lone `*`, else nothing."""
        texts = self.vi.texts(vi)
        return texts[0] if self.vi.pieces == ("*",) and texts is not None else ""
