"""The standard streams: any encoding, closed or full ones, without a traceback."""

import codecs
import contextlib
import errno
import os
import select
import sys
from typing import Any, TextIO

from growbin_jobs.errors import GrowbinError

#: How typographic signs are written where an encoding lacks them.
_PLAIN = {"✔": "+", "✘": "x", "…": "...", "–": "-", "—": "-", "●": "*", "○": "o", "×": "x", "≥": ">=", "→": "->"}


#: What was written as an escape, by the name of the encoding that lacks it.
_escaped_in: set[str] = set()


class OutputLost(GrowbinError):
    """Results could not be written to stdout.

    Attributes:
      broken_pipe: True when the reader has gone, as ``head`` does: nobody needs to be told.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"stdout cannot be written: {error.strerror or error}.")
        self.broken_pipe = error.errno == errno.EPIPE


def prepare() -> None:
    """Make stdout and stderr fit for any text; a result that cannot be written raises :class:`OutputLost`.

    File descriptors 0 to 2 that are closed are opened on ``/dev/null``: else the next file, such as a database, would
    get one of these numbers, and be written to as if it were the terminal.
    """
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for number in closed:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
    codecs.register_error("readable", _readable)
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 for as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="readable")
    sys.stdout = _Results(sys.stdout)


def abandon_stdout() -> None:
    """Let what stdout still holds go nowhere: the interpreter would fail once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def stderr_is_read(patience: float = 1.0) -> bool:
    """Return False where a few words to stderr would wait: it is a full pipe, and nobody reads.

    Parameters:
      patience: Seconds in which somebody may begin to.
    """
    waiter = select.poll()
    waiter.register(2, select.POLLOUT)
    return bool(waiter.poll(patience * 1000))


def encodes_everything(stream: TextIO) -> bool:
    """Return True for a stream whose encoding has all characters of Unicode."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")


def lacking_encoding() -> str | None:
    """Return the encoding for want of which something was written as escapes, once; None: everything could be shown.

    Python takes UTF-8 under the locales C and POSIX. Another encoding was asked for, so it is obeyed; but who reads
    the escapes may not know that.
    """
    return _escaped_in.pop() if _escaped_in else None


class _Results:
    """Stdout, with errors of our own.

    Parameters:
      stream: None where it is closed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is None:
            raise OutputLost(OSError(errno.EBADF, "it is closed"))
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputLost(error) from None

    def flush(self) -> None:
        try:
            if self._stream is not None:
                self._stream.flush()
        except OSError as error:
            raise OutputLost(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks in plain signs, or as an escape such as ``\\u2713``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    if any(sign not in _PLAIN for sign in lacking):
        _escaped_in.add(error.encoding)
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in lacking), error.end


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
