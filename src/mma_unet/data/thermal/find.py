"""Files that are a pair by themselves: those of a camera that stores both pictures in one file."""

from collections import Counter
from pathlib import Path

from mma_unet.data.images import IMAGE_SUFFIXES
from mma_unet.data.listing import list_entries
from mma_unet.data.pairs import Pair, Pairing
from mma_unet.errors import InputError

__all__ = ["single_files"]


def single_files(place: Path, *, recursive: bool = False) -> Pairing:
    """One image, or each image of a folder, as a pair whose two files are the same.

    Whether a file holds both pictures is seen when it is read.

    Args:
        place: A file or a folder.
        recursive: Search the folders in the folder too.

    Raises:
        InputError: The place does not exist, or the folder holds no image.
    """
    if not place.exists():
        raise InputError(f"{place} does not exist: check the path.")
    if not place.is_dir():
        return Pairing((Pair(place.stem, place, place),))
    entries, problems = list_entries(place, IMAGE_SUFFIXES, recursive=recursive)
    if not entries:
        raise InputError(
            f"{place} holds no image: give a folder with files in one of the formats "
            f"{' '.join(IMAGE_SUFFIXES)}."
        )
    stems = Counter("/".join((*entry.folders, entry.stem)) for entry in entries)
    pairs = []
    for entry in entries:
        bare = "/".join((*entry.folders, entry.stem))
        pairs.append(Pair(entry.name if stems[bare] > 1 else bare, entry.path, entry.path))
    return Pairing(tuple(pairs), reasons=tuple(problems))
