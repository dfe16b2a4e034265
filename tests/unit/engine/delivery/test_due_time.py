from typing import Any

import pytest
from dramatiq import Message

from growbin_jobs.engine.delivery.due_time import delay_until_due, forget_what_is_due, seconds_until_due

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("eta", "delay", "expected"),
    [
        ((NOW + 60) * 1000, None, 60_000),
        ((NOW + 60) * 1000, 5_000, 60_000),
        ((NOW + 60) * 1000, 90_000, 90_000),
        ((NOW - 60) * 1000, 5_000, 5_000),
        (NOW * 1000, None, None),
        ("tomorrow", None, None),
        ((NOW + 60) * 1000, "5", "5"),  # refused where delays are checked, and not replaced before
    ],
)
def test_a_message_is_delayed_until_its_due_time(eta: Any, delay: Any, expected: Any) -> None:
    message: Message[Any] = Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={"eta": eta})
    assert delay_until_due(message, delay, NOW) == expected


@pytest.mark.parametrize(("eta", "left"), [(NOW * 1000 + 1500, 1.5), (NOW * 1000 - 1500, -1.5), (None, 0.0)])
def test_what_is_left(eta: Any, left: float) -> None:
    assert seconds_until_due({"eta": eta}, NOW) == pytest.approx(left)


def test_a_due_time_that_has_come_is_forgotten() -> None:
    options = {"eta": NOW * 0, "other": 1}
    forget_what_is_due(options)
    assert options == {"other": 1}
