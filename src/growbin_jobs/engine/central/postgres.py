"""PostgreSQL through psycopg2: connecting, waiting under gevent, and what its errors mean."""

import math
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import peewee

from growbin_jobs.engine.addresses import bracketed
from growbin_jobs.engine.central.driver import UPGRADE_COMMAND, Dialect, StaleSession, TooSlow
from growbin_jobs.engine.central.pool import GROWS_AFTER
from growbin_jobs.engine.central.postgres_login import unconnected
from growbin_jobs.engine.errors import Away, ConfigurationError, Permanent, Transient
from growbin_jobs.engine.threads import gevent_active

try:
    import psycopg2
    from psycopg2 import extensions
    from psycopg2.extras import register_default_jsonb

    from growbin_jobs.engine.central.silent_servers import SilentServers
except ImportError:
    raise ConfigurationError(
        "The database is PostgreSQL, whose driver is not installed. Run: pip install growbin-jobs[postgres]"
    ) from None

T = TypeVar("T")

#: SQLSTATE classes that pass by themselves: connection, resources, lock not available, operator intervention (also a
#: statement's timeout), system error. https://www.postgresql.org/docs/current/errcodes-appendix.html
_AWAY_CLASSES: Final = ("08", "53", "55", "57", "58")
#: Rollback: deadlock, serialization. Every connection meets these.
_ROLLBACK_CLASS: Final = "40"
#: A read-only transaction: we are on a standby, or the session began while the default was on.
_READ_ONLY_CODE: Final = "25006"
#: Undefined table, undefined column.
_SCHEMA_CODES: Final = ("42P01", "42703")
#: ON CONFLICT finds no unique index: pg_restore makes keys last, after the rows.
_KEYLESS_CODE: Final = "42P10"
#: Data exceptions, integrity constraints, and limits of the program (a value that is too long for an index).
_VALUE_CLASSES: Final = ("22", "23", "54")
#: In what psycopg2 says of a text that PostgreSQL cannot store, which is none of its own errors.
_NUL: Final = "NUL (0x00)"
#: libpq's, where none is named.
_PORT: Final = 5432
#: The statement's timeout has ended it.
_TIMEOUT_CODE: Final = "57014"
_NO_RIGHT_CODE: Final = "42501"
_DISK_FULL_CODE: Final = "53100"


class PostgresDriver:
    """Opens connections to one PostgreSQL database.

    Parameters:
      url: ``postgresql://user:password@host:port/name?options``; what libpq takes.
      pool_size: Connections in use at the same time in one process, at most.
      timeout: Seconds to connect, to wait for a free connection, and for one statement.
      deferral_wait: Seconds until the next try that an error asks for.
      setting: Name of the setting that holds the URL.
      grows_after: Seconds to wait for a connection in use before one more is opened.
      upgrade_command: What brings it to the current schema.

    Raises:
      ConfigurationError: When the URL cannot be read.
    """

    dialect: Dialect = "postgresql"
    path = None

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        timeout: float,
        deferral_wait: float,
        setting: str = "DATABASE_URL",
        grows_after: float = GROWS_AFTER,
        upgrade_command: str = UPGRADE_COMMAND,
    ) -> None:
        named = _read_url(url, setting)
        self.setting = setting
        self._upgrade_command = upgrade_command
        self.deferral_wait = deferral_wait
        self.sessions = pool_size
        self.patience = timeout
        self.grows_after = grows_after
        self.address = f"postgresql://{_where(named)}/{named.get('dbname', '')}"
        milliseconds = math.ceil(timeout * 1000)
        session_options = {
            "statement_timeout": milliseconds,
            # A worker that froze inside a transaction must not keep its row locks for ever.
            "idle_in_transaction_session_timeout": 6 * milliseconds,
            "TimeZone": "UTC",
        }
        options = " ".join(f"-c {name}={value}" for name, value in session_options.items())
        self._parameters: dict[str, Any] = {
            "application_name": "growbin-jobs",
            "connect_timeout": max(2, math.ceil(timeout)),
            # A server that vanished without a word (its machine died) is noticed by the kernel.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": milliseconds,
            **named,
            "options": f"{options} {named.get('options', '')}".strip(),
            "client_encoding": "utf8",
        }
        # The server's own statement timeout comes first; this is for a server that says nothing.
        self._connection_class = type("_Connection", (extensions.connection,), {"silence": 2 * timeout})
        self._silent = SilentServers(timeout / 2)

    def open(self) -> peewee.Database:
        if gevent_active() and extensions.get_wait_callback() is None:
            extensions.set_wait_callback(_wait)
        session = _Session(self._connect)
        try:
            session.connect()
        except peewee.PeeweeException as error:
            raise unconnected(str(_cause(error)), self.address, setting=self.setting, wait=self.deferral_wait) from None
        return session

    def call(self, function: Callable[..., T], /, *arguments: Any) -> T:
        return function(*arguments)

    @contextmanager
    def transaction(self, session: peewee.Database, *, durable: bool) -> Iterator[None]:
        connection: Any = session  # peewee has no types
        with connection.atomic():
            if not durable:
                connection.execute_sql("SET LOCAL synchronous_commit TO off")
            yield

    @contextmanager
    def snapshot(self, session: peewee.Database) -> Iterator[None]:
        connection: Any = session  # peewee has no types
        with connection.atomic():
            connection.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield

    def is_alive(self, session: peewee.Database) -> bool:
        # An idle server says nothing unless it closes the connection; asking it would cost a round trip each time.
        connection = _raw(session)
        if connection.closed:
            return False
        poller = select.poll()
        poller.register(connection.fileno(), select.POLLIN)
        return not poller.poll(0)

    def is_clean(self, session: peewee.Database) -> bool:
        connection = _raw(session)
        return bool(not connection.closed and connection.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE)

    def close(self, session: peewee.Database) -> None:
        connection = _raw(session)
        session.dispose()
        connection.close()

    def judge(self, error: Exception) -> Exception:
        cause = _cause(error)
        if isinstance(cause, ValueError) and (isinstance(cause, UnicodeEncodeError) or _NUL in str(cause)):
            return Permanent("request_invalid", detail="the database stores no NUL and no half of a character")
        if not isinstance(cause, psycopg2.Error):
            return error
        name, code = type(cause).__name__, cause.pgcode
        # Without a code it comes from libpq: the connection is gone. Its text may quote a statement, so it stays here.
        if code is None and not isinstance(cause, psycopg2.ProgrammingError | psycopg2.NotSupportedError):
            return Away(f"The connection to {self.address} was lost.", wait=self.deferral_wait)
        if code is None:
            return Transient(f"psycopg2 refuses a statement ({name})")
        if code == _TIMEOUT_CODE:
            return TooSlow(
                f"{self.address} took too long for a statement ({code}); growbin-jobs doctor says whether somebody "
                "keeps a lock.",
                wait=self.deferral_wait,
            )
        if code == _NO_RIGHT_CODE:
            return StaleSession(
                f"{self.address} denies this user a right ({code}). Let the tables' owner GRANT SELECT, INSERT, "
                "UPDATE, DELETE on them, and TEMPORARY on the database; growbin-jobs doctor says what is missing.",
                wait=self.deferral_wait,
            )
        if code == _READ_ONLY_CODE:
            return StaleSession(
                f"{self.address} can only be read now ({code}): it is a standby, or default_transaction_read_only is "
                "on; growbin-jobs doctor says which.",
                wait=self.deferral_wait,
            )
        if code == _DISK_FULL_CODE:
            return StaleSession(
                f"{self.address} has no room left on its disk ({code}). Free some there, or enlarge it; what waits "
                "goes on by itself.",
                wait=self.deferral_wait,
            )
        if code.startswith(_ROLLBACK_CLASS):
            return Away(f"{self.address} cannot serve now: {name} ({code}).", wait=self.deferral_wait)
        if code.startswith(_AWAY_CLASSES):
            return StaleSession(f"{self.address} cannot serve now: {name} ({code}).", wait=self.deferral_wait)
        if code in _SCHEMA_CODES:
            return StaleSession(
                f"{self.address} is behind in its schema. Run: {self._upgrade_command}", wait=self.deferral_wait
            )
        if code == _KEYLESS_CODE:
            return StaleSession(
                f"{self.address} lacks a key of its tables ({code}): it is being restored, or a restore broke off. "
                "Let it end; growbin-jobs doctor says what is missing.",
                wait=self.deferral_wait,
            )
        if code.startswith(_VALUE_CLASSES):
            return Permanent("request_invalid", detail=f"the database refuses a value ({name}, {code})")
        return Transient(f"{self.address} refuses a statement: {name} ({code})")

    def _connect(self) -> Any:
        connection = psycopg2.connect(connection_factory=self._connection_class, **self._parameters)
        connection.autocommit = True
        # JSON comes as text, as from SQLite; psycopg2 would parse it and leave a string ambiguous.
        register_default_jsonb(connection, loads=lambda text: text)
        if not gevent_active():
            self._silent.watch(connection)
        return connection


class _Session(peewee.PostgresqlDatabase):
    """One connection as peewee sees it. Never shared: no thread-local state, no lock."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._open_connection = connect
        super().__init__("central", thread_safe=False, field_types={"DATETIME": "TIMESTAMPTZ"})

    def _log_query(self, sql: str, params: Any) -> None:
        """Peewee logs each statement with its values at DEBUG; they are personal data."""

    def _connect(self) -> Any:
        return self._open_connection()

    def rollback(self) -> None:
        # Where the connection broke, or an actor's time limit ended the wait for it, the rollback fails too: that must
        # not hide what happened. The connection is not clean then, and is thrown away.
        with suppress(peewee.PeeweeException):
            super().rollback()


def _wait(connection: Any) -> None:
    """Let other greenlets run while libpq waits: psycopg2's wait callback.

    psycopg2 has one for the whole process, and COPY does not work where it is set; bulk COPY belongs into a process
    without gevent. A connection of another library is waited for without limit.
    """
    from gevent.socket import wait_read, wait_write

    silence = getattr(connection, "silence", None)
    waits = {extensions.POLL_READ: wait_read, extensions.POLL_WRITE: wait_write}
    while (state := connection.poll()) != extensions.POLL_OK:
        waits[state](
            connection.fileno(), timeout=silence, timeout_exc=psycopg2.OperationalError("the server says nothing")
        )


def _read_url(url: str, setting: str) -> dict[str, str]:
    """Return libpq's parameters; its own complaints would quote parts of the URL, and of a password with an @ or /."""
    try:
        named: dict[str, str] = extensions.parse_dsn(url)
    except psycopg2.Error:
        named = {"port": "?"}
    ports = named.get("port", "").split(",")
    if (
        not all(port.isdecimal() or not port for port in ports)
        or "@" in named.get("host", "")
        or "@" in named.get("dbname", "")
    ):
        raise ConfigurationError(
            f"{setting} cannot be read. It must be postgresql://user:password@host:port/name, where the password's "
            "special characters are percent-encoded (@ as %40, / as %2F, : as %3A, % as %25); options are libpq's."
        )
    return named


def _where(named: Mapping[str, str]) -> str:
    """Return all hosts with their ports, as a URL has them: a host whose port is left out has libpq's usual one."""
    hosts, ports = named.get("host", "localhost").split(","), named.get("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return ",".join(f"{bracketed(host)}:{port or _PORT}" for host, port in zip(hosts, ports, strict=False))


def _raw(session: peewee.Database) -> extensions.connection:
    connection: extensions.connection = session.connection()  # type: ignore[no-untyped-call]
    return connection


def _cause(error: Exception) -> Exception:
    """Return the driver's own error inside one of peewee's."""
    return getattr(error, "orig", None) or error
