"""The monitor over an embedded database with some hours of work, and with what is hostile in every name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.monitor.data import fill, fill_batches, fill_with_oddities
from tests.monitor.serving import serving

from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.services import Services
from growbin_jobs.settings import Settings


@pytest.fixture(scope="session")
def odd_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Services over a database with ordinary and hostile rows."""
    folder: Path = tmp_path_factory.mktemp("monitor")
    services = make_services(Settings(data_dir=folder, language="en"))
    fill(services.database, analyses=40)
    fill_with_oddities(services.database)
    fill_batches(services.database)
    yield services
    services.close()


@pytest.fixture(scope="session")
def reader(odd_services: Services) -> Iterator[httpx.Client]:
    """A client of somebody who may see everything, of a real server: a test client reads addresses its own way."""
    app = make_app(MonitorConfig(insecure=True, language="en"), odd_services)
    with serving(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
