import pytest

from growbin_jobs.errors import NotFound
from growbin_jobs.operations import dead_letters
from growbin_jobs.operations.dead_letters import Selection


def test_a_dead_letter_is_read_with_its_reason_in_the_language_asked_for(node):
    node.finish("a", "dead", params='{"attempts": 4, "detail": "Boom"}')

    [english] = dead_letters.find(node.file, Selection(), language="en")
    [korean] = dead_letters.find(node.file, Selection(), language="ko")

    assert english.reason == "It failed 4 times and was given up. Last error: Boom"
    assert korean.reason != english.reason
    assert (english.task_id, english.params, english.message["args"]) == (
        "a",
        {"attempts": 4, "detail": "Boom"},
        ["u1"],
    )
    assert dead_letters.get(node.file, english.id, language="en") == english


@pytest.mark.parametrize("body", [b"", b"no JSON", b"\xff\xfe", b"[1]", b"{}", b'"text"', b"null"])
@pytest.mark.parametrize("params", ["{}", "no JSON", "[1]"])
def test_one_that_holds_no_message_is_shown_and_can_only_be_discarded(node, body, params):
    node.finish("a", "dead", body=body, params=params)
    node.finish("b", "dead")

    letters = dead_letters.find(node.file, Selection(), language="en")
    done = dead_letters.retry(node.journal, [letter.id for letter in letters])

    assert done.done == 1
    [left] = done.not_done
    assert "Discard it" in left.problem
    assert dead_letters.discard(node.journal, [left.id]).done == 1


def test_each_number_is_dealt_with_once(node):
    for task_id in ("a", "b", "c"):
        node.finish(task_id, "dead")

    first = dead_letters.retry(node.journal, [1, 99, 2])
    second = dead_letters.discard(node.journal, [1, 3])

    assert (first.done, [left.id for left in first.not_done]) == (2, [99])
    assert (second.done, [left.id for left in second.not_done]) == (1, [1])
    assert dead_letters.find(node.file, Selection(), language="en") == []
    assert [letter.is_open for letter in dead_letters.find(node.file, Selection(), language="en", dealt_with=True)] == (
        [False] * 3
    )
    assert [letter.id for letter in dead_letters.get_all(node.file, [3, 1, 3], language="en")] == [3, 1]
    with pytest.raises(NotFound, match="no dead letter 99"):
        dead_letters.get_all(node.file, [1, 99], language="en")


def test_a_selection_is_true_where_it_selects():
    assert not Selection()
    for some in (Selection(queue=""), Selection(actor="a"), Selection(code="c"), Selection(since=0.0)):
        assert some


def test_dead_letters_are_selected(node):
    node.finish("a", "dead")
    node.finish("b", "dead", code="worker_killed")

    def ids(**which):
        return [letter.task_id for letter in dead_letters.find(node.file, Selection(**which), language="en")]

    assert ids(code="worker_killed") == ["b"]
    assert ids(queue="user_input", actor="upload_image") == ["b", "a"]
    assert ids(since=node.now + 1) == []
    assert ids(queue="other") == []
