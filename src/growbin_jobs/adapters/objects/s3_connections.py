"""A process's connections to S3: botocore's client, our own requests beside it, and no more at once than allowed."""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from growbin_jobs import __version__
from growbin_jobs.adapters.objects.answers import read_errors_plainly
from growbin_jobs.adapters.objects.faults import BUCKET_IN_HOST, translated
from growbin_jobs.adapters.objects.s3_requests import NotPlain, S3Requests
from growbin_jobs.engine.threads import offload
from growbin_jobs.errors import Deferred

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Seconds until a message asks again for which no connection was free.
BUSY_WAIT: Final = 5.0

#: Hosts that take a bucket in the host's name and nowhere else: Alibaba's, Huawei's (OBS, "VirtualHostDomainRequired")
#: and Tencent's (coze-dev/coze-studio#2307, treeverse/lakeFS#3490). Other servers say so when they are asked.
_WANTS_BUCKET_IN_HOST: Final = re.compile(r"\.(?:aliyuncs|myhuaweicloud|myqcloud)\.com", re.IGNORECASE)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a request gave, which may be empty or nothing."""

    value: T


@dataclass(frozen=True, slots=True)
class _Connection:
    pid: int
    client: "S3Client"
    slots: threading.BoundedSemaphore
    requests: S3Requests | None


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
        #: Where the bucket stands in an address: AWS decides by its name, other servers are asked below a path first.
        self.addressing: Literal["auto", "path", "virtual"] = "auto"
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
                    self._connection = replace(connection, requests=None)
        return None

    @contextlib.contextmanager
    def client(self, doing: str) -> Iterator["S3Client"]:
        """Lend the client while there is a connection for it; turn its errors into ours.

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
        """Make the client. Takes about 150 ms: it reads the service's description."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import NoCredentialsError

        # A session of our own: boto3's default one is not safe to share with other threads.
        session = boto3.session.Session()
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError  # a client without them would be kept, and never look again
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
            s3={"addressing_style": self.addressing, "payload_signing_enabled": True},
        )
        client = session.client("s3", endpoint_url=self._endpoint_url, config=config)
        client.meta.events.register("before-parse.s3", read_errors_plainly)
        try:
            requests = S3Requests(client, credentials, self._bucket)
        except NotPlain:
            requests = None
        return _Connection(os.getpid(), client, threading.BoundedSemaphore(self._pool_size), requests)
