import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.errors import Permanent
from growbin_jobs.messages import Rule, VisionAnswer, owner_of, parse

GOOD = {"category": "plastic", "item": "pet_bottle", "state": "clean", "confidence": 0.9}


def test_a_good_answer_survives_its_journey_as_json():
    answer = parse(VisionAnswer, json.loads(json.dumps(GOOD)))

    assert parse(VisionAnswer, json.loads(answer.model_dump_json())) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"category": "wood"},
        {"state": "unknown"},
        {"confidence": 1.01},
        {"confidence": "0.9"},
        {"confidence": float("nan")},
        {"item": "../../etc/passwd"},
        {"item": ""},
        {"item": "Pet Bottle"},
        {"item": "a" * 65},
        {"extra": 1},
        {"item": None},
    ],
)
def test_anything_else_is_refused_without_quoting_it(change):
    with pytest.raises(Permanent) as caught:
        parse(VisionAnswer, GOOD | change)

    assert caught.value.code == "request_invalid"
    assert "etc" not in str(caught.value)


def test_names_of_unknown_fields_are_not_repeated():
    """They are somebody's data as much as the content is; the sentence is shown to the user."""
    with pytest.raises(Permanent) as caught:
        parse(VisionAnswer, GOOD | {"state": "wet", "010-1234-5678\x1b[31m": 1, "x" * 5000: 2})

    assert caught.value.params["detail"] == "VisionAnswer: (unknown field), state"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_value_can_do_worse_than_a_permanent_error(value):
    for model in (VisionAnswer, Rule):
        with pytest.raises(Permanent):
            parse(model, value)


@pytest.mark.parametrize(
    ("actor", "args", "kwargs", "owner"),
    [
        ("upload_image", ["ada", "s3://b/x", "a1"], {}, ("ada", "a1")),
        ("upload_image", [], {"user_id": "ada", "image_path": "x", "analysis_id": "a1"}, ("ada", "a1")),
        ("analyze_image", ["a1", "s3://b/uploads/ada/a1/original.jpg"], {}, ("ada", "a1")),
        ("retrieve_rule", ["a1", "can", {"item": "can"}], {}, (None, "a1")),
        ("generate_response", ["a1", {}, None], {}, (None, "a1")),
        ("record_failure", [], {"analysis_id": "a1", "params": {"user_id": "ada"}}, ("ada", "a1")),
        ("record_failure", ["a1", "upload", "c", {"user_id": "ada"}], {}, ("ada", "a1")),
        ("orders.send", [], {"user_id": "ada"}, ("ada", None)),
        ("orders.send", ["ada"], {}, (None, None)),
        ("upload_image", [7, None, ["a"]], {}, (None, None)),
    ],
)
def test_whose_message_it_is(actor, args, kwargs, owner):
    body = json.dumps({"actor_name": actor, "args": args, "kwargs": kwargs})

    assert owner_of(body) == owner_of(body.encode()) == owner


@pytest.mark.parametrize("body", [b"", b"\xff", "[]", "{}", '{"actor_name": 1, "args": 5, "kwargs": {}}', "null"])
def test_what_is_no_message_is_nobody_s(body):
    assert owner_of(body) == (None, None)
