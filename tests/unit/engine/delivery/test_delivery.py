"""A delivery is to everybody what Dramatiq's own proxy of a message is."""

import copy

import pytest
from dramatiq import Message
from dramatiq.broker import MessageProxy

from growbin_jobs.engine.delivery.delivery import Delivery

MESSAGE = Message(queue_name="q", actor_name="a", args=(1,), kwargs={"b": 2}, options={"c": 3}, message_id="m")


def test_it_is_a_proxy_and_finds_its_attributes_the_short_way():
    delivery = Delivery(MESSAGE, None)

    assert isinstance(delivery, MessageProxy)
    assert isinstance(delivery, Delivery)
    assert not hasattr(Delivery, "__getattr__")


@pytest.mark.parametrize("name", sorted(name for name in dir(MESSAGE) if not name.startswith("_")))
def test_it_has_what_a_proxy_finds_in_its_message(name):
    found, expected = (getattr(each, name) for each in (Delivery(MESSAGE, None), MessageProxy(MESSAGE)))

    assert found == expected


def test_it_fails_and_keeps_an_exception_as_a_proxy_does():
    delivery, error = Delivery(MESSAGE, None), ValueError()
    assert (delivery.failed, delivery._exception) == (False, None)

    delivery.fail()
    delivery.stuff_exception(error)
    assert (delivery.failed, delivery._exception) == (True, error)

    delivery.clear_exception()
    assert delivery._exception is None


def test_it_equals_its_message_and_is_itself_in_a_set():
    one, other = Delivery(MESSAGE, None), Delivery(MESSAGE, None)

    assert one == MESSAGE
    assert one == other == MessageProxy(MESSAGE)
    assert len({one, other}) == 2
    assert type(copy.copy(one)) is Delivery


def test_an_unknown_attribute_is_named():
    with pytest.raises(AttributeError, match="'Delivery' object has no attribute 'nothing'"):
        _ = Delivery(MESSAGE, None).nothing
