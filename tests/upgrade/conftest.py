"""The release before this one, out of the repository's history, and processes of both."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.whole import WHOLE

ROOT = Path(__file__).parents[2]

#: The release before this one.
BEFORE = "9aa335b"

#: The product's command line.
MAIN = ("-c", "from growbin_jobs.cli import main; main()")

#: Messages of ``upgrade.send`` by prefix: six kinds, now and later.
KINDS = ("plain", "retried", "deferred", "dead", "chain", "plain")


@pytest.fixture(scope="session")
def before(tmp_path_factory):
    """The sources of the release before this one."""
    folder = tmp_path_factory.mktemp("before")
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", BEFORE, "src"], capture_output=True, check=False)
    assert packed.returncode == 0, f"the tests need the repository's history: {packed.stderr.decode()}"
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
    return folder / "src"


class Node:
    """One node with one data folder, on which workers of both releases run.

    Parameters:
      folder: For everything.
      before: The older release's sources.
      variables: Of servers.
    """

    def __init__(self, folder, before, variables):
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self._folder = folder
        self._sources = {"old": before, "new": ROOT / "src"}
        self._variables = variables
        self._workers = []

    def env(self, release):
        path = os.pathsep.join([str(self._sources[release]), str(ROOT / "tests")])
        own = {
            "PYTHONPATH": path,
            "GROWBIN_DATA_DIR": str(self.data),
            "GROWBIN_NODE": "n1",
            "GROWBIN_RULES_DIR": str(ROOT / "rules"),  # in a wheel they are beside the code
        }
        return os.environ | self._variables | own

    def work(self, release, group=None):
        """Start a worker of a release: of the tests' own actors, or of a group of the product."""
        log = (self._folder / f"{release}-{len(self._workers)}.log").open("wb")
        command = [str(Path(sys.executable).with_name("dramatiq")), "upgrade.app", "--processes", "1", "--threads", "4"]
        if group:
            command = [sys.executable, *MAIN, "worker", group, "--processes", "1", "--threads", "4"]
        worker = subprocess.Popen(command, env=self.env(release), stdout=log, stderr=log, start_new_session=True)
        log.close()
        self._workers.append(worker)
        return worker

    def run(self, release, *arguments):
        """Run a program of a release to its end, and return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments], env=self.env(release), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:] + self.logs()
        return done.stdout

    def command(self, release, *arguments):
        """Run ``growbin-jobs`` of a release."""
        return self.run(release, *MAIN, *arguments)

    def send(self, release, prefix):
        """Let a producer of a release send one message of each kind; return the effects to come."""
        self.run(release, "-m", "upgrade.send", prefix)
        keys = [f"{prefix}-{n}-{kind}" for n, kind in enumerate(kind for kind in KINDS for _ in range(2))]
        return {*keys, *(f"{key}-child" for key in keys if key.endswith("chain"))}

    def retry_the_dead(self, release):
        """Retry all dead letters with a release's command."""
        return self.command(release, "dead", "retry", "--all", "--yes")

    def effects(self):
        path = self.data / "effects"
        return Counter(path.read_text().split()) if path.exists() else Counter()

    def await_effects(self, keys, seconds=60):
        """Wait until each of these has happened."""
        end = time.monotonic() + seconds
        while missing := keys - self.effects().keys():
            assert time.monotonic() < end, f"never happened: {sorted(missing)}\n{self.logs()}"
            time.sleep(0.1)

    def await_dead(self, keys, seconds=40):
        """Wait until so many messages are dead letters in the node's journal."""
        import sqlite3

        end = time.monotonic() + seconds
        query = "SELECT count(*) FROM dead_letter WHERE retried_at IS NULL AND discarded_at IS NULL"
        while True:
            with sqlite3.connect(f"file:{self.data}/n1/task_queue.db?mode=ro", uri=True) as journal:
                if journal.execute(query).fetchone()[0] >= len(keys):
                    return
            assert time.monotonic() < end, self.logs()
            time.sleep(0.1)

    def stop(self, worker):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0, self.logs()

    def logs(self):
        return "\n".join(path.read_text()[-3000:] for path in sorted(self._folder.glob("*.log")))

    def close(self):
        for worker in self._workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


EMBEDDED, SERVERS = "embedded", pytest.param("servers", marks=pytest.mark.services)


def on(usual):
    """On one kind of servers, or on both: a message of the other release is the same on each."""
    return pytest.mark.parametrize("node", [EMBEDDED, SERVERS] if WHOLE else [usual], indirect=True)


@pytest.fixture
def node(request, tmp_path, before):
    """Parametrise it with :func:`on`."""
    variables = {}
    if request.param == "servers":
        variables["GROWBIN_BROKER_URL"] = request.getfixturevalue("rabbitmq_url")
        variables["DATABASE_URL"] = request.getfixturevalue("postgres_url")
    made = Node(tmp_path, before, variables)
    if variables:
        made.command("old", "db", "upgrade")
    yield made
    made.close()
