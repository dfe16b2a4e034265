"""README's Install and Run, as a reader types them: a fresh virtual environment, a fresh folder, no server, no key."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from growbin_jobs.samples import sample_pictures

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)


def block(page, heading):
    """The first block of shell lines below a heading, without comments."""
    section = (ROOT / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1].splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in lines]


def test_both_languages_say_the_same():
    assert block("README.md", "Install") == block("README.ko.md", "설치")
    assert block("README.md", "Run") == block("README.ko.md", "실행")


@pytest.fixture
def shell(tmp_path):
    """Runs the README's lines in a copy of the checkout, with uv in pip's place: the same packages, from its cache."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, checkout], check=True)
    for name in ("README.md", "setup.cfg"):  # as they are now, committed or not
        shutil.copy(ROOT / name, checkout / name)
    home.mkdir()
    uv = Path(sys.executable).with_name("uv")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GROWBIN_", "OPENAI_"))}
    # uv's cache stays where it is: with the new home alone it would fetch everything again.
    cache = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    environment = kept | {"HOME": str(home), "UV_CACHE_DIR": cache, "XDG_DATA_HOME": str(home / "data")}
    environment.pop("VIRTUAL_ENV", None)
    # To install pip into an environment in which uv takes its place would cost more than all that is installed there.
    functions = f"""set -eu
        pip() {{ {shlex.quote(str(uv))} pip "$@"; }}
        python3() {{ command python3 "$@" --without-pip; }}"""

    def run(*lines, check=True):
        script = "\n".join([functions, *lines])
        return subprocess.run(
            ["bash", "-c", script], cwd=checkout, env=environment, capture_output=True, text=True, check=check
        )

    run.start = lambda *lines: subprocess.Popen(
        ["bash", "-c", "\n".join([functions, *lines])], cwd=checkout, env=environment, stderr=subprocess.DEVNULL
    )
    run.checkout = checkout
    return run


def test_what_the_readme_installs_runs_as_it_says(shell):
    shell(*block("README.md", "Install"))
    activated = ". .venv/bin/activate"
    up, analyze, doctor, settings, *looks = block("README.md", "Run")
    shutil.copy(sample_pictures()[0], shell.checkout / "bottle.jpg")

    found = {one["what"]: one["status"] for one in json.loads(shell(activated, f"{doctor} --json").stdout)}
    workers = shell.start(activated, f"exec {up}")
    try:
        shown = json.loads(shell(activated, f"{analyze} --json").stdout)
        said = {look: shell(activated, look, check=False) for look in looks}
    finally:
        workers.send_signal(signal.SIGINT)
        left = workers.wait(120)

    assert "failed" not in found.values()
    assert (shown["status"], left) == ("completed", 0)
    assert "GROWBIN_DATA_DIR" in shell(activated, settings).stdout
    assert {look: (done.returncode, done.stderr) for look, done in said.items() if done.returncode} == {}
    assert "reports.weekly" in said["growbin-jobs schedule list"].stdout
