"""Tests that run in several processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TRIAL = """
import os, warnings
import pytest

@pytest.fixture(scope="session", autouse=True)
def ended(tmp_path_factory):
    yield
    (tmp_path_factory.getbasetemp() / "ended").write_text(str(os.getpid()))

@pytest.mark.parametrize("number", range(20))
def test_passes(number, tmp_path, capfd):
    os.write(1, b"said")
    assert capfd.readouterr().out == "said"

def test_fails():
    print("words")
    assert 1 == 2

def test_dies():
    os._exit(7)

def test_warns():
    warnings.warn("mind this")

def test_ends_badly(request):
    request.addfinalizer(lambda: 1 / 0)
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a run in three processes prints, and its folder."""
    folder = tmp_path_factory.mktemp("trial")
    (folder / "test_trial.py").write_text(TRIAL)
    options = ["-p", "tests.forked_run", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-rA", "--processes", "3", f"--basetemp={folder / 'own'}", folder],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done.stdout, folder / "own"


def test_each_test_is_reported_once_and_one_that_ends_its_process_has_failed(report: tuple[str, Path]) -> None:
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\S+)", report[0], re.MULTILINE)

    passed = [f"test_passes[{number}]" for number in range(20)]
    assert sorted(outcomes) == sorted(
        [("PASSED", name) for name in [*passed, "test_warns", "test_ends_badly"]]
        + [("FAILED", "test_fails"), ("FAILED", "test_dies"), ("ERROR", "test_ends_badly")]
    )
    assert "Its process ended amid the test, with 7." in report[0]


def test_what_a_failed_test_printed_and_what_one_warned_of_are_shown(report: tuple[str, Path]) -> None:
    assert "words" in report[0]
    assert "UserWarning: mind this" in report[0]


def test_each_process_has_a_folder_of_its_own_and_ends_its_fixtures(report: tuple[str, Path]) -> None:
    ended = [path.read_text() for path in report[1].glob("*/ended")]

    assert len(ended) == len(set(ended)) in (2, 3)  # one died, and was replaced if anything was left
