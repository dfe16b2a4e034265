"""Who asks RabbitMQ what its queues hold has used none of them: the command, the monitor and the proof."""

import json
import os
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from tests import command_line
from tests.upgraded import upgrade
from tests.waiting import until

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis_row import WasteAnalysis
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.reading.state import queues_of
from growbin_jobs.names import UPLOAD_IMAGE
from growbin_jobs.operations.proofs.parts import Verdict
from growbin_jobs.proving import proof_of
from growbin_jobs.settings import load


@pytest.fixture
def two_sent(rabbitmq_url):
    """Two photos that no worker has begun."""
    with closing(RabbitBroker(url=rabbitmq_url, middleware=[])) as broker:
        for number in range(2):
            broker.enqueue(message_for(UPLOAD_IMAGE, "u1", "/photo.jpg", f"a{number}"))


def test_the_command_shows_what_waits(two_sent, rabbitmq_url, tmp_path):
    others = {name: value for name, value in os.environ.items() if not name.startswith(("GROWBIN_", "DATABASE_"))}
    env = others | {"GROWBIN_BROKER_URL": rabbitmq_url, "GROWBIN_DATA_DIR": str(tmp_path)}

    def ready():
        done = command_line.run("queues", "list", "--json", env=env, text=True, check=True)
        return {each["name"]: each["ready"] for each in map(json.loads, done.stdout.splitlines())}

    until(lambda: ready()[UPLOAD_IMAGE.queue] == 2, "RabbitMQ counts both")
    env["GROWBIN_BROKER_URL"] = "amqp://guest:secret@127.0.0.1:1/"
    away = command_line.run("queues", "list", env=env, text=True)
    assert (away.returncode, away.stdout) == (1, ""), "nobody can tell, which is not zero"
    [said] = away.stderr.splitlines()  # and nothing of each try to connect
    assert re.fullmatch("error: RabbitMQ did not open a channel in time .*`growbin-jobs doctor` says what to do.", said)
    assert "secret" not in away.stderr
    assert "Traceback" not in away.stderr


def test_the_monitor_shows_what_waits_and_the_proof_accuses_nobody(two_sent, rabbitmq_url, tmp_path):
    settings = load(broker_url=rabbitmq_url, data_dir=tmp_path)
    with closing(make_services(settings)) as services:
        upgrade(services.database, SCHEMA)

        def ready():
            return {each.name: (each.ready, each.unseen) for each in queues_of(services, []).queues}

        until(lambda: ready()[UPLOAD_IMAGE.queue] == (2, 2), "RabbitMQ counts both")

        now = datetime.now(UTC)
        sent = {"user_id": "u1", "status": "pending", "created_at": now - timedelta(minutes=5)}
        rows = [sent | {"id": f"a{number}", "updated_at": sent["created_at"]} for number in range(2)]
        services.database.run(WasteAnalysis.insert_many(rows).execute)
        seen = [services.broker.depths, lambda _: {}]  # and where the queue is not there yet: journals may hold them
        proofs = [proof_of(settings, services.database, depths, now - timedelta(hours=1), now) for depths in seen]

    parts = [part for proof in proofs for part in proof.parts if part.name == "analyses"]
    assert [(part.verdict, part.wrong) for part in parts] == [(Verdict.INCOMPLETE, [])] * 2
