"""The words of model servers' errors: codes and types, and what they say where they have none.

Codes are compared in lower case. Where a server's words are not those of OpenAI's page of error codes
(https://platform.openai.com/docs/guides/error-codes), the report that they are from is named.
"""

import re
from typing import Final

#: An account that has nothing left; so does any code that begins with ``billing_``.
QUOTA: Final = frozenset({
    "insufficient_quota", "insufficient_balance", "insufficient_credits", "credit_balance_exhausted",
    "organization_spend_limit_exceeded", "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
    "spend_limit_reached", "blocked_api_access", "insufficient_user_quota", "arrearage",
})  # fmt: skip

#: The same in words. Gemini says "exceeded your current quota" of every limit (diegosouzapw/OmniRoute#9504); a limit
#: of 0 is one that no waiting lifts (UKGovernmentBEIS/inspect_ai#5526).
QUOTA_WORDS: Final = re.compile(
    r"credit balance|insufficient (?:account )?(?:balance|credits?|funds|quota)|out of credits"
    r"|credits? (?:are|is) (?:depleted|exhausted)|spend(?:ing)? limit|requires? (?:a )?(?:billing|payment)"
    r"|billing (?:account )?(?:is )?(?:not|disabled)|\bquota\b.*\blimit: 0\b"
    r"|(?:余额|餘額|额度|配额)不足|欠费|잔액이? ?부족|크레딧이? ?부족",
    re.IGNORECASE | re.DOTALL,
)

#: The server asks everybody to send less.
SLOW_DOWN: Final = frozenset({
    "slow_down", "server_overloaded", "overloaded_error", "too_many_requests_error", "queue_exceeded",
    "rate_limit_error", "rate_limit_exceeded", "throttling_error", "ratelimitreached",
})  # fmt: skip

#: It is there and takes no more now: llama.cpp "Loading model", Ollama "server busy", Gemini "overloaded".
BUSY_WORDS: Final = re.compile(
    r"\bloading\b|overloaded|server busy|no (?:idle )?slots?\b|too many|try again later|at capacity|no capacity"
    r"|capacity exceeded|high demand",
    re.IGNORECASE,
)

#: A limit of the rate that comes as a 200.
LIMITED_WORDS: Final = re.compile(r"rate.?limit|too many requests|速率限制|请求过于频繁|요청이 너무 많", re.IGNORECASE)

#: A key that is none. Gemini answers 400 to it.
KEY: Final = frozenset({
    "invalid_api_key", "api_key_invalid", "authentication_error", "unauthorized", "invalid_authentication",
})  # fmt: skip
KEY_WORDS: Final = re.compile(
    r"api[ _-]?key (?:not valid|not found|expired|missing|is (?:not valid|invalid|missing))"
    r"|(?:invalid|incorrect|missing) (?:or invalid )?(?:api[ _-]?key|authorization)"
    r"|access denied due to invalid subscription key",
    re.IGNORECASE,
)

#: A model that the server does not offer, or has not loaded (LM Studio, tinyhumansai/openhuman#4181).
GONE: Final = frozenset({
    "model_not_found", "model_deprecated", "model_retired", "model_decommissioned", "deploymentnotfound",
    "invalid_model", "model_not_loaded",
})  # fmt: skip
GONE_WORDS: Final = re.compile(
    r"\b(?:model|deployment)s?\b.{0,200}?(?:deprecated|retired|not exist\b|not found|shut ?down|decommissioned"
    r"|no longer|is not a valid model)|\binvalid model\b|not a valid model|\bno models? (?:is |are )?loaded",
    re.IGNORECASE | re.DOTALL,
)

#: A model that looks at no pictures (browser-use/web-ui#274, vllm-project/vllm#11629).
NO_IMAGES: Final = re.compile(
    r"image_url is only supported by|(?:not|n't) support (?:image|vision)|support image input"
    r"|image (?:input|content)s? (?:is|are) not supported|not a (?:multimodal|vision) model|at most 0 image"
    r"|missing data required for image|不支持(?:图像|图片|视觉)|이미지(?:를|는)? (?:입력(?:을|은)? )?지원하지",
    re.IGNORECASE,
)

#: Groq found that the model's answer does not keep to the form (build-with-groq/g1#23).
UNUSABLE: Final = frozenset({"json_validate_failed"})

#: A content filter; Azure's is in ``innererror`` (compl-ai/compl-ai#20).
FILTERED: Final = frozenset({
    "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "content_filtered",
    "prohibited_content", "data_inspection_failed", "datainspectionfailed",
})  # fmt: skip

#: More tokens than the limit ever grants: both numbers (danielmiessler/Fabric#364, HunorLaczko/ha-groq-cloud-api#27).
LIMIT: Final = re.compile(r"\bLimit:? (\d[\d,]*)", re.IGNORECASE)
REQUESTED: Final = re.compile(r"\bRequested:? ~?(\d[\d,]*)", re.IGNORECASE)

#: An address that is none of the API's (lmstudio-ai/lmstudio-bug-tracker#618).
WRONG_ADDRESS: Final = re.compile(
    r"unexpected endpoint or method|resource not found|page not found|no route", re.IGNORECASE
)
