"""A model server that thinks for a while and always answers: ``python -m benchmarks.pipeline.model_server``.

It costs as little as it can, since it runs on the cores that are measured, and counts what was asked of it. Answers
differ from picture to picture, so that nobody answers a text from a cache. The first line of its output is its address.
"""

import asyncio
import json
import os
import sys
import zlib
from collections import Counter

THINKS = {"vision": float(os.environ["BENCH_VISION"]), "text": float(os.environ["BENCH_TEXT"])}
ITEMS = os.environ["BENCH_ITEMS"].split(",")
ADVICE = "이 물건은 깨끗이 헹군 다음 정해진 수거함에 넣어 주세요. 1. 비웁니다. 2. 헹굽니다. 3. 수거함에 넣습니다."

counted: Counter[str] = Counter()
in_flight = most = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
            body = await reader.readexactly(length)
            answer = json.dumps(await _answer(head, body)).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
                + answer
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _answer(head: bytes, body: bytes) -> object:
    global in_flight, most
    if head.startswith(b"get /stats"):
        return {**counted, "most": most}
    kind = "vision" if b'"image_url"' in body else "text"
    counted[kind] += 1
    counted[f"{kind}_bytes"] += len(body)
    in_flight += 1
    most = max(most, in_flight)
    try:
        await asyncio.sleep(THINKS[kind])
    finally:
        in_flight -= 1
    return _completion(_seen(zlib.crc32(body)) if kind == "vision" else ADVICE)


def _seen(digest: int) -> str:
    answer = {
        "category": ("plastic", "paper", "metal", "glass", "general")[digest % 5],
        "item": ITEMS[digest % len(ITEMS)],
        "state": ("clean", "dirty", "mixed")[digest % 3],
        "confidence": 0.5 + digest % 49_999 / 100_000,
    }
    return json.dumps(answer)


def _completion(content: str) -> dict[str, object]:
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 0,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940},
    }


async def main() -> None:
    """Listen on a free port until killed."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
