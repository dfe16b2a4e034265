"""Who runs a command: the name for records, and the language of answers."""

import getpass
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from growbin_jobs.reasons import Language


def name_of_person() -> str:
    """Return the name of the account that runs this process; ``cli`` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "cli"


def language(*, of_terminal: bool = True) -> "Language":
    """Return the language of sentences for who runs this command.

    ``GROWBIN_LANGUAGE`` decides where it is set. Else the terminal's locale does: Korean for Korean, English for any
    other language. A locale without a language (C, POSIX) means Korean, and English for an engine of somebody's own.

    Parameters:
      of_terminal: False for what a program reads: then neither the locale nor the encoding of stdout decides. With
        True it is English where stdout's encoding lacks Korean letters.
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.target import is_growbin

    found = _settings.load()
    chosen = found.language
    if "language" not in found.model_fields_set:
        chosen = (_of_locale(os.environ) if of_terminal else None) or (chosen if is_growbin() else "en")
    if of_terminal:
        try:
            "가".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return "en"
    return chosen


def _of_locale(environment: Mapping[str, str]) -> "Language | None":
    # The order of POSIX for LC_MESSAGES; an empty variable counts as unset.
    name = next((environment[each] for each in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(each)), "")
    its = re.split(r"[_.@-]", name)[0].lower()
    return None if its in ("", "c", "posix") else "ko" if its in ("ko", "korean") else "en"
