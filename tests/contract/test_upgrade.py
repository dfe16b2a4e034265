"""What an upgrade promises: versions that live side by side, and databases that people set up in their own ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from growbin_jobs.engine.central import upgrade as module
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import Migration, check, migrations, pending, require_current, upgrade
from growbin_jobs.engine.errors import ConfigurationError, Deferred
from growbin_jobs.models import SCHEMA

NEXT = "CREATE TABLE later (id $text NOT NULL PRIMARY KEY);\n"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> partial[Database]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return partial(open_database, url, default_path=tmp_path / "central.db", pool_size=4, timeout=10)


@pytest.fixture
def database(reopen: Callable[[], Database]) -> Iterator[Database]:
    database = reopen()
    upgrade(database, SCHEMA)
    yield database
    database.close()


def upgraded_by_the_next_version(database: Database, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = (*migrations(SCHEMA), Migration(9000, "9000_later", text))
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda _: newer)
        assert upgrade(database, SCHEMA) == ["9000_later"]
        require_current(database, SCHEMA)


def test_a_newer_schema_that_says_nothing_is_worked_with(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    upgraded_by_the_next_version(database, NEXT, monkeypatch)

    require_current(database, SCHEMA)
    check(database, SCHEMA)
    assert upgrade(database, SCHEMA) == []


def test_a_newer_schema_that_is_not_for_this_program_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded_by_the_next_version(database, "-- incompatible-below: 9000\n" + NEXT, monkeypatch)

    with pytest.raises(ConfigurationError, match=r"has schema 9000, this program knows .* cannot work with it"):
        require_current(database, SCHEMA)


def test_a_database_that_the_previous_version_has_made_is_current_and_can_be_upgraded(
    reopen: partial[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = reopen()
    with monkeypatch.context() as patch:  # its schema_version had no column for the marker
        patch.setattr(module, "migrations", lambda _: migrations(SCHEMA)[:-1])
        upgrade(database, SCHEMA)
    database.run(lambda connection: connection.execute_sql("ALTER TABLE schema_version DROP COLUMN incompatible_below"))

    assert pending(database, SCHEMA) == [migrations(SCHEMA)[-1].name]
    assert upgrade(database, SCHEMA) == [migrations(SCHEMA)[-1].name]
    require_current(database, SCHEMA)


def test_the_previous_version_can_go_on_writing_its_own_row(database: Database) -> None:
    def insert(connection: Any) -> None:
        mark = "%s" if database.dialect == "postgresql" else "?"
        connection.execute_sql(
            f"INSERT INTO schema_version (version, name, applied_at) VALUES ({mark}, {mark}, {mark})",
            (8000, "8000_other", datetime.now(UTC).isoformat()),
        )

    database.run(insert)

    require_current(database, SCHEMA)


# --- PostgreSQL as people set it up


@pytest.fixture
def sql(postgres_server: dict[str, Any]) -> Callable[[str, str], None]:
    psycopg2 = pytest.importorskip("psycopg2")

    def run(url: str, *statements: str) -> None:
        with closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    return run


def named(url: str, name: str) -> str:
    return url.rpartition("/")[0] + f"/{name}"


def as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:secret@{host}"))


def opened(url: str) -> Database:
    return open_database(url, default_path=Path("/nowhere"), pool_size=2, timeout=5)


@pytest.mark.services
@pytest.mark.parametrize("locale", ["EUC_KR", "LATIN1", "UTF8"])
def test_a_database_that_cannot_hold_every_text_is_refused_before_anything_is_made(
    postgres_server: dict[str, Any], postgres_url: str, sql: Any, locale: str
) -> None:
    name = f"{postgres_url.rpartition('/')[2]}_{locale.lower()}"
    sql(postgres_server["url"], f"CREATE DATABASE {name} ENCODING '{locale}' LOCALE 'C' TEMPLATE template0")
    database = opened(named(postgres_url, name))
    try:
        if locale == "UTF8":
            assert upgrade(database, SCHEMA)
            return
        with pytest.raises(ConfigurationError, match=f"encoded in {locale}.*createdb --encoding=UTF8"):
            upgrade(database, SCHEMA)
        with pytest.raises(ConfigurationError, match=f"encoded in {locale}"):
            check(database, SCHEMA)
        with pytest.raises(ConfigurationError, match=f"encoded in {locale}"):
            require_current(database, SCHEMA)
        assert database.run(lambda connection: connection.get_tables()) == []
    finally:
        database.close()
        sql(postgres_server["url"], f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def role(postgres_server: dict[str, Any], postgres_url: str, sql: Any) -> Iterator[str]:
    name = f"role_{postgres_url.rpartition('_')[2]}"
    sql(postgres_server["url"], f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    yield name
    sql(postgres_url, f"DROP OWNED BY {name} CASCADE")
    sql(postgres_server["url"], f"DROP ROLE {name}")


@pytest.mark.services
def test_a_role_that_gets_a_schema_of_its_own_name_sees_the_tables_and_makes_no_second_set(
    postgres_url: str, sql: Any, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(postgres_url, f"GRANT ALL ON SCHEMA public TO {role}")
    database = opened(as_user(postgres_url, role))
    upgrade(database, SCHEMA)
    sql(postgres_url, f"CREATE SCHEMA {role} AUTHORIZATION {role}")
    database.close()

    assert pending(database, SCHEMA) == []
    check(database, SCHEMA)
    upgraded_by_the_next_version(database, NEXT, monkeypatch)

    def lies_in(connection: Any) -> list[str]:
        query = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        return [row[0] for row in connection.execute_sql(query).fetchall()]

    assert database.run(lies_in) == ["public"]
    database.close()


@pytest.mark.services
@pytest.mark.parametrize("rights", ["", "SELECT", "SELECT, INSERT", "INSERT, UPDATE, DELETE"])
def test_missing_rights_are_named_with_their_remedy_and_waited_for(
    postgres_url: str, sql: Any, role: str, rights: str
) -> None:
    owner = opened(postgres_url)
    upgrade(owner, SCHEMA)
    owner.close()
    if rights:
        sql(postgres_url, f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role}")
    database = opened(as_user(postgres_url, role))

    with pytest.raises((ConfigurationError, Deferred), match="GRANT"):
        check(database, SCHEMA)
    statement = "DELETE FROM tasks" if "SELECT" in rights else "SELECT * FROM tasks"
    with pytest.raises(Deferred, match="GRANT"):
        database.run(lambda connection: connection.execute_sql(statement))
    with pytest.raises(ConfigurationError, match="GRANT"):
        upgrade(database, SCHEMA)

    sql(postgres_url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    check(database, SCHEMA)
    sql(
        postgres_url,
        "ALTER TABLE tasks ENABLE ROW LEVEL SECURITY; CREATE POLICY reads ON tasks FOR SELECT USING (true)",
    )
    with pytest.raises(ConfigurationError, match="run: ALTER TABLE tasks DISABLE ROW LEVEL SECURITY"):
        check(database, SCHEMA)
    sql(postgres_url, f"CREATE POLICY writes ON tasks TO {role} USING (true)")
    check(database, SCHEMA)
    database.close()


@pytest.mark.services
def test_a_role_that_cannot_make_or_change_tables_is_told_so_before_anything_is_done(
    postgres_url: str, sql: Any, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refusal names what to run; after that, the next one comes, until all is well."""
    sql(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    database = opened(as_user(postgres_url, role))

    def refused(words: str) -> str:
        said = []
        for tried in (upgrade, check):
            with pytest.raises(ConfigurationError, match=words) as caught:
                tried(database, SCHEMA)
            said.append(str(caught.value))
        assert said[0] == said[1]
        return re.split("[Rr]un: ", said[0])[-1]

    def mended(words: str) -> None:
        sql(postgres_url, refused(words))
        database.close()

    mended(r'GRANT USAGE, CREATE ON SCHEMA "public"')
    sql(postgres_url, f"ALTER ROLE {role} SET default_transaction_read_only = on")
    database.close()
    refused("can only be read")
    sql(postgres_url, f"ALTER ROLE {role} RESET default_transaction_read_only")
    database.close()

    sql(postgres_url, f"CREATE SCHEMA other; GRANT CREATE ON SCHEMA other TO {role}")
    elsewhere = opened(f"{postgres_url}?options=-c%20search_path%3Dother")
    upgrade(elsewhere, SCHEMA)
    elsewhere.close()
    mended("GRANT USAGE ON SCHEMA")
    mended('the schema "other", where its user does not look')
    mended("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA other")
    check(database, SCHEMA)
    later = (*migrations(SCHEMA), Migration(9000, "9000_later", NEXT))
    monkeypatch.setattr(module, "migrations", lambda _: later)
    refused("may not change the table .*GRANT .* TO")
    database.close()
