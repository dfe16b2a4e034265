"""What servers said in public reports and documents, and what it means: one line for each."""

import pytest

from growbin_jobs.adapters.llm.documents import error_in, status_in
from growbin_jobs.adapters.llm.errors import RateLimited, from_response
from growbin_jobs.errors import Transient

QUOTA, REFUSED, ACCESS = "model_quota_exhausted", "model_refused", "model_access_denied"
GONE, BLIND, REJECTED = "model_not_offered", "model_lacks_images", "model_rejected_request"


def _error(message, **members):
    return {"error": {"message": message, **members}}


SAID = [
    (429, _error("您的账户已欠费，请充值后重试。", code="1113"), QUOTA),
    (429, _error("您当前使用该API的并发数过高，请降低并发", code="1302"), RateLimited),
    (400, _error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"), REFUSED),
    (429, _error("Your account is suspended, check your plan", type="exceeded_current_quota_error"), QUOTA),
    (429, _error("You exceeded your current token quota, please check your account balance"), QUOTA),
    (429, _error("The engine is currently overloaded", type="engine_overloaded_error"), RateLimited),
    (400, _error("The request was rejected because it was considered high risk"), REFUSED),
    (422, _error("messages[0]: unknown variant `image_url`, expected `text` at line 1"), BLIND),
    (400, _error("messages[1].content: invalid type: sequence, expected a string"), BLIND),
    (404, _error("No endpoints found matching your data policy.", code=404), ACCESS),
    (404, _error("No endpoints found that support image input", code=404), BLIND),
    (400, {"errors": [{"message": "AiError: Type mismatch of '/messages/1/content', 'array' not in 'string'"}]}, BLIND),
    (403, _error("Input flagged", code=403, metadata={"reasons": ["violence"]}), REFUSED),
    (403, _error("This key was flagged as leaked."), ACCESS),
    (403, _error("Your organization was flagged for requests against our usage policies."), ACCESS),
    (403, _error("This account violates the acceptable use policy."), ACCESS),
    (403, {"code": "The caller may not", "error": "Your newly created teams doesn't have any credits yet."}, QUOTA),
    (429, {"code": "Exhausted", "error": "Your team has used all available credits."}, QUOTA),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***."}, ACCESS),
    (400, _error("Unknown model: foo", code="unknown_model"), GONE),
    (400, _error("The requested model 'x' is not supported by any provider", code="model_not_supported"), GONE),
    (404, {"status": 404, "title": "Not Found", "detail": "Function 'abc': Not found for account 'xyz'"}, GONE),
    (404, _error("x", code="ModelNotFound"), GONE),
    (400, _error("Access denied, make sure your account is in good standing.", code="Arrearage"), QUOTA),
    (403, _error("The free tier of the model has been exhausted.", code="AllocationQuota.FreeTierOnly"), QUOTA),
    (429, _error("You exceeded your current requests list.", code="limit_requests"), RateLimited),
    (429, {"status": {"code": "42901", "message": "Too many requests - rate exceeded"}}, RateLimited),
    (403, _error("API key suspended due to insufficient credit.", type="insufficient_credit_error"), QUOTA),
    (412, _error("Account foo is suspended, possibly due to failure to pay past invoices."), QUOTA),
    (400, _error("Budget has been exceeded! Current cost: 12.2, Max budget: 10.0", type="budget_exceeded"), QUOTA),
    (403, _error("The request failed because of the account.", code="AccountOverdueError"), QUOTA),
    (403, {"code": 30001, "message": "Sorry, your account balance is insufficient"}, QUOTA),
    (429, {"errors": [{"message": "you have used up your daily free allocation", "code": 4006}]}, QUOTA),
    (429, _error("Resource exhausted. Please try again later.", status="RESOURCE_EXHAUSTED"), RateLimited),
    (400, [_error("User location is not supported for the API use.", status="FAILED_PRECONDITION")], ACCESS),
    (400, _error("Invalid prompt: your prompt was flagged as potentially violating our usage policy."), REFUSED),
    (400, _error("Invalid prompt: expected an array", code="invalid_prompt"), REJECTED),
    (400, _error("x", code="moderation_blocked"), REFUSED),
    (400, {"error": "Model unloaded."}, Transient),
    (400, {"error": "The model has crashed without additional information. (Exit code: 6)"}, Transient),
    (429, {"error": "Model is overloaded", "error_type": "overloaded"}, RateLimited),
    (400, _error("image exceeds 5 MB maximum: 5812 bytes > 5242880 bytes"), REJECTED),
    (400, _error("You have reached your specified API usage limits. You will regain access on 2026-12-01."), QUOTA),
    (412, _error("The budget for this key is exhausted", type="budget"), QUOTA),
    (403, _error("Key limit exceeded (total limit).", code=403), QUOTA),
    (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, QUOTA),
    (400, _error("This organization has been disabled."), ACCESS),
    (400, _error("The model `x` requires terms acceptance.", code="model_terms_required"), ACCESS),
    (404, _error("Your account has not activated the model x.", code="ModelNotOpen"), ACCESS),
    (400, _error("{'error': '/chat: Invalid model name passed in model=x.'}", type="None", param="None"), GONE),
    (404, _error("Unable to access model x.", param="model", code="model_not_available"), GONE),
    (404, _error("model: claude-9", type="not_found_error"), GONE),
    (404, {"message": "This model version has reached the end of its life."}, GONE),
    (400, {"detail": "The provided model identifier is invalid."}, GONE),
    (404, _error("No endpoints found for foo/bar.", code=404), GONE),
    (404, _error("No endpoints found that support the requested parameters", code=404), REJECTED),
    (400, _error("Unsupported model parameter: top_a"), REJECTED),
    (400, {"errors": [{"message": "AiError: No such model @cf/x or task", "code": 5007}]}, GONE),
    (400, _error("litellm.ContentPolicyViolationError: The response was filtered."), REFUSED),
    (424, {"success": False, "error": [{"code": 2016, "message": "Prompt blocked due to security configurations"}]},
     REFUSED),
    (400, {"error": [{"code": 2005, "message": "Failed to get response from provider"}]}, Transient),
    (500, {"detail": "An error occurred (ThrottlingException): Too many tokens, please wait."}, RateLimited),
    (500, "rpc error: code = ResourceExhausted desc = too many requests", RateLimited),
    (503, _error("x is currently over capacity."), RateLimited),
    (503, _error("The request queue is full."), RateLimited),
    (503, _error("upstream connect error"), Transient),
    (429, {"status": {"code": "42902", "message": "Too many tokens - token rate exceeded"}}, RateLimited),
    (401, {"error": {"errorCode": "200", "message": "Authentication Failed"}}, ACCESS),
    (400, _error("유효하지 않은 API 키입니다."), ACCESS),
    (404, _error("모델을 찾을 수 없습니다: foo"), GONE),
    (404, _error("模型 foo 不存在"), GONE),
    (503, _error("서버가 혼잡합니다. 잠시 후 다시 시도하세요."), RateLimited),
    (503, _error("Service is too busy. We advise users to temporarily switch to others."), RateLimited),
    (400, _error("Content Exists Risk", type="invalid_request_error"), REFUSED),
    (403, _error("Credit limit exceeded", type="credit_limit"), QUOTA),
    (403, {"code": "The caller does not have permission to execute the specified operation",
           "error": "Content violates usage guidelines. Team: x, API key ID: y, Failed check: SAFETY_CHECK"}, REFUSED),
    (403, _error("The prompt was flagged. Ask the owner of this account."), REFUSED),
    (400, _error("litellm.BadRequestError: There is no 'model_name' with this Model Group"), GONE),
    (500, {"detail": "An error occurred (AccessDeniedException): You don't have access to the model"}, ACCESS),
    (400, {"message": "The security token included in the request is expired"}, ACCESS),
    (451, {"error": "Unavailable For Legal Reasons"}, ACCESS),
    (403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished soon."}, RateLimited),
    (403, _error("Rate Limit Exceeded", errors=[{"reason": "userRateLimitExceeded"}]), RateLimited),
    (400, [_error("Image input modality is not enabled for models/x", status="INVALID_ARGUMENT")], BLIND),
    (400, _error("Image input is not enabled for this model", code="3051"), BLIND),
    (400, _error("Multimodal inputs are not supported when --language-model-only is set"), BLIND),
    (400, _error("Image format is not supported"), REJECTED),
    (429, [_error("Your project has exceeded its monthly spending cap.", status="RESOURCE_EXHAUSTED")], QUOTA),
    (400, _error("Parsing failed. See 'failed_generation'.", code="output_parse_failed"), Transient),
    (400, _error("Tool choice is none, but model called a tool", code="tool_use_failed"), Transient),
    (401, {"fault": {"faultstring": "Invalid API Key", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}, ACCESS),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "becomes"), SAID)
def test_what_a_server_says_means_what_people_would_read_in_it(status, body, becomes):
    found = from_response(status, body, {}, model="m")

    assert getattr(found, "code", None) == becomes or type(found) is becomes


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}', 402),
        ('{"error": {"type": "overloaded_error", "message": "Overloaded"}}', 429),
        ('{"error": {"message": "no", "code": "Throttling.RateQuota"}}', 429),
        ('{"error": {"message": "no", "code": "502"}}', 502),
        ('{"status": {"code": "40000", "message": "Bad request"}, "result": null}', 400),
        ('{"status": {"code": "42901", "message": "Too many requests - rate exceeded"}}', 429),
        ('{"error_code": 17, "error_msg": "Open api daily request limit reached"}', 429),
        ('{"error_code": 110, "error_msg": "Access token invalid or no longer valid"}', 401),
        ('{"fault": {"faultstring": "Rate limit quota violation."}}', 429),
        ('{"detail": "Unauthorized"}', 401),
        ('{"code": "InvalidApiKey", "message": "Invalid API-key provided."}', 401),
    ],
)
def test_an_error_in_a_200_has_the_status_that_it_should_have_had(body, status):
    assert status_in(error_in(body)) == status
