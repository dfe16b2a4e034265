"""The payloads of messages and the answers of models, as strict pydantic models."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from growbin_jobs import names
from growbin_jobs.errors import Permanent
from growbin_jobs.picture_keys import owner_of_stored
from growbin_jobs.reasons import Language

Category = Literal["plastic", "paper", "metal", "glass", "general"]
State = Literal["clean", "dirty", "mixed"]

#: An item selects a rule by this name. It never becomes a path.
ItemName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

#: The item of everything that has no rule of its own.
GENERAL_ITEM = "general"


#: In the parameters of a recorded failure: the user whose message was given up.
FAILED_USER = "user_id"


class Payload(BaseModel):
    """Base of everything here: immutable, strict, nothing extra."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class VisionAnswer(Payload):
    """What the picture shows.

    Attributes:
      category: One of five.
      item: Such as ``pet_bottle``; ``general`` when it is none of the known ones.
      state: ``mixed`` also stands for "cannot tell".
      confidence: 0.0–1.0, as the model says it.
    """

    category: Category
    item: ItemName
    state: State
    confidence: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class RuleSource(Payload):
    """Where a rule comes from.

    Attributes:
      title, publisher, url: The text it follows.
      checked: The day its content was read there; None where it follows general practice and no page was read.
    """

    title: str
    publisher: str
    url: str | None = None
    checked: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class Text(Payload):
    """The same words in both languages."""

    ko: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]

    def in_language(self, language: Language) -> str:
        """Return the words in the given language."""
        return self.ko if language == "ko" else self.en


class Rule(Payload):
    """How to sort one item: the content of ``rules/{item}.json``.

    Attributes:
      item: The file's stem.
      name: What people call it.
      category: The category that a model should give for it.
      disposal_method: Where it goes, in a few words.
      rules: The steps, in order.
      cautions: What people get wrong.
      aliases: Other item names that mean the same thing.
      source: Where it comes from.
    """

    item: ItemName
    name: Text
    category: Category
    disposal_method: Text
    rules: Annotated[list[Text], Field(min_length=1)]
    cautions: list[Text] = Field(default_factory=list)
    aliases: list[ItemName] = Field(default_factory=list)
    source: RuleSource


class StoredPicture(Payload):
    """Result of stage 1: where the two pictures are, as ``s3://bucket/key``."""

    s3_path: str
    thumbnail_path: str


class Advice(Payload):
    """Result of stage 4.

    Attributes:
      text: What the person reads.
      language: Of the text.
      source: ``model`` when a language model phrased it, ``rule`` when the sentences come from the rule itself.
      model: The model's name; ``offline/rule`` where none was asked.
    """

    text: Annotated[str, Field(min_length=1)]
    language: Language
    source: Literal["model", "rule"]
    model: str


Model = TypeVar("Model", bound=Payload)


def parse(model: type[Model], value: object) -> Model:
    """Return a payload from the JSON value of a message.

    Raises:
      Permanent: ``request_invalid``, with the fields that are wrong, not their content, nor names that are not ours.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = sorted({_place(problem) for problem in error.errors(include_input=False)})
        raise Permanent("request_invalid", detail=f"{model.__name__}: {', '.join(fields)}") from None


def _place(problem: Mapping[str, Any]) -> str:
    parts = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        parts[-1] = "(unknown field)"
    return ".".join(parts)


#: Where the id of its analysis stands among the arguments of an actor.
_ANALYSIS_AT: Final = {
    names.UPLOAD_IMAGE.actor: 2,
    names.ANALYZE_IMAGE.actor: 0,
    names.RETRIEVE_RULE.actor: 0,
    names.GENERATE_RESPONSE.actor: 0,
    names.RECORD_FAILURE.actor: 0,
}


def owner_of(body: bytes | str) -> tuple[str | None, str | None]:
    """Return the user and the analysis that an encoded message names, each None where it names none.

    For messages of other actors, the arguments by name ``user_id`` and ``analysis_id`` count.
    """
    try:
        message = json.loads(body)
        actor, args, kwargs = str(message["actor_name"]), list(message["args"]), dict(message["kwargs"])
    except (ValueError, KeyError, TypeError):
        return None, None
    place, params = _ANALYSIS_AT.get(actor), kwargs.get("params")
    analysis = kwargs.get("analysis_id", args[place] if place is not None and len(args) > place else None)
    user = kwargs.get("user_id")
    if actor == names.UPLOAD_IMAGE.actor and args:
        user = args[0]
    elif actor == names.RECORD_FAILURE.actor:
        params = params if isinstance(params, dict) else next((each for each in args if isinstance(each, dict)), {})
        user = params.get(FAILED_USER)
    else:
        picture = next(filter(None, map(owner_of_stored, [*args, *kwargs.values()])), None)
        if picture is not None:
            user, analysis = user or picture.user_id, analysis or picture.analysis_id
    return (user if isinstance(user, str) else None), (analysis if isinstance(analysis, str) else None)


def subject_of(message: Any) -> str | None:
    """Return the id of the analysis that a message of the pipeline is for; None for any other message."""
    place = _ANALYSIS_AT.get(message.actor_name)
    if place is None:
        return None
    found = message.kwargs.get("analysis_id", message.args[place] if len(message.args) > place else None)
    return found if isinstance(found, str) and 0 < len(found) <= 128 and found.isprintable() else None
