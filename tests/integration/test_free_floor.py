"""Below the floor of free disk a node takes no new messages; when there is room again it goes on by itself."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from growbin_jobs.engine.journal.tables import reader

#: Bytes. What others write on this disk meanwhile is less.
MARGIN = 2_000_000_000


def test_a_node_waits_while_its_disk_has_less_room_than_the_floor(
    start_product: Callable[..., Any], tmp_path: Path
) -> None:
    disk = os.statvfs(tmp_path)
    product = start_product(GROWBIN_JOURNAL_FREE_FLOOR=str(disk.f_bavail * disk.f_frsize - MARGIN))
    before = product.send("before")
    product.until(lambda: product.status(before) == "completed", "it runs while there is room")

    filler = tmp_path / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * MARGIN)
    product.send("late", delay=2_000)  # a worker that has nothing to do looks at its disk once a minute
    product.until(lambda: "worker.stopped_fetching" in product.log.read_text(), "it takes nothing new")
    held = product.send("held")
    product.send("held too")  # starting Python twice takes long enough to run a message many times
    assert product.runs.read_text() == "before\n"
    room_at = time.time()
    filler.unlink()

    product.until(lambda: product.status(held) == "completed", "it goes on")
    with closing(reader.open_reader(product.journal)) as connection:
        task = reader.task(connection, held)
    assert task is not None
    assert task.started_at is not None
    assert task.started_at >= room_at
