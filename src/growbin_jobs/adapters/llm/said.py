"""Reads what an error says, in each of the forms that servers give it, and quotes it without secrets.

Forms: OpenAI's ``{"error": {"message", "type", "param", "code"}}``; the same without the outer member (Cerebras, vLLM);
a list of it (Gemini, liliMozi/openhanako#394); text under ``error`` (LM Studio, Ollama); what a validator found, with
``loc`` and ``msg``, below ``detail`` or ``message`` (FastAPI; Mistral, editor-code-assistant/eca#231), as JSON
inside a text (mistralai/platform-docs-public#7) or as Python's repr (vLLM, voideditor/void#128); Google's ``details``;
plain text; an HTML page of some proxy.
"""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Characters and values of an error that are looked at, and how deep.
_LONGEST_READ, _MOST_VALUES, _DEEPEST = 4000, 300, 8

#: Characters of what is quoted.
LONGEST_QUOTE: Final = 160

#: A shorter key is a placeholder ("x", "none") of a server that wants none, and part of any word.
_SHORTEST_SECRET: Final = 4

#: Characters in a row that the quote and the request share before they count as an echo of it.
_ECHO: Final = 24

_TEXTS: Final = frozenset({
    "message", "msg", "detail", "error", "errors", "description", "error_description", "title", "status_msg", "errmsg",
    "error_msg", "error_message", "errorMessage", "faultstring",
    "raw",  # what stood behind a gateway said (OpenRouter)
})  # fmt: skip
#: Members that point to a field of the request: OpenAI's, Google's, those of validators (Zod, Ajv, JSON:API).
_NAMES: Final = frozenset({
    "param", "parameter", "field", "property", "argument", "attribute", "keys", "path", "pointer", "instancePath",
    "additionalProperty", "unevaluatedProperty",
})  # fmt: skip
_WORDS: Final = frozenset({
    "code", "type", "status", "reason", "statusCode", "status_code", "errcode", "error_code", "errorCode", "errorcode",
})  # fmt: skip
#: What a gateway writes where there is nothing (LiteLLM).
_NOTHING: Final = ("None", "null")
#: Members that say how long to wait, with their unit.
_DELAYS: Final = {
    "retryDelay": "", "retry_after": "", "retryAfter": "", "retry-after": "", "retry_after_seconds": "",
    "retryAfterSeconds": "", "estimated_time": "", "resets_in_seconds": "", "resets_at": "",
    "retry_after_ms": "ms", "retryAfterMs": "ms",
}  # fmt: skip
#: Members that repeat what was sent or what the model wrote.
_ECHOES: Final = frozenset(
    {"input", "failed_generation", "url", "ctx", "links", "body", "request", "user_id", "headers"}
)

_PAGE: Final = re.compile(r"\s*<(?:!|\?xml|[a-z][a-z0-9]*[\s/>])", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^>]*>(.{1,200}?)</title>", re.IGNORECASE | re.DOTALL)
#: The sentence of an error in XML.
_MESSAGE: Final = re.compile(r"<message>([^<]{1,400})</message>", re.IGNORECASE)
#: What a validator quotes of the request, in a text (pydantic).
_INPUT: Final = re.compile(r"['\"]input['\"]\s*:.*|\binput_value\s*=.*", re.DOTALL)
_SECRETS: Final = re.compile(
    r"data:\S+|\S{48,}"
    r"|\b(?:sk|pk|gsk|csk|xai|hf|org|proj|project|user|req)[-_](?=[\w.-]*\d)[\w.-]{6,}|\bAIza\S+|\beyJ\S+"
    r"|\bsk[-\s]\S+|\bBearer[-\s]\S+|(?<=api-key[:=])\s*\S+|(?<=project_number:)\d+"
    r"|(?<![a-z0-9])(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{16,}[\w-]*"  # of any maker: names of models have shorter parts
    r"|[\w.+-]+@[\w-]+\.[\w.-]+|(?<=://)[^\s/]*@|\?[\w%.~+-]+=\S*",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Said:
    """What an error says.

    Attributes:
      codes: Codes, types, statuses and reasons, as written; the outermost first.
      texts: Its sentences.
      names: Fields of the request that it points to, such as ``body.store``.
      delay: The wait that it asks for in a field of its own, as written; empty where it does not.
      headers: Those that a gateway repeats of the server behind it (OpenRouter), which may name a wait too.
    """

    codes: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    delay: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All sentences."""
        return "\n".join(self.texts)[:_LONGEST_READ]

    def quote(self, secret: str | None = None, sent: Iterable[str] = ()) -> str:
        """Return what the server said, safe to store and to show.

        Parameters:
          secret: The key, which must not be quoted even if the server echoes it.
          sent: Texts of the request, which are not quoted either.
        """
        code = next((code for code in self.codes if not code.isdecimal()), "")
        text = ": ".join(part for part in (code if self.texts else "", self.text or code) if part) or "no reason given"
        if secret and len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "…")
        text = _without_echo(_INPUT.sub("…", text), sent)
        text = _SECRETS.sub("…", text)
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        text = text or "no reason given"  # there were control characters only
        return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def read_said(body: object) -> Said:
    """Read the body of an error.

    Parameters:
      body: The decoded JSON, or its ``error`` member, or text.
    """
    said, left = Said(), [_MOST_VALUES]
    _walk(body, "error", said, left, 0)
    if isinstance(body, Mapping) and not said.texts and len(body) == 1:
        _walk(next(iter(body.values())), "message", said, left, 0)
    return said


def _walk(value: Any, name: str, said: Said, left: list[int], depth: int) -> None:
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        _walk_members(value, said, left, depth)
    elif isinstance(value, list | tuple):
        for part in value:
            _walk(part, name, said, left, depth + 1)
    elif value in _NOTHING:
        return
    elif name in _WORDS and isinstance(value, str | int) and not isinstance(value, bool):
        said.codes.append(str(value)[:100])
    elif name in _NAMES and isinstance(value, str):
        if value and "completions" not in value:  # the path of the request itself
            said.names.append(value[:200].lstrip("/#"))
    elif name in _TEXTS and isinstance(value, str):
        _read_text(value[:_LONGEST_READ], said, left, depth)


def _walk_members(value: Mapping[str, Any], said: Said, left: list[int], depth: int) -> None:
    where = value.get("loc")
    if isinstance(where, list | tuple):
        path = ".".join(str(step) for step in where if isinstance(step, str | int))[:200]
        said.names.append(path)
        if isinstance(problem := value.get("msg"), str):
            said.texts.append(f"{path}: {problem}"[:_LONGEST_READ])
        _walk(value.get("type"), "type", said, left, depth + 1)
        return
    for name, unit in _DELAYS.items():
        if isinstance(delay := value.get(name), str | int | float):
            said.delay = said.delay or f"{delay}"[:40] + unit
    if isinstance(headers := value.get("headers"), Mapping):
        said.headers |= {
            str(name).lower()[:100]: str(word)[:100] for name, word in list(headers.items())[:_MOST_VALUES]
        }
    if isinstance(value.get("name"), str) and isinstance(value.get("reason"), str):  # RFC 9457's invalid-params
        said.names.append(value["name"][:200])
    # Codes before sentences, and the error itself before what surrounds it.
    for name in sorted(map(str, value), key=lambda name: name not in _WORDS):
        if name in _ECHOES:
            continue
        inner = value[name]
        if name not in _TEXTS | _NAMES | _WORDS and inner and isinstance(inner, list) and _are_texts(inner):
            # Rails, Django: {"store": ["is not permitted"]}
            said.names.append(name[:200])
            said.texts.append(f"{name}: {inner[0]}"[:_LONGEST_READ])
        else:
            _walk(inner, name if not isinstance(inner, Mapping) or name in _TEXTS else "", said, left, depth + 1)


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values[:_MOST_VALUES])


def is_page(text: str) -> bool:
    """Return whether a text is a page for people: of HTML, or an error in XML."""
    return _PAGE.match(text) is not None


def _read_text(text: str, said: Said, left: list[int], depth: int) -> None:
    if is_page(text):  # "<400> InternalError" of DashScope is none
        if title := _TITLE.search(text):
            said.texts.append(f"an HTML page, {title[1].strip()}")
        elif message := _MESSAGE.search(text):
            said.texts.append(message[1].strip())
        return
    inner = _decoded(text.strip())
    if isinstance(inner, Mapping | list) and inner:
        before = len(said.texts)
        _walk(inner, "error", said, left, depth + 1)
        if len(said.texts) > before:
            return
    if text.strip():
        said.texts.append(text)


def _decoded(text: str) -> object:
    """Return the JSON or the Python literal that a text is; None where it is a text."""
    if text[:1] not in ("{", "["):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _without_echo(text: str, sent: Iterable[str]) -> str:
    """Cut out what the text repeats of the request."""
    for original in sent:
        at = 0
        while at + _ECHO <= len(text):
            length = _ECHO
            if text[at : at + length] not in original:
                at += 1
                continue
            while at + length < len(text) and text[at : at + length + 1] in original:
                length += 1
            text = f"{text[:at]}…{text[at + length :]}"
            at += 1
    return text
