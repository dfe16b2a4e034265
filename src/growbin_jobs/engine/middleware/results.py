"""Keeps what actors return: the results of messages."""

from __future__ import annotations

from typing import Any

from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.results import ResultBackend
from dramatiq.results import Results as DramatiqResults

from growbin_jobs.engine.foreign_errors import describe
from growbin_jobs.engine.middleware.follow_ups import owed_by
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.reasons import reason
from growbin_jobs.engine.results import EngineResults, encode, failure


class Results(InPlaceOf, DramatiqResults):
    """Keeps the results of actors with ``store_results``.

    As Dramatiq's ``Results``, and: what did not run has no result (Dramatiq stores None for it), and neither has what
    will run again. On the engine's own backend (:mod:`growbin_jobs.engine.results`) the result is part of the record of
    the run's end. Another backend is told when it is decided how the run ends; when it cannot be reached, the message
    goes back.

    Parameters:
      backend: Where results are kept.
      store_results: Where neither the actor nor the message says.
      result_ttl: Milliseconds that a result can be read, where neither says. None: as long as the journal keeps tasks,
        or Dramatiq's ten minutes on other backends.
    """

    stock = DramatiqResults

    def __init__(self, *, backend: ResultBackend, store_results: bool = False, result_ttl: int | None = None) -> None:
        super().__init__(backend=backend, store_results=store_results)  # type: ignore[no-untyped-call]
        self._ttl = result_ttl
        self._broker: Broker | None = None
        self._connect()

    def adopt(self, other: Any) -> None:
        self.backend, self.store_results = other.backend, other.store_results
        self.result_ttl = self._ttl = other.result_ttl
        self._connect()

    def after_declare_actor(self, broker: Broker, actor: Any) -> None:
        self._broker = broker

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(actor.options.get("store_results", self.store_results))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is None and result is None and not message.failed and not self._is_foreign:
            return  # most messages: a result that is None needs no record
        stores, ttl = self._terms(message)
        if not stores or getattr(message, "stale", False) or getattr(message, "requeued", False):
            return
        if message.failed:
            self._keep_failure(message, exception, ttl)
        elif exception is None:
            self._keep(message, result, ttl)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        if message.failed:
            self._keep_failure(message, None, self._terms(message)[1])

    def after_nack(self, broker: Broker, message: Any) -> None:
        """Nothing: it was kept when the message was given up."""

    @property
    def _is_foreign(self) -> bool:
        return not isinstance(self.backend, EngineResults)

    def _connect(self) -> None:
        if isinstance(self.backend, EngineResults):
            self.backend.terms = self._terms

    def _keep(self, message: Any, result: Any, ttl: int | None) -> None:
        if not self._is_foreign:
            message.kept_result = None if result is None else encode(result)
            return
        with owed_by(message, "its result"):
            self.backend.store_result(message, result, ttl or self.result_ttl)

    def _keep_failure(self, message: Any, exception: BaseException | None, ttl: int | None) -> None:
        code, params = getattr(message, "given_up", None) or ("skipped", {})
        kind = code if exception is None else type(exception).__name__
        words = describe(exception) if exception is not None and code == "given_up" else reason(code, "en", params)
        if not self._is_foreign:
            if message.kept_result is None:  # who drops a message says more about it
                message.kept_result = failure(kind, words)
            return
        with owed_by(message, "its result"):
            self.backend.store_exception(message, type(kind, (Exception,), {})(words), ttl or self.result_ttl)

    def _terms(self, message: Any) -> tuple[bool, int | None]:
        """Return whether a message's result is kept, and for how many milliseconds."""
        actor = self._broker.actors.get(message.actor_name) if self._broker is not None else None
        default = self.store_results if actor is not None else True
        of_actor = actor.options if actor is not None else {}
        stores = message.options.get("store_results", of_actor.get("store_results", default))
        ttl = message.options.get("result_ttl", of_actor.get("result_ttl", self._ttl))
        return bool(stores), ttl
