"""How cerebras refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import OPENAI_FIELDS, Event, Kind, said


def _cerebras_refuse(names: list[str]) -> Any:
    """huggingface/huggingface.js#2268."""
    message = "\n".join(f"body.{name}: property 'body.{name}' is unsupported" for name in names)
    error = {"message": message, "type": "invalid_request_error", "param": "validation_error"}
    return said(422, error | {"code": "wrong_api_format"})


KIND = Kind(
    "cerebras",
    OPENAI_FIELDS - {"store", "max_tokens"},
    _cerebras_refuse,
    learns=("store",),
    events={
        "limited": Event(
            said(
                429,
                {
                    "message": "Requests per minute limit exceeded",
                    "code": "queue_exceeded",
                    "type": "too_many_requests_error",
                },
                x_ratelimit_remaining_requests_day="0",
                x_ratelimit_reset_requests_day="33.01",
            ),
            "wait",
            33.01,
        ),
        "gone": Event(
            said(
                404,
                {
                    "message": "Model m does not exist or you do not have access to it.",
                    "type": "not_found_error",
                    "code": "model_not_found",
                },
            ),
            "model_not_offered",
        ),
        "quota": Event(said(402, {"message": "Payment required", "code": "payment_required"}), "model_quota_exhausted"),
    },
)
