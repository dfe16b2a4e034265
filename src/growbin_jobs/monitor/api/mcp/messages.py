"""JSON-RPC 2.0: messages of a client, answers and errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

PARSE_ERROR, INVALID_REQUEST, NO_SUCH_METHOD, INVALID_PARAMETERS = -32700, -32600, -32601, -32602

#: Messages nested more deeply are refused before Python's own limit is reached.
_UNREADABLE: Final = "This is no JSON object in UTF-8."


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for; ``id`` None: a notification, which gets no answer."""

    id: str | int | None
    method: str
    params: dict[str, Any]


class CallError(Exception):
    """A call cannot be answered.

    Attributes:
      code: Of JSON-RPC.
      id: Of the call, where it can be read.
    """

    def __init__(self, code: int, sentence: str, id_: str | int | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.id = id_


def read(text: bytes | str) -> Call | None:
    """Return what a message asks for; None: it is an answer of the client's, and we asked nothing.

    Raises:
      CallError: It is no message.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise CallError(PARSE_ERROR, _UNREADABLE) from None
    if not isinstance(message, dict):
        raise CallError(INVALID_REQUEST, "Send one message at a time, as a JSON object.")
    id_ = message.get("id")
    if isinstance(id_, bool) or not isinstance(id_, str | int | None):
        raise CallError(INVALID_REQUEST, "An id is a text or a whole number.")
    if message.get("jsonrpc") != "2.0":
        raise CallError(INVALID_REQUEST, 'A message has "jsonrpc": "2.0".', id_)
    if "method" not in message and ("result" in message or "error" in message):
        return None
    method, params = message.get("method"), message.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise CallError(INVALID_REQUEST, "A call has a method, which is a text, and parameters by name.", id_)
    return Call(id_, method, params)


def result(call: Call, value: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a call."""
    return {"jsonrpc": "2.0", "id": call.id, "result": value}


def error(problem: CallError) -> dict[str, Any]:
    """Return the answer that says why there is none."""
    return {"jsonrpc": "2.0", "id": problem.id, "error": {"code": problem.code, "message": str(problem)}}
