"""Downloads from a local server that resumes, refuses to, breaks off, or lies."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mma_unet.cli.main import app
from mma_unet.data.catalog import CATALOG
from mma_unet.data.download import download, file_sha256, keep_digest
from mma_unet.data.layouts import open_dataset
from mma_unet.data.obtain import obtain, unpack
from mma_unet.errors import InputError

BODY = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``body`` at any path; the switches make it behave in the ways that servers do."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.etag = '"one"'
        self.ranges = True
        self.tell_length = True
        self.status = 200
        self.leads_to = ""
        self.break_after: list[int] = []
        self.requests: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/set.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append(wanted)
        if server.leads_to and self.path == "/set.zip":
            self.send_response(302)
            self.send_header("Location", server.leads_to)
            self.end_headers()
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(server.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            last = len(server.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if server.tell_length:
            self.send_header("Content-Length", str(len(server.body) - start))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        data = server.body[start:]
        if server.break_after:
            data = data[: server.break_after.pop(0)]
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_download(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "set.zip"
    digest = download(server.url, target, progress=lambda done, total: seen.append((done, total)))
    assert digest == DIGEST == file_sha256(target)
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert _names(target.parent) == ["set.zip"]
    keep_digest(target, digest)
    assert (tmp_path / "new" / "set.zip.sha256").read_text() == f"{DIGEST}  set.zip\n"


def test_an_existing_file_is_verified_and_not_fetched(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "set.zip"
    keep_digest(target, download(server.url, target))
    assert download(server.url, target) == DIGEST
    assert len(server.requests) == 1
    target.write_bytes(b"changed")
    with pytest.raises(InputError, match="delete it"):
        download(server.url, target)


def test_an_interrupted_run_is_resumed_by_the_next(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "set.zip"
    server.break_after = [300_000]
    with pytest.raises(InputError, match="go on from where it stopped"):
        download(server.url, target, attempts=1)
    assert not target.exists()
    assert (tmp_path / "set.zip.part").stat().st_size == 300_000
    starts: list[int] = []
    assert download(server.url, target, progress=lambda done, _: starts.append(done)) == DIGEST
    assert server.requests == [None, "bytes=300000-"]
    assert starts[0] == 300_000
    assert _names(tmp_path) == ["set.zip"]


def test_a_broken_connection_is_resumed_within_the_run(server: Server, tmp_path: Path) -> None:
    server.break_after = [200_000, 200_000]
    assert download(server.url, tmp_path / "set.zip") == DIGEST
    assert server.requests == [None, "bytes=200000-", "bytes=400000-"]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.break_after = [200_000]
    assert download(server.url, tmp_path / "set.zip") == DIGEST
    assert len(server.requests) == 2


def test_a_file_changed_between_runs_starts_over(server: Server, tmp_path: Path) -> None:
    server.break_after = [200_000]
    with pytest.raises(InputError):
        download(server.url, tmp_path / "set.zip", attempts=1)
    server.body, server.etag = BODY[::-1], '"two"'
    assert download(server.url, tmp_path / "set.zip") == hashlib.sha256(BODY[::-1]).hexdigest()


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_part_that_cannot_be_trusted_is_not_continued(
    server: Server, tmp_path: Path, etag: str
) -> None:
    server.etag = etag
    server.break_after = [200_000]
    assert download(server.url, tmp_path / "set.zip") == DIGEST
    assert server.requests == [None, None]


def test_a_part_that_is_complete_already(server: Server, tmp_path: Path) -> None:
    server.break_after = [len(BODY) - 1]
    with pytest.raises(InputError):
        download(server.url, tmp_path / "set.zip", attempts=1)
    with (tmp_path / "set.zip.part").open("ab") as file:
        file.write(BODY[-1:])
    assert download(server.url, tmp_path / "set.zip") == DIGEST


def test_no_length(server: Server, tmp_path: Path) -> None:
    server.tell_length = False
    seen: list[int | None] = []
    digest = download(
        server.url, tmp_path / "set.zip", progress=lambda _, total: seen.append(total)
    )
    assert digest == DIGEST
    assert set(seen) == {None}


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was expected"):
        download(server.url, tmp_path / "set.zip", sha256="0" * 64)
    assert _names(tmp_path) == []
    assert download(server.url, tmp_path / "set.zip", sha256=DIGEST.upper()) == DIGEST


def test_the_kept_digest_is_checked_on_a_later_download(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "set.zip"
    keep_digest(target, download(server.url, target))
    target.unlink()
    server.body = BODY[:-1]
    with pytest.raises(InputError, match="was expected"):
        download(server.url, target)
    assert not target.exists()


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_server_that_refuses(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(InputError, match=str(status)):
        download(server.url, tmp_path / "set.zip", attempts=2)
    assert len(server.requests) == (2 if status == 503 else 1)
    assert _names(tmp_path) == []


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="https"):
        download("file:///etc/passwd", tmp_path / "a")
    with pytest.raises(InputError, match="64 hexadecimal"):
        download("http://127.0.0.1:1/a", tmp_path / "a", sha256="abc")
    with pytest.raises(InputError, match="refused"):
        download("http://127.0.0.1:1/a", tmp_path / "a")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        download("http://127.0.0.1:1/a", tmp_path / "file" / "a")


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PAIRS = {
    f"RoadScene-master/{folder}/FLIR_{i}.jpg": b"x"
    for folder in ("cropinfrared", "crop_LR_visible")
    for i in (1, 2)
} | {"RoadScene-master/README.md": b"hello"}


def test_get_a_data_set(server: Server, tmp_path: Path) -> None:
    server.body = _zip(PAIRS)
    runner = CliRunner()
    arguments = ["data", "get", "roadscene", "--root", str(tmp_path), "--url", server.url]
    result = runner.invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert str(tmp_path / "RoadScene") in result.stdout
    assert len(open_dataset("RoadScene", tmp_path, "train")) == 2
    assert _names(tmp_path) == ["RoadScene", "RoadScene.zip", "RoadScene.zip.sha256"]
    runner.invoke(app, arguments, catch_exceptions=False)
    assert len(server.requests) == 1, "what is there is not fetched again"


PAGE = b"\n<!DOCTYPE html><html><title>Log in</title>" + b" " * 5000 + b"</html>"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (PAGE, "gave a file that is a web page, to log in or a notice, not a zip archive, so it "),
        (PAGE.replace(b"!DOCTYPE html><", b""), "is a web page"),
        (b"Error: quota exceeded", "gave a file that is not a zip archive that can be unpacked"),
        (_zip(PAIRS)[:-40], "is not a zip archive that can be unpacked .*so it was removed"),
        (_zip({"a/b.jpg": b"hello world"}).replace(b"hello", b"hellO"), "is not a zip archive"),
        (_zip({"../b.jpg": b"hello"}), "holds '../b.jpg', which would reach outside of its folder"),
        (b"", "gave an empty file: try again later, or give another address with --url"),
    ],
)
def test_what_is_no_archive_leaves_nothing_in_the_way(
    server: Server, tmp_path: Path, body: bytes, sentence: str
) -> None:
    for tell_length in (True, False):
        server.body, server.tell_length = body, tell_length
        with pytest.raises(InputError, match=sentence) as caught:
            obtain("RoadScene", tmp_path, url=server.url)
        assert str(caught.value).startswith(server.url)
        assert _names(tmp_path) == []
    server.body = _zip(PAIRS)
    obtain("RoadScene", tmp_path, url=server.url)
    assert len(open_dataset("RoadScene", tmp_path, "train")) == 2


def test_a_deflated_member_that_is_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", bytes(range(256)) * 50)
    data = bytearray(buffer.getvalue())
    data[40:60] = b"\xff" * 20
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(
        InputError, match=r"a\.zip is not a zip archive .*delete it and download it"
    ):
        unpack(tmp_path / "a.zip", tmp_path / "set")
    assert _names(tmp_path) == ["a.zip"]


def test_an_archive_that_was_there_before_is_not_removed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "RoadScene.zip").write_bytes(PAGE)
    keep_digest(tmp_path / "RoadScene.zip", hashlib.sha256(PAGE).hexdigest())
    with pytest.raises(InputError, match=r"RoadScene\.zip is not a zip .*delete it and download"):
        obtain("RoadScene", tmp_path, url=server.url)
    assert _names(tmp_path) == ["RoadScene.zip"]
    (tmp_path / "RoadScene.zip").unlink()
    server.body = _zip(PAIRS)
    obtain("RoadScene", tmp_path, url=server.url)
    assert _names(tmp_path) == ["RoadScene", "RoadScene.zip", "RoadScene.zip.sha256"]


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x.zip", "data:,x", "s3://b/x"]
)
def test_a_redirect_to_anything_but_the_web_is_refused(
    server: Server, tmp_path: Path, place: str
) -> None:
    server.leads_to = place
    with pytest.raises(InputError, match=f"leads on to {place}, which is no http or https address"):
        download(server.url, tmp_path / "set.zip")
    assert len(server.requests) == 1
    assert _names(tmp_path) == []


def test_redirects_within_the_web_are_followed_but_not_for_ever(
    server: Server, tmp_path: Path
) -> None:
    for index, place in enumerate(
        (server.url.replace("set", "other"), "other.zip", "//" + server.url[7:-7] + "x.zip")
    ):
        server.leads_to = place
        assert download(server.url, tmp_path / f"{index}.zip") == DIGEST
    server.leads_to = server.url
    with pytest.raises(InputError, match="302") as caught:
        download(server.url, tmp_path / "set.zip")
    assert "\n" not in str(caught.value)


def test_an_archive_in_an_archive(server: Server, tmp_path: Path) -> None:
    inner = _zip({"TNO_Image_Fusion_Dataset/man/IR_1.bmp": b"x",
                  "TNO_Image_Fusion_Dataset/man/VIS_1.bmp": b"x"})  # fmt: skip
    server.body = _zip({"TNO_Image_Fusion_Dataset.zip": inner})
    obtain("TNO", tmp_path, url=server.url)
    assert [p.name for p in open_dataset("TNO", tmp_path, "test").pairs] == ["man"]


def test_what_a_person_must_fetch(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"LLVIP has no public address.*bupt.*--url"):
        obtain("LLVIP", tmp_path)
    with pytest.raises(InputError, match="RoadScene, MSRS"):
        obtain("nothing", tmp_path)


def test_list() -> None:
    result = CliRunner().invoke(
        app, ["data", "list"], env={"COLUMNS": "60"}, catch_exceptions=False
    )
    assert result.exit_code == 0
    for info in CATALOG:
        assert info.name in result.stdout
        assert info.homepage in result.stdout, "an address must not be broken over lines"


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "..\\out.txt"])
def test_an_archive_that_reaches_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.zip").write_bytes(_zip({"good.txt": b"x", name: b"x"}))
    with pytest.raises(InputError, match="outside"):
        unpack(tmp_path / "a.zip", tmp_path / "deep" / "set")
    assert _names(tmp_path) == ["a.zip", "deep"]
    assert _names(tmp_path / "deep") == []


def test_an_archive_with_a_file_without_a_name(tmp_path: Path) -> None:
    nameless = _zip({"good.txt": b"x", "qq.txt": b"x"}).replace(b"qq.txt", b"\0q.txt")
    (tmp_path / "a.zip").write_bytes(nameless)
    with pytest.raises(InputError, match=r"a\.zip holds a file without a name"):
        unpack(tmp_path / "a.zip", tmp_path / "set")
    assert _names(tmp_path) == ["a.zip"]


def test_an_archive_with_a_link(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
    with pytest.raises(InputError, match="outside"):
        unpack(tmp_path / "a.zip", tmp_path / "set")


def test_a_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    good = _zip({"a.txt": b"hello world", "b.txt": b"more"})
    for bad in (good[:40], good.replace(b"hello world", b"hellO world")):
        (tmp_path / "a.zip").write_bytes(bad)
        with pytest.raises(InputError, match="not a zip archive"):
            unpack(tmp_path / "a.zip", tmp_path / "set")
        assert _names(tmp_path) == ["a.zip"]
    (tmp_path / "a.zip").write_bytes(good)
    unpack(tmp_path / "a.zip", tmp_path / "set")
    with pytest.raises(InputError, match="exists already"):
        unpack(tmp_path / "a.zip", tmp_path / "set")
