"""The key of a study: which method hides behind which letter, and what kind of scene a pair is."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_uppercase

from mma_unet.errors import InputError
from mma_unet.files import write_text

__all__ = ["KEY_FILE", "Key", "KeyPair", "kind_of", "letters_of", "read_key", "read_kinds"]

KEY_FILE = "key.json"
"""Its name in the folder of a study."""

_MSRS = re.compile(r"\d+([DN])")
"""MSRS ends the number of a frame in D by day and in N by night."""


@dataclass(frozen=True)
class KeyPair:
    """What is known of one pair.

    Attributes:
        kind: Kind of its scene, as `"night"`.
        letters: Method by letter.
    """

    kind: str
    letters: dict[str, str]


@dataclass(frozen=True)
class Key:
    """What the raters must not see.

    Attributes:
        study: Digest of the letters and the pictures; answers carry it.
        seed: Seed of the shuffle.
        pairs: By the name of the pair, in the order of the page.
    """

    study: str
    seed: int
    pairs: dict[str, KeyPair]

    def write(self, folder: Path) -> None:
        """Write `key.json`.

        Raises:
            InputError: The place cannot be written.
        """
        write_text(folder / KEY_FILE, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def read_key(folder: Path) -> Key:
    """Read the `key.json` of a study's folder.

    Raises:
        InputError: It is not there, or is no key.
    """
    path = folder / KEY_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        pairs = {
            str(name): KeyPair(
                str(pair["kind"]), {str(k): str(v) for k, v in pair["letters"].items()}
            )
            for name, pair in raw["pairs"].items()
        }
        return Key(str(raw["study"]), int(raw["seed"]), pairs)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: give the folder that `mma-unet study -o` wrote."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the key of a study: build the study again.") from error


def letters_of(name: str, methods: Iterable[str], seed: int) -> dict[str, str]:
    """The method behind each letter of one pair.

    The shuffle depends on nothing but the seed, the pair's name and which methods there are, so a
    pair keeps its letters whatever other pairs are shown.

    Args:
        name: The pair's name.
        methods: Names of at most 26 methods, in any order.
        seed: Seed of the study.

    Example:
        >>> letters_of("00020N", ["small", "seafusion", "cddfuse"], seed=0)
        {'A': 'small', 'B': 'cddfuse', 'C': 'seafusion'}
    """
    shuffled = sorted(methods)
    random.Random(f"{seed}:{name}").shuffle(shuffled)
    return dict(zip(ascii_uppercase, shuffled, strict=False))


def read_kinds(path: Path) -> dict[str, str]:
    """Read a CSV with the columns `name` and `kind`.

    Returns:
        Kind by the pair's name.

    Raises:
        InputError: It cannot be read, lacks a column, or has an empty cell.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read: give a CSV with the columns name,kind."
        ) from error
    kinds = {(row.get("name") or ""): (row.get("kind") or "") for row in rows}
    if not kinds or not all(name and kind for name, kind in kinds.items()):
        raise InputError(f"{path}: every line needs a name and a kind, below the header name,kind.")
    return kinds


def kind_of(name: str, kinds: Mapping[str, str]) -> str:
    """Kind of a pair's scene: as listed, else by the D or N of MSRS, else `"other"`.

    Example:
        >>> kind_of("00020N", {}), kind_of("00081D", {"00081D": "glare"}), kind_of("FLIR_1", {})
        ('night', 'glare', 'other')
    """
    if name in kinds:
        return kinds[name]
    found = _MSRS.fullmatch(name)
    return {"D": "day", "N": "night"}[found[1]] if found else "other"
