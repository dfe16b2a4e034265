"""Refuses a data folder in which this user cannot work, with whose it is and what to do."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.file_system import check_path, require_locks_and_maps

#: What to do where a disk is nearly full.
MORE_ROOM = "Free some space, or set {variable} to a folder on a larger disk."


def require_usable(folder: Path, variable: str) -> None:
    """Make a data folder where it is missing, and see that this user may work in it.

    Parameters:
      folder: The data folder.
      variable: Name of the setting that says where it is.

    Raises:
      ConfigurationError: SQLite cannot open its path, it cannot be made, entered or written, a database in it is
        another user's, or its file system lacks what is needed.
    """
    check_path(folder / "central.db")
    if folder.is_symlink() and not os.path.exists(folder):
        raise ConfigurationError(
            f"{folder} is a link to {os.readlink(folder)}, which does not exist. Make that folder, or set {variable}."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made ({error.strerror}). Set {variable}.") from None
    require_writable(folder, variable)
    for each in _in(folder):
        if not os.access(each, os.R_OK | os.W_OK | (os.X_OK if each.is_dir() else 0)):
            raise ConfigurationError(
                f"{each} is not writable for this user: another one made it, or its mode forbids it. Let an "
                f"administrator run: chown -R {_name_of(os.getuid())} {folder}"
            )
    require_locks_and_maps(folder, variable)


def require_writable(folder: Path, variable: str) -> None:
    """See that this user may enter a folder and write in it, where there is one.

    Raises:
      ConfigurationError: If not; it says whose the folder is.
    """
    if os.access(folder, os.W_OK | os.X_OK):
        return
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be reached ({error.strerror}). Set {variable}.") from None
    if owner == os.getuid():
        raise ConfigurationError(f"{folder} is not writable. Give this user the right to write, or set {variable}.")
    raise ConfigurationError(
        f"{folder} is not writable for {_name_of(os.getuid())}: it is {_name_of(owner)}'s. Run this as "
        f"{_name_of(owner)}, give this user the right to write, or set {variable}."
    )


def require_room(folder: Path, variable: str, floor: int, floor_variable: str) -> int:
    """See that the disk of a data folder has the room without which workers take no new messages.

    Parameters:
      folder: The data folder.
      variable: Name of the setting that says where it is.
      floor: Bytes that must be free.
      floor_variable: Name of the setting that says how many.

    Returns:
      Bytes that are free.

    Raises:
      ConfigurationError: There is less.
    """
    free = shutil.disk_usage(folder).free
    if free < floor:
        raise ConfigurationError(
            f"{folder}, {free / 1e9:.1f} GB free: workers take no new messages with less than {floor / 1e9:.2f} GB "
            f"({floor_variable}). {MORE_ROOM.format(variable=variable)}"
        )
    return free


def _in(folder: Path) -> Iterator[Path]:
    """Yield the nodes' folders, and the files of databases there and in the data folder, with what belongs to them."""
    for pattern in ("*/", "*.db*", "*/*.db*"):
        yield from sorted(folder.glob(pattern))


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
