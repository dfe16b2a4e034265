"""What the search of tasks promises, on both kinds of database."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.cursors import Place
from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.search.flower_grammar import parse_flower
from growbin_jobs.engine.central.search.grammar import parse
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.engine.central.tasks import TaskRow

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def put(database: Database) -> Callable[..., None]:
    def insert(task_id: str, second: float = 0, **fields: Any) -> None:
        message = {"args": fields.pop("args", []), "kwargs": fields.pop("kwargs", {}), "options": {}}
        row = {
            "task_id": task_id, "node": "n1", "task_name": "upload_image", "queue_name": "user_input",
            "payload": json.dumps(message), "status": "completed", "created_at": START + timedelta(seconds=second),
            "retry_count": 0, "synced_at": START, "deferrals": 0, "crashes": 0, "seq": 1,
        }  # fmt: skip
        database.run(lambda connection: TaskRow.insert({**row, **fields}).execute(connection))

    return insert


def ids(database: Database, text: str, **options: Any) -> list[str]:
    return [task.task_id for task in TaskSearch(database).page(parse(text), **options).tasks]


def test_words_stand_for_equal_and_stars_for_any_text(database, put):
    put("a", 1, task_name="upload_image")
    put("b", 2, task_name="reports.weekly", status="dead", worker="n1/ai/3")

    assert ids(database, "") == ["b", "a"]
    assert ids(database, "actor:reports.*") == ["b"]
    assert ids(database, "actor:upload") == []
    assert ids(database, "-state:dead") == ["a"]
    assert ids(database, "-worker:n1/ai/3") == ["a"]
    assert ids(database, "state:dead OR actor:upload_image") == ["b", "a"]


def test_values_of_a_message_are_found_by_their_path(database, put):
    put("number", 1, args=[12345], kwargs={"client_id": 1234})
    put("text", 2, kwargs={"user": {"name": "김 씨", "ids": [1970670598291982290]}, "client_id": "12345"})

    assert ids(database, "args:12345") == ["number"]
    assert ids(database, "kwargs.client_id:1234") == ["number"]
    assert ids(database, "kwargs:client_id=1234") == ["number"]
    assert ids(database, 'kwargs.user.name:"김 씨"') == ["text"]
    assert ids(database, "kwargs.user.name:김*") == ["text"]
    assert ids(database, "kwargs.user.ids.0:1970670598291982290") == ["text"]
    assert ids(database, "kwargs.user.ids:1970670598291982291") == []
    assert ids(database, "-kwargs.client_id:1234") == ["text"]
    assert ids(database, "kwargs.client_id:>1000") == ["number"]
    assert ids(database, "kwargs.client_id:1000..1233") == []
    assert ids(database, "args:12345 OR node:n2") == ["number"]


def test_free_words_look_into_messages_and_errors_without_regard_to_case(database, put):
    put("a", 1, error="OutOfMemory: 100%_sure", status="dead")
    put("b", 2, args=["한글 🧪"])

    assert ids(database, "outofmemory") == ["a"]
    assert ids(database, "100%_sure") == ["a"]
    assert ids(database, "100%sure") == []
    assert ids(database, '"한글 🧪"') == ["b"]
    assert ids(database, 'error:"memory: 1"') == ["a"]


def test_times_numbers_and_spans_have_ranges(database, put):
    put("a", 0, started_at=START + timedelta(seconds=5), completed_at=START + timedelta(seconds=50), retry_count=2)
    put("b", 3600)

    assert ids(database, "created:2026-11-28T12:00") == ["a"]
    assert ids(database, "created:2026-11-28") == ["b", "a"]
    assert ids(database, "created:>2026-11-28T12:30") == ["b"]
    assert ids(database, "run:>30") == ["a"]
    assert ids(database, "run:40..44") == []
    assert ids(database, "wait:<=5.5") == ["a"]
    assert ids(database, "retries:1..3") == ["a"]
    assert ids(database, "-run:>30") == ["b"]


def test_a_message_that_is_no_json_breaks_nothing(database, put):
    put("deep", 1, payload='{"args": [' + "[" * 10_000 + "777" + "]" * 10_000 + "]}")
    put("cut", 2, payload='{"args": [777')
    put("odd", 3, payload='{"args": [NaN, "\\ud83d", "\\u0000", 777]}')
    put("fits", 4, args=[777])
    put("other", 5, args=[7771])

    assert ids(database, "args:777") == ["fits", "odd", "cut", "deep"]
    assert ids(database, "-args:777") == ["other"]


def test_wait_is_never_less_than_nothing(database, put):
    put("a", started_at=START - timedelta(seconds=90))

    [task] = TaskSearch(database).page().tasks
    assert (task.wait, task.skewed) == (0.0, True)


@pytest.mark.parametrize("sort", ["started", "-started", "-completed", "worker", "-retries"])
def test_what_is_missing_is_sorted_last(database, put, sort):
    for number in range(3):
        put(f"none{number}", number)
    put("has", 3, started_at=START, completed_at=START, worker="w", retry_count=1)

    search = TaskSearch(database)
    first = search.page(sort=sort, limit=2)
    second = search.page(sort=sort, limit=2, cursor=first.next)
    assert first.tasks[0].task_id == "has"
    assert sorted(task.task_id for task in (*first.tasks, *second.tasks)) == ["has", "none0", "none1", "none2"]


def test_a_search_ends_at_its_window_and_says_where_to_go_on(database, put):
    put("first", 0, args=["needle"])
    for number in range(30):
        put(f"hay{number}", 1 + number)
    search = TaskSearch(database, window=10, text_window=10)

    page, looked = search.page(parse("needle")), 1
    while page.go_on is not None:
        assert page.searched == 10
        page, looked = search.page(parse("needle"), cursor=page.go_on), looked + 1
    assert [task.task_id for task in page.tasks] == ["first"]
    assert looked == 4
    assert search.count(parse("needle")).within == 10


def test_counts_end_at_a_cap(database, put, monkeypatch):
    monkeypatch.setattr("growbin_jobs.engine.central.search.task_search.CAP", 3)
    for number in range(5):
        put(f"t{number}", number, status="dead" if number else "completed")

    search = TaskSearch(database)
    assert (search.count().number, search.count().capped) == (3, True)
    assert (search.count(parse("state:completed")).number, search.count(parse("state:completed")).capped) == (1, False)
    assert search.count(parse("queue:user_input")).number == 5


@settings(
    max_examples=examples(15), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    seconds=st.lists(st.integers(0, 3), min_size=1, max_size=25),
    late=st.lists(st.integers(0, 6), max_size=10),
    limit=st.integers(1, 7),
    oldest_first=st.booleans(),
)
def test_each_task_is_on_one_page_whatever_is_inserted_meanwhile(database, put, seconds, late, limit, oldest_first):
    database.run(lambda connection: TaskRow.delete().execute(connection))
    for number, second in enumerate(seconds):
        put(f"t{number:03}", second)
    search, seen, cursor = TaskSearch(database), [], None
    sort = "created" if oldest_first else "-created"
    for turn in range(len(seconds) + len(late) + 2):
        page = search.page(cursor=cursor, limit=limit, sort=sort)
        seen += [task.task_id for task in page.tasks]
        if turn < len(late):
            put(f"late{turn}", late[turn])
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert {f"t{number:03}" for number in range(len(seconds))} <= set(seen)


@pytest.mark.parametrize(
    ("text", "place"),
    [("(state:dead", 0), ("state:dead)", 10), ('a "b', 2), ("colour:red", 0), ("x created:soon", 2), ("a OR", 4),
     ("(" * 30 + "a" + ")" * 30, 20), ("retries:many", 0), ("state:", 0), ("NOT", 0)],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(text, place):
    with pytest.raises(SearchError) as caught:
        parse(text)
    assert caught.value.place == place


@given(st.text(max_size=60))
def test_every_text_is_read_or_refused(text):
    assert all(0 <= place <= len(text) for place in (refused_at(parse, text), refused_at(parse_flower, text)))


def refused_at(reads: Callable[[str], Any], text: str) -> int:
    """Where a text is refused; 0 where it is read."""
    try:
        reads(text)
    except SearchError as error:
        return error.place
    return 0


@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10", "\u20ac", "WzEsMl0"])
def test_a_cursor_that_is_none_is_refused(database, cursor):
    with pytest.raises(SearchError, match="cursor"):
        TaskSearch(database).page(cursor=cursor)


def test_flower_s_language_is_read_as_flower_reads_it(database, put):
    put("a", 1, status="dead", kwargs={"client_id": 1234})
    put("b", 2, status="failed", args=[12345])
    put("c", 3)

    def found(text: str) -> list[str]:
        return [task.task_id for task in TaskSearch(database).page(parse_flower(text)).tasks]

    assert found("kwargs:client_id=1234") == ["a"]
    assert found("args:12345") == ["b"]
    assert found("(state:FAILURE OR state:RETRY)") == ["b", "a"]
    assert found("state:FAILURE state:RETRY") == ["b", "a"]
    with pytest.raises(SearchError):
        parse_flower("(state:FAILURE")


@pytest.mark.parametrize(
    ("sort", "parts"),
    [
        ("-created", ("2026-11-28", "x", None, None)),
        ("-created", ("2026-11-28T00:00:00", "x", None, None)),
        ("-created", ("0001-01-01T00:00:00+14:00", "x", None, None)),
        ("-created", (5, "x", None, None)),
        ("-created", ("2026-11-28T00:00:00+00:00", 5, None, None)),
        ("-created", ("2026-11-28T00:00:00+00:00", "x", None, "2026-11-28")),
        ("-started", ("2026-11-28T00:00:00+00:00", "x", 5, None)),
        ("-started", ("2026-11-28T00:00:00+00:00", "x", "soon", None)),
        ("-started", ("2026-11-28T00:00:00+00:00", "x", "2026-11-28", None)),
        ("-retries", ("2026-11-28T00:00:00+00:00", "x", "many", None)),
        ("-retries", ("2026-11-28T00:00:00+00:00", "x", True, None)),
        ("-retries", ("2026-11-28T00:00:00+00:00", "x", 10**30, None)),
        ("-retries", ("2026-11-28T00:00:00+00:00", "x", float("nan"), None)),
        ("-actor", ("2026-11-28T00:00:00+00:00", "x", 5, None)),
    ],
)  # fmt: skip
def test_a_cursor_that_was_tampered_with_is_refused_in_words(database, put, sort, parts):
    put("one")
    created_at, task_id, value, anchor = parts

    with pytest.raises(SearchError, match="Begin at the first page"):
        ids(database, "", sort=sort, cursor=Place(created_at, task_id, sort, value, anchor).encoded())


def test_a_cursor_whose_time_is_written_otherwise_is_that_time(database, put):
    put("one")

    for text in ("20261128T130000,5+0000", "2026-11-28T14:00:00+00:59:30", "2026-W48-6T13:00Z"):
        assert ids(database, "", cursor=Place(text, "x", "-created").encoded()) == ["one"]
