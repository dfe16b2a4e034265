"""The port of a central database's driver: how one kind of database connects, and what its errors mean."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import peewee

from growbin_jobs.engine.errors import Away, Deferred

T = TypeVar("T")

Dialect = Literal["postgresql", "sqlite"]

#: What brings the application's own database to the current schema; for another engine ``--engine`` follows.
UPGRADE_COMMAND: Final = "growbin-jobs db upgrade"


class TooSlow(Deferred):
    """A statement took longer than one may; less at a time may help."""


class StaleSession(Away):
    """What a connection opened now may not meet: this one keeps the server and the settings that it began with."""


class Driver(Protocol):
    """How one kind of database opens and judges its connections, each wrapped in a peewee database of its own.

    Attributes:
      dialect: Which SQL it speaks.
      address: Where it is, for people: without user, without password.
      sessions: Connections in use at the same time in one process, at most.
      patience: Seconds to wait for one of them.
      grows_after: Seconds to wait for one that is in use before one more is opened.
      deferral_wait: Seconds until the next try that an error asks for.
    """

    dialect: Dialect
    address: str
    sessions: int
    patience: float
    grows_after: float
    deferral_wait: float

    @property
    def path(self) -> Path | None:
        """The file of an embedded one; None: it has a server."""

    def open(self) -> peewee.Database:
        """Connect. Raises ConfigurationError or Away: what is wrong and how to mend it."""

    def call(self, function: Callable[..., T], /, *arguments: Any) -> T:
        """Call the function where blocking is allowed."""

    def transaction(self, session: peewee.Database, *, durable: bool) -> AbstractContextManager[object]:
        """Return a transaction of a connection; one that is not durable may be undone by a power cut soon after."""

    def snapshot(self, session: peewee.Database) -> AbstractContextManager[object]:
        """Return a transaction that reads, in which every statement sees the database as it was at the first."""

    def is_alive(self, session: peewee.Database) -> bool:
        """Return False when an idle connection was closed by the other side, without asking the server."""

    def is_clean(self, session: peewee.Database) -> bool:
        """Return True when a connection is neither broken nor inside a transaction."""

    def close(self, session: peewee.Database) -> None:
        """Close a connection; never raises."""

    def judge(self, error: Exception) -> Exception:
        """Return what to raise instead of an error of the library: of ours, and without a statement's values."""
