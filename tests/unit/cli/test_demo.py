import json
import os
import signal
from types import SimpleNamespace
from uuid import uuid4

import pytest

from growbin_jobs.samples import sample_pictures

#: Servers that a demo must not touch.
ELSEWHERE = {
    "GROWBIN_BROKER_URL": "amqp://127.0.0.1:1/",
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "GROWBIN_OBJECT_STORE_URL": "s3://none",
}

#: Begins each process of an old kernel or a strict sandbox, and notes what it has refused.
REFUSES = """
import errno, os, pathlib
def refuse(name):
    def refused(*_, **__):
        pathlib.Path(os.environ["TMPDIR"], "refused." + name).touch()
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    setattr(os, name, refused)
for name in {refused}:
    refuse(name)
"""


def test_a_demo_prints_one_object_a_photo_and_leaves_nothing(command, tmp_path):
    done = command("demo", "--json", **ELSEWHERE)

    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (
        0,
        "Sending 6 photos through both worker groups (offline classifier, no key).\n",
    )
    assert [one["photo"] for one in shown] == [str(photo) for photo in sample_pictures()]
    assert {one["status"] for one in shown} == {"completed"}
    assert all(one["category"] and one["item"] and one["response"] for one in shown)
    assert list(tmp_path.glob("growbin-demo-*")) == []


def test_a_demo_runs_where_the_kernel_refuses_what_is_newer_and_shows_a_refused_photo_for_what_it_is(command, tmp_path):
    note = tmp_path / "note.jpg"
    note.write_text("no picture")
    refused = ["pidfd_open", "memfd_create", "sched_getaffinity"]
    (tmp_path / "sitecustomize.py").write_text(REFUSES.format(refused=refused))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    done = command("demo", note, sample_pictures()[0], PYTHONPATH=path, GROWBIN_LANGUAGE="en")

    assert done.returncode == 1
    assert "This file is not a picture that we accept." in " ".join(done.stdout.replace("│", "").split())
    assert "completed" in done.stdout
    assert "Traceback" not in done.stderr
    assert {name.name.split(".")[1] for name in tmp_path.glob("refused.*")} == set(refused)


def test_a_demo_on_a_disk_that_is_nearly_full_ends_before_it_begins(invoke, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=200_000_000))

    done = invoke("demo")

    assert "0.2 GB free: workers take no new messages with less than 0.26 GB" in str(done.exception)
    assert "set TMPDIR to a folder on a larger disk" in str(done.exception)
    assert not done.output


@pytest.mark.parametrize("signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.before_release)])
def test_a_demo_that_is_ended_ends_its_workers(start, processes_of, tmp_path, signum):
    node = uuid4().hex
    process = start("demo", GROWBIN_NODE=node)
    assert "Sending" in process.stderr.readline()

    process.send_signal(signum)

    assert process.wait(60) == 128 + signum
    assert processes_of(node) == []
    assert list(tmp_path.glob("growbin-demo-*")) == []
