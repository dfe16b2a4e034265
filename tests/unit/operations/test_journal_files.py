import os

import pytest

from growbin_jobs.errors import NotFound
from growbin_jobs.operations import journal_files, journal_status, journal_tail
from growbin_jobs.operations.journal_files import JournalDamaged


def test_the_file_that_is_named_wins_and_one_that_is_missing_is_said(node, tmp_path):
    other = tmp_path / "other"
    other.touch()

    assert journal_files.existing(None, default=node.file) == node.file
    assert journal_files.existing(other, default=node.file) == other
    with pytest.raises(NotFound, match=f"Did you mean {node.file}"):
        journal_files.existing(node.file.parent, default=node.file)
    with pytest.raises(NotFound, match="names another one"):
        journal_files.existing(None, default=tmp_path / "none")


def test_damage_is_found_by_verification_and_an_error_elsewhere(node):
    node.finish("a")
    assert journal_files.verify(node.file).problems == []
    node.journal.close()
    content = node.file.read_bytes()
    node.file.write_bytes(content[:100] + os.urandom(len(content) - 100))

    assert journal_files.verify(node.file).problems != []
    for ask in (journal_files.check_readable, journal_files.checkpoint, journal_status.status):
        with pytest.raises(JournalDamaged):
            ask(node.file)


def test_a_checkpoint_copies_the_log(node):
    node.finish("a")

    done = journal_files.checkpoint(node.file)

    assert done.pages == done.copied > 0


def test_the_status_counts_what_there_is(node):
    node.finish("a")
    node.finish("b", "dead")
    node.accept()

    found = journal_status.status(node.file)

    assert {state.value: count for state, count in found.tasks.items() if count} == {
        "completed": 1, "dead": 1, "pending": 1,
    }  # fmt: skip
    assert (found.node, found.unsynced, found.owed, found.dead_letters) == ("n1", 3, 1, 1)
    assert (found.keeper, found.workers, found.quarantined) == (None, [], [])
    assert found.bytes["database"] > 0


def test_the_tail_begins_with_the_latest_oldest_first(node):
    for number in range(4):
        node.now += 1
        node.finish(f"t{number}")

    assert [task.task_id for task in journal_tail.tail(node.file, 2, follow=False)] == ["t2", "t3"]
    assert list(journal_tail.tail(node.file, 0, follow=False)) == []


def test_the_tail_goes_on_with_what_changes(node):
    node.finish("old")
    following = journal_tail.tail(node.file, 1, follow=True)
    assert next(following).task_id == "old"

    node.finish("new")

    assert next(following).task_id == "new"
    following.close()
