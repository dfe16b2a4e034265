"""Makes the monitor's routes and templates where this is loaded: what is forked from there has them.

They are most of what a monitor does at its start and at its first pages.
"""

from growbin_jobs.monitor import app
from growbin_jobs.monitor.pages.rendering import templates

app._routes()
for name in templates().list_templates():
    templates().get_template(name)
