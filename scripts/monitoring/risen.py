"""By how much a counter has risen, its first sample included."""


def risen(counter: str, over: str) -> str:
    """Return the rise of a counter.

    ``increase`` takes the first sample that Prometheus sees for where the count began. A counter with labels is there
    only once something was counted, so its first event, or all those between two scrapes, would be none at all: the
    first message that nobody can read, the first answer that the key is wrong. A counter that was not there at the
    beginning, on a target that was read before the counter came, has risen by all that it shows. One that was there
    earlier, and whose target is read again after an absence, was in every scrape that succeeded, and has not.

    Parameters:
      counter: Selector of a counter.
      over: Duration, such as ``15m``.
    """
    new = f"({counter} unless {counter} offset {over})"
    read = f"on (job, instance) group_left () sum_over_time(up[{over}])"
    return f"({new} and count_over_time({counter}[{over}]) < {read} or increase({counter}[{over}]))"
