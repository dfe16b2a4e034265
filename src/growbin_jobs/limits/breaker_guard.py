"""Asks the breaker of a model before each request, and tells it how the request ended.

While a breaker is open the message is put off until the next probe: no retry is spent, and nothing is given up. So is
the message of a request that failed in a way that may be an outage; one that fails by its own fault keeps its error.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from growbin_jobs.adapters.llm.errors import BILLED_RETRIES
from growbin_jobs.adapters.llm.guards import Held, ModelAway, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.limits.breaker import Admission, Breaker
from growbin_jobs.limits.breaker_evidence import Evidence, evidence
from growbin_jobs.limits.breaker_failures import Failure, Noted
from growbin_jobs.limits.breaker_remedies import remedy
from growbin_jobs.limits.breaker_store import BreakerStore
from growbin_jobs.limits.told import told_requests

logger = logging.getLogger(__name__)

#: See :class:`BreakerGuard`.
PATIENCE: Final = 2.0

#: Seconds until a message asks again whose failure may be an outage, while the breaker is closed.
SUSPECTED_WAIT: Final = 5.0

#: Seconds that a model's server is obeyed when it asks to wait, unless it is set otherwise.
LONGEST_WAIT: Final = 3600.0

#: Seconds after which a message that is put off asks again at most, however long nobody may send: that is cheap, and a
#: person may have closed the breaker.
ASKS_AGAIN: Final = 60.0

#: Seconds that the look before sending may take: what was granted is good for a second.
LONGEST_LOOK: Final = 0.3

#: Seconds after which an admitted request asks again before it is sent.
STILL_GOOD: Final = 1.0


class BreakerGuard:
    """A guard of model requests: one breaker for each model of a server.

    Parameters:
      breakers: Of the cluster.
      server: Host of the model's server, part of the breakers' names.
      look_up: Asks the server for a model by name, free of charge, and raises our errors.
      per_minute: Most requests in a minute by purpose, when all is well.
      longest_wait: Seconds that the server is obeyed at most when it asks to wait.
      patience: Seconds that a request waits here for its place after an outage; for longer its message waits.
      clock: Monotonic seconds.
      sleep: Waits so many seconds.
    """

    def __init__(
        self,
        breakers: BreakerStore,
        *,
        server: str,
        look_up: Callable[[str], object],
        per_minute: Mapping[str, float],
        longest_wait: float = LONGEST_WAIT,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._breakers = breakers
        self._server = server
        self._look_up = look_up
        self._per_minute = dict(per_minute)
        self._longest_wait = longest_wait
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._probes: dict[int, int] = {}
        self._admitted: dict[int, float] = {}

    def name_of(self, model: str) -> str:
        """Return the name of a model's breaker."""
        return f"model:{model}@{self._server}"

    def admit(self, request: PlannedRequest) -> Held:
        """See :class:`growbin_jobs.adapters.llm.guards.Guard`."""
        name = self.name_of(request.model)
        admission = self._ask(name, request)
        if admission.look_up and admission.probe is not None:
            self._first_look_up(name, request, admission.probe)
        if admission.probe is not None:
            self._probes[id(request)] = admission.probe
        self._admitted[id(request)] = self._clock()
        return _Admitted(self, name, request, admission.probe, admission.settled)

    def check_again(self, request: PlannedRequest) -> None:
        """Refuse a request that was admitted, has waited for its turn, and would be sent into an outage.

        Raises:
          ModelAway: The breaker opened meanwhile.
        """
        admitted_at = self._admitted.get(id(request))
        if id(request) in self._probes or admitted_at is None or self._clock() - admitted_at < STILL_GOOD:
            return
        began = self._clock()
        if wait := self._breakers.may_send(self.name_of(request.model)):
            raise _away(request.model, "", wait, for_all=True)
        if self._clock() - began > LONGEST_LOOK:
            raise Deferred("The central database answers too slowly to send in time.", wait=1.0, capacity=True)

    # --- before a request

    def _ask(self, name: str, request: PlannedRequest) -> Admission:
        limit = self._per_minute.get(request.purpose, 0.0)
        until = self._clock() + self._patience
        while True:
            admission = self._breakers.admit(name, per_minute=limit, message_id=_message(request))
            if admission.wait <= 0:
                return admission
            if self._clock() + admission.wait > until:
                raise _away(request.model, admission.reason, admission.wait, for_all=not admission.gives_way)
            self._sleep(admission.wait)

    def _first_look_up(self, name: str, request: PlannedRequest, probe: int) -> None:
        """Ask for the model before the probe is sent: while that fails, nothing else is asked of the server."""
        began = self._clock()
        try:
            self._look_up(request.model)
        except GrowbinError as error:
            reason = error.code if isinstance(error, Permanent) else "failed"
            failure = Failure(reason, self._clock() - began, probe=probe, message_id=_message(request))
            noted = self._note(name, failure)
            raise _away(request.model, noted.breaker.reason, noted.wait, for_all=True) from None

    # --- after it

    def ended(
        self,
        name: str,
        request: PlannedRequest,
        probe: int | None,
        record: ModelRequest,
        failure: BaseException | None,
        *,
        settled: bool = False,
    ) -> GrowbinError | None:
        """Tell the breaker how a request ended; return what its message is told in place of the failure.

        Parameters:
          settled: See :class:`~growbin_jobs.limits.breaker.Admission`.
        """
        self._forget(request)
        found = evidence(record, failure)
        if found.says == "fails":
            return self._failed(name, request, probe, record, failure, found)
        if found.says == "answers":
            if not settled:
                self._breakers.succeeded(name, age=record.latency, probe=probe)
            self._lower(name, request, record)
        elif probe is not None:
            self._breakers.unused(name, probe=probe)
        return None

    def not_sent(self, name: str, request: PlannedRequest, probe: int | None) -> None:
        """Give back the probe of a request that was not sent."""
        self._forget(request)
        if probe is not None:
            self._breakers.unused(name, probe=probe)

    def _failed(
        self,
        name: str,
        request: PlannedRequest,
        probe: int | None,
        record: ModelRequest,
        failure: BaseException | None,
        found: Evidence,
    ) -> GrowbinError | None:
        message_id, asked = _message(request), min(found.asked_wait, self._longest_wait)
        try:
            noted = self._note(name, Failure(found.reason, record.latency, asked, probe, message_id))
        except Deferred as error:
            # Nobody can say now whose fault it was: it must cost neither a retry nor the analysis.
            return error
        if noted.own_fault or not (message_id or noted.breaker.state != "closed"):
            return _own(record, failure)
        return _away(request.model, found.reason, noted.wait or SUSPECTED_WAIT, for_all=noted.wait > 0)

    def _note(self, name: str, failure: Failure) -> Noted:
        noted = self._breakers.failed(name, failure)
        if noted.opened:
            tell_opened(noted.breaker, noted.wait)
        return noted

    def _lower(self, name: str, request: PlannedRequest, record: ModelRequest) -> None:
        limit = self._per_minute.get(request.purpose, 0.0)
        tokens = record.usage.prompt + record.usage.completion if record.usage else 0
        by_server = told_requests(record.rate_headers, tokens)
        if by_server is not None and by_server < limit:
            self._breakers.told(name, by_server=by_server, per_minute=limit)

    def _forget(self, request: PlannedRequest) -> None:
        self._probes.pop(id(request), None)
        self._admitted.pop(id(request), None)


@dataclass(frozen=True, slots=True)
class _Admitted:
    guard: BreakerGuard
    name: str
    request: PlannedRequest
    probe: int | None
    settled: bool

    def release(self) -> None:
        self.guard.not_sent(self.name, self.request, self.probe)

    def settle(self, record: ModelRequest, failure: BaseException | None) -> GrowbinError | None:
        return self.guard.ended(self.name, self.request, self.probe, record, failure, settled=self.settled)


def tell_opened(breaker: Breaker, wait: float) -> None:
    """Tell once, in the log, that a breaker opened, or that it needs an operator."""
    if breaker.state == "operator":
        logger.error(
            "breaker.needs_operator name=%s reason=%s next_probe_in=%.0f do=%s",
            *(breaker.name, breaker.reason, wait, remedy(breaker.reason, "en")),
        )
    else:
        logger.warning("breaker.opened name=%s reason=%s next_probe_in=%.0f", breaker.name, breaker.reason, wait)


def _away(model: str, reason: str, wait: float, *, for_all: bool) -> ModelAway:
    why = f" ({reason})" if reason else ""
    return ModelAway(
        f"The model {model} is not asked for now{why}: growbin-jobs breakers list says why.",
        wait=min(wait, ASKS_AGAIN),
        reason=reason,
        pauses_queue=for_all,
    )


def _message(request: PlannedRequest) -> str:
    return request.attribution.message_id or request.attribution.analysis_id or ""


def _own(record: ModelRequest, failure: BaseException | None) -> GrowbinError | None:
    """Return the error of a message whose request failed by its own fault; None: the failure itself."""
    if record.outcome in ("timeout", "failed") and isinstance(failure, Transient) and failure.max_retries is not None:
        # The first try, which may have been billed too, was put off and counted as no retry.
        return Transient(str(failure), max_retries=min(failure.max_retries, BILLED_RETRIES - 1))
    return None
