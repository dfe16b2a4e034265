"""The words of model servers' errors: codes and types, and what they say where they have none.

Codes are compared as :func:`plain` has them, so that ``model_not_found`` and ``ModelNotFound`` are one. Where a
server's words are not those of OpenAI's page of error codes (https://platform.openai.com/docs/guides/error-codes), the
report that they are from is named.
"""

import re
from collections.abc import Iterable
from typing import Final


def plain(code: str) -> str:
    """Return the letters and digits of a code, in lower case."""
    return re.sub(r"[^a-z0-9]+", "", code.lower())


def names(pattern: re.Pattern[str], codes: Iterable[str]) -> bool:
    """Return whether one of an error's codes is of a kind."""
    return any(pattern.search(plain(code)) for code in codes)


#: An account that has nothing left, or that nobody has paid for (Moonshot, Alibaba, Volcengine, LiteLLM's budgets).
QUOTA: Final = re.compile(
    r"^billing|(?:insufficient\w*|notenough)(?:quota|balance|credits?|funds)|(?:balance|credits?)\w*(?:exhausted|depleted|insufficient)"
    r"|spend(?:ing)?(?:limit|cap)|organizationusagelimitexceeded|exceededcurrentquota|budgetexceeded|overbudget|overdue|arrear"
    r"|paymentrequired|creditlimit|freetieronly|setlimitexceeded|blockedapiaccess"
)

#: The same in words. Gemini says "exceeded your current quota" of every limit (diegosouzapw/OmniRoute#9504); a limit
#: of 0 is one that no waiting lifts (UKGovernmentBEIS/inspect_ai#5526).
QUOTA_WORDS: Final = re.compile(
    r"credit balance|insufficient (?:account )?(?:balance|credits?|funds|quota)|out of credits"
    r"|balance (?:is )?(?:insufficient|too low|exhausted|negative|overdue)|check your account balance"
    r"|credits? (?:are|is|have|has)? ?(?:been )?(?:depleted|exhausted|expired|used up|run out)"
    r"|used all available credits"
    r"|(?:n't|not|no) (?:have )?(?:any |enough )credits|monthly (?:included )?credits|spend(?:ing)? (?:limit|cap)\b"
    r"|requires? (?:a )?(?:billing|payment)|billing (?:account )?(?:is )?(?:not|disabled)|\bquota\b.*\blimit: 0\b"
    r"|over budget|budget (?:for .{1,30} )?(?:has been |is )?(?:exceeded|exhausted)|exceeded ?budget|past invoices"
    r"|(?:key|credit) limit exceeded"
    r"|reached your (?:specified )?(?:API )?usage limits"  # Anthropic's, under 400
    r"|(?:over|past) ?due (?:balance|payment)"
    r"|account\b.{0,60}\bis suspended|free tier\b.{0,40}\bexhausted|daily free allocation"
    r"|(?:余额|餘額|额度|配额)不足|欠费|잔액이? ?부족|크레딧이? ?부족|残高(?:が)?不足",
    re.IGNORECASE | re.DOTALL,
)

#: The server asks everybody to send less.
SLOW_DOWN: Final = re.compile(r"slowdown|overload|toomanyrequests|queueexceeded|ratelimit|throttl")

#: It is there and takes no more now: llama.cpp "Loading model", Ollama "server busy", Gemini "overloaded".
BUSY_WORDS: Final = re.compile(
    r"\bloading\b|overloaded|server busy|no (?:idle )?slots?\b|too many|try again later|at capacity|no capacity"
    r"|capacity exceeded|over capacity|high demand|queue (?:is |was )?full|no available workers"
    r"|too busy|scal(?:ed to zero|ing up)|warming up|starting up|not ready"
    r"|혼잡|과부하|잠시 ?후|繁忙|过载|稍后|混雑|しばらく",
    re.IGNORECASE,
)

#: The name of an error of the server behind a gateway, which passes it on as a text (Amazon's, gRPC's).
SLOW_DOWN_NAMES: Final = re.compile(
    r"\b(?:Throttling|TooManyRequests|ModelNotReady|ServiceUnavailable)Exception\b|\bRESOURCE_?EXHAUSTED\b",
    re.IGNORECASE,
)

#: A limit of the rate that comes as a 200.
LIMITED_WORDS: Final = re.compile(
    r"rate.?limit|too many requests|request limit reached|速率限制|请求过于频繁|요청이 너무 많", re.IGNORECASE
)
#: A limit that comes as a 403, as if it were one of rights: of Azure's gateway, of Google's older APIs.
LIMITED_RIGHTS: Final = re.compile(r"call volume quota|rate.?limit.{0,20}(?:exceeded|reached)", re.IGNORECASE)

#: A key that is none. Gemini answers 400 to it.
KEY: Final = re.compile(r"invalidapikey|apikeyinvalid|authenticationerror|^unauthorized|invalidauthentication")
#: The same in words; a country that is not served (Gemini); a gateway's rules for data that no server keeps to
#: (OpenRouter).
ACCESS_WORDS: Final = re.compile(
    r"api[ _-]?key (?:not valid|not found|expired|missing|is (?:not valid|invalid|missing))"
    r"|(?:invalid|incorrect|missing) (?:or invalid )?(?:api[ _-]?key|authorization)"
    r"|access denied due to invalid subscription key"
    r"|\b(?:location|country|region|territory)\b.{0,40}\bnot supported|matching your data policy"
    r"|\borgani[sz]ation has been (?:disabled|restricted)|requires terms acceptance|has not activated the model"
    r"|\bauthentication fail\w*|^unauthori[sz]ed\b|\baccess token (?:is )?(?:invalid|expired)"
    r"|security token included in the request is"  # Amazon's
    r"|(?:유효하지 않은|잘못된) (?:API ?|인증 ?)?키|키(?:가|는)? (?:유효하지|올바르지|만료)|인증(?:에|이)? ?실패"
    r"|(?:api ?key|密钥|令牌)\W{0,3}(?:无效|错误|不正确|已过期)|无效的? ?(?:api ?key|密钥|令牌)|鉴权失败"
    r"|(?:api ?キー|認証)\w{0,8}(?:無効|正しくありません|失敗)",
    re.IGNORECASE,
)

#: The name of such an error of the server behind a gateway, which passes it on under any status (Amazon's).
ACCESS_NAMES: Final = re.compile(
    r"\b(?:AccessDenied|UnrecognizedClient|ExpiredToken|InvalidSignature)(?:Exception)?\b", re.IGNORECASE
)

#: A model that the server does not offer, or has not loaded (LM Studio, tinyhumansai/openhuman#4181).
GONE: Final = re.compile(
    r"model(?:notfound|deprecated|retired|decommissioned|notloaded|notsupported|notavailable)|deploymentnotfound"
    r"|(?:invalid|unknown|unavailable)model"
)
GONE_WORDS: Final = re.compile(
    r"\b(?:model|deployment)s?\b.{0,200}?(?:deprecated|retired|not exist\b|not found|shut ?down|decommissioned"
    r"|no longer|is not a valid model|end of its life|as legacy|identifier is invalid|on-demand throughput)"
    r"|\bmodels?\b.{0,60}?\bnot available\b"
    r"|\b(?:invalid|unknown|unsupported|unavailable|no such) model\b(?! param)|not a valid model"
    r"|\bunable to access (?:non-serverless )?model\b|does not work with the specified model"
    r"|\bno endpoints found for\b|\bno allowed providers\b|\bendpoint does not exist\b|^model: \S+$"
    r"|\bno models? (?:is |are )?loaded"
    r"|\bfunction\b.{0,80}\bnot found for account"  # NVIDIA's
    r"|\bno 'model_name' with this model group"  # LiteLLM's
    r"|모델(?:을|이|은)? ?(?:찾을 수 없|존재하지)|존재하지 않는 모델|지원하지 않는 모델"
    r"|模型.{0,60}?(?:不存在|未找到|已下线)|不存在的模型"
    r"|モデル.{0,60}?(?:見つかりません|存在しません)",
    re.IGNORECASE | re.DOTALL,
)

#: A model that looks at no pictures (browser-use/web-ui#274, vllm-project/vllm#11629,
#: google/generative-ai-docs#513).
NO_IMAGES: Final = re.compile(
    r"image_url is only supported by|(?:not|n't) support (?:image|vision|multi-?modal)|support image input"
    r"|(?:image (?:input|content)s?(?: modality)?|vision|multi-?modal inputs?) (?:(?:is|are) )?"
    r"not (?:supported|enabled)"
    r"|not a (?:multimodal|vision) model|at most 0 image"
    r"|missing data required for image|unknown variant\W{1,3}image_url"
    r"|image_url\W{0,3} (?:is )?not (?:supported|allowed)|/content\W{1,4}array\W{1,3}not in\W{1,3}string"
    r"|content\b.{0,40}\b(?:must be|expected) a string"
    r"|不支持(?:图像|图片|视觉)|이미지(?:를|는)? (?:입력(?:을|은)? )?지원하지",
    re.IGNORECASE,
)

#: A model that ended at this request and is started anew for another (LM Studio).
ENDED_WORDS: Final = re.compile(
    r"\b(?:model|engine|runner)\b.{0,20}\b(?:crashed|unloaded|is dead)\b"
    r"|failed to get (?:a )?response from provider",  # Cloudflare's gateway, under 400
    re.IGNORECASE,
)

#: Groq found that the model's answer does not keep to the form (build-with-groq/g1#23), or that it calls a
#: tool though there is none.
UNUSABLE: Final = re.compile("jsonvalidatefailed|outputparsefailed|toolusefailed")

#: A content filter; Azure's is in ``innererror`` (compl-ai/compl-ai#20).
FILTERED: Final = re.compile(
    r"contentfilter|contentpolicy|responsibleai|prohibitedcontent|datainspectionfailed|moderationblocked"
)
#: The same in words (OpenAI's ``invalid_prompt``, Zhipu, Moonshot, OpenRouter; LiteLLM; Cloudflare's guardrails).
FILTER_WORDS: Final = re.compile(
    r"\b(?:prompt|input|content|image|request)s?\b.{0,30}\bflagged\b|\bsafety system\b"
    r"|(?:usage|content|content management|safety|acceptable use) polic(?:y|ies)|inappropriate content"
    r"|considered high risk|content exists risk|ContentPolicyViolation|blocked due to security configurations"
    r"|\bcontent violates\b"
    r"|敏感内容|违规内容|부적절한|유해한",
    re.IGNORECASE,
)

#: Where a filter's words stand beside these, they speak of who pays, and not of one picture.
WHOSE: Final = re.compile(r"\b(?:accounts?|organi[sz]ations?|projects?|api keys?|access)\b", re.IGNORECASE)

#: More tokens than the limit ever grants: both numbers (danielmiessler/Fabric#364, HunorLaczko/ha-groq-cloud-api#27).
LIMIT: Final = re.compile(r"\bLimit:? (\d[\d,]*)", re.IGNORECASE)
REQUESTED: Final = re.compile(r"\bRequested:? ~?(\d[\d,]*)", re.IGNORECASE)

#: An address that is none of the API's (lmstudio-ai/lmstudio-bug-tracker#618).
WRONG_ADDRESS: Final = re.compile(
    r"unexpected endpoint or method|resource not found|page not found|no route", re.IGNORECASE
)
