"""Building a blind study: the page, its pictures, contact sheets, and the key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import ascii_uppercase

import cv2
import numpy as np
import torch

from mma_unet.benchmark import methods
from mma_unet.benchmark.evaluate import Progress
from mma_unet.benchmark.pictures import pick_evenly
from mma_unet.benchmark.study.key import (
    KEY_FILE,
    Key,
    KeyPair,
    kind_of,
    letters_of,
    read_kinds,
)
from mma_unet.benchmark.triples import BASELINES, Array, load
from mma_unet.data import find_pairs, to_float, write_image
from mma_unet.data.storage import as_place
from mma_unet.errors import InputError
from mma_unet.files import probe_target, write_text
from mma_unet.inference.canvas import Canvas
from mma_unet.inference.sources import read_source

__all__ = ["Study", "build_study"]

_WIDEST = 720
"""Width in pixels to which the tiles of a contact sheet are brought down."""
_COLUMNS = 3
_LABEL = 34
_GAP = 6


@dataclass(frozen=True)
class Study:
    """What was built.

    Attributes:
        page: The page to open.
        pairs: How many pairs it shows.
        notices: One sentence for all that is not shown.
    """

    page: Path
    pairs: int
    notices: tuple[str, ...]


def build_study(
    ir: str | Path,
    vi: str | Path,
    results: Mapping[str, str | Path],
    out: str | Path,
    *,
    baselines: Sequence[str] = (),
    seed: int = 0,
    limit: int | None = None,
    kinds: str | Path | None = None,
    progress: Progress | None = None,
) -> Study:
    """Write a page that shows shuffled, unnamed results beside their sources.

    `out` gets `index.html` with its pictures in `images/`, one contact sheet per pair in
    `sheets/`, an empty `answers_blank.json`, and last of all `key.json`, which says what the
    letters mean. Gray results take the color of the visible image, as those of `Fuser` do, so that
    color does not tell the methods apart.

    Args:
        ir: Folder of the infrared images.
        vi: Folder of the visible images.
        results: Folder of fused images by the method's name.
        out: Folder for the study.
        baselines: Fusion without learning that takes part too, by the names in `BASELINES`.
        seed: Seed of the shuffle of each pair.
        limit: How many pairs are shown, at even steps through the set; None for all.
        kinds: CSV with the columns `name` and `kind`; by default MSRS names tell day and night.
        progress: Called after each pair.

    Raises:
        InputError: A folder is missing or fits no pair, there are fewer than two methods or more
            than 26, an image cannot be read or is of another size, no pair has two results,
            `kinds` is bad, or `out` cannot be written or holds a study already.

    See Also:
        `mma_unet.benchmark.study.tally`: counts the answers.
    """
    out = Path(out)
    listed = read_kinds(Path(kinds)) if kinds is not None else {}
    unknown = [name for name in baselines if name not in BASELINES]
    if unknown:
        raise InputError(f"{unknown[0]} is no baseline: choose from {', '.join(BASELINES)}.")
    count = len(results) + len(set(baselines))
    if not 2 <= count <= len(ascii_uppercase):
        raise InputError(
            f"a study needs 2 to {len(ascii_uppercase)} methods, and {count} were named."
        )
    if (out / KEY_FILE).exists():
        raise InputError(f"{out} holds a study already: choose another folder or remove it.")
    pairing = find_pairs(ir, vi)
    for name in results:
        methods.check_name(name)
    shown = [methods.from_folder(n, as_place(f), pairing, as_place(vi)) for n, f in results.items()]
    shown += [m for m in methods.baselines(pairing.pairs) if m.name in baselines]
    probe_target(out / KEY_FILE)
    names = [pair.name for pair in pairing.pairs]
    chosen = names if limit is None else pick_evenly(names, limit)
    having = {name: [m for m in shown if name in m.triples] for name in chosen}
    ranked = [name for name in chosen if len(having[name]) > 1]
    if not ranked:
        raise InputError("no pair has the results of two methods, so there is nothing to rank.")
    digest, pairs = hashlib.sha256(), {}
    for index, name in enumerate(ranked):
        letters = letters_of(name, [method.name for method in having[name]], seed)
        triples = {method.name: method.triples[name] for method in having[name]}
        pictures: dict[str, Array] = {}
        for letter, method in letters.items():
            fused, pictures["ir"], pictures["vi"] = load(triples[method])
            pictures[letter] = _in_color(fused, pictures["vi"])
        for label, picture in pictures.items():
            write_image(out / "images" / f"{index:04}-{label}.png", picture)
            digest.update(picture.tobytes())
        write_image(out / "sheets" / f"{name}.png", _sheet(pictures))
        pairs[name] = KeyPair(kind_of(name, listed), letters)
        digest.update(json.dumps([name, letters]).encode())
        if progress is not None:
            progress("Drawing", index + 1, len(ranked))
    key = Key(digest.hexdigest()[:12], seed, pairs)
    write_text(out / "index.html", _page(key))
    blank = {"study": key.study, "rater": "", "answers": dict.fromkeys(pairs, "")}
    text = json.dumps(blank, indent=1, ensure_ascii=False) + "\n"
    write_text(out / "answers_blank.json", text)
    key.write(out)
    skipped = len(chosen) - len(ranked)
    notices = [remark for method in shown for remark in method.remarks]
    notices += [f"{path} has no partner and was passed over."
                for path in (*pairing.unpaired_ir, *pairing.unpaired_vi)]  # fmt: skip
    notices += [
        f"{method.name} has no result for {len(lacking)} of {len(chosen)} pairs, which are shown "
        f"without it: {', '.join(lacking[:5])}{', ...' if len(lacking) > 5 else ''}"
        for method in shown
        if (lacking := [name for name in chosen if name not in method.triples])
    ]
    if skipped:
        notices.append(f"{skipped} pairs have fewer than two results and are not shown.")
    return Study(out / "index.html", len(ranked), tuple(notices))


def _in_color(fused: Array, vi: Array) -> Array:
    """A gray result with the chroma of the visible image; one in color stays as it is."""
    if fused.ndim == 3:
        if (fused != fused[..., :1]).any():
            return fused
        fused = fused[..., 0]
    canvas = Canvas(read_source(vi, "vi"), gray=False)
    whole = slice(None)
    canvas.paint(whole, whole, torch.from_numpy(to_float(fused))[None])
    return np.asarray(canvas.result())


def _sheet(pictures: Mapping[str, Array]) -> Array:
    """The sources and then the results by letter, each below its label, three in a row."""
    order = ["ir", "vi", *sorted(pictures.keys() - {"ir", "vi"})]
    tiles = [_labelled(label, pictures[label]) for label in order]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)])


def _labelled(label: str, picture: Array) -> Array:
    color = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    height, width = color.shape[:2]
    if width > _WIDEST:
        size = (_WIDEST, max(1, round(height * _WIDEST / width)))
        color = cv2.resize(color, size, interpolation=cv2.INTER_AREA)
    framed = np.pad(color, ((_LABEL, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    text = {"ir": "infrared", "vi": "visible"}.get(label, label)
    font, ink = cv2.FONT_HERSHEY_SIMPLEX, (0, 0, 0)
    return np.asarray(cv2.putText(framed, text, (6, 26), font, 0.9, ink, 2, cv2.LINE_AA))


def _page(key: Key) -> str:
    """The page with the study's data; it holds letters and never a method's name."""
    folder = resources.files("mma_unet.benchmark") / "templates"
    pairs = [{"name": name, "letters": "".join(p.letters)} for name, p in key.pairs.items()]
    data = json.dumps({"study": key.study, "pairs": pairs}).replace("<", "\\u003c")
    page = (folder / "study.html").read_text("utf-8")
    keys = (folder / "study_keys.js").read_text("utf-8")
    return page.replace("/*KEYS*/", keys).replace("/*DATA*/", data)
