"""What two places know of a task, put together; its runs one by one are in ``tests/unit/cli/test_task_history.py``."""

import pytest

from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.errors import ConfigurationError, Deferred, NotFound
from growbin_jobs.operations.task_history import task_record


def events(record):
    return [event.event for event in record.history]


def test_what_the_journal_and_the_database_know_is_one_history(node, central):
    node.finish("a", "failed", error="Boom")
    Sync(node.journal, central).sweep()
    node.finish("a")

    here = task_record("a", file=node.file, node="n1", tasks=lambda: central)
    elsewhere = task_record("a", file=None, node="n2", tasks=lambda: central)

    # The node's own word is newer than what the database has from it.
    assert (here.latest, here.latest.status, here.central.status) == (here.journal, "completed", "failed")
    assert events(here)[:2] == ["created", "started"]
    assert "copied" in events(here)
    assert (elsewhere.latest, elsewhere.journal) == (elsewhere.central, None)
    assert set(events(elsewhere)) == {"created", "started", "failed", "copied"}
    assert [event.at for event in here.history] == sorted(event.at for event in here.history)


@pytest.mark.parametrize("error", [Deferred("It is away.", wait=1), ConfigurationError("It is wrong.")])
def test_a_database_that_cannot_be_asked_is_a_note(node, error):
    node.finish("a")

    def away():
        raise error

    record = task_record("a", file=node.file, node="n1", tasks=away)

    assert record.problems == [record.central_error] == [str(error)]
    assert record.latest.status == "completed"


def test_a_journal_that_cannot_be_read_is_a_note_unless_it_was_asked_for(central, tmp_path):
    file = tmp_path / "text"
    file.write_text("no journal")

    record = task_record("a", file=file, node="n1", tasks=lambda: central)

    assert "is no journal" in record.journal_error
    assert (record.latest, record.history) == (None, [])
    with pytest.raises(NotFound):
        task_record("a", file=file, node="n1", tasks=lambda: central, file_required=True)
