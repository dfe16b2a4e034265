"""What a wheel contains: everything that the program reads at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # A clean copy of what git knows: a stray file of the work tree must not help.
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(source)], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(folder), str(source)], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("pattern", ["src/growbin_jobs/**/*.py", "src/growbin_jobs/**/*.sql"])
def test_every_source_file_is_in_it(content, pattern):
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {name.removeprefix("src/") for name in listed.splitlines()} - content == set()


def test_rules_samples_and_weights_are_in_it(content):
    assert {f"growbin_jobs/rules/{path.name}" for path in (ROOT / "rules").glob("*.json")} <= content
    assert len([name for name in content if name.startswith("growbin_jobs/samples/") and name.endswith(".jpg")]) == 6
    assert {"growbin_jobs/ai/offline/head.npz", "growbin_jobs/py.typed"} <= content
