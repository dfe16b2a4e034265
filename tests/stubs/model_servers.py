"""Stand-ins for ten kinds of model servers: what they refuse, how they wrap it, and how they ask to wait.

Each fact has its source beside it; the sources of a kind are in ``model_catalog.json`` too. Run one as a script:
``python tests/stubs/model_servers.py gemini [--port N] [--key KEY]``; it prints its address as its first line.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import threading
from pathlib import Path
from typing import Any

if (_root := str(Path(__file__).parents[2])) not in sys.path:  # run as a script
    sys.path.insert(0, _root)

from tests.stubs.model_kinds import KINDS
from tests.stubs.model_kinds.parts import Event, Reply, openai_server, wrapped

__all__ = ["KINDS", "Event", "Reply", "StubServer", "openai_server"]


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
