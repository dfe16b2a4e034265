"""How vllm refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import BASE, Event, Kind, said, wrapped


def _vllm_refuse(names: list[str]) -> Any:
    """An old one: Python's repr in a text, without an outer member (voideditor/void#128)."""
    found = [
        {"type": "extra_forbidden", "loc": ("body", name), "msg": "Extra inputs are not permitted", "input": "canary"}
        for name in names
    ]
    return said(400, {"object": "error", "message": str(found), "type": "BadRequestError", "param": None, "code": 400})


KIND = Kind(
    "vllm",
    BASE | {"max_tokens", "response_format", "reasoning_effort"},
    _vllm_refuse,
    learns=("store", "max_completion_tokens"),
    answer=lambda asked, content: wrapped(asked, content=None, reasoning_content=f"<think>can</think>{content}"),
    events={
        "gone": Event(
            said(
                404,
                {
                    "object": "error",
                    "message": "The model `m` does not exist.",
                    "type": "NotFoundError",
                    "param": None,
                    "code": 404,
                },
            ),
            "model_not_offered",
        ),
        # runpod-workers/worker-vllm#57
        "gone in a 200": Event(
            said(
                200,
                {
                    "object": "error",
                    "message": "The model `m` does not exist.",
                    "type": "NotFoundError",
                    "param": None,
                    "code": 404,
                },
            ),
            "model_not_offered",
        ),
        "blind": Event(
            said(
                400,
                {
                    "error": {
                        "message": "m is not a multimodal model",
                        "type": "BadRequestError",
                        "param": None,
                        "code": 400,
                    }
                },
            ),
            "model_lacks_images",
        ),
    },
)
