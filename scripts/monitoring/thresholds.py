"""Reads monitoring/thresholds.yaml: every number of the alerts."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def thresholds() -> dict[str, Any]:
    """Return the numbers by name; those of ``objectives`` beside the others."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "monitoring" / "thresholds.yaml").read_text())
    return {**read, **read.pop("objectives")}
