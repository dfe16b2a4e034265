"""How azure refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import OPENAI_FIELDS, Event, Kind, openai_error, said


def _azure_look(body: dict[str, Any], refuse: Any) -> Any:
    """An older deployment (openai/openai-python#1724)."""
    for name in ("max_completion_tokens", "reasoning_effort", "store"):
        if name in body:
            return openai_error(400, f"Unrecognized request argument supplied: {name}")
    return None


KIND = Kind(
    "azure",
    OPENAI_FIELDS,
    lambda names: openai_error(400, f"Unrecognized request argument supplied: {names[0]}"),
    look=_azure_look,
    prefix="/openai/deployments/vision",
    learns=("max_completion_tokens", "reasoning_effort"),
    events={
        # alex-wolf-ps/dbchatprov2#2
        "limited": Event(
            said(
                429,
                {
                    "error": {
                        "code": "429",
                        "message": "Requests to the ChatCompletions_Create "
                        "Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. "
                        "Please retry after "
                        "12 seconds.",
                    }
                },
            ),
            "wait",
            12,
        ),
        "milliseconds": Event(
            said(429, {"error": {"code": "429", "message": "Slow"}}, x_ms_retry_after_ms="1500"), "wait", 1.5
        ),
        # compl-ai/compl-ai#20
        "filtered": Event(
            said(
                400,
                {
                    "error": {
                        "message": "The response was filtered",
                        "type": None,
                        "param": "prompt",
                        "code": "content_filter",
                        "status": 400,
                        "innererror": {"code": "ResponsibleAIPolicyViolation"},
                    }
                },
            ),
            "refused",
        ),
        "key": Event(
            said(
                401,
                {
                    "error": {
                        "code": "401",
                        "message": "Access denied due to invalid subscription key or wrong API endpoint.",
                    }
                },
            ),
            "model_access_denied",
        ),
        "gone": Event(
            said(
                404,
                {
                    "error": {
                        "code": "DeploymentNotFound",
                        "message": "The API deployment for this resource does not exist.",
                    }
                },
            ),
            "model_not_offered",
        ),
        "address": Event(
            said(404, {"error": {"code": "404", "message": "Resource not found"}}), "model_rejected_request"
        ),
    },
)
