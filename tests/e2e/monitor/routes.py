"""Makes the monitor's routes where this is loaded: a monitor that is forked from there has them, which is half its start."""

from growbin_jobs.monitor import app

app._routes()
