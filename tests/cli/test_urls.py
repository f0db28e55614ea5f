"""URLs on the command line: what stands behind them decides, not that they are URLs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mma_unet.data import read_image
from mma_unet.data.storage import list_files, locate, write_atomically
from mma_unet.data.video_names import is_video
from tests.cli.test_fuse_pairing import refusal, run
from tests.conftest import make_pairs
from tests.videos import colors, write_video

fsspec = pytest.importorskip("fsspec", reason="needs the extra 'cloud'")
pytest.importorskip("upath", reason="needs the extra 'cloud'")


@pytest.fixture
def bucket() -> Iterator[str]:
    """An empty object store of this process."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield "memory://bucket"
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def upload(source: Path, target: str) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            name = file.relative_to(source).as_posix()
            write_atomically(locate(f"{target}/{name}"), file.read_bytes())


@pytest.mark.parametrize(
    ("source", "video"),
    [
        ("file:///data/ir", False), ("file:///data/ir.png", False), ("file:///data/ir.mp4", True),
        ("local://data/ir", False), ("memory://bucket/ir", False), ("s3://bucket/ir", False),
        ("s3://bucket/ir.tif", False), ("s3://bucket/ir.MKV", True), ("gs://bucket/a.b/c", False),
        ("https://host/ir.png?size=1", False), ("https://host/ir/", False),
        ("https://host/stream", True), ("http://host/a.mp4?token=x.png", True),
        ("rtsp://host/ir.png", True), ("udp://host:1", True), ("a/b.png", False),
    ],
)  # fmt: skip
def test_what_is_a_video(source: str, video: bool) -> None:
    assert is_video(source) is video


@pytest.mark.parametrize("scheme", ["file://{}", "local://{}"])
def test_folders_and_files_of_this_machine(scheme: str, tmp_path: Path, weights: Path) -> None:
    make_pairs(tmp_path, ["a", "b"])
    here = scheme.format(tmp_path)
    done = run("fuse", f"{here}/ir", f"{here}/vi", "-o", f"{here}/out", "-m", weights)
    assert done.exit_code == 0, done.output
    assert "Fused 2 of 2 pairs" in done.stdout
    one = run("fuse", f"{here}/ir/a.png", f"{here}/vi/a.png", "-o", f"{here}/a.png", "-m", weights)
    assert one.exit_code == 0, one.output
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png"), read_image(tmp_path / "out/a.png")
    )
    scored = run("evaluate", f"{here}/ir", f"{here}/vi", f"{here}/out", "--suite", "psnr",
                 "--no-progress")  # fmt: skip
    assert scored.exit_code == 0, scored.output
    assert "2 images" in scored.stdout


def test_an_object_store(bucket: str, tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["day/a", "day/b"])
    upload(tmp_path, bucket)
    words = ("fuse", f"{bucket}/ir", f"{bucket}/vi", "-o", f"{bucket}/out", "-m", weights)
    assert "folders in it do: add --recursive" in refusal(*words)
    done = run(*words, "--recursive")
    assert done.exit_code == 0, done.output
    assert sorted(list_files(locate(f"{bucket}/out/day"))) == ["a.png", "b.png"]
    assert "2 done before" in run(*words, "--recursive").stdout
    run("fuse", ir, vi, "-o", tmp_path / "out", "-m", weights, "--recursive")
    assert (tmp_path / "out/day/a.png").read_bytes() == locate(
        f"{bucket}/out/day/a.png"
    ).read_bytes()
    assert "does not exist" in refusal(
        "fuse", f"{bucket}/ir/x.png", f"{bucket}/vi/day/a.png", "-o", tmp_path / "x.png"
    )


def test_videos_behind_urls(bucket: str, tmp_path: Path, weights: Path) -> None:
    for kind in ("ir", "vi"):
        write_video(tmp_path / f"{kind}.mp4", colors(3), rate=Fraction(5), sound=kind == "vi")
    upload(tmp_path, bucket)
    words = ("fuse", f"{bucket}/ir.mp4", f"{bucket}/vi.mp4", "-o")
    done = run(*words, f"{bucket}/out.mp4", "-m", weights)
    assert done.exit_code == 0, done.output
    assert "Fused 3 frames" in done.stdout
    assert f"Copied to {bucket}/out.mp4" in done.stdout
    assert locate(f"{bucket}/out.mp4").read_bytes()[4:8] == b"ftyp"
    assert "was done before" in run(*words, f"{bucket}/out.mp4").stdout
    assert run(*words, f"file://{tmp_path}/out.mp4", "-m", weights).exit_code == 0
    assert (tmp_path / "out.mp4").stat().st_size
    assert "does not exist" in refusal(
        "fuse", f"{bucket}/no.mp4", f"{bucket}/vi.mp4", "-o", "o.mp4"
    )


def test_a_store_of_amazon(tmp_path: Path, weights: Path) -> None:
    """Against moto's server; the driver finds it by the variables that docs/scale-out.md names."""
    if find_spec("moto") is None or find_spec("s3fs") is None:
        pytest.skip("needs moto[server] and s3fs, which nothing here installs")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}"}  # fmt: skip
    make_pairs(tmp_path, ["a", "b"])
    code = """
import sys, s3fs
from pathlib import Path
store, root = s3fs.S3FileSystem(), Path(sys.argv[1])
store.mkdir("bucket")
for file in root.glob("[iv][ri]/*.png"):
    store.put_file(str(file), f"bucket/{file.relative_to(root).as_posix()}")
from mma_unet.cli.main import app
words = "fuse s3://bucket/ir s3://bucket/vi -o s3://bucket/fused --no-progress -m".split()
app([*words, sys.argv[2]], standalone_mode=False)
print(sorted(store.ls("bucket/fused")))
app([*words, sys.argv[2]], standalone_mode=False)
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), str(weights)],
            capture_output=True, text=True, env={**os.environ, **keys}, timeout=250, check=False,
        )  # fmt: skip
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr[-2000:]
    assert "['bucket/fused/a.png', 'bucket/fused/b.png']" in done.stdout
    assert "2 done before" in done.stdout
