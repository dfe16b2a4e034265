"""The storage group as it is, with a short lease on due times since tests await the run after a crash."""

from datetime import timedelta

from growbin_jobs.scheduler import effects

effects.LEASE = timedelta(seconds=2)

import growbin_jobs.storage  # noqa: E402, F401 declares the actors
