"""Rules as text in the database, and back: every scheduler fires by the rule that is registered, not by its own."""

from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.errors import ConfigurationError

_INTERVAL = "every "


def parse_rule(text: str) -> Cron | Every:
    """Return the rule of a text, as ``str(rule)`` writes it.

    Raises:
      ConfigurationError: If it is none.
    """
    if not text.startswith(_INTERVAL):
        return Cron(text)
    try:
        return Every(float(text.removeprefix(_INTERVAL).removesuffix(" s")))
    except ValueError:
        raise ConfigurationError(f"{text!r} is no interval, such as 'every 600 s'.") from None
