"""Lending connections to the central database: one operation at a time, bounded, never across a fork."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import peewee

from growbin_jobs.engine.central.driver import Dialect, Driver, StaleSession
from growbin_jobs.engine.central.pool import Pool
from growbin_jobs.engine.errors import Away, ConfigurationError
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.sqlite.file_changes import FileChanges

if TYPE_CHECKING:
    from growbin_jobs.engine.central.listening import Listener

T = TypeVar("T")


class Database:
    """The central database. Cheap to make; it connects when it is first used, and anew in a forked child.

    Threads and greenlets share one object. Each operation borrows a connection of its own and gives it back; one
    that was interrupted (an actor's time limit) or broke is thrown away, so that nobody reads another one's answer.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._pool = once_a_process(
            lambda: Pool[peewee.Database](driver.sessions, driver.patience, grows_after=driver.grows_after)
        )

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
          Away: The database is away, busy, full or behind in its schema; or all connections stayed in use. Whether
            a statement had its effect is then unknown: whatever writes must be idempotent.
          Deferred: A statement took too long.
          Permanent: It refuses a value.
          Transient: It refuses a statement.
          Exception: What ``work`` itself raises.
        """
        pool = self._pool()
        try:
            session = pool.acquire()
        except TimeoutError:
            raise Away(
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

    def transaction(self, work: Callable[[peewee.Database], T], *, durable: bool = True) -> T:
        """Like :meth:`run`, in one transaction; on SQLite it takes the write lock first (``BEGIN IMMEDIATE``).

        Parameters:
          work: See :meth:`run`.
          durable: False: it does not wait for the disk. A power cut, or on PostgreSQL a crash of the server, may undo
            what was done in the last moments before; nothing of it is ever undone in part.
        """

        def in_transaction(connection: peewee.Database) -> T:
            with self._driver.transaction(connection, durable=durable):
                return work(connection)

        return self.run(in_transaction)

    def snapshot(self, work: Callable[[peewee.Database], T]) -> T:
        """Like :meth:`run`, for work that reads several times: all of it sees the database as it was at one moment."""

        def in_snapshot(connection: peewee.Database) -> T:
            with self._driver.snapshot(connection):
                return work(connection)

        return self.run(in_snapshot)

    def rows(self, query: Any) -> list[dict[str, Any]]:
        """Run one peewee query and return its rows; for what a write changed, give it a ``RETURNING``.

        Raises:
          Deferred, Permanent, Transient: See :meth:`run`.
        """
        return self.run(lambda connection: list(query.dicts().execute(connection)))

    def connect(self) -> None:
        """Connect once, to see whether it can be done.

        Raises:
          ConfigurationError, Away: With a sentence that says what is wrong and how to mend it.
        """
        self._driver.close(self._driver.call(self._driver.open))

    def listen(self, channel: str) -> "Listener | None":
        """Listen to what other processes tell on a channel, on a connection beside the pool. Not in a gevent process.

        Returns:
          None where this kind of database cannot tell anything, or is away: then it has to be asked.
        """
        if self._driver.dialect != "postgresql":
            return None
        from growbin_jobs.engine.central.listening import Listener

        session = None
        try:
            session = self._driver.open()
            return Listener(session.connection(), channel)  # type: ignore[no-untyped-call]
        except Exception:
            if session is not None:
                self._driver.close(session)
            return None

    def changes(self) -> FileChanges | None:
        """Return what tells without a question whether somebody has written; None where only a server knows."""
        return None if self._driver.path is None else FileChanges.of_database(self._driver.path)

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
            return _Outcome(error=Away(str(error), wait=driver.deferral_wait))
        except Exception as error:
            judged = driver.judge(error)
            if session is not None and isinstance(judged, StaleSession):
                for each in (session, *self._pool().take_idle()):  # those beside it began as early
                    driver.close(each)
                session = None
            return _Outcome(error=judged, session=self._kept(session))
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
