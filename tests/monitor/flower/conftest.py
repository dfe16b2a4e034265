"""A monitor on the embedded database, and a script that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.monitor.flower.client import CONFIG, Script, filled, serve

from growbin_jobs.monitor.services import Services
from growbin_jobs.settings import Settings


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    yield from filled(
        Settings(data_dir=tmp_path_factory.mktemp("flower"), language="en", timezone="America/New_York")
    )  # fmt: skip


@pytest.fixture(scope="package")
def port(services: Services) -> Iterator[int]:
    yield from serve(services, CONFIG)


@pytest.fixture(scope="package")
def script(port: int) -> Script:
    return Script(port)
