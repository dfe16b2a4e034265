"""Producers load little: a web server that sends a message must not pay for a worker's libraries."""

import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest

#: gevent and psycopg2 are missing here on purpose: where they are installed Dramatiq asks gevent whether it has patched
#: the threads, and peewee looks which drivers there are. A producer's install has neither.
HEAVY = (
    "boto3", "botocore", "PIL", "openai", "httpx2", "numpy", "onnxruntime",
    "typer", "rich", "fastapi", "uvicorn", "apscheduler", "prometheus_client",
)  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("statement", "other_group"),
    [
        ("from growbin_jobs.storage import upload_image", "growbin_jobs.ai"),
        ("from growbin_jobs.ai import analyze_image", "growbin_jobs.storage"),
        ("from growbin_jobs.client import submit_analysis", "growbin_jobs.ai"),
    ],
)
def test_a_producer_loads_no_worker_library_and_not_the_other_group(statement, other_group):
    modules = loaded_after(statement)

    assert not {module for module in modules if module.split(".")[0] in HEAVY}
    assert other_group not in modules


def test_help_boots_nothing():
    modules = loaded_after("from growbin_jobs.cli.app import app")

    assert "growbin_jobs.app" not in modules
    assert not {module for module in modules if module.split(".")[0] in {"boto3", "PIL", "openai", "numpy", "peewee"}}


def test_the_monitor_needs_what_its_extra_brings_and_no_more():
    others = "apscheduler", "httpx2", "httpx", "openai", "PIL", "pillow_heif", "numpy", "onnxruntime"
    brought = " ".join(_requirements("monitor"))

    modules = loaded_after("import growbin_jobs.monitor.server, growbin_jobs.monitor.stdio")

    assert not {module for module in modules if module.split(".")[0] in others}
    assert "prometheus_client" not in modules or "prometheus-client" in brought


def _requirements(extra: str) -> list[str]:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    return setup["options.extras_require"][extra].split()
