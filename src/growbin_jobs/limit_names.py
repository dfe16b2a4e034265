"""The names of limits, as people write them.

=====================  ==================================================================================
name                   counts
=====================  ==================================================================================
``vision``, ``text``   requests of that purpose; those of a rehearsal count as ``vision``
``model:NAME``         requests to one model, dated snapshots and aliases included
``project``            all requests
``user:ID``            requests for one user; ``user:*`` gives each user a limit of its own
``tokens:`` + a name   tokens of the same requests: those that are sent and the most that may be answered
=====================  ==================================================================================
"""

import difflib
from typing import Final

TOKENS: Final = "tokens:"
USER: Final = "user:"
MODEL: Final = "model:"
PROJECT: Final = "project"

#: The name of the limit that every user gets.
EACH_USER: Final = f"{USER}*"

#: Names that stand without anything behind them.
_ALONE: Final = ("vision", "text", PROJECT)

_NAMES: Final = (
    "The names are vision, text, project, model:NAME, user:ID and user:*; behind tokens: a name limits tokens, "
    "such as tokens:vision."
)


def checked_name(name: str) -> str:
    """Return a name that somebody wrote.

    Raises:
      ValueError: No request would ever take a limit of that name; the sentence says which name may be meant.
    """
    scope = name.removeprefix(TOKENS)
    if scope in _ALONE or any(scope.startswith(prefix) and scope != prefix for prefix in (MODEL, USER)):
        return name
    kind, colon, rest = scope.partition(":")
    close = difflib.get_close_matches(kind + colon, [*_ALONE, MODEL, USER], n=1)
    meant = f"{close[0]}{rest}" if close else scope
    hint = _NAMES if meant == scope else f"Did you mean {TOKENS if scope != name else ''}{meant}?"
    raise ValueError(f"{name!r} names no limit. {hint}")


def common_name(name: str) -> str:
    """Return the name that stands for a user's limit, ``user:*`` or ``tokens:user:*``; other names stay."""
    scope = name.removeprefix(TOKENS)
    return f"{TOKENS if scope != name else ''}{EACH_USER}" if scope.startswith(USER) else name
