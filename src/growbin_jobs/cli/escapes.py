"""Says why a result has escapes where its reader expects letters."""

import contextlib
from typing import Final

from growbin_jobs.cli.console import say
from growbin_jobs.errors import GrowbinError
from growbin_jobs.sentences import Words, worded

_SAID: Final[Words] = {
    "escaped": {
        "en": "The encoding {encoding} lacks some of these signs, so they are shown as escapes. "
        "All of them: PYTHONIOENCODING=utf-8, or --json",
        "ko": "{encoding} 인코딩에 없는 글자는 이스케이프로 표시했습니다. "
        "모두 보려면 PYTHONIOENCODING=utf-8 또는 --json을 쓰세요.",
    },
}


def explain_escapes(encoding: str) -> None:
    """Say it once, on stderr, when a command has ended.

    Parameters:
      encoding: Of the stream.
    """
    from growbin_jobs.cli.person import language

    with contextlib.suppress(OSError, GrowbinError):  # stderr is closed, or the settings are wrong: said before
        say(worded(_SAID, "escaped", language(), encoding=encoding), "dim")
