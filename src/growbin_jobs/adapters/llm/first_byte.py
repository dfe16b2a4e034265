"""Tells when the first byte of an HTTP request is about to be written: the connection is there then, with its TLS.

Name resolution, a full pool, connecting and TLS can take seconds, and a permission that is good for a moment must
be looked at after them. httpcore2 tells it by its ``trace`` extension
(https://www.encode.io/httpcore/extensions/#trace), in the caller's thread.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpx2

from growbin_jobs.adapters.llm.guards import Ending
from growbin_jobs.adapters.llm.meter import ModelRequest

#: What httpcore2 calls the moment.
_EVENT: Final = "http11.send_request_headers.started"

_begin: ContextVar[Callable[[], None] | None] = ContextVar("growbin_http_first_byte", default=None)


@contextmanager
def before_first_byte(begin: Callable[[], None]) -> Iterator[None]:
    """Call something before the first byte of each HTTP request inside is written.

    Parameters:
      begin: It may wait, while the connection stays open; what it raises ends the request, of which nothing was sent.
    """
    token = _begin.set(begin)
    try:
        yield
    finally:
        _begin.reset(token)


def admitted_again(
    record: ModelRequest, ending: Ending, postpone: Callable[[float], None]
) -> AbstractContextManager[None]:
    """Ask the guards once more when the connection is there, before the first byte of the request inside.

    Parameters:
      postpone: Leaves so many seconds out of the call's deadline.
    """

    def begin() -> None:
        asked = time.monotonic()
        ending.begin()
        postpone(time.monotonic() - asked)
        record.begin()

    return before_first_byte(begin)


def watch(request: httpx2.Request) -> None:
    """Let a request tell of its first byte, where somebody wants to know."""
    begin = _begin.get()
    if begin is None:
        return

    def trace(event: str, info: Mapping[str, Any]) -> None:
        # A proxy is asked for a tunnel in the same way; the server gets nothing by that.
        if event == _EVENT and info["request"].method != b"CONNECT":
            begin()

    request.extensions = {**request.extensions, "trace": trace}
