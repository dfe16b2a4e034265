"""``python -m upgrade.send PREFIX``: send one message of each kind, some of them to run later."""

import sys

from upgrade.app import work

KINDS = ("plain", "retried", "deferred", "dead", "chain", "plain")
DELAYS = (None, 1_000)

if __name__ == "__main__":
    for n, (kind, delay) in enumerate((kind, delay) for kind in KINDS for delay in DELAYS):
        work.send_with_options(args=(f"{sys.argv[1]}-{n}-{kind}", kind), delay=delay)
