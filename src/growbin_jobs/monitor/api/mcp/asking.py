"""Asks the application itself, as who asked: what a tool may see and what is written down is what the route says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from fastapi import FastAPI

from growbin_jobs.monitor.people import Identity

#: Bytes of an answer; a model reads no more, and a client may well refuse it.
LONGEST: Final = 400_000

#: Headers of who asks that the routes read too: who, in which language, from where.
_PASSED_ON: Final = frozenset({b"host", b"accept-language", b"authorization", b"cookie", b"x-forwarded-for"})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks.

    Attributes:
      identity: As it was looked up.
      client: Address and port, as ASGI has them; None: there is none.
      headers: Of the request, as ASGI has them.
    """

    identity: Identity
    client: tuple[str, int] | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"host", b"localhost")])

    async def get(self, app: FastAPI, path: str, query: str) -> tuple[int, str | None]:
        """Return the status and the body of an answer; None: it is longer than :data:`LONGEST`.

        Parameters:
          path: Below the prefix, encoded as in an address.
          query: Encoded.
        """
        answer = _Answer()
        await app(self._scope(app.state.config.url_prefix + path, query), answer.asked, answer.take)
        return answer.status, None if answer.is_too_long else b"".join(answer.pieces).decode("utf-8", "replace")

    def _scope(self, path: str, query: str) -> dict[str, Any]:
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": "GET", "scheme": "http", "path": unquote(path), "raw_path": path.encode("ascii"), "root_path": "",
            "query_string": query.encode("ascii"), "client": self.client, "server": None,
            "headers": [(name, value) for name, value in self.headers if name in _PASSED_ON],
            "state": {"identity": self.identity},
        }  # fmt: skip


class _Answer:
    """Asks without a body, and takes the answer in as far as it is short enough."""

    def __init__(self) -> None:
        self.status = 500
        self.pieces: list[bytes] = []
        self.is_too_long = False
        self._length = 0
        self._is_asked = False

    async def asked(self) -> dict[str, Any]:
        if self._is_asked:
            await asyncio.Event().wait()  # who asks stays until the answer is there
        self._is_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body" and not self.is_too_long:
            self._length += len(message.get("body", b""))
            self.is_too_long = self._length > LONGEST
            self.pieces.append(message.get("body", b""))
