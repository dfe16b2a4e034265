"""Messages to bytes and back: as Dramatiq does it, and whatever anybody has put into a queue."""

import json
from ast import literal_eval
from dataclasses import fields as fields_of
from types import SimpleNamespace

import pytest
from dramatiq import Encoder, JSONEncoder, Message, PickleEncoder, get_encoder, set_encoder
from hypothesis import example, given
from hypothesis import strategies as st

from growbin_jobs.engine.delivery import codec
from growbin_jobs.engine.delivery.codec import Undecodable, assemble, decode, encode
from growbin_jobs.engine.errors import ConfigurationError

values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.text())
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "queue_name": values | st.just("q"),
        "actor_name": values | st.just("act"),
        "args": values | st.just([1]),
        "kwargs": values | st.just({}),
        "options": values | st.just({}),
        "message_id": values | st.just("id"),
        "message_timestamp": values,
        "other": values,
    },
)  # fmt: skip


@example(b'{"queue_name": "q", "actor_name": "a", "args": "text", "kwargs": {}, "options": {}}')
@given(st.binary() | (values | fields).map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_sound_message_or_undecodable(body):
    try:
        message = decode(body, "q")
    except Undecodable:
        return
    assert message.queue_name == "q"
    assert json.loads(body)["args"] == [*message.args]  # each character of a text is no argument
    kinds = SimpleNamespace(actor_name=str, message_id=str, args=tuple, kwargs=dict, options=dict)
    assert all(isinstance(getattr(message, name), kind) for name, kind in vars(kinds).items())


arguments = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(arguments), st.dictionaries(st.text(), arguments))
def test_a_message_is_encoded_as_dramatiq_does_and_decoded_as_it_was(args, kwargs):
    message = Message(queue_name="q", actor_name="act", args=tuple(args), kwargs=kwargs, options={"eta": 1})

    assert encode(message) == message.encode()
    assert decode(encode(message), "q") == message == Message.decode(encode(message))


class Spaced(JSONEncoder):
    """An encoder that somebody has set."""

    def encode(self, data):
        return b" " + super().encode(data)

    def decode(self, data):
        return super().decode(data) | {"kwargs": {"by": "Spaced"}}


def test_an_encoder_that_somebody_has_set_is_used():
    before = get_encoder()
    message = Message(queue_name="q", actor_name="act", args=(), kwargs={}, options={})
    try:
        set_encoder(Spaced())
        assert encode(message).startswith(b" {")
        assert decode(encode(message), "q").kwargs == {"by": "Spaced"}
    finally:
        set_encoder(before)


class Packed(Encoder):
    """One that writes bytes of its own, as msgpack's would."""

    def encode(self, data):
        return b"\x87" + repr(data).encode()

    def decode(self, data):
        return literal_eval(data[1:].decode())


@pytest.mark.parametrize("encoder", [PickleEncoder(), Packed()])
def test_an_encoder_that_writes_no_json_is_refused_and_nothing_is_read_by_it(encoder):
    before = get_encoder()
    message = Message(queue_name="q", actor_name="act", args=(), kwargs={}, options={})
    try:
        set_encoder(encoder)
        with pytest.raises(ConfigurationError, match=type(encoder).__name__):
            encode(message)
        with pytest.raises(Undecodable):
            decode(message.encode(), "q")
    finally:
        set_encoder(before)
    assert decode(encode(message), "q") == message


def test_a_message_that_encodes_itself_otherwise_does():
    class Own(Message):
        def encode(self):
            return b"mine"

    assert encode(Own(queue_name="q", actor_name="a", args=(), kwargs={}, options={})) == b"mine"


def test_an_assembled_message_is_as_a_constructed_one():
    message = Message(queue_name="q", actor_name="act", args=(1,), kwargs={"a": 2}, options={"b": 3})

    assembled = assemble({field.name: getattr(message, field.name) for field in fields_of(Message)})

    assert assembled == message
    assert repr(assembled) == repr(message)
    assert assembled.copy(args=(2,)) == message.copy(args=(2,))


def test_what_an_older_sender_left_out_is_filled_in():
    body = b'{"queue_name": "q", "actor_name": "a", "args": [1], "kwargs": {}, "options": {}}'

    message = decode(body, "q")

    assert (message.args, type(message.message_id), type(message.message_timestamp)) == ((1,), str, int)


def test_what_is_wrong_is_named_without_the_content():
    with pytest.raises(Undecodable) as caught:
        decode(b'{"secret": 1', "q")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("field", ["message_id", "actor_name"])
def test_a_name_that_no_journal_can_store_is_no_message(field):
    message = Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={}).copy(**{field: "\ud800"})

    with pytest.raises(Undecodable, match=field):
        decode(message.encode(), "q")


@pytest.mark.parametrize(("field", "value"), [("queue_name", 1), ("options", [])])
def test_a_message_that_must_say_itself_whose_it_is(field, value):
    message = Message(queue_name="mine", actor_name="a", args=(), kwargs={}, options={})

    assert decode(message.encode(), None).queue_name == "mine"
    with pytest.raises(Undecodable, match=field):
        decode(json.dumps(json.loads(message.encode()) | {field: value}).encode(), None)


def test_a_circle_is_refused_and_leaves_nothing_behind():
    circle = []
    circle.append(circle)
    message = Message(queue_name="q", actor_name="act", args=(circle,), kwargs={}, options={})

    for _ in range(2):
        with pytest.raises(RecursionError):
            encode(message)
    assert decode(encode(message.copy(args=([1],))), "q").args == ([1],)


def test_a_python_without_the_fast_encoder_writes_the_same(monkeypatch):
    fields = {"args": [1, "분리", None], "kwargs": {"a": {"b": [True, 0.5]}}}
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)

    assert codec._encoder()(fields) == codec._to_json(fields) == json.dumps(fields, separators=(",", ":"))
