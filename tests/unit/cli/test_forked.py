"""The tests' own way of running commands shows what an interpreter of its own shows."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests import command_line

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("command", [["budgets", "list", "--json"], ["no-such-command"], ["settings"]], ids=" ".join)
def test_a_fork_says_and_returns_what_a_process_of_its_own_does(command, environment, tmp_path):
    settings = environment | {"GROWBIN_LANGUAGE": "none" if command == ["settings"] else "en"}
    own = subprocess.run([*command_line.MAIN, *command], env=settings, cwd=tmp_path, capture_output=True, text=True)

    forked = command_line.run(*command, env=settings, cwd=tmp_path, text=True)

    assert vars(forked) == vars(own)


SHOWN = """
import atexit, os, sys
atexit.register(print, "the end")
print(sys.argv, __name__, sys.path[0], os.getcwd(), sys.modules["__main__"].__dict__ is globals())
sys.exit("it failed" if sys.argv[1] == "fail" else 3)
"""


@pytest.mark.parametrize("outcome", ["fail", "end"])
@pytest.mark.parametrize("program", [["-c", SHOWN], ["-m", "shown"], ["shown.py"]], ids=["code", "module", "file"])
def test_a_forked_program_is_what_an_interpreter_runs(environment, tmp_path, program, outcome):
    (tmp_path / "shown.py").write_text(SHOWN)
    command = [sys.executable, *(str(tmp_path / word) if word == "shown.py" else word for word in program), outcome]
    own = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)

    forked = command_line.run_python(command, env=environment, cwd=tmp_path, text=True)

    assert vars(forked) == vars(own)
    assert own.stdout.endswith("the end\n")


def test_nothing_of_a_fork_that_lives_on_keeps_open_what_somebody_reads(environment, tmp_path):
    """Else a run of all tests would stand still at its end, for a process that a failed test has left."""
    code = "import tests.command_line as line, sys, os; "
    code += "one = line.start_python([sys.executable, '-c', 'import time; time.sleep(600)'], stdout=-3, stderr=-3); "
    code += "print(one.pid)"
    own = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)

    os.kill(int(own.stdout), signal.SIGKILL)  # it lives, and the pipes have come to their end


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
