"""What scripts/release does: versions, changelog, and packages that are the same whoever builds them."""

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from releasing import packages  # noqa: E402
from releasing.errors import ReleaseError  # noqa: E402
from releasing.version import check_newer, current, dated, parts, set_version  # noqa: E402

# --- versions


@given(st.lists(st.tuples(*3 * [st.integers(0, 30)], st.none() | st.integers(0, 9)), min_size=2, max_size=2))
def test_versions_are_compared_by_number_and_candidates_come_before(pair):
    texts = [f"{a}.{b}.{c}" + ("" if rc is None else f"rc{rc}") for a, b, c, rc in pair]
    plain = [(a, b, c, 1_000 if rc is None else rc) for a, b, c, rc in pair]

    assert (parts(texts[0]) < parts(texts[1])) == (plain[0] < plain[1])


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3-rc1", "", "1.2.3.4", "latest"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(ReleaseError, match=r"1\.2\.3"):
        check_newer(version, [])


def test_a_release_is_newer_than_every_tag():
    tags = ["v0.9.0", "v0.10.0", "nightly"]

    check_newer("0.10.1", tags)
    for version in ("0.10.0", "0.9.9", "0.10.0rc1"):
        with pytest.raises(ReleaseError, match=r"not newer than 0\.10\.0"):
            check_newer(version, tags)


def test_the_version_is_in_one_line(tmp_path):
    source = tmp_path / "__init__.py"
    source.write_text((ROOT / "src" / "growbin_jobs" / "__init__.py").read_text())
    set_version(source, "9.8.7")

    assert current(source) == "9.8.7"


# --- changelog


def test_what_was_unreleased_gets_the_version_and_older_entries_stay():
    text = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- The first.\n"
    found = dated(text, "0.2.0", date(2026, 11, 28))

    assert found == (
        "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-28\n\n### Added\n\n- A thing.\n"
        "\n## [0.1.0] - 2026-01-01\n\n- The first.\n"
    )
    with pytest.raises(ReleaseError, match="says nothing"):
        dated(found, "0.3.0", date(2026, 11, 29))


def test_the_real_changelog_can_be_released():
    text = (ROOT / "CHANGELOG.md").read_text()

    assert "## [99.0.0] - 2026-11-28\n" in dated(text, "99.0.0", date(2026, 11, 28))


# --- packages


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return packages.built(ROOT, "HEAD", tmp_path_factory.mktemp("dist"))


@pytest.mark.before_release
def test_two_builds_are_equal_whatever_the_umask(built, tmp_path):
    before = os.umask(0o077)
    try:
        again = packages.built(ROOT, "HEAD", tmp_path)
    finally:
        os.umask(before)

    assert [packages.digest(path) for path in again] == [packages.digest(path) for path in built]


def test_a_difference_is_found(monkeypatch, tmp_path):
    def different(_project, _commit, target):
        path = Path(target) / "x.tar.gz"
        path.write_bytes(os.urandom(8))
        return [path]

    monkeypatch.setattr(packages, "built", different)
    with pytest.raises(ReleaseError, match="differ"):
        packages.built_twice(ROOT, "HEAD", tmp_path)


def test_the_wheel_holds_what_runs_and_no_more(built):
    names = set(zipfile.ZipFile(built[1]).namelist())

    assert "growbin_jobs/py.typed" in names
    assert any(name.endswith(".sql") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]
    assert {f"growbin_jobs/rules/{path.name}" for path in (ROOT / "rules").glob("*.json")} <= names
    assert len([name for name in names if name.startswith("growbin_jobs/samples/") and name.endswith(".jpg")]) == 6
    assert "growbin_jobs/ai/offline/head.npz" in names
    committed = subprocess.run(
        ["git", "-C", ROOT, "ls-tree", "-r", "--name-only", "HEAD", "src/growbin_jobs"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    sources = {name.removeprefix("src/") for name in committed if name.endswith((".py", ".sql"))}
    assert sources - names == set()


def test_nobody_is_named_in_the_sdist():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("x/file")
        member.uid, member.uname, member.mtime, member.mode, member.size = 1234, "kim", 99, 0o664, 3
        archive.addfile(member, io.BytesIO(b"abc"))
    found = packages.normalised(packed.getvalue(), 1_000_000_000)

    with tarfile.open(fileobj=io.BytesIO(found)) as archive:
        (member,) = archive.getmembers()
        assert (member.uid, member.uname, member.mtime, member.mode) == (0, "", 1_000_000_000, 0o644)
        assert archive.extractfile(member).read() == b"abc"


# --- SBOM


@pytest.mark.before_release
def test_the_bill_of_materials_has_every_line_of_the_lock(tmp_path):
    program = ROOT / ".venv-checks" / "bin" / "cyclonedx-py"
    assert program.exists(), "cyclonedx-py is missing. Run: bash -c '. scripts/environment; prepare_checks'"
    lock = ROOT / "requirements" / "all.lock"
    file = tmp_path / "sbom.json"
    done = subprocess.run(
        [program, "requirements", "--output-reproducible", "--output-file", file, lock], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

    wanted = {line.split(" ")[0] for line in lock.read_text().splitlines() if line and not line.startswith((" ", "#"))}
    found = {f"{row['name']}=={row['version']}" for row in json.loads(file.read_text())["components"]}
    assert len(wanted) > 50
    assert found == wanted
