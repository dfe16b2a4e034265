"""``python limit_taker.py URL FILE SECONDS``: takes from two limits in a process of its own, and prints its grants."""

import json
import sys
import time
from pathlib import Path

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.sql import SqlLimits

store = SqlLimits(open_database(sys.argv[1] or None, default_path=Path(sys.argv[2]), pool_size=4, timeout=10))
until, starts, last = time.monotonic() + float(sys.argv[3]), [], 0.0
while time.monotonic() < until:
    decision = store.take({"a": 1, "b": 1}).decision
    if decision.granted:
        starts.append(decision.start)
    assert decision.now >= last - 0.01
    last = decision.now
print(json.dumps(starts))
