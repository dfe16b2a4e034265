"""Workers of this release and the one before live on one node and one database, and a rollback loses nothing."""

import pytest
from tests.upgrade.conftest import EMBEDDED, on

#: What one release leaves to the other changes with a release; CI has both releases' schemas, of the database
#: (tests/contract/test_upgrade.py) and of the journal (tests/unit/engine/journal/file/test_schema.py).
pytestmark = [pytest.mark.timeout(280), pytest.mark.before_release]


def dead(keys):
    return {key for key in keys if key.endswith("dead")}


@on(EMBEDDED)
def test_what_the_older_release_has_left_runs_in_the_newer_one_and_the_other_way_round(node):
    # The older release has run some, and leaves retries, messages for later and dead letters.
    first = node.send("old", "a")
    old = node.work("old")
    node.await_effects({key for key in first if "plain" in key or "chain" in key})
    node.await_dead(dead(first))
    second = node.send("old", "b")
    node.stop(old)
    node.command("new", "db", "upgrade")

    # The newer one goes on with all of it, beside a worker of the older one.
    new = node.work("new")
    node.await_effects((first | second) - dead(first | second))
    old = node.work("old")
    third = node.send("new", "c") | node.send("old", "d")
    node.await_effects(third - dead(third))
    node.await_dead(dead(first | second | third))

    # Rolled back: the newer release's messages, and its dead letters, are the older one's now.
    fourth = node.send("new", "e")
    node.stop(new)
    node.await_effects(fourth - dead(fourth))
    node.await_dead(dead(first | second | third | fourth))
    (node.data / "mended").touch()
    node.retry_the_dead("old")
    everything = first | second | third | fourth
    node.await_effects(everything)
    node.stop(old)

    assert node.effects() == dict.fromkeys(everything, 1)


@on(EMBEDDED)
def test_dead_letters_of_the_older_release_are_retried_by_the_newer_one(node):
    keys = node.send("old", "a")
    old = node.work("old")
    node.await_effects(keys - dead(keys))
    node.await_dead(dead(keys))
    node.stop(old)

    (node.data / "mended").touch()
    node.retry_the_dead("new")
    new = node.work("new")
    node.await_effects(keys)
    node.stop(new)

    assert node.effects() == dict.fromkeys(keys, 1)
