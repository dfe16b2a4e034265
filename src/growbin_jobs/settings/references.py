"""Secrets that rows of the database name: an environment variable or a file of a certain kind, and no other."""

import os
import re
from contextlib import suppress
from pathlib import Path


def referenced(reference: str, variables: str, folder: Path | None) -> str | None:
    """Return a secret by its reference; None: it names none.

    Parameters:
      reference: ``env:NAME`` or ``file:NAME``.
      variables: Pattern of the variables that may be named.
      folder: Of the files that may be named.
    """
    kind, _, name = reference.partition(":")
    value = ""
    if kind == "env" and re.fullmatch(variables, name):
        value = os.environ.get(name, "").strip()
    elif kind == "file" and folder is not None and re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        with suppress(OSError, UnicodeDecodeError):
            value = (folder / name).read_text().strip()
    return value if value and value.isascii() and value.isprintable() else None
