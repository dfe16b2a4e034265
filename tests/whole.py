"""Whether tests run all that they can, or leave out what differs only in what their mechanism does not depend on."""

import os

#: ``GROWBIN_TEST_ALL=1``: every combination, as before a release.
WHOLE = os.environ.get("GROWBIN_TEST_ALL") == "1"
