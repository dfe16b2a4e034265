"""The tests' own way of running commands shows what an interpreter of its own shows."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from tests import command_line
from tests.waiting import until


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


#: What a program can see of how it was started.
SHOW = """
import json, logging, os, signal, sys, threading
handlers = {number: str(signal.getsignal(number)).partition(" at ")[0] for number in (2, 13, 15, 17)}
print(json.dumps({
    "arguments": sys.argv, "command": sys.orig_argv[1:], "path": sys.path[:2], "name": __name__, "handlers": handlers,
    "streams": [(each.encoding, each.errors, each.line_buffering) for each in (sys.stdin, sys.stdout, sys.stderr)],
    "threads": threading.active_count(), "loggers": logging.root.handlers, "folder": os.getcwd(),
    "main": sys.modules["__main__"].__dict__ is globals(), "environment": os.environ["TEST_WORD"],
}))
sys.exit(7)
"""


@pytest.mark.parametrize("how", ["-c", "-m", "a script"])
def test_a_program_sees_what_it_sees_in_an_interpreter_of_its_own(how, tmp_path):
    (tmp_path / "shown.py").write_text(SHOW)
    words = {"-c": ["-c", SHOW, "x"], "-m": ["-m", "shown", "x"], "a script": [str(tmp_path / "shown.py"), "x"]}[how]
    folders = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(tmp_path)]))
    env = os.environ | {"TEST_WORD": "w", "PYTHONPATH": folders}
    options = {"env": env, "cwd": tmp_path, "text": True, "stdin": subprocess.DEVNULL, "capture_output": True}

    own = subprocess.run([sys.executable, *words], **options)
    forked = command_line.run_python([sys.executable, *words], **options)

    assert vars(forked) == vars(own)
    assert own.returncode == 7


def test_what_a_forked_supervisor_starts_is_its_own_child_and_shows_its_command(environment, tmp_path):
    log = (tmp_path / "log").open("wb")
    settings = environment | {"GROWBIN_DATA_DIR": str(tmp_path / "data")}
    process = command_line.start("worker", "ai", env=settings, stdout=log, stderr=log)
    try:
        until(lambda: (tmp_path / "log").read_text().count("ready for action") >= 1, "the worker works")
        children = {each.pid: each for each in psutil.Process(process.pid).children(recursive=True)}
        commands = [" ".join(each.cmdline()) for each in children.values()]
    finally:
        process.terminate()
        log.close()

    assert process.wait(60) == 0
    assert [command for command in commands if "growbin_jobs.engine.keeper" in command]
    assert [command for command in commands if "supervision.worker_process" in command]
    assert [pid for pid in children if psutil.pid_exists(pid)] == []
