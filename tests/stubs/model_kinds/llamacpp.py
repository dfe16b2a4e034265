"""How llamacpp refuses, wraps and asks to wait."""

from __future__ import annotations

import json
from typing import Any

from tests.stubs.model_kinds.parts import BASE, Event, Kind, said, wrapped


def _llamacpp_error(status: int, message: str, kind: str) -> Any:
    """tools/server, format_error_response."""
    return said(status, {"error": {"code": status, "message": message, "type": kind}})


def _llamacpp_look(body: dict[str, Any], refuse: Any) -> Any:
    """A grammar that cannot be made of the schema, and a template without a system's role."""
    schema = json.dumps(body.get("response_format", {}))
    if '"pattern"' in schema or '"minimum"' in schema:
        return _llamacpp_error(400, "Failed to initialize samplers: failed to parse grammar", "invalid_request_error")
    if body["messages"][0]["role"] == "system":
        return _llamacpp_error(500, "Conversation roles must alternate: System role not supported", "server_error")
    return None


KIND = Kind(
    "llamacpp",
    BASE | {"max_tokens", "max_completion_tokens", "response_format"},
    lambda names: None,
    look=_llamacpp_look,
    ignores=True,
    learns=("response_format.json_schema", "role.system"),
    answer=lambda asked, content: wrapped(asked, content=f"<think>hm</think>\n{content}"),
    events={
        "loading": Event(_llamacpp_error(503, "Loading model", "unavailable_error"), "wait", 20),
        "slots": Event(_llamacpp_error(503, "no slot available", "unavailable_error"), "wait", 20),
        "context": Event(
            _llamacpp_error(400, "the request exceeds the available context size", "exceed_context_size_error"),
            "model_rejected_request",
        ),
        "blind": Event(
            _llamacpp_error(
                500,
                "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
                "server_error",
            ),
            "model_lacks_images",
        ),
    },
)
