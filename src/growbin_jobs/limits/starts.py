"""Which start of the machine, or of the database's server, this is: another one may have forgotten commits."""

from pathlib import Path
from typing import Any, Final

from growbin_jobs.limits.server_change import forgot_at

_ATTRIBUTE: Final = "growbin_start"
_STARTED: Final = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8"


def start_of(connection: Any, dialect: str) -> str:
    """Return what is another after each start of what may forget commits that did not wait for the disk.

    That is the machine for SQLite, the server for PostgreSQL, with its recovery from a crash.
    """
    if dialect != "postgresql":
        return this_boot()
    known: dict[str, Any] = connection.connection().__dict__  # a start of the server ends all connections
    if _ATTRIBUTE not in known:
        [(started,)] = connection.execute_sql(_STARTED).fetchall()
        known[_ATTRIBUTE] = repr(float(started) + forgot_at(connection))
    return str(known[_ATTRIBUTE])


def this_boot() -> str:
    """Return what is another after each start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "unknown"
