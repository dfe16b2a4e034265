"""Lending connections to the central database: one operation at a time, bounded, never across a fork."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import peewee

from growbin_jobs.engine.central.pool import Pool
from growbin_jobs.engine.errors import ConfigurationError, Deferred
from growbin_jobs.engine.processes import once_a_process

T = TypeVar("T")

Dialect = Literal["postgresql", "sqlite"]


class Driver(Protocol):
    """How one kind of database opens and judges its connections, each wrapped in a peewee database of its own.

    Attributes:
      dialect: Which SQL it speaks.
      address: Where it is, for people: without user, without password.
      sessions: Connections in use at the same time in one process, at most.
      patience: Seconds to wait for one of them.
      deferral_wait: Seconds until the next try that a Deferred asks for.
    """

    dialect: Dialect
    address: str
    sessions: int
    patience: float
    deferral_wait: float

    def open(self) -> peewee.Database:
        """Connect. Raises ConfigurationError or Deferred: what is wrong and how to mend it."""

    def call(self, function: Callable[..., T], /, *arguments: Any) -> T:
        """Call the function where blocking is allowed."""

    def is_alive(self, session: peewee.Database) -> bool:
        """Return False when an idle connection was closed by the other side, without asking the server."""

    def is_clean(self, session: peewee.Database) -> bool:
        """Return True when a connection is neither broken nor inside a transaction."""

    def close(self, session: peewee.Database) -> None:
        """Close a connection; never raises."""

    def judge(self, error: Exception) -> Exception:
        """Return what to raise instead of an error of the library: of ours, and without a statement's values."""


class Database:
    """The central database. Cheap to make; it connects when it is first used, and anew in a forked child.

    Threads and greenlets share one object. Each operation borrows a connection of its own and gives it back; one
    that was interrupted (an actor's time limit) or broke is thrown away, so that nobody reads another one's answer.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._pool = once_a_process(lambda: Pool[peewee.Database](driver.sessions, driver.patience))

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""
        return self._driver.dialect

    @property
    def address(self) -> str:
        """Where it is, for people: without user, without password."""
        return self._driver.address

    def __repr__(self) -> str:
        return f"<Database {self.address}>"

    def run(self, work: Callable[[peewee.Database], T]) -> T:
        """Lend a connection for one piece of work; each statement commits by itself.

        Parameters:
          work: Gets a connected peewee database, for ``query.execute(connection)``. It may run in another native
            thread, must fetch all rows that it wants, and must not keep the connection.

        Returns:
          What ``work`` returns.

        Raises:
          Deferred: The database is away, busy, full or behind in its schema; or all connections stayed in use. Whether
            a statement had its effect is then unknown: whatever writes must be idempotent.
          Permanent: It refuses a value.
          Transient: It refuses a statement.
          Exception: What ``work`` itself raises.
        """
        pool = self._pool()
        try:
            session = pool.acquire()
        except TimeoutError:
            raise Deferred(
                f"all {self._driver.sessions} connections of this process to {self.address} "
                f"stayed in use for {self._driver.patience:g} s",
                wait=self._driver.deferral_wait,
            ) from None
        reusable = None
        try:
            outcome = self._driver.call(self._use, session, work)
            reusable = outcome.session
        finally:
            # An interrupted call has no outcome: whoever still runs it keeps the connection, and it dies with that.
            pool.release(reusable)
        if outcome.error is not None:
            raise outcome.error  # outside of any handler: no library's error, which quotes statements, is chained to it
        value: T = outcome.value
        return value

    def transaction(self, work: Callable[[peewee.Database], T]) -> T:
        """Like :meth:`run`, in one transaction; on SQLite it takes the write lock first (``BEGIN IMMEDIATE``)."""

        def in_transaction(connection: peewee.Database) -> T:
            with connection.atomic():
                return work(connection)

        return self.run(in_transaction)

    def rows(self, query: Any) -> list[dict[str, Any]]:
        """Run one peewee query and return its rows; for what a write changed, give it a ``RETURNING``.

        Raises:
          Deferred, Permanent, Transient: See :meth:`run`.
        """
        return self.run(lambda connection: list(query.dicts().execute(connection)))

    def connect(self) -> None:
        """Connect once, to see whether it can be done.

        Raises:
          ConfigurationError, Deferred: With a sentence that says what is wrong and how to mend it.
        """
        self._driver.close(self._driver.call(self._driver.open))

    def close(self) -> None:
        """Close this process's idle connections; the next operation connects anew."""
        for session in self._pool().take_idle():
            self._driver.call(self._driver.close, session)

    def _use(self, session: peewee.Database | None, work: Callable[[peewee.Database], Any]) -> "_Outcome":
        driver = self._driver
        try:
            if session is not None and not driver.is_alive(session):
                driver.close(session)
                session = None
            if session is None:
                session = driver.open()
            return _Outcome(value=work(session), session=self._kept(session))
        except ConfigurationError as error:  # a server that was moved while we run: wait until somebody mends it
            return _Outcome(error=Deferred(str(error), wait=driver.deferral_wait))
        except Exception as error:
            return _Outcome(error=driver.judge(error), session=self._kept(session))
        except BaseException:
            if session is not None:
                driver.close(session)
            raise

    def _kept(self, session: peewee.Database | None) -> peewee.Database | None:
        """Return the session if the next user can have it: not broken, and no transaction was left open."""
        if session is None or self._driver.is_clean(session):
            return session
        self._driver.close(session)
        return None


@dataclass(slots=True)
class _Outcome:
    """What became of a piece of work, as a value: an error must not lose the connection on its way between threads."""

    value: Any = None
    error: Exception | None = None
    session: peewee.Database | None = None


def open_database(
    url: str | None, *, default_path: Path, pool_size: int, timeout: float, deferral_wait: float = 5.0
) -> Database:
    """Return the central database that a URL names, without connecting.

    Parameters:
      url: ``postgresql://user:password@host:port/name``, or ``sqlite:///path`` with an absolute path, or None for
        the SQLite file at ``default_path``.
      default_path: The embedded default.
      pool_size: Connections to PostgreSQL that this process uses at the same time, at most.
      timeout: Seconds to connect, to wait for a free connection, and for one statement (PostgreSQL).
      deferral_wait: Seconds until the next try that a Deferred asks for.

    Raises:
      ConfigurationError: When the URL cannot be read, or psycopg2 is not installed. It never quotes the URL.
    """
    scheme = url.partition(":")[0].lower() if url else "sqlite"
    if scheme in ("postgresql", "postgres"):
        from growbin_jobs.engine.central.postgres import PostgresDriver

        assert url is not None
        return Database(PostgresDriver(url, pool_size=pool_size, timeout=timeout, deferral_wait=deferral_wait))
    if scheme == "sqlite":
        from growbin_jobs.engine.central.sqlite import SqliteDriver

        return Database(SqliteDriver(_sqlite_path(url) if url else default_path, deferral_wait=deferral_wait))
    raise ConfigurationError("DATABASE_URL must start with postgresql:// or sqlite:///")


def _sqlite_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment or len(parts.path) < 2:
        raise ConfigurationError("DATABASE_URL for SQLite must be sqlite:/// and an absolute path, and nothing more")
    # Three slashes or four: always from the root. A path relative to a process's folder would make several databases.
    return Path("/" + unquote(parts.path).lstrip("/"))
