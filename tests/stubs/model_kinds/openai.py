"""How openai refuses, wraps and asks to wait."""

from __future__ import annotations

from tests.stubs.model_kinds.parts import OPENAI_FIELDS, TPM, Event, Kind, efforts, openai_error

KIND = Kind(
    "openai",
    OPENAI_FIELDS,
    lambda names: openai_error(400, f"Unknown parameter: '{names[0]}'.", "unknown_parameter", param=names[0]),
    look=efforts(
        ("none", "low", "medium", "high"),
        lambda effort: openai_error(
            400,
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            "Supported values are: 'none', 'low', 'medium', and 'high'.",
            "unsupported_value",
            param="reasoning_effort",
        ),
    ),
    events={
        "limited": Event(
            openai_error(
                429,
                TPM + "Limit 30000, Used 29937, Requested 385. Please try again in 7.66s.",
                "rate_limit_exceeded",
            ),
            "wait",
            7.66,
        ),
        "quota": Event(
            openai_error(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                "insufficient_quota",
            ),
            "model_quota_exhausted",
        ),
        "key": Event(
            openai_error(401, "Incorrect API key provided: sk-canary", "invalid_api_key"), "model_access_denied"
        ),
        "gone": Event(
            openai_error(404, "The model `m` does not exist or you do not have access to it.", "model_not_found"),
            "model_not_offered",
        ),
        "blind": Event(
            openai_error(
                400,
                "Invalid content type. image_url is only supported by certain models.",
                param="messages.[1].content.[1].type",
            ),
            "model_lacks_images",
        ),
    },
)
