"""The methods of a comparison: folders of results, our own weights, and the baselines."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mma_unet.benchmark.cache import FUSING, code_stamp, stamp
from mma_unet.benchmark.evaluate import Progress
from mma_unet.benchmark.triples import BASELINES, Triple, fused_by_visible
from mma_unet.data import Pair, Pairing
from mma_unet.errors import InputError
from mma_unet.files import write_text
from mma_unet.inference import Fuser, fuse_files, plan
from mma_unet.inference.engine import Engine
from mma_unet.rivals import Card, Rival, find_card

__all__ = [
    "Method",
    "baselines",
    "check_name",
    "from_folder",
    "fuse_with",
    "fuse_with_rival",
    "in_common",
    "lacking",
    "parse_methods",
    "parse_named",
]


@dataclass(frozen=True)
class Method:
    """One method and its results.

    Attributes:
        name: What the report calls it.
        triples: Its result for each pair by the pair's name, where it has one.
        about: Where the results come from, in a few words.
        is_baseline: Whether it is fusion without learning.
        remarks: Sentences the report must repeat.
        failed: Why there is no result for a pair that was tried, by the pair's name.
    """

    name: str
    triples: dict[str, Triple]
    about: str
    is_baseline: bool = False
    remarks: tuple[str, ...] = field(default=())
    failed: dict[str, str] = field(default_factory=dict)


def parse_named(items: Sequence[str], option: str) -> dict[str, str]:
    """Read `NAME=VALUE` items; without a name, the last part of the path is the name.

    Raises:
        InputError: A name is used twice, kept for a baseline, or cannot be a file name.

    Example:
        >>> parse_named(["ours=results/a", "results/b"], "--results")
        {'ours': 'results/a', 'b': 'results/b'}
    """
    named: dict[str, str] = {}
    for item in items:
        name, sep, value = item.partition("=")
        if not sep:
            name, value = Path(item).name.removesuffix(".safetensors"), item
        if not name or not value:
            raise InputError(f"{option} {item}: write NAME=PATH, e.g. {option} ours=results/ours")
        check_name(name, f"{option} {item}: ")
        if name in named:
            raise InputError(f"{option} {item}: the name {name} is used twice; choose another.")
        named[name] = value
    return named


def parse_methods(items: Sequence[str]) -> dict[Card, str | None]:
    """Read `NAME` and `NAME=WEIGHTS` items: weights, or None, by method.

    Raises:
        InputError: A method is unknown or named twice, or its name is kept for a baseline.

    Example:
        >>> {card.title: weights for card, weights in parse_methods(["tardal=t.pt", "gff"]).items()}
        {'TarDAL': 't.pt', 'GFF': None}
    """
    methods: dict[Card, str | None] = {}
    for item in items:
        name, _, weights = item.partition("=")
        card = find_card(name)
        check_name(card.name, f"--method {item}: ")
        if card in methods:
            raise InputError(f"--method {item}: {card.name} is named twice; name it once.")
        methods[card] = weights or None
    return methods


def check_name(name: str, before: str = "") -> None:
    """Refuse a method's name that a baseline has, or that cannot name a file.

    Args:
        name: The name.
        before: What the sentence begins with.

    Raises:
        InputError: It is such a name.
    """
    if name in BASELINES:
        raise InputError(f"{before}{name} is the name of a baseline; choose another.")
    bad = not name or name.startswith(".") or not name.isprintable()
    if bad or any(c in name for c in '/\\:*?"<>|'):
        raise InputError(f"{before}{name!r} cannot name a file; choose another name.")


def from_folder(name: str, folder: Path, pairing: Pairing, vi: Path) -> Method:
    """A method whose results lie in a folder; those without a pair are passed over and counted.

    Raises:
        InputError: As `mma_unet.data.find_pairs`.
    """
    found, extra = fused_by_visible(pairing, folder, vi)
    wanted = {pair.vi: pair for pair in pairing.pairs}
    triples = {
        pair.name: Triple(pair.name, pair.ir, pair.vi, found[visible])
        for visible, pair in wanted.items()
        if visible in found
    }
    others = len(extra) + len(found.keys() - wanted.keys())
    remarks = [f"{name}: {others} more in {folder} belong to no pair."] if others else []
    return Method(name, triples, f"images in {folder}", remarks=tuple(remarks))


def baselines(pairs: Sequence[Pair]) -> list[Method]:
    """The pixel average, the pixel maximum and the Laplacian pyramid."""
    about = {
        "average": "pixel average, ties rounded to even",
        "maximum": "pixel maximum",
        "pyramid": "Laplacian pyramid of 5 bands, stronger detail, average base",
    }
    return [
        Method(
            rule,
            {pair.name: Triple(pair.name, pair.ir, pair.vi, rule) for pair in pairs},
            about[rule],
            is_baseline=True,
        )
        for rule in BASELINES
    ]


def fuse_with(
    name: str,
    model: str,
    pairs: Sequence[Pair],
    out: Path,
    record: Path,
    progress: Progress | None = None,
) -> Method:
    """Fuse the pairs with our own weights; what is there of the same weights and code is kept.

    Args:
        name: What to call the method.
        model: Shipped weights by name, or the path of a weights file.
        pairs: The sources.
        out: Folder for the fused luminance, as PNG.
        record: Where to note what the results were made of.
        progress: Called after each pair.

    Raises:
        InputError: The model is unknown or the folder cannot be written.
    """
    fuser = Fuser(model, gray=True)
    fuser.expect(len(pairs))
    made_of = f"{_digest(fuser)}-{code_stamp(*FUSING)}"
    return _fuse(name, fuser, made_of, f"MMA-UNet, weights {model}", pairs, out, record, progress)


def fuse_with_rival(
    card: Card,
    weights: str | None,
    pairs: Sequence[Pair],
    out: Path,
    record: Path,
    progress: Progress | None = None,
) -> Method:
    """As `fuse_with`, by a method of others.

    Args:
        card: The method.
        weights: Its checkpoint; None for the one that is kept, or if it needs none.
        pairs: The sources.
        out: Folder for the fused luminance, as PNG.
        record: Where to note what the results were made of.
        progress: Called after each pair.

    Raises:
        InputError: Its weights are not there or do not fit, or the folder cannot be written.
    """
    rival = Rival(card, weights=weights, gray=True)
    module = sys.modules[card.network.__module__]
    code = f"{code_stamp(*FUSING, Rival.__module__)}-{stamp([Path(module.__file__ or '')])}"
    about = card.title if rival.weights is None else f"{card.title}, weights {rival.weights}"
    made_of = f"{rival.digest[:16]}-{code}"
    return _fuse(card.name, rival, made_of, about, pairs, out, record, progress)


def _fuse(
    name: str,
    fuser: Engine,
    made_of: str,
    about: str,
    pairs: Sequence[Pair],
    out: Path,
    record: Path,
    progress: Progress | None,
) -> Method:
    """Fuse the pairs; what is there, noted as `made_of` the same, is kept."""
    tasks = plan(pairs, out, ".png")
    before = _read_record(record)
    now = {task.pair.name: f"{made_of}-{stamp([task.pair.ir, task.pair.vi])}" for task in tasks}
    for task in tasks:
        if before.get(task.pair.name) != now[task.pair.name]:
            task.target.unlink(missing_ok=True)
    write_text(record, json.dumps(now, indent=1) + "\n")
    triples, failed = {}, {}
    for done, outcome in enumerate(fuse_files(fuser, tasks), 1):
        pair = outcome.task.pair
        if outcome.status == "failed":
            failed[pair.name] = outcome.reason
        else:
            triples[pair.name] = Triple(pair.name, pair.ir, pair.vi, outcome.task.target)
        if progress is not None:
            progress(f"Fusing with {name}", done, len(tasks))
    return Method(name, triples, about, failed=failed)


def _read_record(path: Path) -> Mapping[str, str]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _digest(fuser: Fuser) -> str:
    """Digest of the weights, the shape of the network and what runs it."""
    how = [fuser.config.to_dict(), fuser.runtime.name, fuser.runtime.precision]
    digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode())
    for key, tensor in sorted(fuser.model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def in_common(methods: Sequence[Method], names: Sequence[str]) -> list[str]:
    """Names of the pairs that every method has a result for.

    Raises:
        InputError: There is none.
    """
    shared = [name for name in names if all(name in method.triples for method in methods)]
    if not shared:
        counts = ", ".join(f"{m.name} {len(m.triples)}" for m in methods if not m.is_baseline)
        problems = [reason for m in methods for reason in m.failed.values()]
        first = f"; the first problem: {problems[0]}" if problems else ""
        raise InputError(
            f"no image is there for every method (of {len(names)} pairs: {counts}): "
            f"leave a method out or complete its folder{first or '.'}"
        )
    return shared


def lacking(
    methods: Sequence[Method], names: Sequence[str], failed: Mapping[str, Mapping[str, str]]
) -> dict[str, list[str]]:
    """Images each method lacks; where every method failed, the sources are to blame, not it."""
    for_all = {name for name in names if all(name in failed.get(m.name, {}) for m in methods)}
    missing = {
        method.name: [
            name
            for name in names
            if name not in for_all
            and (name not in method.triples or name in failed.get(method.name, {}))
        ]
        for method in methods
    }
    return {name: some for name, some in missing.items() if some}
