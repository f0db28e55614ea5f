"""Finding which infrared file belongs to which visible file.

The rules, in this order: two files are a pair whatever their names; in two folders files of the
same stem are a pair (extensions may differ); what is left is compared again after the words that
name the modality (``ir``, ``thermal``, ``vis``, ``rgb`` ...) are taken off the start or the end of
the stem, as whole words and whatever their case. Everything without a partner is reported.
Folders may be fsspec URLs: the same rules hold for their listings.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mma_unet.data.images import IMAGE_SUFFIXES
from mma_unet.data.storage import is_remote, list_files, locate
from mma_unet.errors import InputError
from mma_unet.files import kind_of

__all__ = ["Pair", "Pairing", "find_pairs", "natural_key", "split_by_name"]

_IR_WORDS = "infrared|thermal|lwir|tir|inf|ir"
_VI_WORDS = "visible|visual|vis|rgb|vi"
_LEFT = r"^(?:{words})(?:[_\-\s.]+|(?=\d)|$)"
_RIGHT = r"(?:[_\-\s.]+|(?<=\d)|^)(?:{words})$"


@dataclass(frozen=True)
class Pair:
    """One infrared file and the visible file of the same scene.

    Attributes:
        name: Stem for what is made from the pair; unique within a `Pairing`.
        ir: The infrared file.
        vi: The visible file.
    """

    name: str
    ir: Path
    vi: Path


@dataclass(frozen=True)
class Pairing:
    """What was found: the pairs in natural order, and the files left without a partner."""

    pairs: tuple[Pair, ...]
    unpaired_ir: tuple[Path, ...] = ()
    unpaired_vi: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``a2`` before ``a10``.

    Example:
        >>> sorted(["a10", "a2", "A1"], key=natural_key)
        ['A1', 'a2', 'a10']
    """
    parts = re.findall(r"\d+|\D+", text.casefold())
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts)


def find_pairs(ir: str | Path, vi: str | Path) -> Pairing:
    """Pair two files, the images of two folders, or the images of one folder given twice.

    Args:
        ir: An infrared image, or a folder of them: a path, an fsspec URL or a place from `locate`.
        vi: A visible image, or a folder of them; the same folder as ``ir`` where both kinds lie
            together and their names say which is which (``a_ir.png`` and ``a_vi.png``).

    Returns:
        The pairs in natural order of their names, and the files without a partner. In the case
        of one folder, files whose name gives no modality are left out of both lists.

    Raises:
        InputError: A path is missing, a file meets a folder, a folder holds no image, two files
            claim the same partner, or no pair is found at all.
    """
    ir, vi = (locate(place) if isinstance(place, str) else place for place in (ir, vi))
    for path in (ir, vi):
        if not (path.exists() if is_remote(path) else kind_of(path)):
            raise InputError(f"{path} does not exist: check the path.")
    if ir.is_dir() != vi.is_dir():
        folder, file = (ir, vi) if ir.is_dir() else (vi, ir)
        raise InputError(
            f"{folder} is a folder and {file} is a file: give two files or two folders."
        )
    if not ir.is_dir():
        return Pairing((Pair(_pair_name(ir, vi), ir, vi),))
    if ir.resolve() == vi.resolve():
        ir_files, vi_files = split_by_name(ir)
    else:
        ir_files, vi_files = _list_images(ir), _list_images(vi)
    pairing = _match(ir_files, vi_files)
    if not pairing.pairs:
        raise InputError(
            f"no image of {ir} has a partner in {vi}: give the two files of a pair the same name, "
            "or names that differ only in a suffix such as _ir and _vi."
        )
    return pairing


def split_by_name(folder: Path) -> tuple[list[Path], list[Path]]:
    """Tell the infrared from the visible images of one folder by the words in their names.

    Args:
        folder: Holds both kinds.

    Returns:
        The infrared and the visible files, each in natural order; a name that says neither, or
        both, is in none of them.

    Raises:
        InputError: The folder cannot be listed or holds no image.
    """
    files = _list_images(folder)
    ir = [f for f in files if _strip(f.stem, _IR_WORDS) is not None]
    vi = [f for f in files if _strip(f.stem, _VI_WORDS) is not None]
    both = set(ir) & set(vi)
    return [f for f in ir if f not in both], [f for f in vi if f not in both]


def _list_images(folder: Path) -> list[Path]:
    files = [
        file
        for file in (folder / name for name in list_files(folder) if not name.startswith("."))
        if file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise InputError(
            f"{folder} holds no image: give a folder with files in one of the formats "
            f"{' '.join(IMAGE_SUFFIXES)}."
        )
    return sorted(files, key=lambda f: natural_key(f.name))


def _match(ir_files: Sequence[Path], vi_files: Sequence[Path]) -> Pairing:
    rest_ir, rest_vi = list(ir_files), list(vi_files)
    found: list[Pair] = []
    names: set[str] = set()
    for exact in (True, False):
        by_ir = _group(rest_ir, _IR_WORDS, exact)
        by_vi = _group(rest_vi, _VI_WORDS, exact)
        for key in by_ir.keys() & by_vi.keys():
            for claimants in (by_ir[key], by_vi[key]):
                if len(claimants) > 1:
                    raise InputError(
                        f"{claimants[0]} and {claimants[1]} both claim the same partner: rename "
                        "or remove one of them."
                    )
            one, other = by_ir[key][0], by_vi[key][0]
            name = _pair_name(one, other)
            if name in names:
                name = other.stem
            names.add(name)
            found.append(Pair(name, one, other))
        taken = {p for pair in found for p in (pair.ir, pair.vi)}
        rest_ir = [f for f in rest_ir if f not in taken]
        rest_vi = [f for f in rest_vi if f not in taken]
    found.sort(key=lambda pair: natural_key(pair.name))
    return Pairing(tuple(found), tuple(rest_ir), tuple(rest_vi))


def _group(files: Iterable[Path], words: str, exact: bool) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        stripped = None if exact else _strip(file.stem, words)
        key = file.stem if exact else (file.stem if stripped is None else stripped).casefold()
        groups[key].append(file)
    return groups


def _strip(stem: str, words: str) -> str | None:
    """The stem without its modality word at one end; None where it has none.

    Example:
        >>> _strip("IR1", _IR_WORDS), _strip("a_ir", _IR_WORDS), _strip("FLIR_07", _IR_WORDS)
        ('1', 'a', None)
    """
    for pattern in (_RIGHT, _LEFT):
        rest, count = re.subn(pattern.format(words=words), "", stem, flags=re.IGNORECASE)
        if count:
            return rest
    return None


def _pair_name(ir: Path, vi: Path) -> str:
    """The shared stem, else what both stems share without their modality word, else VI's stem."""
    if ir.stem == vi.stem:
        return vi.stem
    short_ir, short_vi = _strip(ir.stem, _IR_WORDS), _strip(vi.stem, _VI_WORDS)
    bare = vi.stem if short_vi is None else short_vi
    other = ir.stem if short_ir is None else short_ir
    return bare if bare and bare.casefold() == other.casefold() else vi.stem
