"""How lmstudio refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import BASE, Event, Kind, openai_error, said, wrapped


def _lmstudio_look(body: dict[str, Any], refuse: Any) -> Any:
    """lmstudio-ai/lmstudio-bug-tracker#189."""
    if body.get("response_format", {}).get("type") == "json_object":
        return said(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})
    return None


KIND = Kind(
    "lmstudio",
    BASE | {"max_tokens", "response_format"},
    lambda names: None,
    look=_lmstudio_look,
    ignores=True,
    answer=lambda asked, content: wrapped(asked, content=f"\ufeff{content}"),
    events={
        # lmstudio-ai/lmstudio-bug-tracker#618
        "address": Event(
            said(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
            "model_rejected_request",
        ),
        # tinyhumansai/openhuman#4181
        "gone": Event(
            openai_error(400, "No models loaded. Please load a model in the developer page.", param="model"),
            "model_not_offered",
        ),
    },
)
