"""From the name of a data set to its unpacked folder: download, verify, unpack."""

import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from mma_unet.data.catalog import CATALOG, SPLITS, DatasetInfo, find_info
from mma_unet.data.download import Progress, download, keep_digest
from mma_unet.data.layouts import find_folders
from mma_unet.errors import InputError
from mma_unet.parts import Part

__all__ = ["obtain", "unpack"]


def obtain(
    name: str,
    root: str | Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download a named data set and unpack it as ``root/NAME``, unless it is there.

    Args:
        name: A name of the catalogue, in any case.
        root: The folder that holds the data sets; created.
        url: Address of a zip archive in place of the catalogue's.
        sha256: Digest the archive must have.
        progress: Told how far the download is.

    Returns:
        The folder of the data set. The archive stays beside it as ``NAME.zip`` with its digest
        in ``NAME.zip.sha256``.

    Raises:
        InputError: An unknown name, a data set that a person must fetch, a failed download, or
            an archive that cannot be unpacked.
    """
    info = _known(name)
    root = Path(root)
    present = find_folders(info, root)
    if present:
        return present[0]
    address = url or info.url
    folder = root / info.folders[0]
    if address is None:
        raise InputError(
            f"{info.name} has no public address to download from: open {info.homepage}, unpack "
            f"what you get there into {folder}, or give the address of a zip archive with --url."
        )
    archive = root / f"{info.folders[0]}.zip"
    expected = sha256 or (info.sha256 if url is None else None)
    fresh = not archive.exists()
    digest = download(address, archive, sha256=expected, progress=progress)
    try:
        unpack(archive, folder)
    except _DamagedError as error:
        keep_digest(archive, None)
        if not fresh:
            raise
        page = _is_page(archive)
        archive.unlink()
        what = "is a web page, to log in or a notice, not a zip archive" if page else error.fault
        raise InputError(
            f"{address} gave a file that {what}, so it was removed: open {info.homepage}, unpack "
            f"what you get there into {folder}, or give another address with --url."
        ) from error
    keep_digest(archive, digest)
    return folder


class _DamagedError(InputError):
    """The archive is none, incomplete or hostile: to fetch it again may help."""

    def __init__(self, archive: Path, fault: str) -> None:
        super().__init__(f"{archive} {fault}: delete it and download it again.")
        self.fault = fault


def unpack(archive: str | Path, folder: str | Path) -> Path:
    """Unpack a zip archive into a new folder, all of it or nothing.

    A single folder at the top of the archive is left out, and an archive that holds nothing but
    another archive is unpacked as well.

    Args:
        archive: A zip file.
        folder: The folder to make; it must not exist.

    Returns:
        ``folder``.

    Raises:
        InputError: The archive is damaged or encrypted, would write outside of the folder, holds
            links, or does not fit on the disk; or the folder exists.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise InputError(f"{folder} exists already: move it away to unpack {archive} again.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Part(folder, folder=True)
        try:
            content = scratch.path / "content"
            _extract(archive, content)
            content = _below_single_folder(content)
            inner = list(content.iterdir())
            if len(inner) == 1 and inner[0].suffix.lower() == ".zip":
                nested = scratch.path / "nested"
                _extract(inner[0], nested)
                content = _below_single_folder(nested)
            content.rename(folder)
        finally:
            scratch.drop()
    except OSError as error:
        raise InputError(
            f"{archive} cannot be unpacked into {folder} ({error.strerror or error}): choose "
            "another folder or make room."
        ) from error
    return folder


def _known(name: str) -> DatasetInfo:
    info = find_info(name)
    if info is None:
        names = ", ".join(entry.name for entry in CATALOG)
        raise InputError(f"{name!r} is not a data set that is known: use one of {names}.")
    return info


def _extract(archive: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as file:
            members = [m for m in file.infolist() if not m.filename.startswith("__MACOSX/")]
            for member in members:
                _check_member(member, archive)
            needed = sum(member.file_size for member in members)
            free = shutil.disk_usage(folder).free
            if needed > free:
                raise InputError(
                    f"{archive} needs {needed / 1e9:.1f} GB and {folder.parent.parent} has "
                    f"{free / 1e9:.1f} GB free: make room or choose another folder."
                )
            for member in members:
                file.extract(member, folder)
    except InputError:
        raise
    except (NotImplementedError, RuntimeError) as error:  # encrypted, or packed in an odd way
        raise InputError(
            f"{archive} is a zip archive that cannot be unpacked here ({error}): unpack it with "
            "another program."
        ) from None
    except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise _DamagedError(
            archive, f"is not a zip archive that can be unpacked ({error})"
        ) from None


def _is_page(file: Path) -> bool:
    """Whether a file begins as web pages do."""
    with file.open("rb") as stream:
        start = stream.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--"))


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    if not member.filename:
        raise _DamagedError(archive, "holds a file without a name")
    path = PurePosixPath(member.filename.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0])
    if outside or stat.S_ISLNK(member.external_attr >> 16):
        raise _DamagedError(
            archive, f"holds {member.filename!r}, which would reach outside of its folder"
        )


def _below_single_folder(folder: Path) -> Path:
    inner = list(folder.iterdir())
    if len(inner) == 1 and inner[0].is_dir() and inner[0].name.lower() not in SPLITS:
        return inner[0]
    return folder
