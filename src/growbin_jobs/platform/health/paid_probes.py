"""Lets a probe that costs money pass what guards paid calls: breaker, budgets and limits; and records what it cost."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from growbin_jobs.adapters.llm.errors import BILLED_RETRIES, from_response
from growbin_jobs.adapters.llm.guards import Guard, PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import Meter, ModelRequest
from growbin_jobs.adapters.llm.recording import recorded
from growbin_jobs.adapters.llm.usage import read_bill
from growbin_jobs.adapters.probing.probe import Answer, Failure
from growbin_jobs.errors import GrowbinError, Transient
from growbin_jobs.platform.tables.registry import CheckedModel

#: Failures after which the server may have worked on the request, and billed it.
_PERHAPS_BILLED: Final[frozenset[Failure]] = frozenset({"timeout", "broken"})


class PaidSend(Protocol):
    """Sends one request that costs money, when that is allowed."""

    def __call__(self, model: CheckedModel, planned: PlannedRequest, send: Callable[[], Answer]) -> Answer: ...


class PaidProbes:
    """Sends paid probes.

    Parameters:
      guards: Returns the guards of paid calls, for the address of a model's server.
      meter: Gets a record of each request.
    """

    def __init__(self, guards: Callable[[str], Sequence[Guard]], meter: Meter) -> None:
        self._guards = guards
        self._meter = meter

    def __call__(self, model: CheckedModel, planned: PlannedRequest, send: Callable[[], Answer]) -> Answer:
        """Send one request, when all guards agree.

        Raises:
          Deferred: Not now. Nothing was sent.
          Permanent: A guard never agrees, such as one that knows no price. Nothing was sent.
        """
        answer: Answer | None = None
        guards = self._guards(model.base_url)
        try:
            with admitted(guards, planned) as ending, recorded(planned, ending, self._meter) as record:
                ending.begin()
                record.begin()
                answer = send()
                _note(record, answer)
        except GrowbinError:
            if answer is None:
                raise
        return answer


def _note(record: ModelRequest, answer: Answer) -> None:
    """Note what came back. Raises our error for it where it is no answer: guards and meter judge by that."""
    if answer.failure is not None:
        record.reached = answer.failure in _PERHAPS_BILLED
        retries = BILLED_RETRIES if record.reached else None
        raise Transient(f"The probe had no answer ({answer.failure}).", max_retries=retries)
    assert answer.http_status is not None
    record.begin_response(answer.http_status, None, at=None)
    if answer.http_status != 200:
        raise from_response(answer.http_status, answer.body.decode("utf-8", "replace"), {}, model=record.model)
    record.usage, record.served_model, record.service_tier = read_bill(answer.body)
