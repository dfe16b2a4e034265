"""The checker must find each kind of damage, or all other tests here prove nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.history import Answer, Dead, Effect, History, Job, judge, read_log

CHAIN = frozenset({"1", "2"})


def job(answer=Answer.ACKNOWLEDGED, keys=CHAIN, dies=False):
    return Job(keys, dies, answer)


def chain(name, *keys):
    return [Effect(name, key, f"{name}:{key}") for key in keys]


def test_what_is_done_is_done():
    verdict = judge(History({"a": job()}, chain("a", "1", "2"), finished={"a:1": 1, "a:2": 1}))

    assert verdict.holds
    assert verdict.done == {"a"}
    assert verdict.reruns == 0


def test_an_accepted_job_of_which_nothing_was_seen_is_lost():
    verdict = judge(History({"a": job(), "b": job()}, chain("b", "1", "2")))

    assert not verdict.holds
    assert verdict.lost == {"a"}


def test_a_chain_that_stops_half_way_is_lost():
    assert judge(History({"a": job()}, chain("a", "1"))).lost == {"a"}


def test_a_dead_letter_is_not_lost_but_something_gave_it_up():
    verdict = judge(History({"a": job()}, chain("a", "1"), [Dead("a", "a:2")]))

    assert verdict.holds
    assert (verdict.dead, verdict.killed) == ({"a"}, {"a"})


def test_a_job_that_was_to_die_must_be_among_the_dead_letters():
    dying = {"a": job(keys=frozenset(), dies=True), "b": job(keys=frozenset(), dies=True)}

    verdict = judge(History(dying, dead=[Dead("a", "a")]))

    assert (verdict.dead, verdict.killed, verdict.lost) == ({"a"}, frozenset(), {"b"})


def test_a_step_that_two_messages_did_is_a_duplicate():
    effects = [*chain("a", "1", "2"), Effect("a", "2", "another message")]

    verdict = judge(History({"a": job()}, effects))

    assert not verdict.holds
    assert verdict.duplicated == {"a/2"}


def test_a_second_run_of_the_same_message_is_no_duplicate_and_is_counted():
    verdict = judge(History({"a": job()}, chain("a", "1", "2", "2"), finished={"a:1": 1, "a:2": 3}))

    assert verdict.holds
    assert verdict.reruns == 2


def test_an_unknown_job_may_have_happened_or_not():
    jobs = {"a": job(Answer.UNKNOWN), "b": job(Answer.UNKNOWN)}

    verdict = judge(History(jobs, chain("a", "1", "2")))

    assert verdict.holds
    assert (verdict.recovered, verdict.absent) == ({"a"}, {"b"})


def test_an_unknown_job_that_has_begun_must_end():
    assert judge(History({"a": job(Answer.UNKNOWN)}, chain("a", "1"))).lost == {"a"}


def test_a_refused_job_must_not_be_seen():
    assert judge(History({"a": job(Answer.REFUSED)})).holds
    assert judge(History({"a": job(Answer.REFUSED)}, chain("a", "1", "2"))).unexpected == {"a/1", "a/2"}
    assert judge(History({"a": job(Answer.REFUSED)}, dead=[Dead("a", "a")])).unexpected == {"a/dead letter"}


def test_what_nobody_asked_for_is_unexpected():
    effects = [*chain("a", "1", "2", "3"), *chain("stranger", "1")]

    verdict = judge(History({"a": job()}, effects, [Dead("nobody", "x")]))

    assert verdict.unexpected == {"a/3", "stranger/1", "nobody/dead letter"}


def test_a_job_that_was_to_die_has_no_effects():
    assert judge(History({"a": job(CHAIN, dies=True)}, chain("a", "1"), [Dead("a", "a")])).undead == {"a"}


def test_a_verdict_says_what_is_wrong():
    assert "lost: a" in str(judge(History({"a": job()})))


# --- the producer's log


def attempt(name):
    return {"what": "attempt", "job": name, "keys": ["1"], "dies": False}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], Answer.UNKNOWN),
        (["acknowledged"], Answer.ACKNOWLEDGED),
        (["refused"], Answer.REFUSED),
    ],
)
def test_a_log_says_what_the_producer_knows(answers, expected):
    lines = [attempt("a"), *({"what": answer, "job": "a"} for answer in answers)]

    assert read_log(lines) == {"a": Job(frozenset({"1"}), answer=expected)}


def test_a_job_that_is_tried_again_is_one_job():
    again = [attempt("a"), attempt("a")]

    assert read_log(again)["a"].answer is Answer.UNKNOWN
    assert read_log([*again, {"what": "refused", "job": "a"}])["a"].answer is Answer.UNKNOWN  # the first may be there
    assert read_log([*again, {"what": "acknowledged", "job": "a"}])["a"].answer is Answer.ACKNOWLEDGED


# --- any history


@given(st.data())
def test_damage_to_a_good_history_never_goes_unseen(data):
    names = data.draw(st.lists(st.uuids(version=4).map(str), min_size=1, max_size=8, unique=True))
    keys = {name: sorted(data.draw(st.sets(st.sampled_from("abcd"), min_size=1))) for name in names}
    answers = {name: data.draw(st.sampled_from([Answer.ACKNOWLEDGED, Answer.UNKNOWN])) for name in names}
    jobs = {name: Job(frozenset(keys[name]), answer=answers[name]) for name in names}
    effects = [effect for name in names for effect in chain(name, *keys[name])]
    assert judge(History(jobs, effects)).holds

    harmed = data.draw(st.sampled_from(effects))
    without = [effect for effect in effects if effect != harmed]
    seen_otherwise = answers[harmed.job] is Answer.ACKNOWLEDGED or len(keys[harmed.job]) > 1
    assert (harmed.job in judge(History(jobs, without)).lost) == seen_otherwise

    twice = [*effects, harmed._replace(by="somebody else")]
    assert judge(History(jobs, twice)).duplicated == {f"{harmed.job}/{harmed.key}"}
