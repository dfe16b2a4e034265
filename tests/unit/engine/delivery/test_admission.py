import time
from decimal import Decimal

import pytest
from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.delivery.admission import MAX_BODY, MAX_DELAY, MAX_NAME, Unencodable, Unsendable, admit
from growbin_jobs.engine.delivery.codec import decode

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
texts = st.text(st.characters(), max_size=300)


def message(**fields):
    usual = {"queue_name": "q", "actor_name": "a", "args": (1,), "kwargs": {}, "options": {}, "message_id": "m"}
    return Message(**{**usual, **fields})


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "queue_name": texts | anything,
            "actor_name": texts | anything,
            "message_id": texts | anything,
            "args": st.lists(anything, max_size=2).map(tuple),
            "kwargs": st.dictionaries(st.text(st.characters(), max_size=5), anything, max_size=2),
            "options": st.dictionaries(st.sampled_from(["broker_priority", "eta", "other"]), anything, max_size=2),
            "message_timestamp": anything,
        },
    ),
    delay=st.none() | st.integers() | st.floats() | anything,
)
def test_what_is_admitted_can_be_read_by_a_worker_and_the_rest_is_refused(fields, delay):
    sent = message(**fields)
    try:
        body = admit(sent, delay)
    except Unsendable:
        return
    read = decode(body, None)
    assert len(body) <= MAX_BODY
    assert (read.queue_name, read.actor_name, read.message_id) == (sent.queue_name, sent.actor_name, sent.message_id)
    for name in (read.queue_name + ".XQ", read.actor_name, read.message_id):
        assert 0 < len(name.encode()) <= MAX_NAME
    assert read.options.get("broker_priority") in (None, *range(256))
    assert delay is None or delay <= MAX_DELAY


def test_it_is_dramatiqs_encoding():
    sent = message()

    assert admit(sent) == sent.encode()


@pytest.mark.parametrize("delay", [None, 0, -5, 1, 1.5, MAX_DELAY, -(10**400)])
def test_usual_delays_pass(delay):
    admit(message(), delay)


def test_an_eta_of_another_broker_passes():
    admit(message(options={"eta": int(time.time() * 1000), "broker_priority": None}))


def test_a_refusal_never_repeats_an_argument():
    with pytest.raises(Unsendable) as refusal:
        admit(message(args=("secret", b"secret"), options={"note": {"secret"}}))

    assert "secret" not in str(refusal.value)


class Price:
    """What no JSON knows."""


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"args": (1, Decimal("9.99"))}, r"args\[1\] holds a decimal.Decimal"),
        ({"kwargs": {"photo": b"secret"}}, r"kwargs\['photo'\] holds a builtins.bytes"),
        ({"args": ({"items": [{"price": Price()}]},)}, r"args\[0\] holds a .*Price"),
        ({"args": ({("a", "b"): 1},)}, r"args\[0\] holds a key of type tuple"),
        ({"options": {"tenant": Price()}}, "the option 'tenant' holds a .*Price"),
        ({"args": (10**20_000,)}, r"args\[0\] holds a number of too many digits"),
        ({"args": (LOOP,)}, r"args\[0\] is nested too deeply, or holds itself"),
    ],
)
def test_who_sends_what_is_no_json_is_told_where_it_is_and_never_its_value(fields, said):
    with pytest.raises(Unencodable, match=said) as refused:
        admit(message(**fields))
    assert "secret" not in str(refused.value)
