"""Classifies the failures of a model server: give up, try again, or wait.

=====================================================  ==========================================================
what came back                                         what it becomes
=====================================================  ==========================================================
400, 404, 422 and any other 4xx; a redirect            ``Permanent`` model_rejected_request
a model that is gone or not loaded                     ``Permanent`` model_not_offered, with its successor
a model that looks at no pictures                      ``Permanent`` model_lacks_images
more tokens than the limit ever grants                 ``Permanent`` model_request_too_large, with both numbers
401, 403, 451; a refused key under any status          ``Permanent`` model_access_denied
402; a spent quota or budget under any status          ``Permanent`` model_quota_exhausted
a refusal; content filter                              ``Permanent`` model_refused
408, 409, 42x of the moment, 499, 5xx; no connection   ``Transient``
any that asks to wait (Retry-After, RetryInfo, words)  ``Deferred`` for as long as the server asks
overloaded, busy, loading its model                    ``Deferred``
the deadline passed after the request was sent         ``Transient``, 2 retries: each try may have been billed
504, 524: a gateway's deadline passed; a part of a 200 ``Transient``, 2 retries
no JSON, wrong schema, empty, cut off                  ``Transient``, 1 retry
429; 498 (Groq); 403 that names a limit of the rate    ``Deferred`` for as long as the server asks
=====================================================  ==========================================================

That is what one response means. What many of them mean together, an outage or a spent quota for all, the breaker judges
(:mod:`growbin_jobs.limits.breaker_guard`): its messages wait instead, and nothing is given up.

The SDK's exceptions never leave this package: they carry the request with its key, and some do not unpickle
(openai 3.54). What the server said is quoted in part, without keys and pictures.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from growbin_jobs.adapters.llm import vocabulary
from growbin_jobs.adapters.llm.documents import decoded
from growbin_jobs.adapters.llm.meter import ANSWERED_TOO_LATE
from growbin_jobs.adapters.llm.said import Said, read_said
from growbin_jobs.adapters.llm.unreachable import why_unreachable
from growbin_jobs.adapters.llm.waiting import asked_wait, asks_to_wait, wait_of
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.model_catalog import find_model

if TYPE_CHECKING:
    import openai

#: Retries after a call that may have been billed although no answer came.
BILLED_RETRIES = 2
#: Retries after an answer that cannot be used.
UNUSABLE_RETRIES = 1

_LIMITED: Final = frozenset({429, 498})
_MAY_ASK_TO_WAIT: Final = frozenset({408, 409, 413, 425, 502, 503, 504, 529})
#: Statuses below 500 that speak of the moment and not of the request: a lock, an upstream that failed (424 of Azure), a
#: connection that somebody on the way closed (nginx's 444, 460, 499).
_FAILED_NOW: Final = frozenset({408, 409, 421, 423, 424, 425, 444, 449, 460, 499})
_MISPACKED: Final = (
    "What came over the connection to the model's server is compressed otherwise than it says, or in a way that nobody "
    "asked for. Look at what is before that server."
)


class RateLimited(Deferred):
    """The server asks for fewer requests.

    Parameters:
      message: What happened, for logs.
      headers: Of the response; the wait is read from them.
      said: What the error says, which may name a wait too.

    Attributes:
      asked: Seconds that the server asked to wait, a month at most; None where it did not say.
    """

    def __init__(self, message: str, headers: Mapping[str, str], said: Said | None = None) -> None:
        delay, text = (said.delay, said.text) if said else ("", "")
        headers = {**(said.headers if said else {}), **headers}
        self.asked = asked_wait(headers, delay, text)
        super().__init__(message, wait=wait_of(headers, delay, text))


def from_exception(
    error: Exception, *, secret: str | None = None, model: str | None = None, sent: Iterable[str] = ()
) -> GrowbinError:
    """Return our error for one that the SDK raised.

    Parameters:
      error: From the openai SDK; any other is returned by class name only.
      secret, model, sent: See :func:`from_response`.
    """
    import httpx2
    import openai

    from growbin_jobs.adapters.llm.bounded import AnswerBrokenOff, AnswerTooLarge

    if isinstance(error, openai.APIStatusError):
        body, headers = document_of(error), error.response.headers
        return from_response(error.status_code, body, headers, secret=secret, model=model, sent=sent)
    if AnswerTooLarge in (type(error), type(error.__cause__)):
        return unusable("it is too large")
    if AnswerBrokenOff in (type(error), type(error.__cause__)):
        return Transient("The connection ended in the middle of the model's answer.", max_retries=BILLED_RETRIES)
    if isinstance(error, httpx2.DecodingError):
        return Transient(_MISPACKED)
    if isinstance(error, openai.APITimeoutError):
        if isinstance(error.__cause__, (httpx2.ConnectTimeout, httpx2.PoolTimeout)):
            return Transient("The model's server could not be reached in time. Check OPENAI_BASE_URL and the network.")
        return Transient("The model's server did not answer within the deadline.", max_retries=BILLED_RETRIES)
    if isinstance(error, openai.APIConnectionError):
        if isinstance(error.__cause__, httpx2.DecodingError):
            return Transient(_MISPACKED)
        return Transient(why_unreachable(error))
    return Transient(f"The call of the model failed ({type(error).__name__}).")


def document_of(error: "openai.APIStatusError") -> object:
    """Return the document of an error: as the SDK has read it, else its text in the encoding that it has."""
    return decoded(error.response.content, error.response.headers) if isinstance(error.body, str) else error.body


def from_response(
    status: int,
    body: object,
    headers: Mapping[str, str],
    *,
    secret: str | None = None,
    model: str | None = None,
    sent: Iterable[str] = (),
) -> GrowbinError:
    """Return our error for a response that is one.

    Parameters:
      status: Of HTTP.
      body: The decoded JSON, or its ``error`` member, or text; an HTML page counts as saying nothing but its title.
      headers: Of the response; their names in lower case, or a case-insensitive mapping.
      secret: The key, which must not be quoted even if the server echoes it.
      model: The one that was asked.
      sent: Texts of the request, which are not quoted either.
    """
    said = read_said(body)
    codes, text = said.codes, said.text
    detail = said.quote(secret, sent)
    if 300 <= status < 400:
        detail = f"{detail}; it redirects{_where(headers)}, which is not followed: correct OPENAI_BASE_URL"
    if (
        status == 402
        or vocabulary.names(vocabulary.QUOTA, codes)
        or (400 <= status < 500 and vocabulary.QUOTA_WORDS.search(text))
    ):
        return Permanent("model_quota_exhausted", detail=detail)
    if vocabulary.names(vocabulary.FILTERED, codes) or (status in (400, 403, 422, 424, 451) and _is_filtered(text)):
        return Permanent("model_refused")
    if status == 403 and (vocabulary.names(vocabulary.SLOW_DOWN, codes) or vocabulary.LIMITED_RIGHTS.search(text)):
        return RateLimited(f"The model's server limits the rate (HTTP {status}).", headers, said)
    if (
        status in (401, 403, 451)
        or (status in (400, 404) and (vocabulary.names(vocabulary.KEY, codes) or vocabulary.ACCESS_WORDS.search(text)))
        or (status in (400, 500) and vocabulary.ACCESS_NAMES.search(text))
    ):
        return Permanent("model_access_denied", status=status, detail=detail)
    if vocabulary.names(vocabulary.UNUSABLE, codes):
        return unusable("the server found that it does not keep to the form")
    if (waiting := _waiting(status, said, headers)) is not None:
        return waiting
    if model and status in (400, 404, 415, 422, 500, 501) and vocabulary.NO_IMAGES.search(text):
        return Permanent("model_lacks_images", status=status, model=model, detail=detail)
    if model and (
        (status in (400, 404, 410) and vocabulary.names(vocabulary.GONE, codes))
        or (status in (404, 410) and vocabulary.GONE_WORDS.search(text))
        or (status == 400 and set(said.names) <= {"model"} and vocabulary.GONE_WORDS.search(text))
    ):
        return Permanent("model_not_offered", status=status, model=model, detail=_instead_of(model))
    if status in _FAILED_NOW or status >= 500 or vocabulary.ENDED_WORDS.search(text):
        retries = BILLED_RETRIES if status in ANSWERED_TOO_LATE else None
        return Transient(f"The model's server failed (HTTP {status}, {detail}).", max_retries=retries)
    is_missing = status in (404, 405) and (not text or text.startswith("an HTML page"))
    if is_missing or (status in (400, 404, 405) and vocabulary.WRONG_ADDRESS.search(text)):
        detail = f"{detail}; check OPENAI_BASE_URL, which usually ends in /v1"
    if status == 407:
        detail = f"{detail}; it is the proxy of HTTPS_PROXY or HTTP_PROXY that asks for a user and a password"
    return Permanent("model_rejected_request", status=status, detail=detail)


def _is_filtered(text: str) -> bool:
    """Return whether a sentence speaks of what is in one request, and not of who pays."""
    sentences = re.split(r"(?<=[.!?。])\s|\n", text)
    return any(vocabulary.FILTER_WORDS.search(each) and not vocabulary.WHOSE.search(each) for each in sentences)


def _waiting(status: int, said: Said, headers: Mapping[str, str]) -> GrowbinError | None:
    """Return what a response that limits the rate becomes; None for any other."""
    slow_down = vocabulary.names(vocabulary.SLOW_DOWN, said.codes)
    if status in _LIMITED or (status == 413 and slow_down):
        limit, requested = (_tokens(pattern, said.text) for pattern in (vocabulary.LIMIT, vocabulary.REQUESTED))
        if limit is not None and requested is not None and requested > limit > 0:
            # However long it waits, the server never grants it.
            return Permanent("model_request_too_large", limit=limit, requested=requested)
        return RateLimited(f"The model's server limits the rate (HTTP {status}).", headers, said)
    asks = status in _MAY_ASK_TO_WAIT and (asks_to_wait(headers) or bool(said.delay))
    busy = status in (503, 529) and vocabulary.BUSY_WORDS.search(said.text)
    named = (status in (400, 424) or status >= 500) and vocabulary.SLOW_DOWN_NAMES.search(said.text)
    if asks or busy or named or (slow_down and status >= 500):
        return RateLimited(f"The model's server asks to wait (HTTP {status}).", headers, said)
    return None


def _where(headers: Mapping[str, str]) -> str:
    """Return to which server a response redirects; not to which page there, whose address may hold a secret."""
    address = re.match(r"https?://[\w.:\[\]-]{1,100}(?=/|$)", headers.get("location") or "", re.I | re.A)
    return f" to {address[0]}" if address else ""


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
