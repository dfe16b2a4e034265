"""A process's connections to S3: our own requests, botocore's client beside them, and no more at once than allowed."""

import contextlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, cast
from urllib.parse import urlsplit

from growbin_jobs import __version__
from growbin_jobs.adapters.objects.answers import read_errors_plainly
from growbin_jobs.adapters.objects.faults import BUCKET_IN_HOST, translated
from growbin_jobs.adapters.objects.s3_place import place_below, place_by_botocore
from growbin_jobs.adapters.objects.s3_requests import NotPlain, S3Requests
from growbin_jobs.engine.threads import offload
from growbin_jobs.errors import Deferred

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3.client import S3Client

#: Seconds until a message asks again for which no connection was free.
BUSY_WAIT: Final = 5.0

#: Hosts that take a bucket in the host's name and nowhere else: Alibaba's, Huawei's (OBS, "VirtualHostDomainRequired")
#: and Tencent's (coze-dev/coze-studio#2307, treeverse/lakeFS#3490). Other servers say so when they are asked.
_WANTS_BUCKET_IN_HOST: Final = re.compile(r"\.(?:aliyuncs|myhuaweicloud|myqcloud)\.com", re.IGNORECASE)

#: Where the bucket stands in an address.
Addressing = Literal["auto", "path", "virtual"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a request gave, which may be empty or nothing."""

    value: T


class _Connection:
    """Of one process.

    Parameters:
      size: Connections at most.
      make_client: Makes botocore's client.

    Attributes:
      requests: None where botocore's client has to send them.
      known: The client, once it is made.
    """

    def __init__(self, size: int, make_client: "Callable[[], S3Client]") -> None:
        self.pid = os.getpid()
        self.slots = threading.BoundedSemaphore(size)
        self.requests: S3Requests | None = None
        self._make_client = make_client
        self._making = threading.Lock()
        self.known: S3Client | None = None

    def client(self) -> "S3Client":
        """Return the client, which is made when it is first needed: most processes never do."""
        with self._making:
            if self.known is None:
                self.known = offload(self._make_client)
        return self.known


class S3Connections:
    """Made at the first use in each process.

    botocore's pool is a cache and no limit (1000 greenlets would open 1000 connections), so a semaphore of the same
    size stands before it.

    Parameters:
      bucket: Its name.
      endpoint_url: Address of an S3-compatible server; None for AWS.
      pool_size: Connections that this process opens at most.
      timeout: Seconds to wait for a connection, and for the next bytes.
      max_wait: Seconds to wait for one of the connections to become free.
    """

    def __init__(
        self, bucket: str, *, endpoint_url: str | None, pool_size: int, timeout: float, max_wait: float
    ) -> None:
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._pool_size = pool_size
        self._timeout = timeout
        self._max_wait = max_wait
        #: AWS decides by the bucket's name, other servers are asked below a path first.
        self.addressing: Addressing = "auto"
        if endpoint_url:
            in_host = _WANTS_BUCKET_IN_HOST.search(urlsplit(endpoint_url).hostname or "")
            self.addressing = "virtual" if in_host else "path"
        self._connecting = threading.Lock()
        self._connection: _Connection | None = None

    def did(self, send: Callable[[S3Requests], T]) -> "Done[T] | None":
        """Return what a request of ours gave; None where botocore has to send it.

        Parameters:
          send: Sends it; inside of :meth:`client`.
        """
        connection = self._connected()
        if connection.requests is not None:
            try:
                return Done(send(connection.requests))
            except NotPlain as answer:
                if answer.lasting:
                    connection.requests = None
        return None

    @contextlib.contextmanager
    def client(self, doing: str) -> Iterator["Callable[[], S3Client]"]:
        """Lend what returns the client while there is a connection for it; turn its errors into ours.

        Parameters:
          doing: What for, in words.

        Raises:
          Deferred: No connection became free.
        """
        with translated(doing, self._bucket):
            connection = self._connected()
            if not connection.slots.acquire(timeout=self._max_wait):
                raise Deferred(
                    f"All {self._pool_size} connections to S3 are busy (GROWBIN_S3_POOL_SIZE).",
                    wait=BUSY_WAIT,
                    capacity=True,
                )
            try:
                yield connection.client
            except Exception as error:
                self._learn_from(error)
                raise
            finally:
                connection.slots.release()

    def _learn_from(self, error: Exception) -> None:
        """Put the bucket into the host's name from now on, where the server asks for that."""
        from botocore.exceptions import ClientError

        if isinstance(error, ClientError) and error.response["Error"].get("Code") in BUCKET_IN_HOST:
            self.addressing, self._connection = "virtual", None

    def _connected(self) -> _Connection:
        """Return this process's client; a fork must not share its parent's connections."""
        connection = self._connection
        if connection is None or connection.pid != os.getpid():
            with self._connecting:
                connection = self._connection
                if connection is None or connection.pid != os.getpid():
                    connection = self._connection = offload(self._connect)
        return connection

    def _connect(self) -> _Connection:
        """Find out how this process asks."""
        import botocore.session
        from botocore.exceptions import NoCredentialsError

        session = botocore.session.Session()
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError  # a client without them would be kept, and never look again
        connection = _Connection(self._pool_size, partial(self._make_client, session, self.addressing))
        server = self._endpoint_url if self.addressing == "path" else None
        place = place_below(session, server, self._bucket) if server else None
        if place and server:
            http = self._http(session, server)
        else:
            client = connection.known = self._make_client(session, self.addressing)  # in a thread of its own already
            place = place_by_botocore(client, self._bucket)
            # botocore has no public way to its connections.
            http = getattr(getattr(client, "_endpoint", None), "http_session", None)
        if place is not None and http is not None:
            connection.requests = S3Requests(http, credentials, place)
        return connection

    def _http(self, session: "Session", endpoint_url: str) -> Any:
        """Return a session of HTTP as botocore makes it for its client, which decides on proxies and certificates."""
        from botocore.endpoint import EndpointCreator

        creator: Any = EndpointCreator(session.get_component("event_emitter"))
        endpoint = creator.create_endpoint(
            SimpleNamespace(endpoint_prefix="s3"),
            region_name=None,
            endpoint_url=endpoint_url,
            verify=session.get_config_variable("ca_bundle"),
            timeout=(self._timeout, self._timeout),
            max_pool_connections=self._pool_size,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        )
        return endpoint.http_session

    def _make_client(self, session: "Session", addressing: Addressing) -> "S3Client":
        """Make botocore's client. Takes 15 MB and 150 ms: it reads the service's description."""
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            max_pool_connections=self._pool_size,
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            # Both are worked out for each request otherwise, a tenth of its CPU; our parameters are fixed.
            user_agent=f"growbin-jobs/{__version__}",
            parameter_validation=False,
            # Checksums in trailers are AWS's own; the signed hash of the payload, which stands in for them, is not.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": addressing, "payload_signing_enabled": True},
        )
        client = session.create_client("s3", endpoint_url=self._endpoint_url, config=config)
        client.meta.events.register("before-parse.s3", read_errors_plainly)
        return cast("S3Client", client)
