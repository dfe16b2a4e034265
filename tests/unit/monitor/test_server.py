"""How the monitor listens."""

import asyncio
import socket

from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.server import listening


def test_parts_of_an_answer_do_not_wait_for_an_acknowledgement() -> None:
    async def at_once() -> bool:
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def served(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            its = writer.get_extra_info("socket")
            told.set_result(bool(its.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        listener = listening(MonitorConfig(insecure=True, port=0))
        async with await asyncio.start_server(served, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            found = await told
            writer.close()
        return found

    assert asyncio.run(at_once())
