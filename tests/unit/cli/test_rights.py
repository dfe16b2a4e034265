"""Commands of a user who has no rights to the data folder, as an operator without ``sudo`` is: real modes, no mocks."""

import errno
import os
import sys

import pytest
from tests.command_line import MAIN, run_python

#: A command without what lets root read and write everywhere on Linux: this process has it no more, nor what it starts.
_AS_ANYBODY = """
import ctypes, sys
libc = ctypes.CDLL(None)
everywhere, drop_from_started, version = (1, 2), 24, 0x20080522
for each in everywhere:
    libc.prctl(drop_from_started, each, 0, 0, 0)
header, sets = (ctypes.c_uint32 * 2)(version, 0), (ctypes.c_uint32 * 6)()
assert libc.capget(header, sets) == 0
for at in range(3):  # effective, permitted, inheritable
    sets[at] &= ~sum(1 << each for each in everywhere)
assert libc.capset(header, sets) == 0
from growbin_jobs.cli import main
main()
"""

_COMMANDS = {"worker storage": 78, "up": 78, "status x": 1, "dead list": 1, "probe live": 1, "doctor": 1}


@pytest.fixture
def forbidden(invoke, environment, tmp_path):
    """A data folder in use, which belongs to somebody else where this is root and can give it away."""
    folder = tmp_path / "data"
    assert invoke("budgets", "list").exit_code == 0
    (folder / "n1" / "workers").mkdir(parents=True)
    if os.getuid() == 0:
        os.chown(folder, 65_534, 65_534)
    folder.chmod(0o000)
    yield environment | {"GROWBIN_NODE": "n1", "GROWBIN_LANGUAGE": "en"}
    folder.chmod(0o700)


def test_each_command_says_whose_the_data_folder_is_and_what_to_do(forbidden):
    for words, code in _COMMANDS.items():
        program = _AS_ANYBODY if os.getuid() == 0 else MAIN[-1]
        done = run_python([sys.executable, "-c", program, *words.split()], env=forbidden, text=True, timeout=60)
        said = " ".join((done.stdout + done.stderr).split())

        assert done.returncode == code, (words, said)
        assert "Traceback" not in said, words
        assert "as a fault" not in said, words
        assert forbidden["GROWBIN_DATA_DIR"] in said.replace(" ", ""), words
        if code == 78:
            assert ("Run this as" in said) == (os.getuid() == 0), words


@pytest.mark.parametrize("command", ["worker storage", "up", "demo", "doctor"])
@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("fcntl.flock", "locks on files"),
        ("fcntl.lockf", "locks on files"),
        ("mmap.mmap", "memory that processes share"),
    ],
)
def test_a_file_system_without_locks_or_shared_memory_is_refused_at_once(invoke, monkeypatch, command, refused, said):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(refused, refuse)

    done = invoke(*command.split())

    words = " ".join(f"{done.output} {done.exception}".split())
    assert f"does not support {said} (No locks available)." in words
    assert "to a folder on a local disk." in words
    assert done.exit_code != 0


_SHOP = """
import errno, fcntl, os
import dramatiq
from growbin_jobs.engine import Engine, EngineConfig


def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


fcntl.flock = refuse
engine = Engine(EngineConfig.from_env("SHOP_")).install()


@dramatiq.actor
def work():
    pass
"""


@pytest.mark.parametrize(
    ("way_in", "code", "remedy"),
    [
        (["-m", "dramatiq", "-p1", "-t1", "shop"], 78, "Set SHOP_DATA_DIR to"),
        (["-m", "growbin_jobs.engine.keeper", "--engine", "shop:engine"], 78, "Keep it in"),
        (["-c", "import shop; shop.work.send()"], 1, "Keep it in"),
    ],
)
def test_each_way_into_such_a_file_system_says_so_in_one_line(tmp_path, way_in, code, remedy):
    (tmp_path / "shop.py").write_text(_SHOP)
    environment = os.environ | {"SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_NODE": "n1"}

    done = run_python([sys.executable, *way_in], cwd=tmp_path, env=environment, text=True, timeout=60)

    said = [line for line in done.stderr.splitlines() if "does not support" in line]
    assert len(said) == 1, done.stderr
    assert "does not support locks on files (No locks available)." in said[0]
    assert f"{remedy} a folder on a local disk." in said[0]
    assert done.returncode == code
    if code == 78:
        assert "Traceback" not in done.stderr


_FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))\n"
_DRAMATIQ = "import runpy; runpy.run_module('dramatiq', run_name='__main__', alter_sys=True)"


@pytest.mark.parametrize(
    ("program", "words"),
    [(MAIN[-1], ["worker", "shop"]), (MAIN[-1], ["up", "shop"]), (_DRAMATIQ, ["-p1", "-t1", "shop"])],
)
def test_too_few_open_files_are_said_at_once_and_once(tmp_path, program, words):
    (tmp_path / "shop.py").write_text(_SHOP.replace("fcntl.flock = refuse", ""))
    environment = os.environ | {"SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_NODE": "n1"}

    command = [sys.executable, "-c", _FEW_FILES + program, *words]
    done = run_python(command, cwd=tmp_path, env=environment, text=True, timeout=60)

    said = " ".join((done.stdout + done.stderr).split())
    assert said.count("may have 32 files open at once here, and a worker needs 64 at least.") == 1, said
    assert "ulimit -n 1024" in said
    assert "Traceback" not in said
    assert done.returncode == 78


@pytest.mark.parametrize(
    ("variable", "value"), [("SHOP_JOURNAL_FREE_FLOOR", "1"), ("SHOP_BROKER_URL", "http://nowhere")]
)
def test_a_wrong_setting_of_an_engine_ends_plain_dramatiq_with_a_sentence(tmp_path, variable, value):
    (tmp_path / "shop.py").write_text(_SHOP.replace("fcntl.flock = refuse", ""))
    environment = os.environ | {"SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_NODE": "n1", variable: value}

    command = [sys.executable, "-m", "dramatiq", "-p1", "-t1", "shop"]
    done = run_python(command, cwd=tmp_path, env=environment, text=True, timeout=60)

    assert done.returncode == 78, done.stderr
    assert variable in done.stderr
    assert "Traceback" not in done.stderr
