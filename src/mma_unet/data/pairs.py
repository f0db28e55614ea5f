"""Finding which infrared file belongs to which visible file.

The rules stand in `mma_unet.data.matching`, the words of names in `mma_unet.data.names`. Two files
are a pair whatever their names. Everything without a partner is reported, with the nearest
candidate and why it is none. Folders may be fsspec URLs: the same rules hold for their listings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mma_unet.data.images import IMAGE_SUFFIXES
from mma_unet.data.listing import Entry, holds_deeper, list_entries, split_entries
from mma_unet.data.matching import Matches, match_entries, match_pattern, match_results
from mma_unet.data.names import IR, VI, natural_key
from mma_unet.data.nearest import why_unpaired
from mma_unet.data.patterns import PairPattern
from mma_unet.data.storage import as_place, is_remote
from mma_unet.errors import InputError
from mma_unet.files import kind_of

__all__ = ["Pair", "Pairing", "find_pairs", "find_results", "natural_key", "split_by_name"]


@dataclass(frozen=True)
class Pair:
    """One infrared file and the visible file of the same scene.

    Attributes:
        name: Stem for what is made from the pair, with the folders it lies in where they were
            searched too (`"set00/a"`); unique within a `Pairing`.
        ir: The infrared file.
        vi: The visible file.
    """

    name: str
    ir: Path
    vi: Path


@dataclass(frozen=True)
class Pairing:
    """What was found.

    Attributes:
        pairs: The pairs in natural order of their names.
        unpaired_ir: Infrared files without a partner.
        unpaired_vi: Visible files without a partner.
        reasons: One sentence for each file without a partner (two that claim the same partner
            share one): the nearest candidate, and why it is none.
        notes: Sentences about pairs that were found by a guess.
    """

    pairs: tuple[Pair, ...]
    unpaired_ir: tuple[Path, ...] = ()
    unpaired_vi: tuple[Path, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)


def find_pairs(
    ir: str | Path,
    vi: str | Path,
    *,
    recursive: bool = False,
    pattern: str | None = None,
    suffixes: Sequence[str] = IMAGE_SUFFIXES,
) -> Pairing:
    """Pair two files, the images of two folders, or the images of one folder given twice.

    Args:
        ir: An infrared image, or a folder of them: a path, an fsspec URL or a place from `locate`.
        vi: A visible image, or a folder of them; the same folder as ``ir`` where both kinds lie
            together and their names, or those of the folders in it, say which is which
            (``a_ir.png`` and ``a_vi.png``; ``lwir/a.png`` and ``visible/a.png``).
        recursive: Search the folders in the folders too.
        pattern: How both names of a pair read instead of the rules: see
            `mma_unet.data.patterns.PairPattern`.
        suffixes: Endings of the files to pair, in lower case.

    Returns:
        The pairs in natural order of their names, and the files without a partner. In the case
        of one folder, files whose name gives no modality are left out of both lists.

    Raises:
        InputError: A path is missing, a file meets a folder, a folder holds no image, the pattern
            is none, or no pair is found at all.
    """
    ir, vi = as_place(ir), as_place(vi)
    for path in (ir, vi):
        if not (path.exists() if is_remote(path) else kind_of(path)):
            raise InputError(f"{path} does not exist: check the path.")
    if ir.is_dir() != vi.is_dir():
        folder, file = (ir, vi) if ir.is_dir() else (vi, ir)
        raise InputError(
            f"{folder} is a folder and {file} is a file: give two files or two folders."
        )
    if not ir.is_dir():
        return Pairing((Pair(_name_of_two(ir, vi), ir, vi),))
    wanted = PairPattern.parse(pattern) if pattern is not None else None
    recursive = recursive or (wanted is not None and wanted.deep)
    one = ir.resolve() == vi.resolve()
    ir_files, problems = _entries(ir, suffixes, recursive, one)
    vi_files, more = (ir_files, []) if one else _entries(vi, suffixes, recursive, one)
    if wanted is not None:
        found = match_pattern(wanted, ir_files, vi_files, one_folder=one)
    else:
        if one:
            ir_files, vi_files = split_entries(ir_files)
        found = match_entries(ir_files, vi_files)
    pairing = _pairing(found, (*problems, *more))
    if not pairing.pairs:
        why = next(iter(pairing.reasons), "no name says which modality it is").rstrip(".")
        raise InputError(
            f"no image of {ir} has a partner in {vi} ({why}): give the two files of a pair the "
            "same name, or names that differ only in a suffix such as _ir and _vi, or say how they "
            "differ with --pair."
        )
    return pairing


def find_results(pairing: Pairing, folder: Path, *, recursive: bool = False) -> Pairing:
    """Find which fused file of a folder belongs to which pair.

    A result is called as its pair or as one of its sources, or so after the word for results is
    taken off (``a_fused.png``, ``fused_a.png``, ``a_vi_result.png``).

    Args:
        pairing: The sources.
        folder: The folder of fused images, or one fused image of one pair.
        recursive: Search the folders in it too.

    Returns:
        Pairs of the fused file, as ``ir``, and the visible file of the pair; `unpaired_ir` are
        the fused files that belong to no pair.

    Raises:
        InputError: The path is missing or holds no image.
    """
    if not folder.exists():
        raise InputError(f"{folder} does not exist: check the path.")
    if not folder.is_dir():
        if len(pairing) != 1:
            raise InputError(f"{folder} is a file: give the folder of the fused images.")
        return Pairing((Pair(pairing.pairs[0].name, folder, pairing.pairs[0].vi),))
    files, problems = _entries(folder, IMAGE_SUFFIXES, recursive, one_folder=False)
    found = match_results(files, [(pair.name, pair.ir, pair.vi) for pair in pairing.pairs])
    return _pairing(found, tuple(problems))


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
    entries, _ = _entries(folder, IMAGE_SUFFIXES, recursive=False, one_folder=False)
    ir, vi = split_entries(entries)
    return [entry.path for entry in ir], [entry.path for entry in vi]


def _entries(
    folder: Path, suffixes: Sequence[str], recursive: bool, one_folder: bool
) -> tuple[list[Entry], list[str]]:
    files, problems = list_entries(folder, suffixes, recursive=recursive)
    if not files and one_folder and not recursive:  # `ir` and `vi` below the one folder
        files, problems = list_entries(folder, suffixes, recursive=True, depth=1)
        if not all(split_entries(files)):
            files = []
    if not files:
        deeper = not recursive and holds_deeper(folder, suffixes)
        raise InputError(
            f"{folder} holds no image, but folders in it do: add --recursive."
            if deeper
            else f"{folder} holds no image: give a folder with files in one of the formats "
            f"{' '.join(suffixes)}."
        )
    return files, problems


def _pairing(found: Matches, problems: tuple[str, ...]) -> Pairing:
    pairs = [Pair(name, one.path, other.path) for name, one, other in found.pairs]
    pairs.sort(key=lambda pair: natural_key(pair.name))
    return Pairing(
        tuple(pairs),
        tuple(entry.path for entry in found.lonely_ir),
        tuple(entry.path for entry in found.lonely_vi),
        (*problems, *why_unpaired(found)),
        tuple(found.notes),
    )


def _name_of_two(ir: Path, vi: Path) -> str:
    """The shared stem, else what both stems share without their modality word, else VI's stem."""
    if ir.stem == vi.stem:
        return vi.stem
    bare = VI.bare(vi.stem)
    return bare if bare and bare.casefold() == IR.bare(ir.stem).casefold() else vi.stem
