"""The folder in which an application keeps its data unless it is told otherwise."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from growbin_jobs.engine.errors import ConfigurationError

#: Where an application keeps its data that was prepared for it (a container, a machine).
SYSTEM = Path("/var/lib")

#: For users that have no home; what is here outlives a restart of the machine.
HOMELESS = Path("/var/tmp")  # noqa: S108 - in a folder of this user's own


def data_folder(application: str) -> Path:
    """Return where an application keeps its data unless it is told otherwise.

    Returns:
      ``/var/lib/<application>`` where that exists and is writable, else ``~/.local/share/<application>``, and for a
      user without a home ``/var/tmp/<application>-<user id>``.

    Raises:
      ConfigurationError: If that last one belongs to somebody else.
    """
    system = SYSTEM / application
    if os.access(system, os.W_OK):
        return system
    data_home = os.environ.get("XDG_DATA_HOME", "")
    if data_home.startswith("/"):  # a relative one is to be ignored, its specification says
        return Path(data_home) / application
    try:
        home = Path.home()
    except RuntimeError:  # a user id without an account, as containers of OpenShift have
        return _homeless(application)
    return home / ".local" / "share" / application


def node_folder(prefix: str) -> Path:
    """Return the folder of this node as the settings of a prefix name it, without loading and checking them.

    For probes, which must be quick. A wrong setting is the worker's to complain about.
    """
    application = prefix.strip("_").lower()
    data = os.environ.get(f"{prefix}DATA_DIR", "")
    node = os.environ.get(f"{prefix}NODE", "") or socket.gethostname()
    return (expanded(Path(data)) if data else data_folder(application)) / node


def expanded(path: Path) -> Path:
    """Return a path with ``~`` replaced by the user's home, as a shell does.

    Raises:
      ValueError: If there is no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{str(path)!r} names the home of a user who has none; write the whole path") from None


def from_the_root(path: Path) -> Path:
    """Return a path with ``~`` replaced by the user's home.

    Raises:
      ValueError: If it is relative, or there is no such home.
    """
    path, given = expanded(path), path
    if path.is_absolute():
        return path
    here = ""
    with contextlib.suppress(FileNotFoundError):  # somebody has removed the current folder
        here = f". From here it would be {given.absolute()}"
    raise ValueError(
        f"must be an absolute path: processes that start in different folders would not share {str(given)!r}{here}"
    )


def _homeless(application: str) -> Path:
    folder = HOMELESS / f"{application}-{os.getuid()}"
    with contextlib.suppress(FileNotFoundError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ConfigurationError(
                f"This user has no home, and {folder} is somebody else's. Set {application.upper()}_DATA_DIR."
            )
    return folder
