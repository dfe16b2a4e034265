import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.llm.attribution import attribution
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.freshness import fresh_answers
from growbin_jobs.ai.questions import Question
from growbin_jobs.errors import Deferred, Transient
from growbin_jobs.messages import Advice, VisionAnswer
from growbin_jobs.models.answers import Claim

PICTURE = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.9)
WORDS = Advice(text="비우고 헹궈요.", language="ko", source="model", model="m")
QUESTION = Question("key", "prompt-1", "m")


class Asked:
    """A model that counts what is paid for."""

    def __init__(self, answer, error=None):
        self.answer, self.error, self.times = answer, error, 0

    def __call__(self):
        self.times += 1
        self.of = attribution().question
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture(params=[PICTURE, WORDS], ids=["picture", "text"])
def asked(request):
    return Asked(request.param)


@pytest.fixture
def store(tmp_path):
    return GptCache(tmp_path / "journal.db")


def answers(asked, store):
    return Answers(type(asked.answer), store, patience=10)


def test_an_answer_is_asked_for_once(asked, store):
    assert answers(asked, store).get(QUESTION, asked) == (asked.answer, False)
    assert answers(asked, store).get(QUESTION, asked) == (asked.answer, True)
    assert (asked.times, asked.of) == (1, "key"), "the ledger has to know the question"


def test_another_question_is_asked(asked, store):
    path = answers(asked, store)
    path.get(QUESTION, asked)

    assert path.get(QUESTION._replace(key="other"), asked).from_store is False


def test_without_a_store_every_question_is_asked(asked):
    path = answers(asked, None)

    assert [path.get(QUESTION, asked).from_store for _ in range(2)] == [False, False]


def test_a_failure_is_not_kept(asked, store):
    failing = Asked(asked.answer, error=Transient("away"))
    with pytest.raises(Transient):
        answers(asked, store).get(QUESTION, failing)

    assert answers(asked, store).get(QUESTION, asked) == (asked.answer, False)


@pytest.mark.parametrize("rotten", ["", "{", "null", "[]", '{"category": "wood"}', '{"text": ""}'])
def test_what_does_not_fit_its_form_is_asked_for_anew(asked, store, rotten):
    store.put("key", prompt="prompt-0", response=rotten, model="m")

    assert answers(asked, store).get(QUESTION, asked) == (asked.answer, False)
    assert answers(asked, store).get(QUESTION, asked) == (asked.answer, True)


def test_what_is_kept_says_by_whom_and_from_which_prompt(asked):
    class Rows(dict):
        def put(self, key, **row):
            self[key] = row

    rows = Rows()
    answers(asked, rows).get(QUESTION, asked)

    assert rows == {"key": {"prompt": "prompt-1", "response": asked.answer.model_dump_json(), "model": "m"}}


def test_callers_at_the_same_time_pay_once_and_the_others_are_not_billed(asked):
    class Slow:
        """Has no answer until all callers have asked: then the store says nothing to any of them."""

        def get(self, key):
            return None

        def put(self, key, **row):
            pass

    together = threading.Barrier(4)
    path = answers(asked, Slow())
    joined = threading.Semaphore(0)
    join = path._flights._join
    path._flights._join = lambda flight: (joined.release(), join(flight))[1]

    def ask():
        for _ in range(3):
            assert joined.acquire(timeout=10)
        return asked()

    def caller():
        together.wait(10)
        return path.get(QUESTION, ask)

    with ThreadPoolExecutor(4) as pool:
        found = [future.result(20) for future in [pool.submit(caller) for _ in range(4)]]

    assert sorted(each.from_store for each in found) == [False, True, True, True]
    assert {each.answer for each in found} == {asked.answer}
    assert asked.times == 1


class Busy:
    """A shared store where another node asks, and dies after so many looks."""

    def __init__(self, looks):
        self.looks, self.log = looks, []

    def claim(self, key):
        self.looks -= 1
        return Claim(wait=5.0) if self.looks >= 0 else Claim(fence=7)

    def keep(self, key, fence, **row):
        self.log.append(("keep", fence))

    def give_up(self, key, fence):
        self.log.append(("give up", fence))


class Timed:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self):
        self.now, self.limits = 0.0, []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    @contextmanager
    def limit(self, seconds):
        self.limits.append(seconds)
        yield


def waiting(busy, timed, patience=50):
    options = {"clock": timed.clock, "sleep": timed.sleep, "limit": timed.limit}
    return Answers(VisionAnswer, None, patience=patience, shared=busy, **options)


def test_a_dead_node_is_replaced_and_the_call_gets_what_is_left_of_the_time():
    busy, timed = Busy(looks=12), Timed()

    answer = waiting(busy, timed).get(QUESTION, Asked(PICTURE))

    assert answer == (PICTURE, False)
    assert busy.log == [("keep", 7)]
    assert timed.limits == [50 - timed.now]
    assert 5 < timed.now < 25


def test_who_need_not_wait_has_the_whole_time():
    busy, timed = Busy(looks=0), Timed()

    assert waiting(busy, timed).get(QUESTION, Asked(PICTURE)) == (PICTURE, False)
    assert timed.limits == []


def test_a_node_that_dies_late_is_replaced_by_a_new_try():
    busy, asked = Busy(looks=40), Asked(PICTURE)

    with pytest.raises(Deferred) as caught:
        waiting(busy, Timed()).get(QUESTION, asked)

    assert (caught.value.wait, asked.times, busy.log) == (0.0, 0, [("give up", 7)])


def test_nobody_waits_longer_than_the_patience():
    timed, asked = Timed(), Asked(PICTURE)

    with pytest.raises(Deferred):
        waiting(Busy(looks=10_000), timed).get(QUESTION, asked)

    assert (round(timed.now, 6), asked.times) == (50, 0)


def test_who_wants_a_fresh_answer_pays_once_more_and_a_retry_of_the_same_wish_does_not(asked, store):
    answers(asked, store).get(QUESTION, asked)

    for wish, times in (("one", 2), ("one", 2), ("two", 3)):
        with fresh_answers(wish):
            answers(asked, store).get(QUESTION, asked)
        assert asked.times == times
    assert answers(asked, store).get(QUESTION, asked).from_store
