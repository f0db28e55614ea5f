"""Opening a data set: from a name or a folder and a split to its pairs."""

from collections.abc import Iterator
from pathlib import Path

from mma_unet.data.catalog import (
    CATALOG,
    PLAIN_LAYOUTS,
    SPLITS,
    DatasetInfo,
    Layout,
    find_info,
    how_to_get,
)
from mma_unet.data.pairs import Pair, Pairing, find_pairs, split_by_name
from mma_unet.errors import InputError

__all__ = ["find_folders", "open_dataset", "open_split"]

_ANY_FOLDER = (
    *PLAIN_LAYOUTS,
    Layout("infrared/{split}", "visible/{split}"),
    Layout("{split}/infrared", "{split}/visible"),
    *(
        Layout(ir, vi, role="*")
        for ir, vi in (
            ("ir", "vi"),
            ("ir", "vis"),
            ("infrared", "visible"),
            ("thermal", "visible"),
            ("thermal", "rgb"),
            ("lwir", "visible"),
            ("ir", "rgb"),
            ("ct", "mri"),  # medical pairs: the functional or other modality, and the MRI
            ("pet", "mri"),
            ("spect", "mri"),
        )
    ),
)  # fmt: skip


def open_dataset(name_or_path: str | Path, root: str | Path, split: str = "all") -> Pairing:
    """Find the pairs of a named data set, or of any folder that holds two folders.

    Args:
        name_or_path: A name of the catalogue (``MSRS``, ``msrs``), or the path of a folder with
            ``ir`` and ``vi`` in it (or ``infrared`` and ``visible`` and the like), with or
            without a folder for each split; relative paths are tried as they are, then in
            ``root``.
        root: The folder that holds the data sets, or the folder of the named set itself.
        split: ``train``, ``val``, ``test``, or ``all`` for every split that is there. A named set
            that lies in two plain folders answers to ``all`` and to what it is usually used for;
            a folder given by its path answers to any split.

    Returns:
        The pairs, and the files that have no partner.

    Raises:
        InputError: The name, the folder or the split is not there; the sentence tells where it
            was looked for and how to get it. Also what `find_pairs` raises.
    """
    if split not in (*SPLITS, "all"):
        raise InputError(f"{split!r} is not a split: use train, val, test or all.")
    root = Path(root)
    info = find_info(str(name_or_path))
    if info is None:
        return _open_folder(Path(name_or_path), root, split)
    bases = find_folders(info, root)
    present: list[str] = []
    for base in bases:
        pairing = _try_layouts(base, info.layouts, split, present)
        if pairing is not None:
            return pairing
        if info.scattered and not present and split in ("test", "all"):
            pairing = _find_scattered(base)
            if pairing is not None:
                return pairing
    if present:
        raise InputError(
            f"{info.name} in {root} has no split {split!r}: use {_join([*present, 'all'])}."
        )
    raise InputError(
        f"{info.name} was not found in {root} (looked for {_looked_for(info)}): {how_to_get(info)}"
    )


def open_split(spec: str, root: str | Path) -> Pairing:
    """Open what one word names, as recipes and galleries do.

    Args:
        spec: ``NAME/SPLIT`` (``roadscene/test``), or a name or folder alone for all of it.
        root: As for `open_dataset`, which also tells what is raised.
    """
    name, _, split = spec.rpartition("/")
    if not name or split not in (*SPLITS, "all"):
        name, split = spec, "all"
    return open_dataset(name, root, split)


def find_folders(info: DatasetInfo, root: str | Path) -> list[Path]:
    """The folders below ``root``, or ``root`` itself, that carry a name of the data set.

    Args:
        info: The data set.
        root: The folder that holds the data sets.

    Returns:
        Those that exist, the likeliest first; case does not matter.
    """
    root = Path(root)
    found = [base for folder in info.folders if (base := _descend(root, folder)) is not None]
    if root.is_dir() and root.name.casefold() in {folder.casefold() for folder in info.folders}:
        found.append(root)
    return list(dict.fromkeys(found))


def _looked_for(info: DatasetInfo) -> str:
    first, last = info.layouts[0], info.layouts[-1]
    shown = dict.fromkeys(f"{info.folders[0]}/{part}" for part in (first.ir, last.ir))
    return _join(list(shown)).format(split="train")


def _open_folder(path: Path, root: Path, split: str) -> Pairing:
    candidates = [path] if path.is_absolute() else [path, root / path]
    for candidate in candidates:
        if candidate.is_dir():
            break
    else:
        names = ", ".join(info.name for info in CATALOG)
        raise InputError(
            f"{path} is neither a data set ({names}) nor a folder here or in {root}: check the "
            "name."
        )
    present: list[str] = []
    pairing = _try_layouts(candidate, _ANY_FOLDER, split, present)
    if pairing is not None:
        return pairing
    if present:
        raise InputError(f"{candidate} has no split {split!r}: use {_join([*present, 'all'])}.")
    try:
        return find_pairs(candidate, candidate)
    except InputError:  # as KAIST is published: set00/V000/lwir, set00/V000/visible
        return find_pairs(candidate, candidate, recursive=True)


def _try_layouts(
    base: Path, layouts: tuple[Layout, ...], split: str, present: list[str]
) -> Pairing | None:
    """The first layout that holds the split; the splits met on the way go to ``present``."""
    for layout in layouts:
        if layout.only is not None and layout.only.casefold() != base.name.casefold():
            continue
        found: list[tuple[str, Path, Path]] = []
        for name in SPLITS if layout.has_splits else (layout.role,):
            ir = _descend(base, layout.ir.format(split=name))
            vi = _descend(base, layout.vi.format(split=name))
            if ir is not None and vi is not None:
                found.append((name, ir, vi))
        wanted = [entry for entry in found if split in (entry[0], "all") or entry[0] == "*"]
        if wanted:
            return _join_pairings([(n, find_pairs(ir, vi)) for n, ir, vi in wanted])
        present.extend(name for name, _, _ in found if name not in present)
    return None


def _find_scattered(base: Path) -> Pairing | None:
    """Pairs lying one to a folder, as TNO is published: ``scene/IR_x.bmp``, ``scene/VIS_y.bmp``.

    A folder counts when the names of its images make exactly one of them infrared and one
    visible; a sequence of frames in ``thermal`` and ``visual`` counts frame by frame.
    """
    parts: list[tuple[str, Pairing]] = []
    for folder in (base, *sorted(p for p in base.rglob("*") if p.is_dir())):
        thermal, visual = _descend(folder, "thermal"), _descend(folder, "visual")
        try:
            if thermal is not None and visual is not None:
                parts.append((folder.name, find_pairs(thermal, visual)))
                continue
            ir, vi = split_by_name(folder)
        except InputError:
            continue
        if len(ir) == len(vi) == 1:
            parts.append((folder.name, Pairing((Pair(folder.name, ir[0], vi[0]),))))
    return _join_pairings(parts) if parts else None


def _join_pairings(parts: list[tuple[str, Pairing]]) -> Pairing:
    """Join the pairings of several splits; a name met twice gets its split in front."""
    if len(parts) == 1:
        return parts[0][1]
    names: set[str] = set()
    pairs: list[Pair] = []
    for split, pairing in parts:
        for pair in pairing.pairs:
            name, copy = pair.name, 1
            while name in names:
                copy += 1
                name = f"{split}_{pair.name}" if copy == 2 else f"{split}_{pair.name}_{copy}"
            names.add(name)
            pairs.append(Pair(name, pair.ir, pair.vi))
    return Pairing(
        tuple(pairs),
        tuple(path for _, pairing in parts for path in pairing.unpaired_ir),
        tuple(path for _, pairing in parts for path in pairing.unpaired_vi),
        tuple(reason for _, pairing in parts for reason in pairing.reasons),
        tuple(note for _, pairing in parts for note in pairing.notes),
    )


def _descend(base: Path, relative: str) -> Path | None:
    """The folder below ``base``, exactly so or else in whatever case it is written."""
    here = base
    for part in Path(relative).parts:
        if (here / part).is_dir():
            here = here / part
            continue
        match = next((p for p in _folders(here) if p.name.casefold() == part.casefold()), None)
        if match is None:
            return None
        here = match
    return here if here.is_dir() else None


def _folders(path: Path) -> Iterator[Path]:
    try:
        return iter(sorted(p for p in path.iterdir() if p.is_dir()))
    except OSError:
        return iter(())


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
