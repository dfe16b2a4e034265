"""Commands that only read do not wait for long for a file that somebody keeps locked; those that write do."""

import sys

import pytest

from growbin_jobs.cli import app as command_line
from growbin_jobs.cli.app import COMMANDS, GROUPS, READING


@pytest.fixture
def waits_briefly(monkeypatch):
    """Run the command line with some words, and return whether it waits briefly; the command itself does not run."""
    told = []
    monkeypatch.setattr(command_line, "wait_briefly", lambda: told.append(True))
    monkeypatch.setattr(command_line, "_run", lambda: None)

    def ask(*words):
        told.clear()
        monkeypatch.setattr(sys, "argv", ["growbin-jobs", *words])
        command_line.run()
        return told == [True]

    return ask


@pytest.mark.parametrize("words", [
    ["doctor"], ["doctor", "--json"], ["queues", "list"], ["tasks", "show", "an-id"], ["monitor", "token", "list"],
    ["prove", "--from", "2026-11-01"],
])  # fmt: skip
def test_who_only_reads_waits_briefly(words, waits_briefly):
    assert waits_briefly(*words)


@pytest.mark.parametrize("words", [
    ["up"], ["worker", "ai"], ["db", "upgrade"], ["dead", "retry", "list"], ["monitor"], ["analyze", "doctor"], [],
])  # fmt: skip
def test_who_writes_waits_as_ever(words, waits_briefly):
    assert not waits_briefly(*words)


def test_each_of_them_is_a_command():
    assert COMMANDS.keys() | GROUPS.keys() >= READING
