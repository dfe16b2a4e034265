"""The port for what must agree before a model request is sent: limits, breakers, budgets.

:class:`~growbin_jobs.adapters.llm.posting.Posting` asks in the one place that every HTTP request passes, so that a
call that takes several requests asks for each. All guards agree or nothing is sent; what the first ones hold is given
back when a later one refuses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from growbin_jobs.adapters.llm.attribution import Attribution, attribution
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred, GrowbinError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One HTTP request to a model server that is about to be sent.

    Attributes:
      model: The one that is asked.
      purpose: What the answer is for, such as ``vision``.
      input_tokens: Estimate of the tokens that are sent, pictures included.
      max_tokens: Most tokens of the answer.
      service_tier: The price tier that is asked for; None: the server's default.
      attribution: For whom it is sent.
    """

    model: str
    purpose: str
    input_tokens: int
    max_tokens: int
    service_tier: str | None = None
    attribution: Attribution = field(default_factory=attribution)


class ModelAway(Deferred):
    """The model cannot be asked for now: an outage, or something that a person has to mend.

    However long that lasts, no message is given up for it.

    Parameters:
      message: What we wait for, for logs.
      wait: Seconds until it makes sense to ask again.
      reason: Such as ``model_not_offered``.
      pauses_queue: All messages would have to wait as long.
    """

    def __init__(self, message: str, *, wait: float, reason: str, pauses_queue: bool = False) -> None:
        self.reason = reason
        super().__init__(message, wait=wait, capacity=True, pauses_queue=pauses_queue)


class Held(Protocol):
    """What a guard holds for one request. Exactly one of its methods is called, once."""

    def release(self) -> None:
        """Give back what is held: the request was not sent."""
        ...

    def settle(self, record: ModelRequest, failure: BaseException | None) -> GrowbinError | None:
        """Account for the request, which was sent and has ended.

        Parameters:
          record: The request with its end.
          failure: What it ended with; None for an answer.

        Returns:
          What the caller is told in place of the failure; None leaves that as it is.
        """
        ...


@runtime_checkable
class Beginning(Protocol):
    """What a guard holds that is asked once more, when the first byte of its request is about to be written."""

    def begin(self) -> None:
        """Agree once more: connecting may have taken longer than what was agreed to is good for. It may wait.

        Raises:
          Deferred: Not now; nothing was sent.
        """
        ...


class Guard(Protocol):
    """Something that must agree before a request is sent."""

    def admit(self, request: PlannedRequest) -> Held:
        """Agree to one request, now. It may wait a moment for its turn.

        Raises:
          Deferred: Not now; the message comes back later and spends no retry.
          Permanent: Never: the request asks for more than is ever granted.
        """
        ...


class Ending:
    """How a request ended, once it is known.

    Attributes:
      refusal: What a guard raised when the first byte was about to be written: then nothing was sent.
    """

    def __init__(self) -> None:
        self.refusal: BaseException | None = None
        self._held: list[Held] = []
        self._end: tuple[ModelRequest, BaseException | None] | None = None
        self._instead: GrowbinError | None = None

    @property
    def instead(self) -> GrowbinError | None:
        """What the caller is told in place of the failure; None: the failure itself."""
        return self._instead

    def hold(self, held: Held) -> None:
        """Note what a guard holds."""
        self._held.append(held)

    def begin(self) -> None:
        """Ask all guards once more, in order, before the first byte is written.

        Raises:
          Deferred: One of them refuses.
        """
        try:
            for held in self._held:
                if isinstance(held, Beginning):
                    held.begin()
        except BaseException as error:
            self.refusal = error
            raise

    def note(self, record: ModelRequest, failure: BaseException | None) -> None:
        """Note the end of the request; see :meth:`Held.settle`."""
        self._end = (record, failure)

    def account(self, held: Held) -> None:
        """Settle or release what one guard holds."""
        try:
            if self._end is None:
                held.release()
            else:
                self._instead = held.settle(*self._end) or self._instead
        except Exception:
            # The answer has been paid for: a guard that fails must not cost it.
            logger.exception("model.guard_failed guard=%s", type(held).__name__)


@contextmanager
def admitted(guards: Sequence[Guard], request: PlannedRequest) -> Iterator[Ending]:
    """Ask all guards in order, and let each account for the request afterwards, in the opposite order.

    Yields:
      Where the end of the request is noted. Without it the request counts as not sent.

    Raises:
      Deferred, Permanent: A guard refuses; nothing is held any more. Or what a guard tells in place of the failure.
    """
    ending = Ending()
    try:
        with ExitStack() as stack:
            for guard in guards:
                held = guard.admit(request)
                stack.callback(ending.account, held)
                ending.hold(held)
            yield ending
    except GrowbinError:
        if ending.instead is None:
            raise
    else:
        return
    raise ending.instead
