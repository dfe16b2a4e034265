"""Workers of a recycling app: from the photo of a piece of waste to how it is sorted.

Producers import :mod:`growbin_jobs.client`, :mod:`growbin_jobs.storage` or :mod:`growbin_jobs.ai`; workers run
``growbin-jobs worker storage`` or ``dramatiq growbin_jobs.storage``.
"""

__version__ = "0.1.0"
