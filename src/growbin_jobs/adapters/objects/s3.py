"""The object store in S3, or in a server that speaks its protocol.

Credentials come from the usual AWS chain only (environment, shared files, web identity, instance role). The role needs
GetObject, PutObject, DeleteObject and ListBucket; without the last, S3 answers 403 and not 404 for an object that is
not there, and what should fail waits.
"""

import contextlib
import importlib.util
import re
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from growbin_jobs.adapters.objects.answers import genuine
from growbin_jobs.adapters.objects.keys import address_of, check_key, check_prefix, key_of
from growbin_jobs.adapters.objects.port import Listed, ObjectInfo, probe
from growbin_jobs.adapters.objects.s3_connections import S3Connections
from growbin_jobs.errors import ConfigurationError, NotFound, PictureRefused

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

#: "Bucket naming rules", Amazon S3 User Guide; without the reserved affixes.
BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

#: Seven days, the most that Signature Version 4 allows.
LONGEST_PRESIGN: Final = 7 * 24 * 3600

#: Objects that one answer lists; S3 allows no more.
LIST_PAGE: Final = 1000


class S3Store:
    """See :class:`~growbin_jobs.adapters.objects.port.ObjectStore`.

    One attempt a call: the job tries again, and holds no thread meanwhile.

    Parameters:
      bucket: Its name.
      endpoint_url: Address of an S3-compatible server, which may lie below a path; None for AWS.
      pool_size: Connections that this process opens at most.
      timeout: Seconds to wait for a connection, and for the next bytes.
      max_wait: Seconds to wait for one of the connections to become free; None: like ``timeout``.

    Raises:
      ConfigurationError: If a parameter is wrong, or the extra ``s3`` is not installed.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        pool_size: int = 200,
        timeout: float = 20.0,
        max_wait: float | None = None,
    ) -> None:
        if not BUCKET.fullmatch(bucket):
            raise ConfigurationError(
                "GROWBIN_OBJECT_STORE_URL names no S3 bucket: 3 to 63 small letters, digits, dots and hyphens."
            )
        if endpoint_url is not None and not _is_http(endpoint_url):
            raise ConfigurationError(
                "GROWBIN_S3_ENDPOINT_URL must be http:// or https:// with a host, without ? and #."
            )
        if importlib.util.find_spec("boto3") is None:
            raise ConfigurationError("S3 needs boto3. Install it: pip install 'growbin-jobs[s3]'")
        self.bucket = bucket
        self._connections = S3Connections(
            bucket,
            endpoint_url=endpoint_url and endpoint_url.rstrip("/"),
            pool_size=pool_size,
            timeout=timeout,
            max_wait=timeout if max_wait is None else max_wait,
        )

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> str:
        check_key(key)
        headers = {"content-type": content_type} | ({"cache-control": cache_control} if cache_control else {})
        with self._connections.client("store an object") as client:
            if self._connections.did(lambda requests: requests.put(key, data, headers)):
                return self.address(key)
            if cache_control is None:
                answer = client().put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)
            else:
                answer = client().put_object(
                    Bucket=self.bucket, Key=key, Body=data, ContentType=content_type, CacheControl=cache_control
                )
            genuine("PutObject", answer)
        return self.address(key)

    def get(self, address_or_key: str, *, max_bytes: int | None = None) -> bytes:
        key = key_of(address_or_key, self.bucket)
        with self._connections.client("read an object") as client:
            if found := self._connections.did(lambda requests: requests.get(key, max_bytes)):
                return found.value
            answer = client().get_object(Bucket=self.bucket, Key=key)
            with contextlib.closing(answer["Body"]) as body:
                genuine("GetObject", answer)
                length = answer.get("ContentLength")  # a proxy may send an object in chunks, without its length
                if max_bytes is None:
                    return body.read()
                data = body.read(max_bytes + 1) if length is None else b""
                if (len(data) if length is None else length) > max_bytes:
                    raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(max_bytes / 1e6, 1))
                return data if length is None else body.read()

    def head(self, address_or_key: str) -> ObjectInfo:
        key = key_of(address_or_key, self.bucket)
        with self._connections.client("look at an object") as client:
            try:
                answer = client().head_object(Bucket=self.bucket, Key=key)
            except client().exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                # The answer to HEAD has no body that would say whether the object is missing or the bucket is.
                genuine("ListObjectsV2", client().list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1))
                raise NotFound("There is no such object in S3.") from None
            genuine("HeadObject", answer)
        return ObjectInfo(
            size=answer["ContentLength"],
            modified=answer["LastModified"].astimezone(UTC),
            content_type=answer.get("ContentType", "application/octet-stream"),
            cache_control=answer.get("CacheControl"),
        )

    def exists(self, address_or_key: str) -> bool:
        try:
            self.head(address_or_key)
        except NotFound:
            return False
        return True

    def delete(self, address_or_key: str) -> None:
        key = key_of(address_or_key, self.bucket)
        with contextlib.suppress(NotFound), self._connections.client("delete an object") as client:
            if self._connections.did(lambda requests: requests.delete(key)):
                return
            genuine("DeleteObject", client().delete_object(Bucket=self.bucket, Key=key))

    def list(self, prefix: str = "") -> Iterator[Listed]:
        check_prefix(prefix)
        pages: Iterator[ListObjectsV2OutputTypeDef] | None = None
        while True:
            # Between two pages the connection is free: whoever reads them may take long.
            with self._connections.client("list objects") as client:
                pages = pages or iter(
                    client()
                    .get_paginator("list_objects_v2")
                    .paginate(Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": LIST_PAGE})
                )
                page = next(pages, None)
                if page is None:
                    return
                genuine("ListObjectsV2", page)
            for entry in page.get("Contents", ()):
                yield Listed(entry["Key"], entry["Size"], entry["LastModified"].astimezone(UTC))

    def address(self, key: str) -> str:
        return address_of(key, self.bucket)

    def presign(self, address_or_key: str, *, expires: int) -> str:
        key = key_of(address_or_key, self.bucket)
        if not 0 < expires <= LONGEST_PRESIGN:
            raise ConfigurationError(f"A presigned address lives 1 to {LONGEST_PRESIGN} seconds, not {expires}.")
        with self._connections.client("sign an address") as client:
            return client().generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=expires
            )

    def check(self) -> None:
        before = self._connections.addressing
        try:
            probe(self)
        except ConfigurationError:
            if self._connections.addressing == before:
                raise
            probe(self)  # how the server wants to be asked is known now


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = not (parts.query or parts.fragment or parts.username or parts.password)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and plain
    except ValueError:
        return False
