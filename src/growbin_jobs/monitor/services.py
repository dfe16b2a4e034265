"""What routes get by ``request.app.state.services``: database, broker, settings, audit, sessions, tokens."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.groups import Route
from growbin_jobs.models.audit import Audit
from growbin_jobs.models.monitor_sessions import MonitorSessions
from growbin_jobs.models.monitor_tokens import MonitorTokens
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.settings import Settings


class Part(StrEnum):
    """What an engine may have: every one has tasks."""

    TASKS = "tasks"
    SCHEDULE = "schedule"
    GROWBIN = "growbin"


@dataclass(kw_only=True)
class Services:
    """What the monitor's routes work with. Cheap to make: everything connects when it is first used.

    Attributes:
      settings: Of this process.
      engine: The engine's configuration.
      function_of: Returns the function of an actor; None: the engine has none of that name.
      routes: Where the messages of each actor go.
      jobs: The periodic jobs; empty: it has no schedule.
      growbin: It is Growbin's own engine. Another one has none of its analyses, paid calls and platform.
      database: The central database.
      open_broker: Opens a broker; :attr:`broker` calls it once.
      objects: The object store.
    """

    settings: Settings
    engine: EngineConfig
    database: Database
    open_broker: Callable[[], Any]
    objects: ObjectStore
    function_of: Callable[[str], Callable[..., Any] | None]
    routes: Mapping[str, Route]
    jobs: tuple[ScheduledJob, ...]
    growbin: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _broker: Any = field(default=None, repr=False)

    @property
    def broker(self) -> Any:
        """Return the broker (:class:`growbin_jobs.engine.broker.port.EngineBroker`), opened at the first use."""
        with self._lock:
            if self._broker is None:
                self._broker = self.open_broker()
            return self._broker

    @cached_property
    def parts(self) -> frozenset[Part]:
        """Return what the engine has."""
        return frozenset(Part) if self.growbin else frozenset({Part.TASKS} | ({Part.SCHEDULE} if self.jobs else set()))

    @cached_property
    def audit(self) -> Audit:
        """Return the audit chain."""
        return Audit(self.database)

    @cached_property
    def lost(self) -> Lost:
        """Return what finds the tasks of silent nodes."""
        return Lost(self.database, embedded=self.engine.broker_url is None)

    @cached_property
    def sessions(self) -> MonitorSessions:
        """Return the sessions of browsers."""
        return MonitorSessions(self.database)

    @cached_property
    def tokens(self) -> MonitorTokens:
        """Return tokens and sign-in links."""
        return MonitorTokens(self.database)

    def close(self) -> None:
        """Close the broker, where one was opened, and idle connections."""
        with self._lock:
            broker, self._broker = self._broker, None
        if broker is not None:
            broker.close()
        self.database.close()
