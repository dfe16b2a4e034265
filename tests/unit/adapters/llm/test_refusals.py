import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import Form, Wish, fitted
from growbin_jobs.adapters.llm.refusals import learnt_from
from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.messages import VisionAnswer

PICTURE = {"type": "image_url", "image_url": {"url": "https://s3/p.jpg", "detail": "high"}}
MESSAGES = [
    {"role": "system", "content": "Look."},
    {"role": "user", "content": [{"type": "text", "text": "?"}, PICTURE]},
]
WISH = Wish(
    Call("m", 20.0, 1000, temperature=0.2, reasoning_effort="minimal"),
    MESSAGES,
    Form("VisionAnswer", VisionAnswer.model_json_schema(), "JSON please"),
    inline=lambda: "data:image/jpeg;base64,AAAA",
)
SENT = fitted(WISH, Facts(), "flex")

#: What servers say, and what it teaches.
SAID = [
    ("Unknown parameter: 'reasoning_effort'.", {"reasoning_effort"}),
    ("Unrecognized request argument supplied: store", {"store"}),
    ("store: property 'store' is unsupported", {"store"}),
    ('Unknown name "store": Cannot find field.\nUnknown name "max_completion_tokens": Cannot find field.',
     {"store", "max_completion_tokens"}),
    ('json: unknown field "store"', {"store"}),
    ("Unsupported value: 'temperature' does not support 0.2 with this model.", {"temperature"}),
    ("model does not support thinking", {"reasoning_effort"}),
    ('think value "minimal" is not supported for this model', {"reasoning_effort"}),
    ("Budget 0 is invalid. This model only works in thinking mode.", {"reasoning_effort"}),
    ("'response_format.type' must be 'json_object' or 'text'", {"response_format.json_schema"}),
    ("This response_format type is unavailable now", {"response_format.json_schema"}),
    ("Invalid schema for response_format 'VisionAnswer': 'minimum' is not permitted.", {"schema.minimum"}),
    ("response_format/json_schema/x: pattern is not supported", {"schema.pattern"}),
    ("response_format.json_schema: unknown field 'strict'", {"strict"}),
    ("messages[1].content[1].image_url.detail: unknown", {"image_url.detail"}),
    ("messages.1.content.1.image_url: expected a string", {"image_url.object"}),
    ("invalid image input", {"image_url.http"}),
    ("image_url must be a base64 data URI", {"image_url.http"}),
    ("System role not supported", {"role.system"}),
    ("Developer instruction is not enabled for models/gemma-3", {"role.system"}),
    ("Unsupported service_tier for this model.", {"service_tier"}),
    ("Flex processing is not available for gpt-6-luna.", {"service_tier"}),
    ("Unrecognized field: service tier", {"service_tier"}),
    ("参数max_completion_tokens不支持", {"max_completion_tokens"}),
    ("Unknown field 'maxCompletionTokens'", {"max_completion_tokens"}),
    ("不支持的参数：store", {"store"}),
    ("알 수 없는 필드: store", {"store"}),
    ("store 필드는 지원되지 않습니다", {"store"}),
    ("「store」はサポートされていません", {"store"}),
    ("Paramètre inconnu : store", {"store"}),
    ("store: Extra inputs are not permitted", {"store"}),
    ("unknown field `store`, expected one of `temperature`, `max_tokens`, `response_format` at line 1", {"store"}),
    ("unknown field `reasoning_effort`, expected one of `model`, `messages`, `max_tokens`", {"reasoning_effort"}),
    ('Unrecognized field "store" (class R), (3 known properties: "temperature", "response_format"])', {"store"}),
    ("Unsupported parameters: store. Supported parameters are: temperature, reasoning_effort", {"store"}),
    ("Json document validation error: store is not allowed", {"store"}),
    ("<400> InternalError.Algo.InvalidParameter: unknown field 'store'", {"store"}),
    ("This model doesn't support system messages. Try again without one.", {"role.system"}),
    ("prompting with images is incompatible with system messages", {"role.system"}),
    ("output_format.schema: For 'number' type, properties maximum, minimum are not supported",
     {"schema.maximum", "schema.minimum"}),
    ("The specified schema produces a constraint that has too many states for serving.",
     {"response_format.json_schema"}),
    ("Unrecognized request arguments supplied: service_tier, store", {"service_tier", "store"}),
    ("unsupported option store=false", {"store"}),
    ("Unsupported JSON schema keyword: maximum", {"schema.maximum"}),
    ("messages[0].role: unknown variant `system`, expected one of `user`, `assistant`", {"role.system"}),
    ("Invalid role: system", {"role.system"}),
    ("Only user, assistant and tool roles are supported, got system.", {"role.system"}),
    ("Unsupported image URL scheme: https. Only data URIs are supported", {"image_url.http"}),
    ("Only base64 data URLs are supported for now", {"image_url.http"}),
    ("Additional properties are not allowed ('detail' was unexpected)", {"image_url.detail"}),
    ("Error while downloading https://s3/p.jpg", {"image_url.http"}),
    ("Remote media URLs are disabled.", {"image_url.http"}),
    ("Failed to load the image.", set()),
    ("Vector store: closed", set()),
    ("The file store is full", set()),
    ("a flexible request", set()),
    ("Please store your pictures elsewhere and be strict.", set()),
    ("max_completion_tokens + input exceed the context length of 8192", set()),
    ("The picture cannot be decoded.", set()),
    ("Invalid title.", set()),
]  # fmt: skip


@pytest.mark.parametrize(("words", "named"), SAID)
def test_what_a_refusal_names_is_learnt(words, named):
    facts = learnt_from(400, read_said({"error": {"message": words}}), SENT)

    assert facts.refused.keys() == named
    if named:
        assert fitted(WISH, facts, "flex").body != SENT.body


@pytest.mark.parametrize(
    "document",
    [
        {"errors": {"store": ["is not permitted"]}},
        {"store": ["Unexpected field."]},
        {"error": {"issues": [{"code": "unrecognized_keys", "keys": ["store"], "path": []}]}},
        {"errors": [{"instancePath": "", "params": {"additionalProperty": "store"}, "message": "no more properties"}]},
        {"errors": [{"source": {"pointer": "/store"}, "detail": "unknown"}]},
        {"title": "Bad Request", "invalid-params": [{"name": "store", "reason": "unknown"}]},
        {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error": {"param": "store"}}'}}},
    ],
)
def test_a_validator_may_point_to_a_field_in_its_own_way(document):
    assert learnt_from(422, read_said(document), SENT).refused.keys() == {"store"}


@pytest.mark.parametrize(
    ("words", "efforts"),
    [
        ("`reasoning_effort` must be one of `none` or `default`", ("none", "default")),
        ("Unsupported value: 'reasoning_effort' … 'minimal'. Supported values are: 'none', 'low', and 'max'.",
         ("none", "low", "max")),
        ("invalid reasoning value: 'minimal' (must be \"high\", \"medium\", \"low\", or \"none\")",
         ("none", "low", "medium", "high")),
        ("reasoning_effort 값은 low, medium, high 중 하나여야 합니다", ("low", "medium", "high")),
    ],
)  # fmt: skip
def test_the_efforts_that_a_refusal_offers_are_learnt(words, efforts):
    facts = learnt_from(400, read_said({"error": {"message": words}}), SENT)

    assert facts == Facts(efforts=efforts)
    assert fitted(WISH, facts).body["reasoning_effort"] in efforts


@pytest.mark.parametrize(
    "words",
    [
        "max_completion_tokens must be less than or equal to `512`",
        "max_completion_tokens must be at most 512.",
        "max_completion_tokens: 1000 > 512, which is the maximum allowed number of output tokens",
        "Range of max_tokens should be [1, 512]",
        "max_tokens는 512 이하여야 합니다",
        "Input validation error: `max_new_tokens` must be <= 512. Given: 1000",
    ],
)
def test_a_cap_that_is_too_high_is_lowered_and_not_given_up(words):
    said = read_said({"error": {"message": words}})

    assert fitted(WISH, learnt_from(400, said, SENT)).body["max_completion_tokens"] == 512


def test_a_server_that_asks_for_the_other_field_gets_it():
    old = Facts(refused={"max_completion_tokens": ""})
    asked = fitted(WISH, old)
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

    body = fitted(
        WISH, old | learnt_from(400, read_said({"error": {"message": words, "param": "max_tokens"}}), asked)
    ).body

    assert "max_completion_tokens" in body
    assert "max_tokens" not in body


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_other_failures_teach_nothing(status):
    assert learnt_from(status, read_said({"error": {"message": "max_completion_tokens"}}), SENT).is_empty


@pytest.mark.parametrize("name", ["store", "max_completion_tokens", "temperature", "service_tier", "reasoning_effort"])
def test_a_function_that_takes_no_such_argument_refuses_it_though_the_server_says_that_it_failed(name):
    words = f"[pid=7] create_chat_completion() got an unexpected keyword argument '{name}'"

    assert learnt_from(500, read_said({"detail": words}), SENT).refused.keys() == {name}


@given(st.lists(st.sampled_from(sorted(SENT.used)), unique=True))
def test_a_request_is_whole_whatever_is_refused(refused):
    asked = fitted(WISH, Facts(refused=dict.fromkeys(refused, "")), "flex")

    assert not asked.used & set(refused)
    assert asked.body["model"] == "m"
    assert "Look." in str(asked.body["messages"])
    assert ("JSON please" in str(asked.body["messages"])) == bool(
        {"schema.heeded", "response_format.json_schema"} & set(refused)
    )
    assert Facts.from_json(Facts(refused=dict.fromkeys(refused, "x")).to_json()).refused.keys() == set(refused)


@given(st.text())
def test_kept_facts_of_another_version_are_none(text):
    assert isinstance(Facts.from_json(text), Facts)
