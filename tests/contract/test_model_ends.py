"""Until when models are offered: kept and told of by the daily look."""

import logging
from datetime import date, timedelta

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.model_catalog import UNKNOWN_SERVER
from growbin_jobs.models.model_ends import ModelEnd, ModelEnds
from growbin_jobs.operations.model_ends import look_at_ends

TODAY = date(2026, 11, 28)
GPT_5_ENDS = date(2026, 12, 11)


def look(database: Database, models: list[str], listed: dict[str, date | None]) -> list[ModelEnd]:
    return look_at_ends(database, models, listed, UNKNOWN_SERVER, TODAY)


def test_what_is_found_is_kept_until_the_next_look(database: Database) -> None:
    found = look(database, ["gpt-5", "gpt-6-luna"], {"gpt-5": None, "gpt-6-luna": None})
    assert found == ModelEnds(database).all() == [ModelEnd("gpt-5", GPT_5_ENDS), ModelEnd("gpt-6-luna", None)]

    look(database, ["gpt-6-luna"], {"gpt-6-luna": date(2027, 12, 1)})
    assert ModelEnds(database).all() == [ModelEnd("gpt-6-luna", date(2027, 12, 1))]


@pytest.mark.parametrize(
    ("days", "level"), [(61, None), (60, "WARNING"), (15, "WARNING"), (14, "ERROR"), (0, "ERROR"), (-3, "ERROR")]
)
def test_an_end_is_told_of_at_60_days_and_as_an_error_at_14(
    database: Database, caplog: pytest.LogCaptureFixture, days: int, level: str | None
) -> None:
    caplog.set_level(logging.DEBUG, "growbin_jobs.operations.model_ends")
    ends = TODAY + timedelta(days=days)
    look(database, ["some-model"], {"some-model": ends})
    told = [(one.levelname, one.getMessage()) for one in caplog.records if "model.ends" in one.getMessage()]
    assert told == ([(level, f"model.ends model=some-model on={ends} days={days} successors=")] if level else [])


def test_an_alias_lives_as_long_as_its_last_snapshot_and_the_server_knows_better_than_the_catalogue(
    database: Database,
) -> None:
    listed = {"gpt-5": None, "gpt-5-2025-08-07": date(2027, 1, 1), "gpt-5-2026-02-01": date(2027, 3, 1)}
    assert look(database, ["gpt-5"], listed) == [ModelEnd("gpt-5", date(2027, 3, 1))]


def test_a_model_that_its_server_has_no_longer_is_told_of(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    assert look(database, ["gpt-5"], {"gpt-6-luna": None}) == [ModelEnd("gpt-5", GPT_5_ENDS, offered=False)]
    assert ModelEnds(database).all() == [ModelEnd("gpt-5", GPT_5_ENDS, offered=False)]
    assert "model.not_offered model=gpt-5 successors=gpt-6-luna" in caplog.text
