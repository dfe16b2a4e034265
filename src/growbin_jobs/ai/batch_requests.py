"""What questions of a batch ask, and their answers: by the same services as the calls of a stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from growbin_jobs.adapters.llm.prepared import Prepared
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.ai.responses import OnlineText
from growbin_jobs.ai.vision import OnlineVision
from growbin_jobs.errors import Permanent
from growbin_jobs.messages import Rule, VisionAnswer, parse
from growbin_jobs.models.batch_questions import BatchQuestion


class BatchRequests:
    """Makes requests of questions, and answers of replies.

    Parameters:
      vision: Asks what pictures show.
      text: Phrases advice.
      picture: Fetches what the model sees, by the address of the stored picture.
    """

    def __init__(self, vision: OnlineVision, text: OnlineText, picture: Callable[[str], bytes]) -> None:
        self._vision = vision
        self._text = text
        self._picture = picture

    def is_asked_so_now(self, question: BatchQuestion) -> bool:
        """Return whether the settings would ask it under the same key today: same model, prompt and sampling."""
        model = self._vision if question.purpose == "vision" else self._text
        return (question.model, question.prompt) == (model.name, model.fingerprint)

    def request(self, question: BatchQuestion) -> Prepared[Any]:
        """Return the request, with its picture.

        Raises:
          Permanent: ``object_missing``.
          Transient, Deferred: The picture cannot be had now.
        """
        if question.purpose != "vision":
            return self.reader(question)
        if "s3_path" not in question.asks:  # its user was erased meanwhile
            raise Permanent("object_missing")
        return self._vision.prepared(self._picture(question.asks["s3_path"]))

    def reader(self, question: BatchQuestion) -> Prepared[Any]:
        """Return the request for reading its reply: nothing is fetched for that."""
        if question.purpose == "vision":
            return self._vision.prepared(b"")
        rule, seen = self._of_text(question)
        return self._text.prepared(rule, seen, question.asks["language"])

    def answer(self, question: BatchQuestion, completion: Completion[Any]) -> str:
        """Return the JSON of the answer, as the path to live answers keeps it."""
        if question.purpose == "vision":
            return self._vision.answer_of(completion).model_dump_json()
        return self._text.answer_of(completion, question.asks["language"]).model_dump_json()

    def _of_text(self, question: BatchQuestion) -> tuple[Rule, VisionAnswer | None]:
        seen = question.asks["vision"]
        return parse(Rule, question.asks["rule"]), None if seen is None else parse(VisionAnswer, seen)
