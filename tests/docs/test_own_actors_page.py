"""Every line of docs/own-actors.md runs: its files are written, its commands executed, with real workers."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import metadata
from pathlib import Path

import pytest
from tests.whole import WHOLE

PAGE = (Path(__file__).parents[2] / "docs" / "own-actors.md").read_text()
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", PAGE, re.DOTALL)
WORKER = next(code.strip() for kind, code in BLOCKS if code.startswith("growbin-jobs worker "))

pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def folder(tmp_path):
    """A newcomer's empty folder; the worker of the page runs there until the test ends."""
    for code in (code for kind, code in BLOCKS if kind == "python"):
        name = re.match(r"# (\w+\.py)\n", code)[1]
        (tmp_path / name).write_text(code)
    return tmp_path


def environment(folder, **more):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "SHOP_DATA_DIR": str(folder / "data"), "SHOP_NODE": "n1"} | more


def run(command, folder, env):
    done = subprocess.run(
        ["bash", "-euc", command], cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, (
        f"{command}\n{done.stdout}\n{done.stderr}\n{(folder / 'worker.log').read_text()[-4000:]}"
    )
    return done.stdout


#: With RabbitMQ all lines run, those of the embedded broker and the last one.
@pytest.mark.parametrize("broker", [pytest.param("rabbitmq", marks=pytest.mark.services), *["embedded"] * WHOLE])
def test_every_line_of_the_page_does_what_it_says(folder, broker, request):
    env = environment(folder)
    if broker == "rabbitmq":
        # The page's own last line, with the private server instead of its example.
        [variable] = re.findall(r"^export (\w+)=amqp://", PAGE, re.MULTILINE)
        env[variable] = request.getfixturevalue("rabbitmq_url")
    printed = []
    worker = None
    (folder / "worker.log").touch()
    try:
        for kind, code in BLOCKS:
            if kind == "python" or code.startswith(("python3 -m venv", "export ")):
                continue
            if code.strip() == WORKER:
                with (folder / "worker.log").open("wb") as log:
                    worker = subprocess.Popen(
                        ["bash", "-c", f"exec {WORKER}"], cwd=folder, env=env, stdout=log, stderr=log
                    )
                continue
            printed.append(run(code, folder, env))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0, (folder / "worker.log").read_text()[-4000:]
    finally:
        if worker is not None and worker.poll() is None:
            worker.kill()

    assert "6\n" in printed[1]
    assert {path.name: path.read_text() for path in folder.glob("receipt-*")} == {
        "receipt-0.txt": "Please pay 6.\n",
        "receipt-1.txt": "Please pay 6.\n",
        "receipt-2.txt": "Please pay 6.\n",
        "receipt-3.txt": "Please pay 10.\n",
    }
    # The keeper has copied it all, into tables that nobody had to make.
    shown = run(
        "growbin-jobs tasks show --engine shop --json $ID | grep -c central", folder, env | {"ID": latest(folder)}
    )
    assert shown.strip()


def latest(folder):
    """Return the id of a task that the central database has, waiting for it."""
    import sqlite3

    end = time.monotonic() + 30
    while time.monotonic() < end:
        with sqlite3.connect(folder / "data" / "central.db") as connection:
            rows = connection.execute("SELECT task_id FROM tasks WHERE status = 'completed'").fetchall()
        if rows:
            return rows[-1][0]
        time.sleep(0.2)
    raise AssertionError("the keeper has copied nothing")


def test_the_page_is_as_short_as_it_promises():
    lines = [line for _, code in BLOCKS for line in code.splitlines() if line.strip() and not line.startswith("# ")]

    assert len(lines) < 60


def test_the_extra_that_it_installs_exists():
    [extra] = re.findall(r"pip install '\.\[(\w+)\]'", PAGE)

    assert (
        extra in metadata("growbin-jobs").get_all("Provides-Extra")
        or f"\n{extra} =" in (Path(__file__).parents[2] / "setup.cfg").read_text()
    )
    assert shutil.which("dramatiq", path=str(Path(sys.executable).parent))
