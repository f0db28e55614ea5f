"""The files that `fuzz.py` tries: whole ones of every kind, and how they are spoiled.

A case is made of (seed, kind, index) alone, so that any of them can be made again.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import random
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import yaml

from mma_unet.data.images import write_image
from mma_unet.data.metadata import Metadata

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000, 1000000)
NASTY: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 1.5, 2**31, 2**63, 10**30, 1e308, float("inf"), float("nan"), "",
    "x" * 5000, "../../x", "/etc/passwd", "a\0b", "\x1b[2J:smile:[red]\n", [], {}, [[]], [1, 2, 3],
    {"a": {"b": []}}, [[1, 2], [1, 2]], [[[[[[]]]]]], "nan", "1e999", [None], {"": None}, {"1": 2},
)  # fmt: skip


def make_seeds(kind: str, folder: Path, samples: Path | None) -> list[Path]:
    """Whole files of a kind, written into `folder`; those of thermal cameras are copied."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind != "thermal":
        _MAKERS[kind](folder)
    for file in sorted(samples.iterdir()) if kind == "thermal" and samples is not None else []:
        if file.suffix.lower() in (".jpg", ".jpeg", ".tif", ".tiff"):
            shutil.copy(file, folder)
    return sorted(path for path in folder.iterdir() if path.is_file())


def make_case(seed: int, kind: str, index: int, seeds: list[Path], folder: Path) -> Path:
    """Case number `index`: one of the whole files, spoiled, under its own name in `folder`."""
    rng = random.Random(f"{seed}-{kind}-{index}")
    source = rng.choice(seeds)
    data, other = source.read_bytes(), rng.choice(seeds).read_bytes()
    structured = STRUCTURED.get(source.suffix)
    if structured is not None and rng.random() < 0.6:
        data = structured(data, rng)
    else:
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            data = _spoil(data, other, rng)
        if source.suffix == ".png" and rng.random() < 0.7:
            data = _with_checksums(data)
    path = folder / source.name
    path.write_bytes(data)
    return path


def _spoil(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """One change to the bytes of a file; half of them within its first 512."""
    if not data:
        return other[: rng.randrange(64)]
    most = len(data) if rng.random() < 0.5 else min(len(data), 512)
    at, run = rng.randrange(most), rng.choice((1, 2, 4, 8, 64, 1024))
    way = rng.randrange(9)
    if way == 0:
        return data[:at]
    if way == 1:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if way == 2:
        size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
        number = (rng.choice(INTERESTING) % 256**size).to_bytes(size, order)  # type: ignore[arg-type]
        return data[:at] + number + data[at + size :]
    if way == 3:
        return data[:at] + data[at + run :]
    if way == 4:
        return data[:at] + data[at : at + run] * 2 + data[at + run :]
    if way == 5:
        return data[:at] + rng.randbytes(run) + data[at:]
    if way == 6:
        return data[:at] + other[at:]
    if way == 7:
        return data[:at] + bytes(run) + data[at + run :]
    numbers = list(re.finditer(rb"\d+", data[:4096]))
    if not numbers:
        return data[:at] + rng.randbytes(1) + data[at + 1 :]
    place = rng.choice(numbers)
    number = rng.choice((b"0", b"-1", b"99999999999", b"65537", b"4000000000", b"nan", b""))
    return data[: place.start()] + number + data[place.end() :]


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums that they need, as far as it can be followed."""
    out, place = data[:8], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : place + 8 + size]
        out += data[place : place + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        place += 12 + size
    return out + data[place:]


def _changed(value: Any, rng: random.Random) -> Any:
    """Plain values with one of them, at any depth, replaced, removed or added to."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key, copy = rng.choice(keys), type(value)(value)
        way = rng.random()
        if way < 0.1:
            del copy[key]
        elif way < 0.15 and isinstance(copy, dict):
            copy[rng.choice(("x", "", 1, "\x1b[2J", "name"))] = rng.choice(NASTY)
        else:
            copy[key] = _changed(copy[key], rng)
        return copy
    if isinstance(value, (int, float)) and rng.random() < 0.5:
        return value * rng.choice((-1, 0, 2, 1000, 10**9)) + rng.choice((0, 1, 0.5))
    return rng.choice(NASTY)


def _spoil_yaml(data: bytes, rng: random.Random) -> bytes:
    return yaml.safe_dump(_changed(yaml.safe_load(data), rng)).encode("utf-8", "replace")


def _spoil_json(data: bytes, rng: random.Random) -> bytes:
    return json.dumps(_changed(json.loads(data), rng)).encode("utf-8", "replace")


def _spoil_weights(data: bytes, rng: random.Random) -> bytes:
    """The header, the card in it, or the values of a safetensors file."""
    (size,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
    about = header.get("__metadata__", {})
    way = rng.random()
    if way < 0.5 and about:
        key = rng.choice([key for key in about if key != "format"])
        text = _spoil_json(about[key].encode(), rng).decode()
        about[key] = text if rng.random() < 0.8 else rng.choice(("", "[" * 9999, "{", text[:-2]))
    elif way < 0.8:
        key = rng.choice([key for key in header if key != "__metadata__"])
        header[key] = _changed(header[key], rng)
    else:
        at = rng.randrange(len(body) - 4)
        body[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\x80\x7f", b"\0\x7c\0\xfc"))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


STRUCTURED: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".yaml": _spoil_yaml,
    ".json": _spoil_json,
    ".safetensors": _spoil_weights,
}


def _images(folder: Path) -> None:
    """Every format that is read in gray, color and with alpha; TIFF in its organizations."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what cannot be written
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.uint16):
        color = rng.integers(0, np.iinfo(dtype).max, (33, 45, 3), dtype)
        gray = color[..., 0]
        for suffix in (".png", ".jpg", ".bmp", ".webp", ".pgm", ".ppm", ".jp2", ".gif"):
            for name, array in (
                ("gray", gray), ("color", color), ("alpha", np.dstack((color, gray))),
            ):  # fmt: skip
                with contextlib.suppress(cv2.error):
                    done, code = cv2.imencode(suffix, array)
                    if done:
                        (folder / f"{name}-{array.dtype}{suffix}").write_bytes(code.tobytes())
        for tile, planar, compression, big in itertools.product(
            (None, (16, 16)), ("contig", "separate"),
            (None, "zlib", "lzw", "packbits", "zstd"), (False, True),
        ):  # fmt: skip
            planes = color if planar == "contig" else np.moveaxis(color, 2, 0)
            name = f"{planar}-{bool(tile)}-{compression}-{big}-{color.dtype}.tif"
            tifffile.imwrite(
                folder / name, planes, photometric="rgb", planarconfig=planar, tile=tile,
                compression=compression, bigtiff=big,
            )  # fmt: skip
    ways: dict[str, dict[str, Any]] = {
        "strips": {"rowsperstrip": 4},
        "predictor": {"compression": "zlib", "predictor": True},
    }
    for name, options in ways.items():
        tifffile.imwrite(folder / f"{name}.tif", gray, photometric="minisblack", **options)
    write_image(folder / "float.tif", rng.random((24, 40)).astype(np.float32))
    tifffile.imwrite(folder / "pages.tif", np.moveaxis(color, 2, 0), photometric="minisblack")
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    metadata = Metadata(exif=exif, icc=bytes(16) + b"RGB " + bytes(200), dpi=(300, 300))
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp"):
        black = np.zeros((31, 45, 3), np.uint8)
        write_image(folder / f"metadata{suffix}", black, metadata=metadata)


def _videos(folder: Path) -> None:
    from mma_unet.data.video_writer import VideoWriter

    rng = np.random.default_rng(0)
    for suffix in (".mp4", ".mkv", ".avi"):
        writer = VideoWriter(folder / f"video{suffix}", Fraction(10), Fraction(1, 10))
        for index in range(6):
            writer.write(Fraction(index, 10), rng.integers(0, 256, (32, 48, 3), np.uint8))
        writer.finish()


def _archives(folder: Path) -> None:
    for name, way in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", way) as file:
            for member in ("set/ir/1.png", "set/vi/1.png", "set/README.md"):
                file.writestr(member, bytes(range(256)) * 4)
        (folder / f"{name}.zip").write_bytes(inner.getvalue())
        with zipfile.ZipFile(folder / f"nested-{name}.zip", "w", way) as file:
            file.writestr("inner.zip", inner.getvalue())


def _tables(folder: Path) -> None:
    from mma_unet.tables import write_table

    write_table(folder / "scores.csv", ["image", "VIF"], [[f"=a{i}.png", i / 7] for i in range(20)])


def _weights(folder: Path) -> None:
    from mma_unet.models import MMAUNet, MMAUNetConfig, save_model

    scores = {"msrs/test": {"pairs": 3, "VIF": 0.5}}
    for name, change in (("a", {}), ("b", {"head": "bands"}), ("c", {"guided": False})):
        model = MMAUNet(MMAUNetConfig(width=2, **change))  # type: ignore[arg-type]
        save_model(model, folder / f"{name}.safetensors", recipe={"lr": 1}, scores=scores)


def _recipes(folder: Path) -> None:
    from mma_unet.configs import config_names, find_config

    for name in config_names():
        (folder / f"{name}.yaml").write_bytes(find_config(name).read_bytes())  # type: ignore[attr-defined]


def _runs(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from mma_unet.models import MMAUNetConfig, VIUNet
    from mma_unet.tables import write_rows
    from mma_unet.training import load_recipe
    from mma_unet.training.pairing import PairingChoice, write_choice
    from mma_unet.training.recipe import StageSettings
    from mma_unet.training.tasks import ReconstructionTask

    unet = VIUNet(MMAUNetConfig(width=2))
    save_file(unet.state_dict(), folder / "weights.safetensors")
    write_choice(PairingChoice("cka", ((1, 2), (2, 3)), {"ridge": [1.0, 2.0]}), folder / "p.json")
    write_rows(folder / "curve.csv", [{"epoch": i, "train_loss": 0.5, "lr": 1e-3} for i in (0, 1)])
    text = yaml.safe_dump(load_recipe("tiny").to_dict())
    (folder / "recipe.yaml").write_text(text)
    task = ReconstructionTask(unet, StageSettings())
    whole = {"optimizer_states": [], "lr_schedulers": [], "loops": {}, "epoch": 1, "global_step": 2}
    torch.save(whole | {"state_dict": task.state_dict()}, folder / "last.ckpt")


_MAKERS: dict[str, Callable[[Path], None]] = {
    "image": _images, "video": _videos, "archive": _archives,
    "table": _tables, "weights": _weights, "recipe": _recipes, "run": _runs,
}  # fmt: skip
KINDS = ("thermal", *_MAKERS)
