"""Files that are a pair by themselves: those of a camera that stores both pictures in one file."""

from collections import Counter
from pathlib import Path

from mma_unet.data.images import IMAGE_SUFFIXES
from mma_unet.data.pairs import Pair, Pairing, natural_key
from mma_unet.data.storage import list_files
from mma_unet.errors import InputError

__all__ = ["single_files"]


def single_files(place: Path) -> Pairing:
    """One image, or each image of a folder, as a pair whose two files are the same.

    Whether a file holds both pictures is seen when it is read.

    Raises:
        InputError: The place does not exist, or the folder holds no image.
    """
    if not place.exists():
        raise InputError(f"{place} does not exist: check the path.")
    if not place.is_dir():
        return Pairing((Pair(place.stem, place, place),))
    names = [
        name
        for name in sorted(list_files(place), key=natural_key)
        if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
    ]
    if not names:
        raise InputError(
            f"{place} holds no image: give a folder with files in one of the formats "
            f"{' '.join(IMAGE_SUFFIXES)}."
        )
    stems = Counter(Path(name).stem for name in names)
    files = [
        (name if stems[Path(name).stem] > 1 else Path(name).stem, place / name) for name in names
    ]
    return Pairing(tuple(Pair(name, file, file) for name, file in files))
