"""SQLite's errors: which pass by themselves, which are the fault of what was to be written, and what to do."""

from __future__ import annotations

from pathlib import Path

import apsw

from growbin_jobs.engine.sqlite.lock_holder import holder_of

#: The file is damaged, or no database.
DAMAGED = (apsw.CorruptError, apsw.NotADBError)

#: Something is wrong with the file or its disk, and not with what was to be written.
FILE_ERRORS = (
    OSError, apsw.FullError, apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.CantOpenError, apsw.ReadOnlyError,
    apsw.PermissionsError, apsw.NoMemError, apsw.ProtocolError, apsw.InterruptError, *DAMAGED,
)  # fmt: skip

#: Something is wrong with a value: it is no text or number that SQLite can hold, it is too large, or a table refuses
#: it. Trying again is no use.
VALUE_ERRORS = (
    ValueError, TypeError, OverflowError, apsw.TooBigError, apsw.RangeError, apsw.ConstraintError, apsw.MismatchError,
)  # fmt: skip

_REMEDIES: dict[type[Exception], str] = {
    apsw.FullError: "the disk is full; free some space, then it goes on by itself",
    apsw.IOError: "reading or writing it failed; look at its disk, the quota and the limit of file sizes",
    apsw.BusyError: "another process has held its lock for too long; look for one that is stopped in mid-write",
    apsw.CantOpenError: "it cannot be opened; its folder must be on a local disk and writable",
    apsw.ReadOnlyError: "it cannot be written; check the permissions of the file and its folder",
    apsw.NotADBError: "it is not a SQLite file; choose another path or move it away",
    apsw.CorruptError: "it is damaged; stop all workers and move it away together with its -wal and -shm files",
}


def explain(error: Exception, path: Path) -> str:
    """Return what is wrong with a file, and what to do."""
    if isinstance(error, apsw.BusyError) and (holder := holder_of(path)) is not None:
        return f"its lock has been held for too long by {holder}"
    return _REMEDIES.get(type(error)) or f"{type(error).__name__}: {error}"
