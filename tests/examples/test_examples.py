"""The examples' own tests pass, and they import the engine, its schedule, and nothing else of this project."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

#: Rooms of this project that other teams' code may import.
FOR_EVERYBODY = ("growbin_jobs.engine.", "growbin_jobs.scheduler.")
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "pyproject.toml").exists())


@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", NAMES)
def test_an_example_s_own_tests_pass(name):
    folder = EXAMPLES / name
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "tests"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
        timeout=270,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_examples_import_what_is_for_everybody(path):
    imported = re.findall(r"^\s*(?:from|import) (growbin_jobs[\w.]*)", path.read_text(), re.MULTILINE)

    assert [name for name in imported if not f"{name}.".startswith(FOR_EVERYBODY)] == []


def test_there_is_an_example():
    assert "orders" in NAMES
