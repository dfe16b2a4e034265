"""Stand-ins for ten kinds of model servers: what they refuse, how they wrap it, and how they ask to wait.

Each fact has its source beside it; the sources of a kind are in ``model_catalog.json`` too. Run one as a script:
``python tests/stubs/model_servers.py gemini [--port N] [--key KEY]``; it prints its address as its first line.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("openai_server", Path(__file__).with_name("openai_server.py"))
assert _spec is not None
assert _spec.loader is not None
if "openai_server" in sys.modules:
    openai_server = sys.modules["openai_server"]
else:
    openai_server = importlib.util.module_from_spec(_spec)
    sys.modules["openai_server"] = openai_server
    _spec.loader.exec_module(openai_server)

Reply = openai_server.Reply

#: Fields that every server takes.
BASE = frozenset({"model", "messages", "stream", "temperature", "top_p", "stop", "seed"})


@dataclass(frozen=True)
class Event:
    """Something that a server says instead of an answer, and what it must become.

    ``means`` is ``wait`` (with seconds), ``refused``, ``unusable``, ``failed`` or the code of a permanent error.
    """

    reply: Any
    means: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Kind:
    """One kind of server.

    Attributes:
      name: As in ``model_catalog.json``.
      takes: Fields that it takes besides the usual ones; others it refuses, or ignores where ``ignores`` says so.
      refuse: Returns the refusal of some fields, in its form.
      look: Further refusals, by the body; None: it is well.
      answer: Wraps an answer.
      events: What else it says.
      prefix: Of its paths.
    """

    name: str
    takes: frozenset[str]
    refuse: Callable[[list[str]], Any]
    look: Callable[[dict[str, Any], Callable[[list[str]], Any]], Any] = lambda body, refuse: None
    answer: Callable[[Any, str], Any] = lambda asked, content: openai_server.completion(asked, content)
    events: dict[str, Event] = field(default_factory=dict)
    prefix: str = "/v1"
    ignores: bool = False
    learns: tuple[str, ...] = ()


def said(status: int, document: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(document).encode(), named)


def openai_error(status: int, message: str, code: str | None = None, **more: Any) -> Any:
    headers = more.pop("headers", {})
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code} | more
    return said(status, {"error": error}, **headers)


# --- answers


def wrapped(asked: Any, **message: Any) -> Any:
    """A completion whose message has other members."""
    reply = openai_server.completion(asked, message.get("content"))
    document = json.loads(reply.body)
    document["choices"][0]["message"] |= message
    document |= message.pop("document", {})
    reply.body = json.dumps(document).encode()
    return reply


# --- what each refuses


def _efforts(known: tuple[str, ...], reply: Callable[[str], Any]) -> Callable[[dict[str, Any], Any], Any]:
    def look(body: dict[str, Any], refuse: Any) -> Any:
        effort = body.get("reasoning_effort")
        return reply(effort) if effort is not None and effort not in known else None

    return look


def _azure_look(body: dict[str, Any], refuse: Any) -> Any:
    """An older deployment (openai/openai-python#1724)."""
    for name in ("max_completion_tokens", "reasoning_effort", "store"):
        if name in body:
            return openai_error(400, f"Unrecognized request argument supplied: {name}")
    return None


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


def _mistral_refuse(names: list[str]) -> Any:
    """editor-code-assistant/eca#231; the input is echoed."""
    found = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": "canary"}
        for name in names
    ]
    error = {"object": "error", "message": {"detail": found}, "type": "invalid_request_error", "param": None}
    return said(422, error | {"code": None})


def _mistral_look(body: dict[str, Any], refuse: Any) -> Any:
    """anomalyco/models.dev#1986: ``none`` and ``high`` only."""
    if body.get("reasoning_effort", "none") not in ("none", "high"):
        found = {"type": "enum", "loc": ["body", "reasoning_effort"], "msg": "Input should be 'high' or 'none'"}
        return said(422, {"object": "error", "message": {"detail": [found]}, "type": "invalid_request_error"})
    if body["messages"][-1]["role"] == "system":
        return said(
            400, {"object": "error", "message": "Expected last role User or Tool but got system", "code": "3230"}
        )
    return None


def _mistral_answer(asked: Any, content: str) -> Any:
    """Thoughts and the answer as parts (vercel/ai#13688)."""
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "Is it a can?"}]}
    return wrapped(asked, content=[thoughts, {"type": "text", "text": content}])


def _groq_look(body: dict[str, Any], refuse: Any) -> Any:
    if body.get("reasoning_effort", "none") not in ("none", "default"):  # earendil-works/pi#1745
        return said(400, {"error": {"message": "`reasoning_effort` must be one of `none` or `default`", "type": "x"}})
    form = body.get("response_format", {})
    if form.get("type") == "json_schema":  # web-infra-dev/midscene#259, i-am-bee/beeai-framework#1215
        return openai_error(400, "This model does not support response format `json_schema`.", param="response_format")
    return None


def _cerebras_refuse(names: list[str]) -> Any:
    """huggingface/huggingface.js#2268."""
    message = "\n".join(f"body.{name}: property 'body.{name}' is unsupported" for name in names)
    error = {"message": message, "type": "invalid_request_error", "param": "validation_error"}
    return said(422, error | {"code": "wrong_api_format"})


def _ollama_look(body: dict[str, Any], refuse: Any) -> Any:
    """ollama/ollama openai/openai.go, ollama#18121, ollama#12561."""
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in ("none", "low", "medium", "high", "max"):
        offered = '"high", "medium", "low", "max", or "none"'
        return openai_error(
            400, f"invalid reasoning value: '{effort}' (must be {offered})", type="invalid_request_error"
        )
    for part in openai_server._parts(body):
        if part["type"] == "image_url" and not _url(part).startswith("data:"):
            return openai_error(400, "invalid image input")
    return None


def _vllm_refuse(names: list[str]) -> Any:
    """An old one: Python's repr in a text, without an outer member (voideditor/void#128)."""
    found = [
        {"type": "extra_forbidden", "loc": ("body", name), "msg": "Extra inputs are not permitted", "input": "canary"}
        for name in names
    ]
    return said(400, {"object": "error", "message": str(found), "type": "BadRequestError", "param": None, "code": 400})


def _lmstudio_look(body: dict[str, Any], refuse: Any) -> Any:
    """lmstudio-ai/lmstudio-bug-tracker#189."""
    if body.get("response_format", {}).get("type") == "json_object":
        return said(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})
    return None


def _llamacpp_error(status: int, message: str, kind: str) -> Any:
    """tools/server, format_error_response."""
    return said(status, {"error": {"code": status, "message": message, "type": kind}})


def _llamacpp_look(body: dict[str, Any], refuse: Any) -> Any:
    """A grammar that cannot be made of the schema, and a template without a system's role."""
    schema = json.dumps(body.get("response_format", {}))
    if '"pattern"' in schema or '"minimum"' in schema:
        return _llamacpp_error(400, "Failed to initialize samplers: failed to parse grammar", "invalid_request_error")
    if body["messages"][0]["role"] == "system":
        return _llamacpp_error(500, "Conversation roles must alternate: System role not supported", "server_error")
    return None


def _url(part: dict[str, Any]) -> str:
    image = part["image_url"]
    return str(image if isinstance(image, str) else image["url"])


OPENAI_FIELDS = BASE | {
    "store",
    "max_completion_tokens",
    "max_tokens",
    "reasoning_effort",
    "response_format",
    "service_tier",
}

_TPM = "Rate limit reached for model `m` in organization `org_01hrsvc1b8ey0anvbgha0xckf2` on tokens per minute (TPM): "

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "openai",
            OPENAI_FIELDS,
            lambda names: openai_error(400, f"Unknown parameter: '{names[0]}'.", "unknown_parameter", param=names[0]),
            look=_efforts(
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
                        _TPM + "Limit 30000, Used 29937, Requested 385. Please try again in 7.66s.",
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
                    openai_error(
                        404, "The model `m` does not exist or you do not have access to it.", "model_not_found"
                    ),
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
        ),
        Kind(
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
        ),
        Kind(
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
                "busy": Event(
                    _gemini(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"), "wait", 20
                ),
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
        ),
        Kind(
            "mistral",
            BASE | {"max_tokens", "reasoning_effort", "response_format"},
            _mistral_refuse,
            look=_mistral_look,
            answer=_mistral_answer,
            learns=("store", "max_completion_tokens", "efforts"),
            events={
                # continuedev/continue#6185
                "limited": Event(
                    said(
                        429,
                        {
                            "object": "error",
                            "message": "Service tier capacity exceeded for this model.",
                            "type": "invalid_request_error",
                            "code": None,
                        },
                        ratelimitbysize_reset="9",
                    ),
                    "wait",
                    9,
                ),
                "key": Event(said(401, {"detail": "Unauthorized"}), "model_access_denied"),
                "gone": Event(
                    said(
                        400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model", "code": "1500"}
                    ),
                    "model_not_offered",
                ),
            },
        ),
        Kind(
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
                        _TPM + "Limit 7000, Used 6000, Requested ~1903. Please try again in 9m38.016s.",
                        "rate_limit_exceeded",
                        headers={"retry_after": "2"},
                    ),
                    "wait",
                    2,
                ),
                "in words": Event(
                    openai_error(
                        429,
                        _TPM + "Limit 7000, Used 6000, Requested ~1903. Please try again in 1m2.5s. Visit …",
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
        ),
        Kind(
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
                "quota": Event(
                    said(402, {"message": "Payment required", "code": "payment_required"}), "model_quota_exhausted"
                ),
            },
        ),
        Kind(
            "ollama",
            BASE | {"max_tokens", "reasoning_effort", "response_format"},
            lambda names: None,
            look=_ollama_look,
            ignores=True,
            learns=("efforts",),
            answer=lambda asked, content: wrapped(asked, content=f"```json\n{content}\n```", reasoning="Is it a can?"),
            events={
                "busy": Event(
                    said(503, {"error": "server busy, please try again. maximum pending requests exceeded"}), "wait", 20
                ),
                "gone": Event(
                    said(
                        404,
                        {
                            "error": {
                                "message": 'model "m" not found, try pulling it first',
                                "type": "not_found_error",
                                "param": None,
                                "code": None,
                            }
                        },
                    ),
                    "model_not_offered",
                ),
                "plain": Event(said(500, {"error": "llama runner process has terminated"}), "failed"),
                "thinks only": Event("thinks only", "unusable"),
            },
        ),
        Kind(
            "vllm",
            BASE | {"max_tokens", "response_format", "reasoning_effort"},
            _vllm_refuse,
            learns=("store", "max_completion_tokens"),
            answer=lambda asked, content: wrapped(
                asked, content=None, reasoning_content=f"<think>can</think>{content}"
            ),
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
        ),
        Kind(
            "lmstudio",
            BASE | {"max_tokens", "response_format"},
            lambda names: None,
            look=_lmstudio_look,
            ignores=True,
            answer=lambda asked, content: wrapped(asked, content=f"\ufeff{content}"),
            events={
                # lmstudio-ai/lmstudio-bug-tracker#618
                "address": Event(
                    said(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
                    "model_rejected_request",
                ),
                # tinyhumansai/openhuman#4181
                "gone": Event(
                    openai_error(400, "No models loaded. Please load a model in the developer page.", param="model"),
                    "model_not_offered",
                ),
            },
        ),
        Kind(
            "llamacpp",
            BASE | {"max_tokens", "max_completion_tokens", "response_format"},
            lambda names: None,
            look=_llamacpp_look,
            ignores=True,
            learns=("response_format.json_schema", "role.system"),
            answer=lambda asked, content: wrapped(asked, content=f"<think>hm</think>\n{content}"),
            events={
                "loading": Event(_llamacpp_error(503, "Loading model", "unavailable_error"), "wait", 20),
                "slots": Event(_llamacpp_error(503, "no slot available", "unavailable_error"), "wait", 20),
                "context": Event(
                    _llamacpp_error(400, "the request exceeds the available context size", "exceed_context_size_error"),
                    "model_rejected_request",
                ),
                "blind": Event(
                    _llamacpp_error(
                        500,
                        "image input is not supported - hint: if this is unexpected, you may "
                        "need to provide the mmproj",
                        "server_error",
                    ),
                    "model_lacks_images",
                ),
            },
        ),
    )
}


class StubServer(openai_server.StubOpenAI):  # type: ignore[misc,name-defined]
    """One of :data:`KINDS` over HTTP. ``stub.event("quota")`` says that once instead of the next answer."""

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(**options)
        self.kind = KINDS[kind]
        self.all_requests: list[dict[str, Any]] = []
        self.refusals = 0
        self.headers_seen: list[dict[str, str]] = []
        self._events: list[Event] = []

    @property
    def url(self) -> str:
        return str(super().url).removesuffix("/v1") + self.kind.prefix

    def event(self, name: str, times: int = 1) -> None:
        """Say something in place of the next answers; 0 times: answer again."""
        self._events = [self.kind.events[name]] * times if times else []

    def says(self, reply: Any) -> None:
        """Say this once in place of the next answer."""
        self._events = [Event(reply, "")]

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Any:
        with self._lock:
            self.all_requests.append(body)
            self.headers_seen.append(headers)
            event = self._events.pop(0) if self._events else None
        self.violations += [] if isinstance(_image(body), str) else self.check("CreateChatCompletionRequest", body)
        if event is not None and not isinstance(event.reply, str):
            return event.reply
        if (refusal := self._refusal(body)) is not None:
            self.refusals += 1
            return refusal
        asked = openai_server.Asked(_with_schema(body), headers, _picture(body))
        with self._lock:
            self.requests.append(asked)
            if asked.image:
                self.images[asked.image] += 1
                self.answers[asked.image] = asked.answer()
        if event is not None:
            return wrapped(asked, content="", reasoning="Is it a can? I think")
        return self.kind.answer(asked, asked.content())

    def _refusal(self, body: dict[str, Any]) -> Any:
        unknown = sorted(body.keys() - self.kind.takes)
        if unknown and not self.kind.ignores:
            return self.kind.refuse(unknown)
        return self.kind.look(body, self.kind.refuse)


def _image(body: dict[str, Any]) -> Any:
    for part in openai_server._parts(body):
        if part["type"] == "image_url":
            return part["image_url"]
    return None


def _picture(body: dict[str, Any]) -> bytes | None:
    image = _image(body)
    if image is None:
        return None
    return base64.b64decode((image if isinstance(image, str) else image["url"]).partition(",")[2])


def _with_schema(body: dict[str, Any]) -> dict[str, Any]:
    """The body with the schema where the answer looks for its items, whether it came as a field or in words."""
    if "json_schema" in body.get("response_format", {}):
        return body
    for message in body["messages"]:
        content = message["content"]
        for part in [{"text": content}] if isinstance(content, str) else content:
            text = part.get("text", "")
            if (start := text.find('{"additionalProperties"')) >= 0:
                schema, _ = json.JSONDecoder().raw_decode(text[start:])
                return body | {"response_format": {"json_schema": {"schema": schema}}}
    return body


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for one kind of model server, for tests.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key")
    options = parser.parse_args()
    with StubServer(options.kind, port=options.port, key=options.key) as stub:
        print(stub.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
