"""Hashes by which what belongs to people who were erased is known, without their ids."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from growbin_jobs.messages import owner_of

Kind = Literal["user", "analysis"]


@dataclass(frozen=True, slots=True)
class Refs:
    """Hashes, each with the time of its erasure."""

    hashes: Mapping[str, datetime]

    def cover(self, user: str | None, analysis: str | None, at: datetime) -> bool:
        """Return whether something of a user or of an analysis, made at a time, was erased."""
        if analysis is not None and ref_hash("analysis", analysis) in self.hashes:
            return True
        erased_at = self.hashes.get(ref_hash("user", user)) if user is not None else None
        return erased_at is not None and at <= erased_at

    def belong(self, body: bytes | str) -> bool:
        """Return whether an encoded message is of somebody who was erased, and older than that."""
        user, analysis = owner_of(body)
        return (user, analysis) != (None, None) and self.cover(user, analysis, _made_at(body))


def ref_hash(kind: Kind, value: str) -> str:
    """Return the hash by which an id is known once it is erased: SHA-256 of the kind and the id."""
    return hashlib.sha256(f"growbin-jobs erasure\0{kind}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()


def _made_at(body: bytes | str) -> datetime:
    """Return when a message was made; long ago where it does not say."""
    try:
        return datetime.fromtimestamp(float(json.loads(body)["message_timestamp"]) / 1000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
