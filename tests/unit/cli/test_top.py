"""``growbin-jobs top`` shows what the pages of the monitor read."""

import json
import os
import pty
import signal

import pytest
from tests import command_line
from tests.monitor.data import XSS, fill, fill_with_oddities
from tests.upgraded import upgrade

from growbin_jobs.cli.top_view import bars, seconds
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.models import SCHEMA


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("top")
    url = f"sqlite:///{folder}/central.db"
    database = open_database(url, default_path=folder / "central.db", pool_size=1, timeout=10)
    upgrade(database, SCHEMA)
    fill(database, analyses=20)
    fill_with_oddities(database)
    database.close()
    return os.environ | {"GROWBIN_DATA_DIR": str(folder), "DATABASE_URL": url, "COLUMNS": "160", "TERM": "xterm"}


def test_without_a_terminal_it_prints_once(environment):
    shown = command_line.run("top", env=environment, text=True, check=True).stdout

    assert "upload_image" in shown
    assert XSS in shown
    assert "silent" in shown


def test_it_speaks_json(environment):
    told = command_line.run("top", "--json", env=environment, check=True).stdout

    assert {line["actor"] for line in json.loads(told)["overview"]["actors"]} >= {"upload_image", XSS}


def test_on_a_terminal_it_goes_on_until_it_is_interrupted(environment):
    master, slave = pty.openpty()
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    process = command_line.start("top", "--every", "0.5", env=environment, **streams)
    os.close(slave)
    seen, homes = b"", 0
    while homes < 3:  # each look draws the screen anew
        seen += os.read(master, 65536)
        homes = seen.count(b"upload_image")
    process.send_signal(signal.SIGINT)
    while True:
        try:
            if not os.read(master, 65536):
                break
        except OSError:  # the other side is closed
            break
    assert process.wait(30) == 0


def test_bars_and_times():
    assert bars([0, 1, 8]) == " ▁█"
    assert bars([]) == ""
    assert [seconds(value) for value in (None, 0.25, 3.0, 120.0)] == ["–", "250 ms", "3.0 s", "2.0 min"]
