"""Who runs a command: the name for records, and the language of answers."""

import getpass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from growbin_jobs.reasons import Language


def name_of_person() -> str:
    """Return the name of the account that runs this process; ``cli`` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "cli"


def language() -> "Language":
    """Return the language of sentences."""
    from growbin_jobs import settings as _settings

    return _settings.load().language
