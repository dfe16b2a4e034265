"""The cause of a failed run: what failures have in common whose texts differ in ids, numbers and paths only."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final, NamedTuple

#: What differs between two failures of one cause: ids, numbers, texts in quotation marks, paths, addresses. Those of
#: people too: they may be erased while their failures stay counted.
_VARYING: Final = re.compile(
    r"""[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*"""
    r"""|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"""
    r"""|'[^']*'|"[^"]*"|\w+://\S+|(?<!\w)/[\w./-]+|\d+(?:[.,:]\d+)*""",
    re.IGNORECASE,
)
_FRAME: Final = re.compile(r'File "(?P<file>[^"]+)", line \d+, in (?P<function>.+)')
_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*")

#: Characters that are kept of a name of a class, and of a place.
_CLASS_SHOWN, _PLACE_SHOWN = 200, 500


class Cause(NamedTuple):
    """What a failed run says of its cause.

    Attributes:
      actor: Whose run it was.
      code: The reason's code where the message was given up; empty: not known.
      error_class: Of the error; empty: not known.
      place: ``file:function`` where it was raised, without the line, which moves; empty: not known.
      title: The error's text without what varies.
    """

    actor: str
    code: str
    error_class: str
    place: str
    title: str

    @property
    def number(self) -> int:
        """Return a number of 64 bits that names it, the same on every node and from day to day."""
        return _number(self)

    @property
    def beginning(self) -> str:
        """Return what the errors of this cause begin with, blanks before it left out; empty: not known."""
        return self.title.partition("…")[0].rstrip()


@lru_cache(maxsize=2000)
def _number(cause: Cause) -> int:
    text = "\0".join(cause).encode("utf-8", "replace")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


#: Stands for the rarer causes of a time in which there are more than are kept apart.
OTHERS: Final = Cause("", "", "", "", "…")


def cause_of(actor: str, error: str, *, code: str = "", traceback: str = "") -> Cause:
    """Return the cause of a failed run.

    Parameters:
      error: Its text, or the beginning of that.
      code, traceback: Of the message that was given up after it; empty: not known.
    """
    error_class, place = _place(traceback) if traceback else ("", "")
    if not error_class:
        named = _CLASS.match(error)
        whole = named is not None and error[named.end() :][:1] in ("", ":")
        error_class = named[0][:_CLASS_SHOWN] if named and whole else ""
    return Cause(actor, code, error_class, place, without_what_varies(error))


@lru_cache(maxsize=2000)  # most failures have the words of others
def without_what_varies(text: str) -> str:
    """Return an error's text as all failures of its cause have it."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _VARYING.sub("…", first[:300])[:200]


@lru_cache(maxsize=500)
def _place(traceback: str) -> tuple[str, str]:
    return place_of(traceback)


def place_of(traceback: str) -> tuple[str, str]:
    """Return the class of the last error of a traceback and where it was raised; empty where it does not say."""
    frames = list(_FRAME.finditer(traceback))
    last = next((line.strip() for line in reversed(traceback.splitlines()) if line.strip()), "")
    named = _CLASS.match(last) if not last.startswith("File ") else None
    error_class = named[0][:_CLASS_SHOWN] if named else ""
    if not frames:
        return error_class, ""
    file = frames[-1]["file"].rpartition("site-packages/")[2].rpartition("/src/")[2]
    return error_class, f"{file}:{frames[-1]['function'].strip()}"[-_PLACE_SHOWN:]
