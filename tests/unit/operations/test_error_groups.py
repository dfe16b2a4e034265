"""Failures are grouped by their cause, not by the ids in their texts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from growbin_jobs.engine.central.error_causes import cause_of, place_of
from growbin_jobs.engine.central.error_figures import figures_of
from growbin_jobs.engine.central.failed_runs import Failure
from growbin_jobs.operations import error_groups
from growbin_jobs.operations.error_groups import BUCKETS, ErrorGroup
from growbin_jobs.operations.error_members import members_of

START = datetime(2026, 11, 28, tzinfo=UTC)
TRACEBACK = """  File "/srv/app/.venv/lib/python3.11/site-packages/orders/jobs.py", line {line}, in mail
    send(x)
KeyError
"""


def failure(number: int, error: str, *, minutes: float = 0, dead: bool = True, **fields: str) -> Failure:
    at = START + timedelta(minutes=minutes)
    return Failure(f"t{number}", "n1", dead, at, cause_of("mail", error, **fields))


def grouped(found: list[Failure], **span: datetime) -> list[ErrorGroup]:
    return error_groups.groups_of(members_of(figures_of(found).values()), **span)


def trace(file: str) -> str:
    return f'  File "{file}", line 3, in f\n    x()\nKeyError\n'


def test_three_causes_with_varying_ids_are_three_groups():
    found = []
    for number in range(500):
        found.append(failure(number, f"Order {UUID(int=number)} of user 'u{number}' is gone"))
        found.append(
            failure(number, f"https://api.example/{number}/x answered {500 + number % 4} after {number / 7} s")
        )
        found.append(failure(number, "ValueError", dead=False))

    groups = grouped(found, since=START, until=START + timedelta(hours=1))
    assert [group.count for group in groups] == [500, 500, 500]
    assert len({group.key for group in groups}) == 3


def test_no_address_of_a_person_is_in_the_title_of_a_group():
    found = [
        failure(number, f"no box for {name}@mail.example.kr") for number, name in enumerate(("minji", "j.silva+1"))
    ]

    [group] = grouped(found, since=START, until=START + timedelta(hours=1))
    assert group.title == "no box for …"


def test_the_same_words_at_two_places_are_two_groups():
    found = [failure(1, "KeyError", traceback=trace("a.py")), failure(2, "KeyError", traceback=trace("b.py"))]

    assert len(grouped(found, since=START, until=START + timedelta(hours=1))) == 2


def test_runs_that_failed_before_a_message_was_given_up_are_in_its_group():
    found = [failure(1, "KeyError", traceback=trace("a.py"), code="retries_exhausted")]
    found += [failure(1, "KeyError", dead=False), failure(2, "KeyError", dead=False)]

    [group] = grouped(found, since=START, until=START + timedelta(hours=1))
    assert (group.count, group.dead, group.code, group.place) == (3, 1, "retries_exhausted", "a.py:f")


def test_a_place_has_no_line_since_lines_move():
    places = {place_of(TRACEBACK.format(line=line)) for line in (3, 4)}

    assert places == {("KeyError", "orders/jobs.py:mail")}


def test_a_group_knows_when_and_how_often():
    found = [failure(1, "E", minutes=59), failure(2, "E", minutes=1)]

    [group] = grouped(found, since=START, until=START + timedelta(hours=1))
    assert (group.first_at, group.last_at) == (START + timedelta(minutes=1), START + timedelta(minutes=59))
    assert (group.trend[0], group.trend[-1], len(group.trend), sum(group.trend)) == (1, 1, BUCKETS, 2)


def test_new_is_what_came_with_the_newest_version():
    found = [failure(1, "old", minutes=1), failure(2, "old", minutes=40), failure(3, "new", minutes=40)]

    groups = grouped(found, since=START, until=START + timedelta(hours=1), version_at=START + timedelta(minutes=30))
    assert {group.title: group.is_new for group in groups} == {"old": False, "new": True}
