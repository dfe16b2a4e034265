"""The file format of one stored object: its bytes, then a trailer with its metadata.

So one rename changes both, and no object ever has the type of another. Picture viewers ignore what follows a picture.
A file without a trailer, which somebody put there by hand, is an object too.
"""

import json
import os
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from growbin_jobs.adapters.objects.port import ObjectInfo
from growbin_jobs.errors import NotFound, PictureRefused

#: The last bytes of the file: the length of the JSON before them, and a mark.
END: Final = struct.Struct(">I16s")
MARK: Final = b"growbin-object-1"


def trailer(content_type: str, cache_control: str | None) -> bytes:
    """Return what follows an object's bytes in its file."""
    stored = json.dumps({"content_type": content_type, "cache_control": cache_control}).encode()
    return stored + END.pack(len(stored), MARK)


def read(path: Path, max_bytes: int | None) -> bytes:
    """Return the object's bytes. Raises NotFound, and PictureRefused when there are more than ``max_bytes``."""
    with _open(path) as file:
        size, _ = _parts(file)
        if max_bytes is not None and size > max_bytes:
            raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(max_bytes / 1e6, 1))
        file.seek(0)
        return file.read(size)


def head(path: Path) -> ObjectInfo:
    """Return what is known of the object. Raises NotFound."""
    with _open(path) as file:
        size, stored = _parts(file)
        modified = os.fstat(file.fileno()).st_mtime
    return ObjectInfo(
        size=size,
        modified=datetime.fromtimestamp(modified, UTC),
        content_type=stored.get("content_type") or "application/octet-stream",
        cache_control=stored.get("cache_control"),
    )


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise NotFound("There is no such object in the folder store.") from None


def _parts(file: BinaryIO) -> tuple[int, dict[str, str | None]]:
    """Return the number of the object's own bytes, and what its trailer says."""
    whole = file.seek(0, os.SEEK_END)
    if whole < END.size:
        return whole, {}
    file.seek(whole - END.size)
    length, mark = END.unpack(file.read(END.size))
    size = whole - END.size - length
    if mark != MARK or size < 0:
        return whole, {}
    file.seek(size)
    try:
        stored = json.loads(file.read(length))
    except ValueError:
        return whole, {}
    return (size, stored) if isinstance(stored, dict) else (whole, {})
