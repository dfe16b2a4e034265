"""The object store for pictures: S3, or a folder with the same addresses and behaviour.

``port`` says what an object store does, ``keys`` what it may be asked for; ``folder`` and ``s3`` do it. Importing
this package loads neither boto3 nor anything else from outside the standard library: producers do it.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from growbin_jobs.adapters.objects.port import Listed, ObjectInfo, ObjectStore
from growbin_jobs.errors import ConfigurationError

__all__ = ["Listed", "ObjectInfo", "ObjectStore", "open_store"]

#: The folder store's bucket, so that its addresses look like those of S3.
LOCAL_BUCKET = "growbin"


def open_store(
    url: str | None, *, data_dir: Path, endpoint_url: str | None = None, pool_size: int = 200, timeout: float = 20.0
) -> ObjectStore:
    """Return the object store that a URL names. It connects when it is first used.

    Parameters:
      url: ``s3://bucket``, ``file:///absolute/path``, or None for a folder below ``data_dir``.
      data_dir: Folder of everything embedded.
      endpoint_url: Address of an S3-compatible server; None for AWS.
      pool_size: Connections to S3 that this process opens at most.
      timeout: Seconds to wait for S3 to connect, or for its next bytes.

    Raises:
      ConfigurationError: If the URL names no store, or the extra for S3 is not installed.
    """
    if url is None:
        return _folder(data_dir / "objects")
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return _folder(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.path in ("", "/") and not parts.query and not parts.fragment:
        from growbin_jobs.adapters.objects.s3 import S3Store

        return S3Store(parts.netloc, endpoint_url=endpoint_url, pool_size=pool_size, timeout=timeout)
    raise ConfigurationError(
        "GROWBIN_OBJECT_STORE_URL must be s3://bucket, without a path, or file:///absolute/folder."
    )


def _folder(root: Path) -> ObjectStore:
    from growbin_jobs.adapters.objects.folder import FolderStore

    return FolderStore(root, bucket=LOCAL_BUCKET)
