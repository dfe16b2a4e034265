"""The Dockerfile: linted, and what the manifests count on."""

import re
import subprocess
import sys
from pathlib import Path

from tests.manifests.conftest import ROOT

TEXT = (ROOT / "Dockerfile").read_text()


def hadolint(*arguments):
    program = Path(sys.executable).parent / "hadolint"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


def test_hadolint_finds_nothing():
    done = hadolint(str(ROOT / "Dockerfile"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_would_find_something(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nRUN cd /tmp && apt-get install curl\nCMD growbin-jobs\n")

    assert hadolint(str(bad)).returncode != 0


def test_what_runs_is_locked_and_nobody_s_root():
    assert "--require-hashes --no-deps -r requirements/all.lock" in TEXT
    assert TEXT.count("FROM ${BASE}") == 2, "both stages are of one base, which a release names by digest"
    assert re.search(r"^USER 10001:10001$", TEXT, re.MULTILINE)
    assert "HEALTHCHECK" not in TEXT


def test_a_signal_comes_once():
    entry = re.search(r"^ENTRYPOINT (.*)$", TEXT, re.MULTILINE)[1]

    assert entry == '["tini", "--", "growbin-jobs"]', "tini -g would signal the group, and the second signal kills"


def test_every_file_that_is_copied_is_in_the_context():
    let_in = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.MULTILINE) for word in line.split()[:-1]}

    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    # The package's folder of rules is a link to the one beside src.
    for link in (path for path in (ROOT / "src" / "growbin_jobs").rglob("*") if path.is_symlink()):
        assert link.resolve().relative_to(ROOT).parts[0] in copied


def test_labels_are_there():
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in TEXT
