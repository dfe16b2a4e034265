"""Columns that read and write the same Python values on PostgreSQL and on SQLite."""

import json
from datetime import UTC, datetime
from typing import Any

import peewee

from growbin_jobs.engine.errors import Permanent

MAX_ID_LENGTH = 255


class IdField(peewee.TextField):
    """An id from outside: text of 1–255 characters, without control characters.

    Raises:
      Permanent: ``request_invalid``, when a value is none.
    """

    def db_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH or not value.isprintable():
            # The value itself stays out of the sentence: a user id is personal data.
            raise Permanent("request_invalid", detail=f"{self.name} must be 1 to {MAX_ID_LENGTH} printable characters")
        return value


class WordsField(peewee.TextField):
    """Text from a model or a library. What PostgreSQL cannot store (NUL, lone surrogates) becomes ``\\ufffd``."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else storable(str(value))


class UtcField(peewee.Field):
    """A moment: an aware datetime in, an aware datetime in UTC out.

    ``timestamptz`` on PostgreSQL; ISO 8601 text of fixed width on SQLite, which sorts as time does.
    """

    field_type = "DATETIME"

    def db_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, datetime) or value.utcoffset() is None:
            name = getattr(self, "name", "a moment")  # a field of no model has none
            raise TypeError(f"{name} needs a datetime with a time zone, got {type(value).__name__}")
        return stored_moment(value)

    def python_value(self, value: Any) -> datetime | None:
        return utc_moment(value)


def stored_moment(moment: datetime) -> str:
    """Return an aware time as both databases take and compare it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def utc_moment(value: Any) -> datetime | None:
    """Return a time as a database gives it, aware, in UTC."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)  # nearly always it is, and lists are long


def known_moment(value: Any) -> datetime:
    """Return a time of a column that is never NULL; see :func:`utc_moment`."""
    moment = utc_moment(value)
    assert moment is not None
    return moment


class BytesField(peewee.Field):
    """Bytes: ``bytea`` on PostgreSQL, a blob on SQLite. peewee's own one takes its type from a bound database."""

    field_type = "BLOB"

    def python_value(self, value: Any) -> bytes | None:
        return None if value is None else bytes(value)


class JsonField(peewee.Field):
    """A JSON document: ``jsonb`` on PostgreSQL, text on SQLite.

    peewee's own one takes its dialect from the database that the model is bound to; ours are bound to none, so that
    one process can use several databases.
    """

    field_type = "JSON"

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(_storable_tree(value), ensure_ascii=False, allow_nan=False)

    def python_value(self, value: Any) -> Any:
        return None if value is None else json.loads(value)


def storable(text: str) -> str:
    """Return the text without what PostgreSQL refuses: NUL, and halves of a surrogate pair."""
    if text.isascii() and "\0" not in text:  # nearly always, and this is asked for each text of a copy
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _storable_tree(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): _storable_tree(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_tree(part) for part in value]
    return value
