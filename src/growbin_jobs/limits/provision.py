"""Makes the limits in the store before they are asked for: those of the settings at once, those of users on demand."""

import threading
from collections.abc import Iterable
from dataclasses import replace

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limit_names import checked_name, common_name
from growbin_jobs.limits.named import NamedLimit, NamedLimits
from growbin_jobs.limits.offline_reserve import Reserves
from growbin_jobs.limits.port import LimitStore
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.rates import Rate

#: Names of which a process remembers that they exist; there may be a million users.
_MOST_REMEMBERED = 100_000


class Provision:
    """Makes each limit once a process; what a person set at run time wins over the settings.

    Parameters:
      store: Where the limits are kept.
      promises: What was promised when.
      limits: The configuration.
      reserves: What is kept back of each limit for nodes that cannot reach the database.
    """

    def __init__(self, store: LimitStore, promises: Promises, limits: NamedLimits, reserves: Reserves) -> None:
        self._reserves = reserves
        self._store = store
        self._promises = promises
        self._limits = limits
        self._lock = threading.Lock()
        self._made: set[str] = set()
        self._configured = False

    def make_configured(self) -> None:
        """Make the limits of the settings, and note what they promise.

        Raises:
          ConfigurationError: When a limit cannot be kept.
          Deferred: The database is away.
        """
        held = self._promises.configure(self._limits.rates.items())
        self._make(self._limits.named(name, rate) for name, rate in held.items() if self._limits.is_one_limit(name))
        self._configured = True

    def make(self, needed: Iterable[NamedLimit]) -> None:
        """Make those limits that this process has not made yet, at first all of the settings; later it costs nothing.

        Raises:
          Deferred: The database is away.
        """
        if not self._configured:
            self.make_configured()
        missing = {limit.name: limit for limit in needed if limit.name not in self._made}
        if missing:
            chosen = self._promises.of_person({*missing, *map(common_name, missing)})
            rates = {name: chosen.get(name, chosen.get(common_name(name), missing[name].rate)) for name in missing}
            self._make(self._limits.named(name, rate) for name, rate in rates.items())

    def set(self, name: str, rate: Rate) -> NamedLimit:
        """Let a rate hold from now on, for all nodes, until :meth:`reset`.

        Returns:
          The limit as it holds now.

        Raises:
          ConfigurationError: When a name is wrong, or nothing keeps the promise.
        """
        try:
            limit = self._limits.named(checked_name(name), rate)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        self._limits.check(limit)
        limit.parameters  # noqa: B018 - refuses what cannot be kept before anything is written
        self._promises.set(name, rate)
        self._apply(limit)
        return limit

    def reset(self, name: str) -> NamedLimit | None:
        """Let the setting hold again.

        Returns:
          The limit as it holds now; None where the settings say nothing of it, and nothing was changed.
        """
        limit = self._limits.find(name)
        if limit is None:
            return None
        self._promises.set(name, limit.rate, "setting")
        self._apply(limit)
        return limit

    def _apply(self, limit: NamedLimit) -> None:
        """Give its parameters to the limit, or to those of all users that it stands for."""
        if self._limits.is_one_limit(limit.name):
            self._store.ensure(self._reserves.reduced([limit]))
            self._reserves.fit(limit.name)
            return
        theirs = [each.name for each in self._store.limits() if common_name(each.name) == limit.name]
        own = {*self._promises.of_person(theirs), *self._limits.rates}
        self._store.ensure(replace(limit, name=name).parameters for name in theirs if name not in own)

    def _make(self, limits: Iterable[NamedLimit]) -> None:
        made = list(limits)
        self._store.ensure(self._reserves.reduced(made))
        with self._lock:
            if len(self._made) > _MOST_REMEMBERED:
                self._made.clear()
            self._made.update(limit.name for limit in made)


def provision_of(database: Database, limits: NamedLimits) -> Provision:
    """Return what makes the limits of a configuration in the central database."""
    return Provision(SqlLimits(database), Promises(database), limits, Reserves(database, limits))
