"""What has happened in a sandbox: messages that were sent, runs, dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dramatiq import Message


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent.

    Attributes:
      message: As it travels.
      at: Seconds of the sandbox's time when it was sent.
      due: Seconds of the sandbox's time before which it does not run.
      parent: Id of the message that sent it; its own where it is a retry or was put off; None from outside.
    """

    message: Message[Any]
    at: float
    due: float
    parent: str | None

    @property
    def actor(self) -> str:
        """Its actor's name."""
        return self.message.actor_name

    @property
    def id(self) -> str:
        """Its message id."""
        return self.message.message_id

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments."""
        return tuple(self.message.args)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments."""
        return dict(self.message.kwargs)

    @property
    def retries(self) -> int:
        """How often it has failed before."""
        return int(self.message.options.get("retries", 0))

    @property
    def deferrals(self) -> int:
        """How often it was put off before."""
        return int(self.message.options.get("deferrals", 0))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a message.

    Attributes:
      sent: What ran.
      at: Seconds of the sandbox's time.
      result: What the actor returned.
      exception: What it raised.
      outbox: What left the process at its end: follow-ups, or its own retry.
    """

    sent: Sent
    at: float
    result: Any
    exception: BaseException | None
    outbox: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class SandboxDeadLetter:
    """A message that was given up.

    Attributes:
      sent: The message.
      at: Seconds of the sandbox's time.
      code: Why, as in :data:`growbin_jobs.reasons.REASONS`; None where some other middleware decided it.
      exception: The last error.
      params: What the code's sentence says.
    """

    sent: Sent
    at: float
    code: str | None
    exception: BaseException | None
    params: Mapping[str, Any] = field(default_factory=dict)
