"""Whether the message that runs here asks for fresh answers: a person lets it run again and does not want saved ones.

The wish is an option of the message, and every message that follows carries it on. Its value tells one wish from
others: an answer that was paid for is kept under it, so that a retry does not pay again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_wish: ContextVar[str | None] = ContextVar("growbin_fresh_answers", default=None)


@contextmanager
def fresh_answers(wish: str | None) -> Iterator[None]:
    """Let answers inside, of this thread or greenlet, be asked for anew; None: saved ones are good."""
    token = _wish.set(wish)
    try:
        yield
    finally:
        _wish.reset(token)


def wished() -> str | None:
    """Return the wish that holds now, or None."""
    return _wish.get()
