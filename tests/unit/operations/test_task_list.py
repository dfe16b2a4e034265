"""Lists of tasks in a terminal: by the search of the monitor, page after page until enough are found."""

import pytest
from tests.monitor.data import fill

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.operations import task_list
from growbin_jobs.operations.task_list import found_tasks
from growbin_jobs.settings import Settings


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    services = make_services(Settings(data_dir=tmp_path_factory.mktemp("tasks"), language="en"))
    fill(services.database, analyses=120)
    yield services
    services.close()


def find(services, search="", **options):
    return found_tasks(services.database, search, services.engine, **({"limit": 100_000} | options))


def test_all_come_over_pages_each_once_and_newest_first(services, monkeypatch):
    monkeypatch.setattr(task_list, "MOST_LINES", 7)
    found = find(services)
    ids = {row["task_id"] for row in services.database.rows(TaskRow.select(TaskRow.task_id))}
    assert ({task.task_id for task in found.tasks}, len(found.tasks)) == (ids, len(ids))
    assert [task.created_at for task in found.tasks] == sorted((task.created_at for task in found.tasks), reverse=True)
    assert (found.more, found.searched) == (False, None)


def test_no_more_than_are_asked_for_and_it_is_said_that_there_are_more(services):
    every = find(services, "state:completed")
    some = find(services, "state:completed", limit=3)
    assert ([task.task_id for task in some.tasks], some.more) == ([task.task_id for task in every.tasks[:3]], True)
    assert {task.status for task in every.tasks} == {"completed"}
    assert find(services, "state:completed", limit=len(every.tasks)).tasks == every.tasks


def test_lost_tasks_are_found_and_shown_as_lost(services):
    lost = find(services, "state:lost").tasks
    shown = [task for task in find(services).tasks if task.status == "lost"]
    assert [task.task_id for task in lost] == [task.task_id for task in shown]
    assert {task.status for task in lost} <= {"lost"}


def test_a_search_that_finds_nothing_ends_after_so_many_tasks(services, monkeypatch):
    class Short(task_list.TaskSearch):
        def __init__(self, database):
            super().__init__(database, window=10, text_window=10)

    monkeypatch.setattr(task_list, "TaskSearch", Short)
    monkeypatch.setattr(task_list, "MOST_SEARCHED", 30)
    found = find(services, "worker:nobody/*")
    assert (found.tasks, found.more, found.searched) == ([], True, 30)


@pytest.mark.parametrize(
    ("search", "sort"), [("created:>yesterdayy", "-created"), ("state:dead (", "-created"), ("", "size")]
)
def test_what_cannot_be_read_is_refused_in_words(services, search, sort):
    with pytest.raises(SearchError):
        find(services, search, sort=sort)
