"""Who runs a command: the name for records, and the language of answers."""

import getpass
import sys
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
    """Return the language of sentences for a person: English where stdout's encoding lacks Korean letters."""
    from growbin_jobs import settings as _settings

    chosen = _settings.load().language
    try:
        "가".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "en"
    return chosen
