import threading

import pytest

from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.learning import COMES_BACK, Knowledge, OwnMemory
from growbin_jobs.errors import Away, Deferred
from growbin_jobs.model_catalog import UNKNOWN_SERVER, find_server


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def knowledge(memory, *, server=UNKNOWN_SERVER):
    time = Time()
    return Knowledge(server, "http://s/v1", memory, clock=time, sleep=time.sleep)


def used(facts):
    return frozenset({"store", "max_tokens"} - facts.refused.keys())


def test_until_a_request_was_answered_one_process_asks_and_the_others_come_back():
    memory = OwnMemory()
    first, second = knowledge(memory), knowledge(memory)

    with first.turn("m", used):
        with pytest.raises(Deferred) as raised, second.turn("m", used):
            pass
        assert (raised.value.wait, raised.value.capacity) == (COMES_BACK, True)
        first.learn("m", Facts(refused={"store": "no"}, proven=frozenset({"max_tokens"})))
        with second.turn("m", used):  # nobody needs to wait any more
            assert used(second.facts("m")) == {"max_tokens"}


def test_who_asked_first_and_failed_leaves_the_turn_to_the_next():
    memory = OwnMemory()
    with pytest.raises(ValueError, match="died"), knowledge(memory).turn("m", used):
        raise ValueError("died")

    with knowledge(memory).turn("m", used):
        pass


def test_threads_of_a_process_wait_for_the_first_one():
    own = Knowledge(UNKNOWN_SERVER, "http://s/v1", OwnMemory())
    inside, asking, most = threading.Lock(), threading.Barrier(6), []

    def ask():
        asking.wait()
        with own.turn("m", used):
            most.append(inside.acquire(blocking=False) or own.facts("m").proven != frozenset())
            own.learn("m", Facts(proven=frozenset({"store", "max_tokens"})))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [True] * 6


def test_a_model_that_openai_is_known_to_offer_is_asked_by_all_at_once():
    openai = knowledge(OwnMemory(), server=find_server("auto", "https://api.openai.com/v1"))

    with openai.turn("gpt-6-luna", lambda _: frozenset({"reasoning_effort"})):
        with openai.turn("gpt-6-luna", lambda _: frozenset({"reasoning_effort"})):
            pass
        with openai.turn("gpt-9", lambda _: frozenset({"store"})):
            pass


def test_what_cannot_be_kept_is_known_to_the_process():
    class Broken(OwnMemory):
        def add(self, key, about, merge):
            raise Away("down", wait=1.0)

    own = knowledge(Broken())
    own.learn("m", Facts(refused={"store": "no"}))

    assert "store" in own.facts("m").refused


@pytest.mark.parametrize(
    ("name", "url", "found"),
    [
        ("auto", "https://api.openai.com/v1", "openai"),
        ("auto", "https://me.openai.azure.com/openai/deployments/x", "azure"),
        ("auto", "https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
        ("auto", "http://10.0.0.7:11434/v1", "ollama"),
        ("auto", "http://localhost:1234/v1", "lmstudio"),
        ("auto", "http://localhost:8000/v1", "auto"),
        ("auto", "https://evil.example/api.openai.com", "auto"),
        ("vllm", "http://localhost:8000/v1", "vllm"),
    ],
)
def test_a_server_is_known_by_its_address_or_by_the_settings(name, url, found):
    assert find_server(name, url).name == found
