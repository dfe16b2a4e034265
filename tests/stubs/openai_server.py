"""A stand-in for OpenAI's Chat Completions and batches, for tests: answers, misbehaves on demand, keeps the books.

Run it (``python tests/stubs/openai_server.py [--port N]``): it prints its address, ending in ``/v1``, as its first
line. Or use :class:`StubOpenAI` in the test's own process.

What it does with a request is chosen by, in this order: the header ``x-stub-behaviour``, a model named
``stub-<behaviour>``, the script (:meth:`StubOpenAI.script` or ``POST /_stub/script``), and else ``ok``. Behaviours are
the keys of :data:`BEHAVIOURS` and every HTTP status (``503``).

An answer depends on the picture alone (:func:`expected_answer`). Requests that OpenAI would refuse are refused with
400 and listed in the books as violations. ``GET /_stub/stats`` shows the books; ``POST /_stub/release`` lets go of
everything that hangs.
"""

from __future__ import annotations

import argparse
import base64
import functools
import hashlib
import itertools
import json
import random
import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

#: The part of OpenAI's public API description that this stub serves (its $comment tells where it comes from), beside
#: the project or in it. It is no part of the project: where it is missing, :func:`violations` alone judges requests.
SCHEMA = next(
    (found for folder in Path(__file__).resolve().parents[2:4]
     if (found := folder / "shared" / "openai" / "chat-completions.schema.json").exists()),
    None,
)  # fmt: skip

CATEGORIES = ("plastic", "paper", "metal", "glass", "general")
STATES = ("clean", "dirty", "mixed")

Kind = Literal["vision", "text"]


def expected_answer(picture: bytes, items: Sequence[str]) -> dict[str, Any]:
    """Return the vision answer that the stub gives for a picture.

    Parameters:
      picture: The bytes of the JPEG in the request.
      items: The items that the request's schema allows.
    """
    digest = hashlib.sha256(picture).digest()
    return {
        "category": CATEGORIES[digest[0] % len(CATEGORIES)],
        "item": sorted(items)[digest[1] % len(items)],
        "state": STATES[digest[2] % len(STATES)],
        "confidence": round(0.5 + digest[3] / 512, 2),
    }


@dataclass
class Asked:
    """One request to ``/v1/chat/completions``."""

    body: dict[str, Any]
    headers: dict[str, str]
    picture: bytes | None = None

    @property
    def kind(self) -> Kind:
        return "text" if self.picture is None else "vision"

    @property
    def image(self) -> str | None:
        return None if self.picture is None else hashlib.sha256(self.picture).hexdigest()

    @property
    def items(self) -> list[str]:
        schema = self.body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        item = schema.get("properties", {}).get("item", {})
        return list(item.get("enum") or ([item["const"]] if "const" in item else ["general"]))

    def answer(self) -> dict[str, Any]:
        assert self.picture is not None
        return expected_answer(self.picture, self.items)

    def content(self) -> str:
        if self.picture is not None:
            return json.dumps(self.answer())
        said = json.dumps(self.body["messages"], ensure_ascii=False)
        mark = hashlib.sha256(said.encode()).hexdigest()[:8]
        if "English" in said:
            return f"Hello! Please sort it as the rule says. ({mark})"
        return f"안녕하세요! 규칙에 적힌 순서대로 버려 주세요. ({mark})"


@dataclass
class Reply:
    """What goes back, and how."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    how: Literal["send", "hang", "drip", "drip_headers", "drop", "cut"] = "send"


def completion(
    asked: Asked,
    content: str | None,
    *,
    refusal: str | None = None,
    finish: str = "stop",
    usage: bool = True,
    how: Any = "send",
) -> Reply:
    document: dict[str, Any] = {
        "id": "chatcmpl-" + hashlib.sha256(repr(content).encode()).hexdigest()[:24],
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "finish_reason": finish,
                "logprobs": None,
            }
        ],
    }
    if usage:
        document["usage"] = {
            "prompt_tokens": 900,
            "completion_tokens": 40,
            "total_tokens": 940,
            "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 0},
        }
    return Reply(body=json.dumps(document).encode(), how=how)


def error(status: int, code: str | None = None, message: str | None = None, **headers: str) -> Reply:
    kind = "insufficient_quota" if code == "insufficient_quota" else "invalid_request_error"
    body = {"error": {"message": message or f"stub says {status}", "type": kind, "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), named)


def _with(asked: Asked, **changes: Any) -> Reply:
    return completion(asked, json.dumps({**asked.answer(), **changes}))


def _without_choices(asked: Asked) -> Reply:
    reply = completion(asked, "")
    reply.body = json.dumps({**json.loads(reply.body), "choices": []}).encode()
    return reply


def _length(asked: Asked) -> Reply:
    """Cut off below 2,000 tokens, as a model is that spends its cap on reasoning."""
    enough = asked.body.get("max_completion_tokens", 0) >= 2000
    return completion(asked, asked.content()) if enough else completion(asked, "", finish="length")


def _no_json_schema(asked: Asked) -> Reply:
    if asked.body.get("response_format", {}).get("type") == "json_schema":
        return error(400, None, "This model does not support response format `json_schema`.")
    return completion(asked, asked.content())


BEHAVIOURS: dict[str, Callable[[Asked], Reply]] = {
    "ok": lambda asked: completion(asked, asked.content()),
    "not_json": lambda asked: completion(asked, "It is a bottle, I think."),
    "schema_break": lambda asked: _with(asked, category="wood", confidence=1e12),
    "extra_field": lambda asked: _with(asked, queue="user_input"),
    "nan": lambda asked: completion(asked, json.dumps({**asked.answer(), "confidence": float("nan")})),
    "path_item": lambda asked: _with(asked, item="../../etc/passwd"),
    "unknown_item": lambda asked: _with(asked, item="spaceship"),
    "refusal": lambda asked: completion(asked, None, refusal="I can't help with that."),
    "empty": lambda asked: completion(asked, ""),
    "null_content": lambda asked: completion(asked, None),
    "no_usage": lambda asked: completion(asked, asked.content(), usage=False),
    "no_choices": _without_choices,
    "content_filter": lambda asked: completion(asked, "", finish="content_filter"),
    "content_filter_400": lambda asked: error(400, "content_filter"),
    "length": _length,
    "always_length": lambda asked: completion(asked, "", finish="length"),
    "no_json_schema": _no_json_schema,
    "html": lambda asked: Reply(body=b"<html><body>Captive portal</body></html>", content_type="text/html"),
    "broken_json": lambda asked: Reply(body=b'{"choices": [{"mess'),
    "error_200": lambda asked: Reply(body=error(500, "server_error").body),
    "rate_limit_200": lambda asked: Reply(body=error(429, "rate_limit_exceeded").body),
    "429": lambda asked: error(429, "rate_limit_exceeded"),
    "429_retry_after": lambda asked: error(429, "rate_limit_exceeded", retry_after="7"),
    "429_date": lambda asked: error(429, "rate_limit_exceeded", retry_after=formatdate(time.time() + 60, usegmt=True)),
    "429_reset": lambda asked: error(
        429, "rate_limit_exceeded", x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="1m30s"
    ),
    "quota": lambda asked: error(429, "insufficient_quota", retry_after="1"),
    "gone": lambda asked: error(404, "model_not_found", "The model does not exist or you do not have access to it."),
    "flex_full": lambda asked: (
        error(429, "resource_unavailable")
        if asked.body.get("service_tier") == "flex"
        else completion(asked, asked.content())
    ),
    "no_flex": lambda asked: (
        error(400, None, "Unsupported service_tier for this model.")
        if "service_tier" in asked.body
        else completion(asked, asked.content())
    ),
    "redirect": lambda asked: Reply(307, headers={"location": "http://127.0.0.1:9/v1/chat/completions"}),
    "echo": lambda asked: error(
        400, None, f"no {asked.headers.get('authorization')} for data:image/jpeg;base64,/9j/{'A' * 500} please"
    ),
    "hang": lambda asked: completion(asked, asked.content(), how="hang"),
    "drip": lambda asked: completion(asked, asked.content(), how="drip"),
    "drip_headers": lambda asked: completion(asked, asked.content(), how="drip_headers"),
    "drop": lambda asked: Reply(how="drop"),
    "cut": lambda asked: completion(asked, asked.content(), how="cut"),
}
_STATUS_CODES = {"400": "invalid_value", "401": "invalid_api_key", "404": "model_not_found"}


def behave(name: str, asked: Asked) -> Reply:
    if name in BEHAVIOURS:
        return BEHAVIOURS[name](asked)
    return error(int(name), _STATUS_CODES.get(name))


def _known(name: str) -> str:
    if name in BEHAVIOURS or (name.isdecimal() and 400 <= int(name) <= 599):
        return name
    raise ValueError(f"unknown behaviour {name!r}")


_OURS = {
    "model",
    "messages",
    "max_completion_tokens",
    "store",
    "response_format",
    "temperature",
    "reasoning_effort",
    "service_tier",
}


def violations(body: dict[str, Any]) -> list[str]:
    """Return what OpenAI would refuse, or we must not do, beyond what OpenAI's own schema says."""
    found = [f"unknown parameter {name}" for name in sorted(body.keys() - _OURS)]
    if body.get("store") is not False:
        found.append("store is not false")
    if str(body.get("model", "")).startswith(("gpt-5", "gpt-6", "o1", "o3", "o4")) and "temperature" in body:
        found.append("a reasoning model refuses temperature")
    form = body.get("response_format", {})
    if form.get("type") == "json_schema":
        wrapped = form["json_schema"]
        if wrapped.get("strict") is not True:
            found.append("the schema is not strict")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", wrapped["name"]):
            found.append("bad schema name")
        found += _loose_objects(wrapped["schema"])
    if form.get("type") == "json_object" and "JSON" not in json.dumps(body["messages"]):
        found.append("json_object needs the word JSON in the messages")
    for part in _parts(body):
        if part["type"] == "image_url" and not re.match(
            r"data:image/jpeg;base64,/9j/|https?://", part["image_url"]["url"]
        ):
            found.append("the picture is neither a JPEG data URL nor a web address")
        if part["type"] == "image_url" and "detail" not in part["image_url"]:
            found.append("no explicit detail")
    return found


def _loose_objects(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return []
    found = []
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            found.append("an object of the schema allows more properties")
        if set(schema.get("required", [])) != set(schema.get("properties", {})):
            found.append("a property of the schema is not required")
    for part in schema.values():
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        for inner in (part, *parts):
            found += _loose_objects(inner)
    return sorted(set(found))


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            yield from message["content"]


class Batches:
    """Files and batches of the stub, with books of their own: what is paid for is counted here, answer by answer.

    A batch stays where it is until a test runs it (:meth:`run`, ``POST /_stub/batches/run``).
    """

    def __init__(self, stub: StubOpenAI) -> None:
        self._stub = stub
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self.files: dict[str, bytes] = {}
        self.made: dict[str, dict[str, Any]] = {}
        self.paid: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        #: HTTP status that all pages answer instead, such as 404 for a server without batches.
        self.refuses: int | None = None
        #: Code of why the next batches fail as a whole.
        self.fails_with: str | None = None

    def serve(self, method: str, path: str, raw: bytes, content_type: str) -> Reply:
        if self.refuses is not None:
            return error(self.refuses, None, "Invalid URL" if self.refuses == 404 else None)
        url = urlsplit(path)
        _, _, kind, *rest = url.path.split("/")
        with self._lock:
            self.calls[f"{method} {kind}{''.join(f'/{part}' for part in rest[1:])}{'/ID' if rest else ''}"] += 1
            if kind == "files":
                return self._files(method, rest, raw, content_type)
            return self._batches(method, rest, raw, dict(parse_qsl(url.query)))

    def run(self, *, end: str = "completed", only: int | None = None, behaviours: Sequence[str] = ()) -> int:
        """Answer what open batches ask, and end them; return how many batches.

        Parameters:
          end: ``completed``, ``expired`` or ``cancelled``.
          only: How many requests of each are answered before that; None: all.
          behaviours: How the first requests of each are treated, one each (:data:`BEHAVIOURS`).
        """
        with self._lock:
            open_ = [batch for batch in self.made.values() if batch["status"] in ("in_progress", "cancelling")]
            for batch in open_:
                self._answer(batch, end, only, behaviours)
            return len(open_)

    def stats(self) -> dict[str, Any]:
        with self._lock:
            return {
                "files": len(self.files),
                "batches": [batch["status"] for batch in self.made.values()],
                "paid": dict(self.paid),
                "calls": dict(self.calls),
            }

    def _files(self, method: str, rest: list[str], raw: bytes, content_type: str) -> Reply:
        if method == "POST":
            form = message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + raw)
            parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}
            content = parts["file"].get_payload(decode=True)
            if parts["purpose"].get_payload() != "batch":
                return error(400, None, "bad purpose")
            file_id = f"file-{next(self._numbers)}"
            self.files[file_id] = content
            return self._document(self._file(file_id, parts["file"].get_filename()))
        if rest[0] not in self.files:
            return error(404, None, f"No such File object: {rest[0]}")
        if method == "DELETE":
            del self.files[rest[0]]
            return self._document({"id": rest[0], "object": "file", "deleted": True})
        return Reply(body=self.files[rest[0]], content_type="application/octet-stream")

    def _file(self, file_id: str, name: object) -> dict[str, Any]:
        size = len(self.files[file_id])
        return {
            "id": file_id, "object": "file", "bytes": size, "created_at": int(time.time()), "filename": name,
            "purpose": "batch", "status": "processed",
        }  # fmt: skip

    def _batches(self, method: str, rest: list[str], raw: bytes, query: dict[str, str]) -> Reply:
        if not rest and method == "POST":
            return self._create(json.loads(raw))
        if not rest:
            newest = sorted(self.made.values(), key=lambda one: -int(one["id"].partition("_")[2]))
            first = next((place for place, one in enumerate(newest, 1) if one["id"] == query.get("after")), 0)
            page = newest[first : first + int(query.get("limit", "20"))]
            return self._document({"object": "list", "data": page, "has_more": first + len(page) < len(newest)})
        batch = self.made.get(rest[0])
        if batch is None:
            return error(404, None, f"No batch found with id '{rest[0]}'.")
        if rest[1:] == ["cancel"]:
            if batch["status"] not in ("validating", "in_progress", "cancelling"):
                return error(409, None, f"Cannot cancel a batch with status '{batch['status']}'.")
            batch["status"] = "cancelling"
        return self._document(batch)

    def _create(self, body: dict[str, Any]) -> Reply:
        problems = self._stub.check("CreateBatchRequest", body)
        if body.keys() - {"input_file_id", "endpoint", "completion_window", "metadata"} or problems:
            self._stub.violations += problems or ["a parameter of batches that nobody knows"]
            return error(400, "invalid_request")
        if body["endpoint"] != "/v1/chat/completions" or body["completion_window"] != "24h":
            return error(400, "invalid_request")
        if body["input_file_id"] not in self.files:
            return error(400, "invalid_input_file")
        problem = self.fails_with or self._wrong(self.files[body["input_file_id"]])
        now = int(time.time())
        batch = {
            "id": f"batch_{next(self._numbers)}", "object": "batch", "endpoint": body["endpoint"],
            "completion_window": "24h", "status": "failed" if problem else "in_progress", "created_at": now,
            "input_file_id": body["input_file_id"], "metadata": body.get("metadata"), "output_file_id": None,
            "error_file_id": None, "expires_at": now + 86_400,
            "errors": {"object": "list", "data": [{"code": problem, "message": "stub"}]} if problem else None,
        }  # fmt: skip
        self.made[batch["id"]] = batch
        return self._document(batch)

    def _wrong(self, content: bytes) -> str | None:
        """Return what a server finds wrong with an input file; requests are held against OpenAI's own schema."""
        lines = [json.loads(line) for line in content.splitlines()]
        ids, models = [line["custom_id"] for line in lines], {line["body"]["model"] for line in lines}
        found = [problem for line in lines for problem in self._stub.check("BatchRequestInput", line)]
        for line in lines:
            body = line["body"]
            if {line["method"], line["url"]} != {"POST", "/v1/chat/completions"}:
                found.append("a request of a batch goes elsewhere")
            if "service_tier" in body:
                found.append("a request of a batch names a tier")
            found += self._stub.check("CreateChatCompletionRequest", body) or violations(body)
        self._stub.violations += found
        if found:
            return "invalid_json_line"
        if len(ids) != len(set(ids)):
            return "duplicate_custom_id"
        if len(lines) > 50_000 or len(content) > 200_000_000 or not lines:
            return "invalid_file_size"
        return "mismatched_model" if len(models) > 1 else None

    def _answer(self, batch: dict[str, Any], end: str, only: int | None, behaviours: Sequence[str]) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        outputs, errors = [], []
        for place, line in enumerate(lines):
            if only is not None and place >= only:
                error_of = {"code": f"batch_{end}", "message": "stub"}
                errors.append({"id": "r", "custom_id": line["custom_id"], "response": None, "error": error_of})
                continue
            asked = Asked(line["body"], {}, _picture(line["body"]))
            reply = behave(behaviours[place] if place < len(behaviours) else "ok", asked)
            response = {"status_code": reply.status, "request_id": f"req_{place}", "body": json.loads(reply.body)}
            found = {"id": "r", "custom_id": line["custom_id"], "response": response, "error": None}
            (outputs if reply.status == 200 else errors).append(found)
            if reply.status == 200:
                self.paid[asked.image or hashlib.sha256(asked.content().encode()).hexdigest()] += 1
        self._stub._random.shuffle(outputs)  # in any order
        for name, found_lines in (("output_file_id", outputs), ("error_file_id", errors)):
            if found_lines:
                batch[name] = f"file-{next(self._numbers)}"
                self.files[batch[name]] = b"".join(json.dumps(one).encode() + b"\n" for one in found_lines)
        batch["status"] = end

    def _document(self, document: object) -> Reply:
        return Reply(body=json.dumps(document).encode())


class StubOpenAI:
    """The server and its books.

    Parameters:
      port: 0: a free one.
      key: The bearer token that requests must carry. None: any or none.
      latency: Seconds, from and to, that an answer takes at random.
      schema: OpenAI's own schema (jsonschema 2020-12) to check requests against. None: unchecked, and nothing but the
        standard library is needed.
      models: What ``/v1/models`` lists, with the announced day of the end.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        latency: tuple[float, float] = (0.0, 0.0),
        schema: Path | None = SCHEMA,
        models: dict[str, str | None] | None = None,
    ) -> None:
        self.key = key
        self.models = models or {"gpt-5": "2026-12-11", "gpt-4o-mini": "2027-01-14", "gpt-6-luna": None}
        self.requests: list[Asked] = []
        self.violations: list[str] = []
        self.images: Counter[str] = Counter()
        self.answers: dict[str, dict[str, Any]] = {}
        self.looked_up: list[str] = []
        self.connections = 0
        self.holding = 0
        self.stalled = 0
        self._latency = latency
        self._random = random.Random(0)
        self._scripts: deque[tuple[str, Kind | None]] = deque()
        self._lock = threading.Lock()
        self._held = threading.Condition(self._lock)
        self._released = threading.Event()
        self._validators = _validators(schema)
        self.batches = Batches(self)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def start(self) -> StubOpenAI:
        self._thread.start()
        return self

    def stop(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> StubOpenAI:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def script(self, *behaviours: str, kind: Kind | None = None) -> None:
        """Let the next requests (of one kind: vision or text) be treated so, one each."""
        with self._lock:
            self._scripts.extend((_known(name), kind) for name in behaviours)

    def release(self) -> None:
        """Let go of everything that hangs or drips."""
        self._released.set()

    def wait_until_holding(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until so many requests hang or drip."""
        with self._held:
            return self._held.wait_for(lambda: self.holding >= count, timeout)

    def stats(self) -> dict[str, Any]:
        with self._lock:
            kinds = Counter(asked.kind for asked in self.requests)
            return {
                "requests": len(self.requests),
                "vision": kinds["vision"],
                "text": kinds["text"],
                "images": dict(self.images),
                "answers": dict(self.answers),
                "violations": list(self.violations),
                "connections": self.connections,
                "holding": self.holding,
                "batches": self.batches.stats(),
            }

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        """Book a request and decide what to do with it."""
        wrong = self.check("CreateChatCompletionRequest", body) or violations(body)
        if wrong:
            with self._lock:
                self.violations += wrong
            return error(400, "invalid_request", "; ".join(wrong))
        try:
            asked = Asked(body, headers, _picture(body))
        except urllib.error.URLError:
            return error(400, "invalid_image_url", "Timeout while downloading the picture.")
        with self._lock:
            self.requests.append(asked)
            if asked.image:
                self.images[asked.image] += 1
                self.answers[asked.image] = asked.answer()
            name = headers.get("x-stub-behaviour") or self._from_model(body["model"]) or self._next(asked.kind)
            latency = self._random.uniform(*self._latency)
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            name = "401"
        if latency:
            time.sleep(latency)
        return behave(_known(name), asked)

    def check(self, schema: str, document: object) -> list[str]:
        """Return where a document breaks OpenAI's schema."""
        if schema not in self._validators:
            return []
        return [
            f"{schema}: {problem.json_path}: {problem.message}"
            for problem in self._validators[schema].iter_errors(document)
        ]

    @contextmanager
    def held(self) -> Iterator[threading.Event]:
        with self._held:
            self.holding += 1
            self.stalled += 1
            self._held.notify_all()
        try:
            yield self._released
        finally:
            with self._held:
                self.holding -= 1

    def _from_model(self, model: str) -> str | None:
        return model.removeprefix("stub-") if model.startswith("stub-") else None

    def _next(self, kind: Kind) -> str:
        for entry in self._scripts:
            if entry[1] in (None, kind):
                self._scripts.remove(entry)
                return entry[0]
        return "ok"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    stub: StubOpenAI

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away at its deadline is what these tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.stub.connections += 1

    def do_DELETE(self) -> None:
        self._send(self.server.stub.batches.serve("DELETE", self.path, b"", ""))

    def do_GET(self) -> None:
        stub = self.server.stub
        if re.match(r"/v1/(files|batches)\b", self.path):
            self._send(stub.batches.serve("GET", self.path, b"", ""))
        elif self.path == f"{urlsplit(stub.url).path}/models":
            data = [
                {"id": name, "object": "model", "created": 1, "owned_by": "stub", "shutdown_date": end}
                for name, end in stub.models.items()
            ]
            self._json({"object": "list", "data": data})
        elif self.path.startswith("/v1/models/"):
            name = self.path.removeprefix("/v1/models/")
            stub.looked_up.append(name)
            if name in stub.models:
                self._json({"id": name, "object": "model", "created": 1, "owned_by": "stub"})
            else:
                self._send(error(404, "model_not_found", f"The model '{name}' does not exist"))
        elif self.path == "/_stub/stats":
            self._json(stub.stats())
        else:
            self._send(error(404))

    def do_POST(self) -> None:
        stub = self.server.stub
        length = int(self.headers.get("content-length", 0))
        raw = self.rfile.read(length)
        if len(raw) < length:  # who asked was killed before all of it was sent
            return
        if re.match(r"/v1/(files|batches)\b", self.path):
            self._send(stub.batches.serve("POST", self.path, raw, self.headers.get("content-type", "")))
            return
        body = json.loads(raw) if raw else {}
        if urlsplit(self.path).path == f"{urlsplit(stub.url).path}/chat/completions":
            self._send(stub.take(body, {name.lower(): value for name, value in self.headers.items()}))
        elif self.path == "/_stub/script":
            stub.script(*body["behaviours"], kind=body.get("kind"))
            self._json({})
        elif self.path == "/_stub/batches/run":
            self._json({"batches": stub.batches.run(**body)})
        elif self.path == "/_stub/release":
            stub.release()
            self._json({})
        else:
            self._send(error(404))

    def _json(self, document: object) -> None:
        self._send(Reply(body=json.dumps(document).encode()))

    def _send(self, reply: Reply) -> None:
        head = {"content-type": reply.content_type, "content-length": str(len(reply.body)), "x-request-id": "req_stub"}
        lines = [
            f"HTTP/1.1 {reply.status} Stub",
            *(f"{name}: {value}" for name, value in (head | reply.headers).items()),
        ]
        data = "\r\n".join([*lines, "", ""]).encode()
        match reply.how:
            case "send":
                self.wfile.write(data + reply.body)
            case "hang":
                with self.server.stub.held() as released:
                    released.wait()
                self.wfile.write(data + reply.body)
            case "drip":
                self.wfile.write(data)
                self._drip(reply.body)
            case "drip_headers":
                self._drip(data + reply.body)
            case "drop" | "cut":
                self.wfile.write(data + reply.body[:20] if reply.how == "cut" else b"")
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

    def _drip(self, data: bytes) -> None:
        with self.server.stub.held() as released:
            for start in range(len(data)):
                if released.wait(0.02):
                    self.wfile.write(data[start:])
                    return
                self.wfile.write(data[start : start + 1])

    def log_message(self, format: str, *args: object) -> None:
        pass


def _picture(body: dict[str, Any]) -> bytes | None:
    for part in _parts(body):
        if part["type"] == "image_url":
            url = part["image_url"]["url"]
            if url.startswith("data:"):
                return base64.b64decode(url.partition(",")[2], validate=True)
            with urllib.request.urlopen(url, timeout=5) as response:
                return bytes(response.read())
    return None


@functools.cache
def _validators(schema: Path | None) -> dict[str, Any]:
    if schema is None:
        return {}
    import jsonschema

    document = json.loads(schema.read_text())
    roots = ("CreateChatCompletionRequest", "CreateChatCompletionResponse", "ErrorResponse", "ListModelsResponse")
    return {
        root: jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{root}"}) for root in roots
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for OpenAI's Chat Completions, for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="require this bearer token")
    parser.add_argument("--latency", default="0-0", metavar="FROM-TO", help="seconds an answer takes")
    parser.add_argument("--unchecked", action="store_true", help="do not check requests against OpenAI's schema")
    options = parser.parse_args()
    low, _, high = options.latency.partition("-")
    stub = StubOpenAI(
        port=options.port,
        key=options.key,
        latency=(float(low), float(high or low)),
        schema=None if options.unchecked else SCHEMA,
    ).start()
    print(stub.url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        stub.stop()


if __name__ == "__main__":
    main()
