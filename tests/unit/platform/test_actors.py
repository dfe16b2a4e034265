"""The platform's actors with all their wiring, each group in a process of its own."""

import json
import os
import sys
from collections.abc import Iterator

import pytest
from tests.command_line import run_python
from tests.stubs.agent_zoo import AgentZoo

STORAGE = """
import json, sys
from datetime import UTC, datetime, timedelta
from growbin_jobs.storage import aggregate_daily, check_agent_health, check_all_agents, old_logs, old_sessions
from growbin_jobs.storage import compress_statistics
from growbin_jobs.platform import bootstrap
from growbin_jobs.platform.tables.registry import Agent
from growbin_jobs.testing import sandbox

then = datetime(2026, 1, 1, tzinfo=UTC)
for number, path in enumerate(("ok", "503"), 1):
    row = {"id": str(number), "name": path, "endpoint": f"{sys.argv[1]}/{path}", "created_at": then}
    bootstrap.database().run(lambda connection: Agent.insert(row).execute(connection))
found = {"direct": check_agent_health(1)}
with sandbox() as box:
    due = datetime.now(UTC).isoformat()
    check_all_agents.send(due=due, since=due, until=due)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    aggregate_daily.send(due=due, since=yesterday, until=None)
    for job in (old_logs, old_sessions, compress_statistics):
        job.send(due=yesterday)
    box.run()
    found["sent"] = [sent.actor for sent in box.sent()]
    found["dead"] = [str(each) for each in box.dead()]
found["states"] = {row["target"]: [row["state"], row["failures"]] for row in bootstrap.health_table().states()}
found["days"] = [row["period"] for row in bootstrap.statistics().show("daily", 5)]
print(json.dumps(found))
"""

AI = """
import json, sys
from datetime import UTC, datetime
from growbin_jobs.ai import check_all_models, check_model_health
from growbin_jobs.platform import bootstrap
from growbin_jobs.platform.tables.registry import LlmModel
from growbin_jobs.testing import sandbox

row = {
    "id": "1", "name": "m1", "base_url": f"{sys.argv[1]}/v1", "key_ref": "env:OPENAI_API_KEY", "key_host": "127.0.0.1",
    "paid_probe": 1, "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}
bootstrap.database().run(lambda connection: LlmModel.insert(row).execute(connection))
found = {"direct": check_model_health(1)}
with sandbox() as box:
    check_all_models.send(due=datetime.now(UTC).isoformat())
    box.run()
    found["sent"] = [sent.actor for sent in box.sent()]
    found["dead"] = [str(each) for each in box.dead()]
bootstrap.paid_probes()._meter.flush()
rows = bootstrap.database().run(
    lambda one: one.execute_sql("SELECT model, purpose, outcome FROM llm_usage").fetchall()
)
found["paid"] = [list(row) for row in rows]
print(json.dumps(found))
"""


@pytest.fixture
def zoo() -> Iterator[AgentZoo]:
    zoo = AgentZoo()
    yield zoo
    zoo.close()


def run(script, zoo, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GROWBIN_", "OPENAI_"))}
    environment |= {
        "GROWBIN_DATA_DIR": str(folder), "GROWBIN_HEALTH_NETWORKS": "127.0.0.0/8", "OPENAI_API_KEY": "sk-secret",
    }  # fmt: skip
    done = run_python([sys.executable, "-c", script, zoo.url], env=environment, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert "sk-secret" not in done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_storage_group(zoo, tmp_path):
    found = run(STORAGE, zoo, tmp_path)

    assert found["dead"] == []
    assert (found["direct"]["agent_id"], found["direct"]["status"]) == (1, "healthy")
    # One check each; the failing one is checked again twice, and then it is down.
    assert found["sent"].count("health.check_agent") == 4
    assert found["states"] == {"agent:1": ["healthy", 0], "agent:2": ["unhealthy", 3]}
    assert len(found["days"]) == 1


def test_the_ai_group(zoo, tmp_path):
    zoo.models["m1"] = 200

    found = run(AI, zoo, tmp_path)

    assert found["dead"] == []
    assert (found["direct"]["model_id"], found["direct"]["status"]) == (1, "healthy")
    assert found["sent"] == ["llm.check_all_models", "llm.check_health"]
    assert zoo.headers["authorization"] == "Bearer sk-secret"
    assert found["paid"] == [["m1", "probe", "answered"]] * 2
