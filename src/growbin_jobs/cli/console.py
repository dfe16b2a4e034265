"""Where output goes: results to stdout, everything else to stderr; colour only on a terminal."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(words: str, style: str = "") -> None:
    """Say something to a person, on stderr. Brackets are brackets; lines are broken on a terminal only."""
    err.print(Text(words, style=style), soft_wrap=not err.is_terminal)


def complain(about: str, words: str) -> None:
    """Say on stderr what went wrong with something."""
    err.print(Text.assemble((about, "bold red"), f": {words}"), soft_wrap=not err.is_terminal)


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout, and nothing around it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
