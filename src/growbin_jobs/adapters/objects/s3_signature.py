"""Signature Version 4 of a request with its payload's hash: "Authenticating Requests", Amazon S3 API Reference."""

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote


class Keys(Protocol):
    """What a request is signed with.

    Attributes:
      access_key, secret_key: Of the account.
      token: Of keys that are lent for a while; None: they are not.
    """

    @property
    def access_key(self) -> str | None: ...
    @property
    def secret_key(self) -> str | None: ...
    @property
    def token(self) -> str | None: ...


def quoted(key: str) -> str:
    """Return an object's key as it stands in an address, and in what is signed."""
    return quote(key, safe="/~")


def signed(
    method: str, host: str, path: str, headers: Mapping[str, str], data: bytes, *, keys: Keys, region: str, now: str
) -> dict[str, str]:
    """Return the headers of a request, all of them signed, with its signature.

    Parameters:
      method: In capitals.
      host: As the server is addressed: with a port that is not the scheme's own.
      path: Of the address, quoted; without a query.
      headers: Others, by their names in small letters.
      data: The body.
      keys: Of the account.
      region: Of the bucket.
      now: In UTC, as ``20261129T060000Z``.
    """
    digest = hashlib.sha256(data).hexdigest()
    named = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    if keys.token:
        named["x-amz-security-token"] = keys.token
    names = ";".join(sorted(named))
    lines = [f"{name}:{' '.join(named[name].split())}" for name in sorted(named)]
    canonical = "\n".join([method, path, "", *lines, "", names, digest])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_signing_key(keys.secret_key, now[:8], region), text.encode(), "sha256").hex()
    named["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return named


@lru_cache(maxsize=4)
def _signing_key(secret: str | None, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
