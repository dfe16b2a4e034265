"""Statements that PostgreSQL plans once a connection: planning a long one takes longer than running it.

The name of a prepared statement is made of its text. So behind a pooler that gives each transaction another connection
of the server, whatever is found under the name is the same statement; where none is found it is prepared there.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import peewee

#: SQLSTATE: there is no such prepared statement; there is one already.
_UNKNOWN: Final = "26000"
_KNOWN: Final = "42P05"

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")

#: Of a connection: the names that were prepared on it.
_ATTRIBUTE: Final = "growbin_prepared"


class Prepared:
    """One statement. It must run by itself, outside of a transaction: where it is unknown, that is an error of one.

    Parameters:
      sql: Marks its values by ``%(name)s``.
      types: Of the values, by name.
    """

    def __init__(self, sql: str, **types: str) -> None:
        used = [name for name in types if f"%({name})s" in sql]
        numbers = {name: f"${number}" for number, name in enumerate(used, 1)}
        text = _PARAMETER.sub(lambda found: numbers[found[1]], sql)
        self._plain = _PARAMETER.sub(lambda found: f"{found[0]}::{types[found[1]]}", sql)
        self._name = f"growbin_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        self._prepare = f"PREPARE {self._name} ({', '.join(types[name] for name in used)}) AS {text}"
        self._execute = f"EXECUTE {self._name} ({', '.join(f'%({name})s::{types[name]}' for name in used)})"

    def rows(self, connection: Any, values: Mapping[str, Any]) -> list[Any]:
        """Run it and return its rows.

        Parameters:
          connection: Of PostgreSQL, as :meth:`growbin_jobs.engine.central.database.Database.run` lends it.
          values: By name.
        """
        prepared: set[str] = connection.connection().__dict__.setdefault(_ATTRIBUTE, set())
        for _ in range(2):
            if self._name not in prepared:
                self._ignoring(_KNOWN, connection, self._prepare, None)
                prepared.add(self._name)
            found = self._ignoring(_UNKNOWN, connection, self._execute, values)
            if found is not None:
                return list(found.fetchall())
            prepared.discard(self._name)  # another connection of a pooler, or one that was reset
        return list(connection.execute_sql(self._plain, values).fetchall())

    def _ignoring(self, code: str, connection: Any, sql: str, values: Mapping[str, Any] | None) -> Any:
        try:
            return connection.execute_sql(sql, values)
        except peewee.PeeweeException as error:
            if getattr(getattr(error, "orig", None), "pgcode", None) != code:
                raise
            return None
