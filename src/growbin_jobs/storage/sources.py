"""Reads an uploaded picture from where ``image_path`` may point: a spool folder, or an object below ``spool/``.

A message's path comes from outside, so it must not read ``/etc/shadow`` through a symlink, hang on a FIFO, or fetch
another bucket. Files are opened step by step below the spool folder without following links, so that a link put there
between the check and the opening is not followed either.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from growbin_jobs.engine.threads import offload
from growbin_jobs.errors import NotFound, PictureRefused, Transient
from growbin_jobs.names import SPOOL_PREFIX, SPOOL_USER

if TYPE_CHECKING:
    from growbin_jobs.adapters.objects import ObjectStore


_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL})


class PictureSources:
    """Reads what a message points to.

    Parameters:
      spool_folders: Folders that may be read, absolute. One with ``{user_id}`` in its path may be read for that user
        only, and a link in place of a user's folder is not followed.
      objects: The object store.
      max_bytes: Largest picture; no more than this is ever read.
      closed: Folders that may not be read though they lie below a spool folder: whoever names a picture there would
        get another user's, and have it deleted. A spool folder below one of them may be.
    """

    def __init__(
        self, spool_folders: Sequence[Path], objects: "ObjectStore", *, max_bytes: int, closed: Sequence[Path] = ()
    ) -> None:
        self._folders = [os.path.realpath(folder) for folder in spool_folders]
        self._closed = [os.path.realpath(folder) for folder in closed]
        self._objects = objects
        self._max_bytes = max_bytes

    def read(self, image_path: str, user_id: str | None = None) -> bytes:
        """Return the bytes of the picture.

        Parameters:
          image_path: An absolute path, or ``s3://bucket/spool/…`` in our own bucket.
          user_id: Of the message, valid as a part of a path; None: of nobody, who has no folder of their own.

        Raises:
          PictureRefused: Outside the spool, missing, no ordinary file, or too large.
          Transient: The file is there but cannot be read now.
        """
        if image_path.startswith("s3://"):
            return self._read_object(image_path)
        return offload(self._read_file, image_path, user_id)

    def discard(self, image_path: str, user_id: str | None = None) -> None:
        """Delete the picture from the spool; one that is gone already is fine. See :meth:`read` for the parameters.

        Raises:
          PictureRefused: Outside the spool.
          Transient: It cannot be deleted now.
        """
        if image_path.startswith("s3://"):
            self._objects.delete(self._spooled(image_path))
        else:
            offload(self._delete_file, image_path, user_id)

    def _spooled(self, address: str) -> str:
        # A prefix is enough: the store itself refuses keys with "..".
        if not address.startswith(self._objects.address(SPOOL_PREFIX)):
            raise PictureRefused("picture_outside_spool")
        return address

    def _read_object(self, address: str) -> bytes:
        try:
            return self._objects.get(self._spooled(address), max_bytes=self._max_bytes)
        except NotFound:
            raise PictureRefused("picture_missing") from None

    def _read_file(self, image_path: str, user_id: str | None) -> bytes:
        with self._parent(image_path, user_id) as (parent, name):
            # O_NONBLOCK: opening a FIFO would else wait for its writer.
            descriptor = os.open(name, _OPEN | os.O_NONBLOCK, dir_fd=parent)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise PictureRefused("picture_not_an_image")
                data = file.read(self._max_bytes + 1)
        if len(data) > self._max_bytes:
            raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(self._max_bytes / 1e6, 1))
        return data

    def _delete_file(self, image_path: str, user_id: str | None) -> None:
        try:
            with self._parent(image_path, user_id) as (parent, name):
                os.unlink(name, dir_fd=parent)
        except PictureRefused as refusal:
            if refusal.code != "picture_missing":
                raise

    @contextmanager
    def _parent(self, image_path: str, user_id: str | None) -> Iterator[tuple[int, str]]:
        """Open the folder that the file lies in, one step at a time from the spool folder."""
        folder, steps = self._below_spool(image_path, user_id)
        with _reasons():
            descriptor = os.open(folder, _OPEN | os.O_DIRECTORY)
            try:
                for step in steps[:-1]:
                    inner = os.open(step, _OPEN | os.O_DIRECTORY, dir_fd=descriptor)
                    os.close(descriptor)
                    descriptor = inner
                yield descriptor, steps[-1]
            finally:
                os.close(descriptor)

    def _below_spool(self, image_path: str, user_id: str | None) -> tuple[str, list[str]]:
        """Return the spool folder and the steps from there, links and ``..`` resolved."""
        if not image_path.startswith("/") or "\0" in image_path:
            raise PictureRefused("picture_outside_spool")
        with _reasons():
            path = os.path.realpath(image_path)
        folders = [each.replace(SPOOL_USER, user_id) if user_id else each for each in self._folders]
        folder, closed = _innermost(folders, path), _innermost(self._closed, path)
        if folder is None or (closed is not None and len(closed) >= len(folder)):
            raise PictureRefused("picture_outside_spool")
        return folder, path[len(folder) :].strip(os.sep).split(os.sep)


def _innermost(folders: Sequence[str], path: str) -> str | None:
    """Return the longest of the folders that a path lies in."""
    around = (folder for folder in folders if path.startswith(folder.rstrip(os.sep) + os.sep))
    return max(around, key=len, default=None)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn the system's errors into ours. Paths stay out of them: they may name a person."""
    try:
        yield
    except UnicodeEncodeError:
        raise PictureRefused("picture_outside_spool") from None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link where there was none a moment ago
            raise PictureRefused("picture_outside_spool") from None
        if error.errno in _MISSING:
            raise PictureRefused("picture_missing") from None
        if error.errno in (errno.ENXIO, errno.EISDIR):  # a socket, a folder
            raise PictureRefused("picture_not_an_image") from None
        raise Transient(f"the spooled picture cannot be read: {error.strerror}") from None
