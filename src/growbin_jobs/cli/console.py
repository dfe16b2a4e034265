"""Where output goes: results to stdout, everything else to stderr; colour only on a terminal."""

import json
import sys
from typing import Any

from rich.console import Console

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout, and nothing around it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
