"""Vision models, and the service that asks one of them what a picture shows (stage 2)."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import create_model

from growbin_jobs.adapters.llm.call import Call, Message
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.prepared import Prepared, structured
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.ai import prompts
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.prompts import Detail, KnownItem
from growbin_jobs.ai.questions import Question
from growbin_jobs.messages import VisionAnswer


class VisionModel(Protocol):
    """Something that says what a picture shows: a model server, or the offline classifier.

    Attributes:
      name: What an answer is marked with: ``gpt-6-luna``, ``offline/efficientnet-lite0``.
      fingerprint: Changes whenever the same picture might be answered differently: with the prompt's version,
        the schema, the known items, the settings, the weights. It is part of the answer cache's key.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def classify(self, picture: bytes, address: str | None = None) -> VisionAnswer:
        """Say what the picture shows.

        Parameters:
          picture: An upright RGB JPEG, its larger side at most 1024 px (``GROWBIN_VISION_SIDE``).
          address: Where a model server can fetch the same picture (https), if it is not to be sent along.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        ...


class Seen(NamedTuple):
    """A vision answer, the name of the model that gave it, and whether it was kept from before (not paid for now)."""

    answer: VisionAnswer
    model: str
    from_cache: bool


def answer_key(model: VisionModel, picture: bytes) -> str:
    """Return the answer cache's key: sha256 over model, fingerprint (prompt version, schema) and picture."""
    head = json.dumps([model.name, model.fingerprint]).encode()
    return hashlib.sha256(len(head).to_bytes(4, "big") + head + picture).hexdigest()


class Vision:
    """Asks the vision model, unless the same picture was answered within the last hour or is being asked for now.

    Parameters:
      model: Online or offline.
      answers: The path to its answers.
    """

    def __init__(self, model: VisionModel, answers: Answers[VisionAnswer]) -> None:
        self._model = model
        self._answers = answers

    def answer(self, picture: bytes, address: str | None = None) -> Seen:
        """Return what the picture shows.

        Parameters:
          picture: See :meth:`VisionModel.classify`.
          address: See there.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        model = self._model
        question = Question(answer_key(model, picture), model.fingerprint, model.name)
        answer, from_store = self._answers.get(question, lambda: model.classify(picture, address))
        return Seen(answer, model.name, from_store)


class OnlineVision:
    """A vision model behind OpenAI's API or a compatible one.

    The answer's schema lists the known items, so that a model (or a text in the picture that it obeys) can choose
    among them and say nothing else; the answer is checked against that list here too.

    Parameters:
      client: The model server.
      call: Model, limits and sampling.
      items: What an answer may name: the loaded rules, ``general`` included.
      detail: How closely the model looks; part of the price.
    """

    def __init__(self, client: ModelClient, *, call: Call, items: Sequence[KnownItem], detail: Detail = "high") -> None:
        self._client = client
        self._call = call
        self._items = tuple(items)
        self._detail = detail
        names: Any = Literal[tuple(known.item for known in self._items)]
        self._schema = create_model("WasteAnswer", __base__=VisionAnswer, __doc__="", item=(names, ...))
        self._also = prompts.OTHER_NAMES | {
            known.item: (known.ko, known.en, *prompts.OTHER_NAMES.get(known.item, ())) for known in self._items
        }
        self._form = prompts.vision_form(self._schema.model_json_schema())

    @property
    def name(self) -> str:
        return self._call.model

    @property
    def fingerprint(self) -> str:
        call = self._call
        decides = [self._items, self._detail, self._form, call.temperature, call.reasoning_effort]
        if self._client.own_address is not None:  # the same name may be another model there
            decides.append(self._client.own_address)
        digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
        return f"{prompts.VISION_PROMPT_VERSION}/{digest[:16]}"

    def classify(self, picture: bytes, address: str | None = None) -> VisionAnswer:
        def inline() -> str:
            return _data_url(picture)

        options: dict[str, Any] = {"inline": inline} if address else {}
        completion = self._client.ask(
            self._call, self._messages(address or inline()), self._schema, in_words=self._form, also=self._also,
            **options,
        )  # fmt: skip
        return self.answer_of(completion)

    def prepared(self, picture: bytes) -> Prepared[Any]:
        """Return what a batch asks of a picture; without one (empty) it serves to read the reply."""
        return structured(
            self._call, self._messages(_data_url(picture)), self._schema, in_words=self._form, also=self._also
        )

    def answer_of(self, completion: Completion[Any]) -> VisionAnswer:
        """Return the answer of a reply that was read."""
        return VisionAnswer.model_validate(completion.answer.model_dump())

    def _messages(self, url: str) -> list[Message]:
        return prompts.vision_messages(self._items, url, self._detail)


def _data_url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
