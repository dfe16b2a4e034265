"""Validates keys of objects, so that every store accepts the same ones."""

from growbin_jobs.errors import Permanent

#: S3's limit ("Naming Amazon S3 objects", Amazon S3 User Guide).
KEY_BYTES = 1024

#: A file system's limit for one name; S3-compatible servers that keep files have it too.
PART_BYTES = 255


def check_key(key: str) -> str:
    """Return the key, if it is one.

    Parts between slashes, none of them empty, ``.`` or ``..``; no control characters; no backslash, which some
    servers take for a slash; at most 1024 bytes, 255 each part. So a key is also a relative path that stays below
    its folder.

    Raises:
      Permanent: ``request_invalid``. The sentence does not repeat the key: it holds a user's id.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise _invalid("the object's key is not Unicode text") from None
    if not 0 < size <= KEY_BYTES:
        raise _invalid(f"the object's key has {size} bytes, not 1 to {KEY_BYTES}")
    if any(character < " " or character in "\x7f\\" for character in key):
        raise _invalid("the object's key holds control characters or a backslash")
    for part in key.split("/"):
        if part in ("", ".", ".."):
            raise _invalid("the object's key has an empty part, '.' or '..'")
        if len(part.encode()) > PART_BYTES:
            raise _invalid(f"a part of the object's key has more than {PART_BYTES} bytes")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix, if legal keys can begin with it; the empty one means all. Raises Permanent like check_key."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def key_of(address_or_key: str, bucket: str) -> str:
    """Return the key that an address or a key means.

    Raises:
      Permanent: ``request_invalid`` for an address of another bucket, or no legal key.
    """
    if not address_or_key.startswith("s3://"):
        return check_key(address_or_key)
    prefix = address_of("", bucket)
    if not address_or_key.startswith(prefix):
        raise _invalid("the object's address is not in our bucket")
    return check_key(address_or_key.removeprefix(prefix))


def address_of(key: str, bucket: str) -> str:
    """Return the address of a key."""
    return f"s3://{bucket}/{key}"


def _invalid(detail: str) -> Permanent:
    return Permanent("request_invalid", detail=detail)
