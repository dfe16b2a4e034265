"""Cron expressions: what they are read as, and what is refused."""

import pytest

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.periodic.cron import Cron


def test_fields_become_numbers():
    cron = Cron("0,30 8-18/2 */10 jan,MAR sun-tue")

    assert sorted(cron.minutes) == [0, 30]
    assert sorted(cron.hours) == [8, 10, 12, 14, 16, 18]
    assert sorted(cron.days) == [1, 11, 21, 31]
    assert sorted(cron.months) == [1, 3]
    assert sorted(cron.weekdays) == [0, 1, 2]


def test_sunday_is_0_and_7():
    assert Cron("0 3 * * 0").weekdays == Cron("0 3 * * 7").weekdays == Cron("0 3 * * sun").weekdays == {0}


@pytest.mark.parametrize(
    "wrong",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *", "*/0 * * * *",
     "5-1 * * * *", "1-x * * * *", "0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *", "H * * * *"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        Cron(wrong)


@pytest.mark.parametrize(
    ("expression", "day"), [("0 0 31 * *", 31), ("0 0 29-31 * *", 29), ("30 1 30 * *", 30), ("0 0 29 2 *", 29)]
)
def test_days_that_not_every_month_has_are_warned_about(expression, day):
    [warning] = Cron(expression).warnings

    assert f"day {day}" in warning


@pytest.mark.parametrize("expression", ["0 0 * * *", "0 0 1 * *", "0 0 28 * *", "0 0 31 * 1"])
def test_other_days_are_not(expression):
    assert Cron(expression).warnings == []


@pytest.mark.parametrize(
    ("expression", "fixed"),
    [("0 9 * * 1", True), ("5 * * * *", False), ("*/5 3 * * *", False), ("1-5 2,3 * * *", True)],
)
def test_a_job_belongs_to_the_day_or_to_real_time(expression, fixed):
    assert Cron(expression).fixed is fixed
