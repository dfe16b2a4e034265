"""What a model server's failure means: give up, try again, or wait.

=====================================================  ==========================================================
what came back                                         what it becomes
=====================================================  ==========================================================
400, 404, 422 and any other 4xx; a redirect            ``Permanent`` model_rejected_request
401, 403                                               ``Permanent`` model_access_denied
402; insufficient_quota under any status               ``Permanent`` model_quota_exhausted
a refusal; content filter                              ``Permanent`` model_refused
408, 409, 5xx; no connection; it broke                 ``Transient``
the deadline passed after the request was sent         ``Transient``, 2 retries: each try may have been billed
no JSON, wrong schema, empty, cut off                  ``Transient``, 1 retry
429                                                    ``Deferred`` for as long as the server asks
=====================================================  ==========================================================

The SDK's exceptions never leave this package: they carry the request with its key, and some do not unpickle
(openai 3.54). What the server said is quoted in part, without keys and pictures.
"""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient

#: Seconds to wait after a 429 that does not say how long, and bounds for one that does. A longer wish than the upper
#: bound (a daily limit) is met by asking again then.
DEFAULT_WAIT, SHORTEST_WAIT, LONGEST_WAIT = 20.0, 1.0, 300.0

#: Retries after a call that may have been billed although no answer came.
BILLED_RETRIES = 2
#: Retries after an answer that cannot be used.
UNUSABLE_RETRIES = 1

_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_FILTERED = {"content_filter", "content_policy_violation"}
_LONGEST_QUOTE = 160


def from_exception(error: Exception, *, secret: str | None = None) -> GrowbinError:
    """Return our error for one that the SDK raised.

    Parameters:
      error: From the openai SDK; any other is returned by class name only.
      secret: The key, which must not be quoted even if the server echoes it.
    """
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return from_response(error.status_code, error.body, error.response.headers, secret=secret)
    if isinstance(error, openai.APITimeoutError):
        if isinstance(error.__cause__, (httpx2.ConnectTimeout, httpx2.PoolTimeout)):
            return Transient("The model's server could not be reached in time. Check OPENAI_BASE_URL and the network.")
        return Transient("The model's server did not answer within the deadline.", max_retries=BILLED_RETRIES)
    if isinstance(error, openai.APIConnectionError):
        kind = type(error.__cause__).__name__
        return Transient(
            f"The connection to the model's server failed ({kind}). Check OPENAI_BASE_URL and the network."
        )
    return Transient(f"The call of the model failed ({type(error).__name__}).")


def from_response(status: int, body: object, headers: Mapping[str, str], *, secret: str | None = None) -> GrowbinError:
    """Return our error for a response that is one.

    Parameters:
      status: Of HTTP.
      body: The decoded JSON, or its ``error`` member; anything else counts as saying nothing.
      headers: Of the response; their names in lower case, or a case-insensitive mapping.
      secret: The key, which must not be quoted even if the server echoes it.
    """
    said = _said(body)
    words = {said.get("code"), said.get("type")}
    if words & _QUOTA or status == 402:
        return Permanent("model_quota_exhausted")
    if words & _FILTERED:
        return Permanent("model_refused")
    if status in (401, 403):
        return Permanent("model_access_denied", status=status)
    if status == 429:
        return Deferred("The model's server limits the rate (HTTP 429).", wait=wait_of(headers))
    detail = _quote(said, secret)
    if status in (408, 409) or status >= 500:
        return Transient(f"The model's server failed (HTTP {status}, {detail}).")
    return Permanent("model_rejected_request", status=status, detail=detail)


def unusable(what: str) -> Transient:
    """Return the error for an answer that came and cannot be used.

    Parameters:
      what: What is wrong with it; never its content, which a picture may have dictated.
    """
    message = f"The model's answer cannot be used: {what}."
    return Transient(message, max_retries=UNUSABLE_RETRIES, final_code="model_answer_invalid")


def wait_of(headers: Mapping[str, str]) -> float:
    """Return how many seconds a 429 asks to wait, within bounds.

    Read in this order: ``retry-after-ms``, ``retry-after`` (seconds, an HTTP date, or a duration as below), and the
    ``x-ratelimit-reset-…`` of whatever has nothing remaining, durations such as ``600ms`` or ``6m0s``
    (https://platform.openai.com/docs/guides/rate-limits, "Rate limits in headers").
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    asked = milliseconds / 1000 if milliseconds is not None else _delay(headers.get("retry-after"))
    if asked is None:
        resets = [
            _delay(headers.get(f"x-ratelimit-reset-{kind}"))
            for kind in ("requests", "tokens")
            if headers.get(f"x-ratelimit-remaining-{kind}", "0").strip() == "0"
        ]
        asked = max((reset for reset in resets if reset is not None), default=None)
    return DEFAULT_WAIT if asked is None else min(max(asked, SHORTEST_WAIT), LONGEST_WAIT)


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)


def _delay(value: str | None) -> float | None:
    if value is None or not value.strip():
        return None
    value = value.strip()
    number = _number(value)
    if number is not None:
        return number
    if duration := _DURATION.fullmatch(value):
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in duration.groups())
        return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _said(body: object) -> dict[str, str]:
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, Mapping):
        return {}
    return {key: str(error[key]) for key in ("code", "type", "param", "message") if error.get(key) is not None}


def _quote(said: Mapping[str, str], secret: str | None) -> str:
    """What the server said, safe to store: it may echo the request, and with it the picture or the key."""
    text = ": ".join(said[key] for key in ("code", "message") if said.get(key)) or said.get("type", "no reason given")
    if secret:
        text = text.replace(secret, "…")
    text = re.sub(r"data:\S+|\S{48,}|\b(?:sk|Bearer)[-\s]\S+", "…", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
