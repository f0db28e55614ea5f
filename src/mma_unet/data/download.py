"""Fetching one file over HTTP so that a broken connection costs nothing.

The bytes go to ``NAME.part`` and get their final name only when all are there and the checksum
is right. A part left by an interrupted run is continued where the server can do so (HTTP Range,
guarded by the server's ETag or date); otherwise the download starts over.
"""

import hashlib
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mma_unet.errors import InputError
from mma_unet.files import write_text

__all__ = ["Progress", "download", "file_sha256", "keep_digest"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the total, None where the server does not tell it."""

_CHUNK = 1 << 18
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def download(
    url: str,
    target: str | Path,
    *,
    sha256: str | None = None,
    progress: Progress | None = None,
    attempts: int = 3,
    timeout: float = 30.0,
) -> str:
    """Fetch a file, or check the one that is there already.

    A digest that `keep_digest` has recorded beside the file is one that a later download must
    have.

    Args:
        url: An ``http`` or ``https`` address.
        target: The file to make; its folder is created. If it exists it is only verified.
        sha256: The digest the file must have, in hexadecimal; goes before the kept one.
        progress: Told how far the download is.
        attempts: Connections to try, each going on from where the last one broke.
        timeout: Seconds without an answer until a connection counts as broken.

    Returns:
        The SHA-256 digest of the file.

    Raises:
        InputError: The address is wrong, the server refuses, the connection keeps breaking, the
            checksum differs, or the file cannot be written.
    """
    target = Path(target)
    if not _ADDRESS.match(url):
        raise InputError(f"{url} is not an address to download from: it must start with https://.")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise InputError(f"{sha256!r} is not a SHA-256 digest: give 64 hexadecimal digits.")
    record = _record_of(target)
    part = target.with_name(target.name + ".part")
    try:
        expected = (sha256 or _recorded(record) or "").lower() or None
        if target.exists():
            digest = file_sha256(target)
            if expected not in (None, digest):
                raise InputError(
                    f"{target} has the SHA-256 {digest} but {expected} was expected: delete it "
                    "and run the command again."
                )
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(url, part, progress, attempts, timeout)
            if not part.stat().st_size:
                _forget(part)
                raise InputError(
                    f"{url} gave an empty file: try again later, or give another address with "
                    "--url."
                )
            digest = file_sha256(part)
            if expected not in (None, digest):
                _forget(part)
                raise InputError(
                    f"{url} gave a file with the SHA-256 {digest} but {expected} was expected: "
                    f"try again, or drop the expected digest (--sha256, {record}) if the "
                    "publisher has changed the file."
                )
            os.replace(part, target)  # noqa: PTH105 - the name says what it does
            _forget(part)
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}): choose another folder or "
            "make room."
        ) from error
    return digest


def keep_digest(target: Path, digest: str | None) -> None:
    """Record that a file is good: in ``NAME.sha256`` beside it, in the format of ``sha256sum``.

    Args:
        target: The file.
        digest: Its digest; None removes the record.

    Raises:
        InputError: The place cannot be written.
    """
    if digest is None:
        _record_of(target).unlink(missing_ok=True)
    else:
        write_text(_record_of(target), f"{digest}  {target.name}\n", errors="surrogateescape")


def file_sha256(path: str | Path) -> str:
    """The SHA-256 digest of a file in lower-case hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_of(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _recorded(record: Path) -> str | None:
    if not record.is_file():
        return None
    found = re.match(r"[0-9a-fA-F]{64}", record.read_text(encoding="ascii", errors="replace"))
    return found.group() if found else None


def _fetch(url: str, part: Path, progress: Progress | None, attempts: int, timeout: float) -> None:
    reason = "no attempt was made"
    for _ in range(max(attempts, 1)):
        try:
            if _connect_once(url, part, progress, timeout):
                return
            reason = "the connection ended early"
        except InputError:
            raise
        except urllib.error.HTTPError as error:
            answer = " ".join(f"{error.code} {error.reason}".split())[:200]
            if error.code < 500 and error.code not in (408, 429):
                raise InputError(
                    f"{url} cannot be downloaded (the server says {answer}): "
                    "check the address, or give another with --url."
                ) from None
            reason = f"the server says {answer}"
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        except ValueError as error:
            raise InputError(f"{url} is not a valid address ({error}): check it.") from None
    raise InputError(
        f"{url} cannot be downloaded ({reason}): run the command again to go on from where it "
        "stopped, or give another address with --url."
    )


def _connect_once(url: str, part: Path, progress: Progress | None, timeout: float) -> bool:
    """One connection; True when the whole file is in ``part``."""
    have, validator = _what_is_there(url, part)
    headers = {"User-Agent": "mma-unet", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)
    try:
        response: Any = urllib.request.build_opener(_Redirects).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        complete = (error.headers.get("Content-Range") or "") == f"bytes */{have}"
        if not complete:
            _forget(part)
        return complete
    with response:
        resumed = response.status == 206 and (
            response.headers.get("Content-Range") or ""
        ).startswith(f"bytes {have}-")
        if not resumed:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdecimal() else None
        if not resumed:
            validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            part.unlink(missing_ok=True)
            _note_of(part).write_text(json.dumps({"url": url, "validator": validator}))
        with part.open("ab") as file:
            if progress is not None:
                progress(have, total)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, total)
    return total is None or have == total


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to where a download may start, http and https, and nowhere else."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Go on to where the server points."""
        place = urllib.parse.urljoin(req.full_url, headers.get("location") or "")
        if not _ADDRESS.match(place):
            raise InputError(
                f"{req.full_url} leads on to {place[:200]}, which is no http or https address: "
                "give another address with --url."
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _what_is_there(url: str, part: Path) -> tuple[int, str]:
    """Bytes of an earlier run that may be continued, and the server's mark of that version.

    A weak ETag promises nothing byte for byte, so a part that has only that is not continued.
    """
    try:
        note = json.loads(_note_of(part).read_text())
        size = part.stat().st_size
    except (OSError, ValueError):
        return 0, ""
    validator = note.get("validator") if isinstance(note, dict) else None
    if (
        not isinstance(validator, str)
        or note.get("url") != url
        or not validator
        or validator.startswith("W/")
    ):
        return 0, ""
    return size, validator


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)
