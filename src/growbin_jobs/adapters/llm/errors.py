"""Classifies the failures of a model server: give up, try again, or wait.

=====================================================  ==========================================================
what came back                                         what it becomes
=====================================================  ==========================================================
400, 404, 422 and any other 4xx; a redirect            ``Permanent`` model_rejected_request
404 for a model that is gone                           ``Permanent`` model_not_offered, with its successor
more tokens than the limit ever grants                 ``Permanent`` model_request_too_large, with both numbers
401, 403                                               ``Permanent`` model_access_denied
402; a spent quota or budget under any status          ``Permanent`` model_quota_exhausted
a refusal; content filter                              ``Permanent`` model_refused
408, 409, 5xx; no connection; it broke                 ``Transient``
503 or 529 that asks to wait; slow_down                ``Deferred`` for as long as the server asks
the deadline passed after the request was sent         ``Transient``, 2 retries: each try may have been billed
no JSON, wrong schema, empty, cut off                  ``Transient``, 1 retry
429                                                    ``Deferred`` for as long as the server asks
=====================================================  ==========================================================

That is what one response means. What many of them mean together, an outage or a spent quota for all, the breaker judges
(:mod:`growbin_jobs.limits.breaker_guard`): its messages wait instead, and nothing is given up.

The SDK's exceptions never leave this package: they carry the request with its key, and some do not unpickle
(openai 3.54). What the server said is quoted in part, without keys and pictures.
"""

import re
from collections.abc import Mapping

from growbin_jobs.adapters.llm.waiting import LONGEST_ASKED, asked_wait, wait_of
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.model_catalog import find_model

#: Retries after a call that may have been billed although no answer came.
BILLED_RETRIES = 2
#: Retries after an answer that cannot be used.
UNUSABLE_RETRIES = 1

#: Codes and types of an account that has nothing left; those that begin with ``billing_`` too.
#: https://platform.openai.com/docs/guides/error-codes, and what the API answers beside that page.
_QUOTA = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
}
#: The server asks everybody to send less.
_SLOW_DOWN = {"slow_down", "server_overloaded", "overloaded_error"}
_GONE = {"model_not_found", "model_deprecated", "model_retired", "DeploymentNotFound"}
_GONE_WORDS = re.compile(
    r"model\b.*\b(?:deprecated|retired|does not exist|shut ?down|decommissioned|no longer)", re.I | re.S
)
_LIMIT = re.compile(r"\bLimit:? (\d[\d,]*)", re.I)
_REQUESTED = re.compile(r"\bRequested:? (\d[\d,]*)", re.I)
_FILTERED = {"content_filter", "content_policy_violation"}
_LONGEST_QUOTE = 160
#: Characters of a server's words that are looked at.
_LONGEST_READ = 4000
#: A shorter key is a placeholder ("x", "none") of a server that wants none, and part of any word.
_SHORTEST_SECRET = 4


class RateLimited(Deferred):
    """The server asks for fewer requests.

    Parameters:
      message: What happened, for logs.
      headers: Of the response; the wait is read from them.

    Attributes:
      asked: Seconds that the server asked to wait, a day at most; None where it did not say.
    """

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        asked = asked_wait(headers)
        self.asked = None if asked is None else min(asked, LONGEST_ASKED)
        super().__init__(message, wait=wait_of(headers))


def from_exception(error: Exception, *, secret: str | None = None, model: str | None = None) -> GrowbinError:
    """Return our error for one that the SDK raised.

    Parameters:
      error: From the openai SDK; any other is returned by class name only.
      secret: The key, which must not be quoted even if the server echoes it.
      model: The one that was asked.
    """
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return from_response(error.status_code, error.body, error.response.headers, secret=secret, model=model)
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


def from_response(
    status: int, body: object, headers: Mapping[str, str], *, secret: str | None = None, model: str | None = None
) -> GrowbinError:
    """Return our error for a response that is one.

    Parameters:
      status: Of HTTP.
      body: The decoded JSON, or its ``error`` member; anything else counts as saying nothing.
      headers: Of the response; their names in lower case, or a case-insensitive mapping.
      secret: The key, which must not be quoted even if the server echoes it.
      model: The one that was asked.
    """
    said = _said(body)
    words = {said.get("code", ""), said.get("type", "")}
    if status == 402 or words & _QUOTA or any(word.startswith("billing_") for word in words):
        return Permanent("model_quota_exhausted")
    if words & _FILTERED:
        return Permanent("model_refused")
    if status in (401, 403):
        return Permanent("model_access_denied", status=status)
    if (waiting := _waiting(status, said, headers)) is not None:
        return waiting
    detail = _quote(said, secret)
    if status in (408, 409) or status >= 500:
        return Transient(f"The model's server failed (HTTP {status}, {detail}).")
    if status == 404 and model and (words & _GONE or _GONE_WORDS.search(said.get("message", ""))):
        return Permanent("model_not_offered", status=status, model=model, detail=_instead_of(model))
    if status == 404 and not said.get("message"):
        detail = "no reason given; check OPENAI_BASE_URL, which usually ends in /v1"
    return Permanent("model_rejected_request", status=status, detail=detail)


def _waiting(status: int, said: Mapping[str, str], headers: Mapping[str, str]) -> GrowbinError | None:
    """Return what a response that limits the rate becomes; None for any other."""
    if status == 429:
        limit, requested = (_tokens(pattern, said.get("message", "")) for pattern in (_LIMIT, _REQUESTED))
        if limit is not None and requested is not None and requested > limit:
            # However long it waits, the server never grants it.
            return Permanent("model_request_too_large", limit=limit, requested=requested)
        return RateLimited("The model's server limits the rate (HTTP 429).", headers)
    slow_down = bool({said.get("code"), said.get("type")} & _SLOW_DOWN) and status >= 500
    if slow_down or (status in (503, 529) and asked_wait(headers) is not None):
        return RateLimited(f"The model's server asks to wait (HTTP {status}).", headers)
    return None


def _tokens(pattern: re.Pattern[str], message: str) -> int | None:
    found = pattern.search(message)
    return int(found.group(1).replace(",", "")[:18]) if found else None


def _instead_of(model: str) -> str:
    known = find_model(model)
    if known is None or not known.successors:
        return "Choose one that it offers: growbin-jobs doctor names them."
    return f"Its successor is {' or '.join(known.successors)}."


def unusable(what: str) -> Transient:
    """Return the error for an answer that came and cannot be used.

    Parameters:
      what: What is wrong with it; never its content, which a picture may have dictated.
    """
    message = f"The model's answer cannot be used: {what}."
    return Transient(message, max_retries=UNUSABLE_RETRIES, final_code="model_answer_invalid")


def _said(body: object) -> dict[str, str]:
    """Return the text of an error, in the forms that servers give it: OpenAI's, a list of it, FastAPI's, plain text."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") or body if isinstance(body, Mapping) else body
    if isinstance(error, str):
        return {} if error.lstrip().startswith("<") else {"message": error[:_LONGEST_READ]}
    if not isinstance(error, Mapping):
        return {}
    said = {key: str(error[key])[:_LONGEST_READ] for key in ("code", "type", "message") if error.get(key) is not None}
    if "message" not in said and error.get("detail"):
        said["message"] = str(error["detail"])[:_LONGEST_READ]
    return said


def _quote(said: Mapping[str, str], secret: str | None) -> str:
    """Return what the server said, safe to store: it may echo the request, and with it the picture or the key."""
    text = ": ".join(said[key] for key in ("code", "message") if said.get(key)) or said.get("type", "no reason given")
    if secret and len(secret) >= _SHORTEST_SECRET:
        text = text.replace(secret, "…")
    text = re.sub(r"data:\S+|\S{48,}|\b(?:sk|Bearer)[-\s]\S+", "…", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
