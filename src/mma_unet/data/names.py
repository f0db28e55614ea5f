"""What the names of files and folders say: which camera, which scene, which number.

A *modality word* (``ir``, ``thermal``, ``vis``, ``rgb`` ...) stands as a whole word at the end, at
the start or in the middle of a name, whatever its case; a digit bounds a word too (``IR1``).
Without it the names of a pair are one. Some words count in one place only: cameras of DJI end in
``_T`` and ``_V``, those of Autel begin with ``IRX`` and ``MAX``, those of FLIR with ``IR`` and
``DC`` or end in ``_PreviewData``.

See Also:
    `mma_unet.data.pairs`: the rules that use this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

__all__ = [
    "FIRST_LENS",
    "FUSED",
    "IR",
    "VI",
    "Words",
    "counted",
    "natural_key",
    "plain_numbers",
    "stamped",
]

_GAP = r"[_\-\s.]+"


@dataclass(frozen=True)
class Words:
    """The words of one modality, as alternatives of a regular expression.

    Attributes:
        anywhere: Words that count at both ends and in the middle of a name.
        first: Words that count at its start only.
        last: Words that count at its end only.
    """

    anywhere: str
    first: str
    last: str

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        ends, starts = f"(?:{self.anywhere}|{self.last})", f"(?:{self.anywhere}|{self.first})"
        return tuple(
            re.compile(pattern, re.IGNORECASE)
            for pattern in (
                rf"(?:{_GAP}|(?<=\d)|^){ends}$",
                rf"^{starts}(?:{_GAP}|(?=\d)|$)",
                rf"{_GAP}(?:{self.anywhere})(?={_GAP})",
            )
        )

    def strip(self, name: str) -> str | None:
        """The name without its word; None where it has none.

        Example:
            >>> IR.strip("IR1"), IR.strip("a_ir"), IR.strip("img_thermal_7"), IR.strip("FLIR_07")
            ('1', 'a', 'img_7', None)
        """
        for pattern in self._patterns:
            rest, count = pattern.subn("", name, count=1)
            if count:
                return rest
        return None

    def bare(self, name: str) -> str:
        """The name without its word, or as it is where it has none."""
        stripped = self.strip(name)
        return name if stripped is None else stripped


IR = Words("infrared|thermal|therm|lwir|mwir|swir|nir|fir|tir|inf|ir|th", "irx", "previewdata|t|i")
VI = Words("visible|visual|vis|vi|rgb|colou?r|optical|eo|co", "max|dc", "v|w|z")
FUSED = Words("fused|fusion|fuse|result", "", "f")
"""What results are called, here and by others: ``a_fused.png``."""

FIRST_LENS = ("v", "w", "z")
"""Of several visible cameras beside a thermal one, the field of view that is nearest to its."""


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``a2`` before ``a10``.

    Example:
        >>> sorted(["a10", "a2", "A1"], key=natural_key)
        ['A1', 'a2', 'a10']
    """
    parts = re.findall(r"\d+|\D+", text.casefold())
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)


def plain_numbers(text: str) -> str:
    """The text with its numbers written without leading zeros.

    Example:
        >>> plain_numbers("seq01_0007"), plain_numbers("000")
        ('seq1_7', '0')
    """
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def counted(stem: str) -> tuple[str, int] | None:
    """Maker's mark and number of a picture that a camera numbered by itself, else None.

    Cameras with two sensors number both pictures of a scene in turn: ``FLIR_0001`` and
    ``FLIR_0002``, or ``IR_0001`` and ``DC_0002``, whose mark is empty here.

    Example:
        >>> counted("FLIR_0012"), counted("IR_0001"), counted("DC_0002"), counted("0001")
        (('flir', 12), ('', 1), ('', 2), None)
    """
    found = re.fullmatch(r"(flir|dji|img|dsc|dscn|pict|ir|dc)[_\-]?(\d{3,})", stem, re.IGNORECASE)
    if found is None:
        return None
    mark = found[1].casefold()
    return ("" if mark in ("ir", "dc") else mark), int(found[2])


def stamped(stem: str) -> tuple[str, datetime] | None:
    """The running number and the time of a picture named by a DJI camera, else None.

    The sensors of one camera write the same number, and times that may be a second apart.

    Example:
        >>> stamped("DJI_20230131120001_0007_T")
        ('0007', datetime.datetime(2023, 1, 31, 12, 0, 1))
    """
    found = re.fullmatch(r"dji_(\d{14})_(\d{4,})(?:_[a-z])?", stem, re.IGNORECASE)
    if found is None:
        return None
    try:
        return found[2], datetime.strptime(found[1], "%Y%m%d%H%M%S")
    except ValueError:
        return None
