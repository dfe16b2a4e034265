"""For whom a model is asked: set around a stage, read where an HTTP request is recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whom a request is for; all unknown by default.

    Attributes:
      analysis_id: The analysis.
      user_id: Its user.
      message_id: The message whose actor asks.
      attempt: Which run of that message, from 1.
    """

    analysis_id: str | None = None
    user_id: str | None = None
    message_id: str | None = None
    attempt: int | None = None


NOBODY = Attribution()

_current: ContextVar[Attribution] = ContextVar("growbin_model_request_for", default=NOBODY)


@contextmanager
def attributed(to: Attribution) -> Iterator[None]:
    """Attribute the model requests inside, of this thread or greenlet."""
    token = _current.set(to)
    try:
        yield
    finally:
        _current.reset(token)


def attribution() -> Attribution:
    """Return whom a request is for that is sent now."""
    return _current.get()
