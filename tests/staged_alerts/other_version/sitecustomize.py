"""Lets processes that have this folder on their path say that they are of another version."""

import growbin_jobs

growbin_jobs.__version__ = "0.0.9"
