"""The audit chain on both databases: what is changed, missing or added shows."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.models import audit as module
from growbin_jobs.models import audit_check
from growbin_jobs.models.audit import LEAST_KEPT, PRUNED, Audit, AuditEntry
from growbin_jobs.models.audit_check import verify_chain
from growbin_jobs.models.audit_retention import KeepAudit


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database)


def write(audit: Audit, count: int) -> None:
    for number in range(1, count + 1):
        audit.append(
            AuditEntry(who="kim", role="operator", address="10.0.0.1", action="photo.seen", target=f"a{number}",
                       whose=f"u{number}", reason="asked for by the user", details={"n": number, "글": "\ud800\0"})
        )  # fmt: skip


def change(database: Database, sql: str) -> None:
    database.transaction(lambda connection: connection.execute_sql(sql))


def test_an_untouched_chain_is_right_and_has_a_head(audit: Audit) -> None:
    assert verify_chain(audit).wrong is None
    assert verify_chain(audit).head == ""
    write(audit, 5)

    verdict = verify_chain(audit)

    assert (verdict.rows, verdict.wrong) == (5, None)
    assert verdict.head == f"5:{audit.find(limit=1)[0].hash}"
    assert verify_chain(audit, verdict.head).wrong is None
    row = audit.find(target="a3")[0]
    assert (row.who, row.address, row.whose, row.reason) == ("kim", "10.0.0.1", "u3", "asked for by the user")


@pytest.mark.parametrize("column", ["who", "at", "role", "address", "action", "target", "whose", "reason", "details"])
def test_a_changed_row_is_found_whatever_was_changed(audit: Audit, database: Database, column: str) -> None:
    write(audit, 4)

    change(database, f"UPDATE audit SET {column} = 'x' WHERE number = 2")

    assert verify_chain(audit).wrong == "Row 2 was changed after it was written."


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM audit WHERE number = 2", "Row 2 is missing."),
        ("DELETE FROM audit WHERE number = 1", "Row 1 is missing."),
        ("DELETE FROM audit WHERE number = 4", "Row 4 is missing: the chain must go on to row 4."),
        ("DELETE FROM audit", "Row 1 is missing: the chain must go on to row 4."),
        ("UPDATE audit SET number = 9 WHERE number = 2", "Row 2 is missing."),
        ("UPDATE audit SET hash = 'x' WHERE number = 2", "Row 2 was changed after it was written."),
        ("UPDATE audit SET before = 'x' WHERE number = 2", "Row 2 does not follow row 1: one of them was changed."),
        (
            "UPDATE audit_chain SET last = 3, last_hash = 'x'",
            "The end of the chain was changed: row 3 is not the one that it names.",
        ),
        ("UPDATE audit_chain SET first = 2", "The chain begins at row 2, and no row says that it was pruned."),
        ("DELETE FROM audit_chain", "There are rows behind row 0 that do not belong to the chain."),
    ],
)
def test_what_was_done_to_the_rows_is_found(audit: Audit, database: Database, sql: str, words: str) -> None:
    write(audit, 4)

    change(database, sql)

    assert verify_chain(audit).wrong == words


def test_a_chain_that_was_written_anew_is_found_by_an_earlier_head(audit: Audit, database: Database) -> None:
    write(audit, 4)
    head = verify_chain(audit).head
    change(database, "DELETE FROM audit")
    change(database, "DELETE FROM audit_chain")
    write(audit, 3)
    assert verify_chain(audit).wrong is None
    assert verify_chain(audit, head).wrong == "Row 4 is missing: the chain ends before it."
    write(audit, 3)

    assert (
        verify_chain(audit, head).wrong == "Row 4 is another one than at the check before: the chain was written anew."
    )


def test_a_head_that_is_none_is_refused(audit: Audit) -> None:
    with pytest.raises(ConfigurationError, match="NUMBER:HASH"):
        verify_chain(audit, "abc")


def test_many_writers_make_one_chain(audit: Audit) -> None:
    threads = [threading.Thread(target=write, args=(audit, 10)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verdict = verify_chain(audit)

    assert (verdict.rows, verdict.wrong) == (60, None)


def test_pages_are_read_by_number(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_check, "_BATCH", 3)
    write(audit, 7)

    first = audit.find(who="kim", limit=4)

    assert [row.number for row in first] == [7, 6, 5, 4]
    assert [row.number for row in audit.find(who="kim", limit=4, before=first[-1].number)] == [3, 2, 1]
    assert verify_chain(audit).rows == 7
    assert audit.find(whose="u2", action="photo.seen")[0].target == "a2"
    assert audit.find(since=datetime.now(UTC) + timedelta(minutes=1)) == []
    assert audit.find(who="eve") == []


def test_pruning_leaves_a_chain_that_says_so(audit: Audit, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class LongAgo(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2020, 1, 1, tzinfo=UTC)

    with monkeypatch.context() as patch:
        patch.setattr(module, "datetime", LongAgo)
        write(audit, 5)
    write(audit, 2)

    assert audit.prune(datetime.now(UTC) - LEAST_KEPT) == 5

    assert [(row.number, row.action) for row in audit.find()] == [(8, PRUNED), (7, "photo.seen"), (6, "photo.seen")]
    assert (verify_chain(audit).rows, verify_chain(audit).wrong) == (3, None)
    assert audit.prune(datetime.now(UTC) - LEAST_KEPT) == 0
    change(database, "UPDATE audit SET target = '7' WHERE number = 8")
    assert verify_chain(audit).wrong is not None


def test_nobody_prunes_what_the_law_wants_kept(audit: Audit) -> None:
    with pytest.raises(ConfigurationError, match="730 days"):
        audit.prune(datetime.now(UTC) - timedelta(days=365))


def test_the_keeper_s_job_leaves_what_is_young(audit: Audit, database: Database) -> None:
    write(audit, 2)

    assert KeepAudit(lambda: database, 731).run_once() == {}
    assert verify_chain(audit).rows == 2
