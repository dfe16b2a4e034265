"""Makes the monitor's routes where this is loaded: what is forked from there has them, which is half of its start."""

from growbin_jobs.monitor import app

app._routes()
