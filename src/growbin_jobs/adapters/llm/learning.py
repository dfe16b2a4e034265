"""What is learnt of servers while they are asked, shared by all who ask, so that each thing costs one request in all.

Until a model has answered a request with the same features once, one caller at a time asks it, in the whole cluster:
whatever its server refuses is found by that one. The others wait a moment, else their messages come back later. What is
learnt is kept before the request is repeated, so that it is not lost with the process.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.errors import Deferred, GrowbinError
from growbin_jobs.model_catalog import Server, find_model

logger = logging.getLogger(__name__)

#: Seconds that a caller waits here while another is the first to ask, and until its message comes back then.
PATIENCE: Final = 10.0
COMES_BACK: Final = 5.0

#: Seconds between two looks at what a caller in another process has found out.
_LOOK: Final = 0.2

#: Features that depend on the model, where the server itself takes everything.
_OF_THE_MODEL: Final = frozenset({"reasoning_effort", "temperature", "service_tier"})


class Memory(Protocol):
    """Keeps what is learnt; one lease for each key lets one caller at a time find out more."""

    def read(self, key: str) -> str | None:
        """Return what is known, as text.

        Raises:
          Deferred: The memory is away.
        """
        ...

    def add(self, key: str, about: Learnt, merge: Callable[[str | None], str]) -> str:
        """Replace what is known by what ``merge`` makes of it, in one step, and return that.

        Raises:
          Deferred: The memory is away.
        """
        ...

    def lead(self, key: str) -> int | None:
        """Take the lease; None while somebody else has it.

        Raises:
          Deferred: The memory is away.
        """
        ...

    def release(self, key: str, fence: int) -> None:
        """Give the lease back; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Learnt:
    """What facts are about, for people.

    Attributes:
      url: Of the server.
      model: Its name there.
    """

    url: str
    model: str


class OwnMemory:
    """A memory that ends with its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}
        self._led: set[str] = set()

    def read(self, key: str) -> str | None:
        return self._texts.get(key)

    def add(self, key: str, about: Learnt, merge: Callable[[str | None], str]) -> str:  # noqa: ARG002
        with self._lock:
            self._texts[key] = merge(self._texts.get(key))
            return self._texts[key]

    def lead(self, key: str) -> int | None:
        with self._lock:
            if key in self._led:
                return None
            self._led.add(key)
            return 1

    def release(self, key: str, fence: int) -> None:  # noqa: ARG002
        with self._lock:
            self._led.discard(key)


@dataclass(slots=True)
class _Known:
    """What this process knows of one model, and whether one of its threads asks first."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    learnt: Facts = field(default_factory=Facts)
    loaded: bool = False
    leading: bool = False


class Knowledge:
    """What is known of the models of one server.

    Parameters:
      server: What the catalogue says.
      url: Its address, without a secret.
      memory: Where what is learnt is kept.
      clock: Monotonic seconds.
      sleep: Waits so many seconds.
    """

    def __init__(
        self,
        server: Server,
        url: str,
        memory: Memory,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self._url = url
        self._memory = memory
        self._clock = clock
        self._sleep = sleep
        self._catalog = Facts.of_server(server)
        self._lock = threading.Lock()
        self._models: dict[str, _Known] = {}

    def facts(self, model: str) -> Facts:
        """Return what is known of a model; what was learnt wins over the catalogue."""
        return self._catalog | self._of(model).learnt

    @contextmanager
    def turn(self, model: str, used: Callable[[Facts], frozenset[str]]) -> Iterator[None]:
        """Let the caller ask: at once where such requests have been answered, else alone.

        Parameters:
          model: That is asked.
          used: Returns the features of the request, by what is known.

        Raises:
          Deferred: Another caller still finds out; or the memory is away.
        """
        known, until = self._of(model), self._clock() + PATIENCE
        if self._is_free(model, used) or not self._leads_here(known, model, used, until):
            yield
            return
        try:
            fence = self._first(model, used, until)
            try:
                yield
            finally:
                if fence is not None:
                    self._memory.release(_key(self._url, model), fence)
        finally:
            with known.changed:
                known.leading = False
                known.changed.notify_all()

    def learn(self, model: str, facts: Facts) -> None:
        """Keep what a request has shown; what cannot be written now is known to this process alone."""
        known = self._of(model)
        if known.learnt | facts == known.learnt:
            return
        known.learnt = known.learnt | facts
        try:
            text = self._memory.add(
                _key(self._url, model),
                Learnt(self._url, model),
                lambda before: (Facts.from_json(before) | facts).to_json(),
            )
            known.learnt = Facts.from_json(text) | known.learnt
        except GrowbinError as error:
            logger.warning("model.learnt_not_kept model=%s reason=%s", model, type(error).__name__)

    def _leads_here(self, known: _Known, model: str, used: Callable[[Facts], frozenset[str]], until: float) -> bool:
        """Return True once this caller is the one of its process that asks first, False when nobody needs to."""
        with known.changed:
            while known.leading:
                left = until - self._clock()
                if left <= 0:
                    raise _busy(model)
                known.changed.wait(left)
            if self._is_free(model, used):
                return False
            known.leading = True
            return True

    def _first(self, model: str, used: Callable[[Facts], frozenset[str]], until: float) -> int | None:
        """Take the cluster's lease, or return None once another process has found out."""
        while True:
            fence = self._memory.lead(_key(self._url, model))
            self._load(model)
            if self._is_free(model, used):
                if fence is not None:
                    self._memory.release(_key(self._url, model), fence)
                return None
            if fence is not None:
                return fence
            if self._clock() >= until:
                raise _busy(model)
            self._sleep(_LOOK)

    def _is_free(self, model: str, used: Callable[[Facts], frozenset[str]]) -> bool:
        facts = self.facts(model)
        open_ = used(facts) - facts.proven
        if self.server.trusted and (find_model(model) is not None or not open_ & _OF_THE_MODEL):
            return True
        return not open_

    def _of(self, model: str) -> _Known:
        with self._lock:
            known = self._models.setdefault(model, _Known())
        if not known.loaded:
            self._load(model)
        return known

    def _load(self, model: str) -> None:
        known = self._models[model]
        known.learnt = Facts.from_json(self._memory.read(_key(self._url, model))) | known.learnt
        known.loaded = True


def _busy(model: str) -> Deferred:
    message = f"Another caller finds out what the server of {model} takes."
    return Deferred(message, wait=COMES_BACK, capacity=True)


def _key(url: str, model: str) -> str:
    return "server:" + hashlib.sha256(f"{url}\n{model}".encode()).hexdigest()
