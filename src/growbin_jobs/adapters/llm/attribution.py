"""For whom a model is asked: set around a stage, read where an HTTP request is recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whom a request is for; all unknown by default.

    Attributes:
      analysis_id: The analysis.
      user_id: Its user.
      message_id: The message whose actor asks.
      attempt: Which run of that message, from 1.
      question: Digest of what is asked; the same for the same picture and prompt, whoever asks.
    """

    analysis_id: str | None = None
    user_id: str | None = None
    message_id: str | None = None
    attempt: int | None = None
    question: str | None = None


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


@contextmanager
def asking(question: str) -> Iterator[None]:
    """Let the model requests inside be of a question, by its digest, for whom they are already."""
    with attributed(replace(attribution(), question=question)):
        yield


def attribution() -> Attribution:
    """Return whom a request is for that is sent now."""
    return _current.get()
