"""The body of a 200 before it is read as an answer: its encoding, its events, its form, and the error it may be."""

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from growbin_jobs.adapters.llm import vocabulary
from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.adapters.llm.streamed import put_together

Wire = TypeVar("Wire", bound=BaseModel)

#: Members below which gateways put the whole of what the server behind them has answered.
_AROUND: Final = ("data", "result", "response", "body", "output")
#: Members by which an object says something and answers nothing.
_SAYS: Final = frozenset({
    "detail", "message", "msg", "errmsg", "base_resp", "fault", "error_msg", "error_message", "errorMessage",
})  # fmt: skip
#: A status of HTTP, and two digits that a maker counts its errors by (NAVER's ``42901``).
_NUMBERED: Final = re.compile(r"([45]\d\d)(?:\d\d)?")


def decoded(body: bytes, headers: Mapping[str, str]) -> str:
    """Return the document of a body, put together where it came as a stream of events.

    Parameters:
      body: As it came: Unicode as JSON has it, with or without a byte order mark, else what the header names.
      headers: Of the response.
    """
    return put_together(_text(body, headers))


def completion_in(document: str) -> str:
    """Return the chat completion of a document: below one member of it, or the only one of a list; else all of it."""
    if '"choices"' not in document or document.startswith('{"choices"'):
        return document
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return document
    around = found if isinstance(found, list) and len(found) == 1 else []
    if isinstance(found, dict) and "choices" not in found and not found.get("error"):
        around = [found[name] for name in _AROUND if name in found]
    inner = next((each for each in around if isinstance(each, dict) and each.get("choices")), None)
    return json.dumps(inner) if inner else document


def parsed(form: type[Wire], document: str) -> Wire | None:
    """Return a document in a form; None where it has another one."""
    # None and no exception: pydantic's holds the body, and would come along as the context of ours.
    try:
        return form.model_validate_json(document)
    except ValidationError:
        pass
    try:
        # Half of an emoji at a cut, or a line's end as it is inside a text: only pydantic takes no answer for that.
        loose = json.dumps(json.loads(document, strict=False), ensure_ascii=False).encode("utf-8", "replace")
        return form.model_validate_json(loose)
    except (ValueError, RecursionError):
        return None


def _text(body: bytes, headers: Mapping[str, str]) -> str:
    charset = re.search(r"charset=[\"']?([\w.:-]+)", headers.get("content-type") or "", re.I)
    encodings = ["utf-8-sig", *([charset[1]] if charset else [])]
    if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encodings.insert(0, "utf-16")
    elif encodings[-1].casefold().startswith(("utf-16", "utf-32")):  # whose zero bytes are UTF-8 too
        encodings.reverse()
    for encoding in encodings:
        try:
            return body.decode(encoding).strip()
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("utf-8", "replace").strip()


def error_in(document: str) -> Any:
    """Return the error in the body of a 200, in the forms of gateways and local servers; None where there is none.

    ``{"error": "…"}`` (LM Studio, lmstudio-ai/lmstudio-bug-tracker#618), ``{"object": "error", "code": 404}``
    (runpod-workers/worker-vllm#57), a list of one, ``{"detail": …}``.
    """
    if not document.startswith(("{", "[")):
        return None
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return None
    found = found[0] if isinstance(found, list) and found else found
    if not isinstance(found, dict) or found.get("choices"):
        return None
    if found.get("error"):
        return {"error": found["error"]}
    said = found["status"] if isinstance(found.get("status"), dict) else {}  # NAVER's {"status": {"code", "message"}}
    is_error = str(found.get("object", "")).casefold() == "error" or bool((found.keys() | said.keys()) & _SAYS)
    return found if is_error else None


def status_in(error: Mapping[str, Any]) -> int:
    """Return the HTTP status that an error in a 200 should have had; 502 (upstream failed) if it does not say."""
    said = read_said(error)
    if "unexpected endpoint" in said.text.casefold():
        return 404
    if vocabulary.names(vocabulary.SLOW_DOWN, said.codes):
        return 429
    for code in said.codes:
        if numbered := _NUMBERED.fullmatch(code):
            return int(numbered[1])
    if vocabulary.QUOTA_WORDS.search(said.text):
        return 402
    if vocabulary.LIMITED_WORDS.search(said.text):
        return 429
    is_key = vocabulary.names(vocabulary.KEY, said.codes) or vocabulary.ACCESS_WORDS.search(said.text)
    return 401 if is_key else 502
