"""What each class is owed of a limit while it waits, however much the classes above it ask for.

A class that must wait says so in the store. While it does, the classes above it are charged a second limit, which
leaves its share of the first one free; the line then grows shorter than its reach, and it is granted. What nobody waits
for is everybody's: the second limit is charged only while somebody waits.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.classes import CLASSES, RequestClass
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.named import USER
from growbin_jobs.limits.port import LimitStore

#: What the names of second limits begin with; they are kept beside the limits that people know.
SHARE: Final = "share:"

#: Seconds that a class counts as waiting after it said so, between two times that a process says it, and between two
#: looks of a process.
LASTS: Final = 10.0
_SAY_EVERY: Final = 3.0
_LOOK_EVERY: Final = 2.0


class Waiting(NamedTuple):
    """A class that waits for a limit.

    Attributes:
      name: Of the limit.
      of: The class's name.
      spacing: Of the limit, in seconds.
      burst: Of the limit.
    """

    name: str
    of: str
    spacing: float
    burst: float


class WaitingBoard(Protocol):
    """Where classes say that they wait."""

    def say(self, name: str, of: str, seconds: float) -> None:
        """Note that a class waits for a limit, for so many seconds from now."""
        ...

    def who(self) -> list[Waiting]:
        """Return who waits now, for limits that exist."""
        ...


class SqlBoard:
    """Table ``limit_waiting``.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        postgresql = database.dialect == "postgresql"
        self._mark = "%s" if postgresql else "?"
        self._now = "extract(epoch FROM clock_timestamp())::float8" if postgresql else "unixepoch('subsec')"

    def say(self, name: str, of: str, seconds: float) -> None:
        mark = self._mark
        sql = (
            f"INSERT INTO limit_waiting (name, class, until) VALUES ({mark}, {mark}, {self._now} + {mark}) "  # noqa: S608
            "ON CONFLICT (name, class) DO UPDATE SET until = excluded.until"
        )
        self._database.run(lambda connection: connection.execute_sql(sql, (name, of, seconds)))

    def who(self) -> list[Waiting]:
        sql = (
            "SELECT w.name, w.class, l.spacing, l.burst FROM limit_waiting w JOIN call_limit l ON l.name = w.name "  # noqa: S608
            f"WHERE w.until > {self._now}"
        )

        def work(connection: Any) -> list[Waiting]:
            return [Waiting(*row) for row in connection.execute_sql(sql).fetchall()]

        return self._database.run(work)


class Shares:
    """Charges what is owed to the classes below. One for each process; safe from any thread.

    Parameters:
      board: Where classes say that they wait.
      store: Where the second limits are kept.
      clock: Monotonic seconds.
    """

    def __init__(self, board: WaitingBoard, store: LimitStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = -_LOOK_EVERY
        self._waiting: list[Waiting] = []
        self._made: dict[str, float] = {}
        self._said: dict[tuple[str, str], float] = {}

    def charged(self, of: RequestClass, costs: Mapping[str, float]) -> dict[str, float]:
        """Return what a request of a class takes: its costs, and the same of what is owed to those below that wait.

        Raises:
          Deferred: The store is away.
        """
        self._look()
        below = {each.name for each in CLASSES[CLASSES.index(of) + 1 :]}
        owed = {_name(one): costs[one.name] for one in self._waiting if one.of in below and one.name in costs}
        return {**costs, **owed}

    def must_wait(self, of: RequestClass, limit: str) -> None:
        """Say that a class waits for a limit, unless this process said so a moment ago.

        Raises:
          Deferred: The store is away.
        """
        if of is CLASSES[0] or limit.startswith(USER):
            return
        name = limit.removeprefix(SHARE).rpartition("/")[0] if limit.startswith(SHARE) else limit
        now = self._clock()
        with self._lock:
            if now - self._said.get((name, of.name), -_SAY_EVERY) < _SAY_EVERY:
                return
            self._said[name, of.name] = now
        self._board.say(name, of.name, LASTS)

    def _look(self) -> None:
        now = self._clock()
        with self._lock:
            if now - self._looked < _LOOK_EVERY:
                return
            self._looked = now
        waiting = self._board.who()
        # A limit may have been changed since: its share is made anew.
        new = [each for each in waiting if self._made.get(_name(each)) != each.spacing]
        if new:
            self._store.ensure([_limit(each) for each in new])
            self._made |= {_name(each): each.spacing for each in new}
        self._waiting = waiting


def _name(waiting: Waiting) -> str:
    return f"{SHARE}{waiting.name}/{waiting.of}"


def _limit(waiting: Waiting) -> Limit:
    share = next(each.share for each in CLASSES if each.name == waiting.of)
    return Limit(_name(waiting), waiting.spacing / (1.0 - share), waiting.burst)
