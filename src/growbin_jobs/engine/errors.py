"""The engine's errors, in one tree::

    GrowbinError
    ├── ConfigurationError    a setting or an installation is wrong; raised at start, never inside a message
    ├── NotFound              something that was asked for by name is not there
    ├── Permanent             trying again cannot help: the message goes to the dead letters
    ├── Transient             trying again may help: spends a retry
    └── Deferred              wait, it is nobody's fault: comes back later and spends no retry

What an actor raises decides what happens to its message; ``middleware/retries.py`` reads the class and
nothing else. Any exception from outside this tree counts as transient. Applications derive their own classes.
"""

from growbin_jobs.engine.reasons import reason
from growbin_jobs.engine.text import well_formed


class GrowbinError(Exception):
    """Root of the tree."""


class ConfigurationError(GrowbinError):
    """A setting or the installation is wrong. The message says which one and how to mend it."""


class NotFound(GrowbinError):
    """What was asked for by name does not exist."""


class Permanent(GrowbinError):
    """Trying again cannot help.

    Parameters:
      code: A key of :data:`growbin_jobs.engine.reasons.REASONS`; it is stored and turned into a
        sentence where a person reads it.
      params: What the sentence's placeholders need. Plain text and numbers only: they travel in a message,
        so no secrets and no personal data.
    """

    def __init__(self, code: str, **params: str | int | float) -> None:
        self.code = code
        self.params = {name: well_formed(value) if isinstance(value, str) else value for name, value in params.items()}
        super().__init__(reason(code, "en", self.params))


class Transient(GrowbinError):
    """Trying again may help.

    Parameters:
      message: What happened, for logs.
      max_retries: At most this many retries for this kind of error, where it must be fewer than the
        actor's own limit (a timed out paid call, for instance, may have been billed). None: the actor's.
      final_code: What a person is told when no retry is left; a key of :data:`growbin_jobs.engine.reasons.REASONS`.
    """

    def __init__(self, message: str, *, max_retries: int | None = None, final_code: str = "retries_exhausted") -> None:
        self.max_retries = max_retries
        self.final_code = final_code
        super().__init__(message)


class Deferred(GrowbinError):
    """Something we depend on asks us to wait (rate limit) or is away (database down).

    Parameters:
      message: What we wait for, for logs.
      wait: Seconds until the next try; jitter is added.
    """

    def __init__(self, message: str, *, wait: float) -> None:
        self.wait = wait
        super().__init__(message)
