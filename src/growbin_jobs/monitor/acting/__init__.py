"""What people do in the monitor: each act is written into the audit first, then done by ``operations/``."""
