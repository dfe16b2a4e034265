"""Worker layer of Growbin: photograph a piece of waste, learn how to sort it.

Producers import :mod:`growbin_jobs.client`, :mod:`growbin_jobs.storage` or :mod:`growbin_jobs.ai`; workers run
``growbin-jobs worker storage`` or ``dramatiq growbin_jobs.storage``.
"""

__version__ = "0.1.0"
