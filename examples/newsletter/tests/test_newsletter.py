"""The service does the same before and after; what the engine adds is shown too."""

from datetime import UTC, datetime

import pytest
from dramatiq import Worker
from newsletter import jobs, letters, with_celery, with_dramatiq

from growbin_jobs.engine import sandbox


@pytest.fixture
def busy_once(monkeypatch):
    """A printer that refuses each letter once."""
    refused, print_letter = set(), letters.print_letter

    def refuse_first(issue, reader):
        if reader not in refused:
            refused.add(reader)
            raise letters.PrinterBusy
        print_letter(issue, reader)

    monkeypatch.setattr(letters, "print_letter", refuse_first)


def by_celery(issue, readers):
    with_celery.app.conf.task_always_eager = True
    with_celery.send_issue.delay(issue, readers)


def by_dramatiq(issue, readers):
    worker = Worker(with_dramatiq.broker, worker_timeout=50, worker_threads=2)
    worker.start()
    try:
        with_dramatiq.send_issue.send(issue, readers)
        with_dramatiq.broker.join("default", timeout=60_000)
        worker.join()
    finally:
        worker.stop()


def by_engine(issue, readers):
    with sandbox() as box:
        jobs.send_issue.send(issue, readers)
        box.run()


@pytest.mark.parametrize("send", [by_celery, by_dramatiq, by_engine])
def test_every_reader_gets_a_letter_and_the_issue_is_closed(send, folder, busy_once):
    send(7, ["ada", "grace"])

    assert sorted(path.name for path in folder.iterdir()) == ["7-ada.txt", "7-grace.txt", "7.closed"]
    assert (folder / "7.closed").read_text() == "2\n"


def test_the_engine_does_it_once_however_often_a_worker_dies(folder, busy_once):
    with sandbox() as box:
        jobs.send_issue.send(8, ["ada", "mary"])
        box.run(twice=True)

    assert [sent.actor for sent in box.sent()].count("close_issue") == 1
    assert (folder / "8.closed").read_text() == "2\n"


def test_a_reader_that_does_not_exist_is_a_dead_letter_and_no_retry(folder):
    with sandbox() as box:
        jobs.write_letter.send(9, "nobody")
        box.run(fail_fast=False)

    [letter] = box.dead()
    assert str(letter.exception) == "It was given up: There is no such reader."
    assert len(box.sent("write_letter")) == 1


def test_a_monday_that_comes_twice_is_one_issue(folder):
    with sandbox() as box:
        jobs.send_weekly.send(due=datetime.now(UTC).isoformat())
        box.run(twice=True)

    assert [sent.actor for sent in box.sent()].count("send_issue") == 1
    assert (folder / "1.closed").exists()
