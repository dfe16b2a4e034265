"""What goes wrong with nodes: their database, journals, disks, processes and versions."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from staged_alerts.paid import all_groups
from staged_alerts.play import Play, Stage
from staged_alerts.site import CENTRAL, JOURNAL, Site, until

HERE = Path(__file__).parent


def _database_stands(site: Site) -> None:
    site.lock(CENTRAL)
    site.hand_in("spooled 14")


def _old_journal(site: Site) -> None:
    ages = "UPDATE task_wal SET created_at = created_at - 900, started_at = started_at - 900, "
    ages += "completed_at = completed_at - 900 WHERE synced_at IS NULL"
    until(lambda: site.by_hand(f"storage/{JOURNAL}", ages), "rows wait in the journal")


DATABASE_AWAY = Play(
    "database-away",
    lambda folder: all_groups(folder, {"GROWBIN_DATABASE_TIMEOUT": "30", "GROWBIN_UPLOAD_TIME_LIMIT": "2"}),
    (
        Stage(
            "nothing is written to the database", frozenset({"GrowbinTimeLimits", "GrowbinRetryStorm"}),
            _database_stands, lambda site: site.hand_in("spooled 1"), right=frozenset({"GrowbinDeadLetters"}),
        ),
        Stage("it has been so for a quarter of an hour", frozenset({"GrowbinJournalLags"}), _old_journal),
    ),
)  # fmt: skip


def _rows_refused(site: Site) -> None:
    site.by_hand(
        CENTRAL,
        "CREATE TRIGGER staged BEFORE INSERT ON tasks WHEN NEW.task_name = 'upload_image' "
        "BEGIN SELECT RAISE(ABORT, 'staged'); END",
    )
    site.hand_in("photos 1")


def damage_a_file(site: Site) -> None:
    """Put a file that says nothing among the counts of a node."""
    (site.data / "storage" / "metrics" / "damaged").write_bytes(b"\0" * 100)


def _job_fails(site: Site) -> None:
    """Let the table of bulk jobs be one that nobody can read, which the keeper tries every two seconds."""
    columns = [name for _, name, *_ in site.rows(CENTRAL, "PRAGMA table_info(bulk_jobs)")]
    site.by_hand(CENTRAL, "ALTER TABLE bulk_jobs RENAME TO bulk_jobs_before")
    nothing = ", ".join(f"abs() AS {name}" for name in columns)
    site.by_hand(CENTRAL, f"CREATE VIEW bulk_jobs AS SELECT {nothing}")


def _other_version(site: Site) -> None:
    site.env["PYTHONPATH"] = os.pathsep.join([str(HERE / "other_version"), site.env.get("PYTHONPATH", "")])
    site.worker("storage", node="storage-2")


def _process_stands(site: Site) -> None:
    os.kill(site.worker_process("storage"), signal.SIGSTOP)


ILL_NODE = Play(
    "ill-node",
    all_groups,
    (
        Stage("a file of counts is damaged", frozenset({"GrowbinFilesDamaged"}), damage_a_file),
        Stage("the database refuses rows", frozenset({"GrowbinJournalRefused"}), _rows_refused),
        Stage("a job of the keeper fails", frozenset({"GrowbinKeeperFails"}), _job_fails),
        Stage("a process stands still", frozenset({"GrowbinNodeUnhealthy"}), _process_stands),
    ),
)

#: Bytes of a file system in memory that holds nothing but the node's folder.
_DISK = 100_000_000


def _small_disk(folder: Path) -> Site:
    site = Site(folder)
    (site.data / "small").mkdir(parents=True)
    inside = ["bwrap", "--dev-bind", "/", "/", "--size", str(_DISK), "--tmpfs", str(site.data / "small")]
    site.worker("storage", node="small", inside=inside)
    site.worker("ai")
    site.scheduler()
    return site


def _disk(site: Site) -> Path:
    """Return the node's folder as its processes see it."""
    return Path(f"/proc/{site.pid('small')}/root{site.data / 'small'}")


def _fill(site: Site, share: float) -> None:
    """Leave so much of the disk free."""
    of_disk = os.statvfs(_disk(site))
    size = of_disk.f_bavail * of_disk.f_frsize - int(share * _DISK)
    with (_disk(site) / "ballast-of-others").open("ab") as file:
        file.write(b"\0" * max(0, size))


def _fill_more(site: Site) -> None:
    with (_disk(site) / "ballast-of-others").open("ab") as file:
        file.write(b"\0" * 40_000)


SMALL_DISK = Play(
    "small-disk",
    _small_disk,
    (
        Stage("a disk fills", frozenset({"GrowbinDiskFills"}), lambda site: _fill(site, 0.18), _fill_more),
        Stage(
            "it is full", frozenset({"GrowbinJournalNotWritable", "GrowbinNodeUnhealthy"}),
            lambda site: _fill(site, 0.05),
        ),
    ),
)  # fmt: skip

TWO_VERSIONS = Play(
    "two-versions",
    all_groups,
    (
        Stage(
            "a rollout stands still", frozenset({"GrowbinVersionsMixed"}), _other_version,
            right=frozenset({"GrowbinNodeUnhealthy"}),  # its start takes seconds, which count as minutes here
        ),
    ),
)  # fmt: skip

PLAYS = (DATABASE_AWAY, ILL_NODE, SMALL_DISK, TWO_VERSIONS)
