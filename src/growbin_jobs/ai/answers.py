"""The one path to a model's answer: shared while it is asked for, kept on the node afterwards, else asked for.

Pictures and texts take it alike. In this order: a caller in this process that asks for the same thing already (single
flight), the node's store, the model. Only an answer that fits its form is kept, and a kept one is validated again: it
may come from another version of this program.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from growbin_jobs.ai.single_flight import SingleFlight

T = TypeVar("T", bound=BaseModel)


class AnswerStore(Protocol):
    """Keeps answers for a while. It may forget any of them at any time and never raises."""

    def get(self, key: str) -> str | None:
        """Return the answer's JSON, or None."""
        ...

    def put(self, key: str, *, prompt: str, response: str, model: str) -> None:
        """Keep an answer.

        Parameters:
          key: See :class:`Question`.
          prompt: See :class:`Question`.
          response: JSON.
          model: The model's name.
        """
        ...


class Question(NamedTuple):
    """What identifies an answer.

    Attributes:
      key: Digest of everything that decides the answer: model, prompt, schema, sampling, picture or text.
      prompt: The prompt's version, with a digest of what else decides; never the picture.
      model: The model's name.
    """

    key: str
    prompt: str
    model: str


class Answered(NamedTuple, Generic[T]):
    """An answer, and whether it came from the store or another caller: then it was not paid for now."""

    answer: T
    from_store: bool


class Answers(Generic[T]):
    """Gets answers of one form, and pays for none twice within the store's time.

    Parameters:
      form: What an answer must fit.
      store: None: answers are not kept.
      patience: Seconds to wait for another caller's question about the same thing.
    """

    def __init__(self, form: type[T], store: AnswerStore | None, *, patience: float) -> None:
        self._form = form
        self._store = store
        self._flights: SingleFlight[Answered[T]] = SingleFlight(patience=patience)

    def get(self, question: Question, ask: Callable[[], T]) -> Answered[T]:
        """Return the answer to a question.

        Parameters:
          question: What identifies the answer.
          ask: Asks the model; called only where nobody has the answer.

        Raises:
          Permanent, Transient, Deferred: What ``ask`` raises, or that another caller's question takes too long.
        """
        answered, shared = self._flights.do(question.key, lambda: self._kept_or_asked(question, ask))
        return answered._replace(from_store=True) if shared else answered

    def _kept_or_asked(self, question: Question, ask: Callable[[], T]) -> Answered[T]:
        kept = self._kept(question.key)
        if kept is not None:
            return Answered(kept, from_store=True)
        answer = ask()
        if self._store is not None:
            response = answer.model_dump_json()
            self._store.put(question.key, prompt=question.prompt, response=response, model=question.model)
        return Answered(answer, from_store=False)

    def _kept(self, key: str) -> T | None:
        response = self._store.get(key) if self._store is not None else None
        if response is None:
            return None
        try:
            return self._form.model_validate_json(response)
        except ValidationError:
            return None
