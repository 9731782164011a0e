"""Small steps on disk that either happen whole or not at all, and their errors told in plain words."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "as_output_error",
    "beside",
    "make_folder",
    "remove_tree",
    "sha256_of",
    "sync_file",
    "sync_folder",
    "write_json",
]

_WAYS_OUT: Final = {
    errno.ENOSPC: "the disk is full: make room and run again",
    errno.EDQUOT: "the disk quota is used up: make room and run again",
    errno.EFBIG: "the file is larger than this disk or this account may hold",
    errno.EACCES: "access is denied: give this account the right to write there",
    errno.EPERM: "the system does not permit it: give this account the right to write there",
    errno.EROFS: "the disk is read-only: choose another folder, or mount it for writing",
    errno.EIO: "the disk failed: check it, and run again",
    errno.EBUSY: "another program holds it open: close that program and run again",
    errno.ETXTBSY: "another program holds it open: close that program and run again",
    errno.EMFILE: "too many files are open: raise the limit of open files",
    errno.ENAMETOOLONG: "the path is too long for this disk: choose a shorter folder",
    errno.ENOENT: "the folder is not there: make it, or choose another",
    errno.EISDIR: "it is a folder: choose another name",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another folder",
}

_PART: Final = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)
_BLOCK: Final = 1 << 20


def beside(path: Path) -> Path:
    """Give a name for a file while it is written: beside its place, which it then takes in one step, and hidden.

    >>> beside(Path("output/contacts.csv"))
    PosixPath('output/.contacts.csv....part')
    """
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


@contextlib.contextmanager
def as_output_error(path: Path | str) -> Iterator[None]:
    """Turn what the system refuses inside the block into an `OutputError` with the path and the way out.

    Args:
        path: What is being written; an error that names its own path is told with that one, or the one that it is
            to become.

    Raises:
        OutputError: The block raised an `OSError`.

    >>> with as_output_error("output/contacts.csv"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
        ...
    amoot_etl.errors.OutputError: cannot write output/contacts.csv: the disk is full: make room and run again
    """
    try:
        yield
    except OSError as error:
        named = Path(os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else path)
        part = _PART.fullmatch(named.name)
        subject = str(named.with_name(part[1]) if part else named)
        way_out = _WAYS_OUT.get(
            error.errno or 0, error.strerror or f"the system refused ({type(error).__name__})"
        )
        raise OutputError(f"cannot write {subject}: {way_out}", subject=subject) from error


def make_folder(path: Path, mode: int) -> Path:
    """Make a folder, and the ones above it, unless it is there; give it that mode either way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        # "File exists" is what the system calls a file that is in a folder's way.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    if path.stat().st_mode & 0o777 != mode:
        path.chmod(mode)
    return path


def sync_file(path: Path) -> None:
    """Wait until the disk holds the whole file."""
    # Windows flushes a handle only if it may write.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Wait until the disk holds the folder's names; Windows has no such call and needs none."""
    if os.name != "nt":
        sync_file(path)


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file as hexadecimal text."""
    digest = hashlib.sha256()
    buffer = bytearray(_BLOCK)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()


def write_json(path: Path, value: Any, mode: int = 0o600) -> None:
    """Write a small JSON file so that whoever reads the path finds the old one or the new one, whole.

    Args:
        path: The file, in a folder that is there.
        value: What `json` can write.
        mode: The file's mode.

    Raises:
        OutputError: It could not be written; the old file is as it was.
    """
    beside = path.with_name(f".{path.name}.new")
    with as_output_error(path):
        try:
            # The mode counts from the first byte on, not after a moment of being readable.
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                json.dump(value, file, ensure_ascii=False, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(mode)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def remove_tree(path: Path) -> bool:
    """Remove a file, a link or a folder with all it holds; tell whether it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return not os.path.lexists(path)
