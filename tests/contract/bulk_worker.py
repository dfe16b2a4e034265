"""Works on bulk jobs in a process of its own, to be killed: ``python bulk_worker.py URL FILE NAME``."""

import sys
import time
from pathlib import Path

from growbin_jobs.engine.central import bulk_work
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.keeper.bulk import WorkBulk

bulk_work.LEASE = 1.0  # type: ignore[misc]

database = open_database(sys.argv[1] or None, default_path=Path(sys.argv[2]), pool_size=2, timeout=10)
job = WorkBulk(database, sys.argv[3])
print("ready", flush=True)
while True:
    job.run_once()
    time.sleep(0.05)
