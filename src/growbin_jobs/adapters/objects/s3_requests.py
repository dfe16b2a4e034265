"""The three requests of every picture (PUT, GET, DELETE), built and signed here and sent by botocore's HTTP session.

Under gevent botocore takes 5 ms of CPU for a request of which 2 are its sending: it resolves the endpoint anew, calls a
dozen hooks and makes several copies of the headers. Here the bucket's address is worked out once, and what is not a
plain success or one of S3's errors is left to botocore's client: a bucket that is in another region, a web page.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from growbin_jobs import __version__
from growbin_jobs.adapters.objects.answers import genuine, without_namespaces
from growbin_jobs.adapters.objects.s3_place import Place
from growbin_jobs.adapters.objects.s3_signature import quoted, signed
from growbin_jobs.errors import PictureRefused

if TYPE_CHECKING:
    from botocore.credentials import Credentials

#: Codes of errors by which botocore finds out where a bucket is.
_ELSEWHERE: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect"}
)


class NotPlain(Exception):
    """An answer that botocore must deal with: the same request is sent through it.

    Attributes:
      lasting: Others would be answered alike.
    """

    def __init__(self, *, lasting: bool) -> None:
        self.lasting = lasting


class S3Requests:
    """Sends requests for the objects of one bucket.

    Parameters:
      http: botocore's session of HTTP, which has the connections.
      credentials: Of the account; they may be renewed at any time.
      place: Where the bucket is.
    """

    def __init__(self, http: Any, credentials: "Credentials", place: Place) -> None:
        from botocore.parsers import create_parser

        self._http = http
        self._credentials = credentials
        self._place = place
        self._parser: Any = create_parser("rest-xml")

    def put(self, key: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Store an object; errors are those of botocore.

        Raises:
          NotPlain: botocore must do it.
        """
        answer = self._send("PUT", key, data, headers)
        self._check(answer, "PutObject", ETag="etag")

    def delete(self, key: str) -> None:
        """Delete an object; see :meth:`put`."""
        self._check(self._send("DELETE", key), "DeleteObject")

    def get(self, key: str, max_bytes: int | None) -> bytes:
        """Return an object's bytes; see :meth:`put`.

        Raises:
          PictureRefused: It has more than ``max_bytes``.
        """
        from botocore.response import StreamingBody

        answer = self._send("GET", key, streams=True)
        if answer.status_code != 200:
            self._check(answer, "GetObject")
            raise NotPlain(lasting=False)
        length = answer.headers.get("content-length")
        body = StreamingBody(answer.raw, length)
        try:
            _genuine(answer, "GetObject", ETag="etag", LastModified="last-modified")
            _check_date(answer.headers["last-modified"])
            # A proxy may send an object in chunks, without its length.
            data = b"" if length is not None or max_bytes is None else body.read(max_bytes + 1)
            if max_bytes is not None and int(length or len(data)) > max_bytes:
                raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(max_bytes / 1e6, 1))
            return data or body.read()
        finally:
            body.close()

    def _send(
        self,
        method: str,
        key: str,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        streams: bool = False,
    ) -> Any:
        from botocore.awsrequest import AWSPreparedRequest

        place, now = self._place, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = place.path + quoted(key)
        keys = self._credentials.get_frozen_credentials()
        named: Any = signed(method, place.host, path, headers or {}, data, keys=keys, region=place.region, now=now)
        named["user-agent"] = f"growbin-jobs/{__version__}"
        return self._http.send(AWSPreparedRequest(method, place.origin + path, named, data or None, streams))

    def _check(self, answer: Any, operation: str, **marks: str) -> None:
        """Raise what is wrong with an answer that has been read."""
        from botocore.exceptions import ClientError

        status, body = answer.status_code, answer.content
        if status < 300:
            if body:  # neither operation answers anything
                raise NotPlain(lasting=False)
            _genuine(answer, operation, **marks)
            return
        if status < 400:
            raise NotPlain(lasting=True)
        body = without_namespaces(body)
        parsed = self._parser.parse({"status_code": status, "headers": answer.headers, "body": body}, None)
        code = str(parsed["Error"].get("Code"))
        if code in _ELSEWHERE:
            raise NotPlain(lasting=True)
        raise ClientError(parsed, operation)


def _genuine(answer: Any, operation: str, **marks: str) -> None:
    found = {name: answer.headers[header] for name, header in marks.items() if header in answer.headers}
    genuine(operation, found | {"ResponseMetadata": {"HTTPHeaders": answer.headers}})


def _check_date(text: str) -> None:
    try:
        parsedate_to_datetime(text)
    except (ValueError, TypeError):
        raise NotPlain(lasting=False) from None
