"""The words of a process about its messages: bounded in number, size and rate."""

import time

from growbin_jobs.engine.task_progress import files, reporting
from growbin_jobs.engine.task_progress.reporting import Reporter


def test_only_the_latest_word_is_written_and_once(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(reporting, "write", lambda path, latest: written.append(dict(latest)))
    reporter = Reporter(tmp_path)
    reporter._thread = object()  # its thread does not write here
    for number in range(1000):
        reporter.note("m", number / 1000, f"step {number}")
    reporter.write()
    reporter.write()
    (latest,) = written
    assert (latest["m"].fraction, latest["m"].text) == (0.999, "step 999")


def test_only_so_many_messages_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(reporting, "MOST_MESSAGES", 10)
    reporter = Reporter(tmp_path)
    reporter._thread = object()
    for number in range(30):
        reporter.note(f"m{number}", 0.5, "한국어 \ud800")
    reporter.write()
    (path,) = files.all_of(tmp_path)
    assert sorted(files.read(path)) == sorted(f"m{number}" for number in range(20, 30))
    assert files.of_message(tmp_path, "m29").text.startswith("한국어")
    assert files.of_message(tmp_path, "m1") is None


def test_a_word_of_long_ago_is_forgotten(tmp_path, monkeypatch):
    reporter = Reporter(tmp_path)
    reporter._thread = object()
    reporter.note("old", 0.5, "")
    monkeypatch.setattr(reporting, "KEPT", -1.0)
    reporter.write()
    assert files.of_message(tmp_path, "old") is None


def test_the_latest_of_several_processes_counts_and_a_damaged_file_counts_as_none(tmp_path):
    now = time.time()
    for name, at in (("1", now - 5), ("2", now)):
        files.write(tmp_path / files.FOLDER / f"{name}.json", {"m": files.Progress(0.1, name, at)})
    (tmp_path / files.FOLDER / "3.json").write_text('{"m": [1, 2]}')
    (tmp_path / files.FOLDER / "4.json").write_text("{")
    assert files.of_message(tmp_path, "m") == files.Progress(0.1, "2", now)
