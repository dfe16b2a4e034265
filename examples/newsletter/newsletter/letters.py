"""What the service does, whatever runs it: letters are files in a folder."""

import os
from pathlib import Path

READERS = {"ada": "Ada", "grace": "Grace", "mary": "Mary"}

FOLDER = Path(os.environ.get("NEWSLETTER_FOLDER", "letters"))


class UnknownReader(Exception):
    """Nobody of this name has subscribed. Trying again cannot help."""


class PrinterBusy(Exception):
    """The printer does not take a letter now. It will later."""


def print_letter(issue: int, reader: str) -> None:
    """Print a letter; printing it twice makes one.

    Raises:
      UnknownReader: There is no such reader.
      PrinterBusy: Come back later.
    """
    if reader not in READERS:
        raise UnknownReader(reader)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if (FOLDER / "busy").exists():
        raise PrinterBusy
    (FOLDER / f"{issue}-{reader}.txt").write_text(f"Dear {READERS[reader]}, this is issue {issue}.\n")


def close(issue: int) -> int:
    """Note that an issue has gone out; return how many letters it has."""
    letters = len(list(FOLDER.glob(f"{issue}-*.txt")))
    (FOLDER / f"{issue}.closed").write_text(f"{letters}\n")
    return letters
