"""Standard error, or a log file, of a process among others: each line is one write, so that lines do not mingle."""

from __future__ import annotations

import os
from contextlib import suppress


class Output:
    """A text stream for the log of this process.

    Parameters:
      path: File to append to; None: standard error.
    """

    encoding = "utf-8"

    def __init__(self, path: str | None) -> None:
        self._descriptor = 2 if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._close = path is not None

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return False: nobody is to colour it."""
        return False

    def write(self, text: str) -> int:
        """Write a text at once."""
        with suppress(OSError):  # nobody reads it any more
            os.write(self._descriptor, text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: all is written."""

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._close:
            self._close = False
            os.close(self._descriptor)
