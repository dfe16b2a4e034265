"""The fuzz test is the package ``fuzz``, which worker processes and ``scripts/fuzz`` import too."""

import sys
from pathlib import Path

TESTS = str(Path(__file__).resolve().parents[1])
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)
