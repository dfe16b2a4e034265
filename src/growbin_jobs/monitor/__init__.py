"""The monitor: a web server that shows what runs and lets people put it right. See ``docs/monitor.md``."""
