"""The plays are the package ``staged_alerts``, which ``scripts/stage_alerts`` runs too."""

import sys
from pathlib import Path

TESTS = str(Path(__file__).resolve().parents[1])
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)
