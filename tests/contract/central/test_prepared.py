"""Prepared statements, on connections that keep them, lose them, and have them from somebody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.prepared import Prepared

pytestmark = pytest.mark.services

SQL = "SELECT %(number)s + 1, %(names)s::text[], %(number)s, %(caps)s"
TYPES = {"names": "text[]", "unused": "text", "number": "bigint", "caps": "bigint[]"}
VALUES = {"number": 41, "names": ["a", "b"], "caps": [None], "unused": None}
ANSWER = [(42, ["a", "b"], 41, [None])]

COUNT = "SELECT count(*) FROM pg_prepared_statements"


@pytest.fixture
def database(postgres_url: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(postgres_url, default_path=tmp_path / "none", pool_size=1, timeout=10)
    yield database
    database.close()


def test_it_is_prepared_once_a_connection_and_again_where_it_was_lost(database: Database) -> None:
    statement = Prepared(SQL, **TYPES)

    def work(connection: Any) -> list[Any]:
        first = [statement.rows(connection, VALUES) for _ in range(3)]
        [(kept,)] = connection.execute_sql(COUNT).fetchall()
        connection.execute_sql("DEALLOCATE ALL")
        return [*first, kept, statement.rows(connection, VALUES)]

    assert database.run(work) == [ANSWER, ANSWER, ANSWER, 1, ANSWER]


def test_what_a_pooler_s_other_client_has_prepared_is_used(database: Database) -> None:
    def work(connection: Any) -> list[Any]:
        ours = Prepared(SQL, **TYPES).rows(connection, VALUES)
        connection.connection().__dict__.clear()  # as another client of the pooler, which knows of nothing
        return [ours, Prepared(SQL, **TYPES).rows(connection, VALUES)]

    assert database.run(work) == [ANSWER, ANSWER]


def test_behind_a_pooler_that_changes_the_server_s_connection_each_time_it_runs_unprepared(database: Database) -> None:
    statement = Prepared(SQL, **TYPES)

    class Changing:
        """A connection after whose statements nothing is prepared."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def connection(self) -> Any:
            return self._connection.connection()

        def execute_sql(self, sql: str, values: Any) -> Any:
            cursor = self._connection.execute_sql(sql, values)
            if sql.startswith("PREPARE"):
                self._connection.execute_sql("DEALLOCATE ALL")
            return cursor

    assert database.run(lambda connection: statement.rows(Changing(connection), VALUES)) == ANSWER


def test_an_error_of_its_own_is_raised(database: Database) -> None:
    with pytest.raises(Exception, match="refuses a value"):
        database.run(lambda connection: Prepared("SELECT 1 / %(by)s", by="bigint").rows(connection, {"by": 0}))
