"""Asks a monitor in this process: one trip to the loop in which it answers for each request.

Starlette's own client takes eight of them, which is half of what most requests cost.
"""

from __future__ import annotations

import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI

#: Where requests come from: no address of a network.
PEER = ("testclient", 50000)


class Client(httpx.Client):
    """A browser without pages.

    Parameters:
      app: The monitor; what it raises is raised here.
      portal: The loop.
      address: With its scheme, host and port.
      peer: Where its requests come from.
    """

    def __init__(self, app: FastAPI, portal: BlockingPortal, address: str, peer: tuple[str, int] | None = PEER) -> None:
        super().__init__(transport=_Here(app, portal, peer), base_url=address)
        self.app = app


class _Here(httpx.BaseTransport):
    def __init__(self, app: FastAPI, portal: BlockingPortal, peer: tuple[str, int] | None) -> None:
        self._portal = portal
        self._transport = httpx.ASGITransport(app, client=peer)  # type: ignore[arg-type]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, content = self._portal.call(self._ask, request)
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))

    async def _ask(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        answer = await self._transport.handle_async_request(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        return answer.status_code, answer.headers, b"".join([part async for part in answer.stream])
