"""Sends webhooks in a process of its own, to be killed: ``python webhook_worker.py URL FILE NAME``."""

import sys
import time
from ipaddress import ip_network
from pathlib import Path

from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.alerts import deliveries
from growbin_jobs.alerts.sending import SendWebhooks
from growbin_jobs.engine.central.opening import open_database

deliveries.LEASE = 1.0  # type: ignore[misc]

database = open_database(sys.argv[1] or None, default_path=Path(sys.argv[2]), pool_size=2, timeout=10)
job = SendWebhooks(
    database, sys.argv[3], Prober(allowed=[ip_network("127.0.0.0/8")]), lambda _: "a secret of many bytes", timeout=0.9
)

while True:
    job.run_once()
    time.sleep(0.02)
