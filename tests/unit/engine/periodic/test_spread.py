"""What every node does at once is spread, the same way each time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from growbin_jobs.engine.periodic.cron import Daily
from growbin_jobs.engine.periodic.spread import MOST, spread, window_of
from growbin_jobs.engine.periodic.trigger import DueTrigger

NODES = [f"node-{number}" for number in range(20)]
DAY = timedelta(days=1)


def test_twenty_nodes_at_midnight_use_the_whole_window():
    offsets = sorted(spread(node, "prune", window_of(DAY)) for node in NODES)

    assert offsets[-1] < MOST
    assert len(set(offsets)) == 20
    # In each quarter of the window there is somebody, and nowhere more than half of all.
    quarters = [sum(MOST / 4 * q <= offset < MOST / 4 * (q + 1) for offset in offsets) for q in range(4)]
    assert min(quarters) >= 1
    assert max(quarters) <= 10


def test_it_is_the_same_after_a_restart_and_another_for_another_job():
    assert spread("node-1", "prune", DAY) == spread("node-1", "prune", DAY) != spread("node-1", "spool", DAY)


def test_a_short_interval_has_a_short_window():
    assert window_of(timedelta(seconds=5)) == timedelta(seconds=1)


def test_the_timer_fires_later_and_once_a_due_time():
    trigger = DueTrigger(Daily(), ZoneInfo("UTC"), timedelta(minutes=7))
    before = datetime(2026, 11, 28, 0, 3, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, before)

    assert first == datetime(2026, 11, 28, 0, 7, tzinfo=UTC)
    assert trigger.get_next_fire_time(first, first) == first + DAY


def test_a_timer_that_overslept_counts_no_missed_times():
    trigger = DueTrigger(Daily(), ZoneInfo("UTC"))
    first = trigger.get_next_fire_time(None, datetime(2026, 11, 1, 12, tzinfo=UTC))

    assert trigger.get_next_fire_time(first, datetime(2026, 11, 28, 12, tzinfo=UTC)) == datetime(
        2026, 11, 29, tzinfo=UTC
    )
