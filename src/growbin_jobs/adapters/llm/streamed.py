"""An answer that came as a stream of events although none was asked for: some gateways always send one."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

#: Members of a message that come in pieces.
_PIECES: Final = ("content", "refusal", "reasoning_content", "reasoning", "thinking")
#: Where the pieces of the one call of a tool are kept meanwhile.
_CALL: Final = "tool_calls.arguments"
#: Ends of lines in a stream. A model's text may have others as they are, such as U+2028.
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
#: How such a body begins: an event, or a comment that keeps the connection open (OpenRouter).
_BEGINNINGS: Final = ("data:", "event:", "id:", "retry:", ":")


def put_together(text: str) -> str:
    """Return the chat completion that a stream of events holds, as JSON; any other text as it is.

    A stream that ended before its answer did, without a reason why it stopped, says that the server failed.

    Parameters:
      text: The body of a 200. Format: server-sent events (WHATWG HTML §9.2), each an object ``chat.completion.chunk``.
    """
    if not text.startswith(_BEGINNINGS):
        return text
    whole: dict[str, Any] = {}
    pieces: dict[str, list[str]] = {}
    finish, ended = None, False
    for event in _events(text):
        if event is None:
            ended = True
            continue
        if event.get("error"):
            return json.dumps({"error": event["error"]})
        whole |= {name: value for name, value in event.items() if value is not None and name != "choices"}
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict):
            finish = choice.get("finish_reason") or finish
            _add(pieces, choice.get("delta") or choice.get("message"))
    if not whole and not pieces:
        return "\n".join(line for line in _LINE_END.split(text) if line[:1] != ":")  # an answer behind comments
    message: dict[str, Any] = {name: "".join(parts) for name, parts in pieces.items()}
    if _CALL in message:
        message["tool_calls"] = [{"function": {"arguments": message.pop(_CALL)}}]
    choice = {"message": message, "finish_reason": finish or ("stop" if ended else "error")}
    return json.dumps(whole | {"choices": [choice]})


def _events(text: str) -> Iterator[dict[str, Any] | None]:
    """Yield the object of each event; None for the word that ends the stream."""
    kind, lines = "", list[str]()
    for line in (*_LINE_END.split(text), ""):
        name, _, value = line.partition(":")
        if name == "event":
            kind = value.strip()
        elif name == "data" and value.strip():
            lines.append(value.strip())
        elif not line:
            yield from _of_lines(kind, lines)
            kind, lines = "", []


def _of_lines(kind: str, lines: list[str]) -> Iterator[dict[str, Any] | None]:
    """Yield what the lines of one event hold: one object over all of them, or one in each where blank lines lack."""
    whole = _object("\n".join(lines)) if len(lines) > 1 else None
    for line in [] if whole else lines:
        event = _object(line)
        if line == "[DONE]":
            yield None
        elif event is not None:
            yield event
        elif kind == "error":
            yield {"error": {"message": line}}
    if whole:
        yield whole


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _add(pieces: dict[str, list[str]], piece: Any) -> None:
    if not isinstance(piece, dict):
        return
    for name in _PIECES:
        if isinstance(part := piece.get(name), str):
            pieces.setdefault(name, []).append(part)
    calls = piece.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(part := function.get("arguments"), str):
            pieces.setdefault(_CALL, []).append(part)
