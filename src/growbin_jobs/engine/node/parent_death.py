"""Has the kernel signal this process when its parent is gone, whatever ended that. Standard library only."""

from __future__ import annotations

import ctypes
import signal
import sys

#: From ``linux/prctl.h``. It outlives exec. It strikes when the thread that started this process ends, and again for
#: each other thread of the parent that ends later.
_PR_SET_PDEATHSIG = 1


def signal_when_parent_dies(signum: signal.Signals) -> None:
    """Let the kernel send this process a signal when its parent is gone (Linux; elsewhere nothing is sent).

    The parent may be gone already: who calls this looks at the number of its parent afterwards.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signum))
