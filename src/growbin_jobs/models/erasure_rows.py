"""The tables of erasures, and what is written into them by the transaction that deletes something."""

from collections.abc import Iterable
from typing import Any

import peewee

from growbin_jobs.engine.central.fields import UtcField, WordsField


class ErasureRow(peewee.Model):
    """Table ``erasure``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    subject_hash = peewee.TextField()
    asked_at = UtcField()
    asked_by = WordsField()
    reason = WordsField()
    #: In place of the user's id in facts that are counted; forgotten when the erasure is done.
    pseudonym = peewee.TextField(null=True)
    done_at = UtcField(null=True)

    class Meta:
        table_name = "erasure"
        indexes = ((("subject_hash", "asked_at"), False),)


class ErasureRefRow(peewee.Model):
    """Table ``erasure_ref``."""

    erasure_id = peewee.TextField()
    hash = peewee.TextField()

    class Meta:
        table_name = "erasure_ref"
        primary_key = peewee.CompositeKey("erasure_id", "hash")


class ErasureCountRow(peewee.Model):
    """Table ``erasure_count``."""

    erasure_id = peewee.TextField()
    source = peewee.TextField()
    things = peewee.BigIntegerField()

    class Meta:
        table_name = "erasure_count"
        primary_key = peewee.CompositeKey("erasure_id", "source")


class ErasureNodeRow(peewee.Model):
    """Table ``erasure_node``."""

    erasure_id = peewee.TextField()
    node = peewee.TextField()
    refs = peewee.BigIntegerField()
    at = UtcField()

    class Meta:
        table_name = "erasure_node"
        primary_key = peewee.CompositeKey("erasure_id", "node")


class ErasureObjectRow(peewee.Model):
    """Table ``erasure_object``."""

    erasure_id = peewee.TextField()
    object_key = peewee.TextField()

    class Meta:
        table_name = "erasure_object"
        primary_key = peewee.CompositeKey("erasure_id", "object_key")


def add_refs(connection: Any, erasure_id: str, hashes: Iterable[str]) -> None:
    """Add hashes to an erasure, inside of a transaction."""
    rows = [{"erasure_id": erasure_id, "hash": each} for each in hashes]
    for start in range(0, len(rows), 1000):
        ErasureRefRow.insert_many(rows[start : start + 1000]).on_conflict_ignore().execute(connection)


def note(connection: Any, erasure_id: str, source: str, things: int) -> None:
    """Add to the numbers of an erasure, in the transaction that deletes the things."""
    row, new = ErasureCountRow, peewee.EXCLUDED
    row.insert({"erasure_id": erasure_id, "source": source, "things": things}).on_conflict(
        conflict_target=[row.erasure_id, row.source], update={row.things: row.things + new.things}
    ).execute(connection)


def leave_object(connection: Any, erasure_id: str, key: str) -> None:
    """Note an object that is to be deleted, in the transaction that takes the last pointer to it away."""
    ErasureObjectRow.insert({"erasure_id": erasure_id, "object_key": key}).on_conflict_ignore().execute(connection)
