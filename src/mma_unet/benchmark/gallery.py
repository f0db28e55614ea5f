"""A gallery: a fixed list of pairs, each as one sheet with every method side by side.

Scores do not see halos, grids or lost people; eyes do. The list (`hard`, in `mma_unet.configs`) is
fixed, so that nobody picks flattering pairs afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from mma_unet.benchmark.pictures import draw_tile, windows_of
from mma_unet.benchmark.triples import BASELINES, Array, fused_by_visible
from mma_unet.configs import find_config
from mma_unet.data import Pair, Pairing, open_split, write_image
from mma_unet.data.images import luminance, read_eight_bit
from mma_unet.data.infrared import read_infrared_eight_bit
from mma_unet.errors import InputError
from mma_unet.inference import Fuser

__all__ = ["Entry", "load_entries", "render_gallery"]

_COLUMNS = 4
_LABEL = 26
_GAP = 8


@dataclass(frozen=True)
class Entry:
    """One pair of the gallery.

    Attributes:
        pair: The two files.
        split: The data split it comes from, as `"roadscene/test"`.
        why: What is hard about it.
    """

    pair: Pair
    split: str
    why: str

    @property
    def filename(self) -> str:
        """Name of its sheet."""
        return f"{self.split.replace('/', '_')}_{self.pair.name}.png"


def load_entries(path: Path, root: Path) -> list[Entry]:
    """Read a gallery's list and find its pairs.

    Args:
        path: A shipped list by its name, or YAML: mappings with `split`, `name` and `why`.
        root: Folder of the data sets.

    Raises:
        InputError: The file is not such a list, or a pair is not there.
    """
    file = find_config(path, "gallery")
    try:
        items = yaml.safe_load(file.read_text(encoding="utf-8"))
        wanted = [(str(i["split"]), str(i["name"]), str(i["why"])) for i in items]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a gallery; give a YAML list of split, name and why, "
            f"as {find_config('hard', 'gallery')}"
        ) from error
    pairs: dict[str, dict[str, Pair]] = {}
    entries = []
    for split, name, why in wanted:
        if split not in pairs:
            pairs[split] = {pair.name: pair for pair in open_split(split, root).pairs}
        if name not in pairs[split]:
            raise InputError(f"{path}: {split} below {root} has no pair {name}")
        entries.append(Entry(pairs[split][name], split, why))
    return entries


def render_gallery(
    entries: Sequence[Entry],
    fusers: Mapping[str, Fuser],
    peers: Mapping[str, Path],
    out: Path,
) -> Iterator[Path]:
    """Render one sheet per pair: sources, our models in color, baselines, and other methods.

    Args:
        entries: The pairs.
        fusers: Our models by the name to show.
        peers: For a split, a folder with one folder of fused images per method.
        out: Where the sheets go.

    Yields:
        The path of each sheet, as it is written.

    Raises:
        InputError: An image cannot be read, or the sheet cannot be written.
    """
    for entry in entries:
        ir, vi = read_infrared_eight_bit(entry.pair.ir), read_eight_bit(entry.pair.vi)
        results: dict[str, Array] = {
            name: np.asarray(fuser(ir, vi)) for name, fuser in fusers.items()
        }
        results |= {name: rule(luminance(ir), luminance(vi)) for name, rule in BASELINES.items()}
        folder = peers.get(entry.split)
        if folder is not None:
            results |= _of_peers(entry.pair, folder)
        windows = windows_of(list(results.values()), ir)
        tiles = [
            _labelled(name, *draw_tile(image, windows))
            for name, image in {"infrared": ir, "visible": vi, **results}.items()
        ]
        path = out / entry.filename
        title = f"{entry.split} {entry.pair.name}: {entry.why}"
        write_image(path, _sheet(title, tiles))
        yield path


def _of_peers(pair: Pair, folder: Path) -> dict[str, Array]:
    """The results of other methods for one pair, by the name of their folders."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of methods")
    found: dict[str, Array] = {}
    for method in sorted(p for p in folder.iterdir() if p.is_dir()):
        files, _ = fused_by_visible(Pairing((pair,), (), ()), method, pair.vi.parent, needed=False)
        if pair.vi in files:
            found[method.name] = read_eight_bit(files[pair.vi])
    return found


def _labelled(name: str, picture: Array, crops: tuple[Array, Array]) -> Array:
    """A label above the picture, the two crops below it."""
    body = np.vstack([picture, np.hstack(crops)])
    label = np.full((_LABEL, body.shape[1], 3), 255, np.uint8)
    return np.vstack([_write(label, name, 0.6), body])


def _sheet(title: str, tiles: Sequence[Array]) -> Array:
    """Tiles of one size in rows, under a title."""
    padded = [np.pad(t, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for t in tiles]
    padded += [np.full_like(padded[0], 255)] * (-len(padded) % _COLUMNS)
    rows = [np.hstack(padded[i : i + _COLUMNS]) for i in range(0, len(padded), _COLUMNS)]
    head = np.full((_LABEL + _GAP, rows[0].shape[1], 3), 255, np.uint8)
    return np.vstack([_write(head, title, 0.7), *rows])


def _write(strip: Array, text: str, size: float) -> Array:
    written: Any = cv2.putText(
        strip, text, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA
    )
    return np.asarray(written)
