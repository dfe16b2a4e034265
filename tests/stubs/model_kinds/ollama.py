"""How ollama refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import BASE, Event, Kind, openai_error, openai_server, said, url_of, wrapped


def _ollama_look(body: dict[str, Any], refuse: Any) -> Any:
    """ollama/ollama openai/openai.go, ollama#18121, ollama#12561."""
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in ("none", "low", "medium", "high", "max"):
        offered = '"high", "medium", "low", "max", or "none"'
        return openai_error(
            400, f"invalid reasoning value: '{effort}' (must be {offered})", type="invalid_request_error"
        )
    for part in openai_server._parts(body):
        if part["type"] == "image_url" and not url_of(part).startswith("data:"):
            return openai_error(400, "invalid image input")
    return None


KIND = Kind(
    "ollama",
    BASE | {"max_tokens", "reasoning_effort", "response_format"},
    lambda names: None,
    look=_ollama_look,
    ignores=True,
    learns=("efforts",),
    answer=lambda asked, content: wrapped(asked, content=f"```json\n{content}\n```", reasoning="Is it a can?"),
    events={
        "busy": Event(
            said(503, {"error": "server busy, please try again. maximum pending requests exceeded"}), "wait", 20
        ),
        "gone": Event(
            said(
                404,
                {
                    "error": {
                        "message": 'model "m" not found, try pulling it first',
                        "type": "not_found_error",
                        "param": None,
                        "code": None,
                    }
                },
            ),
            "model_not_offered",
        ),
        "plain": Event(said(500, {"error": "llama runner process has terminated"}), "failed"),
        "thinks only": Event("thinks only", "unusable"),
    },
)
