"""The form of an archive: rows as JSON lines, compressed, and a manifest that proves them. The same rows give the same
bytes, so a second try writes the same object.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from growbin_jobs.errors import Permanent

#: Of the form; a reader refuses another one.
FORM: Final = 1

_TIME: Final = "$time"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What proves an archive.

    Attributes:
      id: The first 32 digits of ``sha256``.
      source: The table.
      rows: Number of lines.
      size: Bytes of the compressed object.
      sha256: Of the lines, uncompressed.
      object_sha256: Of the compressed object.
      first_at, last_at: Times of the oldest and the newest row.
    """

    id: str
    source: str
    rows: int
    size: int
    sha256: str
    object_sha256: str
    first_at: str
    last_at: str
    form: int = FORM

    @property
    def key(self) -> str:
        """Key of the object; the manifest lies beside it."""
        return f"archives/{self.source}/{self.first_at[:7]}/{self.first_at[:10]}-{self.id}.jsonl.gz"

    @property
    def manifest_key(self) -> str:
        """Key of the manifest."""
        return self.key.removesuffix(".jsonl.gz") + ".manifest.json"

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()


def pack(source: str, rows: Sequence[Mapping[str, Any]], at: str) -> tuple[bytes, Manifest]:
    """Return the object for rows, and its manifest.

    Parameters:
      source: The table.
      rows: At least one.
      at: The column with a row's time.
    """
    lines = lines_of(rows)
    body = gzip.compress(lines, 6, mtime=0)
    sha256 = hashlib.sha256(lines).hexdigest()
    moments = [row[at].astimezone(UTC).isoformat() for row in rows]
    manifest = Manifest(
        id=sha256[:32],
        source=source,
        rows=len(rows),
        size=len(body),
        sha256=sha256,
        object_sha256=hashlib.sha256(body).hexdigest(),
        first_at=min(moments),
        last_at=max(moments),
    )
    return body, manifest


def unpack(body: bytes, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the rows of an object, once it is proven to be what was written.

    Raises:
      Permanent: ``archive_damaged``.
    """
    if hashlib.sha256(body).hexdigest() != manifest.object_sha256:
        raise Permanent("archive_damaged", archive=manifest.id, detail="its checksum is another one")
    try:
        lines = gzip.decompress(body)
        rows = [_row(line) for line in lines.decode().splitlines()]
    except (OSError, EOFError, ValueError):
        raise Permanent("archive_damaged", archive=manifest.id, detail="it cannot be read") from None
    if hashlib.sha256(lines).hexdigest() != manifest.sha256 or len(rows) != manifest.rows:
        raise Permanent("archive_damaged", archive=manifest.id, detail="its rows are others")
    return rows


def read_manifest(body: bytes) -> Manifest:
    """Return a manifest.

    Raises:
      Permanent: ``archive_damaged``.
    """
    try:
        manifest = Manifest(**json.loads(body))
    except (ValueError, TypeError):
        raise Permanent("archive_damaged", archive="?", detail="its manifest cannot be read") from None
    if manifest.form != FORM:
        raise Permanent("archive_damaged", archive=manifest.id, detail=f"its form is {manifest.form}, not {FORM}")
    return manifest


def lines_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as JSON lines, always the same for the same rows."""
    # U+2028 and its like end a line for str.splitlines; JSON escapes them with ensure_ascii.
    return b"".join(json.dumps(dict(row), default=_plain, sort_keys=True).encode() + b"\n" for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.astimezone(UTC).isoformat()}
    raise TypeError(f"a row holds a {type(value).__name__}")


def _row(line: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line)
    return {
        name: datetime.fromisoformat(value[_TIME]) if isinstance(value, dict) and value.keys() == {_TIME} else value
        for name, value in row.items()
    }
