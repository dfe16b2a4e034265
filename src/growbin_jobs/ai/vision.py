"""Stage 2: what a picture shows, and not paying twice to know it."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import ValidationError, create_model

from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.ai import prompts
from growbin_jobs.ai.prompts import Detail, KnownItem
from growbin_jobs.ai.single_flight import SingleFlight
from growbin_jobs.messages import VisionAnswer


class VisionModel(Protocol):
    """Something that says what a picture shows: a model server, or the offline classifier.

    Attributes:
      name: What an answer is marked with: ``gpt-5``, ``offline/efficientnet-lite0``.
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


class AnswerCache(Protocol):
    """Keeps answers for a while. It may forget any of them at any time and never raises."""

    def get(self, key: str) -> str | None:
        """Return the answer's JSON, or None."""
        ...

    def put(self, key: str, *, prompt: str, response: str, model: str) -> None:
        """Keep an answer.

        Parameters:
          key: From :func:`answer_key`.
          prompt: The model's fingerprint, which begins with the prompt's version; never the picture.
          response: JSON.
          model: The model's name.
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

    Only answers that passed validation are kept. Messages of one process that bring the same picture share one call;
    a lease between nodes would go around :meth:`_ask`.

    Parameters:
      model: Online or offline.
      cache: None: answers are not kept.
      patience: Seconds to wait for another message's call about the same picture.
    """

    def __init__(self, model: VisionModel, cache: AnswerCache | None, *, patience: float = 50.0) -> None:
        self._model = model
        self._cache = cache
        self._flights: SingleFlight[Seen] = SingleFlight(patience=patience)

    def answer(self, picture: bytes, address: str | None = None) -> Seen:
        """Return what the picture shows.

        Parameters:
          picture: See :meth:`VisionModel.classify`.
          address: See there.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        key = answer_key(self._model, picture)
        seen, shared = self._flights.do(key, lambda: self._ask(key, picture, address))
        return seen._replace(from_cache=True) if shared else seen

    def _ask(self, key: str, picture: bytes, address: str | None) -> Seen:
        kept = self._cache.get(key) if self._cache else None
        if kept is not None and (answer := _valid(kept)) is not None:
            return Seen(answer, self._model.name, from_cache=True)
        answer = self._model.classify(picture, address)
        if self._cache:
            response = answer.model_dump_json()
            self._cache.put(key, prompt=self._model.fingerprint, response=response, model=self._model.name)
        return Seen(answer, self._model.name, from_cache=False)


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
        self._form = prompts.vision_form(self._schema.model_json_schema())

    @property
    def name(self) -> str:
        return self._call.model

    @property
    def fingerprint(self) -> str:
        decides = [self._items, self._detail, self._form, self._call.temperature, self._call.reasoning_effort]
        digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
        return f"{prompts.VISION_PROMPT_VERSION}/{digest[:16]}"

    def classify(self, picture: bytes, address: str | None = None) -> VisionAnswer:
        url = address or "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
        messages = prompts.vision_messages(self._items, url, self._detail)
        completion = self._client.ask(self._call, messages, self._schema, in_words=self._form)
        return VisionAnswer.model_validate(completion.answer.model_dump())


def _valid(kept: str) -> VisionAnswer | None:
    try:
        return VisionAnswer.model_validate_json(kept)
    except ValidationError:
        return None
