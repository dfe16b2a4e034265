"""The embedded central database: one SQLite file that all processes of this machine share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import peewee
from playhouse.apsw_ext import APSWDatabase  # type: ignore[import-untyped]

from growbin_jobs.engine.central.driver import UPGRADE_COMMAND, Dialect
from growbin_jobs.engine.central.pool import GROWS_AFTER
from growbin_jobs.engine.errors import Away, ConfigurationError, Permanent, Transient
from growbin_jobs.engine.sqlite.checkpoints import checkpoint_beside
from growbin_jobs.engine.sqlite.lock_holder import holder_of
from growbin_jobs.engine.sqlite.opening import BUSY_TIMEOUT, expect_random_ids, open_sqlite
from growbin_jobs.engine.sqlite.work import sqlite_work
from growbin_jobs.engine.threads import offload_to

T = TypeVar("T")

#: Connections of one process. There is one writer at a time anyway, and the others poll for its lock.
SESSIONS: Final = 4

_AWAY: Final[dict[type[Exception], str]] = {
    apsw.BusyError: "another process kept it locked",
    apsw.LockedError: "another connection kept it locked",
    apsw.FullError: "the disk is full",
    apsw.IOError: "the disk failed to read or write it",
    apsw.CantOpenError: "it cannot be opened",
    apsw.ReadOnlyError: "it is read-only",
    apsw.PermissionsError: "access to it is denied",
    apsw.ProtocolError: "its locks are in disorder",
    apsw.NoMemError: "there is no memory left",
    apsw.CorruptError: "it is damaged: stop all processes and restore it from a backup",
    apsw.NotADBError: "it is no SQLite database: move it away, or correct its address",
}
_REFUSED: Final = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError)


class SqliteDriver:
    """Opens a SQLite file through apsw, which brings its own, current SQLite.

    Parameters:
      path: The file; it and its folder are made where they are missing, for their owner alone.
      deferral_wait: Seconds until the next try that an error asks for.
      setting, folder_setting: Names of the settings that say where it is.
      upgrade_command: What brings it to the current schema.
    """

    dialect: Dialect = "sqlite"
    sessions = SESSIONS
    patience = BUSY_TIMEOUT
    grows_after = GROWS_AFTER

    def __init__(
        self,
        path: Path,
        *,
        deferral_wait: float,
        setting: str = "DATABASE_URL",
        folder_setting: str = "GROWBIN_DATA_DIR",
        upgrade_command: str = UPGRADE_COMMAND,
    ) -> None:
        self.path = path
        self.setting = setting
        self._folder_setting = folder_setting
        self._upgrade_command = upgrade_command
        self.deferral_wait = deferral_wait
        self.address = f"sqlite://{path.absolute()}"

    def open(self) -> peewee.Database:
        session: peewee.Database = _Session(str(self.path))
        try:
            session.connect()
        except OSError as error:
            raise ConfigurationError(
                f"The database {self.path} cannot be opened: {error.strerror}. "
                f"Set {self._folder_setting} or {self.setting} to a folder that this user may write."
            ) from None
        except (apsw.Error, peewee.PeeweeException) as error:
            found = type(_cause(error))
            sentence = f"The database {self.path} cannot be opened: {self._why(found)}. "
            sentence += f"Name another file in {self.setting}, or mend this one."
            if found in (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.NoMemError):
                raise Away(sentence, wait=self.deferral_wait) from None
            raise ConfigurationError(sentence) from None
        return session

    def call(self, function: Callable[..., T], /, *arguments: Any) -> T:
        # Waiting for the file's lock would stop gevent's hub.
        result: T = offload_to(f"central-database {self.path}", SESSIONS, _at_work, function, arguments)
        return result

    @contextmanager
    def transaction(self, session: peewee.Database, *, durable: bool) -> Iterator[None]:
        if not durable:
            _raw(session).pragma("synchronous", "NORMAL")
        try:
            with session.atomic():
                yield
        finally:
            if not durable:
                _raw(session).pragma("synchronous", "FULL")

    @contextmanager
    def snapshot(self, session: peewee.Database) -> Iterator[None]:
        with session.atomic("DEFERRED"):  # it reads, so it takes no lock that others wait for
            yield

    def is_alive(self, session: peewee.Database) -> bool:  # noqa: ARG002 - a file does not hang up
        return True

    def is_clean(self, session: peewee.Database) -> bool:
        return bool(_raw(session).get_autocommit())

    def close(self, session: peewee.Database) -> None:
        connection = _raw(session)
        session.dispose()
        connection.close(True)

    def judge(self, error: Exception) -> Exception:
        cause = _cause(error)
        if isinstance(cause, UnicodeEncodeError):
            return Permanent("request_invalid", detail="the database stores no half of a character")
        if not isinstance(cause, apsw.Error):
            return error
        if type(cause) in _AWAY:
            return Away(f"The database {self.path} is away: {self._why(type(cause))}.", wait=self.deferral_wait)
        if isinstance(cause, _REFUSED):
            return Permanent("request_invalid", detail=f"the database refuses a value ({type(cause).__name__})")
        if isinstance(cause, apsw.SQLError) and "no such" in str(cause):
            return Away(
                f"The database {self.path} is behind in its schema. Run: {self._upgrade_command}",
                wait=self.deferral_wait,
            )
        return Transient(f"SQLite refuses a statement ({type(cause).__name__})")

    def _why(self, found: type[Exception]) -> str:
        if issubclass(found, apsw.BusyError) and (holder := holder_of(self.path)) is not None:
            return f"it was kept locked by {holder}"
        return _AWAY.get(found, found.__name__)


def _at_work(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    with sqlite_work():
        return function(*arguments)


class _Session(APSWDatabase):  # type: ignore[misc]
    """One connection as peewee sees it. Never shared: no thread-local state, no lock that gevent would have patched."""

    def __init__(self, path: str) -> None:
        # peewee's plain BEGIN would only take the write lock at the first write, and then fail at once, whatever the
        # busy timeout, if another process has written since the first read (SQLITE_BUSY_SNAPSHOT).
        super().__init__(path, thread_safe=False, lock_type="IMMEDIATE", field_types={"DATETIME": "TEXT"})

    def _log_query(self, sql: str, params: Any) -> None:
        """Peewee logs each statement with its values at DEBUG; they are personal data."""

    def _connect(self) -> apsw.Connection:
        connection = open_sqlite(Path(self.database), busy_timeout=BUSY_TIMEOUT)
        # The message is acknowledged on the strength of this commit: it must survive a power cut.
        connection.pragma("synchronous", "FULL")
        expect_random_ids(connection)
        checkpoint_beside(connection, Path(self.database))
        return connection


def _raw(session: peewee.Database) -> apsw.Connection:
    connection: apsw.Connection = session.connection()  # type: ignore[no-untyped-call]
    return connection


def _cause(error: Exception) -> Exception:
    """Return the driver's own error inside one of peewee's."""
    return getattr(error, "orig", None) or error
