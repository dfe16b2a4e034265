"""The page of errors says whom a group has hit, as the interface does."""

from collections.abc import Iterator

import pytest
from tests.monitor.data import fill
from tests.upgraded import place

from growbin_jobs import settings as _settings
from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.services import Services
from growbin_jobs.monitor.words import words_in

WORDS = words_in("en")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Over a database with some hours of work, made once."""
    folder = tmp_path_factory.mktemp("errors")
    place(folder / "central.db", SCHEMA)
    services = make_services(_settings.load(data_dir=folder, language="en"))
    fill(services.database)
    yield services
    services.close()


@pytest.fixture
def client(open_monitor):
    return open_monitor(insecure=True)


def test_whom_a_group_has_hit_is_said_of_that_group(client):
    for hours in (1, 24, 168):
        groups = client.get(f"/api/v2/error-groups?hours={hours}").json()["groups"]
        for group in groups:
            hit = client.get(f"/api/v2/error-groups/{group['key']}/affected?hours={hours}").json()
            text = client.get(f"/errors?hours={hours}&affected={group['key']}").text
            assert WORDS("errors.hit", users=hit["users"], analyses=hit["analyses"]) in text
            assert text.count(WORDS("errors.who")) == len(groups) - 1
        assert len(groups) > 1


def test_of_a_group_that_is_not_there_nothing_is_said(client):
    shown, other = (client.get(f"/errors{query}").text for query in ("", "?affected=none"))
    assert shown.count(WORDS("errors.who")) == other.count(WORDS("errors.who")) > 2
