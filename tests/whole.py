"""Whether tests run all that they can, or leave out what differs only in what their mechanism does not depend on.

What is left out whole carries the marker ``before_release``: it plays once more, on another broker, another database or
another release, what CI plays on one; or it concerns no code that runs, but how a release or a measurement is made.
"""

import os

#: ``GROWBIN_TEST_ALL=1``: every combination, as before a release.
WHOLE = os.environ.get("GROWBIN_TEST_ALL") == "1"


def examples(number: int) -> int:
    """Return how many examples of a property a run draws: half, since each run draws others."""
    return number if WHOLE else (number + 1) // 2
