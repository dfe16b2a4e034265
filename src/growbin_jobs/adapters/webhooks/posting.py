"""Posts one signed message to a webhook, to allowed addresses only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.adapters.webhooks.signing import signed_headers

#: Seconds for one try: resolving, connecting, TLS, the whole answer.
TIMEOUT: Final = 10.0

#: What went wrong, by the word of the prober.
PROBLEMS: Final = {
    "address": "the address is none",
    "not public": "the address is not public; GROWBIN_WEBHOOK_NETWORKS allows private ones",
    "not resolved": "the name has no address",
    "not connected": "nobody answers there",
    "tls": "the certificate cannot be trusted, or no TLS is spoken there",
    "timeout": "no answer in time",
    "broken": "the answer broke off",
}


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it.

    Attributes:
      status: Of HTTP; None: there was no answer.
      problem: Why the receiver does not have it, for people; None: it has.
    """

    status: int | None
    problem: str | None


#: What a receiver says that is gone and will not come back (RFC 9110, 15.5.11).
GONE: Final = Posted(410, "HTTP 410: the receiver says that it is gone")


def post(prober: Prober, url: str, message_id: str, body: bytes, secret: str, *, seconds: float = TIMEOUT) -> Posted:
    """Post a message; redirects are not followed, and only an answer of 2xx counts.

    Parameters:
      prober: Sends it.
      message_id: The same in each try, so that the receiver knows what it has had.
      body: JSON.
      secret: Shared with the receiver.
      seconds: For all of it.

    Raises:
      ValueError: The secret is none.
    """
    headers = signed_headers(message_id, body, secret)
    headers |= {"content-type": "application/json", "user-agent": "growbin-jobs"}
    answer = prober.send("POST", url, seconds=seconds, headers=headers, content=body)
    if answer.failure is not None:
        return Posted(None, PROBLEMS[answer.failure])
    assert answer.http_status is not None
    if answer.http_status == GONE.status:
        return GONE
    return Posted(answer.http_status, None if 200 <= answer.http_status < 300 else f"HTTP {answer.http_status}")
