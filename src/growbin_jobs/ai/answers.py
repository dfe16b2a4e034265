"""The one path to a model's answer: shared while it is asked for, kept afterwards, else asked for.

Pictures and texts take it alike. In this order: a caller in this process that asks for the same thing already (single
flight), the node's store, the store that all nodes share, the model. In the shared store one caller of the whole
cluster holds the lease to ask; the others wait for its answer, and one of them takes over when it dies. Only an answer
that fits its form is kept, and a kept one is validated again: it may come from another version of this program.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from growbin_jobs.adapters.llm.attribution import asking
from growbin_jobs.ai.batching import has_time, put_down
from growbin_jobs.ai.freshness import wished
from growbin_jobs.ai.questions import Question
from growbin_jobs.ai.single_flight import SingleFlight
from growbin_jobs.errors import Away, Deferred

T = TypeVar("T", bound=BaseModel)

#: Seconds between two looks for the answer of another node, at first and at most.
_FIRST_LOOK, _LOOK = 0.2, 1.0


class AnswerStore(Protocol):
    """Keeps answers for a while. It may forget any of them at any time and never raises."""

    def get(self, key: str) -> str | None:
        """Return the answer's JSON, or None."""
        ...

    def put(self, key: str, *, prompt: str, response: str, model: str) -> None:
        """Keep an answer.

        Parameters:
          key: See :class:`growbin_jobs.ai.questions.Question`.
          prompt: See :class:`growbin_jobs.ai.questions.Question`.
          response: JSON.
          model: The model's name.
        """
        ...


class Claimed(Protocol):
    """What a shared store says; exactly one of the three is set.

    Attributes:
      response: The answer's JSON.
      fence: Number of the lease that the caller holds now.
      wait: Seconds until the lease of another caller ends, unless it is renewed.
    """

    @property
    def response(self) -> str | None: ...

    @property
    def fence(self) -> int | None: ...

    @property
    def wait(self) -> float | None: ...


class SharedStore(Protocol):
    """Keeps answers for all nodes, and lets one caller at a time ask for one that is missing."""

    def claim(self, key: str) -> Claimed:
        """Return the answer, or the right to ask for it, or how long somebody else has that.

        Raises:
          Deferred: The store is away; nobody may pay for what another has perhaps.
        """
        ...

    def look(self, key: str) -> str | None:
        """Return the answer, or None; no right to ask is taken.

        Raises:
          Deferred: The store is away.
        """
        ...

    def keep(self, key: str, fence: int, *, prompt: str, response: str, model: str) -> None:
        """Share an answer, and let go of the lease; never raises."""
        ...

    def give_up(self, key: str, fence: int) -> None:
        """Let go of the lease without an answer; never raises."""
        ...

    def forget(self, key: str) -> None:
        """Drop an answer that cannot be used; never raises."""
        ...


class Answered(NamedTuple, Generic[T]):
    """An answer, and whether it came from a store or another caller: then it was not paid for now."""

    answer: T
    from_store: bool


class Answers(Generic[T]):
    """Gets answers of one form, and pays for none twice within the stores' time.

    Parameters:
      form: What an answer must fit.
      store: The node's; None: answers are not kept here.
      patience: Seconds to wait for another caller's answer, and then to ask oneself, in all.
      shared: Of all nodes; None: each node asks for itself.
      clock: Monotonic seconds.
      sleep: Waits so many seconds.
      hit: Told the model of each answer that was not paid for.
      limit: Makes a context in which calls of a model end within so many seconds.
      alone: Asked when the shared store is away: whether this node may ask all the same, and another one too.
    """

    def __init__(
        self,
        form: type[T],
        store: AnswerStore | None,
        *,
        patience: float,
        shared: SharedStore | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        limit: Callable[[float], AbstractContextManager[None]] = lambda _: nullcontext(),
        hit: Callable[[str], None] = lambda _: None,
        alone: Callable[[], bool] = lambda: False,
    ) -> None:
        self._alone = alone
        self._hit = hit
        self._form = form
        self._store = store
        self._patience = patience
        self._shared = shared
        self._clock = clock
        self._sleep = sleep
        self._limit = limit
        self._flights: SingleFlight[Answered[T]] = SingleFlight(patience=patience)

    def get(self, question: Question, ask: Callable[[], T]) -> Answered[T]:
        """Return the answer to a question.

        Parameters:
          question: What identifies the answer.
          ask: Asks the model; called only where nobody has the answer.

        Raises:
          Permanent, Transient, Deferred: What ``ask`` raises, or that another caller's question takes too long.
          AskedInBatch: The message has time, and nobody has the answer (:mod:`growbin_jobs.ai.batching`).
        """
        wish = wished()
        if wish is not None:  # no answer of before has this key; one that is paid for now is kept for a retry
            question = question._replace(key=hashlib.sha256(f"{question.key}:{wish}".encode()).hexdigest())
        if has_time():
            if (kept := self._kept(question)) is not None:
                self._hit(question.model)
                return Answered(kept, from_store=True)
            put_down(question)
        answered, shared = self._flights.do(question.key, lambda: self._kept_or_asked(question, ask))
        if shared or answered.from_store:
            self._hit(question.model)
        return answered._replace(from_store=True) if shared else answered

    def _kept(self, question: Question) -> T | None:
        kept = self._read(self._store.get(question.key)) if self._store is not None else None
        if kept is None and self._shared is not None:
            kept = self._read(self._shared.look(question.key))
        return kept

    def _kept_or_asked(self, question: Question, ask: Callable[[], T]) -> Answered[T]:
        kept = self._read(self._store.get(question.key)) if self._store is not None else None
        if kept is not None:
            return Answered(kept, from_store=True)
        if self._shared is None:
            with asking(question.key):
                answered = Answered(ask(), from_store=False)
        else:
            answered = self._shared_or_asked(self._shared, question, ask)
        if self._store is not None:
            response = answered.answer.model_dump_json()
            self._store.put(question.key, prompt=question.prompt, response=response, model=question.model)
        return answered

    def _shared_or_asked(self, shared: SharedStore, question: Question, ask: Callable[[], T]) -> Answered[T]:
        """Wait until another node has the answer, or until it is this one's turn to ask."""
        begun, look = self._clock(), _FIRST_LOOK
        while True:
            try:
                claim = shared.claim(question.key)
            except Away:
                if not self._alone():
                    raise
                return Answered(ask(), from_store=False)
            left = self._patience - (self._clock() - begun)
            if claim.fence is not None:
                limit = self._limit(left) if look > _FIRST_LOOK else nullcontext()
                return Answered(self._ask(shared, claim.fence, question, ask, left, limit), from_store=False)
            if claim.response is not None:
                kept = self._read(claim.response)
                if kept is not None:
                    return Answered(kept, from_store=True)
                shared.forget(question.key)
            elif left <= 0:
                raise Deferred("The same question is being asked by another node.", wait=30.0, capacity=True)
            else:
                self._sleep(min(look, left))
                look = min(2 * look, _LOOK)

    def _ask(
        self,
        shared: SharedStore,
        fence: int,
        question: Question,
        ask: Callable[[], T],
        left: float,
        limit: AbstractContextManager[None],
    ) -> T:
        if left < self._patience / 2:
            # Whoever it waited for has died late: a whole new try is worth more than half of one.
            shared.give_up(question.key, fence)
            raise Deferred("The node that asked the same question has died.", wait=0.0)
        try:
            with limit, asking(question.key):
                answer = ask()
        except BaseException:
            shared.give_up(question.key, fence)
            raise
        response = answer.model_dump_json()
        shared.keep(question.key, fence, prompt=question.prompt, response=response, model=question.model)
        return answer

    def _read(self, response: str | None) -> T | None:
        if response is None:
            return None
        try:
            return self._form.model_validate_json(response)
        except ValidationError:
            return None
