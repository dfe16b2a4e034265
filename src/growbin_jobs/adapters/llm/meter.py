"""The port for measuring model requests: one record for each HTTP request that may cost money.

An answer can take several requests (a server without JSON schemas, a cut off answer), and a request without an answer
may have been billed. So the record is of the request, and :class:`~growbin_jobs.adapters.llm.posting.Posting` makes
it in the one place that all of them pass.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal, Protocol

from growbin_jobs.adapters.llm.attribution import Attribution, attribution
from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.errors import Deferred, Permanent, Transient

#: What a gateway says when its own deadline has passed (RFC 9110 §15.6.5; Cloudflare's): the server behind it goes on,
#: and bills.
ANSWERED_TOO_LATE: Final = frozenset({504, 524})

#: How a request ended.
#: ``answered``; ``unusable``: an answer came that cannot be used; ``refused``: by the model or a content filter;
#: ``rejected``: the request is wrong; ``denied``: the key is; ``no_quota``; ``rate_limited``: told to wait;
#: ``failed``: the server failed; ``timeout``: no answer within the deadline; ``unreachable``: no connection, or it
#: broke; ``interrupted``: the worker's time limit or its stop ended the wait.
Outcome = Literal[
    "answered", "unusable", "refused", "rejected", "denied", "no_quota", "rate_limited", "failed", "timeout",
    "unreachable", "interrupted",
]  # fmt: skip

#: Extension of an HTTP response: when its headers were here, on the monotonic clock.
BEGAN: Final = "growbin_began"

#: ``unknown``: the server may have worked on it and nobody told us.
Billed = Literal["yes", "no", "unknown"]

_OF_CODES: dict[str, Outcome] = {
    "model_refused": "refused",
    "model_access_denied": "denied",
    "model_quota_exhausted": "no_quota",
}


@dataclass(slots=True)
class ModelRequest:
    """One HTTP request to a model server, from its sending to its end.

    Attributes:
      model: The one asked for.
      purpose: What the answer is for, such as ``vision``.
      id: Of this request, by which its row and its reserved money are found.
      asked_tier: The price tier that was asked for; None: the server's default.
      sent_at: When its first byte was written, in seconds since 1970; before that, when it was begun.
      latency: Seconds until the whole answer or the failure was here.
      first_byte: Seconds until the response began; None where none did.
      outcome: How it ended; ``interrupted`` until something else is known.
      status: Of HTTP; None where no response came.
      reached: False where no connection to the server could be made, so that it cannot have worked on it.
      served_model: The model that the server says has answered, often a dated snapshot.
      service_tier: The price tier that the server says it used.
      usage: Tokens as the server counted them; None where it said nothing.
      request_id: For the server's support and logs.
      rate_headers: What the response says of the server's own limits (``x-ratelimit-…``).
      attribution: For whom it was sent.
    """

    model: str
    purpose: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    asked_tier: str | None = None
    sent_at: float = field(default_factory=time.time)
    latency: float = 0.0
    first_byte: float | None = None
    outcome: Outcome = "interrupted"
    status: int | None = None
    reached: bool = True
    served_model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    request_id: str | None = None
    rate_headers: Mapping[str, str] = field(default_factory=dict)
    attribution: Attribution = field(default_factory=attribution)
    _started: float = field(default_factory=time.monotonic, repr=False)

    @property
    def billed(self) -> Billed:
        """Whether it costs money: an answer does, an error response does not; of no response, or none in time, nobody
        knows."""
        if self.usage is not None or self.status == HTTPStatus.OK:
            return "yes"
        if not self.reached or self.status not in (None, *ANSWERED_TOO_LATE):
            return "no"
        return "unknown"

    def begin(self) -> None:
        """Note that the first byte is written now: what came before was not the server's time."""
        self.sent_at, self._started = time.time(), time.monotonic()

    def begin_response(self, status: int, request_id: str | None, *, at: float | None) -> None:
        """Note that a response came.

        Parameters:
          status: Of HTTP.
          request_id: For the server's support and logs.
          at: When it began, on the monotonic clock; None where that is not known.
        """
        self.status, self.request_id = status, request_id
        self.first_byte = None if at is None else max(0.0, at - self._started)

    def end(self, error: BaseException | None) -> None:
        """Note how it ended.

        Parameters:
          error: What was raised; None for an answer.
        """
        self.latency = time.monotonic() - self._started
        self.outcome = "answered" if error is None else self._outcome_of(error)

    def _outcome_of(self, error: BaseException) -> Outcome:
        if isinstance(error, Permanent):
            # What a response teaches that cut its answer off is raised as a refusal, too.
            return _OF_CODES.get(error.code, "unusable" if self.status == HTTPStatus.OK else "rejected")
        if isinstance(error, Deferred):
            return "rate_limited"
        if not isinstance(error, Transient):
            return "interrupted"
        if error.final_code == "model_answer_invalid":
            return "unusable"
        if self.status is not None:
            return "failed"
        # A deadline that passes after the request was sent bounds its retries: each try may have been billed.
        return "timeout" if error.max_retries is not None else "unreachable"


class Meter(Protocol):
    """Gets a record of each HTTP request to a model server."""

    def record(self, request: ModelRequest) -> None:
        """Take one request that has ended. It may be called from many threads and should not block for long."""
        ...


class NullMeter:
    """A meter that keeps nothing."""

    def record(self, request: ModelRequest) -> None:
        """Do nothing."""
