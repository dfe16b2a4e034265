"""How mistral refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import BASE, Event, Kind, said, wrapped


def _mistral_refuse(names: list[str]) -> Any:
    """editor-code-assistant/eca#231; the input is echoed."""
    found = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": "canary"}
        for name in names
    ]
    error = {"object": "error", "message": {"detail": found}, "type": "invalid_request_error", "param": None}
    return said(422, error | {"code": None})


def _mistral_look(body: dict[str, Any], refuse: Any) -> Any:
    """anomalyco/models.dev#1986: ``none`` and ``high`` only."""
    if body.get("reasoning_effort", "none") not in ("none", "high"):
        found = {"type": "enum", "loc": ["body", "reasoning_effort"], "msg": "Input should be 'high' or 'none'"}
        return said(422, {"object": "error", "message": {"detail": [found]}, "type": "invalid_request_error"})
    if body["messages"][-1]["role"] == "system":
        return said(
            400, {"object": "error", "message": "Expected last role User or Tool but got system", "code": "3230"}
        )
    return None


def _mistral_answer(asked: Any, content: str) -> Any:
    """Thoughts and the answer as parts (vercel/ai#13688)."""
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "Is it a can?"}]}
    return wrapped(asked, content=[thoughts, {"type": "text", "text": content}])


KIND = Kind(
    "mistral",
    BASE | {"max_tokens", "reasoning_effort", "response_format"},
    _mistral_refuse,
    look=_mistral_look,
    answer=_mistral_answer,
    learns=("store", "max_completion_tokens", "efforts"),
    events={
        # continuedev/continue#6185
        "limited": Event(
            said(
                429,
                {
                    "object": "error",
                    "message": "Service tier capacity exceeded for this model.",
                    "type": "invalid_request_error",
                    "code": None,
                },
                ratelimitbysize_reset="9",
            ),
            "wait",
            9,
        ),
        "key": Event(said(401, {"detail": "Unauthorized"}), "model_access_denied"),
        "gone": Event(
            said(400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model", "code": "1500"}),
            "model_not_offered",
        ),
    },
)
