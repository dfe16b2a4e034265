"""The engine as a value: one configuration with its broker, its journal and its actors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import dramatiq
from dramatiq import Middleware

from growbin_jobs.engine import reasons
from growbin_jobs.engine.actors import ActorSpec, declare
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.crashpoints import arm
from growbin_jobs.engine.dramatiq_log import quiet_dramatiq
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.groups import ONLY_GROUP, Group
from growbin_jobs.engine.json_logs import install_json_logs
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.stack import stack
from growbin_jobs.engine.middleware.waiting_room import WaitingRoom
from growbin_jobs.engine.opening import open_broker, open_central, open_journal, with_tables
from growbin_jobs.engine.processes import is_worker_process, once_a_process
from growbin_jobs.engine.wrong_worker import ending_a_wrong_worker

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dramatiq.actor import ActorDecorator
    from dramatiq.rate_limits import RateLimiterBackend

    from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.inspect import Inspector
    from growbin_jobs.engine.journal.journal import Journal
    from growbin_jobs.engine.reasons import Language
    from growbin_jobs.engine.task_results import TaskResult
    from growbin_jobs.engine.testing import Sandbox


class Engine:
    """Delivery for Dramatiq's actors that loses nothing. Several engines may live in one process.

    ::

        engine = Engine(EngineConfig.from_env("ORDERS_")).install()

        @dramatiq.actor(queue_name="mail")
        def confirm(order_id): ...

    Making one connects to nothing and opens no file; the first message does. Make it at the top level of a module:
    ``dramatiq module`` and ``growbin-jobs worker module`` find it there.

    Parameters:
      config: What it must be told.

    Attributes:
      config: The same.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self._boot = Boot()
        self._open_journal = once_a_process(partial(open_journal, config))
        self._central = once_a_process(lambda: open_central(replace(config, source=self.source)))
        with ending_a_wrong_worker():
            self.broker: EmbeddedBroker | RabbitBroker = open_broker(
                config,
                stack(config, self._boot, self._open_journal, lambda: self.source, central=self._central),
                journal=self._open_journal,
            )

    def __repr__(self) -> str:
        return f"<Engine of node {self.config.node} in {self.config.data_dir}>"

    # --- what an application does with it when it is imported

    def install(self) -> Engine:
        """Make it the one that Dramatiq uses where no broker is named, and return it.

        Raises:
          ValueError: If the configuration names a crash point that does not exist.
        """
        dramatiq.set_broker(self.broker)
        quiet_dramatiq()
        if self.config.log_format == "json" and is_worker_process():
            install_json_logs(self.config.node, self.config.subject)
        if self.config.crashpoint is not None:
            arm(self.config.crashpoint)
        return self

    def actor(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Declare an actor of this engine: ``dramatiq.actor`` with its broker, installed or not."""
        return dramatiq.actor(function, broker=self.broker, **options)  # type: ignore[call-overload]

    def declare(self, spec: ActorSpec) -> ActorDecorator:
        """Return the decorator that declares an actor as a row of the application's table says."""
        return declare(spec, self.broker)

    def add_middleware(
        self,
        middleware: Middleware,
        *,
        before: type[Middleware] | str | None = None,
        after: type[Middleware] | str | None = None,
    ) -> None:
        """Add a middleware of one's own, innermost, or beside another one. Add it before actors are declared.

        Parameters:
          middleware: What is added.
          before, after: A class of the stack, or its name (:mod:`growbin_jobs.engine.middleware.stack` lists them).

        Raises:
          ValueError: If there is no such middleware, or both are given.
        """
        self.broker.add_middleware(middleware, before=self._class_of(before), after=self._class_of(after))

    def prepare_with(self, prepare: Callable[[], object]) -> None:
        """Call a function when a worker starts; ``ConfigurationError`` ends the worker with that sentence."""
        self._boot.prepare_with(prepare)

    def finish_with(self, finish: Callable[[], object]) -> None:
        """Call a function once a worker has stopped and none of its actors runs any more: to write what waits."""
        self._boot.finish_with(finish)

    def register_reasons(self, sentences: Mapping[str, Mapping[Language, str]]) -> None:
        """Add reasons for giving up that ``Permanent`` takes; codes are wire names, alike in all engines.

        Parameters:
          sentences: By code, the sentence in each language, with ``{placeholders}``.

        Raises:
          ValueError: If a code is taken and has another sentence.
        """
        reasons.register(sentences)

    # --- what it stands on

    @property
    def journal(self) -> Journal:
        """This process's journal of this node, opened at first use.

        Raises:
          ConfigurationError: If SQLite is too old for several writers.
        """
        return self._open_journal()

    @property
    def waiting_room(self) -> WaitingRoom:
        """Where its actors wait in place for their turn at something that is limited."""
        return next(each for each in self.broker.middleware if isinstance(each, WaitingRoom))

    def central(self) -> Database:
        """Return the central database, one for each process; it connects when it is first used.

        Raises:
          ConfigurationError: When the URL cannot be read, or the driver is not installed.
        """
        return self._central()

    @property
    def rate_limiter_backend(self) -> RateLimiterBackend:
        """What Dramatiq's rate limiters and barriers count in: the central database, for all nodes."""
        from growbin_jobs.engine.rate_limits import DatabaseBackend

        return DatabaseBackend(once_a_process(lambda: with_tables(self._central(), self.config)))

    def result(self, message: dramatiq.Message[Any] | str) -> TaskResult:
        """Return what has become of a message, for asking (:mod:`growbin_jobs.engine.task_results`).

        Parameters:
          message: As ``send`` returned it, or its id.
        """
        from growbin_jobs.engine.task_results import result

        return result(message, broker=self.broker)

    @property
    def inspect(self) -> Inspector:
        """What all nodes do now (:mod:`growbin_jobs.engine.inspect`)."""
        from growbin_jobs.engine.inspect import Inspector

        return Inspector(self.config, self.broker, self._central())

    def upgrade(self) -> list[str]:
        """Bring the central database to the current schema, and return what was applied.

        Raises:
          Deferred: When the database is away. Call it again.
          ConfigurationError: When it can never be opened.
        """
        return upgrade(self.central(), self.config.schema)

    def sandbox(self) -> AbstractContextManager[Sandbox]:
        """Return a sandbox for tests of its actors (:mod:`growbin_jobs.engine.testing`)."""
        from growbin_jobs.engine.testing import sandbox

        return sandbox(self.broker)

    # --- how others find it

    @property
    def groups(self) -> tuple[Group, ...]:
        """The worker groups; where the configuration has none, one of all queues that are declared by now."""
        module = (self.source or "").partition(":")[0]
        given = self.config.groups or (Group(name=ONLY_GROUP, queues=tuple(sorted(self.broker.get_declared_queues()))),)
        return tuple(group if group.module else replace(group, module=module) for group in given)

    @property
    def source(self) -> str | None:
        """Its import string ``module:variable``; None where no module has it as a variable."""
        return self.config.source or _import_string(self)

    def _class_of(self, middleware: type[Middleware] | str | None) -> type[Middleware] | None:
        if not isinstance(middleware, str):
            return middleware
        classes = {type(each).__name__: type(each) for each in self.broker.middleware}
        if middleware not in classes:
            raise ValueError(f"There is no middleware {middleware!r}. There are: {', '.join(classes)}.")
        return classes[middleware]


def find_engine(name: str) -> Engine:
    """Return the engine that an import string names: ``module:variable``, or ``module`` where it has one engine.

    Raises:
      ConfigurationError: If there is no such module, or not one engine in it; the sentence says what to do.
    """
    module_name, _, variable = name.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"There is no module {module_name!r}. Name the module that has the engine, such as orders.jobs; it must be "
            "installed, or below the current folder."
        ) from None
    if variable:
        found = getattr(module, variable, None)
        engines = [found] if isinstance(found, Engine) else []
    else:
        engines = list({id(each): each for each in vars(module).values() if isinstance(each, Engine)}.values())
    if len(engines) != 1:
        raise ConfigurationError(
            f"{name} has {len(engines) or 'no'} engines. Name one as module:variable, such as orders.jobs:engine."
        )
    return engines[0]


def _import_string(engine: Engine) -> str | None:
    for name, module in sys.modules.copy().items():
        if module is None or name in ("__main__", "__mp_main__"):  # another process would not find it there
            continue
        for variable, value in list(getattr(module, "__dict__", {}).items()):
            if value is engine:
                return f"{name}:{variable}"
    return None
