"""How groq refuses, wraps and asks to wait."""

from __future__ import annotations

from typing import Any

from tests.stubs.model_kinds.parts import OPENAI_FIELDS, TPM, Event, Kind, openai_error, said, wrapped


def _groq_look(body: dict[str, Any], refuse: Any) -> Any:
    if body.get("reasoning_effort", "none") not in ("none", "default"):  # earendil-works/pi#1745
        return said(400, {"error": {"message": "`reasoning_effort` must be one of `none` or `default`", "type": "x"}})
    form = body.get("response_format", {})
    if form.get("type") == "json_schema":  # web-infra-dev/midscene#259, i-am-bee/beeai-framework#1215
        return openai_error(400, "This model does not support response format `json_schema`.", param="response_format")
    return None


KIND = Kind(
    "groq",
    OPENAI_FIELDS - {"store"},
    lambda names: openai_error(400, f"property '{names[0]}' is unsupported", type="invalid_request_error"),
    look=_groq_look,
    answer=lambda asked, content: wrapped(asked, content=content, document={"x_groq": {"id": "req_1"}}),
    learns=("store", "efforts", "response_format.json_schema"),
    events={
        # danielmiessler/Fabric#364
        "limited": Event(
            openai_error(
                429,
                TPM + "Limit 7000, Used 6000, Requested ~1903. Please try again in 9m38.016s.",
                "rate_limit_exceeded",
                headers={"retry_after": "2"},
            ),
            "wait",
            2,
        ),
        "in words": Event(
            openai_error(
                429,
                TPM + "Limit 7000, Used 6000, Requested ~1903. Please try again in 1m2.5s. Visit …",
                "rate_limit_exceeded",
            ),
            "wait",
            62.5,
        ),
        # HunorLaczko/ha-groq-cloud-api#27
        "too large": Event(
            openai_error(
                413,
                "Request too large for model `m`: Limit 6000, Requested 12328, please "
                "reduce your message size and try again.",
                "rate_limit_exceeded",
            ),
            "model_request_too_large",
        ),
        "capacity": Event(openai_error(498, "Flex tier capacity exceeded", "capacity_exceeded"), "wait", 20),
        # build-with-groq/g1#23
        "unusable": Event(
            openai_error(
                400,
                "Failed to generate JSON. Please adjust your prompt.",
                "json_validate_failed",
                failed_generation="canary",
            ),
            "unusable",
        ),
        "gone": Event(
            openai_error(
                400, "The model `m` has been decommissioned and is no longer supported.", "model_decommissioned"
            ),
            "model_not_offered",
        ),
    },
)
