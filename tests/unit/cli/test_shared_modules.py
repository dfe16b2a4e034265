"""What is loaded before a fork must have done nothing that a fork breaks. Each time in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from growbin_jobs.cli.shared_modules import modules_of_growbin, modules_of_storage
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


WITH_GREENLETS = "from growbin_jobs.engine.greenlet_patches import patch_all\npatch_all()\n"

#: As the loader does it, in which nothing has waited. No fork makes another one.
NO_HUB = """
from gevent import get_hub, monkey
from gevent._hub_local import get_hub_if_exists
get_hub().destroy(destroy_loop=True)
child = monkey.get_original("os", "fork")()
if child == 0:
    os._exit(get_hub_if_exists() is not None)
assert os.waitpid(child, 0)[1] == 0
import dramatiq.broker
"""

STORE = """
from growbin_jobs.storage.bootstrap import services
from growbin_jobs.engine.node.cores import usable_cores
assert services().uploads._threads == usable_cores()  # as many as are asked for would only hold memory
from growbin_jobs.wiring import object_store
from growbin_jobs.settings import current
store = object_store(current())
if hasattr(store, "_connections"):
    store._connections._connected()
"""


@pytest.mark.parametrize("servers", [False, True])
def test_what_processes_with_greenlets_share_can_be_forked_and_is_all_that_they_load(tmp_path, servers):
    urls = {"broker_url": "amqp://h", "database_url": "postgresql://h/d"} if servers else {}
    variables = {"GROWBIN_DATA_DIR": str(tmp_path), "GROWBIN_PICTURE_THREADS": "999"}
    if servers:
        variables |= {
            "GROWBIN_BROKER_URL": "amqp://h", "DATABASE_URL": "postgresql://h/d",
            "GROWBIN_OBJECT_STORE_URL": "s3://pictures", "GROWBIN_S3_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": os.devnull,
        }  # fmt: skip
    settings = load(data_dir=tmp_path, object_store_url="s3://pictures" if servers else None)
    modules = shared_modules(EngineConfig(data_dir=tmp_path, **urls), greenlets=True) + modules_of_storage(settings)

    processes = ["growbin_jobs.storage.bootstrap", "growbin_jobs.engine.supervision.worker_process"]
    look = WITH_GREENLETS + LOOK.replace("import dramatiq.broker\n", NO_HUB).replace(
        'found["more"]', STORE + 'found["more"]'
    )

    done = subprocess.run(
        [sys.executable, "-c", look, json.dumps([modules, processes])],
        env=os.environ | variables, capture_output=True, stdin=subprocess.DEVNULL, check=True, cwd=tmp_path,
    )  # fmt: skip

    found = json.loads(done.stdout)
    assert found.pop("more") == ["growbin_jobs"]
    loaded = set(found.pop("modules"))
    assert {os.path.basename(file).partition(":")[0] for file in found.pop("files")} == {"null", "pipe"}
    assert found == {
        "threads": 1, "watched": ["_Work"], "broker": False, "hub": False, "settings": 0,
        "environment": True, "children": "",
    }  # fmt: skip
    assert loaded & {"boto3", "openai", "growbin_jobs.app", "apscheduler", "typer", "fastapi"} == set()


def test_an_engine_of_ones_own_shares_the_engine_only(tmp_path):
    modules = shared_modules(EngineConfig(data_dir=tmp_path))

    assert all(each.startswith(("growbin_jobs.engine.", "dramatiq.")) for each in modules)
