"""On PYTHONPATH before anything else, this gives a Python process, and all it starts, a wrong clock."""

import os
import time

_seconds = float(os.environ.get("FAULTS_CLOCK", "0"))
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _seconds
time.time_ns = lambda: _time_ns() + int(_seconds * 1e9)
