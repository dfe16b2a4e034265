"""What limits granted by the minute: in the central database, on both kinds, and in a node's journal."""

from pathlib import Path

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import rate_limit_log
from growbin_jobs.limits.minutes import CentralUse, JournalUse


def test_counts_of_one_minute_and_node_add_up(database: Database) -> None:
    first, second = CentralUse(database, "n1"), CentralUse(database, "n2")
    first.add({(60, "vision"): 2, (120, "vision"): 1})
    first.add({(60, "vision"): 3})
    second.add({(60, "vision"): 4, (60, "text"): 1})
    second.add({})

    assert first.since(60) == [
        ("text", 60, "n2", 1),
        ("vision", 60, "n1", 5),
        ("vision", 60, "n2", 4),
        ("vision", 120, "n1", 1),
    ]
    assert first.since(120) == [("vision", 120, "n1", 1)]


def test_counts_of_days_ago_go(database: Database) -> None:
    use = CentralUse(database, "n1")
    use.add({(0, "vision"): 1})
    use.add({(3 * 86_400, "vision"): 2})

    assert use.since(0) == [("vision", 3 * 86_400, "n1", 2)]


def test_the_journal_of_a_node_has_its_own(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / "task_queue.db", node="n1", worker=f"w{i}", free_floor=1) for i in range(2)]
    for journal in journals:
        JournalUse(journal.write).add({(60, "vision"): 2, (120, "text"): 1})

    assert journals[0].read(lambda connection: rate_limit_log.since(connection, 60)) == [
        ("text", 120.0, 2),
        ("vision", 60.0, 4),
    ]
    for journal in journals:
        journal.close()
