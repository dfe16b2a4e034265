"""From an analysis, or a task, to the tasks that follow from it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.delivery.codec import follow_up_id, new_id
from growbin_jobs.operations import task_tree

ACTORS = ["upload_image", "analyze_image", "retrieve_rule", "record_failure"]


@pytest.fixture
def began(node):
    return datetime.fromtimestamp(node.now, UTC)


@pytest.fixture
def sent(node, central):
    """Let tasks end and be copied: actor, id, arguments, seconds after the first."""

    def send(actor, task_id, *args, after=0.0):
        body = json.dumps({"actor_name": actor, "args": args, "kwargs": {}})
        node.finish(task_id, task_name=actor, payload=body, created_at=node.now + after)
        Sync(node.journal, central).sweep()
        return task_id

    return send


def shape(trees):
    return [(node.task.task_name, shape(node.follow_ups)) for node in trees]


def test_a_task_is_the_root_of_all_that_follows_from_it(central, sent):
    root = sent("upload_image", new_id())
    child = sent("analyze_image", follow_up_id(root, "analyze_image", 0), after=1)
    sent("analyze_image", follow_up_id(root, "analyze_image", 1), after=2)
    sent("retrieve_rule", follow_up_id(child, "retrieve_rule", 0), after=3)
    sent("retrieve_rule", new_id(), after=4)  # somebody else's

    tree = task_tree.of_task(root, central, actors=ACTORS)

    assert shape([tree]) == [
        ("upload_image", [("analyze_image", [("retrieve_rule", [])]), ("analyze_image", [])]),
    ]
    assert task_tree.of_task("nobody", central, actors=ACTORS) is None


@pytest.mark.parametrize("analysis_id", ["a-1001", "a_1", "%", "A-1"])
def test_an_analysis_has_a_tree_for_each_of_its_first_messages(central, sent, began, analysis_id):
    root = sent("upload_image", new_id(), "u1", "s3://b/k", analysis_id)
    again = sent("upload_image", new_id(), "u1", "s3://b/k", analysis_id, after=5)
    sent("upload_image", new_id(), "u1", "s3://b/k", f"{analysis_id}x")
    for other in ("ab1", analysis_id.swapcase() + "y", f'"{analysis_id}"'):
        sent("upload_image", new_id(), "u1", "s3://b/k", other)
    sent("analyze_image", follow_up_id(root, "analyze_image", 0), analysis_id, after=1)

    trees = task_tree.of_analysis(analysis_id, began, central, first="upload_image", actors=ACTORS)

    assert [node.task.task_id for node in trees] == [root, again]
    assert shape(trees) == [("upload_image", [("analyze_image", [])]), ("upload_image", [])]


@pytest.mark.parametrize(("hours", "found"), [(0, 1), (20, 1), (30, 0)])
def test_a_first_message_that_waited_is_found_within_a_day(central, sent, began, hours, found):
    sent("upload_image", new_id(), "u1", "k", "a1")

    trees = task_tree.of_analysis("a1", began + timedelta(hours=hours), central, first="upload_image", actors=ACTORS)

    assert len(trees) == found
