"""Lines of a batch's files: requests as they are sent, and results as they come, in any order."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from growbin_jobs.adapters.llm.body import encoded
from growbin_jobs.errors import Transient

#: Where each request of a batch goes.
ENDPOINT: Final = "/v1/chat/completions"

#: Bytes of one line of a result at most; an answer has kilobytes.
_LONGEST: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request.

    Attributes:
      id: The request's own, which we gave it.
      status: Of HTTP; None where it was not sent, such as when the batch's time was over.
      body: Of the response.
      request_id: For the server's support and logs.
      error: Code of why it was not sent.
    """

    id: str
    status: int | None
    body: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    error: str | None = None


def request_line(request_id: str, body: Mapping[str, Any]) -> bytes:
    """Return a request as a line of an input file.

    Parameters:
      request_id: Our own id for it, by which its result is found.
      body: Of the request.
    """
    head = json.dumps({"custom_id": request_id, "method": "POST", "url": ENDPOINT}, separators=(",", ":"))
    return head[:-1].encode() + b',"body":' + encoded(body) + b"}\n"


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file that comes in pieces; no more than one line is held at a time.

    Raises:
      Transient: A line is too long to be a result.
    """
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(rest) > _LONGEST:
            raise Transient("A line of the batch's results is too long.")
    if rest.strip():
        yield rest


def read_result(line: bytes) -> Result | None:
    """Read a line of an output file or of an error file; None where it is none."""
    try:
        document = json.loads(line)
        request_id, response, error = document["custom_id"], document.get("response"), document.get("error")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not isinstance(request_id, str):
        return None
    code = error.get("code") if isinstance(error, Mapping) else None
    if not isinstance(response, Mapping) or not isinstance(response.get("status_code"), int):
        return Result(request_id, None, error=str(code or "not_sent")[:100])
    body, server_id = response.get("body"), response.get("request_id")
    return Result(
        request_id,
        response["status_code"],
        body if isinstance(body, Mapping) else {},
        server_id if isinstance(server_id, str) else None,
    )
