"""What is loaded before a fork must have done nothing that a fork breaks. Each time in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from growbin_jobs.cli.shared_modules import modules_of_growbin
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.supervision.commands import shared_modules
from growbin_jobs.settings import load

LOOK = """
import gc, importlib, json, os, sys
before = dict(os.environ)
modules, own = json.loads(sys.argv[1])
for each in modules:
    importlib.import_module(each)
loaded = set(sys.modules)
import dramatiq.broker
from gevent._hub_local import get_hub_if_exists  # Dramatiq imports gevent to ask whether anything is patched
from growbin_jobs.engine import processes
from growbin_jobs.settings import current
files = os.listdir("/proc/self/fd")
found = {
    "threads": len(os.listdir("/proc/self/task")),
    "files": sorted(os.readlink(f"/proc/self/fd/{each}") for each in files if os.path.exists(f"/proc/self/fd/{each}")),
    "watched": [type(each).__name__ for each in processes._watched],
    "broker": dramatiq.broker.global_broker is not None,
    "hub": get_hub_if_exists() is not None,
    "settings": current.cache_info().currsize,
    "environment": before == dict(os.environ),
    "children": open(f"/proc/self/task/{os.getpid()}/children").read(),
    "modules": list(sys.modules),
}
for each in own:
    importlib.import_module(each)
found["more"] = sorted({each.partition(".")[0] for each in set(sys.modules) - loaded} - set(sys.stdlib_module_names))
print(json.dumps(found))
"""


@pytest.mark.parametrize("servers", [False, True])
def test_nothing_is_loaded_that_cannot_be_forked_and_no_library_by_each_process_for_itself(tmp_path, servers):
    variables = {"GROWBIN_BROKER_URL": "amqp://h", "DATABASE_URL": "postgresql://h/d", "OPENAI_API_KEY": "sk-1"}
    urls = {"broker_url": "amqp://h", "database_url": "postgresql://h/d"} if servers else {}
    config = EngineConfig(data_dir=tmp_path, **urls)
    settings = load(data_dir=tmp_path, openai_api_key="sk-1" if servers else None)
    modules = shared_modules(config) + modules_of_growbin(settings, scheduler=True)
    # What the three kinds of processes import, and the client that the services of one are built with.
    processes = [
        "growbin_jobs.ai.bootstrap",
        "growbin_jobs.engine.supervision.worker_process",
        "growbin_jobs.scheduler.process",
    ]
    processes += ["growbin_jobs.adapters.llm.connection"] if servers else []

    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps([modules, processes])],
        env=os.environ | {"GROWBIN_DATA_DIR": str(tmp_path)} | (variables if servers else {}),
        capture_output=True, stdin=subprocess.DEVNULL, check=True, cwd=tmp_path,
    )  # fmt: skip

    found = json.loads(done.stdout)
    assert found.pop("more") == ["growbin_jobs"]
    loaded = set(found.pop("modules"))
    pipes = [file for file in found.pop("files") if file != os.devnull]
    assert all(file.startswith("pipe:") for file in pipes)
    assert len(set(pipes)) == 2
    assert found == {
        "threads": 1, "watched": ["_Work"], "broker": False, "hub": False, "settings": 0,
        "environment": True, "children": "",
    }  # fmt: skip
    # What only one kind of process uses, and what is not used here at all.
    assert loaded & {"boto3", "PIL", "growbin_jobs.app", "typer", "rich", "fastapi"} == set()
    assert {"openai", "pika", "psycopg2"} <= loaded if servers else not {"openai", "pika"} & loaded


def test_an_engine_of_ones_own_shares_the_engine_only(tmp_path):
    modules = shared_modules(EngineConfig(data_dir=tmp_path))

    assert all(each.startswith(("growbin_jobs.engine.", "dramatiq.")) for each in modules)
