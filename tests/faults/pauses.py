"""Pauses of isolation and of consumers, shortened where a test asks for it: seconds in which nothing is proven."""

from __future__ import annotations

import os

from growbin_jobs.engine.isolation import policy

#: The variable that divides them, for worker processes; not set: as in production.
DIVISOR = "FAULTS_PAUSES_DIVIDED_BY"


def shorten() -> None:
    """Divide the pauses of this process as the environment says."""
    divisor = float(os.environ.get(DIVISOR, "1"))
    policy.PAUSES = tuple(seconds / divisor for seconds in policy.PAUSES)
    if "GROWBIN_BROKER_URL" in os.environ:  # the embedded broker's workers need not load it
        from growbin_jobs.engine.broker.rabbitmq import self_healing_consumer

        self_healing_consumer.SILENCE /= divisor
