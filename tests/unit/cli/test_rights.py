"""Commands of a user who has no rights to the data folder, as an operator without ``sudo`` is: real modes, no mocks."""

import ctypes
import errno
import os
import subprocess

import pytest
from tests.command_line import MAIN

#: Linux: what lets root read and write everywhere, and the call that takes it away from what is started next.
_DAC_OVERRIDE, _DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24

_COMMANDS = {"worker storage": 78, "up": 78, "status x": 1, "dead list": 1, "probe live": 1, "doctor": 1}


def _as_anybody() -> None:
    libc = ctypes.CDLL(None)
    for each in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, each, 0, 0, 0)


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
        done = subprocess.run(
            [*MAIN, *words.split()], env=forbidden, capture_output=True, text=True, check=False, timeout=60,
            preexec_fn=_as_anybody if os.getuid() == 0 else None,
        )  # fmt: skip
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
