"""The S3 store while its server is frozen, gone, or refuses us. The server is this file's own: it gets hurt."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import freeze

from growbin_jobs.adapters.objects import s3
from growbin_jobs.adapters.objects.s3 import S3Store
from growbin_jobs.errors import ConfigurationError, Deferred

pytestmark = pytest.mark.services

SERVICES = Path(__file__).resolve().parents[2] / "scripts" / "services"
JPEG = "image/jpeg"


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    command = [sys.executable, SERVICES, "up", "--dir", tmp_path / "services", "--only", "s3", "--json"]
    done = subprocess.run([*command, "--with-pid", str(os.getpid())], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)["s3"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", facts["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", facts["secret_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", facts["region"])
    yield facts
    subprocess.run([sys.executable, SERVICES, "down", "--dir", tmp_path / "services"], check=True)


def test_frozen_and_killed_servers_make_us_wait_and_nothing_is_lost(own_server: dict[str, Any]) -> None:
    [pid] = own_server["pids"]
    store = S3Store(own_server["bucket"], endpoint_url=own_server["endpoint_url"], timeout=1.0)
    store.put("a", b"before", content_type=JPEG)

    freeze(pid)
    for _ in range(2):
        with pytest.raises(Deferred, match="cannot be reached"):
            store.get("a")
    with pytest.raises(Deferred):
        store.put("b", b"during", content_type=JPEG)
    with pytest.raises(ConfigurationError, match="GROWBIN_S3_ENDPOINT_URL"):
        store.check()

    os.kill(pid, signal.SIGCONT)
    patient = S3Store(own_server["bucket"], endpoint_url=own_server["endpoint_url"], timeout=20)
    patient.check()
    assert store.get("a") == b"before"

    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Deferred, match="cannot be reached"):
        patient.get("a")


def test_a_missing_bucket_and_a_wrong_key_are_told_apart(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = S3Store("nowhere-to-be-found", endpoint_url=s3_server.endpoint_url, timeout=10)
    with pytest.raises(Deferred, match="no bucket nowhere-to-be-found"):
        elsewhere.get("a")
    with pytest.raises(Deferred, match="no bucket"):
        elsewhere.exists("a")
    with pytest.raises(Deferred, match="no bucket"):
        elsewhere.put("a", b"x", content_type=JPEG)
    with pytest.raises(ConfigurationError, match="no bucket"):
        elsewhere.check()

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    wrong = S3Store(s3_server.bucket, endpoint_url=s3_server.endpoint_url, timeout=10)
    for call in (lambda: wrong.get("a"), lambda: wrong.exists("a"), lambda: list(wrong.list())):
        with pytest.raises(Deferred, match="AWS credentials"):
            call()
    with pytest.raises(ConfigurationError, match="AWS credentials"):
        wrong.check()


def test_lists_page_by_page(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "LIST_PAGE", 2)
    store = S3Store(s3_server.bucket, endpoint_url=s3_server.endpoint_url, pool_size=1, max_wait=1, timeout=10)
    keys = {f"p/{number}" for number in range(5)}
    for key in keys:
        store.put(key, b"x", content_type=JPEG)

    listing = store.list("p/")
    first = next(listing)
    assert store.exists(first.key)  # the one connection is free between the pages
    assert {first.key, *(entry.key for entry in listing)} == keys
