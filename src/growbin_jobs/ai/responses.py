"""Stage 4: the advice that a person reads, phrased by a language model.

With no model server, :class:`growbin_jobs.ai.sentences.RuleSentences` serves in its place.
"""

import hashlib
import json
import re
import unicodedata
from functools import partial
from typing import Protocol

from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.errors import unusable
from growbin_jobs.adapters.llm.prepared import Prepared, plain
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.ai import prompts
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.questions import Question
from growbin_jobs.messages import Advice, Rule, VisionAnswer
from growbin_jobs.reasons import Language

#: Most characters of an advice; the prompt asks for far fewer.
LONGEST_ADVICE = 2000


class TextModel(Protocol):
    """Something that turns a rule into advice."""

    def compose(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> Advice:
        """Return the advice.

        Parameters:
          rule: The only ground of the advice.
          vision: What the picture showed, where that is known.
          language: Of the advice.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.errors`.
        """
        ...


class OnlineText:
    """A text model behind OpenAI's API or a compatible one.

    Parameters:
      client: The model server.
      call: Model, limits and sampling.
    """

    def __init__(self, client: ModelClient, *, call: Call) -> None:
        self._client = client
        self._call = call

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same rule might be phrased otherwise; it is part of the answer store's key."""
        call = self._call
        decides = [self._client.own_address, call.model, call.temperature, call.reasoning_effort]
        return f"{prompts.TEXT_PROMPT_VERSION}/{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]}"

    def compose(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> Advice:
        completion = self._client.ask_text(
            self._call,
            prompts.text_messages(rule, vision, language),
            check=partial(checked, rule=rule, language=language),
        )
        return self.answer_of(completion, language)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._call.model

    def prepared(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> Prepared[str]:
        """Return what a batch asks for; the parameters are those of :meth:`compose`."""
        messages = prompts.text_messages(rule, vision, language)
        return plain(self._call, messages, partial(checked, rule=rule, language=language))

    def answer_of(self, completion: Completion[str], language: Language) -> Advice:
        """Return the answer of a reply that was read."""
        return Advice(text=completion.answer, language=language, source="model", model=self._call.model)


class CachedTextModel:
    """Keeps a text model's advice for a while, on the path that vision answers take.

    Stage 4 runs again when the database was away after the model had answered; the words it paid for are still here.

    Parameters:
      texts: Whom to ask.
      answers: The path to its answers.
      model: Its name.
      fingerprint: See :attr:`OnlineText.fingerprint`.
    """

    def __init__(self, texts: TextModel, answers: Answers[Advice], *, model: str, fingerprint: str) -> None:
        self._texts = texts
        self._answers = answers
        self._model = model
        self._fingerprint = fingerprint

    def compose(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> Advice:
        """Return the advice; see :meth:`TextModel.compose`."""
        key = text_key(self._fingerprint, rule, vision, language)
        question = Question(key, self._fingerprint, self._model)
        return self._answers.get(question, lambda: self._texts.compose(rule, vision, language)).answer


def text_key(fingerprint: str, rule: Rule, vision: VisionAnswer | None, language: Language) -> str:
    """Return the answer store's key: sha256 over the fingerprint (model, server, prompt) and what the model sees."""
    asked = [fingerprint, prompts.text_messages(rule, vision, language)]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()


def checked(text: str, rule: Rule, language: Language) -> str:
    """Return a model's text if it may be shown to a person.

    The model only saw a rule; still it may ramble, answer in another language, or make up an address.

    Parameters:
      text: From the model.
      rule: Web addresses and telephone numbers must come from it.
      language: That was asked for.

    Raises:
      Transient: With what is wrong, and not the text.
    """
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise unusable("it is empty")
    if len(text) > LONGEST_ADVICE:
        raise unusable(f"it is longer than {LONGEST_ADVICE} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Co") and char not in "\n\t" for char in text):
        raise unusable("it contains control characters")
    if any(char in _DIRECTION_CONTROLS for char in text) or _MARKUP.search(text):
        raise unusable("it contains markup")
    known = rule.model_dump_json()
    if any(contact.rstrip(".,:;!?") not in known for contact in _CONTACT.findall(text)):
        raise unusable("it names an address or a number that is not in the rule")
    if _mostly_korean(_CONTACT.sub("", text)) != (language == "ko"):
        raise unusable("it is in another language")
    return text


# They make a text read otherwise than it is stored.
_DIRECTION_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_MARKUP = re.compile(r"<[a-zA-Z/!]")
_CONTACT = re.compile(
    r"https?://[^\s)\]>]+"
    r"|\b(?:[a-z0-9-]+\.)+(?:com|net|org|kr|io|co|me|info|biz|xyz|shop|site|link|app|ly)\b"
    r"|\b\d{2,4}-\d{3,4}-\d{4}\b",
    re.IGNORECASE | re.ASCII,
)


def _mostly_korean(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return 2 * sum("가" <= char <= "힣" for char in letters) > len(letters)
