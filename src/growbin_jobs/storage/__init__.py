"""The storage group: I/O bound stages, under gevent. Entry point of ``dramatiq growbin_jobs.storage``.

Importing it declares the actors and loads nothing that only a worker needs (see :mod:`growbin_jobs.storage.bootstrap`).
"""

from growbin_jobs.storage.actors import record_failure, retrieve_rule, upload_image, write_weekly_report

__all__ = ["record_failure", "retrieve_rule", "upload_image", "write_weekly_report"]
