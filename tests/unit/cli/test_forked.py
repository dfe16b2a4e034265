"""The tests' own way of running commands shows what an interpreter of its own shows."""

import signal
import subprocess

import pytest
from tests import command_line


@pytest.mark.parametrize("command", [["budgets", "list", "--json"], ["no-such-command"], ["settings"]], ids=" ".join)
def test_a_fork_says_and_returns_what_a_process_of_its_own_does(command, environment, tmp_path):
    settings = environment | {"GROWBIN_LANGUAGE": "none" if command == ["settings"] else "en"}
    own = subprocess.run([*command_line.MAIN, *command], env=settings, cwd=tmp_path, capture_output=True, text=True)

    forked = command_line.run(*command, env=settings, cwd=tmp_path, text=True)

    assert vars(forked) == vars(own)


def test_a_fork_is_killed_like_a_process_of_its_own(environment):
    process = command_line.start("top", "--every", "60", env=environment, stderr=subprocess.PIPE)
    assert process.poll() is None

    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL


def test_what_python_reads_at_its_start_gets_an_interpreter_of_its_own(environment):
    ascii_only = environment | {"PYTHONIOENCODING": "ascii", "GROWBIN_LANGUAGE": "ko"}

    assert "\\u" not in command_line.run("budgets", "list", env=environment, text=True).stdout
    assert command_line.run("budgets", "list", env=ascii_only, text=True).stdout.isascii()
