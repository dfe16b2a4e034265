"""The monitor of an engine that has neither Growbin's parts nor a schedule."""

import pytest
from fastapi.testclient import TestClient

from growbin_jobs import settings as _settings
from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_config, make_services
from growbin_jobs.monitor.pages.navigation import PAGES
from growbin_jobs.monitor.security.permissions import PERMISSIONS
from growbin_jobs.monitor.security.routes import routes_of
from growbin_jobs.monitor.services import Part


@pytest.fixture
def services(tmp_path):
    engine = Engine(EngineConfig(data_dir=tmp_path / "shop", node="n1", source="shop:engine"))
    engine.actor(lambda: None, actor_name="nap", queue_name="naps")
    services = make_services(_settings.load(data_dir=tmp_path / "growbin"), engine)
    yield services
    services.close()


@pytest.fixture
def client(services):
    config = make_config(services.settings, growbin=False, insecure=True)
    with TestClient(make_app(config, services), "http://localhost:5555") as client:
        yield client


def test_it_has_the_engine_s_tables_and_files_and_none_of_growbin_s(services, tmp_path):
    tables = services.database.run(
        lambda connection: connection.execute_sql("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    )
    assert {"tasks", "audit", "monitor_session", "monitor_token"} <= {name for (name,) in tables}
    assert not {"waste_analysis", "llm_usage", "schedule_ledger", "agents"} & {name for (name,) in tables}
    assert not (tmp_path / "growbin").exists()


def test_each_page_that_it_has_answers_and_each_other_one_says_why_not(client):
    for page in PAGES:
        answer = client.get(page.path)
        has = PERMISSIONS[page.action].of is Part.TASKS
        assert answer.status_code == (200 if has else 404), page.path
        assert ("an engine that has no such thing" in answer.text) is not has, page.path


def test_no_route_without_parameters_meets_a_table_that_is_not_there(client):
    """What is refused is refused before the database is asked; what is not, is answered."""
    asked = 0
    for path, methods, actions in routes_of(client.app):
        if "GET" in methods and "{" not in path and "export" not in path and path not in ("/live/stream",):
            answer = client.get(path, params={"draw": 1}, follow_redirects=False)
            wants = {PERMISSIONS[action].of for action in actions} - {Part.TASKS}
            assert answer.status_code < 500, path
            assert not wants or answer.status_code == 404, path
            asked += 1
    assert asked > 30


def test_what_acts_on_parts_that_it_lacks_is_refused(client):
    headers = {"sec-fetch-site": "same-origin"}
    for path in ("/api/v2/limits/vision/set", "/api/v2/breakers/model/reset", "/api/v2/schedule/x/run"):
        assert client.post(path, json={"rate": "1/60"}, headers=headers).status_code == 404, path


def test_people_of_no_language_that_there_is_read_english_unless_the_setting_says_otherwise(services):
    assert make_config(services.settings, growbin=False, insecure=True).language == "en"
    chosen = _settings.load(language="ko")
    assert make_config(chosen, growbin=False, insecure=True).language == "ko"
