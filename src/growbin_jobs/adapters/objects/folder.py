"""The object store in a folder, for one machine without a server.

An object is one file, ``{root}/{bucket}/{key}``, written beside and put in its place by a rename, so no reader and no
crash ever sees half of one.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from growbin_jobs.adapters.objects import objectfile
from growbin_jobs.adapters.objects.keys import address_of, check_key, check_prefix, key_of
from growbin_jobs.adapters.objects.port import Listed, ObjectInfo, probe
from growbin_jobs.engine.threads import offload
from growbin_jobs.errors import ConfigurationError, Deferred, NotFound, Permanent

INCOMING: Final = ".incoming"  # no bucket has such a name
MOVE_ATTEMPTS: Final = 20
ABANDONED_AFTER: Final = 3600.0
FULL_OR_BROKEN_WAIT: Final = 30.0


class FolderStore:
    """See :class:`~growbin_jobs.adapters.objects.port.ObjectStore`.

    One difference to S3, which S3-compatible servers that keep files share: a key cannot be the folder of another.

    Parameters:
      root: The folder; it is made when it is first needed, for its owner only.
      bucket: Name in the addresses.
    """

    def __init__(self, root: Path, bucket: str = "growbin") -> None:
        self.bucket = bucket
        self._objects = root / bucket
        self._incoming = root / INCOMING
        self._cleared = False

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> str:
        check_key(key)
        pieces = (data, objectfile.trailer(content_type, cache_control))
        with _refusals():
            offload(self._write, key, pieces)
        return self.address(key)

    def get(self, address_or_key: str, *, max_bytes: int | None = None) -> bytes:
        path = self._path(address_or_key)
        with _refusals():
            return offload(objectfile.read, path, max_bytes)

    def head(self, address_or_key: str) -> ObjectInfo:
        path = self._path(address_or_key)
        with _refusals():
            return offload(objectfile.head, path)

    def exists(self, address_or_key: str) -> bool:
        try:
            self.head(address_or_key)
        except NotFound:
            return False
        return True

    def delete(self, address_or_key: str) -> None:
        path = self._path(address_or_key)
        with _refusals():
            offload(self._unlink, path)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        below = "".join(check_prefix(prefix).rpartition("/")[:2])
        yield from self._walk(self._objects / below, below, prefix)

    def address(self, key: str) -> str:
        return address_of(key, self.bucket)

    def presign(self, address_or_key: str, *, expires: int) -> str:  # noqa: ARG002
        raise ConfigurationError(
            "A folder has no addresses that a model's server could read. Set GROWBIN_VISION_TRANSPORT=data_url, "
            "or keep the pictures in S3 (GROWBIN_OBJECT_STORE_URL=s3://bucket)."
        )

    def check(self) -> None:
        probe(self)

    def _path(self, address_or_key: str) -> Path:
        return self._objects / key_of(address_or_key, self.bucket)

    def _write(self, key: str, pieces: tuple[bytes, ...]) -> None:
        _make_folder(self._incoming)
        self._clear_abandoned()
        new = self._incoming / uuid4().hex
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            _move(new, self._objects / key)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def _clear_abandoned(self) -> None:
        """Delete, once a process, what killed processes have left half written."""
        if self._cleared:
            return
        for left in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - ABANDONED_AFTER:
                    left.unlink()
        self._cleared = True

    def _unlink(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
            _sync_folder(path.parent)
        with contextlib.suppress(OSError):  # not empty, or gone
            for folder in path.parents:
                if folder == self._objects:
                    return
                folder.rmdir()

    def _walk(self, folder: Path, below: str, prefix: str) -> Iterator[Listed]:
        with _refusals():
            entries = offload(_scan, folder)
        for name, listed in entries:
            key = below + name
            if not key.startswith(prefix):
                continue
            if listed is None:
                yield from self._walk(folder / name, key, prefix)
            else:
                yield Listed(key, *listed)


def _scan(folder: Path) -> list[tuple[str, tuple[int, datetime] | None]]:
    """List a folder: names of folders with a slash at their end, files with their size and time."""
    entries: list[tuple[str, tuple[int, datetime] | None]] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                entries.append((f"{entry.name}/", None))
                continue
            with contextlib.suppress(NotFound):  # deleted meanwhile
                info = objectfile.head(Path(entry.path))
                entries.append((entry.name, (info.size, info.modified)))
    return entries


def _move(new: Path, path: Path) -> None:
    """Give a file its place and its name; the name survives a power cut."""
    for attempt in range(1, MOVE_ATTEMPTS + 1):
        try:
            _make_folder(path.parent)
            new.replace(path)
            break
        except (NotADirectoryError, IsADirectoryError):
            raise Permanent(
                "request_invalid", detail="the object's key is the folder of another, or the reverse"
            ) from None
        except FileNotFoundError:  # a delete took the empty folder just now
            if attempt == MOVE_ATTEMPTS:
                raise
    with contextlib.suppress(FileNotFoundError):
        _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, for the owner only; each new name survives a power cut.

    Raises:
      FileNotFoundError: Another process has removed a parent meanwhile; or there can be none, since it is a link that
        leads nowhere, or in a file system such as ``/proc``.
    """
    try:
        _make_one(folder)
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        _make_folder(folder.parent)
        _make_one(folder)  # once, and not until it succeeds


def _make_one(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return  # should it be a file, whoever goes on from here finds that out
    with contextlib.suppress(FileNotFoundError):
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn the file system's errors into ours."""
    try:
        yield
    except OSError as error:
        what = error.strerror or type(error).__name__
        if isinstance(error, FileNotFoundError):
            what = "it cannot be made where it should be, or is a link that leads nowhere"
        raise Deferred(
            f"The folder of the object store cannot be used: {what}. Give this user disk space and write access there.",
            wait=FULL_OR_BROKEN_WAIT,
        ) from None  # its own words hold the object's key, and that a user's id
