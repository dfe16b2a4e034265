"""Records one HTTP request to a model server: for the guards that agreed to it, the log and the meter."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from growbin_jobs.adapters.llm.guards import Ending, PlannedRequest
from growbin_jobs.adapters.llm.meter import BEGAN, Meter, ModelRequest
from growbin_jobs.adapters.llm.waiting import rate_headers

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)


@contextmanager
def recorded(planned: PlannedRequest, ending: Ending, meter: Meter) -> Iterator[ModelRequest]:
    """Record the HTTP request inside, however it ends; but not one that a guard has stopped before its first byte.

    Parameters:
      planned: The request.
      ending: Where the guards find its end.
      meter: Gets the record.

    Yields:
      The record, for what the response says.
    """
    record = ModelRequest(planned.model, planned.purpose, asked_tier=planned.service_tier)
    failure: BaseException | None = None
    try:
        yield record
    except BaseException as error:
        failure = error
        raise
    finally:
        if ending.refusal is None:
            _tell(record, failure, ending, meter)
        failure = None  # a traceback that holds itself would live until the garbage collector comes


def note_response(record: ModelRequest | None, response: "httpx2.Response | None") -> None:
    """Note the head of a response, if there is one and somebody records."""
    if record is not None and response is not None:
        began = response.extensions.get(BEGAN)
        record.begin_response(response.status_code, response.headers.get("x-request-id"), at=began)
        record.rate_headers = rate_headers(response.headers)


def _tell(record: ModelRequest, failure: BaseException | None, ending: Ending, meter: Meter) -> None:
    record.end(failure)
    ending.note(record, failure)
    logger.info(
        "model.request model=%s purpose=%s outcome=%s status=%s seconds=%.3f request=%s usage=%s",
        *(record.model, record.purpose, record.outcome, record.status),
        *(record.latency, record.request_id, record.usage),
    )
    try:
        meter.record(record)
    except Exception:
        # The answer has been paid for: a meter that fails must not cost it.
        logger.exception("model.meter_failed model=%s request=%s", record.model, record.request_id)
