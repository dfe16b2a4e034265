"""How gemini refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import BASE, Event, Kind, said


def _gemini(status: int, message: str, name: str, *details: dict[str, Any]) -> Any:
    return said(status, [{"error": {"code": status, "message": message, "status": name, "details": list(details)}}])


def _gemini_refuse(names: list[str]) -> Any:
    """A list of one, every unknown field named (liliMozi/openhanako#394, MinLL/SkyrimNet-GamePlugin#77)."""
    lines = [f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in names]
    violations = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"description": line} for line in lines],
    }
    return _gemini(400, "\n".join(lines), "INVALID_ARGUMENT", violations)


def _gemini_429(quota: str, delay: str) -> Any:
    """Without a header (dcdpr/jp#1061, diegosouzapw/OmniRoute#9504)."""
    message = (
        "You exceeded your current quota, please check your plan and billing details. \n"
        f"* Quota exceeded for metric: requests, limit: 20\nPlease retry in {delay}."
    )
    return _gemini(
        429, message, "RESOURCE_EXHAUSTED",
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    )  # fmt: skip


KIND = Kind(
    "gemini",
    BASE | {"max_tokens", "reasoning_effort", "response_format"},
    _gemini_refuse,
    prefix="/v1beta/openai",
    learns=("store", "max_completion_tokens"),
    events={
        "limited": Event(_gemini_429("GenerateRequestsPerMinute", "36.429760048s"), "wait", 36.429760048),
        # UKGovernmentBEIS/inspect_ai#5526
        "quota": Event(
            _gemini(429, "Quota exceeded for metric: requests, limit: 0", "RESOURCE_EXHAUSTED"),
            "model_quota_exhausted",
        ),
        "busy": Event(_gemini(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"), "wait", 20),
        "key": Event(
            _gemini(
                400,
                "API key not valid. Please pass a valid API key.",
                "INVALID_ARGUMENT",
                {"reason": "API_KEY_INVALID"},
            ),
            "model_access_denied",
        ),
        "gone": Event(
            _gemini(
                404,
                "models/m is not found for API version v1beta, or is not supported for generateContent.",
                "NOT_FOUND",
            ),
            "model_not_offered",
        ),
    },
)
