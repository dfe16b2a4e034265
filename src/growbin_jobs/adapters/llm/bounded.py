"""Bounds what a server may answer: its size after decompression, so that a small body cannot fill the memory."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpx2

#: Bytes of a body, decompressed. An answer has kilobytes; the list of a gateway's models has about one megabyte.
LARGEST: Final = 8_000_000

#: Bytes that are decompressed at once.
_STEP: Final = 262_144

#: Bytes that the responses of this thread or greenlet may have.
_most: ContextVar[int] = ContextVar("growbin_largest_body", default=LARGEST)


@contextmanager
def allowing(most: int) -> Iterator[None]:
    """Let responses inside be larger, which are read piece by piece.

    Parameters:
      most: Bytes of a body, decompressed.
    """
    token = _most.set(most)
    try:
        yield
    finally:
        _most.reset(token)


class AnswerTooLarge(httpx2.DecodingError):
    """The body is larger than is allowed: :data:`LARGEST`, where nobody has said otherwise."""


class AnswerBrokenOff(httpx2.RemoteProtocolError):
    """The connection ended, or failed, in the middle of an answer."""


class BoundedStream(httpx2.SyncByteStream):
    """The body of a response, decompressed, and no more of it than is allowed.

    Parameters:
      inner: As it comes from the connection.
      encoding: ``content-encoding`` of the response.
      most: Bytes of the body.
      is_error: A body that is cut off or badly packed ends where it does: the status and the headers say enough.
    """

    def __init__(
        self, inner: httpx2.SyncByteStream, encoding: str, most: int = LARGEST, *, is_error: bool = False
    ) -> None:
        self._inner = inner
        self._encoding = encoding
        self._most = most
        self._is_error = is_error

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for chunk in self._chunks():
                size += len(chunk)
                if size > self._most:
                    raise AnswerTooLarge("the body is too large")
                yield chunk
        except httpx2.DecodingError as error:
            if not self._is_error or isinstance(error, AnswerTooLarge):
                raise
        except (httpx2.RemoteProtocolError, httpx2.ReadError) as error:
            if not self._is_error:
                raise AnswerBrokenOff(str(error)) from error

    def close(self) -> None:
        self._inner.close()

    def _chunks(self) -> Iterator[bytes]:
        if self._encoding in ("", "identity", "aws-chunked"):
            yield from self._inner
            return
        if self._encoding not in ("gzip", "x-gzip", "deflate"):
            raise httpx2.DecodingError("the body is compressed in a way that was not asked for")
        try:
            yield from self._decompressed()
        except zlib.error as error:
            raise httpx2.DecodingError("the body is not compressed as it says") from error

    def _decompressed(self) -> Iterator[bytes]:
        decompress: Any = None
        for chunk in self._inner:
            rest = chunk
            while rest:
                if decompress is None or decompress.eof:  # the first stream, or one more behind it
                    decompress = zlib.decompressobj(zlib.MAX_WBITS | 32 if _has_head(rest) else -zlib.MAX_WBITS)
                yield decompress.decompress(rest, _STEP)
                rest = decompress.unconsumed_tail or decompress.unused_data
        if decompress is not None:
            yield decompress.flush()


def _has_head(data: bytes) -> bool:
    """Return False for "deflate" without the head of zlib, as some servers understand it (RFC 9110 §8.4.1.2)."""
    return data[:2] == b"\x1f\x8b" or len(data) < 2 or (data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0)


def bounded(response: httpx2.Response) -> httpx2.Response:
    """Return a response whose body is read no further than is allowed.

    Parameters:
      response: Of a transport; its body has not been read.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    assert isinstance(response.stream, httpx2.SyncByteStream)
    response.stream = BoundedStream(response.stream, encoding, _most.get(), is_error=response.status_code >= 400)
    if encoding:
        del response.headers["content-encoding"]
        response.headers.pop("content-length", None)
    return response
