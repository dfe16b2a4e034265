"""What goes wrong with messages and analyses, and the day in short that the tests play."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta

from staged_alerts.nodes import damage_a_file
from staged_alerts.paid import all_groups, key_is_withdrawn
from staged_alerts.play import Play, Stage
from staged_alerts.site import BROKER, CENTRAL, Site, until

NOT_SCRAPED = frozenset({"GrowbinNodeNotScraped"})


def _nothing_there(site: Site) -> None:
    site.hand_in("nowhere 4")


BAD_DAY = Play(
    "bad-day",
    all_groups,
    (
        Stage(
            "pictures are not there", frozenset({"GrowbinDeadLetters", "GrowbinAnalysesFail"}), _nothing_there,
            _nothing_there, right=frozenset({"GrowbinAnalysesFailSlowly"}),
        ),
        Stage("a file of counts is damaged", frozenset({"GrowbinFilesDamaged"}), damage_a_file),
        Stage(
            "the key is withdrawn", frozenset({"GrowbinModelDenied", "GrowbinBreakerNeedsPerson"}), key_is_withdrawn,
        ),
        Stage(
            "the scheduler is killed", NOT_SCRAPED | {"GrowbinQueueDataMissing"}, lambda site: site.kill("scheduler"),
        ),
    ),
)  # fmt: skip


def _old(queue: str, hours: float):
    """Return what lets the messages of a queue have waited for so long, once there are some."""

    def age(site: Site) -> None:
        statement = "UPDATE message SET due = due - ? WHERE queue = ? AND state = 'ready'"
        until(lambda: site.by_hand(BROKER, statement, int(hours * 3_600_000), queue), f"messages wait in {queue}")

    return age


def _long_wait(site: Site) -> None:
    for queue in ("vision_analysis", "vision_analysis_bulk"):
        site.run("queues", "pause", queue, "--why", "staged")
    time.sleep(2.5)  # so long workers may take until they know
    site.hand_in("photos 2")
    _old("vision_analysis", 0.2)(site)


def _bulk_wait(site: Site) -> None:
    site.hand_in("many 4")
    _old("vision_analysis_bulk", 3)(site)


def _no_ai(site: Site) -> None:
    site.stop("ai")


def _no_storage(site: Site) -> None:
    site.stop("storage")
    site.hand_in("photos 2")


WAITING = Play(
    "waiting",
    lambda folder: all_groups(folder, {"GROWBIN_BULK_AFTER": "1"}),
    (
        Stage("messages wait for long", frozenset({"GrowbinMessagesWaitLong"}), _long_wait),
        Stage("those of who sent many wait for hours", frozenset({"GrowbinBulkWaitsLong"}), _bulk_wait),
        Stage("no ai worker lives", frozenset({"GrowbinAiStands"}), _no_ai, right=NOT_SCRAPED),
        Stage("no storage worker lives", NOT_SCRAPED | {"GrowbinStorageStands"}, _no_storage),
    ),
)


def _slow(site: Site) -> None:
    site.models.hang()
    site.hand_in("photos 14")
    assert site.models.wait_until_holding(12, 60)
    ago = (datetime.now(UTC) - timedelta(minutes=10)).isoformat(timespec="microseconds")
    site.by_hand(CENTRAL, "UPDATE waste_analysis SET created_at = ? WHERE completed_at IS NULL", ago)
    site.models.be_well()


def _crash(site: Site) -> None:
    site.models.hang()
    site.hand_in("photos 14")
    assert site.models.wait_until_holding(12, 60)
    os.kill(site.worker_process("ai"), signal.SIGKILL)
    site.models.be_well()


def _all_fail(site: Site) -> None:
    site.hand_in("nowhere 3")


RUNNING = Play(
    "running",
    all_groups,
    (
        Stage(
            "analyses take minutes", frozenset({"GrowbinAnalysesSlow", "GrowbinAnalysesSlowSlowly"}), _slow,
        ),
        Stage(
            "a process dies with all that it runs", frozenset({"GrowbinWorkersCrash"}), _crash,
            right=frozenset({"GrowbinNodeUnhealthy"}),
        ),
        Stage(
            "analyses fail", frozenset({"GrowbinAnalysesFail", "GrowbinAnalysesFailSlowly"}), _all_fail, _all_fail,
            right=frozenset({"GrowbinDeadLetters"}),
        ),
    ),
)  # fmt: skip

PLAYS = (BAD_DAY, WAITING, RUNNING)
