"""The page of errors says whom a group has hit, as the interface does."""

import pytest
from tests.monitor.data import fill
from tests.upgraded import upgrade

from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.words import words_in

WORDS = words_in("en")


@pytest.fixture
def client(services, open_monitor):
    upgrade(services.database, SCHEMA)
    fill(services.database)
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
